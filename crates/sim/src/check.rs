//! The promises, one file a property. A checker reads a history and nothing else, so that it judges
//! a simulation and real processes alike.

pub mod acked_writes;
pub mod converges;
pub mod epochs;
pub mod fullest_wins;
pub mod one_primary;

use std::fmt;

use crate::history::History;

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which: `I1`, `I2`, `I3`, `I6`, `L1` (failover.md 2.3).
    pub promise: &'static str,
    /// When it was seen, true time in ns.
    pub at: u64,
    /// What was seen.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.at / crate::MS;
        write!(f, "{} at {}.{:03} s: {}", self.promise, ms / 1000, ms % 1000, self.what)
    }
}

/// Every safety promise.
pub fn safety(history: &History) -> Vec<Violation> {
    let mut all = one_primary::check(history);
    all.extend(acked_writes::check(history));
    all.extend(fullest_wins::check(history));
    all.extend(epochs::check(history));
    all
}

/// Every promise, that of an end with a primary included.
pub fn all(history: &History) -> Vec<Violation> {
    let mut all = safety(history);
    all.extend(converges::check(history));
    all
}
