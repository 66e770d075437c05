//! What a member says of itself and its group to people: the schema of `/v1/status` and the base of
//! `status -o json`. Fields are added, never renamed.

use serde::{Deserialize, Serialize};

/// One member's view, served by its agent at `/v1/status`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MemberReport {
    /// The group's tag.
    pub group: String,
    /// The member.
    pub name: String,
    /// The id of this run's place: the pod's UID, or the id kept in the member's directory.
    pub pod: String,
    /// `primary`, `replica`, `syncing`, `dead-end`, `candidate`, `promoting`, `fenced`, `down`,
    /// `stopping`.
    pub role: String,
    /// The engine's address, host:port.
    pub address: String,
    /// The engine's process id; 0 when none runs.
    pub engine_pid: u32,
    /// The agent's process id.
    pub agent_pid: u32,
    /// `redis 7.0.15`.
    pub engine: String,
    /// The record's epoch as this member knows it.
    pub epoch: u64,
    /// Who leads, as this member knows it.
    pub primary: Option<String>,
    /// Bytes behind the primary; `None` when unknown.
    pub lag: Option<u64>,
    /// Whether the dataset is whole.
    pub complete: bool,
    /// The stamp's epoch, offset and stream.
    pub stamp_epoch: u64,
    /// See `stamp_epoch`.
    pub offset: u64,
    /// See `stamp_epoch`.
    pub replid: String,
    /// How many keys.
    pub keys: u64,
    /// Bytes of memory in use.
    pub memory_bytes: u64,
    /// `maxmemory` in bytes; 0 for none.
    pub memory_max_bytes: u64,
    /// The engine's link to its upstream.
    pub link_up: bool,
    /// On the primary: how authority is held now.
    pub authority: Option<AuthorityReport>,
    /// `gate` or `process`.
    pub fence: String,
    /// Why it is `process`, where the spec did not ask for that.
    pub fence_why: Option<String>,
    /// Members that may succeed, as the record last seen says.
    pub electorate: Vec<String>,
    /// k.
    pub copies: u32,
    /// Whether this member could take over now; with the reason when not.
    pub electable: bool,
    /// Why it could not.
    pub why_not: Option<String>,
    /// Whether the store answered the last call.
    pub store_reachable: bool,
    /// Peers whose channel is open.
    pub peers_up: Vec<String>,
    /// Directives whose value in the engine is not the rendered one: name, wanted, actual.
    pub drift: Vec<(String, String, String)>,
    /// What stands in the way of a primary, if anything (`RecoveryBlocked`, `FailoverLoop` …).
    pub blocked: Option<String>,
    /// The newest decisions, oldest first.
    pub decisions: Vec<Decision>,
}

/// How a primary holds its authority (failover.md 2.4).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AuthorityReport {
    /// `lease+peers`, `lease`, `peers`, `alone` (nobody may succeed), `none`.
    pub mode: String,
    /// Milliseconds that the lease still holds.
    pub lease_left_ms: u64,
    /// Milliseconds that the peers' acks still hold; `None`: for ever, nobody may succeed.
    pub peers_left_ms: Option<u64>,
    /// Members whose acks are fresh, of how many.
    pub peers_fresh: u32,
    /// See `peers_fresh`.
    pub peers_total: u32,
    /// The lease is renewed lazily: the peers suffice.
    pub lazy: bool,
}

/// One decision with its reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Decision {
    /// Wall clock, milliseconds since 1970: for people only.
    pub at_ms: u64,
    /// Who decided.
    pub member: String,
    /// The epoch it was decided in.
    pub epoch: u64,
    /// The rule, a stable word such as `appointed`.
    pub rule: String,
    /// The sentence.
    pub text: String,
    /// Whether it is part of a failover's story (as opposed to routine).
    pub story: bool,
}
