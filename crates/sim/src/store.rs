//! A model of the record's store: one compare-and-swap register, and how calls to it go wrong.

use std::collections::VecDeque;

use brain::{Record, Version};

use crate::prng::Prng;
use crate::{MS, SECOND};

/// How far back a restore can go, in writes.
const PAST: usize = 32;

/// The register.
#[derive(Clone, Debug, Default)]
pub struct Store {
    /// What stands there, with the count of its write.
    pub record: Option<(u64, Record)>,
    writes: u64,
    /// The newest that stood there, for a restore.
    past: VecDeque<(u64, Record)>,
    /// How often the record was deleted or restored: a call of before is late from then on.
    pub upheavals: u32,
    /// Nobody is answered.
    pub down: bool,
    /// Reads are answered, writes refused (quota, 403).
    pub read_only: bool,
}

/// How a run's store behaves.
#[derive(Clone, Copy, Debug)]
pub struct Temper {
    /// A typical latency one way, ns.
    pub latency: u64,
    /// Calls that take seconds, of a thousand.
    pub slow: u64,
    /// Calls without an answer, carried out, of a thousand.
    pub lost_answer: u64,
    /// Calls without an answer, not carried out, of a thousand.
    pub lost_call: u64,
    /// A typical delay of the watch, ns.
    pub watch: u64,
    /// Watch events dropped, of a thousand: the next re-list shows them.
    pub watch_drops: u64,
}

impl Default for Temper {
    fn default() -> Self {
        Self {
            latency: 3 * MS,
            slow: 0,
            lost_answer: 0,
            lost_call: 0,
            watch: 5 * MS,
            watch_drops: 0,
        }
    }
}

/// What is to become of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fate {
    /// After how long it reaches the store; `None`: never.
    pub arrives: Option<u64>,
    /// After how long from then its answer is back; `None`: never.
    pub answers: Option<u64>,
    /// It fails at once instead, with certainty.
    pub refused: bool,
}

impl Temper {
    /// Draws what becomes of a call over a path that is whole.
    pub fn fate(&self, rng: &mut Prng) -> Fate {
        let mut fate = Fate {
            arrives: Some(rng.latency(self.latency)),
            answers: Some(rng.latency(self.latency)),
            refused: false,
        };
        if rng.per_mille(self.slow) {
            // The whole tail on one leg: a call may be carried out long after its caller gave up.
            let tail = rng.range(SECOND / 2, 10 * SECOND);
            if rng.per_mille(500) {
                fate.arrives = Some(tail);
            } else {
                fate.answers = Some(tail);
            }
        }
        if rng.per_mille(self.lost_answer) {
            fate.answers = None;
        }
        if rng.per_mille(self.lost_call) {
            fate.arrives = None;
        }
        fate
    }
}

/// How a record's version reads.
pub fn version(count: u64) -> Version {
    Version(format!("v{count}"))
}

impl Store {
    /// What stands there.
    pub fn read(&self) -> Option<(Version, Record)> {
        self.record.as_ref().map(|(count, record)| (version(*count), record.clone()))
    }

    /// Puts `record` there if `expected` stands there; the new version.
    pub fn replace(&mut self, expected: Option<&Version>, record: Record) -> Option<Version> {
        let stands = self.record.as_ref().map(|(count, _)| version(*count));
        if stands.as_ref() != expected {
            return None;
        }
        self.put(record);
        Some(version(self.writes))
    }

    /// Puts `record` there whatever stands there.
    pub fn put(&mut self, record: Record) {
        self.writes += 1;
        self.past.extend(self.record.take());
        while self.past.len() > PAST {
            self.past.pop_front();
        }
        self.record = Some((self.writes, record));
    }

    /// Puts back what stood there so many writes ago, as a restored backup does: what is written
    /// next has versions that were there already. Whether there was as much.
    pub fn restore(&mut self, writes: usize) -> bool {
        let Some(at) = self.past.len().checked_sub(writes) else { return false };
        let Some((count, record)) = self.past.get(at).cloned() else { return false };
        self.past.truncate(at);
        self.writes = count;
        self.upheavals += 1;
        self.record = Some((count, record));
        true
    }

    /// Deletes the record.
    pub fn delete(&mut self) {
        self.writes += 1;
        self.upheavals += 1;
        self.record = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replace_needs_the_version_that_stands() {
        let mut store = Store::default();
        let first = store.replace(None, Record::default()).unwrap();
        assert_eq!(store.replace(None, Record::default()), None);
        let second = store.replace(Some(&first), Record::default()).unwrap();
        assert_eq!(store.replace(Some(&first), Record::default()), None);
        assert_ne!(first, second);
    }

    #[test]
    fn a_restored_store_gives_versions_twice() {
        let mut store = Store::default();
        let first = store.replace(None, Record::default()).unwrap();
        let later = Record { paused: true, ..Record::default() };
        let second = store.replace(Some(&first), later).unwrap();
        assert!(!store.restore(2), "nothing stood there two writes ago");
        assert!(store.restore(1));
        assert_eq!(
            store.read().map(|(version, record)| (version, record.paused)),
            Some((first.clone(), false))
        );
        assert_eq!(store.replace(Some(&first), Record::default()), Some(second));
    }

    #[test]
    fn a_deleted_record_never_brings_an_old_version_back() {
        let mut store = Store::default();
        let first = store.replace(None, Record::default()).unwrap();
        store.delete();
        assert_eq!(store.read(), None);
        let again = store.replace(None, Record::default()).unwrap();
        assert_ne!(first, again);
        assert_eq!(store.replace(Some(&first), Record::default()), None);
    }
}
