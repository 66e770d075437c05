//! What `INFO` says, as types: tolerant of missing, unknown and cut fields, strict about text that
//! is no `INFO` at all. Meanings: engine.md 1.4, 1.6.

mod fields;

use std::net::IpAddr;

use thiserror::Error;

use crate::{Offset, Replid};
use fields::Fields;

/// Why a text could not be read as `INFO`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InfoError {
    /// Neither a section header nor a field that `INFO` is known to have.
    #[error("read INFO: not an INFO reply, it starts with {start:?}")]
    NotInfo {
        /// The first characters of the text, for the person who looks for the cause.
        start: String,
    },
}

/// One reply to `INFO` (of any sections). A field is `None` when the reply did not have it, or had
/// something unreadable in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Info {
    /// `# Server`.
    pub server: Server,
    /// `# Clients`.
    pub clients: Clients,
    /// `# Memory`.
    pub memory: Memory,
    /// `# Persistence`.
    pub persistence: Persistence,
    /// `# Stats`.
    pub stats: Stats,
    /// `# Replication`.
    pub replication: Replication,
    /// `# Keyspace`: keys in all databases. `None` when the section was not in the reply; an empty
    /// section is 0.
    pub keys: Option<u64>,
    /// `used_cpu_sys` plus `used_cpu_user` of the engine process, in milliseconds.
    pub cpu_ms: Option<u64>,
}

/// Who the process is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Server {
    /// `redis_version`. Every Valkey says 7.2.4 here: never tell engines apart by it.
    pub redis_version: Option<String>,
    /// `valkey_version`: present only in a Valkey.
    pub valkey_version: Option<String>,
    /// `redis_mode`, or `server_mode` of Valkey ≥ 8: `standalone`, `cluster`, `sentinel`.
    pub mode: Option<String>,
    /// Process id of the engine.
    pub process_id: Option<u32>,
    /// 40 hexadecimal digits, drawn at each start of the process.
    pub run_id: Option<String>,
    /// TCP port, 0 when it listens on none.
    pub tcp_port: Option<u16>,
    /// Seconds since the process started.
    pub uptime_s: Option<u64>,
    /// Milliseconds until a shutdown that waits for replicas gives up; only then (≥ 7.0).
    pub shutdown_in_ms: Option<u64>,
}

/// Who is connected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clients {
    /// Connections of clients, replicas not counted.
    pub connected: Option<u64>,
    /// Clients inside a blocking command, `WAIT` included.
    pub blocked: Option<u64>,
    /// Limit of connections.
    pub max: Option<u64>,
}

/// Memory in bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// Allocated by the engine.
    pub used_bytes: Option<u64>,
    /// Resident in RAM.
    pub rss_bytes: Option<u64>,
    /// Highest `used_bytes` so far.
    pub peak_bytes: Option<u64>,
    /// The limit; 0 is none.
    pub maxmemory_bytes: Option<u64>,
    /// Name of the eviction policy.
    pub policy: Option<String>,
    /// RAM of the machine, not of the cgroup.
    pub total_system_bytes: Option<u64>,
    /// `rss / used` as the engine prints it.
    pub fragmentation: Option<f64>,
}

/// How the data on disk are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Persistence {
    /// Loading a file into memory: answers `-LOADING`, cannot be promoted.
    pub loading: Option<bool>,
    /// Loading beside the old data (`swapdb`): reads are served.
    pub async_loading: Option<bool>,
    /// How far the load is, in percent.
    pub loading_percent: Option<f64>,
    /// Seconds that the load will still take, as the engine guesses.
    pub loading_eta_s: Option<u64>,
    /// Changes since the last RDB.
    pub rdb_changes: Option<u64>,
    /// A child writes an RDB now.
    pub rdb_saving: Option<bool>,
    /// Unix time of the last RDB, in seconds.
    pub rdb_last_save_s: Option<u64>,
    /// The last RDB was written: `false` makes the engine refuse writes (`-MISCONF`).
    pub rdb_ok: Option<bool>,
    /// The append-only file is on.
    pub aof_enabled: Option<bool>,
    /// A child writes the base of the append-only file now.
    pub aof_rewriting: Option<bool>,
    /// A rewrite waits for another child to end.
    pub aof_rewrite_scheduled: Option<bool>,
    /// The last append was written.
    pub aof_write_ok: Option<bool>,
    /// The last rewrite was finished.
    pub aof_rewrite_ok: Option<bool>,
    /// How often an fsync kept writes waiting.
    pub aof_delayed_fsync: Option<u64>,
    /// `aof_pending_bio_fsync`: fsyncs that have begun, or wait for their thread.
    pub aof_pending_fsync: Option<u64>,
}

/// Counters since the start, or since `CONFIG RESETSTAT`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Commands executed.
    pub commands: Option<u64>,
    /// Commands a second, over the last seconds.
    pub ops_per_s: Option<u64>,
    /// Full resyncs served.
    pub sync_full: Option<u64>,
    /// Partial resyncs served.
    pub sync_partial_ok: Option<u64>,
    /// Partial resyncs asked for and refused.
    pub sync_partial_err: Option<u64>,
    /// Keys that ended by their time.
    pub expired_keys: Option<u64>,
    /// Keys that ended by `maxmemory`.
    pub evicted_keys: Option<u64>,
    /// Reads that found a key.
    pub keyspace_hits: Option<u64>,
    /// Reads that found none.
    pub keyspace_misses: Option<u64>,
    /// Bytes read from clients.
    pub net_input_bytes: Option<u64>,
    /// Bytes written to clients.
    pub net_output_bytes: Option<u64>,
}

