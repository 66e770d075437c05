//! The choices of a search, and the list of them that replays a path.

use std::fmt;

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Choice {
    /// The next thing in the ordinary course: what is due is done, or else time goes on.
    Go,
    /// What is due is lost.
    Lose,
    /// What is due comes later: see [`Choice::Release`].
    Hold,
    /// The write of the record that is due is carried out, and its answer is lost.
    Unanswered,
    /// This one of what was held comes now.
    Release(usize),
    /// The network is cut to this one of the bounds'.
    Cut(usize),
    /// The network is whole again.
    Mend,
    /// A member ends, agent and engine.
    Crash(usize),
    /// It starts.
    Start(usize),
    /// Its engine is killed.
    Kill(usize),
    /// A member stands still.
    Freeze(usize),
    /// It goes on.
    Thaw(usize),
    /// The record is deleted.
    Delete,
    /// The record is put back as it was one write ago.
    Rollback,
    /// A person asks a member for a handover.
    Handover(usize),
    /// SIGTERM to a member.
    Stop(usize),
    /// A client writes to a member, with a WAIT.
    Write(usize),
}

impl Choice {
    /// Whether it counts against [`super::Bounds::faults`].
    pub fn is_fault(self) -> bool {
        !matches!(
            self,
            Choice::Go
                | Choice::Release(_)
                | Choice::Mend
                | Choice::Start(_)
                | Choice::Thaw(_)
                | Choice::Write(_)
        )
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Choice::Go => f.write_str("go"),
            Choice::Lose => f.write_str("lose"),
            Choice::Hold => f.write_str("hold"),
            Choice::Unanswered => f.write_str("unanswered"),
            Choice::Release(n) => write!(f, "release {n}"),
            Choice::Cut(n) => write!(f, "cut {n}"),
            Choice::Mend => f.write_str("mend"),
            Choice::Crash(m) => write!(f, "crash {m}"),
            Choice::Start(m) => write!(f, "start {m}"),
            Choice::Kill(m) => write!(f, "kill {m}"),
            Choice::Freeze(m) => write!(f, "freeze {m}"),
            Choice::Thaw(m) => write!(f, "thaw {m}"),
            Choice::Delete => f.write_str("delete"),
            Choice::Rollback => f.write_str("rollback"),
            Choice::Handover(m) => write!(f, "handover {m}"),
            Choice::Stop(m) => write!(f, "stop {m}"),
            Choice::Write(m) => write!(f, "write {m}"),
        }
    }
}

/// A path: what was chosen other than [`Choice::Go`], and at which of its points, counted from 0.
/// Every point is counted, also those at which a search had no choice, so that a path means the
/// same under any budget.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path(pub Vec<(u64, Choice)>);

impl Path {
    /// Reads back what `Display` writes: `12 cut 3, 40 hold`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let words = text.split(',').map(str::trim).filter(|w| !w.is_empty());
        let read = |word: &str| {
            let (point, choice) = word.split_once(' ')?;
            Some((point.parse().ok()?, one(choice)?))
        };
        words
            .map(|word| read(word).ok_or_else(|| unknown(word)))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// How many of the choices are faults.
    pub fn faults(&self) -> usize {
        self.0.iter().filter(|(_, c)| c.is_fault()).count()
    }
}

fn unknown(word: &str) -> String {
    format!("{word:?} is no choice of a path: write one as it was printed, such as `12 cut 3`")
}

fn one(word: &str) -> Option<Choice> {
    let (name, number) = match word.split_once(' ') {
        Some((name, number)) => (name, Some(number.parse().ok()?)),
        None => (word, None),
    };
    Some(match (name, number) {
        ("lose", None) => Choice::Lose,
        ("hold", None) => Choice::Hold,
        ("unanswered", None) => Choice::Unanswered,
        ("mend", None) => Choice::Mend,
        ("delete", None) => Choice::Delete,
        ("rollback", None) => Choice::Rollback,
        ("release", Some(n)) => Choice::Release(n),
        ("cut", Some(n)) => Choice::Cut(n),
        ("crash", Some(n)) => Choice::Crash(n),
        ("start", Some(n)) => Choice::Start(n),
        ("kill", Some(n)) => Choice::Kill(n),
        ("freeze", Some(n)) => Choice::Freeze(n),
        ("thaw", Some(n)) => Choice::Thaw(n),
        ("handover", Some(n)) => Choice::Handover(n),
        ("stop", Some(n)) => Choice::Stop(n),
        ("write", Some(n)) => Choice::Write(n),
        _ => return None,
    })
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (point, choice)) in self.0.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            write!(f, "{comma}{point} {choice}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_back_what_it_writes() {
        let path = Path(vec![
            (2, Choice::Cut(3)),
            (3, Choice::Hold),
            (9, Choice::Release(0)),
            (9, Choice::Write(1)),
        ]);
        assert_eq!(path.to_string(), "2 cut 3, 3 hold, 9 release 0, 9 write 1");
        assert_eq!(Path::parse(&path.to_string()), Ok(path.clone()));
        assert_eq!(path.faults(), 2);
        assert!(Path::parse("2 cut 3, 4 jump 3").unwrap_err().contains("4 jump 3"));
    }
}
