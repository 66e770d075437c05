//! What people may do with groups: added to Kubernetes' own roles `view`, `edit` and `admin`, so
//! that whoever may make a Deployment in a namespace may make a group there too.

use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule};

use super::meta;
use crate::crd::{GROUP, PLURAL};

/// The two roles; nobody is bound to them by name.
pub(super) fn roles() -> [ClusterRole; 2] {
    let scale = format!("{PLURAL}/scale");
    let look = ["get", "list", "watch"];
    let change = ["create", "update", "patch", "delete", "deletecollection"];
    [
        role("interrex-view", &["view"], vec![rule(PLURAL, &look)]),
        role(
            "interrex-edit",
            &["edit", "admin"],
            vec![rule(PLURAL, &change), rule(&scale, &["get", "update", "patch"])],
        ),
    ]
}

fn role(name: &str, joins: &[&str], rules: Vec<PolicyRule>) -> ClusterRole {
    let mut metadata = meta(name, None);
    let labels = metadata.labels.get_or_insert_default();
    for role in joins {
        let key = format!("rbac.authorization.k8s.io/aggregate-to-{role}");
        labels.insert(key, "true".to_owned());
    }
    ClusterRole { metadata, rules: Some(rules), aggregation_rule: None }
}

fn rule(resource: &str, verbs: &[&str]) -> PolicyRule {
    PolicyRule {
        api_groups: Some(vec![GROUP.to_owned()]),
        resources: Some(vec![resource.to_owned()]),
        verbs: verbs.iter().map(|verb| (*verb).to_owned()).collect(),
        ..PolicyRule::default()
    }
}
