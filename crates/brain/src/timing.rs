//! The protocol's times and the arithmetic that keeps them safe (failover.md 2.5).

use serde::{Deserialize, Serialize};

use crate::time::Span;

/// How far a clock's rate may be off, in parts per thousand (ρ of failover.md 2.0).
pub const RATE_BOUND_PER_MILLE: u64 = 1;

/// How long a healthy holder rests between two renewals.
pub const LAZY_RENEWAL: Span = Span::from_millis(30_000);

/// The times of one profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Timing {
    /// W: a challenger waits this long after it saw the record change.
    pub lease: Span,
    /// T_p: how long an ack counts.
    pub peer: Span,
    /// R: between two renewals when the peers' acks do not suffice.
    pub renew: Span,
    /// H: between two heartbeats.
    pub heartbeat: Span,
    /// δ: from the deadline to an engine that certainly cannot acknowledge.
    pub margin: Span,
}

impl Timing {
    /// Good API, few groups.
    pub const FAST: Timing = Timing::of(3000, 3000, 500, 250, 400);
    /// Most groups.
    pub const DEFAULT: Timing = Timing::of(5000, 5000, 1000, 500, 500);
    /// Slow API, many groups.
    pub const PATIENT: Timing = Timing::of(15_000, 10_000, 3000, 1000, 1000);

    /// All five in milliseconds: W, T_p, R, H, δ.
    pub const fn of(lease: u64, peer: u64, renew: u64, heartbeat: u64, margin: u64) -> Timing {
        Timing {
            lease: Span::from_millis(lease),
            peer: Span::from_millis(peer),
            renew: Span::from_millis(renew),
            heartbeat: Span::from_millis(heartbeat),
            margin: Span::from_millis(margin),
        }
    }

    /// `span · (1 − 2ρ)`: what a holder may count of a wait that others count in full.
    pub fn held(span: Span) -> Span {
        span.scaled(1000 - 2 * RATE_BOUND_PER_MILLE, 1000)
    }

    /// The longest a call to the store may take (failover.md 2.5, from the lazy line).
    pub fn store_timeout(&self) -> Span {
        let room = Self::held(self.peer).less(self.margin).less(self.heartbeat.scaled(2, 1));
        room.scaled(1, 3)
    }

    /// After how long without an ack a member leaves the electorate: three seconds by default
    /// (failover.md 2.4), never so long that the peers' authority is over first.
    pub fn shrink_after(&self) -> Span {
        self.heartbeat.scaled(6, 1).min(self.peer.scaled(3, 5))
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self::DEFAULT
    }
}
