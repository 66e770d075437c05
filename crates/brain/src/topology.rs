//! The group as one agent is configured for it: who it is, and the numbers that the rules need.

use serde::{Deserialize, Serialize};

use crate::identity::MemberName;
use crate::time::Span;
use crate::timing::Timing;

/// Everything fixed that an election works with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Settings {
    /// This member's name.
    pub me: MemberName,
    /// This member's pod UID, or the id of its directory.
    pub pod: String,
    /// Drawn at this start of the agent.
    pub boot: String,
    /// Every member's name, this one's included.
    pub members: Vec<MemberName>,
    /// The profile's times.
    pub timing: Timing,
    /// What a write is worth.
    pub durability: Durability,
    /// Whose acks hold authority: what a holder puts into the electorate, where everybody reads it.
    pub failsafe: Failsafe,
    /// How long a recovery election waits for everybody (failover.md 2.11).
    pub recovery_timeout: Span,
    /// Takeovers an hour at the most (failover.md 2.3 L2).
    pub budget_per_hour: u32,
    /// Whether the engine carries the gate (failover.md 2.7 G2).
    pub gate: bool,
    /// Whether the data outlive the engine.
    pub persistent: bool,
    /// Whether an unclean stop loses nothing (`appendfsync always`).
    pub fsync_always: bool,
    /// The cures that this member goes without: heeded only with the feature `mutants`, which only
    /// tests turn on.
    pub without: Option<crate::Without>,
}

impl Settings {
    /// Whether this cure is in place: always, but in a test that takes it out.
    #[cfg(feature = "mutants")]
    pub(crate) fn keeps(&self, cure: crate::Cure) -> bool {
        self.without.is_none_or(|w| !w.lacks(cure))
    }

    /// Whether this cure is in place: always, but in a test that takes it out.
    #[cfg(not(feature = "mutants"))]
    #[allow(clippy::unused_self)]
    pub(crate) fn keeps(&self, _cure: crate::Cure) -> bool {
        true
    }

    /// The other members.
    pub fn others(&self) -> impl Iterator<Item = &MemberName> {
        self.members.iter().filter(|m| **m != self.me)
    }
}

/// The durability modes of failover.md 2.8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Durability {
    /// k = 0, no write guard, availability first.
    Cache,
    /// k = 1 for clients that WAIT; the write guard asks for one replica when there are any.
    Balanced,
    /// k copies or no write.
    Strict {
        /// k.
        copies: u32,
    },
}

impl Durability {
    /// k.
    pub fn copies(self) -> u32 {
        match self {
            Durability::Cache => 0,
            Durability::Balanced => 1,
            Durability::Strict { copies } => copies,
        }
    }
}

/// Whose acks hold a primary's authority (failover.md 2.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Failsafe {
    /// a and p by majorities.
    #[default]
    Majority,
    /// All must ack to hold; one may take over.
    All,
}
