//! Which engine this is and what it can do: the only place where versions branch. Facts: engine.md
//! 7.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Info;

/// The oldest Redis that Interrex runs; every Valkey is newer.
pub const OLDEST_REDIS: Version = Version::new(6, 2, 0);

/// The family of the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Flavor {
    /// `redis-server`.
    Redis,
    /// `valkey-server`.
    Valkey,
}

impl Flavor {
    /// The name of the program.
    pub fn program(self) -> &'static str {
        match self {
            Self::Redis => "redis-server",
            Self::Valkey => "valkey-server",
        }
    }
}

impl fmt::Display for Flavor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Redis => "redis",
            Self::Valkey => "valkey",
        })
    }
}

/// A version of an engine. A suffix such as `-rc1` is read and dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Version {
    /// First number.
    pub major: u32,
    /// Second number.
    pub minor: u32,
    /// Third number, 0 when it was left out.
    pub patch: u32,
}

impl Version {
    /// A version from its three numbers.
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self { major, minor, patch }
    }

    /// Whether this is `major.minor` or newer.
    pub const fn since(self, major: u32, minor: u32) -> bool {
        self.major > major || (self.major == major && self.minor >= minor)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// Why it is not known which engine this is, or why it cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FlavorError {
    /// A text that should have been a version.
    #[error("read engine version {text:?}: want numbers such as 7.0.15 or 8.1")]
    BadVersion {
        /// What was read.
        text: String,
    },
    /// What `--version` printed is no engine's line.
    #[error("read the output of --version: no engine's line, it starts with {start:?}")]
    BadVersionLine {
        /// The first characters of it.
        start: String,
    },
    /// `INFO server` without a version.
    #[error("read engine version from INFO: neither redis_version nor valkey_version in it")]
    NoVersionInInfo,
    /// Older than anything that Interrex knows how to keep safe.
    #[error(
        "use {flavor} {version}: too old, Interrex needs redis {OLDEST_REDIS} or newer, or any \
         valkey"
    )]
    TooOld {
        /// The family.
        flavor: Flavor,
        /// What was found.
        version: Version,
    },
}

impl FromStr for Version {
    type Err = FlavorError;

    fn from_str(text: &str) -> Result<Self, FlavorError> {
        let bad = || FlavorError::BadVersion { text: text.to_owned() };
        let numbers = text.trim().split('-').next().unwrap_or_default();
        let mut parts = numbers.split('.').map(|part| part.parse::<u32>().map_err(|_| bad()));
        let major = parts.next().ok_or_else(bad)??;
        let minor = parts.next().transpose()?.unwrap_or(0);
        let patch = parts.next().transpose()?.unwrap_or(0);
        if parts.next().is_some() {
            return Err(bad());
        }
        Ok(Self { major, minor, patch })
    }
}

/// A family and a version: all that decides what an engine can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Engine {
    /// The family.
    pub flavor: Flavor,
    /// The version.
    pub version: Version,
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.flavor, self.version)
    }
}

impl Engine {
    /// An engine that Interrex can run, else [`FlavorError::TooOld`].
    pub fn new(flavor: Flavor, version: Version) -> Result<Self, FlavorError> {
        if flavor == Flavor::Redis && version < OLDEST_REDIS {
            return Err(FlavorError::TooOld { flavor, version });
        }
        Ok(Self { flavor, version })
    }

    /// From the output of `redis-server --version` or `valkey-server --version`. The line decides,
    /// not the program's name: distributions link `redis-server` to a Valkey.
    pub fn from_version_output(output: &str) -> Result<Self, FlavorError> {
        let bad = || FlavorError::BadVersionLine { start: output.chars().take(40).collect() };
        let line = output.lines().find(|line| line.contains("erver v=")).ok_or_else(bad)?;
        let (program, rest) = line.split_once(" v=").ok_or_else(bad)?;
        // Redis has always put its name before "server"; early Valkeys put none.
        let flavor = if program.trim_start().to_ascii_lowercase().starts_with("redis") {
            Flavor::Redis
        } else {
            Flavor::Valkey
        };
        Self::new(flavor, rest.split_whitespace().next().ok_or_else(bad)?.parse()?)
    }

    /// From `INFO server`. `redis_version` of a Valkey is 7.2.4 for ever, so `valkey_version` comes
    /// first (engine.md 0, 20).
    pub fn from_info(info: &Info) -> Result<Self, FlavorError> {
        match (&info.server.valkey_version, &info.server.redis_version) {
            (Some(version), _) => Self::new(Flavor::Valkey, version.parse()?),
            (None, Some(version)) => Self::new(Flavor::Redis, version.parse()?),
            (None, None) => Err(FlavorError::NoVersionInInfo),
        }
    }

