//! The pod of a member: the official image of the engine with the program as its first process.
//! It passes Pod Security `restricted`.

mod containers;
mod mounts;
mod placement;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    PodSecurityContext, PodSpec, PodTemplateSpec, SeccompProfile, Toleration,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::config;
use super::frame::Frame;
use crate::names;

/// Which container `kubectl logs` and `kubectl exec` mean.
const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";
/// Volumes that the cluster's autoscaler may throw away with a host.
const EXPENDABLE: &str = "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes";

pub(super) fn template(frame: &Frame<'_>) -> PodTemplateSpec {
    let pods = &frame.fields().pods;
    let mut labels = pods.labels.clone();
    labels.extend(frame.labels());
    let mut annotations = BTreeMap::from([
        (DEFAULT_CONTAINER.to_owned(), names::ENGINE_CONTAINER.to_owned()),
        (EXPENDABLE.to_owned(), format!("{},{}", names::PROGRAM_VOLUME, names::RUN_VOLUME)),
    ]);
    annotations.extend(pods.annotations.clone());
    annotations.insert(names::CONFIG_HASH_ANNOTATION.to_owned(), config::start_hash(frame));
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(labels),
            annotations: Some(annotations),
            ..ObjectMeta::default()
        }),
        spec: Some(spec(frame)),
    }
}

fn spec(frame: &Frame<'_>) -> PodSpec {
    let pods = &frame.fields().pods;
    let tolerations: Vec<Toleration> = pods.tolerations.iter().map(toleration).collect();
    PodSpec {
        service_account_name: Some(frame.names.group.clone()),
        automount_service_account_token: Some(true),
        // A variable for each Service of the namespace is of no use, and there can be thousands.
        enable_service_links: Some(false),
        termination_grace_period_seconds: Some(names::GRACE_SECONDS),
        security_context: Some(security()),
        init_containers: Some(vec![containers::program(frame)]),
        containers: vec![containers::engine(frame)],
        volumes: Some(mounts::volumes(frame)),
        affinity: placement::affinity(frame),
        topology_spread_constraints: Some(placement::spread(frame)),
        node_selector: Some(pods.node_selector.clone()).filter(|map| !map.is_empty()),
        tolerations: Some(tolerations).filter(|list| !list.is_empty()),
        priority_class_name: pods.priority_class_name.clone(),
        ..PodSpec::default()
    }
}

fn security() -> PodSecurityContext {
    PodSecurityContext {
        run_as_non_root: Some(true),
        run_as_user: Some(names::USER_ID),
        run_as_group: Some(names::USER_ID),
        fs_group: Some(names::USER_ID),
        // Else each start walks through all the data.
        fs_group_change_policy: Some("OnRootMismatch".to_owned()),
        seccomp_profile: Some(SeccompProfile {
            type_: "RuntimeDefault".to_owned(),
            localhost_profile: None,
        }),
        ..PodSecurityContext::default()
    }
}

fn toleration(field: &brain::spec::Toleration) -> Toleration {
    let brain::spec::Toleration { key, operator, value, effect, toleration_seconds } =
        field.clone();
    Toleration { key, operator, value, effect, toleration_seconds }
}
