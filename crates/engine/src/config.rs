//! The configuration file of an engine under an agent: built whole from the spec and the place,
//! and compared with what an engine says it has. Reasons for each value: engine.md 6.4.

mod defaults;
mod drift;

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use thiserror::Error;

use crate::Engine;
use crate::directive::{self, DirectiveError, Kind};

pub use drift::Drift;

/// The address that every engine follows at its start: nobody answers there, so it loads its data,
/// serves reads, refuses writes and gives its stream to nobody (engine.md 0, 4).
pub const DEAD_END: (&str, u16) = ("127.0.0.1", 1);

/// The user as which the agent speaks to its own engine.
pub const AGENT_USER: &str = "interrex";

/// What the agent's user may: everything. Its password lives only in the engine's 0600 file.
pub const AGENT_RULES: &str = "~* &* +@all";

/// What a replication user may, one for each member (failover.md 2.4, admission).
pub const REPLICATION_RULES: &str = "+psync +sync +replconf +ping";

/// Whether a directive decides how the data reach the disk.
pub fn decides_persistence(name: &str) -> bool {
    matches!(name, "appendfsync" | "appendonly" | "save")
}

/// How the data reach the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Persistence {
    /// Not at all: a member that stops is empty.
    None,
    /// Snapshots, by the engine's usual save points.
    Rdb,
    /// The append-only file, flushed each second: the default where there is storage.
    AofEverysec,
    /// The append-only file, flushed before every answer.
    AofAlways,
}

impl Persistence {
    /// What a group with or without storage gets when its own directives are counted in.
    pub fn of(storage: bool, user: &BTreeMap<String, String>) -> Self {
        let get = |name: &str| user.get(name).map(|value| value.trim().to_ascii_lowercase());
        match (get("appendonly").as_deref(), get("save").as_deref()) {
            (Some("no"), Some("")) => Self::None,
            (Some("no"), None) if !storage => Self::None,
            (Some("no"), _) => Self::Rdb,
            (None, Some(points)) if !storage && !points.is_empty() => Self::Rdb,
            (None, _) if !storage => Self::None,
            _ if get("appendfsync").as_deref() == Some("always") => Self::AofAlways,
            _ => Self::AofEverysec,
        }
    }

    /// Whether anything is on the disk after a stop.
    pub fn is_persistent(self) -> bool {
        self != Self::None
    }

    /// Whether the append-only file is on.
    pub fn has_aof(self) -> bool {
        matches!(self, Self::AofEverysec | Self::AofAlways)
    }
}

/// One user of the engine.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name; `default` is who a client is that gives no name.
    pub name: String,
    /// SHA-256 of its passwords, each 64 hexadecimal digits: any of them is right. `None` is
    /// "needs no password".
    pub password_sha256: Option<Vec<String>>,
    /// Its ACL rules, such as `~* &* +@all`.
    pub rules: String,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("name", &self.name)
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

/// The gate module (failover.md 2.7 G2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    /// Path of the shared object.
    pub module: String,
    /// Its arguments, the mapped file first.
    pub arguments: Vec<String>,
}

/// Everything that decides an engine's file.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The engine that reads the file.
    pub engine: Engine,
    /// `spec.config`.
    pub user: BTreeMap<String, String>,
    /// How the data reach the disk.
    pub persistence: Persistence,
    /// Durability `cache`: availability before data (failover.md 2.8).
    pub cache: bool,
    /// The limit when `spec.config` has none; `None` leaves the engine without one.
    pub maxmemory_bytes: Option<u64>,
    /// TCP port.
    pub port: u16,
    /// Addresses to listen on.
    pub bind: Vec<String>,
    /// Data directory, an absolute path.
    pub dir: String,
    /// Unix socket over which the agent speaks to it.
    pub unix_socket: Option<String>,
    /// Address and port that others are told; an address, never a name (engine.md 0, 11).
    pub announce: Option<(String, u16)>,
    /// Seconds of silence after which a replica no longer counts (F5): 3, or 1 with profile fast.
    pub max_lag_s: u32,
    /// Seconds that a SIGTERM waits for lagging replicas; less than the place's grace.
    pub shutdown_timeout_s: u32,
    /// The gate, where the engine can load it.
    pub gate: Option<Gate>,
    /// Users. Replication users come at runtime.
    pub accounts: Vec<Account>,
}

