//! What a cluster needs once: the definitions, the operator, and what it may do. Plain functions,
//! from which `interrex manifest`, `install.yaml` and the generated parts of the chart all come.

mod deployment;
mod files;
mod people;
mod rights;

use std::collections::BTreeMap;

use brain::spec::SpecError;
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

use crate::crd;
use crate::objects::{Options, check_namespace, document};

pub use files::{GeneratedFile, files};
pub use rights::{Right, rights};

/// The name of the operator's Deployment, ServiceAccount, roles and bindings.
pub const OPERATOR: &str = "interrex-operator";
/// The namespace of the operator, unless another one is asked for.
pub const NAMESPACE: &str = "interrex";

/// How the operator is to be installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Install {
    /// The namespace of the operator.
    pub namespace: String,
    /// The image of the operator; it brings the same one into the pods of groups.
    pub image: String,
    /// Groups of this namespace only, with no right outside of it; `None` for the whole cluster.
    pub watched: Option<String>,
    /// How many operators: one works, the others stand by.
    pub replicas: u32,
}

impl Default for Install {
    fn default() -> Self {
        Self {
            namespace: NAMESPACE.to_owned(),
            image: Options::IMAGE.to_owned(),
            watched: None,
            replicas: 1,
        }
    }
}

/// Whether Kubernetes would take these names; all that is wrong at once.
pub fn check(install: &Install) -> Result<(), Vec<SpecError>> {
    let mut errors = Vec::new();
    check_namespace("--namespace", &install.namespace, &mut errors);
    if let Some(watched) = &install.watched {
        check_namespace("--watch-namespace", watched, &mut errors);
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// Everything, in an order in which nothing waits long for what comes later.
pub fn manifest(install: &Install) -> Vec<Value> {
    let mut all = vec![document(&namespace(install))];
    all.extend(definitions());
    all.extend(people::roles().iter().map(document));
    all.push(document(&service_account(install)));
    all.extend(rights::objects(install));
    all.extend(deployment::budget(install).iter().map(document));
    all.push(document(&deployment::deployment(install)));
    all
}

/// The resource, and the rules on it that no schema can have.
fn definitions() -> [Value; 3] {
    [document(&crd::definition()), document(&crd::policy()), document(&crd::policy_binding())]
}

/// The labels of what is installed. Not the ones of groups: the operator does not watch itself.
fn labels() -> BTreeMap<String, String> {
    let mut labels = selector();
    labels.insert("app.kubernetes.io/part-of".to_owned(), "interrex".to_owned());
    labels
}

/// What selects the operator's pods, in every version: a Deployment's selector never changes.
fn selector() -> BTreeMap<String, String> {
    [("app.kubernetes.io/name", OPERATOR), ("app.kubernetes.io/instance", "interrex")]
        .map(|(label, value)| (label.to_owned(), value.to_owned()))
        .into()
}

fn meta(name: &str, namespace: Option<&str>) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: namespace.map(str::to_owned),
        labels: Some(labels()),
        ..ObjectMeta::default()
    }
}

/// The operator's own namespace asks for the strictest kind of pods, and the operator's is one.
fn namespace(install: &Install) -> Namespace {
    let mut metadata = meta(&install.namespace, None);
    let enforce = "pod-security.kubernetes.io/enforce";
    // In a namespace that has groups too, theirs keep to it as well.
    metadata.labels.get_or_insert_default().insert(enforce.to_owned(), "restricted".to_owned());
    Namespace { metadata, ..Namespace::default() }
}

fn service_account(install: &Install) -> ServiceAccount {
    ServiceAccount {
        metadata: meta(OPERATOR, Some(&install.namespace)),
        ..ServiceAccount::default()
    }
}

#[cfg(test)]
mod tests;
