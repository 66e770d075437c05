//! The two containers: one brings the program, the other runs the engine under it.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Capabilities, Container, ContainerPort, EnvVar, EnvVarSource, HTTPGetAction,
    ObjectFieldSelector, Probe, ResourceRequirements, SecurityContext,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::mounts;
use crate::names;
use crate::objects::engine;
use crate::objects::frame::{Frame, texts};

/// Brings the program. Its resources are those of the engine: a pod asks for the larger of the two,
/// so they cost nothing, and the pod stays `Guaranteed` when the engine is.
pub(super) fn program(frame: &Frame<'_>) -> Container {
    Container {
        name: names::PROGRAM_CONTAINER.to_owned(),
        image: Some(frame.options.image.clone()),
        command: Some(texts([names::PROGRAM_IN_IMAGE, "install", names::PROGRAM_DIRECTORY])),
        resources: resources(frame),
        security_context: Some(security()),
        volume_mounts: Some(mounts::of_program()),
        ..Container::default()
    }
}

/// The engine under the program, which is PID 1.
pub(super) fn engine(frame: &Frame<'_>) -> Container {
    let sentinel = frame.fields().access.sentinel.as_ref();
    let mut ports = vec![
        port(names::ENGINE_PORT_NAME, names::ENGINE_PORT),
        port(names::PEER_PORT_NAME, names::PEER_PORT),
        port(names::HTTP_PORT_NAME, names::HTTP_PORT),
    ];
    ports.extend(sentinel.map(|sentinel| port(names::SENTINEL_PORT_NAME, sentinel.port as u16)));
    Container {
        name: names::ENGINE_CONTAINER.to_owned(),
        image: Some(engine::image(frame.spec)),
        command: Some(texts([names::PROGRAM, "pod"])),
        env: Some(env()),
        ports: Some(ports),
        resources: resources(frame),
        security_context: Some(security()),
        volume_mounts: Some(mounts::of_engine()),
        // A minute without an answer: an agent that is only slow is not killed, for its engine
        // would go with it.
        liveness_probe: Some(probe("/live", Rhythm { period: 10, timeout: 5, failures: 6 })),
        // Two seconds: it decides about reads from replicas, writes follow the slice.
        readiness_probe: Some(probe("/ready", Rhythm { period: 1, timeout: 1, failures: 2 })),
        ..Container::default()
    }
}

/// What a pod cannot know by itself.
fn env() -> Vec<EnvVar> {
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
    vec![
        from(names::POD_NAME_ENV, "metadata.name"),
        from(names::POD_UID_ENV, "metadata.uid"),
        from(names::POD_IP_ENV, "status.podIP"),
        from(names::NAMESPACE_ENV, "metadata.namespace"),
        from(names::HOST_ENV, "spec.nodeName"),
        EnvVar {
            name: names::GRACE_ENV.to_owned(),
            value: Some(names::GRACE_SECONDS.to_string()),
            value_from: None,
        },
    ]
}

/// How often a probe asks, how long it waits (both in seconds), and how often it may fail.
#[derive(Clone, Copy)]
struct Rhythm {
    period: i32,
    timeout: i32,
    failures: i32,
}

fn probe(path: &str, rhythm: Rhythm) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String(names::HTTP_PORT_NAME.to_owned()),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(rhythm.period),
        timeout_seconds: Some(rhythm.timeout),
        failure_threshold: Some(rhythm.failures),
        ..Probe::default()
    }
}

fn port(name: &str, number: u16) -> ContainerPort {
    ContainerPort {
        name: Some(name.to_owned()),
        container_port: i32::from(number),
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    }
}

fn security() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        capabilities: Some(Capabilities { add: None, drop: Some(texts(["ALL"])) }),
        read_only_root_filesystem: Some(true),
        ..SecurityContext::default()
    }
}

fn resources(frame: &Frame<'_>) -> Option<ResourceRequirements> {
    let brain::spec::Resources { requests, limits } = &frame.fields().pods.resources;
    if requests.is_empty() && limits.is_empty() {
        return None;
    }
    let (requests, limits) = (quantities(requests), quantities(limits));
    Some(ResourceRequirements { claims: None, limits, requests })
}

fn quantities(texts: &BTreeMap<String, String>) -> Option<BTreeMap<String, Quantity>> {
    let all = texts.iter().map(|(name, text)| (name.clone(), Quantity(text.clone())));
    Some(all.collect()).filter(|all: &BTreeMap<_, _>| !all.is_empty())
}
