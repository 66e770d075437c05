//! What an election wants done. Every effect carries its reason.

use serde::{Deserialize, Serialize};

use crate::identity::{Epoch, MemberId, MemberName};
use crate::memory::Memory;
use crate::message::Message;
use crate::reason::Reason;
use crate::record::{Record, Version};
use crate::time::{Span, Tick};

/// Tells one call to the store or the engine from the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// Tells one state of the memory from the next; grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersistId(pub u64);

/// Tells one wish from the next; chosen by whoever asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskId(pub u64);

/// One thing to do, and why.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Effect {
    /// What.
    pub act: Act,
    /// Why.
    pub why: Reason,
}

/// One thing to do. Effects of one batch are begun in order; engine commands and persists are
/// carried out in order, everything else may overlap.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    /// Read the record; answered by [`crate::Input::Store`].
    Read {
        /// Of this question.
        request: RequestId,
    },
    /// Replace the record, if it still has this version; answered by [`crate::Input::Store`].
    Replace {
        /// Of this question.
        request: RequestId,
        /// The version that must stand there; `None`: there must be none.
        expected: Option<Version>,
        /// The new record.
        record: Box<Record>,
    },
    /// Say something to a peer. May be lost.
    Send {
        /// To whom.
        to: MemberName,
        /// What.
        message: Message,
    },
    /// Do something with the engine; answered by [`crate::EngineNews`].
    Engine {
        /// Of this question.
        request: RequestId,
        /// What.
        command: EngineCommand,
    },
    /// Until when the engine may acknowledge (failover.md 2.7 G2).
    Gate(GateDeadline),
    /// Where clients are to go; refused by the place if it carries a higher epoch.
    Route(Route),
    /// Who the members are has changed, this one included: channels to the new ones are opened,
    /// those to the ones that are gone are closed.
    Members(Vec<MemberName>),
    /// Put the memory on disk; answered by [`crate::Input::Persisted`].
    Persist {
        /// Which state.
        id: PersistId,
        /// The state.
        memory: Box<Memory>,
    },
    /// Nothing but the reason: for people, `why` and the log.
    Note,
    /// A wish has been carried out or refused.
    Answer {
        /// Which.
        ask: crate::AskId,
        /// What came of it, in words.
        result: Result<String, String>,
    },
    /// The member is done: its engine has ended, the agent may.
    Leave,
    /// This disk is not the one that the memory was read from (wiped or replaced): the agent starts
    /// anew, as a newcomer.
    StartAnew,
}

/// What to do with the engine.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum EngineCommand {
    /// Start a process, as a replica of the dead end.
    Start,
    /// Ask it for a [`crate::EngineView`].
    Observe,
    /// Replicate from nobody, write nothing: `REPLICAOF 127.0.0.1 1`.
    DeadEnd,
    /// Replicate from this member, as one's own user.
    Follow(MemberName),
    /// `REPLICAOF NO ONE`.
    Promote,
    /// `CLIENT PAUSE … WRITE`.
    PauseWrites(Span),
    /// `CLIENT UNPAUSE`.
    Unpause,
    /// `CLIENT KILL TYPE normal` and pub/sub: demoted clients must look again.
    KillClients,
    /// Switch these members' users on, and everybody else's off with their links killed.
    Admit(Vec<MemberId>),
    /// `min-replicas-to-write`.
    MinReplicas(u32),
    /// Keep a copy of the data files: the next sync will replace them (failover.md 2.3 I8).
    SetAside,
    /// SIGKILL.
    Kill,
    /// Save and stop.
    Shutdown,
}

/// A deadline for the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GateDeadline {
    /// No deadline: a replica, the dead end, or a primary whose electorate is empty.
    Open,
    /// Past this the engine ends itself.
    Until(Tick),
}

/// Where clients are to go.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Route {
    /// A lower epoch never replaces a higher one.
    pub epoch: Epoch,
    /// Writes.
    pub primary: MemberName,
    /// Reads: linked and fresh replicas.
    pub replicas: Vec<MemberName>,
}
