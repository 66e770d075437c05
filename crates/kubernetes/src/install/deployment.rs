//! The operator's pods.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec};
use k8s_openapi::api::core::v1::{
    Affinity, Capabilities, Container, ContainerPort, EnvVar, EnvVarSource, HTTPGetAction,
    ObjectFieldSelector, PodAffinityTerm, PodAntiAffinity, PodSecurityContext, PodSpec,
    PodTemplateSpec, Probe, ResourceRequirements, SeccompProfile, SecurityContext,
    WeightedPodAffinityTerm,
};
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{Install, OPERATOR, labels, meta, selector};
use crate::names;

/// The user and the group of the image: nobody's on a host.
const USER_ID: i64 = 65_532;
/// The container.
const CONTAINER: &str = "operator";
/// What is kept free: an operator at rest does nothing.
const REQUESTS: [(&str, &str); 2] = [("cpu", "20m"), ("memory", "64Mi")];
/// Twice what a thousand groups may take. No limit of processor time: a throttled operator only
/// makes changes slower.
const LIMITS: [(&str, &str); 1] = [("memory", "256Mi")];

pub(super) fn deployment(install: &Install) -> Deployment {
    Deployment {
        metadata: meta(OPERATOR, Some(&install.namespace)),
        spec: Some(DeploymentSpec {
            replicas: Some(install.replicas as i32),
            selector: label_selector(),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta { labels: Some(labels()), ..ObjectMeta::default() }),
                spec: Some(pod(install)),
            },
            ..DeploymentSpec::default()
        }),
        status: None,
    }
}

/// Of several operators one is always there; for one alone a budget would only block a drain.
pub(super) fn budget(install: &Install) -> Option<PodDisruptionBudget> {
    (install.replicas > 1).then(|| PodDisruptionBudget {
        metadata: meta(OPERATOR, Some(&install.namespace)),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            selector: Some(label_selector()),
            ..PodDisruptionBudgetSpec::default()
        }),
        status: None,
    })
}

fn label_selector() -> LabelSelector {
    LabelSelector { match_labels: Some(selector()), match_expressions: None }
}

/// Passes Pod Security `restricted`.
fn pod(install: &Install) -> PodSpec {
    PodSpec {
        service_account_name: Some(OPERATOR.to_owned()),
        enable_service_links: Some(false),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(USER_ID),
            run_as_group: Some(USER_ID),
            seccomp_profile: Some(SeccompProfile {
                type_: "RuntimeDefault".to_owned(),
                localhost_profile: None,
            }),
            ..PodSecurityContext::default()
        }),
        affinity: Some(apart()),
        containers: vec![container(install)],
        ..PodSpec::default()
    }
}

/// Two operators on one host would be lost together.
fn apart() -> Affinity {
    let term = PodAffinityTerm {
        label_selector: Some(label_selector()),
        topology_key: "kubernetes.io/hostname".to_owned(),
        ..PodAffinityTerm::default()
    };
    Affinity {
        pod_anti_affinity: Some(PodAntiAffinity {
            preferred_during_scheduling_ignored_during_execution: Some(vec![
                WeightedPodAffinityTerm { pod_affinity_term: term, weight: 100 },
            ]),
            ..PodAntiAffinity::default()
        }),
        ..Affinity::default()
    }
}

fn container(install: &Install) -> Container {
    Container {
        name: CONTAINER.to_owned(),
        image: Some(install.image.clone()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        args: Some(vec!["operator".to_owned()]),
        env: Some(env(install)),
        ports: Some(vec![ContainerPort {
            name: Some(names::HTTP_PORT_NAME.to_owned()),
            container_port: i32::from(names::HTTP_PORT),
            protocol: Some("TCP".to_owned()),
            ..ContainerPort::default()
        }]),
        // A minute without an answer is no slow operator any more.
        liveness_probe: Some(probe("/live", 10, 6)),
        readiness_probe: Some(probe("/ready", 5, 2)),
        resources: Some(ResourceRequirements {
            requests: Some(quantities(&REQUESTS)),
            limits: Some(quantities(&LIMITS)),
            claims: None,
        }),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            capabilities: Some(Capabilities { add: None, drop: Some(vec!["ALL".to_owned()]) }),
            read_only_root_filesystem: Some(true),
            ..SecurityContext::default()
        }),
        ..Container::default()
    }
}

fn env(install: &Install) -> Vec<EnvVar> {
    let from = |name: &str, field: &str| EnvVar {
        name: name.to_owned(),
        value: None,
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector {
                api_version: Some("v1".to_owned()),
                field_path: field.to_owned(),
            }),
            ..EnvVarSource::default()
        }),
    };
    let says = |name: &str, value: &str| EnvVar {
        name: name.to_owned(),
        value: Some(value.to_owned()),
        value_from: None,
    };
    let mut env = vec![
        from(names::POD_NAME_ENV, "metadata.name"),
        from(names::NAMESPACE_ENV, "metadata.namespace"),
        says(names::IMAGE_ENV, &install.image),
    ];
    let watched = install.watched.iter();
    env.extend(watched.map(|watched| says(names::WATCH_NAMESPACE_ENV, watched)));
    env
}

/// `period` in seconds, and how often in a row it may fail.
fn probe(path: &str, period: i32, failures: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String(names::HTTP_PORT_NAME.to_owned()),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(period),
        timeout_seconds: Some(5),
        failure_threshold: Some(failures),
        ..Probe::default()
    }
}

fn quantities(all: &[(&str, &str)]) -> BTreeMap<String, Quantity> {
    all.iter().map(|(name, text)| ((*name).to_owned(), Quantity((*text).to_owned()))).collect()
}
