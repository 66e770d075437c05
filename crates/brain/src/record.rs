//! The group's record: everything that must change together, under one compare-and-swap
//! (failover.md 2.1).

use engine::{Offset, Replid};
use serde::{Deserialize, Serialize};

use crate::identity::{Epoch, Incarnation, MemberId, MemberName};
use crate::stamp::Stamp;
use crate::topology::Failsafe;

/// What the store says of a record's version. Only equality means anything.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub String);

/// One group's record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Record {
    /// Who leads; `None` when released or never led.
    pub holder: Option<Incarnation>,
    /// Changed by every write, compared for equality only: `<boot id>.<count>` of the writer, so
    /// that a writer without an answer recognises its own write.
    pub renewal: String,
    /// W in milliseconds: how long a challenger waits.
    pub lease_ms: u64,
    /// Strictly grows.
    pub epoch: Epoch,
    /// Who may succeed, and whose acks count.
    pub electorate: Electorate,
    /// Where the data of this epoch began.
    pub lineage: Option<Lineage>,
    /// Set by a clean release.
    pub released: Option<Released>,
    /// The names that bootstrap waits for (failover.md 2.11).
    pub members: Vec<MemberName>,
    /// Set by the first primary and never taken away.
    pub initialised: bool,
    /// A person's intent: maintenance, the electorate is to be empty.
    pub paused: bool,
    /// A person's or the operator's wish for a handover.
    pub handover: Option<HandoverWish>,
    /// The last deaths of primaries by their own fault, newest last, at most [`Record::FALLS_MAX`].
    pub falls: Vec<Fall>,
}

impl Record {
    /// How many falls the record keeps: two are judged (failover.md 2.12), the rest is for people.
    pub const FALLS_MAX: usize = 4;

    /// The first record of a group: led by nobody, waiting for `members` (failover.md 2.11).
    pub fn first(members: Vec<MemberName>, lease_ms: u64) -> Self {
        Self { lease_ms, members, ..Self::default() }
    }

    /// Whether a clean release stands here: nobody leads and somebody has.
    pub fn is_released(&self) -> bool {
        self.holder.is_none() && self.released.is_some()
    }

    /// The epoch in which the present line of data began.
    pub fn data_epoch(&self) -> Epoch {
        self.lineage.as_ref().map_or(Epoch(0), |l| l.epoch)
    }
}

/// E and k: members that may succeed and whose acks count. Excludes the primary.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Electorate {
    /// Grows with every change of the members or of `copies`.
    pub version: u64,
    /// The seats, in order of name.
    pub seats: Vec<Seat>,
    /// From which offset the holder itself stands (protocol-traces D12).
    pub holder_from: Offset,
    /// k: how many replicas a waited write needs.
    pub copies: u32,
    /// Whose acks hold authority: holder and challengers must count alike, so it stands here and
    /// not in each one's settings (failover.md 2.4).
    #[serde(default)]
    pub failsafe: Failsafe,
}

impl Electorate {
    /// n.
    pub fn len(&self) -> usize {
        self.seats.len()
    }

    /// Whether nobody may succeed.
    pub fn is_empty(&self) -> bool {
        self.seats.is_empty()
    }

    /// The seat of exactly this member.
    pub fn seat(&self, id: &MemberId) -> Option<&Seat> {
        self.seats.iter().find(|s| s.member == *id)
    }

    /// The seat of this member's disk, whatever its pod.
    pub fn seat_of_disk(&self, id: &MemberId) -> Option<&Seat> {
        self.seats.iter().find(|s| s.member.same_disk(id))
    }

    /// The seat of whoever has this name.
    pub fn seat_named(&self, name: &MemberName) -> Option<&Seat> {
        self.seats.iter().find(|s| s.member.name == *name)
    }

    /// The members without their offsets.
    pub fn members(&self) -> impl Iterator<Item = &MemberId> {
        self.seats.iter().map(|s| &s.member)
    }
}

/// One member of the electorate.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Seat {
    /// Who.
    pub member: MemberId,
    /// From which offset on the lineage's line it stands (failover.md 2.4).
    pub from: Offset,
}

/// Where a line of data began. A bump of the epoch does not begin one (protocol-traces D15).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lineage {
    /// The epoch in which it began.
    pub epoch: Epoch,
    /// Its first offset, on its own line.
    pub start: Offset,
    /// The same point on the parent's line; differs from `start` only after a restart that lost the
    /// stream's id (engine.md 1.3).
    pub parent_start: Offset,
    /// The epoch of the line it came from.
    pub parent_epoch: Epoch,
    /// The stream id of the line it came from.
    pub parent_replid: Replid,
    /// The run of an agent that wrote it: tells the two lines of an epoch apart which a restored
    /// store has given twice (protocol-traces H9).
    #[serde(default)]
    pub begun_by: String,
    /// What an appointed primary must still hold (protocol-traces D6).
    pub appointed: Option<Stamp>,
}

impl Lineage {
    /// How many epochs a generation has: a person who accepts loss begins the next one
    /// (failover.md 2.11).
    pub const GENERATION: u64 = 1 << 32;

    /// Whether a person began it, accepting what is lost.
    pub fn is_forced(&self) -> bool {
        self.epoch.0 / Self::GENERATION > self.parent_epoch.0 / Self::GENERATION
    }
}

/// A clean goodbye: the holder had demoted itself before this was written.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Released {
    /// Who released.
    pub by: MemberId,
    /// Its last offset.
    pub offset: Offset,
    /// Why, for people.
    pub reason: String,
    /// Members whose data reached that offset.
    pub in_sync: Vec<MemberName>,
}

/// A wish for a planned handover, written by a person or the operator.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HandoverWish {
    /// Tells one wish from the next.
    pub id: String,
    /// To whom; `None` leaves the choice to the primary.
    pub to: Option<MemberName>,
}

/// A primary that died of its own fault soon after its promotion.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fall {
    /// Who.
    pub member: MemberName,
    /// In which epoch.
    pub epoch: Epoch,
    /// How long it had led, in milliseconds.
    pub led_ms: u64,
}
