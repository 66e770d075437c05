//! What all builders share: the spec, the names, the labels and the metadata of an object.

use std::collections::BTreeMap;

use brain::spec::{OnDelete, Spec, Storage, ValidatedSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};

use super::Options;
use crate::names::{self, Names};

/// Annotations with this prefix tell of the very object that they are on.
const OF_ONE_OBJECT: &str = "kubectl.kubernetes.io/";

pub(super) struct Frame<'a> {
    pub(super) spec: &'a ValidatedSpec,
    pub(super) options: &'a Options,
    pub(super) names: Names,
}

impl<'a> Frame<'a> {
    pub(super) fn of(spec: &'a ValidatedSpec, options: &'a Options) -> Self {
        Self { spec, options, names: Names::of(spec.name()) }
    }

    /// The fields as they were written.
    pub(super) fn fields(&self) -> &'a Spec {
        &self.spec.resource().spec
    }

    pub(super) fn storage(&self) -> Option<&'a Storage> {
        self.fields().storage.as_ref()
    }

    /// Whether the volumes go with the resource.
    pub(super) fn deletes_data(&self) -> bool {
        self.storage().is_some_and(|storage| storage.on_delete == OnDelete::Delete)
    }

    /// What selects the members, in every version: a StatefulSet's selector can never change.
    pub(super) fn selector(&self) -> BTreeMap<String, String> {
        one(names::GROUP_LABEL, &self.names.group)
    }

    pub(super) fn label_selector(&self) -> LabelSelector {
        LabelSelector { match_labels: Some(self.selector()), match_expressions: None }
    }

    /// What selects the members of one role, as their agents say it.
    pub(super) fn selector_of_role(&self, role: &str) -> BTreeMap<String, String> {
        let mut selector = self.selector();
        selector.insert(names::ROLE_LABEL.to_owned(), role.to_owned());
        selector
    }

    /// The labels that are ours, on everything that is made for the group.
    pub(super) fn labels(&self) -> BTreeMap<String, String> {
        names::labels(&self.names.group)
    }

    /// Metadata of an object in the group's namespace.
    pub(super) fn meta(&self, name: String) -> ObjectMeta {
        let of_resource = &self.spec.resource().metadata;
        let mut labels = handed_on(&of_resource.labels);
        labels.extend(self.labels());
        let annotations = handed_on(&of_resource.annotations);
        ObjectMeta {
            name: Some(name),
            namespace: self.options.namespace.clone(),
            labels: Some(labels),
            annotations: if annotations.is_empty() { None } else { Some(annotations) },
            owner_references: self.options.owner.clone().map(|owner| vec![owner]),
            ..ObjectMeta::default()
        }
    }
}

/// What an object takes over from the resource's metadata. Our own keys mean something on the very
/// object that they are on: the record on the Lease, a role on a pod.
fn handed_on(all: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let stays = |key: &str| key.starts_with(OF_ONE_OBJECT) || key.starts_with(names::DOMAIN);
    let handed_on = all.iter().filter(|(key, _)| !stays(key));
    handed_on.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// The labels of everything that belongs to Interrex.
pub(super) fn common_labels() -> BTreeMap<String, String> {
    let mut labels = one(names::MANAGED_BY_LABEL, names::MANAGED_BY);
    labels.extend(one(names::NAME_LABEL, names::NAME));
    labels
}

/// A map of one entry.
pub(super) fn one(key: &str, value: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(key.to_owned(), value.to_owned())])
}

/// A list of texts.
pub(super) fn texts<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).to_vec()
}
