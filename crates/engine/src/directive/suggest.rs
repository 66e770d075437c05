//! The nearest of some names, for "did you mean".

/// The nearest name, if it is near enough to be meant: at most a third of its letters differ.
pub(super) fn nearest(
    wrong: &str,
    names: impl Iterator<Item = &'static str>,
) -> Option<&'static str> {
    // A name that nobody could have meant must not make us count for long.
    if wrong.len() > 100 {
        return None;
    }
    names
        .map(|name| (distance(wrong, name), name))
        .filter(|(distance, name)| distance * 3 <= name.len())
        .min()
        .map(|(_, name)| name)
}

/// Letters to add, drop, change or swap.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut next = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let change = row[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            next[j] = change.min(row[j] + 1).min(next[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                next[j] = next[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut row, next);
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_seen_and_a_guess_is_not() {
        let names = || ["maxmemory", "maxmemory-policy", "save", "timeout"].into_iter();
        for (wrong, want) in [
            ("maxmemroy", Some("maxmemory")),
            ("max-memory-policy", Some("maxmemory-policy")),
            ("tiemout", Some("timeout")),
            ("sav", Some("save")),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(wrong, names()), want, "{wrong}");
        }
        assert_eq!(nearest(&"x".repeat(10_000), names()), None);
    }
}
