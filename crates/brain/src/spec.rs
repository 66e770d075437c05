//! The resource `Redis` as a person writes it: its fields, their defaults, and what is refused
//! with its reason. Reading YAML is the caller's business.

mod check;
mod fields;
mod read;
mod timings;
mod units;
mod words;

use std::collections::BTreeMap;

use engine::config::Persistence;
use engine::{Engine, Flavor};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::time::Span;
use crate::timing::Timing;
use crate::topology::{Durability, Failsafe};

pub use fields::{
    Access, AclUser, Auth, Cluster, EngineField, External, Failover, IssuerRef, Pods, Replication,
    Resources, Sentinel, Storage, Tls, Toleration, Topology,
};
pub use units::{parse_duration_ms, parse_quantity_bytes};
pub use words::{
    AntiAffinity, ConfigValue, DurabilityField, DurabilityMode, FailsafeWord, Fencing, OnDelete,
    ProfileField, ProfileName, Routing, SpreadBy, TimingsField,
};

/// The only value of `apiVersion`.
pub const API_VERSION: &str = "interrex.io/v1alpha1";
/// The only value of `kind`.
pub const KIND: &str = "Redis";
/// The most replicas of one primary: beyond it the primary's own output is the limit.
pub const REPLICAS_MAX: u32 = 15;

/// The resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resource {
    /// [`API_VERSION`].
    pub api_version: String,
    /// [`KIND`].
    pub kind: String,
    /// Its name and labels.
    #[serde(deserialize_with = "read::metadata")]
    pub metadata: Metadata,
    /// What is wanted. Every field has a default: `spec: {}` is a group of three with a password.
    #[serde(default, deserialize_with = "read::spec")]
    pub spec: Spec,
    /// What Kubernetes adds to an object that was read back; not used.
    #[serde(default, skip_serializing)]
    pub status: Option<IgnoredAny>,
}

/// The part of Kubernetes' metadata that a group has.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// Name of the group: lower-case letters, digits and `-`.
    pub name: String,
    /// Namespace, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Labels, handed on.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations, handed on.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Kubernetes' own; not used.
    #[serde(default, skip_serializing)]
    pub uid: Option<IgnoredAny>,
    /// Kubernetes' own; not used.
    #[serde(default, skip_serializing)]
    pub resource_version: Option<IgnoredAny>,
    /// Kubernetes' own; not used.
    #[serde(default, skip_serializing)]
    pub generation: Option<IgnoredAny>,
    /// Kubernetes' own; not used.
    #[serde(default, skip_serializing)]
    pub creation_timestamp: Option<IgnoredAny>,
    /// Kubernetes' own; not used.
    #[serde(default, skip_serializing)]
    pub managed_fields: Option<IgnoredAny>,
    /// Kubernetes' own; not used.
    #[serde(default, skip_serializing)]
    pub finalizers: Option<IgnoredAny>,
    /// Kubernetes' own; not used.
    #[serde(default, skip_serializing)]
    pub owner_references: Option<IgnoredAny>,
}

/// What is wanted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Spec {
    /// Which engine. Default: the one that the place has.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "read::engine")]
    pub engine: Option<EngineField>,
    /// One primary with replicas, or a cluster. Default: two replicas.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "read::topology")]
    pub topology: Option<Topology>,
    /// What a write is worth. Default: `balanced`.
    pub durability: DurabilityField,
    /// How fast and by what a failure is answered.
    #[serde(deserialize_with = "read::failover")]
    pub failover: Failover,
    /// Where data are kept. Default: in memory only.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "read::storage")]
    pub storage: Option<Storage>,
    /// Directives of the engine, each checked by name and value.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub config: BTreeMap<String, ConfigValue>,
    /// Passwords and users. Default: one generated password.
    #[serde(deserialize_with = "read::auth")]
    pub auth: Auth,
    /// Encrypted connections. Default: none.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "read::tls")]
    pub tls: Option<Tls>,
    /// By which addresses clients reach the group.
    #[serde(deserialize_with = "read::access")]
    pub access: Access,
    /// What the pods are like.
    #[serde(deserialize_with = "read::pods")]
    pub pods: Pods,
}

/// One thing that is wrong with a resource: the field, what it has, why not, and the way out.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{path}: {value}: {wrong}; {way_out}")]
pub struct SpecError {
    /// The field's path, such as `spec.topology.replication.replicas`.
    pub path: String,
    /// The value as it was read.
    pub value: String,
    /// Why it cannot be.
    pub wrong: String,
    /// What to write instead.
    pub way_out: String,
}

impl SpecError {
    // Callers hand in literals, numbers and borrowed text alike.
    #[allow(clippy::needless_pass_by_value)]
    fn new(
        path: impl Into<String>,
        value: impl ToString,
        wrong: impl Into<String>,
        way_out: impl Into<String>,
    ) -> Self {
        let (path, wrong, way_out) = (path.into(), wrong.into(), way_out.into());
        Self { path, value: value.to_string(), wrong, way_out }
    }
}

