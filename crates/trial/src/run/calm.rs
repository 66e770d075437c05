//! How long each writer pauses while nothing is done to its group: what a harm that should cost
//! nothing is held against.

use std::time::Duration;

use crate::gap;
use crate::journal::{At, Journal};
use crate::load::waits;

/// A pause that nobody calls an outage, whatever a machine's calm was like: a few writes of a load,
/// a write of the engine's log to its disk.
const FLOOR: Duration = Duration::from_millis(100);

/// The longest pause of each writer in the calm parts of a run so far.
#[derive(Debug, Default)]
pub(super) struct Calm {
    from: Option<At>,
    longest: Vec<Duration>,
}

impl Calm {
    /// A calm part begins.
    pub(super) fn begin(&mut self, at: At) {
        self.from = Some(at);
    }

    /// It is over: the next harm begins.
    pub(super) fn learn(&mut self, journal: &Journal, until: At) {
        let from = self.from.take().unwrap_or_default();
        let pauses = pauses(journal, from, until);
        self.longest.resize(pauses.len(), Duration::ZERO);
        for (longest, pause) in self.longest.iter_mut().zip(pauses) {
            *longest = (*longest).max(pause);
        }
    }

    /// The writer that paused longest beyond its own calm from `at` until `until`: what its calm
    /// allows, and its pause.
    pub(super) fn worst(
        &self,
        journal: &Journal,
        at: At,
        until: At,
    ) -> Option<(Duration, Duration)> {
        let pauses = pauses(journal, at, until);
        let allowed = self.longest.iter().map(|longest| FLOOR.max(*longest));
        let both = allowed.zip(pauses);
        both.max_by_key(|(allowed, pause)| pause.saturating_sub(*allowed))
    }
}

/// The longest time without an acknowledgement of each writer that never waits for its replicas:
/// who does pauses for as long as its `WAIT`, while writes go on.
fn pauses(journal: &Journal, from: At, until: At) -> Vec<Duration> {
    let of = |acks: Vec<At>| match acks.first() {
        // From its first acknowledgement: before that it was only on its way.
        Some(first) => gap::around(&acks, *first, until).length(),
        None => until.since(from),
    };
    let writers = journal.writers.iter().enumerate().filter(|(n, _)| !waits(*n));
    writers
        .map(|(_, track)| {
            let ended = track.writes_since(from).into_iter();
            let acked = ended.filter(|write| write.outcome.is_acked() && write.ended <= until);
            of(acked.map(|write| write.ended).collect())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Clock, Outcome, Write};

    /// Of writers that never wait, each beside one that does and has nothing acknowledged.
    fn journal(acks_ms: &[&[u64]]) -> Journal {
        let journal = Journal::new(Clock::start(), 2 * acks_ms.len(), 0);
        let steady = journal.writers.iter().enumerate().filter(|(n, _)| !waits(*n));
        for ((_, track), acks) in steady.zip(acks_ms) {
            for (number, ms) in (0..).zip(*acks) {
                let ended = At(ms * 1_000_000);
                track.note(Write { number, invoked: ended, ended, outcome: Outcome::Acked });
            }
        }
        journal
    }

    fn at(ms: u64) -> At {
        At(ms * 1_000_000)
    }

    #[test]
    fn each_writer_is_held_against_its_own_calm() {
        let journal = journal(&[&[0, 300, 400, 1000, 1250, 1300], &[0, 50, 400, 1000, 1250, 1300]]);
        let mut calm = Calm::default();
        calm.learn(&journal, at(400));
        let ms = Duration::from_millis;
        // Both pause for 250 ms; only the first one had paused for 300 before, the second for 350.
        let worst = calm.worst(&journal, at(1000), at(1300)).expect("two writers");
        assert!(worst.1 == ms(250) && worst.1 < worst.0, "{worst:?}");
        let worst = calm.worst(&journal, at(400), at(1300)).expect("two writers");
        assert_eq!(worst, (ms(300), ms(600)), "the one with less calm");
    }

    #[test]
    fn a_writer_that_is_silent_paused_all_the_time() {
        let journal = journal(&[&[0, 10, 20]]);
        let mut calm = Calm::default();
        calm.learn(&journal, at(20));
        let worst = calm.worst(&journal, at(100), at(900)).expect("one writer");
        assert_eq!(worst, (FLOOR, Duration::from_millis(800)));
    }
}