/// The role that an engine has by its own word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Accepts writes: the protocol's `master`.
    Primary,
    /// Follows, or is at a dead end: the protocol's `slave`.
    Replica,
}

/// Where the engine stands in replication.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replication {
    /// The role.
    pub role: Option<Role>,
    /// The primary that a replica was told, as it was told.
    pub primary_host: Option<String>,
    /// Its port.
    pub primary_port: Option<u16>,
    /// The link to the primary is up. `None` on a primary.
    pub link_up: Option<bool>,
    /// A full sync is on its way: the data are not to be trusted.
    pub sync_in_progress: Option<bool>,
    /// Seconds since the primary was last heard, `None` when there is no link.
    pub last_io_s: Option<u64>,
    /// Seconds since the link went down, `None` when it is up or never was.
    pub link_down_s: Option<u64>,
    /// The stream's id.
    pub replid: Option<Replid>,
    /// The stream's id before the last promotion or full restart, `None` when it is all zeros.
    pub replid2: Option<Replid>,
    /// `master_repl_offset`. On a replica it lies after a failed full sync (engine.md 1.4): use
    /// [`Info::position`].
    pub primary_offset: Option<Offset>,
    /// Up to which offset (exclusive) `replid2` is ours as well; `None` when there is no `replid2`.
    pub second_offset: Option<Offset>,
    /// `slave_repl_offset`: what a replica has applied.
    pub replica_offset: Option<Offset>,
    /// `slave_read_repl_offset`: what a replica has read, applied or not (≥ 7.0).
    pub replica_read_offset: Option<Offset>,
    /// `replica-priority`.
    pub priority: Option<u32>,
    /// `no-failover`, `waiting-for-sync` or `failover-in-progress`.
    pub failover_state: Option<String>,
    /// How many replicas are connected.
    pub connected_replicas: Option<u32>,
    /// The connected replicas whose line could be read.
    pub replicas: Vec<ReplicaLine>,
    /// Bytes of the backlog's buffer.
    pub backlog_bytes: Option<u64>,
    /// First offset that the backlog still holds.
    pub backlog_first: Option<Offset>,
    /// Bytes of the stream that the backlog holds.
    pub backlog_held_bytes: Option<u64>,
}

/// One `slaveN:` line of a primary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaLine {
    /// The announced host: an address, or a name when the replica announces one.
    pub host: String,
    /// The announced port.
    pub port: u16,
    /// `online`, `wait_bgsave`, `send_bulk`, `bg_transfer`, …
    pub state: String,
    /// The last offset that it acknowledged.
    pub offset: Offset,
    /// Seconds since it last acknowledged.
    pub lag_s: Option<u64>,
}

impl ReplicaLine {
    /// Whether it receives the stream, and has acknowledged some of it (engine.md 1.2).
    pub fn is_streaming(&self) -> bool {
        self.state == "online" && self.offset.0 > 0
    }

    /// The host as an address, if it is one.
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

/// A place in a replication stream that data in memory really have reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The stream.
    pub replid: Replid,
    /// The bytes of it that are in memory.
    pub offset: Offset,
}

impl Info {
    /// Reads one reply. The last line is left out when it has no line end: a cut number is a wrong
    /// number.
    pub fn parse(text: &str) -> Result<Self, InfoError> {
        let fields = Fields::read(text);
        if !fields.looks_like_info() {
            let start = text.chars().take(40).collect();
            return Err(InfoError::NotInfo { start });
        }
        Ok(Self {
            server: fields.server(),
            clients: fields.clients(),
            memory: fields.memory(),
            persistence: fields.persistence(),
            stats: fields.stats(),
            replication: fields.replication(),
            keys: fields.keys(),
            cpu_ms: fields.cpu_ms(),
        })
    }

    /// Whether a load keeps this engine from serving: `loading:1`, not the load beside old data.
    pub fn is_loading(&self) -> bool {
        self.persistence.loading == Some(true)
    }

    /// The effective position (engine.md 1.4): of a primary `master_repl_offset`, of a replica
    /// `slave_repl_offset`. `None` when there is none to trust: while loading or in a full sync,
    /// on a replica at offset ≤ 1 (what a failed full sync and an AOF restart leave behind), or
    /// when a field is missing.
    pub fn position(&self) -> Option<Position> {
        let replication = &self.replication;
        if self.is_loading() || replication.sync_in_progress == Some(true) {
            return None;
        }
        let offset = match replication.role? {
            Role::Primary => replication.primary_offset?,
            Role::Replica => replication.replica_offset.filter(|offset| offset.0 > 1)?,
        };
        let replid = replication.replid.clone().filter(Replid::is_known)?;
        Some(Position { replid, offset })
    }
}

#[cfg(test)]
mod tests;