/// Why a file cannot be rendered.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// A directive of `spec.config` is refused.
    #[error("render the engine's configuration: {0}")]
    Directive(DirectiveError),
    /// Two names of one directive.
    #[error("render the engine's configuration: {first} and {second} are the same directive")]
    Twice {
        /// One name.
        first: String,
        /// The other.
        second: String,
    },
    /// A password hash that is none. It is not shown.
    #[error("render user {user}: a password hash must have 64 hexadecimal digits, it has {length}")]
    PasswordHash {
        /// Whose.
        user: String,
        /// Characters that it has.
        length: usize,
    },
    /// A line end or another control character where the file allows none.
    #[error("render {what}: {value:?} has a control character in it")]
    Control {
        /// Which setting.
        what: &'static str,
        /// The value.
        value: String,
    },
}

/// A whole configuration file: every directive once, in the order in which it is written.
#[derive(Clone, PartialEq, Eq)]
pub struct Rendered {
    engine: Engine,
    directives: Vec<(String, String)>,
    gate: Option<Gate>,
    accounts: Vec<Account>,
}

impl fmt::Debug for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rendered")
            .field("engine", &self.engine)
            .field("directives", &self.directives)
            .field("accounts", &self.accounts)
            .finish_non_exhaustive()
    }
}

/// Builds the file. `spec.config` wins over defaults, and is refused where the group must decide.
pub fn render(settings: &Settings) -> Result<Rendered, ConfigError> {
    check_place(settings)?;
    let mut user: BTreeMap<String, (String, String)> = BTreeMap::new();
    for (name, value) in &settings.user {
        let known = directive::check(name, value, settings.engine);
        let known = known.map_err(ConfigError::Directive)?;
        // A module's own directives share one entry of the table, so they go by their own name.
        let key = if known.is_named(&name.to_ascii_lowercase()) { known.name } else { name };
        let entry = (name.to_ascii_lowercase(), value.trim().to_owned());
        if let Some((first, _)) = user.insert(key.to_owned(), entry) {
            return Err(ConfigError::Twice { first, second: name.clone() });
        }
    }
    let mut directives = defaults::place(settings);
    for (name, value) in defaults::wishes(settings, &user) {
        if !user.contains_key(name) {
            directives.push((name.to_owned(), value));
        }
    }
    directives.extend(user.into_values());
    Ok(Rendered {
        engine: settings.engine,
        directives,
        gate: settings.gate.clone(),
        accounts: settings.accounts.clone(),
    })
}

fn check_place(settings: &Settings) -> Result<(), ConfigError> {
    let gate =
        settings.gate.iter().flat_map(|gate| [&gate.module].into_iter().chain(&gate.arguments));
    let texts = [("dir", &settings.dir)]
        .into_iter()
        .chain(settings.bind.iter().map(|value| ("bind", value)))
        .chain(settings.unix_socket.iter().map(|value| ("unixsocket", value)))
        .chain(settings.announce.iter().map(|(host, _)| ("replica-announce-ip", host)))
        .chain(gate.map(|value| ("loadmodule", value)))
        .chain(settings.accounts.iter().flat_map(|a| [("user", &a.name), ("user", &a.rules)]));
    for (what, value) in texts {
        if value.chars().any(char::is_control) {
            return Err(ConfigError::Control { what, value: value.clone() });
        }
    }
    for account in &settings.accounts {
        for hash in account.password_sha256.iter().flatten() {
            if hash.len() != 64 || !hash.bytes().all(|b| b.is_ascii_hexdigit()) {
                let (user, length) = (account.name.clone(), hash.len());
                return Err(ConfigError::PasswordHash { user, length });
            }
        }
    }
    Ok(())
}

