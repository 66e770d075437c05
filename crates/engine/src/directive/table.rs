//! The table: generated once from `CONFIG GET *` and refused `CONFIG SET`s of a Redis 7.0.15, then
//! kept by hand from the engines' release notes.

use super::Kind::{
    Bool, Enum, EventFlags, Int, Ints, Memory, MemoryOrPercent, OutputBuffers, SavePoints, Text,
    Words,
};
use super::{Applied, Directive, Kind, Range, Version};

const I32: i64 = 2_147_483_647;
const U32: i64 = 4_294_967_295;
const MAX: i64 = i64::MAX;
const PORT: Kind = Int(0, 65_535);

const POLICIES: &[&str] = &[
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "noeviction",
];
const POLICIES_8_6: &[&str] = &[
    "volatile-lru",
    "volatile-lfu",
    "volatile-lrm",
    "volatile-random",
    "volatile-ttl",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-lrm",
    "allkeys-random",
    "noeviction",
];
const PROTECTED: &[&str] = &["no", "yes", "local"];
const SUPERVISED: &[&str] = &["no", "auto", "systemd", "upstart"];
const FACILITIES: &[&str] =
    &["user", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"];

const ENDPOINTS: &[&str] = &["ip", "hostname", "unknown-endpoint"];
const TIMESTAMPS: &[&str] = &["legacy", "iso8601", "milliseconds"];

const GROUP: &str = "the group decides who follows whom: interrex failover --to moves the primary";
const PLACE: &str = "the place that runs the group decides it: see interrex up --help";
const FILES: &str = "files must be found again after a crash, so their names are fixed";
const AUTH: &str = "use spec.auth";
const FENCE: &str = "it is part of the fence: use spec.durability and spec.failover";
const ADDRESS: &str = "the agent announces the address of its member";
const STOP: &str = "a stop is a handover that the agent conducts";
const TOPOLOGY: &str = "use spec.topology";
const LOCKED: &str = "a client that could load code could undo every promise of the group";
const TLS: &str = "use spec.tls";
const AGENT: &str = "the agent relies on it and leaves no choice";

pub(super) fn all() -> impl Iterator<Item = &'static Directive> {
    TABLE.iter().chain(NEWER)
}

/// What a directive of a module is taken for.
pub(super) const OF_A_MODULE: Directive = live("module", Text);

const NEVER: Range = Range { from: None, until: None };

const fn row(name: &'static str, kind: Kind, applied: Applied) -> Directive {
    Directive {
        name,
        alias: None,
        kind,
        applied,
        redis: Range { from: Some(Version::new(6, 2, 0)), until: None },
        valkey: Range { from: Some(Version::new(7, 2, 0)), until: None },
        renamed_in_7: false,
    }
}

const fn live(name: &'static str, kind: Kind) -> Directive {
    row(name, kind, Applied::Live)
}

const fn restart(name: &'static str, kind: Kind) -> Directive {
    row(name, kind, Applied::Restart)
}

const fn ours(name: &'static str, kind: Kind, instead: &'static str) -> Directive {
    row(name, kind, Applied::Ours(instead))
}

impl Directive {
    const fn alias(mut self, alias: &'static str) -> Self {
        self.alias = Some(alias);
        self
    }

    /// Redis 6.2 knows the old name only.
    const fn renamed_from(mut self, alias: &'static str) -> Self {
        self.alias = Some(alias);
        self.renamed_in_7 = true;
        self
    }

    const fn redis(mut self, major: u32, minor: u32) -> Self {
        self.redis.from = Some(Version::new(major, minor, 0));
        self
    }

    const fn redis_until(mut self, major: u32, minor: u32) -> Self {
        self.redis.until = Some(Version::new(major, minor, 0));
        self
    }

    const fn no_redis(mut self) -> Self {
        self.redis = NEVER;
        self
    }

    const fn valkey(mut self, major: u32, minor: u32) -> Self {
        self.valkey.from = Some(Version::new(major, minor, 0));
        self
    }

    const fn valkey_until(mut self, major: u32, minor: u32) -> Self {
        self.valkey.until = Some(Version::new(major, minor, 0));
        self
    }

    const fn no_valkey(mut self) -> Self {
        self.valkey = NEVER;
        self
    }
}

