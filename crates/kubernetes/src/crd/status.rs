//! `status`: what the operator says of a group, in Rust and as a schema.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use serde::{Deserialize, Serialize};

use super::schema::{Field, flag, list, object, text, whole, word};

/// The group takes writes, and every member is there and complete.
pub const READY: &str = "Ready";
/// Should the primary die now, another member could take over; its reason when not.
pub const FAILOVER_POSSIBLE: &str = "FailoverPossible";
/// A change is on its way through the members.
pub const PROGRESSING: &str = "Progressing";
/// It works, with less than what is asked for.
pub const DEGRADED: &str = "Degraded";
/// Writes that were acknowledged are on one member only.
pub const DATA_AT_RISK: &str = "DataAtRisk";

/// How a group is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Status {
    /// The generation of the spec that all of this is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// One sentence for people: what is the matter, or that all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// `1+2`: one primary and two replicas; `3×(1+1)`: a cluster of three shards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topology: Option<String>,
    /// `2/3`: members that are ready, and members that are asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<String>,
    /// The member that leads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary: Option<String>,
    /// The member that leads, or led last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_primary: Option<String>,
    /// The epoch of its authority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
    /// Replicas that there are, for the scale subresource: members other than the primary.
    pub replicas: u32,
    /// Which pods are members, for the scale subresource: `key=value`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// Every member, by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<MemberStatus>,
    /// The last time that the primary's role moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_failover: Option<LastFailover>,
    /// The last time that the group lost all of its data and began anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_data_loss: Option<LastDataLoss>,
    /// [`READY`], [`FAILOVER_POSSIBLE`], [`PROGRESSING`], [`DEGRADED`], [`DATA_AT_RISK`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// What a member is now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MemberRole {
    /// It has authority.
    Primary,
    /// It follows.
    Replica,
    /// It serves nobody.
    #[default]
    None,
}

/// What a member's link to its primary is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LinkState {
    /// Writes arrive.
    Up,
    /// A copy of everything is on its way.
    Syncing,
    /// Nothing arrives.
    Down,
}

/// One member, as its own agent and the pod tell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MemberStatus {
    /// The pod.
    pub name: String,
    /// What it is.
    pub role: MemberRole,
    /// The host it runs on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Its link, of a replica.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<LinkState>,
    /// How far it is behind, as a class that seldom changes: `fresh`, `behind`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lag: Option<String>,
    /// Whether it has a whole copy of the data.
    pub complete: bool,
    /// Whether it could take over now.
    pub electable: bool,
    /// Why it could not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why_not: Option<String>,
    /// Whether its pod is ready.
    pub ready: bool,
    /// What went wrong with it last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How the primary's role moved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastFailover {
    /// Why, in the brain's words.
    pub cause: String,
    /// When the new primary had authority.
    pub at: Time,
    /// From the last write of the old primary to the first of the new one, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// Bytes of the stream that the old primary may have acknowledged and the new one lacks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_at_risk: Option<u64>,
    /// Who led before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Who leads since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// How a group lost everything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastDataLoss {
    /// Why, in the brain's words.
    pub cause: String,
    /// When the operator learnt of it.
    pub at: Time,
    /// The epoch in which the group was found to be empty.
    pub epoch: u64,
}

/// The schema of [`Status`].
pub(super) fn status() -> Field {
    let name = |what: &str| text(253, what);
    let message = "One sentence for people: what is the matter, or that all is well.";
    object("How the group is. The operator writes it; live figures: `interrex status`.")
        .field("observedGeneration", whole("The generation of the spec that this is about."))
        .field("message", text(4096, message))
        .field("topology", text(64, "`1+2`: one primary and two replicas."))
        .field("ready", text(32, "`2/3`: members that are ready, and that are asked for."))
        .field("primary", name("The member that leads."))
        .field("lastPrimary", name("The member that leads, or led last."))
        .field("epoch", whole("The epoch of its authority."))
        .field("replicas", whole("Members other than the primary, for the scale subresource."))
        .field("selector", text(512, "Which pods are members, for the scale subresource."))
        .field("members", list(16_000, member(), "Every member, by name.").keyed_by("name"))
        .field("lastFailover", last_failover())
        .field("lastDataLoss", last_data_loss())
        .field("conditions", conditions())
}

fn member() -> Field {
    object("One member.")
        .required("name", text(253, "The pod."))
        .field("role", word(&["primary", "replica", "none"], "What it is."))
        .field("host", text(253, "The host it runs on."))
        .field("link", word(&["up", "syncing", "down"], "Its link to the primary."))
        .field("lag", text(64, "How far it is behind, as a class: `fresh`, `behind`."))
        .field("complete", flag("Whether it has a whole copy of the data."))
        .field("electable", flag("Whether it could take over now."))
        .field("whyNot", text(1024, "Why it could not."))
        .field("ready", flag("Whether its pod is ready."))
        .field("error", text(4096, "What went wrong with it last."))
}

fn last_failover() -> Field {
    object("The last time that the primary's role moved.")
        .required("cause", text(1024, "Why."))
        .required("at", text(64, "When the new primary had authority.").moment())
        .field("durationMs", whole("From the old primary's last write to the new one's first."))
        .field("bytesAtRisk", whole("Bytes of writes that the new primary may lack."))
        .field("from", text(253, "Who led before."))
        .field("to", text(253, "Who leads since."))
}

fn last_data_loss() -> Field {
    object("The last time that the group lost all of its data and began anew, empty.")
        .required("cause", text(1024, "Why."))
        .required("at", text(64, "When the operator learnt of it.").moment())
        .required("epoch", whole("The epoch in which the group was found to be empty."))
}

fn conditions() -> Field {
    let condition = object("One of Ready, FailoverPossible, Progressing, Degraded, DataAtRisk.")
        .required("type", text(316, "Which."))
        .required("status", word(&["True", "False", "Unknown"], "Whether it holds."))
        .required("reason", text(1024, "Why, in one word."))
        .required("message", text(32_768, "Why, for people."))
        .required("lastTransitionTime", text(64, "Since when.").moment())
        .field("observedGeneration", whole("The generation of the spec that this is about."));
    list(16, condition, "What holds, and why.").keyed_by("type")
}
