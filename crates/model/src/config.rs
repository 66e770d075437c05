//! Which world is looked at: its size, its budgets, and what it goes without.

use brain::Cure;

pub use crate::state::Left as Budget;

/// A rule that is broken on purpose though no [`Cure`] has its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Slip {
    /// A promise is good for T_p only.
    PromiseTimesOut,
    /// a = n − p.
    OneAckTooFew,
    /// p = ⌊n/2⌋: with two replicas, where a = 1, half is enough for both.
    HalfSuffices,
    /// A member promises as soon as one heartbeat is missing.
    ImpatientVoter,
    /// A challenger does not wait W.
    ImpatientTake,
    /// A dead member counts as one that has promised (H6).
    DeathIsPromise,
    /// No witnesses are asked for.
    NoWitnesses,
    /// A half dataset may lead.
    IncompleteLeads,
    /// A member that restarted is exact again as soon as its link is up (D5).
    ExactAtLinkUp,
    /// A stamp that was cut below its line's start keeps its epoch (D5).
    CutKeepsEpoch,
    /// An epoch is earned only when the member has caught up (D14).
    EarnedLate,
    /// Who was cut off for a shrink is let in again when the shrink is not answered, though it may
    /// yet come to stand.
    ExpelledReturns,
}

/// A rule that a world goes without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// One of the cures of `brain`, by its name.
    Without(Cure),
    /// Another mistake.
    With(Slip),
}

/// W and T_p in ticks. One would not do: nothing that a holder is given would outlive a tick.
pub const WAIT: u8 = 2;

/// One world.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Replicas at the start, 1 to 3.
    pub replicas: usize,
    /// k at the start, 0 to 3.
    pub copies: u8,
    /// Whether all must ack to hold and one may take over.
    pub all: bool,
    /// Whether time counts. Without a clock every wait may have ended, and an old primary may go on
    /// for ever: I2 and I3 must hold even so, I1 cannot be asked.
    pub clock: bool,
    /// Whether engines, writes and stamps are looked at; else every copy is whole and equal.
    pub data: bool,
    /// Whether there is no primary yet, only the record that bootstrap waits for.
    pub bootstrap: bool,
    /// Whether acks may be late.
    pub late_acks: bool,
    /// Whether a recovery election may happen.
    pub recovery: bool,
    /// Only links fail, and what is due is done: what is asked is the lazy lease.
    pub calm: bool,
    /// The highest epoch, at most 6.
    pub epochs: u8,
    /// Writes, at most 3.
    pub writes: u8,
    /// Whether stops that lose a part of the data are among the crashes.
    pub losses: bool,
    /// What may still be done to it.
    pub budget: Budget,
    /// What it goes without: one rule, or two where the second stands in for the first.
    pub mutants: [Option<Mutant>; 2],
}

impl Config {
    /// Two replicas, k = 1, a clock, no data, no faults.
    pub const AUTHORITY: Config = Config {
        replicas: 2,
        copies: 1,
        all: false,
        clock: true,
        data: false,
        bootstrap: false,
        late_acks: false,
        recovery: false,
        calm: false,
        epochs: 3,
        writes: 0,
        losses: false,
        budget: NOTHING,
        mutants: [None; 2],
    };

    /// Two replicas, k = 1, data, no clock, no faults.
    pub const DATA: Config =
        Config { clock: false, data: true, writes: 1, losses: true, ..Self::AUTHORITY };

    /// Both halves at once.
    pub const BOTH: Config = Config { data: true, writes: 1, losses: true, ..Self::AUTHORITY };

    /// Whether a cure of the brain is in place.
    pub fn keeps(&self, cure: Cure) -> bool {
        !self.mutants.contains(&Some(Mutant::Without(cure)))
    }

    /// Whether a mistake is made.
    pub fn slips(&self, slip: Slip) -> bool {
        self.mutants.contains(&Some(Mutant::With(slip)))
    }
}

/// No faults at all.
pub const NOTHING: Budget = Budget {
    changes: 0,
    silences: 0,
    deletions: 0,
    rollbacks: 0,
    crashes: 0,
    gives: 0,
    deaths: 0,
    raises: 0,
    cuts: 0,
    pods: 0,
    bumps: 0,
};
