//! Every name, label, annotation, port and path that a group has on Kubernetes, in one place: what
//! the builders write, the agents in the pods read.

use std::collections::BTreeMap;

/// Selects everything that belongs to Interrex; the operator's watches are filtered by it.
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";
/// The value of [`MANAGED_BY_LABEL`].
pub const MANAGED_BY: &str = "interrex";
/// What kind of thing it is, in Kubernetes' recommended labels.
pub const NAME_LABEL: &str = "app.kubernetes.io/name";
/// The value of [`NAME_LABEL`].
pub const NAME: &str = "redis";
/// Which group: the selector of pods, stable across upgrades.
pub const GROUP_LABEL: &str = "interrex.io/group";
/// What a pod's engine is now; written by its own agent, and only when it changes.
pub const ROLE_LABEL: &str = "interrex.io/role";
/// The value of [`ROLE_LABEL`] of a primary with authority.
pub const ROLE_PRIMARY: &str = "primary";
/// The value of [`ROLE_LABEL`] of a replica that is linked and complete.
pub const ROLE_REPLICA: &str = "replica";
/// The value of [`ROLE_LABEL`] of a member that serves nobody.
pub const ROLE_NONE: &str = "none";

/// What the keys of our labels and annotations begin with.
pub const DOMAIN: &str = "interrex.io/";

/// What a pod's agent says of its member, as JSON; written when its class changes.
pub const MEMBER_ANNOTATION: &str = "interrex.io/member";
/// The epoch of a route: on the EndpointSlice.
pub const EPOCH_ANNOTATION: &str = "interrex.io/epoch";
/// The record (failover.md 2.1) as JSON, without what has an annotation of its own.
pub const RECORD_ANNOTATION: &str = "interrex.io/record";
/// The names that bootstrap waits for: a JSON list.
pub const MEMBERS_ANNOTATION: &str = "interrex.io/members";
/// A person's wish for maintenance: `true`.
pub const PAUSED_ANNOTATION: &str = "interrex.io/paused";
/// A wish for a handover, as JSON: `{"id": …, "to": …}`.
pub const HANDOVER_ANNOTATION: &str = "interrex.io/handover";
/// The hash of the configuration that a pod was started with.
pub const CONFIG_HASH_ANNOTATION: &str = "interrex.io/config-hash";

/// Who writes the slice: not Kubernetes' own controller.
pub const SLICE_MANAGER: &str = "interrex.io-agent";
/// The engine's port.
pub const ENGINE_PORT: u16 = 6379;
/// The peers' channel.
pub const PEER_PORT: u16 = 7379;
/// `/live`, `/ready`, `/metrics`, `/v1/status`.
pub const HTTP_PORT: u16 = 8379;

/// The name of [`ENGINE_PORT`] in containers, Services and EndpointSlices.
pub const ENGINE_PORT_NAME: &str = "redis";
/// The name of [`PEER_PORT`].
pub const PEER_PORT_NAME: &str = "peers";
/// The name of [`HTTP_PORT`].
pub const HTTP_PORT_NAME: &str = "http";
/// The name of the port that speaks like a Sentinel.
pub const SENTINEL_PORT_NAME: &str = "sentinel";

/// The user and the group that the official engine images have.
pub const USER_ID: i64 = 999;

/// The container of the engine.
pub const ENGINE_CONTAINER: &str = "engine";
/// The init container that brings the program.
pub const PROGRAM_CONTAINER: &str = "program";
/// The program in its own image.
pub const PROGRAM_IN_IMAGE: &str = "/interrex";
/// The volume of the program.
pub const PROGRAM_VOLUME: &str = "program";
/// The volume of [`RUN_PATH`].
pub const RUN_VOLUME: &str = "run";
/// The volume of [`SPEC_PATH`].
pub const SPEC_VOLUME: &str = "spec";
/// The volume of [`AUTH_PATH`].
pub const AUTH_VOLUME: &str = "auth";
/// The storage class of local volumes, unless the resource names one.
pub const LOCAL_CLASS: &str = "interrex-local";
/// The volume (and the claim's template) of the data.
pub const DATA_VOLUME: &str = "data";
/// Where the data are mounted.
pub const DATA_PATH: &str = "/data";
/// Where the program lies in the pod.
pub const PROGRAM_DIRECTORY: &str = "/opt/interrex";
/// The program in the pod.
pub const PROGRAM: &str = "/opt/interrex/interrex";
/// The socket, the engine's configuration and the gate: in memory.
pub const RUN_PATH: &str = "/run/interrex";
/// Where the ConfigMap is mounted.
pub const SPEC_PATH: &str = "/etc/interrex/spec";
/// The resource in the ConfigMap.
pub const SPEC_KEY: &str = "redis.yaml";
/// Where the Secret is mounted.
pub const AUTH_PATH: &str = "/etc/interrex/auth";
/// The clients' password in the Secret: each line of it is right.
pub const PASSWORD_KEY: &str = "password";
/// The peers' key in the Secret: the first line signs.
pub const PEER_KEY: &str = "peer-key";

