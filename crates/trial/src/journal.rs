//! The history of a trial: every write and read with its times on one monotonic clock, and what
//! came of it. An outcome that nobody can know is kept as unknown, never guessed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::timeout;

/// Nanoseconds of CLOCK_MONOTONIC since the trial began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct At(pub u64);

impl At {
    /// The time since `earlier`; zero when `earlier` is later.
    pub fn since(self, earlier: At) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// This moment and `span` more.
    #[must_use]
    pub fn plus(self, span: Duration) -> At {
        At(self.0.saturating_add(span.as_nanos() as u64))
    }

    /// `span` before this moment; the trial's beginning at the earliest.
    #[must_use]
    pub fn minus(self, span: Duration) -> At {
        At(self.0.saturating_sub(span.as_nanos() as u64))
    }
}

/// The trial's clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    base: Instant,
    base_wall_ms: u64,
}

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { base: Instant::now(), base_wall_ms: wall.as_millis() as u64 }
    }

    /// Now.
    pub fn now(&self) -> At {
        At(self.base.elapsed().as_nanos() as u64)
    }

    /// Wall clock, milliseconds since 1970, of a moment: to lay agents' decisions beside ours. Good
    /// as long as nobody turns the wall clock during a trial.
    pub fn wall_ms(&self, at: At) -> u64 {
        self.base_wall_ms + at.0 / 1_000_000
    }

    /// The moment of a wall clock time; the trial's beginning at the earliest.
    pub fn at_wall_ms(&self, wall_ms: u64) -> At {
        At(wall_ms.saturating_sub(self.base_wall_ms) * 1_000_000)
    }
}

/// What came of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Certainly not carried out: the engine refused it.
    Refused,
    /// Sent, and no answer: it may have been carried out.
    Unknown,
    /// Acknowledged.
    Acked,
    /// Acknowledged, and `WAIT k` said that k replicas have it.
    Replicated,
}

impl Outcome {
    /// Whether the client was told that it is done.
    pub fn is_acked(self) -> bool {
        matches!(self, Self::Acked | Self::Replicated)
    }
}

/// One write: each has its own number of its writer and is never repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Write {
    /// Its number; counts from 0 for each writer.
    pub number: u32,
    /// When it was sent.
    pub invoked: At,
    /// When its answer came, or it was given up.
    pub ended: At,
    /// What came of it.
    pub outcome: Outcome,
}

/// What one writer did. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub struct Track {
    name: Arc<str>,
    writes: Arc<Mutex<Vec<Write>>>,
    newest: Arc<watch::Sender<At>>,
}

impl Track {
    /// An empty track. The name is part of the writer's keys.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            writes: Arc::default(),
            newest: Arc::new(watch::Sender::new(At(0))),
        }
    }

    /// A track that tells the same listeners of its acknowledgements as `self`.
    #[must_use]
    pub fn beside(&self, name: &str) -> Self {
        Self { name: name.into(), writes: Arc::default(), newest: Arc::clone(&self.newest) }
    }

    /// Whose track it is.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number that the next write must take.
    pub fn next_number(&self) -> u32 {
        self.locked().last().map_or(0, |write| write.number + 1)
    }

    /// Notes a write. Numbers grow.
    pub fn note(&self, write: Write) {
        self.locked().push(write);
        if write.outcome.is_acked() {
            self.newest.send_modify(|newest| *newest = (*newest).max(write.ended));
        }
    }

    /// The newest write turned out to be on enough replicas.
    pub fn newest_is_replicated(&self) {
        if let Some(write) = self.locked().last_mut().filter(|write| write.outcome.is_acked()) {
            write.outcome = Outcome::Replicated;
        }
    }

    /// All writes so far.
    pub fn writes(&self) -> Vec<Write> {
        self.locked().clone()
    }

    /// The writes that ended at `from` or later. Assumes what is true: they are noted in the order
    /// in which they ended.
    pub fn writes_since(&self, from: At) -> Vec<Write> {
        let writes = self.locked();
        writes[writes.partition_point(|write| write.ended < from)..].to_vec()
    }

    fn locked(&self) -> MutexGuard<'_, Vec<Write>> {
        // A panic elsewhere cannot leave a half-noted write.
        self.writes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All writers of a load, and all its readers.
#[derive(Clone, Debug)]
pub struct Journal {
    /// The clock of every time in it.
    pub clock: Clock,
    /// One track a writer.
    pub writers: Vec<Track>,
    /// One track a reader: reads are noted as acknowledged or unknown.
    pub readers: Vec<Track>,
}

impl Journal {
    /// An empty journal for so many writers and readers.
    pub fn new(clock: Clock, writers: usize, readers: usize) -> Self {
        let (first_writer, first_reader) = (Track::new(""), Track::new(""));
        Self {
            clock,
            writers: (0..writers).map(|n| first_writer.beside(&format!("w{n}"))).collect(),
            readers: (0..readers).map(|n| first_reader.beside(&format!("r{n}"))).collect(),
        }
    }

    /// When writes were acknowledged since `from`, in order.
    pub fn acks_since(&self, from: At) -> Vec<At> {
        acks(&self.writers, from)
    }

    /// When reads were answered since `from`, in order.
    pub fn reads_since(&self, from: At) -> Vec<At> {
        acks(&self.readers, from)
    }

    /// Waits until a write is acknowledged after `at`; `None` when none is within `deadline`.
    pub async fn ack_after(&self, at: At, deadline: Duration) -> Option<At> {
        let mut newest = self.writers.first()?.newest.subscribe();
        let found = timeout(deadline, newest.wait_for(|ack| *ack > at)).await;
        found.ok()?.ok().map(|ack| *ack)
    }
}

fn acks(tracks: &[Track], from: At) -> Vec<At> {
    let mut acks: Vec<At> = tracks
        .iter()
        .flat_map(|track| track.writes_since(from))
        .filter(|write| write.outcome.is_acked())
        .map(|write| write.ended)
        .collect();
    acks.sort_unstable();
    acks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(number: u32, ended: u64, outcome: Outcome) -> Write {
        Write { number, invoked: At(ended.saturating_sub(1)), ended: At(ended), outcome }
    }

    #[test]
    fn acks_of_all_writers_come_in_order_and_nothing_else_does() {
        let journal = Journal::new(Clock::start(), 2, 0);
        journal.writers[0].note(write(0, 10, Outcome::Acked));
        journal.writers[0].note(write(1, 30, Outcome::Unknown));
        journal.writers[1].note(write(0, 20, Outcome::Acked));
        journal.writers[1].newest_is_replicated();
        journal.writers[1].note(write(1, 25, Outcome::Refused));
        assert_eq!(journal.acks_since(At(0)), [At(10), At(20)]);
        assert_eq!(journal.acks_since(At(11)), [At(20)]);
        assert_eq!(journal.writers[1].writes()[0].outcome, Outcome::Replicated);
    }

    #[test]
    fn only_an_acknowledged_write_becomes_replicated() {
        let track = Track::new("w");
        track.note(write(0, 1, Outcome::Unknown));
        track.newest_is_replicated();
        assert_eq!(track.writes()[0].outcome, Outcome::Unknown);
        assert_eq!(track.next_number(), 1);
    }

    #[tokio::test]
    async fn an_acknowledgement_of_any_writer_ends_the_wait() {
        let journal = Journal::new(Clock::start(), 2, 0);
        assert_eq!(journal.ack_after(At(5), Duration::from_millis(5)).await, None);
        journal.writers[1].note(write(0, 7, Outcome::Acked));
        assert_eq!(journal.ack_after(At(5), Duration::from_secs(5)).await, Some(At(7)));
    }
}
