//! A model of one engine process as replication sees it: roles, streams, partial and full syncs,
//! admission, pauses, WAIT and what its files keep. It is told everything and reaches nothing: what
//! it would send comes out as [`Out`] (engine.md 1, failover.md 4.4).

mod agent;
mod clients;
mod link;
mod state;
#[cfg(test)]
mod tests;

pub use clients::{Ask, ClientCommand, Reply, Why};
pub use state::{Disk, Persistence, Stopping, Tuning};

use std::collections::{BTreeMap, VecDeque};

use ::engine::Replid;
use brain::MemberId;

use crate::history::Write;
use crate::prng::Prng;

/// One piece of a replication stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The offset after it.
    pub end: u64,
    /// What it does.
    pub deed: Deed,
}

/// What a piece of the stream does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A write of a client.
    Write(Write),
    /// The periodic ping: it moves the offset all the same.
    Ping,
    /// `REPLCONF GETACK`.
    GetAck,
}

impl Deed {
    /// Bytes in the stream.
    fn len(self) -> u64 {
        match self {
            Deed::Write(_) => 60,
            Deed::Ping => 14,
            Deed::GetAck => 37,
        }
    }
}

/// What engines say to each other on one replication connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wire {
    /// `PSYNC`, after the login as one's own user.
    Psync {
        /// The login.
        user: MemberId,
        /// The stream and the next byte wanted; `None` for a full sync.
        wanted: Option<(Replid, u64)>,
    },
    /// The login failed, or `-NOMASTERLINK`, or `-LOADING`.
    Refused(Why),
    /// `+CONTINUE`; what was missed follows.
    Continue {
        /// The stream from now on.
        replid: Replid,
    },
    /// `+FULLRESYNC`: the file follows.
    FullBegin {
        /// The writes in it: what an engine that flushes first gives its own data away for.
        brings: Vec<Write>,
    },
    /// The file has arrived.
    FullData {
        /// Its stream.
        replid: Replid,
        /// Its offset.
        offset: u64,
        /// Its writes.
        data: Vec<Write>,
    },
    /// New pieces.
    Stream(Vec<Entry>),
    /// `REPLCONF ACK`.
    Ack(u64),
    /// The connection was closed.
    Closed,
}

/// What a server wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Out {
    /// Send on a connection.
    Wire {
        /// To whose engine.
        to: usize,
        /// On which connection.
        conn: u64,
        /// What.
        wire: Wire,
        /// Extra time on the way, ns.
        slow: u64,
    },
    /// Answer a client.
    Reply {
        /// Whom.
        client: usize,
        /// Which of its commands.
        op: u64,
        /// What.
        reply: Reply,
    },
    /// Call [`Server::alarm`] then.
    Alarm(u64),
}

/// Whom a server replicates from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Nobody: it accepts writes.
    Primary,
    /// Somebody, or the dead end.
    Replica {
        /// `None` for the dead end.
        upstream: Option<usize>,
    },
}

/// A replica's link to its upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// None; the next try comes with the cron.
    Down,
    /// `PSYNC` sent.
    Asked {
        /// On which connection.
        conn: u64,
    },
    /// The file is on its way.
    Transfer {
        /// On which connection.
        conn: u64,
    },
    /// The file is being loaded: the old data are gone.
    Loading {
        /// On which connection.
        conn: u64,
        /// When it will be done.
        until: u64,
        /// What it holds.
        file: (Replid, u64, Vec<Write>),
        /// What came after it.
        pending: Vec<Entry>,
        /// The connection broke meanwhile.
        broken: bool,
    },
    /// Linked.
    Up {
        /// On which connection.
        conn: u64,
    },
}

/// A replica as its upstream sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    /// Whose.
    pub member: usize,
    /// Logged in as.
    pub user: MemberId,
    /// Counted by WAIT and by min-replicas.
    pub online: bool,
    /// Its last acknowledged offset.
    pub acked: u64,
    /// When it last said so.
    pub heard: u64,
    /// It will soon not be counted any more, unless it says so again.
    pub quiet: bool,
}

/// A client in `WAIT`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Waiter {
    client: usize,
    op: u64,
    offset: u64,
    copies: u32,
    until: u64,
}

/// One engine process.
#[derive(Clone, Debug)]
pub struct Server {
    /// Whose.
    pub me: usize,
    /// Unlike any other process of the world.
    pub process: u64,
    /// The login it uses upstream.
    pub user: MemberId,
    /// Its part.
    pub role: Role,
    /// Its stream.
    pub replid: Replid,
    /// The stream that it continued.
    pub replid2: Replid,
    /// The first byte of `replid` that `replid2` does not have.
    pub second: u64,
    /// How far (`master_repl_offset`).
    pub offset: u64,
    /// Whether a replica's own offset is gone though `offset` looks well (engine.md 1.4).
    pub position_lost: bool,
    /// Everything written, in order.
    pub data: Vec<Write>,
    /// Whether the dataset is whole, in truth.
    pub complete: bool,
    /// A replica's link.
    pub link: Link,
    /// Its own replicas, by connection.
    pub attached: BTreeMap<u64, Attached>,
    /// `min-replicas-to-write`.
    pub min_replicas: u32,
    /// How often it was promoted in this world, by the world's count.
    pub term: u64,
    /// Reading its files until then.
    pub loading_until: Option<u64>,
    tuning: Tuning,
    backlog: Option<VecDeque<Entry>>,
    backlog_start: u64,
    admitted: Vec<MemberId>,
    paused_until: u64,
    postponed: Vec<ClientCommand>,
    waiters: Vec<Waiter>,
    last_write: BTreeMap<usize, u64>,
    good: u32,
    heard: u64,
    pinged: u64,
    conns: u64,
    /// What the files hold now.
    disk: Disk,
    /// Until then the append-only file of a full sync is being written: the old one still counts.
    rewriting_until: Option<u64>,
    /// A `WAIT` came while writers were paused: its `GETACK` waits too.
    getack_due: bool,
    /// The full sync under way goes through a file in the directory.
    syncs_to_file: bool,
    /// No snapshot can be written, until somebody mends it.
    disk_fails: bool,
    /// The last snapshot could not be written: writes are refused.
    save_failed: bool,
    /// How many of `data` the disk has for certain, and the offset of that.
    synced: (usize, u64),
    rng: Prng,
}
