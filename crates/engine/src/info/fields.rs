//! The lines of one `INFO` reply, and how each section's struct is filled from them.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::{Clients, Memory, Persistence, ReplicaLine, Replication, Role, Server, Stats};
use crate::{Offset, Replid};

/// One field of each section, by which a reply without headers is still known.
const KNOWN: &[&str] = &[
    "redis_version",
    "valkey_version",
    "role",
    "loading",
    "used_memory",
    "connected_clients",
    "total_commands_processed",
    "used_cpu_sys",
];

/// More replica lines than any engine serves: bounds what a strange reply can make us do.
const MAX_REPLICAS: u32 = 4096;

pub(super) struct Fields<'a> {
    sections: Vec<&'a str>,
    values: BTreeMap<&'a str, &'a str>,
}

impl<'a> Fields<'a> {
    pub(super) fn read(text: &'a str) -> Self {
        let mut sections = Vec::new();
        let mut values = BTreeMap::new();
        for line in text.split_inclusive('\n') {
            let Some(line) = line.strip_suffix('\n') else { break };
            let line = line.strip_suffix('\r').unwrap_or(line);
            if let Some(section) = line.strip_prefix("# ") {
                sections.push(section);
            } else if let Some((name, value)) = line.split_once(':') {
                values.insert(name, value);
            }
        }
        Self { sections, values }
    }

    pub(super) fn looks_like_info(&self) -> bool {
        !self.sections.is_empty() || KNOWN.iter().any(|name| self.values.contains_key(name))
    }

    fn text(&self, name: &str) -> Option<String> {
        self.values.get(name).filter(|value| !value.is_empty()).map(ToString::to_string)
    }

    fn number<T: FromStr>(&self, name: &str) -> Option<T> {
        self.values.get(name)?.trim().parse().ok()
    }

    fn flag(&self, name: &str) -> Option<bool> {
        match *self.values.get(name)? {
            "1" => Some(true),
            "0" => Some(false),
            _ => None,
        }
    }

    /// `ok`, `err`, `up`, `down`.
    fn is(&self, name: &str, good: &str) -> Option<bool> {
        self.values.get(name).filter(|value| !value.is_empty()).map(|value| *value == good)
    }

    fn offset(&self, name: &str) -> Option<Offset> {
        self.number(name).map(Offset)
    }

    fn replid(&self, name: &str) -> Option<Replid> {
        self.text(name).map(Replid).filter(Replid::is_known)
    }

    pub(super) fn server(&self) -> Server {
        Server {
            redis_version: self.text("redis_version"),
            valkey_version: self.text("valkey_version"),
            mode: self.text("redis_mode").or_else(|| self.text("server_mode")),
            process_id: self.number("process_id"),
            run_id: self.text("run_id"),
            tcp_port: self.number("tcp_port"),
            uptime_s: self.number("uptime_in_seconds"),
            shutdown_in_ms: self.number("shutdown_in_milliseconds"),
        }
    }

    pub(super) fn clients(&self) -> Clients {
        Clients {
            connected: self.number("connected_clients"),
            blocked: self.number("blocked_clients"),
            max: self.number("maxclients"),
        }
    }

    pub(super) fn memory(&self) -> Memory {
        Memory {
            used_bytes: self.number("used_memory"),
            rss_bytes: self.number("used_memory_rss"),
            peak_bytes: self.number("used_memory_peak"),
            maxmemory_bytes: self.number("maxmemory"),
            policy: self.text("maxmemory_policy"),
            total_system_bytes: self.number("total_system_memory"),
            fragmentation: self.number::<f64>("mem_fragmentation_ratio").filter(|f| f.is_finite()),
        }
    }

    pub(super) fn persistence(&self) -> Persistence {
        Persistence {
            loading: self.flag("loading"),
            async_loading: self.flag("async_loading"),
            loading_percent: self.number::<f64>("loading_loaded_perc").filter(|p| p.is_finite()),
            loading_eta_s: self.number("loading_eta_seconds"),
            rdb_changes: self.number("rdb_changes_since_last_save"),
            rdb_saving: self.flag("rdb_bgsave_in_progress"),
            rdb_last_save_s: self.number("rdb_last_save_time"),
            rdb_ok: self.is("rdb_last_bgsave_status", "ok"),
            aof_enabled: self.flag("aof_enabled"),
            aof_rewriting: self.flag("aof_rewrite_in_progress"),
            aof_rewrite_scheduled: self.flag("aof_rewrite_scheduled"),
            aof_write_ok: self.is("aof_last_write_status", "ok"),
            aof_rewrite_ok: self.is("aof_last_bgrewrite_status", "ok"),
            aof_delayed_fsync: self.number("aof_delayed_fsync"),
            aof_pending_fsync: self.number("aof_pending_bio_fsync"),
        }
    }

