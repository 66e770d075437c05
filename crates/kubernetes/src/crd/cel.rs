//! Pieces of CEL that more than one rule is made of, and how Rust's text becomes CEL's.

/// Parts of a duration within a day. What has more digits than this is longer than a day, or only
/// led by zeros.
pub(super) const DURATION: &str =
    "^(0*[0-9]{1,8}ms|0*[0-9]{1,5}s|0*[0-9]{1,4}m|0*[0-9]{1,2}h){1,8}$";

/// A size: a number, whole or with a fraction, and a unit.
pub(super) const QUANTITY: &str = "^[0-9]{1,20}([.][0-9]{1,9})?(k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$";

/// One past the largest number of bytes, 2⁶⁴.
pub(super) const BYTES_END: &str = "18446744073709551616.0";

/// Text as a literal of CEL.
pub(super) fn quoted(text: &str) -> String {
    let mut literal = String::from("'");
    for c in text.chars() {
        match c {
            '\'' => literal.push_str("\\'"),
            '\\' => literal.push_str("\\\\"),
            '\n' => literal.push_str("\\n"),
            other => literal.push(other),
        }
    }
    literal.push('\'');
    literal
}

/// A message out of text that may be anything: Kubernetes drops one that breaks its line.
pub(super) fn on_one_line(message: &str) -> String {
    format!("({message}).replace('\\n', ' ').replace('\\r', ' ')")
}

/// A list of texts as a literal of CEL.
pub(super) fn list_of<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.into_iter().map(quoted).collect();
    format!("[{}]", words.join(", "))
}

/// Whether `text` matches a pattern.
pub(super) fn matches(text: &str, pattern: &str) -> String {
    format!("{text}.matches({})", quoted(pattern))
}

/// Bytes of a size that matches [`QUANTITY`], as a number with a fraction.
pub(super) fn bytes(text: &str) -> String {
    format!(
        "double({text}.find('^[0-9.]+')) * {{'': 1.0, 'k': 1e3, 'M': 1e6, 'G': 1e9, 'T': 1e12, \
         'P': 1e15, 'Ki': 1024.0, 'Mi': 1048576.0, 'Gi': 1073741824.0, 'Ti': 1099511627776.0, \
         'Pi': 1125899906842624.0}}[{text}.find('[A-Za-z]*$')]"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_quoted() {
        assert_eq!(quoted(r"it's \d"), r"'it\'s \\d'");
        assert_eq!(list_of(["a", "b"]), "['a', 'b']");
        assert_eq!(matches("self", "^a$"), "self.matches('^a$')");
    }
}
