//! What agents say to each other (failover.md 2.6). The edge adds the group's authentication.

use engine::{Offset, Replid};
use serde::{Deserialize, Serialize};

use crate::identity::{Epoch, Incarnation, MemberId, MemberName};
use crate::record::{Electorate, Lineage, Record, Version};
use crate::stamp::Stamp;
use crate::time::Span;

/// One message from agent to agent.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Message {
    /// The primary asks to be acknowledged.
    Heartbeat(Box<Heartbeat>),
    /// A member's answer.
    Ack(Ack),
    /// A holder without authority: it has demoted itself, and is neither acked nor counted as seen.
    Fenced {
        /// The epoch that it holds.
        epoch: Epoch,
        /// The number of its last heartbeat: acks of later ones count.
        seq: u64,
    },
    /// Tell me how you stand; with `until`, as soon as your data reach that offset (or say so when
    /// `within` is over).
    StampAsk {
        /// Tells answers apart.
        ask: u64,
        /// Wait for this offset before answering.
        until: Option<Offset>,
        /// How long to wait for it.
        within: Span,
    },
    /// How I stand: the answer to [`Message::StampAsk`] (`ask` repeated), or gossip (`ask` 0).
    Standing {
        /// Which question, 0 for none.
        ask: u64,
        /// The facts.
        report: Box<Standing>,
    },
    /// Would you promise? Changes nothing (failover.md 2.4, pre-vote).
    PreVoteAsk(Candidacy),
    /// The answer.
    PreVote {
        /// Which candidacy.
        epoch: Epoch,
        /// Whose: two pods of one name may both ask.
        candidate: Incarnation,
        /// `None`: yes.
        denied: Option<Denial>,
    },
    /// Promise me.
    PromiseAsk(Candidacy),
    /// The answer.
    Promise(Box<Promise>),
    /// The record as I have just written it: spares the reader its watch, proves nothing.
    Written {
        /// Its version.
        version: Version,
        /// The record.
        record: Box<Record>,
    },
    /// I am leaving: take me out of the electorate now.
    Goodbye,
}

/// From the primary, every H.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Heartbeat {
    /// Who leads.
    pub holder: Incarnation,
    /// Its epoch.
    pub epoch: Epoch,
    /// Who may succeed; a member has this on disk before it acks.
    pub electorate: Electorate,
    /// Counts heartbeats of this incarnation.
    pub seq: u64,
    /// Where the data of this epoch began.
    pub lineage: Lineage,
    /// The beginnings of the last lines, newest first, at most 8: to find where one's own data
    /// parted.
    pub history: Vec<Beginning>,
    /// The primary's stream now; empty while it is not promoted yet.
    pub replid: Replid,
    /// The primary's offset when this was sent.
    pub offset: Offset,
    /// T_p of the primary.
    pub peer: Span,
    /// W of the primary.
    pub lease: Span,
    /// What the receiver is to do with its engine.
    pub attach: Attach,
    /// Newcomers outside the electorate that the receiver is to let sync from it.
    pub serve: Vec<MemberId>,
    /// The receiver's link number that the sender knew when it read `offset`: an offset that is
    /// certainly younger than that link (failover.md 2.4, exact).
    pub link_seen: u64,
}

impl Heartbeat {
    /// Whether it was sent after `other`, by the same holder in the same epoch.
    pub fn is_after(&self, other: &Self) -> bool {
        (&self.holder, self.epoch) == (&other.holder, other.epoch) && self.seq > other.seq
    }
}

/// What the primary lets a member's engine do.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Attach {
    /// Replicate from me: your user is on.
    Primary,
    /// You have a seat, and your user is on once you have acknowledged this lead: stay as you are.
    Soon,
    /// Sync from this replica first; you are admitted after that.
    Via(MemberName),
    /// Stay at the dead end: the door is shut.
    Wait,
}

/// A member's answer to a heartbeat.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ack {
    /// The heartbeat's epoch.
    pub epoch: Epoch,
    /// The heartbeat's electorate.
    pub version: u64,
    /// The heartbeat's number: the ack extends the holder's time from *its* sending.
    pub seq: u64,
    /// `None`: acknowledged. Else the epoch that stands in the way.
    pub nack: Option<Epoch>,
    /// How the member stands.
    pub report: Box<Standing>,
}

/// How a member stands: all that others judge it by.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// Who, and in which run.
    pub who: Incarnation,
    /// Its data.
    pub stamp: Stamp,
    /// No engine stop since that could have lost an acknowledged tail (failover.md 2.4).
    pub exact: bool,
    /// The data epoch in which its engine was last attached since its admission, if any.
    pub attached_in: Option<Epoch>,
    /// The highest epoch it knows: promised, followed, led or read.
    pub epoch: Epoch,
    /// Whether a member of this name ever held data or knew an epoch on this disk.
    pub virgin: bool,
    /// It had data once and has none now, or its disk is new.
    pub lost: bool,
    /// The engine runs and has loaded.
    pub ready: bool,
    /// How many keys it holds.
    pub keys: u64,
    /// The engine's link to whom it follows is up.
    pub link_up: bool,
    /// A full sync is under way.
    pub syncing: bool,
    /// Counts the times that the link came up.
    pub link_run: u64,
    /// It has been told to stop.
    pub stopping: bool,
    /// Crash loop: last choice (failover.md 2.12).
    pub quarantined: bool,
    /// Could take a primary's load: disk and memory headroom.
    pub roomy: bool,
    /// The record's holder was heard too recently to be gone, or somebody in this member's place
    /// may have acknowledged it then (protocol-traces H10).
    #[serde(default)]
    pub holder_may_live: bool,
    /// Its store or its own disk has not answered for long: it could not lead, so it keeps nobody
    /// else from leading (protocol-traces L11).
    #[serde(default)]
    pub unable: bool,
}

/// A request to lead.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Candidacy {
    /// e′: the epoch asked for.
    pub epoch: Epoch,
    /// Who asks.
    pub candidate: Incarnation,
    /// The record's epoch that this is for.
    pub for_epoch: Epoch,
    /// The electorate's version that this is for (protocol-traces D10).
    pub for_version: u64,
    /// The candidate's stamp.
    pub stamp: Stamp,
}

/// A member's word on a candidacy.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Promise {
    /// e′.
    pub epoch: Epoch,
    /// To whom: two pods of one name may both ask.
    pub candidate: Incarnation,
    /// As asked.
    pub for_epoch: Epoch,
    /// As asked.
    pub for_version: u64,
    /// `None`: promised, and on disk.
    pub denied: Option<Denial>,
    /// How the member stands, taken after its engine was detached.
    pub report: Box<Standing>,
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Denial {
    /// Promised, followed or led an epoch at least as high.
    Epoch(Epoch),
    /// Knows a newer electorate.
    Electorate(u64),
    /// Holds fresher data.
    Fresher(Stamp),
    /// Saw the primary or the record move too recently.
    TooEarly,
    /// Not in the electorate that was named.
    NoSeat,
    /// The same, and its holder may still lead: it was heard too recently, or whoever had this
    /// member's name and a seat may have acknowledged it then.
    HolderLives,
    /// The engine could not be detached (or another promise is under way).
    Busy,
}

/// The beginning of one line of data.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Beginning {
    /// Its epoch.
    pub epoch: Epoch,
    /// The run of an agent that began it: no other line of this epoch has the same.
    #[serde(default)]
    pub begun_by: String,
    /// Where it began, on its own line.
    pub start: Offset,
    /// The same point on the parent's line.
    pub parent_start: Offset,
    /// The parent's epoch.
    pub parent_epoch: Epoch,
}
