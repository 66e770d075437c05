//! Where a running engine differs from its file.

use std::collections::BTreeMap;

use crate::Engine;
use crate::directive::{self, Applied, Kind, same};

/// One directive that an engine has with another value than it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// The directive.
    pub name: String,
    /// What the file says.
    pub wanted: String,
    /// What the engine says.
    pub actual: String,
    /// `CONFIG SET` is enough; else the engine must be started again.
    pub live: bool,
}

/// What the agent itself changes while the engine runs, and secrets: not the file's business.
const AT_RUNTIME: &[&str] = &["replicaof", "min-replicas-to-write", "masterauth", "masteruser"];

/// Of what Interrex owns, this may be set live; the rest of it needs a restart.
const OURS_LIVE: &[&str] = &[
    "bind",
    "protected-mode",
    "replica-announce-ip",
    "replica-announce-port",
    "replica-read-only",
    "repl-backlog-ttl",
    "min-replicas-max-lag",
    "shutdown-timeout",
];

pub(super) fn between(
    engine: Engine,
    wanted: &[(String, String)],
    actual: &BTreeMap<String, String>,
) -> Vec<Drift> {
    let drift = |(name, wanted): &(String, String)| {
        // Not in the map: hidden from CONFIG GET, or never there (loadmodule).
        let actual = actual.get(name)?;
        if AT_RUNTIME.contains(&name.as_str()) {
            return None;
        }
        let known = directive::find(name, engine);
        let kind = known.map_or(Kind::Text, |known| known.kind);
        if same(kind, wanted, actual) {
            return None;
        }
        let live = match known.map(|known| known.applied) {
            // A module's own, unknown here: most can be set, and a refusal is reported.
            Some(Applied::Live) | None => true,
            Some(Applied::Ours(_)) => OURS_LIVE.contains(&name.as_str()),
            Some(Applied::Restart) => false,
        };
        Some(Drift { name: name.clone(), wanted: wanted.clone(), actual: actual.clone(), live })
    };
    wanted.iter().filter_map(drift).collect()
}
