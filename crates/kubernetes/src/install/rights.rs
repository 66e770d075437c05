//! What the operator may do: what its code calls, and what it hands on to the agents, since
//! Kubernetes lets nobody grant what they do not hold.

use std::collections::{BTreeMap, BTreeSet};

use brain::spec::{OnDelete, Resource, Storage};
use k8s_openapi::api::rbac::v1::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};
use serde_json::Value;

use super::{Install, OPERATOR, meta};
use crate::crd::{GROUP, PLURAL};
use crate::names::OPERATOR_LEASE;
use crate::objects::{Options, build, document};

/// What RBAC calls itself.
const RBAC: &str = "rbac.authorization.k8s.io";

/// One right of the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Right {
    /// The API group; empty for the core one.
    pub group: &'static str,
    /// The resource.
    pub resource: &'static str,
    /// What the operator's own code calls.
    pub calls: &'static [&'static str],
    /// What for.
    pub why: &'static str,
}

/// Every right that the operator's own code needs in the namespaces that it watches.
///
/// Whatever it applies it first looks at (`get`); a server-side apply is a `patch`, and a `create`
/// where there is nothing yet; what it watches it lists first.
pub fn rights() -> Vec<Right> {
    const OWN: &[&str] = &["get", "list", "watch", "create", "patch"];
    const OWN_AND_END: &[&str] = &["get", "list", "watch", "create", "patch", "delete"];
    let right = |group, resource, calls, why| Right { group, resource, calls, why };
    vec![
        right(GROUP, PLURAL, &["list", "watch"], "the groups that are wanted"),
        right(GROUP, "redises/status", &["patch"], "says how a group is"),
        right(
            "apps",
            "statefulsets",
            OWN_AND_END,
            "the members; made anew, around its pods, for a \
             larger volume",
        ),
        right("", "services", OWN_AND_END, "the addresses; one that is not wanted any more goes"),
        right("", "configmaps", OWN, "the spec, as agents read it"),
        right("", "serviceaccounts", OWN, "who the agents are"),
        right(RBAC, "roles", OWN, "what the agents may do"),
        right(RBAC, "rolebindings", OWN, "that they may"),
        right("policy", "poddisruptionbudgets", OWN, "one eviction at a time"),
        right("", "secrets", &["create"], "a password for a new group; it can read none"),
        right(
            "coordination.k8s.io",
            "leases",
            &["get", "create", "patch"],
            "the record: read for the status; made once; a wish written into it",
        ),
        right("", "pods", &["list", "watch", "delete"], "how members are; a roll replaces them"),
        right("", "persistentvolumeclaims", &["list", "patch"], "grows volumes"),
        right("", "events", &["create"], "tells what it does"),
    ]
}

/// The rules of the operator in the namespaces that it watches.
pub(super) fn rules() -> Vec<PolicyRule> {
    let mut rules: Vec<PolicyRule> = Vec::new();
    let mut handed_on = handed_on();
    for right in rights() {
        let mut verbs: Vec<String> = right.calls.iter().map(|verb| (*verb).to_owned()).collect();
        let key = (right.group.to_owned(), right.resource.to_owned());
        for verb in handed_on.remove(&key).unwrap_or_default() {
            if !verbs.contains(&verb) {
                verbs.push(verb);
            }
        }
        rules.push(rule(right.group, right.resource, verbs));
    }
    let only_handed_on = handed_on.into_iter();
    rules
        .extend(only_handed_on.map(|((group, resource), verbs)| {
            rule(&group, &resource, verbs.into_iter().collect())
        }));
    rules
}

/// What the roles of agents grant, of the largest group that there can be: verbs by API group and
/// resource. The operator holds it for every name, since it does not know those of groups to come.
pub(super) fn handed_on() -> BTreeMap<(String, String), BTreeSet<String>> {
    let mut resource = Resource::named("any");
    let size = "1Gi".to_owned();
    resource.spec.storage =
        Some(Storage { size, class_name: None, on_delete: OnDelete::default() });
    let spec = resource.validate().expect("the default group with storage is a right one");
    let role = build(&spec, &Options::default()).role;
    let mut granted: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for rule in role.rules.unwrap_or_default() {
        for group in rule.api_groups.iter().flatten() {
            for resource in rule.resources.iter().flatten() {
                let verbs = granted.entry((group.clone(), resource.clone())).or_default();
                verbs.extend(rule.verbs.iter().cloned());
            }
        }
    }
    granted
}

/// The roles and their bindings: for the cluster, or for one namespace; and for the Lease by which
/// operators agree on who works.
pub(super) fn objects(install: &Install) -> Vec<Value> {
    let home = install.namespace.as_str();
    let subject = Subject {
        kind: "ServiceAccount".to_owned(),
        name: OPERATOR.to_owned(),
        namespace: Some(home.to_owned()),
        api_group: None,
    };
    let bound = |name: &str, namespace: &str| {
        document(&RoleBinding {
            metadata: meta(name, Some(namespace)),
            role_ref: role_ref("Role", name),
            subjects: Some(vec![subject.clone()]),
        })
    };
    let role = |name: &str, namespace: &str, rules| {
        document(&Role { metadata: meta(name, Some(namespace)), rules: Some(rules) })
    };
    let mut all = match &install.watched {
        Some(watched) => vec![role(OPERATOR, watched, rules()), bound(OPERATOR, watched)],
        None => vec![
            document(&ClusterRole {
                metadata: meta(OPERATOR, None),
                rules: Some(rules()),
                aggregation_rule: None,
            }),
            document(&ClusterRoleBinding {
                metadata: meta(OPERATOR, None),
                role_ref: role_ref("ClusterRole", OPERATOR),
                subjects: Some(vec![subject.clone()]),
            }),
        ],
    };
    let lease = format!("{OPERATOR}-lease");
    all.push(role(&lease, home, lease_rules()));
    all.push(bound(&lease, home));
    all
}

/// What is created has no name yet when rights are checked.
pub(super) fn lease_rules() -> Vec<PolicyRule> {
    let leases = |verbs: &[&str]| {
        let verbs = verbs.iter().map(|verb| (*verb).to_owned()).collect();
        rule("coordination.k8s.io", "leases", verbs)
    };
    let named = Some(vec![OPERATOR_LEASE.to_owned()]);
    vec![PolicyRule { resource_names: named, ..leases(&["get", "update"]) }, leases(&["create"])]
}

fn rule(group: &str, resource: &str, verbs: Vec<String>) -> PolicyRule {
    PolicyRule {
        api_groups: Some(vec![group.to_owned()]),
        resources: Some(vec![resource.to_owned()]),
        verbs,
        ..PolicyRule::default()
    }
}

fn role_ref(kind: &str, name: &str) -> RoleRef {
    RoleRef { api_group: RBAC.to_owned(), kind: kind.to_owned(), name: name.to_owned() }
}
