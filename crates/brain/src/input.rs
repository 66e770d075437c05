//! What an election is told.

use engine::{Offset, Replid};
use serde::{Deserialize, Serialize};

use crate::effect::{AskId, PersistId, RequestId};
use crate::identity::{Ended, Epoch, MemberName};
use crate::message::Message;
use crate::record::{Record, Version};
use crate::time::{Span, Tick};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// Time passed: at the latest at [`crate::Election::wake_at`].
    Tick,
    /// A call to the store ended.
    Store {
        /// Which.
        request: RequestId,
        /// How.
        outcome: StoreOutcome,
    },
    /// The watch showed the record (or its absence).
    Watched(Option<(Version, Record)>),
    /// A peer said something.
    Peer {
        /// Who: authenticated by the edge.
        from: MemberName,
        /// What.
        message: Message,
    },
    /// The channel to a peer opened or broke.
    PeerLink {
        /// Whose.
        peer: MemberName,
        /// Open.
        up: bool,
    },
    /// News of the engine.
    Engine(EngineNews),
    /// The state file holds the memory of this id (and of all earlier ones).
    Persisted(PersistId),
    /// A person, a signal or the operator wants something.
    Asked {
        /// Answered by [`crate::Act::Answer`].
        ask: AskId,
        /// What.
        wish: Wish,
    },
    /// A run's container has ended for certain.
    Ended(Ended),
    /// The route was not published: one of a newer epoch stands there.
    RouteStands {
        /// Its epoch.
        epoch: Epoch,
    },
    /// Headroom changed.
    Room {
        /// What there is too little of to lead; `None` when there is enough of both.
        short: Option<Shortage>,
    },
    /// The state file is gone, or another one stands there: nothing can be kept any more. Ends in
    /// [`crate::Act::StartAnew`].
    Wiped,
}

/// How a call to the store ended. Few exist at a time: boxing the record would only obscure it.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum StoreOutcome {
    /// A read: what stands there.
    Read(Option<(Version, Record)>),
    /// A replace succeeded; the new version.
    Replaced(Version),
    /// A replace was refused: another version stands there.
    Conflict,
    /// Certainly not carried out: refused, no connection, an error before it was sent.
    Unavailable(String),
    /// Sent, and no answer: it may commit, now or later.
    Unanswered,
}

/// What the data directory held when an engine was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct DataFiles {
    /// There were files for it to load.
    pub found: bool,
    /// What it reads is another file than the one that was written last, and may be older by any
    /// time.
    pub other: bool,
    /// Files that no engine has read stand aside, now or from before.
    pub unread: bool,
}

/// News of the engine beside this agent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum EngineNews {
    /// A process runs, a replica of the dead end.
    Started {
        /// Counts engine processes of this agent, from 1.
        run: u64,
        /// What there was for it to load.
        files: DataFiles,
    },
    /// What it says of itself: the answer to [`crate::EngineCommand::Observe`].
    Seen {
        /// Which process.
        run: u64,
        /// When the question was sent: what it says is at least this fresh.
        asked: Tick,
        /// Its words.
        view: EngineView,
    },
    /// It has not answered for a while.
    Silent {
        /// Which process.
        run: u64,
        /// Since when it is silent.
        since: Tick,
        /// What the kernel says of it.
        process: ProcessState,
    },
    /// The process is gone.
    Exited {
        /// Which process.
        run: u64,
        /// How.
        exit: Exit,
    },
    /// A command ended.
    Did {
        /// Which.
        request: RequestId,
        /// The error in words when it failed or was not answered in time.
        result: Result<(), String>,
    },
}

/// What a member has too little of to take a primary's load (failover.md 2.12, disk full).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shortage {
    /// Room on its disk.
    Disk,
    /// Memory below its `maxmemory`, where nothing is evicted.
    Memory,
}

/// What the kernel says of a silent process (failover.md 2.12, hang budget).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProcessState {
    /// Stopped or traced.
    Stopped,
    /// Waiting for a disk.
    DiskWait,
    /// Using processor time: a slow command.
    Busy,
    /// Neither.
    Idle,
}

/// How an engine process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Exit {
    /// By itself after a request of ours, with everything on the disk that it had.
    Clean,
    /// By itself after a request of ours, without the certainty that its data are on the disk.
    Unsaved,
    /// By itself with a code.
    Code(i32),
    /// By a signal.
    Signal(i32),
    /// By the gate: it was past its deadline.
    Gate,
    /// By the kernel for want of memory.
    OutOfMemory,
    /// It could not start: the data files are damaged (and are set aside).
    BadData,
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Exit::Clean => f.write_str("stopped cleanly"),
            Exit::Unsaved => f.write_str("stopped without saving"),
            Exit::Code(code) => write!(f, "ended by itself, code {code}"),
            Exit::Signal(signal) => write!(f, "was ended by signal {signal}"),
            Exit::Gate => f.write_str("was ended by its gate: it was past its deadline"),
            Exit::OutOfMemory => f.write_str("was ended for want of memory"),
            Exit::BadData => f.write_str("could not read its data files: they are set aside"),
        }
    }
}

impl Exit {
    /// Whether this counts towards a crash loop: a SIGKILL is somebody's hand (failover.md 2.12).
    pub fn is_own_fault(self) -> bool {
        match self {
            Exit::Clean | Exit::Unsaved | Exit::Gate | Exit::BadData => false,
            Exit::Signal(signal) => signal != 9 && signal != 15,
            Exit::Code(_) | Exit::OutOfMemory => true,
        }
    }
}

/// An engine in its own words (INFO).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct EngineView {
    /// Reading its files: answers little.
    pub loading: bool,
    /// It calls itself a primary.
    pub is_primary: bool,
    /// Whom it replicates from, when that is a member; `None` for the dead end or a primary.
    pub upstream: Option<MemberName>,
    /// Its link to the upstream is up.
    pub link_up: bool,
    /// A full sync is under way.
    pub sync_in_progress: bool,
    /// Its stream.
    pub replid: Replid,
    /// The stream that it continued, if any.
    pub replid2: Replid,
    /// How far it has applied; `None` when it has no position (engine.md 1.4).
    pub offset: Option<Offset>,
    /// How far its disk has it for certain, as far as the edge knows.
    pub durable: Offset,
    /// Replicas attached to it, as members.
    pub replicas: Vec<ReplicaView>,
    /// How many keys.
    pub keys: u64,
    /// It refuses writes because its disk fails.
    pub misconfigured: bool,
    /// `min-replicas-to-write` in force.
    pub min_replicas: u32,
}

/// A replica as the engine above it sees it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReplicaView {
    /// Who.
    pub member: MemberName,
    /// In sync state `online`.
    pub online: bool,
    /// It acknowledges: the engine's write guard counts it, and will for about a second more.
    pub acks: bool,
    /// Its last acknowledged offset.
    pub offset: Offset,
}

/// What a person, a signal or the operator wants.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Wish {
    /// A planned change of the primary.
    Handover {
        /// To whom; `None`: the best.
        to: Option<MemberName>,
        /// Only say what would be done.
        dry_run: bool,
    },
    /// Stop this member: hand over or leave first, then end the engine (SIGTERM).
    Stop {
        /// How long that may take.
        within: Span,
    },
    /// Lead, whatever was lost (failover.md 2.11).
    PromoteAcceptingLoss,
}