    /// What it can do.
    pub const fn capabilities(self) -> Capabilities {
        let redis = matches!(self.flavor, Flavor::Redis);
        let v = self.version;
        let valkey8 = !redis && v.since(8, 0);
        let seven = !redis || v.since(7, 0);
        let seven_two = !redis || v.since(7, 2);
        Capabilities {
            gate_module: seven,
            multi_part_aof: seven,
            multi_config_set: seven,
            shutdown_now: seven,
            replica_ignores_disk_errors: seven,
            protected_commands: seven,
            acl_pubsub_reset: seven,
            diskless_sync_default: seven,
            primary_restart_partial: seven,
            client_eviction: seven,
            acl_subcommand_deny: seven,
            waitaof: seven_two,
            forget_gossip: seven_two,
            primary_names: valkey8,
            client_capa_redirect: valkey8,
            lazyfree_default: valkey8,
            server_mode_field: valkey8,
            acl_load_keeps_connections: valkey8 || (redis && v.since(7, 4)),
            counts_alone: seven_two,
            offset_restored_after_aof: redis && v.since(8, 0),
            dual_channel: valkey8 || (redis && v.since(8, 0)),
            hash_field_ttl: (redis && v.since(7, 4)) || (!redis && v.since(9, 0)),
            shutdown_safe: !redis && v.since(9, 0),
            repl_backlog_default_bytes: if valkey8 { 10 << 20 } else { 1 << 20 },
            rdb_version: rdb_version(self),
        }
    }
}

/// The RDB version that an engine writes; it reads that and older ones, Redis and Valkey ≥ 7.4/9
/// apart (engine.md 4.5).
const fn rdb_version(engine: Engine) -> u32 {
    let v = engine.version;
    match engine.flavor {
        Flavor::Redis if v.since(8, 6) => 13,
        Flavor::Redis if v.since(7, 4) => 12,
        Flavor::Redis if v.since(7, 2) => 11,
        Flavor::Redis if v.since(7, 0) => 10,
        Flavor::Redis => 9,
        Flavor::Valkey if v.since(9, 0) => 80,
        Flavor::Valkey => 11,
    }
}

