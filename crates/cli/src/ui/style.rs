//! Symbols, colours and units: how a figure or a word looks.

use std::time::Duration;

use owo_colors::OwoColorize;

use crate::verdict::Verdict;

/// The longest line that a command prints, in columns.
pub(crate) const COLUMNS: usize = 100;

/// How things look on this terminal. Colours are always written and taken away on the way out where
/// they are not wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    /// Only ASCII.
    pub(crate) plain: bool,
}

impl Style {
    /// Something to look at.
    pub(crate) fn warn(self) -> String {
        self.pick("‼", "!!").yellow().to_string()
    }

    /// Something that failed.
    pub(crate) fn bad(self) -> String {
        self.pick("×", "xx").red().to_string()
    }

    /// A step that is done.
    pub(crate) fn done(self) -> String {
        self.pick("✓", "ok").green().to_string()
    }

    /// Between words of one line.
    pub(crate) fn dot(self) -> &'static str {
        self.pick("·", "-")
    }

    /// From here to there.
    pub(crate) fn arrow(self) -> &'static str {
        self.pick("→", "->")
    }

    /// `plain` on a terminal that is to get only ASCII.
    pub(crate) fn pick(self, fancy: &'static str, plain: &'static str) -> &'static str {
        if self.plain { plain } else { fancy }
    }

    /// The verdict in its colour.
    pub(crate) fn verdict(verdict: Verdict) -> String {
        let word = verdict.to_string();
        match verdict {
            Verdict::Healthy => word.green().bold().to_string(),
            Verdict::Degraded | Verdict::Waiting | Verdict::FailingOver => {
                word.yellow().bold().to_string()
            }
            Verdict::Down | Verdict::Unknown => word.red().bold().to_string(),
        }
    }

    /// A heading.
    pub(crate) fn heading(text: &str) -> String {
        text.bold().to_string()
    }

    /// Something that is there but not important.
    pub(crate) fn faint(text: &str) -> String {
        text.dimmed().to_string()
    }

    /// Text in which everything beyond ASCII is spelled out when only ASCII is wanted.
    pub(crate) fn text(self, text: &str) -> String {
        if !self.plain {
            return text.to_owned();
        }
        let mut out = String::with_capacity(text.len());
        for letter in text.chars() {
            match letter {
                '→' => out.push_str("->"),
                '·' | '–' | '—' => out.push('-'),
                '…' => out.push_str("..."),
                '≥' => out.push_str(">="),
                '≤' => out.push_str("<="),
                '√' | '✓' => out.push_str("ok"),
                '×' => out.push('x'),
                '‼' => out.push_str("!!"),
                'ß' => out.push_str("ss"),
                letter if letter.is_ascii() => out.push(letter),
                _ => out.push('?'),
            }
        }
        out
    }
}

/// Bytes as a person reads them: `0 B`, `1.5 K`, `612 M`.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["B", "K", "M", "G", "T", "P"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 || value >= 100.0 {
        format!("{value:.0} {}", UNITS[unit])
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

/// A count with its thousands apart: `184 208`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// A length of time as a person reads it: `12 ms`, `4.9 s`, `3m12s`, `2h05m`, `12d`.
pub(crate) fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 => format!("{} ms", time.as_millis()),
        1..60 => format!("{:.1} s", time.as_secs_f64()),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// How long ago a wall clock time (milliseconds since 1970) was.
pub(crate) fn ago(at_ms: u64) -> String {
    let now = jiff::Timestamp::now().as_millisecond();
    let gone = u64::try_from(now).unwrap_or(0).saturating_sub(at_ms);
    span(Duration::from_millis(gone))
}

/// Cuts a line to so many columns, with an ellipsis.
pub(crate) fn clip(text: &str, columns: usize) -> String {
    if text.chars().count() <= columns {
        return text.to_owned();
    }
    let mut out: String = text.chars().take(columns.saturating_sub(1)).collect();
    out.push('…');
    out
}

/// Breaks a text into lines of at most so many columns, at spaces.
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let fits = line.chars().count() + 1 + word.chars().count() <= columns;
        if !line.is_empty() && !fits {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(1536), "1.5 K");
        assert_eq!(bytes(612 << 20), "612 M");
        assert_eq!(count(7), "7");
        assert_eq!(count(918_220), "918 220");
        assert_eq!(count(1_000_000), "1 000 000");
        assert_eq!(span(Duration::from_millis(12)), "12 ms");
        assert_eq!(span(Duration::from_millis(4_900)), "4.9 s");
        assert_eq!(span(Duration::from_secs(192)), "3m12s");
        assert_eq!(span(Duration::from_secs(3 * 86_400 + 5)), "3d");
    }

    #[test]
    fn plain_text_is_ascii() {
        let style = Style { plain: true };
        assert_eq!(style.text("a → b · c ≥ 3 … ü"), "a -> b - c >= 3 ... ?");
        assert!(style.done().contains("ok"));
    }

    #[test]
    fn long_lines_are_cut_or_broken() {
        assert_eq!(clip("abcdef", 4), "abc…");
        assert_eq!(clip("abcd", 4), "abcd");
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("", 7), [""]);
    }
}
