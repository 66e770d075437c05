//! The promises, one file a property. A checker reads a history and nothing else, so that it judges
//! a simulation and real processes alike.

pub mod acked_writes;
pub mod attachments;
pub mod converges;
pub mod epochs;
pub mod fullest_wins;
pub mod kept_aside;
pub mod no_flapping;
pub mod one_holder;
pub mod one_primary;
pub mod one_route;
pub mod store_away;

use std::fmt;

use crate::history::{Happening, History};

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which: `I1` to `I8`, `L1`, `L2` (failover.md 2.3), `route` (2.13).
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

/// Judges one property.
type Checker = fn(&History) -> Vec<Violation>;

/// What holds at every moment.
const SAFETY: &[Checker] = &[
    one_primary::check,
    acked_writes::check,
    fullest_wins::check,
    store_away::check,
    epochs::check,
    one_holder::check,
    one_route::check,
    attachments::check,
    kept_aside::check,
];

/// What holds also of a group whose store was restored to an older state, after which epochs may be
/// given twice (failover.md 2.0): what two have written is parted, told and kept, and it ends.
const RESTORED: &[Checker] = &[kept_aside::check, converges::check, one_route::check_end];

/// What holds of an end without faults.
const LIVENESS: &[Checker] = &[converges::check, no_flapping::check, one_route::check_end];

/// Every safety promise.
pub fn safety(history: &History) -> Vec<Violation> {
    SAFETY.iter().flat_map(|check| check(history)).collect()
}

/// Every promise, that of an end with a primary included.
pub fn all(history: &History) -> Vec<Violation> {
    let restored = history.events.iter().any(|(_, h)| matches!(h, Happening::Restored));
    let all: Vec<&Checker> =
        if restored { RESTORED.iter().collect() } else { SAFETY.iter().chain(LIVENESS).collect() };
    all.into_iter().flat_map(|check| check(history)).collect()
}