impl Rendered {
    /// The value of a directive by the name under which it was rendered.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.directives.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Every directive and value, users and the gate left out: nothing secret in it.
    pub fn directives(&self) -> impl Iterator<Item = (&str, &str)> {
        self.directives.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The file's text. It has hashes of passwords in it: write it with mode 0600, log it never.
    pub fn text(&self) -> String {
        let mut text =
            String::from("# Written by interrex at each start; changes here are lost.\n");
        for (name, value) in &self.directives {
            let kind = directive::find(name, self.engine).map_or(Kind::Text, |known| known.kind);
            write_directive(&mut text, name, kind, value);
        }
        if let Some(gate) = &self.gate {
            let arguments = gate.arguments.iter().map(|word| quoted(word));
            let words: Vec<String> = [quoted(&gate.module)].into_iter().chain(arguments).collect();
            line(&mut text, "loadmodule", &words.join(" "));
        }
        for account in &self.accounts {
            let password = match &account.password_sha256 {
                None => "nopass".to_owned(),
                Some(hashes) => {
                    let hashes = hashes.iter().map(|hash| format!("#{}", hash.to_lowercase()));
                    hashes.collect::<Vec<_>>().join(" ")
                }
            };
            let user = format!("{} on {password} {}", quoted(&account.name), account.rules);
            line(&mut text, "user", &user);
        }
        text
    }

    /// Where a running engine differs, `actual` being its `CONFIG GET *`. What the agent changes at
    /// runtime (role, replication password, `min-replicas-to-write`, users) is not compared.
    pub fn diff(&self, actual: &BTreeMap<String, String>) -> Vec<Drift> {
        drift::between(self.engine, &self.directives, actual)
    }
}

fn line(text: &mut String, name: &str, value: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{name} {value}");
}

/// Redis 6.2 takes one save point and one output buffer a line; all newer ones do as well.
fn write_directive(text: &mut String, name: &str, kind: Kind, value: &str) {
    let words: Vec<&str> = value.split_whitespace().collect();
    let group = match kind {
        Kind::SavePoints => 2,
        Kind::OutputBuffers => 4,
        Kind::Ints(_) | Kind::Words => words.len(),
        _ => return line(text, name, &quoted(value)),
    };
    if words.is_empty() || value.trim_matches('"').is_empty() {
        return line(text, name, "\"\"");
    }
    for group in words.chunks(group) {
        let group: Vec<String> = group.iter().map(|word| quoted(word)).collect();
        line(text, name, &group.join(" "));
    }
}

/// One word as the engine's file wants it: bare where that is safe.
fn quoted(word: &str) -> String {
    let bare = |b: u8| b.is_ascii_alphanumeric() || b"-_./:*%,+@=".contains(&b);
    if !word.is_empty() && word.bytes().all(bare) {
        return word.to_owned();
    }
    let escaped = word.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{escaped}\"")
}

/// The limit for an engine that may use `limit_bytes` (of the cgroup, or its share of the machine):
/// 75 % for a cache; 60 % where forks copy pages while they write files. Judgement, engine.md 6.4.
pub fn maxmemory_bytes(limit_bytes: u64, persistent: bool) -> u64 {
    limit_bytes / 100 * if persistent { 60 } else { 75 }
}

/// What clients may by default: everything but what would undo the group, such as changing the
/// role, the users or the configuration.
pub fn application_rules(engine: Engine) -> String {
    let denied = "-replicaof -slaveof -failover -shutdown -debug -module -psync -sync -replconf";
    let more = if engine.capabilities().acl_subcommand_deny {
        "-config|set -config|rewrite -acl|setuser -acl|deluser -acl|load -acl|save \
         -client|pause -client|unpause"
    } else {
        "-config -acl"
    };
    format!("~* &* +@all {denied} {more}")
}

#[cfg(test)]
mod tests;
