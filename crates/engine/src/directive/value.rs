//! What the values of directives look like: check them, and compare them as the engine does.

/// What a directive takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `yes` or `no`.
    Bool,
    /// One of these words.
    Enum(&'static [&'static str]),
    /// A whole number from `.0` to `.1`, both included.
    Int(i64, i64),
    /// This many whole numbers.
    Ints(usize),
    /// Bytes, at least `.0`: `100`, `64mb`, `1gb`; also `10Gi` as in the resource's other sizes is
    /// refused, because the engine does not read it.
    Memory(i64),
    /// Bytes, or a percentage of `maxmemory`.
    MemoryOrPercent,
    /// Pairs of seconds and changes; empty is "never".
    SavePoints,
    /// Groups of class, hard limit, soft limit, seconds.
    OutputBuffers,
    /// Letters of `notify-keyspace-events`.
    EventFlags,
    /// Anything on one line, as one word to the engine.
    Text,
    /// Anything on one line, word by word.
    Words,
}

/// A value that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueError {
    /// What would fit, in words.
    pub want: String,
}

/// The letters of `notify-keyspace-events`.
pub const EVENT_FLAGS: &str = "KEg$lshzxeAtmdnocr";

impl Kind {
    /// Whether `value` fits.
    pub fn check(self, value: &str) -> Result<(), ValueError> {
        // A line end would put a directive of its own into the engine's file.
        let one_line = !value.contains(['\n', '\r', '\0']);
        if one_line && self.fits(value.trim()) {
            return Ok(());
        }
        Err(ValueError { want: if one_line { self.want() } else { "a single line".to_owned() } })
    }

    fn fits(self, value: &str) -> bool {
        match self {
            Self::Text | Self::Words => true,
            Self::Bool => yes_or_no(value).is_some(),
            Self::Enum(words) => words.iter().any(|word| word.eq_ignore_ascii_case(value)),
            Self::Int(from, to) => value.parse().is_ok_and(|n: i64| (from..=to).contains(&n)),
            Self::Ints(count) => {
                let mut words = value.split_whitespace();
                words.by_ref().take(count).filter(|word| word.parse::<i64>().is_ok()).count()
                    == count
                    && words.next().is_none()
            }
            Self::Memory(from) => parse_memory(value).is_some_and(|n| n >= from.unsigned_abs()),
            Self::MemoryOrPercent => {
                percent(value).is_some_and(|p| p <= 100) || parse_memory(value).is_some()
            }
            Self::SavePoints => save_points(value).is_some(),
            Self::OutputBuffers => output_buffers(value).is_some(),
            Self::EventFlags => value.chars().all(|c| EVENT_FLAGS.contains(c)),
        }
    }

    /// What would fit, in words.
    pub fn want(self) -> String {
        match self {
            Self::Text | Self::Words => "text on a single line".to_owned(),
            Self::Bool => "yes or no".to_owned(),
            Self::Enum(words) => format!("one of {}", words.join(", ")),
            Self::Int(from, i64::MAX) => format!("a whole number of at least {from}"),
            Self::Int(from, to) => format!("a whole number from {from} to {to}"),
            Self::Ints(count) => format!("{count} whole numbers"),
            Self::Memory(0) => "bytes, such as 64mb or 1gb".to_owned(),
            Self::Memory(from) => format!("at least {from} bytes, written such as 64mb or 1gb"),
            Self::MemoryOrPercent => "bytes, such as 64mb, or a percentage, such as 10%".to_owned(),
            Self::SavePoints => {
                "pairs of seconds and changes, such as \"3600 1 300 100\", or \"\" for never"
                    .to_owned()
            }
            Self::OutputBuffers => "class, hard limit, soft limit and seconds, such as \
                                    \"replica 512mb 256mb 60\", with class normal, replica or \
                                    pubsub"
                .to_owned(),
            Self::EventFlags => format!("letters out of {EVENT_FLAGS}"),
        }
    }
}

