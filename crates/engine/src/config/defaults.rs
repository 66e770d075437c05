//! What Interrex writes when the spec says nothing, and what it writes whatever the spec says.

use std::collections::BTreeMap;

use super::{DEAD_END, Persistence, Settings};
use crate::directive::parse_memory;

/// The smallest backlog: a minute of absence at 1 MB/s. The engines' own 1 MB is gone within one
/// handover under load (engine.md 1.2).
const BACKLOG_MIN_BYTES: u64 = 64 << 20;

/// Directives that no user may set.
pub(super) fn place(settings: &Settings) -> Vec<(String, String)> {
    let can = settings.engine.capabilities();
    let mut all: Vec<(&str, String)> = vec![
        ("port", settings.port.to_string()),
        ("bind", settings.bind.join(" ")),
        ("protected-mode", "no".into()),
        ("dir", settings.dir.clone()),
        ("daemonize", "no".into()),
        ("supervised", "no".into()),
        ("pidfile", String::new()),
        ("logfile", String::new()),
        ("dbfilename", "dump.rdb".into()),
        ("appendfilename", "appendonly.aof".into()),
        // Every start is a dead end: who leads is decided afterwards, never by the file.
        ("replicaof", format!("{} {}", DEAD_END.0, DEAD_END.1)),
        ("replica-read-only", "yes".into()),
        ("repl-backlog-ttl", "0".into()),
        ("min-replicas-to-write", "0".into()),
        ("min-replicas-max-lag", settings.max_lag_s.to_string()),
    ];
    if let Some(socket) = &settings.unix_socket {
        all.push(("unixsocket", socket.clone()));
        all.push(("unixsocketperm", "700".into()));
    }
    if let Some((host, port)) = &settings.announce {
        all.push(("replica-announce-ip", host.clone()));
        all.push(("replica-announce-port", port.to_string()));
    }
    if can.multi_part_aof {
        all.push(("appenddirname", "appendonlydir".into()));
    }
    if can.shutdown_now {
        all.push(("shutdown-timeout", settings.shutdown_timeout_s.to_string()));
    }
    if can.protected_commands {
        all.push(("enable-module-command", "no".into()));
        all.push(("enable-debug-command", "no".into()));
        all.push(("enable-protected-configs", "no".into()));
    }
    all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Directives that hold where the user says nothing.
pub(super) fn wishes(
    settings: &Settings,
    user: &BTreeMap<String, (String, String)>,
) -> Vec<(&'static str, String)> {
    let can = settings.engine.capabilities();
    let user_bytes = |name| user.get(name).and_then(|(_, value)| parse_memory(value));
    let maxmemory = user_bytes("maxmemory").or(settings.maxmemory_bytes).unwrap_or(0);
    let backlog = BACKLOG_MIN_BYTES.max(maxmemory / 10);
    let hard = (512 << 20).max(backlog.saturating_mul(2));
    let soft = (256 << 20).max(backlog);
    let mut all: Vec<(&str, String)> = vec![
        ("maxmemory", maxmemory.to_string()),
        ("repl-backlog-size", backlog.to_string()),
        ("client-output-buffer-limit", format!("replica {hard} {soft} 60")),
        ("repl-diskless-sync", "yes".into()),
        // The engines wait 5 s for more replicas: five seconds without a copy.
        ("repl-diskless-sync-delay", "0".into()),
        ("repl-timeout", "30".into()),
        ("repl-ping-replica-period", "2".into()),
        ("replica-serve-stale-data", "yes".into()),
        ("tcp-keepalive", "60".into()),
        ("timeout", "0".into()),
        ("latency-monitor-threshold", "50".into()),
        ("replica-lazy-flush", "yes".into()),
    ];
    for what in ["eviction", "expire", "server-del", "user-del", "user-flush"] {
        all.push((lazyfree(what), "yes".into()));
    }
    if can.replica_ignores_disk_errors {
        // Else a replica panics at its first failed write; the agent watches the status itself.
        all.push(("replica-ignore-disk-write-errors", "yes".into()));
    }
    if settings.cache {
        all.push(("maxmemory-policy", "allkeys-lfu".into()));
        all.push(("stop-writes-on-bgsave-error", "no".into()));
        all.push(("repl-diskless-load", "on-empty-db".into()));
    }
    all.extend(persistence(settings.persistence));
    all
}

fn lazyfree(what: &str) -> &'static str {
    match what {
        "eviction" => "lazyfree-lazy-eviction",
        "expire" => "lazyfree-lazy-expire",
        "server-del" => "lazyfree-lazy-server-del",
        "user-del" => "lazyfree-lazy-user-del",
        _ => "lazyfree-lazy-user-flush",
    }
}

fn persistence(persistence: Persistence) -> Vec<(&'static str, String)> {
    let fsync = if persistence == Persistence::AofAlways { "always" } else { "everysec" };
    let save = if persistence == Persistence::Rdb { "3600 1 300 100 60 10000" } else { "" };
    vec![
        ("save", save.to_owned()),
        ("appendonly", if persistence.has_aof() { "yes" } else { "no" }.to_owned()),
        ("appendfsync", fsync.to_owned()),
    ]
}
