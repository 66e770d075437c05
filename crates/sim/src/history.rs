//! What clients were told and who led, in true time: all that the checkers read, so that they judge
//! a simulation and a run of real processes alike.

use std::collections::BTreeSet;

/// A write: its value is this number, and nobody writes it twice.
pub type Write = u64;

/// A member by its number in the group.
pub type Who = usize;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// A client sent a write.
    Invoked {
        /// Which.
        write: Write,
    },
    /// An engine acknowledged it.
    Acked {
        /// Which.
        write: Write,
        /// Who.
        by: Who,
        /// A number that grows with every promotion: the epoch, in a simulation the count of
        /// promotions.
        term: u64,
        /// It had been queued while the process was frozen, or the engine's agent is frozen or
        /// dead, or has thawed and its order to let go, given at that instant, is still on its way:
        /// without a gate this cannot be helped (failover.md 1.2 E3b, 2.7).
        frozen: bool,
    },
    /// An engine said how many replicas hold it (`WAIT`).
    Waited {
        /// Which.
        write: Write,
        /// How many.
        copies: u32,
    },
    /// The client was refused: certainly not written.
    Refused {
        /// Which.
        write: Write,
    },
    /// The client does not know.
    Unknown {
        /// Which.
        write: Write,
    },
    /// An engine became a primary.
    Promoted {
        /// Who.
        by: Who,
        /// The term that begins.
        term: u64,
        /// The epoch it believes in.
        epoch: u64,
        /// Whether its dataset is whole.
        complete: bool,
        /// How many writes it holds.
        held: usize,
        /// The most that another member holds whole, with a running agent connected to this one.
        others: usize,
    },
    /// What a primary held at its first acknowledgement of a term.
    Holding {
        /// Who.
        by: Who,
        /// The term.
        term: u64,
        /// Everything.
        data: BTreeSet<Write>,
    },
    /// A primary was chosen by what the disks still had, or by a person who accepted loss.
    AcceptedLoss {
        /// Who.
        by: Who,
        /// The rule that said so.
        rule: String,
    },
    /// A fault destroyed copies that are no longer counted on.
    CopiesLost {
        /// Whose.
        of: Who,
        /// Which writes were lost with it.
        writes: BTreeSet<Write>,
    },
    /// All faults were healed.
    Healed,
    /// The end: who leads and what everybody holds.
    Ended {
        /// One for each member.
        members: Vec<Last>,
    },
}

/// A member at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Last {
    /// Its engine is a primary that accepts writes.
    pub writable: bool,
    /// Its engine follows the primary, linked.
    pub linked: bool,
    /// What it holds.
    pub data: BTreeSet<Write>,
    /// What stands in the way, in the brain's words.
    pub blocked: Option<String>,
}

/// Everything that happened, in order.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// True time in nanoseconds, and what.
    pub events: Vec<(u64, Happening)>,
    /// k: how many copies a waited write needs; 0 promises nothing.
    pub copies: u32,
    /// Whether engines carry the gate.
    pub gate: bool,
}

impl History {
    /// Notes one more.
    pub fn add(&mut self, at: u64, what: Happening) {
        self.events.push((at, what));
    }

    /// How many of a kind.
    pub fn count(&self, kind: impl Fn(&Happening) -> bool) -> usize {
        self.events.iter().filter(|(_, h)| kind(h)).count()
    }

    /// How many writes were acknowledged.
    pub fn acked(&self) -> usize {
        self.count(|h| matches!(h, Happening::Acked { .. }))
    }
}
