//! Metrics: the engine's `INFO` under the names that redis_exporter made common, and our own.

use std::sync::atomic::AtomicU64;

use brain::report::MemberReport;
use engine::{Info, Role};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info as InfoMetric;
use prometheus_client::registry::Registry;

/// Everything as OpenMetrics text. Made anew for each scrape: between scrapes nothing is kept.
pub(super) fn render(report: &MemberReport, info: Option<&Info>) -> String {
    let mut sheet = Sheet(Registry::default());
    ours(&mut sheet, report);
    sheet.gauge("redis_up", "The engine runs and has answered INFO.", Some(info.is_some()));
    if let Some(info) = info {
        server(&mut sheet, report, info);
        memory(&mut sheet, info);
        persistence(&mut sheet, info);
        stats(&mut sheet, info);
        replication(&mut sheet, info);
    }
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = encode(&mut text, &sheet.0);
    text
}

/// A number of any kind as Prometheus wants it.
trait Number {
    fn number(self) -> f64;
}

impl Number for f64 {
    fn number(self) -> f64 {
        self
    }
}

impl Number for u64 {
    fn number(self) -> f64 {
        self as f64
    }
}

impl Number for u32 {
    fn number(self) -> f64 {
        f64::from(self)
    }
}

impl Number for bool {
    fn number(self) -> f64 {
        f64::from(u8::from(self))
    }
}

/// A registry that leaves out what is not known.
struct Sheet(Registry);

impl Sheet {
    fn gauge(&mut self, name: &str, help: &str, value: Option<impl Number>) {
        if let Some(value) = value {
            let gauge = Gauge::<f64, AtomicU64>::default();
            gauge.set(value.number());
            self.0.register(name, help, gauge);
        }
    }

    /// The suffix `_total` is added by the format.
    fn counter(&mut self, name: &str, help: &str, value: Option<u64>) {
        if let Some(value) = value {
            let counter = Counter::<u64>::default();
            counter.inc_by(value);
            self.0.register(name, help, counter);
        }
    }
}

fn ours(sheet: &mut Sheet, report: &MemberReport) {
    let labels = vec![
        ("group", report.group.clone()),
        ("member", report.name.clone()),
        ("role", report.role.clone()),
        ("fence", report.fence.clone()),
    ];
    sheet.0.register("interrex_member", "Who this member is.", InfoMetric::new(labels));
    let is = |role: &str| Some(report.role == role);
    sheet.gauge("interrex_is_primary", "This member leads.", is("primary"));
    sheet.gauge("interrex_is_replica", "This member follows.", is("replica"));
    sheet.gauge("interrex_epoch", "The newest epoch that is known here.", Some(report.epoch));
    sheet.gauge("interrex_lag_bytes", "Bytes behind the primary.", report.lag);
    sheet.gauge("interrex_complete", "The dataset is whole.", Some(report.complete));
    sheet.gauge("interrex_electable", "Could take over now.", Some(report.electable));
    sheet.gauge("interrex_store_reachable", "The store answers.", Some(report.store_reachable));
    let blocked = Some(report.blocked.is_some());
    sheet.gauge("interrex_blocked", "Something keeps the group from a primary.", blocked);
    let peers = Some(report.peers_up.len() as u64);
    sheet.gauge("interrex_peers_up", "Peers whose channel is open.", peers);
    let seats = Some(report.electorate.len() as u64);
    sheet.gauge("interrex_electorate_size", "Members that may succeed.", seats);
    let drift = Some(report.drift.len() as u64);
    sheet.gauge("interrex_config_drift", "Directives that wait for a restart.", drift);
    if let Some(held) = &report.authority {
        let lease = Some(held.lease_left_ms as f64 / 1000.0);
        sheet.gauge("interrex_lease_left_seconds", "Time that the lease still holds.", lease);
        let acks = held.peers_left_ms.map(|ms| ms as f64 / 1000.0);
        sheet.gauge("interrex_acks_left_seconds", "Time that the acks still hold.", acks);
        let fresh = Some(held.peers_fresh);
        sheet.gauge("interrex_acks_fresh", "Members whose acks are fresh.", fresh);
    }
}

fn server(sheet: &mut Sheet, report: &MemberReport, info: &Info) {
    let version = report.engine.split(' ').nth(1).unwrap_or_default().to_owned();
    let role = match info.replication.role {
        Some(Role::Primary) => "master",
        _ => "slave",
    };
    let labels = vec![
        ("role", role.to_owned()),
        ("redis_version", version),
        ("redis_mode", info.server.mode.clone().unwrap_or_default()),
    ];
    sheet.0.register("redis_instance", "What the engine is.", InfoMetric::new(labels));
    let (server, clients) = (&info.server, &info.clients);
    sheet.gauge("redis_uptime_in_seconds", "Since the engine started.", server.uptime_s);
    sheet.gauge("redis_connected_clients", "Connections of clients.", clients.connected);
    sheet.gauge("redis_blocked_clients", "Clients in a blocking command.", clients.blocked);
    sheet.gauge("redis_max_clients", "Limit of connections.", clients.max);
    sheet.gauge("redis_keys", "Keys in all databases.", info.keys);
    let cpu = info.cpu_ms.map(|ms| ms as f64 / 1000.0);
    sheet.gauge("redis_cpu_seconds", "Processor time of the engine.", cpu);
}

