//! The promises along one path: the same checkers as everywhere, over a history that keeps of the
//! past what a verdict on the future can depend on, so that two paths to one state are one state.

use crate::check::{self, Violation};
use crate::history::{Happening, History};

/// The history so far, and what it broke.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Judge {
    copies: u32,
    /// What later verdicts depend on.
    kept: Vec<Happening>,
    /// The highest term that could acknowledge a write.
    newest: u64,
}

impl Judge {
    pub(crate) fn new(copies: u32) -> Self {
        Self { copies, kept: Vec::new(), newest: 0 }
    }

    /// One more thing has happened; what that breaks.
    pub(crate) fn note(&mut self, at: u64, what: Happening) -> Option<Violation> {
        let mut events: Vec<_> = self.kept.iter().map(|h| (0, h.clone())).collect();
        events.push((at, what.clone()));
        let history = History { events, copies: self.copies, gate: true };
        let broken = check::safety(&history).into_iter().next();
        self.keep(what);
        broken
    }

    /// An engine would acknowledge a write now, whoever sent it.
    pub(crate) fn could_ack(&mut self, at: u64, by: usize, term: u64) -> Option<Violation> {
        if term == self.newest {
            // The history knows that already.
            return None;
        }
        self.newest = self.newest.max(term);
        self.note(at, Happening::Acked { write: 0, by, term, frozen: false })
    }

    /// Whether this term is the first to acknowledge since one below.
    pub(crate) fn is_new(&self, term: u64) -> bool {
        term > self.newest
    }

    /// What each checker looks back at: the newest acknowledgement, the newest promotion, who holds
    /// the newest epoch, writes that were waited for, copies lost since then, and whether more than
    /// the store was ever harmed. Nothing that came before a loss was accepted is asked for any
    /// more.
    fn keep(&mut self, what: Happening) {
        let same = |h: &Happening| std::mem::discriminant(h) == std::mem::discriminant(&what);
        match &what {
            Happening::Acked { .. } | Happening::Promoted { .. } => self.kept.retain(|h| !same(h)),
            Happening::Recorded { epoch: new, .. } => {
                let older = |h: &Happening| {
                    matches!(h, Happening::Recorded { epoch, .. } if epoch < new) || *h == what
                };
                self.kept.retain(|h| !older(h));
            }
            // It goes before what follows from it, and stays there.
            Happening::Harmed { beyond_store: true } if self.kept.contains(&what) => return,
            Happening::Harmed { beyond_store: true }
            | Happening::Waited { .. }
            | Happening::CopiesLost { .. } => {}
            Happening::AcceptedLoss { .. } => {
                let data = |h: &Happening| {
                    matches!(h, Happening::Waited { .. } | Happening::CopiesLost { .. })
                };
                return self.kept.retain(|h| !data(h));
            }
            _ => return,
        }
        self.kept.push(what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_term_that_could_acknowledge_again_is_seen() {
        let mut judge = Judge::new(1);
        assert_eq!(judge.could_ack(1, 0, 1), None);
        assert_eq!(judge.could_ack(2, 1, 2), None);
        assert_eq!(judge.could_ack(3, 1, 2), None);
        assert_eq!(judge.could_ack(4, 0, 1).map(|v| v.promise), Some("I1"));
    }

    #[test]
    fn a_waited_write_that_a_later_primary_lacks_is_seen() {
        let mut judge = Judge::new(1);
        assert_eq!(judge.note(1, Happening::Waited { write: 7, copies: 1 }), None);
        let holding = |data: &[u64]| Happening::Holding {
            by: 1,
            term: 2,
            data: data.iter().copied().collect(),
        };
        assert_eq!(judge.note(2, holding(&[7])), None);
        assert_eq!(judge.note(3, holding(&[])).map(|v| v.promise), Some("I2"));
    }
}
