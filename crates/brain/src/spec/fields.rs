//! The fields of the spec, as they are written.

use std::collections::BTreeMap;

use engine::Flavor;
use serde::{Deserialize, Serialize};

use super::read;
use super::words::{
    AntiAffinity, FailsafeWord, Fencing, OnDelete, ProfileField, Routing, SpreadBy,
};

/// `spec.engine`: a version of a family, or an image that has one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct EngineField {
    /// `redis` or `valkey`. Default: what the place has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flavor: Option<Flavor>,
    /// `"8.1"`: any 8.1.x. Default: what the place has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// A container image, in place of `version`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
}

/// `spec.topology`: exactly one of the two.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Topology {
    /// One primary and its replicas.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "read::replication")]
    pub replication: Option<Replication>,
    /// A cluster.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "read::cluster")]
    pub cluster: Option<Cluster>,
}

/// `spec.topology.replication`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Replication {
    /// 0 to 15; 0 is a primary alone. Default: 2.
    #[serde(deserialize_with = "read::replicas")]
    pub replicas: i64,
}

impl Default for Replication {
    fn default() -> Self {
        Self { replicas: 2 }
    }
}

/// `spec.topology.cluster`: `shards`, or `nodes` for all members together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cluster {
    /// Primaries, 3 or more.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "read::shards")]
    pub shards: Option<i64>,
    /// Members, in place of `shards`: a multiple of `replicas + 1`.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "read::nodes")]
    pub nodes: Option<i64>,
    /// Replicas of each primary. Default: 1.
    #[serde(default = "one", deserialize_with = "read::replicas")]
    pub replicas: i64,
}

fn one() -> i64 {
    1
}

/// `spec.failover`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Failover {
    /// `fast`, `default`, `patient`, or times of one's own. Default: `default` (5 s).
    pub profile: ProfileField,
    /// What keeps a thawed engine from acknowledging. Default: `auto`.
    pub fencing: Fencing,
    /// `majority` or `all`. Default: `all` with durability `cache`, else `majority`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failsafe: Option<FailsafeWord>,
    /// How long a recovery election waits for everybody. Default: `60s`.
    pub recovery_timeout: String,
    /// Takeovers an hour at the most. Default: 30.
    #[serde(deserialize_with = "read::budget")]
    pub budget: i64,
    /// How clients are led to the primary on Kubernetes. Default: `slice`.
    pub routing: Routing,
}

impl Default for Failover {
    fn default() -> Self {
        Self {
            profile: ProfileField::default(),
            fencing: Fencing::default(),
            failsafe: None,
            recovery_timeout: "60s".to_owned(),
            budget: 30,
            routing: Routing::default(),
        }
    }
}

/// `spec.storage`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Storage {
    /// `10Gi`.
    pub size: String,
    /// Storage class. Default: the cluster's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_name: Option<String>,
    /// What happens to the volumes when the resource is deleted. Default: `keep`.
    #[serde(default)]
    pub on_delete: OnDelete,
}

/// `spec.auth`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Auth {
    /// Secret with the password of user `default`. Default: one is generated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_name: Option<String>,
    /// More users.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<AclUser>,
}

/// One of `spec.auth.users`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AclUser {
    /// Its name.
    pub name: String,
    /// ACL rules without passwords: `~cart:* +@read`.
    pub rules: String,
    /// Secret with its password.
    pub secret_name: String,
}

/// `spec.tls`: exactly one of the two.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Tls {
    /// Secret with `tls.crt`, `tls.key` and `ca.crt`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_name: Option<String>,
    /// cert-manager's issuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer_ref: Option<IssuerRef>,
}

/// `spec.tls.issuerRef`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IssuerRef {
    /// The issuer's name.
    pub name: String,
    /// `Issuer` or `ClusterIssuer`. Default: `Issuer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Default: `cert-manager.io`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

/// `spec.access`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Access {
    /// An address that leads to the primary. Default: yes.
    pub primary: bool,
    /// An address that leads to fresh replicas. Default: yes.
    pub replicas: bool,
    /// An endpoint that speaks like a Sentinel.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "read::sentinel")]
    pub sentinel: Option<Sentinel>,
    /// An address outside of the cluster.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "read::external")]
    pub external: Option<External>,
}

impl Default for Access {
    fn default() -> Self {
        Self { primary: true, replicas: true, sentinel: None, external: None }
    }
}

/// `spec.access.sentinel`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Sentinel {
    /// Default: 26379.
    #[serde(deserialize_with = "read::port")]
    pub port: i64,
    /// The name that clients ask for. Default: `mymaster`.
    pub master_name: String,
}

impl Default for Sentinel {
    fn default() -> Self {
        Self { port: 26379, master_name: "mymaster".to_owned() }
    }
}

/// `spec.access.external`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct External {
    /// `LoadBalancer` or `NodePort`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Annotations of the service.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// `spec.pods`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Pods {
    /// Requests and limits of the engine's container.
    #[serde(deserialize_with = "read::resources")]
    pub resources: Resources,
    /// Whether members may share a host. Default: `preferred`.
    pub anti_affinity: AntiAffinity,
    /// Over what members are spread. Default: host and zone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub spread_by: Vec<SpreadBy>,
    /// Labels that a host must have.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub node_selector: BTreeMap<String, String>,
    /// Taints that members tolerate.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tolerations: Vec<Toleration>,
    /// More labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// More annotations.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Priority class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority_class_name: Option<String>,
}

/// `spec.pods.resources`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Resources {
    /// What is kept free for a member.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub requests: BTreeMap<String, String>,
    /// What it may use at the most; `maxmemory` follows `memory`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, String>,
}

/// One of `spec.pods.tolerations`, as Kubernetes has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Toleration {
    /// The taint's key; empty for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// `Exists` or `Equal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// The taint's value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<String>,
    /// How long it is tolerated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub toleration_seconds: Option<i64>,
}