/// What Redis 7.0 has.
#[rustfmt::skip]
const TABLE: &[Directive] = &[
    live("acl-pubsub-default", Enum(&["allchannels", "resetchannels"])),
    ours("aclfile", Text, AUTH),
    live("acllog-max-len", Int(0, MAX)),
    live("active-defrag-cycle-max", Int(1, 99)),
    live("active-defrag-cycle-min", Int(1, 99)),
    live("active-defrag-ignore-bytes", Memory(0)),
    live("active-defrag-max-scan-fields", Int(1, MAX)),
    live("active-defrag-threshold-lower", Int(0, 1000)),
    live("active-defrag-threshold-upper", Int(0, 1000)),
    live("active-expire-effort", Int(1, 10)),
    live("activedefrag", Bool),
    live("activerehashing", Bool),
    restart("always-show-logo", Bool),
    live("aof-disable-auto-gc", Bool).redis(7, 0),
    live("aof-load-truncated", Bool),
    live("aof-rewrite-incremental-fsync", Bool),
    live("aof-timestamp-enabled", Bool).redis(7, 0),
    live("aof-use-rdb-preamble", Bool),
    restart("aof_rewrite_cpulist", Text),
    ours("appenddirname", Text, FILES).redis(7, 0),
    ours("appendfilename", Text, FILES),
    live("appendfsync", Enum(&["everysec", "always", "no"])),
    live("appendonly", Bool),
    live("auto-aof-rewrite-min-size", Memory(0)),
    live("auto-aof-rewrite-percentage", Int(0, I32)),
    restart("bgsave_cpulist", Text),
    ours("bind", Words, PLACE),
    ours("bind-source-addr", Text, PLACE).redis(7, 0),
    restart("bio_cpulist", Text),
    live("busy-reply-threshold", Int(0, MAX)).renamed_from("lua-time-limit"),
    live("client-output-buffer-limit", OutputBuffers),
    live("client-query-buffer-limit", Memory(1 << 20)),
    live("cluster-allow-pubsubshard-when-down", Bool).redis(7, 0),
    live("cluster-allow-reads-when-down", Bool),
    live("cluster-allow-replica-migration", Bool),
    ours("cluster-announce-bus-port", PORT, ADDRESS),
    ours("cluster-announce-hostname", Text, ADDRESS).redis(7, 0),
    ours("cluster-announce-ip", Text, ADDRESS),
    ours("cluster-announce-port", PORT, ADDRESS),
    ours("cluster-announce-tls-port", PORT, ADDRESS),
    ours("cluster-config-file", Text, FILES),
    ours("cluster-enabled", Bool, TOPOLOGY),
    live("cluster-link-sendbuf-limit", Memory(0)).redis(7, 0),
    live("cluster-migration-barrier", Int(0, I32)),
    live("cluster-node-timeout", Int(0, MAX)),
    ours("cluster-port", PORT, TOPOLOGY).redis(7, 0),
    live("cluster-preferred-endpoint-type", Enum(ENDPOINTS)).redis(7, 0),
    live("cluster-replica-no-failover", Bool).alias("cluster-slave-no-failover"),
    live("cluster-replica-validity-factor", Int(0, I32)).alias("cluster-slave-validity-factor"),
    live("cluster-require-full-coverage", Bool),
    live("crash-log-enabled", Bool),
    live("crash-memcheck-enabled", Bool),
    ours("daemonize", Bool, PLACE),
    restart("databases", Int(1, I32)),
    ours("dbfilename", Text, FILES),
    ours("dir", Text, PLACE),
    restart("disable-thp", Bool),
    live("dynamic-hz", Bool).valkey_until(9, 0),
    ours("enable-debug-command", Enum(PROTECTED), LOCKED).redis(7, 0),
    ours("enable-module-command", Enum(PROTECTED), LOCKED).redis(7, 0),
    ours("enable-protected-configs", Enum(PROTECTED), LOCKED).redis(7, 0),
    live("hash-max-listpack-entries", Int(0, MAX)).renamed_from("hash-max-ziplist-entries"),
    live("hash-max-listpack-value", Memory(0)).renamed_from("hash-max-ziplist-value"),
    live("hll-sparse-max-bytes", Memory(0)),
    live("hz", Int(1, 500)),
    live("ignore-warnings", Text),
    restart("io-threads", Int(1, 128)),
    restart("io-threads-do-reads", Bool).redis_until(8, 0).valkey_until(9, 0),
    live("jemalloc-bg-thread", Bool),
    live("latency-monitor-threshold", Int(0, MAX)),
    live("latency-tracking", Bool).redis(7, 0),
    live("latency-tracking-info-percentiles", Words).redis(7, 0),
    live("lazyfree-lazy-eviction", Bool),
    live("lazyfree-lazy-expire", Bool),
    live("lazyfree-lazy-server-del", Bool),
    live("lazyfree-lazy-user-del", Bool),
    live("lazyfree-lazy-user-flush", Bool),
    live("lfu-decay-time", Int(0, I32)),
    live("lfu-log-factor", Int(0, I32)),
    live("list-compress-depth", Int(0, I32)),
    live("list-max-listpack-size", Int(-I32, I32)).renamed_from("list-max-ziplist-size"),
    ours("logfile", Text, PLACE),
    live("loglevel", Enum(&["debug", "verbose", "notice", "warning"])),
    ours("masterauth", Text, AUTH),
    ours("masteruser", Text, AUTH),
    live("maxclients", Int(1, U32)),
    live("maxmemory", Memory(0)),
    live("maxmemory-clients", MemoryOrPercent).redis(7, 0),
    live("maxmemory-eviction-tenacity", Int(0, 100)),
    live("maxmemory-policy", Enum(POLICIES)).redis_until(8, 6),
    live("maxmemory-samples", Int(1, I32)),
    ours("min-replicas-max-lag", Int(0, I32), FENCE).alias("min-slaves-max-lag"),
    ours("min-replicas-to-write", Int(0, I32), FENCE).alias("min-slaves-to-write"),
    live("no-appendfsync-on-rewrite", Bool),
    live("notify-keyspace-events", EventFlags),
    live("oom-score-adj", Enum(&["no", "yes", "relative", "absolute"])),
    live("oom-score-adj-values", Ints(3)),
    ours("pidfile", Text, PLACE),
    ours("port", PORT, PLACE),
    live("proc-title-template", Text),
    live("propagation-error-behavior", Enum(&["ignore", "panic", "panic-on-replicas"])).redis(7, 0),
    ours("protected-mode", Bool, PLACE),
    live("proto-max-bulk-len", Memory(1 << 20)),
    live("rdb-del-sync-files", Bool),
    live("rdb-save-incremental-fsync", Bool),
    restart("rdbchecksum", Bool),
    live("rdbcompression", Bool),
    live("repl-backlog-size", Memory(1)),
    ours("repl-backlog-ttl", Int(0, MAX), FENCE),
    live("repl-disable-tcp-nodelay", Bool),
    live("repl-diskless-load", Enum(&["disabled", "on-empty-db", "swapdb"])),
    live("repl-diskless-sync", Bool),
    live("repl-diskless-sync-delay", Int(0, I32)),
    live("repl-diskless-sync-max-replicas", Int(0, I32)).redis(7, 0),
    live("repl-ping-replica-period", Int(1, I32)).alias("repl-ping-slave-period"),
    live("repl-timeout", Int(1, I32)),
    ours("replica-announce-ip", Text, ADDRESS).alias("slave-announce-ip"),
    ours("replica-announce-port", PORT, ADDRESS).alias("slave-announce-port"),
    ours("replica-announced", Bool, ADDRESS),
    live("replica-ignore-disk-write-errors", Bool).redis(7, 0),
    live("replica-ignore-maxmemory", Bool).alias("slave-ignore-maxmemory"),
    live("replica-lazy-flush", Bool).alias("slave-lazy-flush"),
    live("replica-priority", Int(0, I32)).alias("slave-priority"),
    ours("replica-read-only", Bool, FENCE).alias("slave-read-only"),
    live("replica-serve-stale-data", Bool).alias("slave-serve-stale-data"),
    ours("replicaof", Words, GROUP).alias("slaveof"),
    ours("requirepass", Text, AUTH),
    live("sanitize-dump-payload", Enum(&["no", "yes", "clients"])),
    live("save", SavePoints),
    restart("server_cpulist", Text),
    live("set-max-intset-entries", Int(0, MAX)),
    restart("set-proc-title", Bool),
    ours("shutdown-on-sigint", Text, STOP).redis(7, 0),
    ours("shutdown-on-sigterm", Text, STOP).redis(7, 0),
    ours("shutdown-timeout", Int(0, I32), STOP).redis(7, 0),
    live("slowlog-log-slower-than", Int(-1, MAX)),
    live("slowlog-max-len", Int(0, MAX)),
    ours("socket-mark-id", Int(0, U32), PLACE).redis(7, 0),
    live("stop-writes-on-bgsave-error", Bool),
    live("stream-node-max-bytes", Memory(0)),
    live("stream-node-max-entries", Int(0, MAX)),
    ours("supervised", Enum(SUPERVISED), PLACE),
    restart("syslog-enabled", Bool),
    restart("syslog-facility", Enum(FACILITIES)),
    restart("syslog-ident", Text),
    restart("tcp-backlog", Int(0, I32)),
    live("tcp-keepalive", Int(0, I32)),
    live("timeout", Int(0, I32)),
    ours("tls-auth-clients", Enum(&["no", "yes", "optional"]), TLS),
    ours("tls-ca-cert-dir", Text, TLS),
    ours("tls-ca-cert-file", Text, TLS),
    ours("tls-cert-file", Text, TLS),
    live("tls-ciphers", Text),
    live("tls-ciphersuites", Text),
    ours("tls-client-cert-file", Text, TLS),
    ours("tls-client-key-file", Text, TLS),
    ours("tls-client-key-file-pass", Text, TLS),
    ours("tls-cluster", Bool, TLS),
    live("tls-dh-params-file", Text),
    ours("tls-key-file", Text, TLS),
    ours("tls-key-file-pass", Text, TLS),
    ours("tls-port", PORT, PLACE),
    live("tls-prefer-server-ciphers", Bool),
    live("tls-protocols", Text),
    ours("tls-replication", Bool, TLS),
    live("tls-session-cache-size", Int(0, I32)),
    live("tls-session-cache-timeout", Int(0, I32)),
    live("tls-session-caching", Bool),
    live("tracking-table-max-keys", Int(0, MAX)),
    ours("unixsocket", Text, PLACE),
    ours("unixsocketperm", Text, PLACE),
    live("zset-max-listpack-entries", Int(0, MAX)).renamed_from("zset-max-ziplist-entries"),
    live("zset-max-listpack-value", Memory(0)).renamed_from("zset-max-ziplist-value"),
];

