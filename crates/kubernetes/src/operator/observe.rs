//! What there is of one group: read before each reconcile, never remembered.

use brain::{MemberName, Record, Version};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::api::ListParams;
use kube::core::PartialObjectMeta;
use kube::{Api, Client};

use crate::names::{GROUP_LABEL, MEMBER_ANNOTATION, Names, ROLE_LABEL, ROLE_PRIMARY, ROLE_REPLICA};
use crate::platform::{Notice, decode};

/// The label in which a StatefulSet says which template a pod was made of.
const REVISION_LABEL: &str = "controller-revision-hash";

/// A group as it stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Observation {
    /// The record and its version; `None` where there is no Lease, or one that cannot be read.
    pub(super) record: Option<(Version, Record)>,
    /// The set of members.
    pub(super) stateful_set: Option<StatefulSet>,
    /// The pods, by ordinal.
    pub(super) pods: Vec<PodView>,
    /// The claims of the members.
    pub(super) claims: Vec<PersistentVolumeClaim>,
}

/// What is seen of one pod: its metadata alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PodView {
    /// Its name.
    pub(super) name: MemberName,
    /// Its UID.
    pub(super) uid: String,
    /// The template that it was made of.
    pub(super) revision: String,
    /// It has been told to go.
    pub(super) leaving: bool,
    /// The role label.
    pub(super) role: String,
    /// What its agent last told.
    pub(super) notice: Option<Notice>,
}

impl PodView {
    /// Of the metadata.
    pub(super) fn of(pod: &PartialObjectMeta<Pod>) -> Self {
        let metadata = &pod.metadata;
        let label = |name: &str| {
            let labels = metadata.labels.as_ref();
            labels.and_then(|all| all.get(name)).cloned().unwrap_or_default()
        };
        let annotations = metadata.annotations.as_ref();
        let told = annotations.and_then(|all| all.get(MEMBER_ANNOTATION));
        Self {
            name: MemberName(metadata.name.clone().unwrap_or_default()),
            uid: metadata.uid.clone().unwrap_or_default(),
            revision: label(REVISION_LABEL),
            leaving: metadata.deletion_timestamp.is_some(),
            role: label(ROLE_LABEL),
            // One that a newer agent wrote in another way says nothing.
            notice: told.and_then(|text| serde_json::from_str(text).ok()),
        }
    }

    /// It leads, with authority.
    pub(super) fn is_primary(&self) -> bool {
        !self.leaving && self.role == ROLE_PRIMARY
    }

    /// It has a whole copy and follows.
    pub(super) fn is_replica(&self) -> bool {
        !self.leaving && self.role == ROLE_REPLICA
    }

    /// It could take over at once.
    pub(super) fn is_electable(&self) -> bool {
        self.is_replica() && self.notice.as_ref().is_some_and(|notice| notice.electable)
    }
}

impl Observation {
    /// Reads everything of this group.
    pub(super) async fn read(
        client: &Client,
        namespace: &str,
        names: &Names,
    ) -> kube::Result<Self> {
        let sets: Api<StatefulSet> = Api::namespaced(client.clone(), namespace);
        let leases: Api<Lease> = Api::namespaced(client.clone(), namespace);
        let pods: Api<PartialObjectMeta<Pod>> = Api::namespaced(client.clone(), namespace);
        let claims: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), namespace);
        let ours = ListParams::default().labels(&format!("{GROUP_LABEL}={}", names.group));
        let (stateful_set, lease, pods, claims) = tokio::try_join!(
            sets.get_opt(&names.group),
            leases.get_opt(&names.group),
            pods.list(&ours),
            claims.list(&ours),
        )?;
        let record = lease.as_ref().and_then(|lease| {
            let version = lease.metadata.resource_version.clone().unwrap_or_default();
            match decode(lease) {
                Ok(record) => Some((Version(version), record)),
                Err(error) => {
                    tracing::warn!(group = names.group, %error, "the Lease holds no record");
                    None
                }
            }
        });
        let mut pods: Vec<PodView> = pods.items.iter().map(PodView::of).collect();
        pods.sort_by_key(|pod| pod.name.ordinal());
        Ok(Self { record, stateful_set, pods, claims: claims.items })
    }

    /// The record alone.
    pub(super) fn record(&self) -> Option<&Record> {
        self.record.as_ref().map(|(_, record)| record)
    }

    /// How many members the set is to have now.
    pub(super) fn replicas(&self) -> Option<u32> {
        let spec = self.stateful_set.as_ref()?.spec.as_ref()?;
        spec.replicas.and_then(|replicas| u32::try_from(replicas).ok())
    }

    /// The template that pods are made of now, once the set's controller has seen it.
    pub(super) fn revision(&self) -> Option<&str> {
        let set = self.stateful_set.as_ref()?;
        let status = set.status.as_ref()?;
        let seen = status.observed_generation >= set.metadata.generation;
        status.update_revision.as_deref().filter(|_| seen)
    }

    /// The one that leads by its own label, if it is one.
    pub(super) fn primary(&self) -> Option<&PodView> {
        let mut leading = self.pods.iter().filter(|pod| pod.is_primary());
        let first = leading.next()?;
        leading.next().is_none().then_some(first)
    }

    /// What keeps the group from being whole; `None` when one leads and everybody else follows it
    /// with a whole copy.
    pub(super) fn unsettled(&self) -> Option<String> {
        let expected = self.replicas().unwrap_or_default() as usize;
        if let Some(leaving) = self.pods.iter().find(|pod| pod.leaving) {
            return Some(format!("{} is leaving", leaving.name));
        }
        if self.pods.len() != expected {
            return Some(format!("{} of {expected} pods are there", self.pods.len()));
        }
        if self.primary().is_none() {
            return Some("nobody leads".to_owned());
        }
        let late = self.pods.iter().find(|pod| !pod.is_primary() && !pod.is_electable());
        late.map(|pod| {
            let why = pod.notice.as_ref().and_then(|notice| notice.why_not.clone());
            let why = why.unwrap_or_else(|| "it has not caught up yet".to_owned());
            format!("{} could not take over: {why}", pod.name)
        })
    }
}