/// What an engine can do, each from the table of engine.md 7.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Loads the gate: modules with event-loop events (failover.md 2.7 G2).
    pub gate_module: bool,
    /// The append-only file is a directory with a manifest.
    pub multi_part_aof: bool,
    /// `CONFIG SET` and `CONFIG GET` take several names at once, and set all or none.
    pub multi_config_set: bool,
    /// `SHUTDOWN NOW`, `FORCE`, `ABORT`; SIGTERM waits up to `shutdown-timeout` for replicas.
    pub shutdown_now: bool,
    /// Knows `replica-ignore-disk-write-errors`, and *panics* on a replica's disk error without it.
    pub replica_ignores_disk_errors: bool,
    /// Knows `enable-module-command` and `enable-debug-command`.
    pub protected_commands: bool,
    /// New users see no channel unless told so (`acl-pubsub-default resetchannels`).
    pub acl_pubsub_reset: bool,
    /// `repl-diskless-sync` is on by default.
    pub diskless_sync_default: bool,
    /// Replicas of a primary that restarted from an RDB resync partially.
    pub primary_restart_partial: bool,
    /// Knows `maxmemory-clients`.
    pub client_eviction: bool,
    /// An ACL rule may deny one subcommand: `-config|set`.
    pub acl_subcommand_deny: bool,
    /// `WAITAOF`.
    pub waitaof: bool,
    /// `CLUSTER FORGET` travels by itself.
    pub forget_gossip: bool,
    /// `primaryauth`, `primaryuser`, `CLIENT KILL TYPE primary`.
    pub primary_names: bool,
    /// `CLIENT CAPA redirect`.
    pub client_capa_redirect: bool,
    /// `lazyfree-lazy-*` are on by default.
    pub lazyfree_default: bool,
    /// `INFO` says `server_mode` in place of `redis_mode`.
    pub server_mode_field: bool,
    /// `ACL LOAD` does not cut the users' connections.
    pub acl_load_keeps_connections: bool,
    /// The offset of a primary moves while there was never a replica.
    pub counts_alone: bool,
    /// After a start from the append-only file the offset is what it was.
    pub offset_restored_after_aof: bool,
    /// A full sync can use a second connection.
    pub dual_channel: bool,
    /// Fields of a hash can expire; such data do not go back to older engines.
    pub hash_field_ttl: bool,
    /// `SHUTDOWN SAFE` and `FAILOVER`.
    pub shutdown_safe: bool,
    /// `repl-backlog-size` when nothing is set.
    pub repl_backlog_default_bytes: u64,
    /// The RDB version that it writes; 80 is Valkey 9's own format.
    pub rdb_version: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn engine(flavor: Flavor, version: &str) -> Engine {
        Engine::new(flavor, version.parse().unwrap()).unwrap()
    }

    #[test]
    fn version_lines_of_real_programs() {
        for (line, want) in [
            (
                "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 \
                 build=ae4d7c971a948f0\n",
                "redis 7.0.15",
            ),
            ("Redis server v=6.2.16 sha=00000000:0 malloc=libc bits=64 build=1\n", "redis 6.2.16"),
            ("Redis server v=8.0-rc1 sha=0 bits=64\n", "redis 8.0.0"),
            ("Valkey server v=8.1.1 sha=00000000:0 malloc=jemalloc-5.3.0\n", "valkey 8.1.1"),
            ("Server v=7.2.7 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64\n", "valkey 7.2.7"),
            ("locale warning\nValkey server v=9.1.2 sha=0\n", "valkey 9.1.2"),
        ] {
            assert_eq!(Engine::from_version_output(line).unwrap().to_string(), want);
        }
    }

    #[test]
    fn what_is_no_engine_is_named() {
        let error = Engine::from_version_output("bash: no such file").unwrap_err();
        assert!(error.to_string().contains("bash: no such file"), "{error}");
        let error = Engine::from_version_output("Redis server v=x.y sha=0").unwrap_err();
        assert!(error.to_string().contains("x.y"), "{error}");
        let error = Engine::from_version_output("Redis server v=6.0.16 sha=0").unwrap_err();
        assert!(error.to_string().contains("too old"), "{error}");
        assert!(error.to_string().contains("6.2.0"), "{error}");
    }

    #[test]
    fn a_valkey_is_not_taken_for_the_redis_that_it_says_it_is() {
        let info = Info::parse("# Server\r\nredis_version:7.2.4\r\nvalkey_version:8.1.1\r\n");
        assert_eq!(Engine::from_info(&info.unwrap()).unwrap(), engine(Flavor::Valkey, "8.1.1"));
        let none = Info::parse("# Replication\r\nrole:master\r\n").unwrap();
        assert_eq!(Engine::from_info(&none), Err(FlavorError::NoVersionInInfo));
    }

    #[test]
    fn capabilities_follow_the_table() {
        let c = |flavor, version| engine(flavor, version).capabilities();
        let (r62, r70) = (c(Flavor::Redis, "6.2.16"), c(Flavor::Redis, "7.0.15"));
        assert!(!r62.gate_module && r70.gate_module);
        assert!(!r62.replica_ignores_disk_errors && r70.replica_ignores_disk_errors);
        assert!(!r70.waitaof && c(Flavor::Redis, "7.2.6").waitaof);
        assert!(c(Flavor::Valkey, "7.2.7").waitaof);
        assert!(!c(Flavor::Valkey, "7.2.7").primary_names);
        assert!(c(Flavor::Valkey, "8.0.1").primary_names);
        assert!(!c(Flavor::Redis, "8.0.6").primary_names);
        assert!(c(Flavor::Redis, "8.0.6").offset_restored_after_aof);
        assert!(!c(Flavor::Valkey, "9.1.2").offset_restored_after_aof);
        assert!(!c(Flavor::Redis, "7.2.6").acl_load_keeps_connections);
        assert!(c(Flavor::Redis, "7.4.1").acl_load_keeps_connections);
        assert_eq!(c(Flavor::Valkey, "8.1.1").rdb_version, 11);
        assert_eq!(c(Flavor::Valkey, "9.1.2").rdb_version, 80);
        assert_eq!(r62.rdb_version, 9);
        assert_eq!(r70.repl_backlog_default_bytes, 1 << 20);
    }

    #[test]
    fn versions_order() {
        let parse = |text: &str| text.parse::<Version>();
        assert!(parse("7.0.15").unwrap() < parse("7.2").unwrap());
        assert_eq!(parse("8").unwrap(), Version::new(8, 0, 0));
        for bad in ["", "x", "7.0.1.2", "7..1", "-1"] {
            assert!(parse(bad).is_err(), "{bad:?} was read as a version");
        }
    }
}