/// Whether a group is one primary with replicas or a cluster, in checked numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One primary.
    Replication {
        /// Its replicas; members are one more.
        replicas: u32,
    },
    /// Many primaries.
    Cluster {
        /// How many.
        shards: u32,
        /// Replicas of each.
        replicas: u32,
    },
}

/// A resource without a fault, defaults filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidatedSpec {
    resource: Resource,
    shape: Shape,
    durability: Durability,
    failsafe: Failsafe,
    timing: Timing,
    recovery_timeout: Span,
    budget_per_hour: u32,
    storage_bytes: Option<u64>,
    config: BTreeMap<String, String>,
}

impl Resource {
    /// A resource that has only a name: the default group.
    pub fn named(name: &str) -> Self {
        Self {
            api_version: API_VERSION.to_owned(),
            kind: KIND.to_owned(),
            metadata: Metadata { name: name.to_owned(), ..Metadata::default() },
            spec: Spec::default(),
            status: None,
        }
    }

    /// Checks everything, and returns all that is wrong at once.
    pub fn validate(self) -> Result<ValidatedSpec, Vec<SpecError>> {
        check::resource(self)
    }
}

impl ValidatedSpec {
    /// The group's name.
    pub fn name(&self) -> &str {
        &self.resource.metadata.name
    }

    /// The resource as it was written.
    pub fn resource(&self) -> &Resource {
        &self.resource
    }

    /// The topology.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Replicas of each primary. Members of a replication group are one more.
    pub fn replicas(&self) -> u32 {
        match self.shape {
            Shape::Replication { replicas } | Shape::Cluster { replicas, .. } => replicas,
        }
    }

    /// All members of the group.
    pub fn members(&self) -> u32 {
        match self.shape {
            Shape::Replication { replicas } => replicas + 1,
            Shape::Cluster { shards, replicas } => shards * (replicas + 1),
        }
    }

    /// The durability mode with its k (failover.md 2.8).
    pub fn durability(&self) -> Durability {
        self.durability
    }

    /// Whose acks hold authority: `all` by default for `cache`, else `majority` (failover.md 2.4).
    pub fn failsafe(&self) -> Failsafe {
        self.failsafe
    }

    /// The times of the profile, in spans; milliseconds by [`Span::as_millis`].
    pub fn timing(&self) -> Timing {
        self.timing
    }

    /// `fast`, `default`, `patient` or `custom`.
    pub fn profile_name(&self) -> &'static str {
        self.resource.spec.failover.profile.name()
    }

    /// `min-replicas-max-lag` in seconds: two seconds before W at the latest, 3 at the most
    /// (failover.md 2.5, 2.7 F5).
    pub fn max_lag_s(&self) -> u32 {
        timings::max_lag_s(self.timing)
    }

    /// The fence that is asked for.
    pub fn fencing(&self) -> Fencing {
        self.resource.spec.failover.fencing
    }

    /// Whether the engine is to be started behind a gate, if it can load one.
    pub fn wants_gate(&self) -> bool {
        matches!(self.fencing(), Fencing::Auto | Fencing::Gate)
    }

    /// Whether it is not to be started without one: the spec names it, or promises what only a gate
    /// keeps (failover.md 2.8, `strict`).
    pub fn demands_gate(&self) -> bool {
        let strict = matches!(self.durability(), Durability::Strict { .. });
        self.fencing() == Fencing::Gate || (strict && self.wants_gate())
    }

    /// How long a recovery election waits for everybody (failover.md 2.11).
    pub fn recovery_timeout(&self) -> Span {
        self.recovery_timeout
    }

    /// Takeovers an hour at the most (failover.md 2.3 L2).
    pub fn budget_per_hour(&self) -> u32 {
        self.budget_per_hour
    }

    /// How clients are led to the primary on Kubernetes.
    pub fn routing(&self) -> Routing {
        self.resource.spec.failover.routing
    }

    /// Bytes of each member's volume; `None` is memory only.
    pub fn storage_bytes(&self) -> Option<u64> {
        self.storage_bytes
    }

    /// How the data reach the disk: by `storage`, and by the directives that say otherwise.
    pub fn persistence(&self) -> Persistence {
        Persistence::of(self.storage_bytes.is_some(), &self.config)
    }

    /// Directives of the engine, checked.
    pub fn config(&self) -> &BTreeMap<String, String> {
        &self.config
    }

    /// The engine's family, if one is asked for.
    pub fn flavor(&self) -> Option<Flavor> {
        self.resource.spec.engine.as_ref().and_then(|engine| engine.flavor)
    }

    /// Whether an engine that was found is the one that is asked for, and takes every directive.
    pub fn accepts(&self, engine: Engine) -> Result<(), Vec<SpecError>> {
        check::accepts(self, engine)
    }

    /// Whether local mode has everything that is asked for. What it would silently leave out is an
    /// error here; what has no meaning on one machine (pods, storage class, routing) is not.
    pub fn fits_local_mode(&self) -> Result<(), Vec<SpecError>> {
        check::fits_local_mode(self)
    }
}

#[cfg(test)]
mod tests;
