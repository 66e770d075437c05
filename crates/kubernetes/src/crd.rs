//! The resource `Redis` as Kubernetes knows it: its definition, the policy beside it, and the type
//! that is listed and watched.
//!
//! A wrong resource is refused when it is written, by the rules of `brain::spec` in CEL:
//! - by the definition, whose schema is closed: a field that it does not know is pruned by
//!   Kubernetes, and named as an error by `kubectl`, which asks for strict validation;
//! - by the [`policy`], where a field takes a word or a map (`durability`, `failover.profile`) or
//!   text, numbers and booleans alike (`config`): no rule of a schema sees such a field.
//!
//! What neither of them can say is refused by the operator, in the same words:
//! - `kubectl scale` below the copies of durability `strict`: the policy is not shown the resource;
//! - sizes beyond 2⁶⁴ inside `client-output-buffer-limit`.
//!
//! A mistyped directive is told its nearest neighbour by the operator and the command line only.
//!
//! And Kubernetes is narrower than `brain::spec` in one thing: text, lists and maps have a bounded
//! length, without which no rule has a bounded cost. A field without a value is left out.
//!
//! That the two judge alike is shown by `tests/admission`, against a real API.

mod cel;
mod directives;
mod parts;
mod policy;
mod reference;
mod schema;
mod spec;
mod status;
mod times;

use std::borrow::Cow;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceColumnDefinition, CustomResourceDefinition, CustomResourceDefinitionNames,
    CustomResourceDefinitionSpec, CustomResourceDefinitionVersion, CustomResourceSubresourceScale,
    CustomResourceSubresourceStatus, CustomResourceSubresources, CustomResourceValidation,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::NamespaceResourceScope;
use serde::{Deserialize, Serialize};

pub use policy::{POLICY_NAME, policy, policy_binding};
pub use reference::reference;
pub use status::{
    DATA_AT_RISK, DEGRADED, FAILOVER_POSSIBLE, LastDataLoss, LastFailover, LinkState, MemberRole,
    MemberStatus, PROGRESSING, READY, Status,
};

/// The API group.
pub const GROUP: &str = "interrex.io";
/// The version that is served and stored.
pub const VERSION: &str = "v1alpha1";
/// The kind.
pub const KIND: &str = brain::spec::KIND;
/// The plural, in addresses and in `kubectl get`.
pub const PLURAL: &str = "redises";
/// The name of the definition.
pub const DEFINITION_NAME: &str = "redises.interrex.io";

/// The resource, as it is stored. One that cannot be read fails its whole list: list and watch
/// `kube::core::DeserializeGuard<Redis>`, which keeps the error to the one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Redis {
    /// [`brain::spec::API_VERSION`]; items of a list come without.
    #[serde(default)]
    pub api_version: String,
    /// [`KIND`]; items of a list come without.
    #[serde(default)]
    pub kind: String,
    /// Name, namespace, labels and what Kubernetes adds.
    pub metadata: ObjectMeta,
    /// What is wanted, unchecked: [`Redis::resource`] and then `validate`.
    #[serde(default)]
    pub spec: brain::spec::Spec,
    /// How it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
}

impl Redis {
    /// The resource as `brain::spec` has it, to be validated.
    pub fn resource(&self) -> brain::spec::Resource {
        let name = self.metadata.name.as_deref().unwrap_or_default();
        let mut resource = brain::spec::Resource::named(name);
        resource.metadata.namespace.clone_from(&self.metadata.namespace);
        resource.metadata.labels = self.metadata.labels.clone().unwrap_or_default();
        resource.metadata.annotations = self.metadata.annotations.clone().unwrap_or_default();
        resource.spec = self.spec.clone();
        resource
    }
}

impl kube::Resource for Redis {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        KIND.into()
    }

    fn group((): &()) -> Cow<'_, str> {
        GROUP.into()
    }

    fn version((): &()) -> Cow<'_, str> {
        VERSION.into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        PLURAL.into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// The definition of the resource.
pub fn definition() -> CustomResourceDefinition {
    CustomResourceDefinition {
        metadata: ObjectMeta { name: Some(DEFINITION_NAME.to_owned()), ..ObjectMeta::default() },
        spec: CustomResourceDefinitionSpec {
            group: GROUP.to_owned(),
            names: CustomResourceDefinitionNames {
                kind: KIND.to_owned(),
                list_kind: Some(format!("{KIND}List")),
                plural: PLURAL.to_owned(),
                singular: Some("redis".to_owned()),
                short_names: Some(vec!["rd".to_owned()]),
                categories: Some(vec!["all".to_owned()]),
            },
            scope: "Namespaced".to_owned(),
            versions: vec![version()],
            ..CustomResourceDefinitionSpec::default()
        },
        status: None,
    }
}

fn version() -> CustomResourceDefinitionVersion {
    CustomResourceDefinitionVersion {
        name: VERSION.to_owned(),
        served: true,
        storage: true,
        additional_printer_columns: Some(columns()),
        schema: Some(CustomResourceValidation { open_api_v3_schema: Some(root().schema()) }),
        subresources: Some(CustomResourceSubresources {
            status: Some(CustomResourceSubresourceStatus(serde_json::json!({}))),
            scale: Some(CustomResourceSubresourceScale {
                label_selector_path: Some(".status.selector".to_owned()),
                spec_replicas_path: ".spec.topology.replication.replicas".to_owned(),
                status_replicas_path: ".status.replicas".to_owned(),
            }),
        }),
        ..CustomResourceDefinitionVersion::default()
    }
}

fn root() -> schema::Field {
    schema::object("A group of Redis or Valkey engines that stays writable whatever dies.")
        .field("spec", spec::spec())
        .field("status", status::status())
        .rule_says(
            format!(
                "{} && self.metadata.name.size() <= 50",
                cel::matches("self.metadata.name", "^[a-z]([a-z0-9-]*[a-z0-9])?$")
            ),
            "'metadata.name: \"' + self.metadata.name + '\": a name starts with a letter and has \
             at most 50 characters; use lower-case letters, digits and -, with a letter or digit \
             at the end'",
        )
}

fn columns() -> Vec<CustomResourceColumnDefinition> {
    let failover = format!(".status.conditions[?(@.type==\"{FAILOVER_POSSIBLE}\")].status");
    let reason = format!(".status.conditions[?(@.type==\"{FAILOVER_POSSIBLE}\")].reason");
    let column = |name: &str, path: &str, type_: &str, description: &str, priority| {
        CustomResourceColumnDefinition {
            name: name.to_owned(),
            json_path: path.to_owned(),
            type_: type_.to_owned(),
            description: Some(description.to_owned()),
            priority,
            format: None,
        }
    };
    vec![
        column("Topology", ".status.topology", "string", "Primaries and replicas.", None),
        column("Ready", ".status.ready", "string", "Members that are ready, of all.", None),
        column("Primary", ".status.primary", "string", "The member that leads.", None),
        column("Failover", &failover, "string", "Whether another member could take over.", None),
        column("Why", &reason, "string", "Why one could, or could not.", Some(1)),
        column("Message", ".status.message", "string", "What is the matter.", Some(1)),
        column("Age", ".metadata.creationTimestamp", "date", "Since when it is there.", None),
    ]
}

#[cfg(test)]
mod tests;
