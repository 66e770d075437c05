//! Who the agents are and what they may do: by name wherever Kubernetes allows it.

use brain::spec::{REPLICAS_MAX, Routing};
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{PolicyRule, Role, RoleBinding, RoleRef, Subject};

use super::frame::{Frame, texts};

pub(super) fn service_account(frame: &Frame<'_>) -> ServiceAccount {
    ServiceAccount {
        metadata: frame.meta(frame.names.group.clone()),
        automount_service_account_token: Some(true),
        ..ServiceAccount::default()
    }
}

pub(super) fn role(frame: &Frame<'_>) -> Role {
    let Frame { names, .. } = frame;
    // The names of all members that there can be: so a change of their number changes no right.
    let ordinals = 0..=REPLICAS_MAX;
    let pods: Vec<String> = ordinals.clone().map(|ordinal| names.member(ordinal)).collect();
    let claims: Vec<String> = ordinals.map(|ordinal| names.claim(ordinal)).collect();
    let own = ["get", "watch", "update"];
    let mut rules = vec![
        // The record. What is created has no name yet when rights are checked.
        rule("coordination.k8s.io", "leases", own).named(vec![names.group.clone()]),
        rule("coordination.k8s.io", "leases", ["create"]).unnamed(),
        // Each other, and what each says of itself.
        rule("", "pods", ["list", "watch"]).unnamed(),
        rule("", "pods", ["patch"]).named(pods),
        // Decisions. One that repeats is counted by a patch.
        rule("events.k8s.io", "events", ["create", "patch"]).unnamed(),
    ];
    if frame.fields().failover.routing == Routing::Slice {
        let slice = vec![names.primary_slice()];
        rules.push(rule("discovery.k8s.io", "endpointslices", own).named(slice));
        rules.push(rule("discovery.k8s.io", "endpointslices", ["create"]).unnamed());
    }
    if frame.storage().is_some() {
        // Which disk a member has.
        rules.push(rule("", "persistentvolumeclaims", ["get"]).named(claims));
    }
    Role { metadata: frame.meta(names.group.clone()), rules: Some(rules) }
}

pub(super) fn role_binding(frame: &Frame<'_>) -> RoleBinding {
    let name = &frame.names.group;
    RoleBinding {
        metadata: frame.meta(name.clone()),
        role_ref: RoleRef {
            api_group: "rbac.authorization.k8s.io".to_owned(),
            kind: "Role".to_owned(),
            name: name.clone(),
        },
        // Without a namespace it is that of the binding.
        subjects: Some(vec![Subject {
            api_group: None,
            kind: "ServiceAccount".to_owned(),
            name: name.clone(),
            namespace: frame.options.namespace.clone(),
        }]),
    }
}

/// A rule that does not say yet whether it is for named objects only.
struct Draft(PolicyRule);

fn rule<const N: usize>(group: &str, resource: &str, verbs: [&str; N]) -> Draft {
    Draft(PolicyRule {
        api_groups: Some(texts([group])),
        resources: Some(texts([resource])),
        verbs: texts(verbs),
        ..PolicyRule::default()
    })
}

impl Draft {
    fn named(self, names: Vec<String>) -> PolicyRule {
        PolicyRule { resource_names: Some(names), ..self.0 }
    }

    fn unnamed(self) -> PolicyRule {
        self.0
    }
}
