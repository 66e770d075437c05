//! Where an engine stands in a replication stream: the stream's id and the bytes seen of it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Bytes of a replication stream, counted from its beginning. Two offsets compare only within one
/// [`Replid`].
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Offset(pub u64);

impl Offset {
    /// How many bytes `self` is ahead of `other`; 0 when it is behind.
    pub fn ahead_of(self, other: Self) -> u64 {
        self.0.saturating_sub(other.0)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The id of a replication stream as the engine prints it: 40 hexadecimal digits. Empty when not
/// known yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Replid(pub String);

impl Replid {
    /// Whether this names a stream at all: neither empty nor the engine's forty zeros.
    pub fn is_known(&self) -> bool {
        self.0.bytes().any(|b| b != b'0')
    }
}

impl fmt::Display for Replid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.get(..8).unwrap_or(&self.0))
    }
}