/// The pod's name, by the downward API.
pub const POD_NAME_ENV: &str = "INTERREX_POD_NAME";
/// The pod's UID, by the downward API.
pub const POD_UID_ENV: &str = "INTERREX_POD_UID";
/// The pod's address, by the downward API.
pub const POD_IP_ENV: &str = "INTERREX_POD_IP";
/// The pod's namespace, by the downward API.
pub const NAMESPACE_ENV: &str = "INTERREX_NAMESPACE";
/// The host's name, by the downward API.
pub const HOST_ENV: &str = "INTERREX_HOST";
/// Seconds from SIGTERM to SIGKILL: the downward API has no field for it.
pub const GRACE_ENV: &str = "INTERREX_GRACE_SECONDS";

/// The image that the operator brings into the pods of groups: its own.
pub const IMAGE_ENV: &str = "INTERREX_IMAGE";
/// The only namespace whose groups the operator works on; unset for all.
pub const WATCH_NAMESPACE_ENV: &str = "INTERREX_WATCH_NAMESPACE";

/// The Lease by which operators of one namespace agree on who works.
pub const OPERATOR_LEASE: &str = "interrex-operator";

/// `terminationGracePeriodSeconds` of the members.
pub const GRACE_SECONDS: i64 = 60;

/// The server-side apply owner of what the operator writes.
pub const FIELD_MANAGER: &str = "interrex-operator";

/// The labels of everything that belongs to a group.
pub fn labels(group: &str) -> BTreeMap<String, String> {
    [(NAME_LABEL, NAME), (MANAGED_BY_LABEL, MANAGED_BY), (GROUP_LABEL, group)]
        .map(|(label, value)| (label.to_owned(), value.to_owned()))
        .into()
}

/// The names of one group's objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// The group; also of the StatefulSet, the write Service, the Lease, the ConfigMap, the
    /// PodDisruptionBudget, the ServiceAccount, the Role and the RoleBinding.
    pub group: String,
}

impl Names {
    /// The names of a group.
    pub fn of(group: &str) -> Self {
        Self { group: group.to_owned() }
    }

    /// The EndpointSlice behind the write Service.
    pub fn primary_slice(&self) -> String {
        format!("{}-primary", self.group)
    }

    /// The Service of fresh replicas.
    pub fn replicas(&self) -> String {
        format!("{}-replicas", self.group)
    }

    /// The headless Service.
    pub fn peers(&self) -> String {
        format!("{}-peers", self.group)
    }

    /// The Service that speaks like a Sentinel.
    pub fn sentinel(&self) -> String {
        format!("{}-sentinel", self.group)
    }

    /// The Secret, unless the resource names one.
    pub fn auth(&self) -> String {
        format!("{}-auth", self.group)
    }

    /// One member: a pod.
    pub fn member(&self, ordinal: u32) -> String {
        format!("{}-{ordinal}", self.group)
    }

    /// The local volume of one member: volumes have no namespace of their own, and a dot is in no
    /// namespace's name.
    pub fn volume(&self, ordinal: u32, namespace: &str) -> String {
        format!("{}.{namespace}", self.claim(ordinal))
    }

    /// The claim of one member.
    pub fn claim(&self, ordinal: u32) -> String {
        format!("{DATA_VOLUME}-{}-{ordinal}", self.group)
    }
}