    pub(super) fn stats(&self) -> Stats {
        Stats {
            commands: self.number("total_commands_processed"),
            ops_per_s: self.number("instantaneous_ops_per_sec"),
            sync_full: self.number("sync_full"),
            sync_partial_ok: self.number("sync_partial_ok"),
            sync_partial_err: self.number("sync_partial_err"),
            expired_keys: self.number("expired_keys"),
            evicted_keys: self.number("evicted_keys"),
            keyspace_hits: self.number("keyspace_hits"),
            keyspace_misses: self.number("keyspace_misses"),
            net_input_bytes: self.number("total_net_input_bytes"),
            net_output_bytes: self.number("total_net_output_bytes"),
        }
    }

    pub(super) fn replication(&self) -> Replication {
        Replication {
            role: match self.values.get("role").copied() {
                Some("master") => Some(Role::Primary),
                Some("slave") => Some(Role::Replica),
                _ => None,
            },
            primary_host: self.text("master_host"),
            primary_port: self.number("master_port"),
            link_up: self.is("master_link_status", "up"),
            sync_in_progress: self.flag("master_sync_in_progress"),
            // The engine prints -1 for "never": that is no number of seconds, and reads as None.
            last_io_s: self.number("master_last_io_seconds_ago"),
            link_down_s: self.number("master_link_down_since_seconds"),
            replid: self.replid("master_replid"),
            replid2: self.replid("master_replid2"),
            primary_offset: self.offset("master_repl_offset"),
            second_offset: self.offset("second_repl_offset"),
            replica_offset: self.offset("slave_repl_offset"),
            replica_read_offset: self.offset("slave_read_repl_offset"),
            priority: self.number("slave_priority"),
            failover_state: self.text("master_failover_state"),
            connected_replicas: self.number("connected_slaves"),
            replicas: self.replicas(),
            backlog_bytes: self.number("repl_backlog_size"),
            backlog_first: self.offset("repl_backlog_first_byte_offset"),
            backlog_held_bytes: self.number("repl_backlog_histlen"),
        }
    }

    fn replicas(&self) -> Vec<ReplicaLine> {
        let count = self.number::<u32>("connected_slaves").unwrap_or(0).min(MAX_REPLICAS);
        (0..count)
            .filter_map(|n| replica_line(self.values.get(format!("slave{n}").as_str())?))
            .collect()
    }

    pub(super) fn keys(&self) -> Option<u64> {
        if !self.sections.contains(&"Keyspace") {
            return None;
        }
        let keys = self.values.iter().filter_map(|(name, value)| {
            name.strip_prefix("db")?.parse::<u32>().ok()?;
            part(value, "keys")?.parse::<u64>().ok()
        });
        Some(keys.sum())
    }

    pub(super) fn cpu_ms(&self) -> Option<u64> {
        let seconds = self.number::<f64>("used_cpu_sys")? + self.number::<f64>("used_cpu_user")?;
        (seconds.is_finite() && seconds >= 0.0).then_some((seconds * 1000.0) as u64)
    }
}

/// `ip=127.0.0.1,port=46012,state=online,offset=65,lag=1[,type=…]`; an IPv6 address has colons, so
/// only the first one of the line ends the name.
fn replica_line(value: &str) -> Option<ReplicaLine> {
    Some(ReplicaLine {
        host: part(value, "ip")?.to_owned(),
        port: part(value, "port")?.parse().ok()?,
        state: part(value, "state")?.to_owned(),
        offset: Offset(part(value, "offset")?.parse().ok()?),
        lag_s: part(value, "lag").and_then(|lag| lag.parse().ok()),
    })
}

fn part<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    value.split(',').find_map(|pair| pair.split_once('=').filter(|(k, _)| *k == name)).map(|p| p.1)
}