fn memory(sheet: &mut Sheet, info: &Info) {
    let memory = &info.memory;
    sheet.gauge("redis_memory_used_bytes", "Allocated by the engine.", memory.used_bytes);
    sheet.gauge("redis_memory_used_rss_bytes", "Resident memory.", memory.rss_bytes);
    sheet.gauge("redis_memory_used_peak_bytes", "Highest use so far.", memory.peak_bytes);
    sheet.gauge("redis_memory_max_bytes", "The limit; 0 is none.", memory.maxmemory_bytes);
    let ratio = memory.fragmentation;
    sheet.gauge("redis_mem_fragmentation_ratio", "Resident over allocated.", ratio);
}

fn persistence(sheet: &mut Sheet, info: &Info) {
    let disk = &info.persistence;
    sheet.gauge("redis_loading_dump_file", "The engine loads its files.", disk.loading);
    let changes = disk.rdb_changes;
    sheet.gauge("redis_rdb_changes_since_last_save", "Changes since the last RDB.", changes);
    sheet.gauge("redis_rdb_bgsave_in_progress", "An RDB is being written.", disk.rdb_saving);
    let saved = disk.rdb_last_save_s;
    sheet.gauge("redis_rdb_last_save_timestamp_seconds", "When the last RDB was.", saved);
    sheet.gauge("redis_rdb_last_bgsave_status", "The last RDB was written.", disk.rdb_ok);
    sheet.gauge("redis_aof_enabled", "The append-only file is on.", disk.aof_enabled);
    let rewriting = disk.aof_rewriting;
    sheet.gauge("redis_aof_rewrite_in_progress", "The AOF is being rewritten.", rewriting);
    sheet.gauge("redis_aof_last_write_status", "The last append worked.", disk.aof_write_ok);
    let rewrite = disk.aof_rewrite_ok;
    sheet.gauge("redis_aof_last_bgrewrite_status", "The last rewrite worked.", rewrite);
}

fn stats(sheet: &mut Sheet, info: &Info) {
    let stats = &info.stats;
    sheet.counter("redis_commands_processed", "Commands executed.", stats.commands);
    let ops = stats.ops_per_s;
    sheet.gauge("redis_instantaneous_ops_per_sec", "Commands a second now.", ops);
    sheet.gauge("redis_replica_resyncs_full", "Full resyncs served.", stats.sync_full);
    let accepted = stats.sync_partial_ok;
    sheet.gauge("redis_replica_partial_resync_accepted", "Partial resyncs served.", accepted);
    let denied = stats.sync_partial_err;
    sheet.gauge("redis_replica_partial_resync_denied", "Partial resyncs refused.", denied);
    sheet.counter("redis_expired_keys", "Keys ended by their time.", stats.expired_keys);
    sheet.counter("redis_evicted_keys", "Keys ended by maxmemory.", stats.evicted_keys);
    sheet.counter("redis_keyspace_hits", "Reads that found a key.", stats.keyspace_hits);
    sheet.counter("redis_keyspace_misses", "Reads that found none.", stats.keyspace_misses);
    sheet.counter("redis_net_input_bytes", "Bytes read.", stats.net_input_bytes);
    sheet.counter("redis_net_output_bytes", "Bytes written.", stats.net_output_bytes);
}

fn replication(sheet: &mut Sheet, info: &Info) {
    let replication = &info.replication;
    let connected = replication.connected_replicas;
    sheet.gauge("redis_connected_slaves", "Replicas attached.", connected);
    let offset = replication.primary_offset.map(|offset| offset.0);
    sheet.gauge("redis_master_repl_offset", "Offset of the stream.", offset);
    let applied = replication.replica_offset.map(|offset| offset.0);
    sheet.gauge("redis_slave_repl_offset", "Offset that a replica has applied.", applied);
    sheet.gauge("redis_master_link_up", "The link to the primary is up.", replication.link_up);
    let syncing = replication.sync_in_progress;
    sheet.gauge("redis_master_sync_in_progress", "A full sync is under way.", syncing);
    let backlog = replication.backlog_bytes;
    sheet.gauge("redis_replication_backlog_bytes", "Size of the backlog.", backlog);
}