/// Whether two values of one directive mean the same to the engine: `64mb` and `67108864`, `YES`
/// and `yes`. `actual` is what `CONFIG GET` gave; of the output buffers it lists every class, and
/// only those named in `wanted` are compared.
pub fn same(kind: Kind, wanted: &str, actual: &str) -> bool {
    let (wanted, actual) = (wanted.trim(), actual.trim());
    if wanted == actual {
        return true;
    }
    match kind {
        Kind::Bool => yes_or_no(wanted).is_some() && yes_or_no(wanted) == yes_or_no(actual),
        Kind::Enum(_) => wanted.eq_ignore_ascii_case(actual),
        Kind::Int(..) => wanted.parse::<i64>().ok().is_some_and(|n| actual.parse::<i64>() == Ok(n)),
        Kind::Memory(_) => {
            parse_memory(wanted).is_some() && parse_memory(wanted) == parse_memory(actual)
        }
        Kind::MemoryOrPercent => match (percent(wanted), percent(actual)) {
            (None, None) => parse_memory(wanted).is_some_and(|n| parse_memory(actual) == Some(n)),
            (wanted, actual) => wanted == actual,
        },
        Kind::SavePoints => {
            save_points(wanted).is_some() && save_points(wanted) == save_points(actual)
        }
        Kind::OutputBuffers => match (output_buffers(wanted), output_buffers(actual)) {
            (Some(wanted), Some(actual)) => wanted.iter().all(|group| actual.contains(group)),
            _ => false,
        },
        Kind::EventFlags => event_flags(wanted) == event_flags(actual),
        Kind::Ints(_) | Kind::Text | Kind::Words => {
            wanted.split_whitespace().eq(actual.split_whitespace())
        }
    }
}

/// Bytes as the engine reads them: a number, and one of `b k kb m mb g gb t tb p pb` in any case
/// (`k` is 1000, `kb` is 1024). `None` for anything else, and past 2⁶⁴.
pub fn parse_memory(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" => 1000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        "t" => 1_000_000_000_000,
        "tb" => 1 << 40,
        "p" => 1_000_000_000_000_000,
        "pb" => 1 << 50,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

fn yes_or_no(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

fn percent(value: &str) -> Option<u64> {
    value.strip_suffix('%')?.parse().ok()
}

fn save_points(value: &str) -> Option<Vec<(u64, u64)>> {
    let numbers: Option<Vec<u64>> =
        value.trim_matches('"').split_whitespace().map(|word| word.parse().ok()).collect();
    let numbers = numbers?;
    if !numbers.len().is_multiple_of(2) {
        return None;
    }
    let points = numbers.chunks_exact(2).map(|pair| (pair[0] >= 1).then_some((pair[0], pair[1])));
    let mut points = points.collect::<Option<Vec<_>>>()?;
    points.sort_unstable();
    Some(points)
}

fn output_buffers(value: &str) -> Option<Vec<(&'static str, u64, u64, u64)>> {
    let words: Vec<&str> = value.split_whitespace().collect();
    if words.is_empty() || !words.len().is_multiple_of(4) {
        return None;
    }
    let group = |group: &[&str]| {
        let class = match group[0].to_ascii_lowercase().as_str() {
            "normal" => "normal",
            "slave" | "replica" => "replica",
            "pubsub" => "pubsub",
            _ => return None,
        };
        let limits = (parse_memory(group[1])?, parse_memory(group[2])?, group[3].parse().ok()?);
        Some((class, limits.0, limits.1, limits.2))
    };
    words.chunks_exact(4).map(group).collect()
}

fn event_flags(value: &str) -> Vec<char> {
    // The engine prints `A` for the classes that it stands for.
    let mut flags: Vec<char> = value.replace('A', "g$lshzxetd").chars().collect();
    flags.sort_unstable();
    flags.dedup();
    flags
}
