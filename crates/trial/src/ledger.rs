//! The count of what was promised and what is there. Every write of a load sets one bit of its own,
//! which nothing ever clears, so that a lost write stays visible whatever is written later, and a
//! million writes need 128 KB.

use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::journal::{At, Outcome, Write};

/// Bits of one key: 4 KiB of value. Small enough to be read back in one go, large enough that an
/// hour of load is a few hundred keys.
pub const BITS_PER_KEY: u32 = 1 << 15;

/// The prefix of every key that a trial writes; nothing else in the dataset is touched.
pub const PREFIX: &str = "interrex:trial";

/// The key and the bit in it of a write.
pub fn place(run: &str, writer: &str, number: u32) -> (String, u32) {
    (key(run, writer, number / BITS_PER_KEY), number % BITS_PER_KEY)
}

/// A key of a writer.
pub fn key(run: &str, writer: &str, chunk: u32) -> String {
    format!("{PREFIX}:{run}:{writer}:{chunk}")
}

/// The keys that a writer has used up to write `next - 1`.
pub fn keys(run: &str, writer: &str, next: u32) -> Vec<String> {
    (0..next.div_ceil(BITS_PER_KEY)).map(|chunk| key(run, writer, chunk)).collect()
}

/// What came of a load's writes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Acknowledged, replicated or not.
    pub acked: u64,
    /// Acknowledged, and by `WAIT` on enough replicas.
    pub replicated: u64,
    /// Refused: certainly not carried out.
    pub refused: u64,
    /// Not answered.
    pub unknown: u64,
    /// Acknowledged, not known to be replicated, and not there.
    pub lost_acked: u64,
    /// Acknowledged and replicated, and not there: always a bug.
    pub lost_replicated: u64,
    /// Refused, and there all the same: a refusal that lied.
    pub refused_but_there: u64,
    /// When the lost ones were acknowledged. In documents: spans of them, first, last and how many.
    #[serde(serialize_with = "as_spans")]
    pub lost_at: Vec<At>,
}

/// Losses that lie closer together belong to one event.
const ONE_EVENT: Duration = Duration::from_secs(1);

/// Thousands of writes can be lost in one event; a document needs no more than when it was.
fn as_spans<S: Serializer>(lost_at: &[At], serializer: S) -> Result<S::Ok, S::Error> {
    let events = lost_at.chunk_by(|one, next| next.since(*one) < ONE_EVENT);
    serializer.collect_seq(events.map(|event| (event.first(), event.last(), event.len())))
}

impl Tally {
    /// All acknowledged writes that are not there.
    pub fn lost(&self) -> u64 {
        self.lost_acked + self.lost_replicated
    }

    /// Adds one writer: what it noted, and the values of its keys in order (empty: no such key).
    pub fn add(&mut self, writes: &[Write], values: &[Vec<u8>]) {
        for write in writes {
            let there = is_set(values, write.number);
            match write.outcome {
                Outcome::Refused => {
                    self.refused += 1;
                    self.refused_but_there += u64::from(there);
                }
                Outcome::Unknown => self.unknown += 1,
                Outcome::Acked => {
                    self.acked += 1;
                    self.lost_acked += u64::from(!there);
                }
                Outcome::Replicated => {
                    self.acked += 1;
                    self.replicated += 1;
                    self.lost_replicated += u64::from(!there);
                }
            }
            if write.outcome.is_acked() && !there {
                self.lost_at.push(write.ended);
            }
        }
        self.lost_at.sort_unstable();
    }
}

/// `SETBIT` counts bits from the most significant one of the first byte.
pub(crate) fn is_set(values: &[Vec<u8>], number: u32) -> bool {
    let bit = number % BITS_PER_KEY;
    let value = values.get((number / BITS_PER_KEY) as usize);
    let byte = value.and_then(|value| value.get((bit / 8) as usize));
    byte.is_some_and(|byte| byte >> (7 - bit % 8) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(number: u32, outcome: Outcome) -> Write {
        Write { number, invoked: At(0), ended: At(u64::from(number)), outcome }
    }

    fn tally(outcomes: &[Outcome], value: &[u8]) -> Tally {
        let writes: Vec<Write> = (0..).zip(outcomes).map(|(n, o)| write(n, *o)).collect();
        let mut tally = Tally::default();
        tally.add(&writes, &[value.to_vec()]);
        tally
    }

    #[test]
    fn every_outcome_is_held_against_what_is_there() {
        use Outcome::{Acked, Refused, Replicated, Unknown};
        let outcomes = [Acked, Replicated, Refused, Unknown, Unknown, Acked, Replicated, Refused];
        // Bits 0..7: there are the first acked and replicated, one unknown, and a refused one.
        let counted = tally(&outcomes, &[0b1100_1001]);
        let wanted = Tally {
            acked: 4,
            replicated: 2,
            refused: 2,
            unknown: 2,
            lost_acked: 1,
            lost_replicated: 1,
            refused_but_there: 1,
            lost_at: vec![At(5), At(6)],
        };
        assert_eq!(counted, wanted);
        assert_eq!(counted.lost(), 2);
        let document = serde_json::to_value(&counted).expect("plain data");
        assert_eq!(document["lost_at"], serde_json::json!([[5, 6, 2]]));
    }

    #[test]
    fn an_unknown_write_is_never_lost_and_a_missing_key_loses_all_others() {
        assert_eq!(tally(&[Outcome::Unknown; 3], &[]).lost(), 0);
        assert_eq!(tally(&[Outcome::Acked; 9], &[]).lost(), 9);
        // One byte is there, the ninth bit is beyond it.
        assert_eq!(tally(&[Outcome::Acked; 9], &[0xff]).lost(), 1);
    }

    #[test]
    fn a_write_has_its_own_place_over_all_keys() {
        let numbers = [0, 1, BITS_PER_KEY - 1, BITS_PER_KEY, 3 * BITS_PER_KEY + 5];
        let places: std::collections::BTreeSet<_> =
            numbers.iter().map(|number| place("r", "w", *number)).collect();
        assert_eq!(places.len(), numbers.len());
        assert_eq!(place("r", "w", BITS_PER_KEY), ("interrex:trial:r:w:1".to_owned(), 0));
        assert_eq!(keys("r", "w", 0).len(), 0);
        assert_eq!(keys("r", "w", BITS_PER_KEY).len(), 1);
        assert_eq!(keys("r", "w", BITS_PER_KEY + 1).len(), 2);
        let values = vec![vec![0; 4096], vec![0b1000_0000]];
        assert!(is_set(&values, BITS_PER_KEY) && !is_set(&values, 0));
    }
}
