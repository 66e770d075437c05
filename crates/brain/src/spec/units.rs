//! Sizes and durations as Kubernetes writes them.

/// Milliseconds of a duration: numbers with `ms`, `s`, `m` or `h`, such as `500ms` or `1m30s`.
/// `None` for anything else; a bare number has no unit and is refused.
pub fn parse_duration_ms(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut total: u64 = 0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = rest.split_at(digits);
        let letters = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, tail) = tail.split_at(letters);
        let factor = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return None,
        };
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(factor)?)?;
        rest = tail;
    }
    Some(total)
}

/// Bytes of a quantity: a number, whole or with a fraction, with `Ki Mi Gi Ti Pi` (powers of 1024),
/// `k M G T P` (powers of 1000) or nothing. `None` for anything else.
pub fn parse_quantity_bytes(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
    let (number, unit) = text.split_at(digits);
    let factor: u128 = match unit {
        "" => 1,
        "k" => 1000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "T" => 1_000_000_000_000,
        "P" => 1_000_000_000_000_000,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "Ti" => 1 << 40,
        "Pi" => 1 << 50,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || fraction.len() > 9 || (number.contains('.') && fraction.is_empty()) {
        return None;
    }
    let scale = 10u128.pow(fraction.len() as u32);
    let parts: u128 = format!("{whole}{fraction}").parse().ok()?;
    u64::try_from(parts.checked_mul(factor)? / scale).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, want) in [
            ("60s", Some(60_000)),
            ("500ms", Some(500)),
            ("1m30s", Some(90_000)),
            ("1h", Some(3_600_000)),
            ("0s", Some(0)),
            ("60", None),
            ("", None),
            ("s", None),
            ("-1s", None),
            ("1.5s", None),
            ("1 s", None),
            ("99999999999999999999s", None),
            ("18446744073709551615h", None),
        ] {
            assert_eq!(parse_duration_ms(text), want, "{text:?}");
        }
    }

    #[test]
    fn quantities() {
        for (text, want) in [
            ("10Gi", Some(10 << 30)),
            ("1.5Gi", Some(3 << 29)),
            ("500M", Some(500_000_000)),
            ("1024", Some(1024)),
            ("64Mi", Some(64 << 20)),
            ("10gb", None),
            ("10 Gi", None),
            ("-1Gi", None),
            (".5Gi", None),
            ("1.Gi", None),
            ("1.2.3Gi", None),
            ("", None),
            ("Gi", None),
            ("99999999Pi", None),
        ] {
            assert_eq!(parse_quantity_bytes(text), want, "{text:?}");
        }
    }
}
