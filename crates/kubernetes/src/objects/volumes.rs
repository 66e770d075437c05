//! Where the data are: the claim of each member, and local volumes for clusters that make none.

use std::collections::BTreeMap;
use std::str::FromStr;

use k8s_openapi::api::core::v1::{
    LocalVolumeSource, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, ObjectReference,
    PersistentVolume, PersistentVolumeClaim, PersistentVolumeClaimSpec, PersistentVolumeSpec,
    VolumeNodeAffinity, VolumeResourceRequirements,
};
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use thiserror::Error;

use super::frame::{Frame, common_labels, texts};
use crate::names;

/// One member has it, and no second pod at the same time.
const ACCESS_MODE: &str = "ReadWriteOnce";

/// A directory on a host, for one member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalVolume {
    /// The host's name, as its label `kubernetes.io/hostname` has it.
    pub host: String,
    /// The directory; it is there before the pod is.
    pub path: String,
}

/// What is no local volume.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("write HOST=PATH with a path from the root, such as node1=/mnt/disks/cart")]
pub struct LocalVolumeError;

impl FromStr for LocalVolume {
    type Err = LocalVolumeError;

    fn from_str(text: &str) -> Result<Self, LocalVolumeError> {
        let (host, path) = text.split_once('=').ok_or(LocalVolumeError)?;
        if host.is_empty() || !path.starts_with('/') || path.split('/').any(|part| part == "..") {
            return Err(LocalVolumeError);
        }
        Ok(Self { host: host.to_owned(), path: path.to_owned() })
    }
}

/// The template of the members' claims. Nothing in it changes but the size: Kubernetes refuses any
/// change of it, and the operator makes the set anew for a size.
pub(super) fn claim_template(frame: &Frame<'_>) -> Option<PersistentVolumeClaim> {
    let storage = frame.storage()?;
    Some(PersistentVolumeClaim {
        metadata: ObjectMeta {
            name: Some(names::DATA_VOLUME.to_owned()),
            labels: Some(frame.labels()),
            ..ObjectMeta::default()
        },
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(texts([ACCESS_MODE])),
            resources: Some(VolumeResourceRequirements {
                requests: Some(size(&storage.size)),
                limits: None,
            }),
            storage_class_name: class(frame),
            ..PersistentVolumeClaimSpec::default()
        }),
        status: None,
    })
}

/// The class of local volumes. It is the same for all groups and of no namespace, so it has nothing
/// of this one.
pub(super) fn storage_class(frame: &Frame<'_>) -> Option<StorageClass> {
    if frame.options.local_volumes.is_empty() {
        return None;
    }
    Some(StorageClass {
        metadata: ObjectMeta {
            name: class(frame),
            labels: Some(common_labels()),
            ..ObjectMeta::default()
        },
        provisioner: "kubernetes.io/no-provisioner".to_owned(),
        reclaim_policy: Some("Retain".to_owned()),
        volume_binding_mode: Some("WaitForFirstConsumer".to_owned()),
        ..StorageClass::default()
    })
}

/// Local volumes, each for the claim of one member and for no other.
pub(super) fn volumes(frame: &Frame<'_>) -> Vec<PersistentVolume> {
    let Some(storage) = frame.storage() else { return Vec::new() };
    let local = frame.options.local_volumes.iter();
    (0..).zip(local).map(|(ordinal, at)| volume(frame, &storage.size, ordinal, at)).collect()
}

fn volume(frame: &Frame<'_>, bytes: &str, ordinal: u32, at: &LocalVolume) -> PersistentVolume {
    let namespace = frame.options.namespace.clone().unwrap_or_default();
    let host = NodeSelectorRequirement {
        key: "kubernetes.io/hostname".to_owned(),
        operator: "In".to_owned(),
        values: Some(vec![at.host.clone()]),
    };
    let term = NodeSelectorTerm { match_expressions: Some(vec![host]), match_fields: None };
    PersistentVolume {
        metadata: ObjectMeta {
            name: Some(frame.names.volume(ordinal, &namespace)),
            labels: Some(frame.labels()),
            ..ObjectMeta::default()
        },
        spec: Some(PersistentVolumeSpec {
            access_modes: Some(texts([ACCESS_MODE])),
            capacity: Some(size(bytes)),
            claim_ref: Some(ObjectReference {
                api_version: Some("v1".to_owned()),
                kind: Some("PersistentVolumeClaim".to_owned()),
                name: Some(frame.names.claim(ordinal)),
                namespace: Some(namespace),
                ..ObjectReference::default()
            }),
            local: Some(LocalVolumeSource { fs_type: None, path: at.path.clone() }),
            node_affinity: Some(VolumeNodeAffinity {
                required: Some(NodeSelector { node_selector_terms: vec![term] }),
            }),
            persistent_volume_reclaim_policy: Some("Retain".to_owned()),
            storage_class_name: class(frame),
            volume_mode: Some("Filesystem".to_owned()),
            ..PersistentVolumeSpec::default()
        }),
        status: None,
    }
}

/// The storage class: the one that is asked for, or that of local volumes, or the cluster's own.
fn class(frame: &Frame<'_>) -> Option<String> {
    let asked = frame.storage().and_then(|storage| storage.class_name.clone());
    let local = !frame.options.local_volumes.is_empty();
    asked.or_else(|| local.then(|| names::LOCAL_CLASS.to_owned()))
}

fn size(text: &str) -> BTreeMap<String, Quantity> {
    BTreeMap::from([("storage".to_owned(), Quantity(text.to_owned()))])
}
