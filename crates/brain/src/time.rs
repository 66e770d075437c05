//! Time as the brain knows it: a count that is handed in, never read from a clock.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};

use serde::{Deserialize, Serialize};

/// An instant: nanoseconds of the machine's CLOCK_BOOTTIME (failover.md 2.5). Two ticks compare
/// only on one machine and within one boot of it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Tick(pub u64);

/// A length of time in nanoseconds.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Span(pub u64);

impl Tick {
    /// The time since `earlier`; zero when `earlier` is later.
    pub fn since(self, earlier: Tick) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }

    /// The instant `span` before this one; the beginning of time at the earliest.
    pub fn before(self, span: Span) -> Tick {
        Tick(self.0.saturating_sub(span.0))
    }
}

impl Add<Span> for Tick {
    type Output = Tick;
    fn add(self, span: Span) -> Tick {
        Tick(self.0.saturating_add(span.0))
    }
}

impl AddAssign<Span> for Tick {
    fn add_assign(&mut self, span: Span) {
        *self = *self + span;
    }
}

impl Sub<Tick> for Tick {
    type Output = Span;
    fn sub(self, earlier: Tick) -> Span {
        self.since(earlier)
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Span = Span(0);

    /// A span of whole milliseconds.
    pub const fn from_millis(ms: u64) -> Span {
        Span(ms * 1_000_000)
    }

    /// This span in whole milliseconds, rounded down.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// `self * numerator / denominator`, without overflow for the spans in use (hours).
    pub const fn scaled(self, numerator: u64, denominator: u64) -> Span {
        Span((self.0 as u128 * numerator as u128 / denominator as u128) as u64)
    }

    /// `self` less `other`; zero when `other` is longer.
    pub const fn less(self, other: Span) -> Span {
        Span(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.as_millis();
        if ms >= 10_000 {
            write!(f, "{} s", ms / 1000)
        } else if ms >= 1000 {
            write!(f, "{}.{:02} s", ms / 1000, ms % 1000 / 10)
        } else {
            write!(f, "{ms} ms")
        }
    }
}