/// What only some others have, and what is no `CONFIG GET` name.
#[rustfmt::skip]
const NEWER: &[Directive] = &[
    ours("user", Text, AUTH),
    ours("include", Text, AGENT),
    ours("rename-command", Text, "use ACL rules in spec.auth.users"),
    restart("loadmodule", Words),
    live("maxmemory-policy", Enum(POLICIES_8_6)).redis(8, 6).no_valkey(),
    live("gopher-enabled", Bool).redis_until(7, 0).no_valkey(),
    live("key-load-delay", Int(-I32, I32)),
    live("rdb-key-save-delay", Int(-I32, I32)),
    live("loading-process-events-interval-bytes", Int(1024, I32)),
    // 7.2
    live("set-max-listpack-entries", Int(0, MAX)).redis(7, 2),
    live("set-max-listpack-value", Int(0, MAX)).redis(7, 2),
    live("locale-collate", Text).redis(7, 2),
    ours("cluster-announce-human-nodename", Text, ADDRESS).redis(7, 2),
    live("extended-redis-compatibility", Bool).no_redis(),
    // 7.4, 8.x
    live("max-new-connections-per-cycle", Int(1, 1000)).redis(7, 4).valkey(8, 0),
    live("max-new-tls-connections-per-cycle", Int(1, 1000)).redis(7, 4).valkey(8, 0),
    live("hide-user-data-from-log", Bool).redis(7, 4).valkey(8, 0),
    live("replica-full-sync-buffer-limit", Memory(0)).redis(8, 0).no_valkey(),
    live("repl-rdb-channel", Bool).redis(8, 0).no_valkey(),
    live("cluster-compatibility-sample-ratio", Int(0, 100)).redis(8, 0).no_valkey(),
    live("lookahead", Int(1, I32)).redis(8, 0).no_valkey(),
    live("vset-force-single-threaded-execution", Bool).redis(8, 0).no_valkey(),
    live("aof-load-corrupt-tail-max-size", Int(0, MAX)).redis(8, 4).no_valkey(),
    live("cluster-slot-migration-handoff-max-lag-bytes", Memory(0)).redis(8, 4).no_valkey(),
    live("cluster-slot-migration-write-pause-timeout", Int(0, MAX)).redis(8, 4).no_valkey(),
    live("cluster-slot-migration-max-archived-tasks", Int(1, MAX)).redis(8, 4).no_valkey(),
    live("cluster-slot-stats-enabled", Text).redis(8, 6).valkey(8, 0),
    ours("tls-auth-clients-user", Text, TLS).redis(8, 6).valkey(9, 1),
    ours("preload-file", Text, FILES).redis(8, 10).no_valkey(),
    ours("backupdirname", Text, FILES).redis(8, 10).no_valkey(),
    live("backup-sealed-ttl", Int(0, MAX)).redis(8, 10).no_valkey(),
    // Valkey 8.0
    ours("primaryauth", Text, AUTH).no_redis().valkey(8, 0),
    ours("primaryuser", Text, AUTH).no_redis().valkey(8, 0),
    live("dual-channel-replication-enabled", Bool).no_redis().valkey(8, 0),
    live("prefetch-batch-max-size", Int(0, 128)).no_redis().valkey(8, 0),
    live("events-per-io-thread", Int(0, I32)).no_redis().valkey(8, 0),
    live("cluster-blacklist-ttl", Int(0, MAX)).no_redis().valkey(8, 0),
    live("availability-zone", Text).no_redis().valkey(8, 0),
    ours("unixsocketgroup", Text, PLACE).no_redis().valkey(8, 0),
    ours("cluster-announce-client-ipv4", Text, ADDRESS).no_redis().valkey(8, 0),
    ours("cluster-announce-client-ipv6", Text, ADDRESS).no_redis().valkey(8, 0),
    restart("server-cpulist", Text).redis(8, 0).valkey(8, 0),
    restart("bio-cpulist", Text).redis(8, 0).valkey(8, 0),
    restart("aof-rewrite-cpulist", Text).redis(8, 0).valkey(8, 0),
    restart("bgsave-cpulist", Text).redis(8, 0).valkey(8, 0),
    // Valkey 8.1
    live("rdb-version-check", Enum(&["strict", "relaxed"])).no_redis().valkey(8, 1),
    live("commandlog-execution-slower-than", Int(-1, MAX)).no_redis().valkey(8, 1),
    live("commandlog-slow-execution-max-len", Int(0, MAX)).no_redis().valkey(8, 1),
    live("commandlog-request-larger-than", Int(-1, MAX)).no_redis().valkey(8, 1),
    live("commandlog-large-request-max-len", Int(0, MAX)).no_redis().valkey(8, 1),
    live("commandlog-reply-larger-than", Int(-1, MAX)).no_redis().valkey(8, 1),
    live("commandlog-large-reply-max-len", Int(0, MAX)).no_redis().valkey(8, 1),
    live("cluster-manual-failover-timeout", Int(1, I32)).no_redis().valkey(8, 1),
    live("active-defrag-cycle-us", Int(0, 100_000)).no_redis().valkey(8, 1),
    live("log-format", Enum(&["legacy", "logfmt"])).no_redis().valkey(8, 1),
    live("log-timestamp-format", Enum(TIMESTAMPS)).no_redis().valkey(8, 1),
    restart("hash-seed", Text).no_redis().valkey(8, 1),
    ours("import-mode", Bool, AGENT).no_redis().valkey(8, 1),
    ours("rdma-port", PORT, PLACE).no_redis().valkey(8, 1),
    ours("rdma-bind", Text, PLACE).no_redis().valkey(8, 1),
    restart("rdma-rx-size", Int(65_536, 16_777_216)).no_redis().valkey(8, 1),
    restart("rdma-completion-vector", Int(-1, I32)).no_redis().valkey(8, 1),
    restart("lua-enable-insecure-api", Bool).no_redis().valkey(8, 1),
    // Valkey 9
    restart("cluster-databases", Int(1, I32)).no_redis().valkey(9, 0),
    live("cluster-slot-migration-log-max-len", Int(0, MAX)).no_redis().valkey(9, 0),
    live("slot-migration-max-failover-repl-bytes", Int(-1, MAX)).no_redis().valkey(9, 0),
    restart("mptcp", Bool).no_redis().valkey(9, 0),
    live("repl-mptcp", Bool).no_redis().valkey(9, 0),
    live("tls-auto-reload-interval", Int(0, I32)).no_redis().valkey(9, 1),
    live("cluster-config-save-behavior", Enum(&["sync", "best-effort"])).no_redis().valkey(9, 1),
];
