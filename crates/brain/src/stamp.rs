//! The freshness of a copy: what is compared instead of a raw offset (failover.md 2.8).

use std::cmp::Ordering;
use std::fmt;

use engine::{Offset, Replid};
use serde::{Deserialize, Serialize};

use crate::identity::Epoch;

/// How fresh a member's data are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stamp {
    /// The epoch of the line of data that has been reached (failover.md 2.4: from the line's start
    /// offset on, not from link-up).
    pub epoch: Epoch,
    /// The stream that `offset` counts on.
    pub replid: Replid,
    /// How far.
    pub offset: Offset,
    /// How far the disk has it for certain; what an unclean stop leaves.
    pub durable: Offset,
    /// Whether the dataset is whole: false from the start of a full sync until it is loaded, and
    /// for an empty newcomer.
    pub complete: bool,
    /// Whether this copy is its line's own: it was the primary of `epoch`. A primary that nobody
    /// replicates from may not count its writes at all, so of two equal offsets this is the fuller.
    #[serde(default)]
    pub origin: bool,
    /// Whether there are any keys: of copies that nothing else tells apart, an empty one comes
    /// last.
    #[serde(default)]
    pub filled: bool,
    /// Empty after a stop that may have lost everything: such a copy proves nothing, whatever its
    /// epoch and offset say, and comes after every complete one that holds something.
    #[serde(default)]
    pub hollow: bool,
}

impl Stamp {
    /// Higher is fresher: complete before incomplete, hollow last among the complete, then the
    /// epoch, then the offset, then the line's own. Within one epoch there is one line of offsets,
    /// so they compare (failover.md 2.1, one engine process one epoch).
    pub fn rank(&self) -> (bool, bool, Epoch, Offset, bool, bool) {
        (self.complete, !self.hollow, self.epoch, self.offset, self.origin, self.filled)
    }

    /// Compares two copies by freshness alone.
    pub fn compare(&self, other: &Stamp) -> Ordering {
        self.rank().cmp(&other.rank())
    }

    /// Whether this copy is strictly fresher than `other`.
    pub fn is_above(&self, other: &Stamp) -> bool {
        self.compare(other) == Ordering::Greater
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = if self.complete { "complete" } else { "incomplete" };
        write!(f, "epoch {} offset {} {whole}", self.epoch, self.offset)
    }
}
