//! What clients were told and who led, in true time: all that the checkers read, so that they judge
//! a simulation and a run of real processes alike.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// A write: its value is this number, and nobody writes it twice.
pub type Write = u64;

/// A member by its number in the group.
pub type Who = usize;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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
    /// A replica has let a primary stream to it.
    Attached {
        /// The replica.
        by: Who,
        /// The highest epoch that its disk had promised, to anybody but that primary.
        promised: u64,
        /// The primary.
        to: Who,
        /// The epoch in which the primary leads.
        epoch: u64,
    },
    /// A full sync took the place of data.
    Replaced {
        /// Whose.
        of: Who,
        /// How many writes the new dataset lacks, of those that its state file vouched for.
        parted: usize,
        /// How many of them no copy of the files kept aside holds.
        gone: usize,
    },
    /// The record was replaced by a member.
    Recorded {
        /// Who holds it from then on.
        holder: Option<Who>,
        /// In which epoch.
        epoch: u64,
        /// It was sent before the record was deleted or restored, and carried out after.
        late: bool,
    },
    /// The route was written.
    Routed {
        /// Where writes go from then on.
        to: Who,
        /// The epoch it carries.
        epoch: u64,
    },
    /// A fault began.
    Harmed {
        /// It touches something else than the store of the record.
        beyond_store: bool,
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
    /// The store was restored to an older state.
    Restored,
    /// All faults were healed.
    Healed,
    /// The end: who leads and what everybody holds.
    Ended {
        /// One for each member.
        members: Vec<Last>,
    },
}

/// A member at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Last {
    /// Its engine is a primary that accepts writes.
    pub writable: bool,
    /// Its engine follows the primary, linked.
    pub linked: bool,
    /// What it holds.
    pub data: BTreeSet<Write>,
    /// What stands in the way, in the brain's words.
    pub blocked: Option<String>,
    /// Whether the route sends writes here, where somebody looked.
    pub routed: Option<bool>,
    /// It was left broken on purpose: nothing is asked of it.
    pub broken: bool,
}

/// Everything that happened, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
