//! The addresses: of the members, of the primary, of fresh replicas, and of what speaks like a
//! Sentinel.

use std::collections::BTreeMap;

use brain::spec::Routing;
use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::frame::Frame;
use crate::names;

/// The members' own names. They find each other before any of them is ready.
pub(super) fn peers(frame: &Frame<'_>) -> Service {
    let ports = [
        (names::ENGINE_PORT_NAME, names::ENGINE_PORT),
        (names::PEER_PORT_NAME, names::PEER_PORT),
        (names::HTTP_PORT_NAME, names::HTTP_PORT),
    ];
    service(
        frame,
        frame.names.peers(),
        ServiceSpec {
            cluster_ip: Some("None".to_owned()),
            publish_not_ready_addresses: Some(true),
            selector: Some(frame.selector()),
            ports: Some(ports.map(|(name, number)| port(name, number)).to_vec()),
            ..ServiceSpec::default()
        },
    )
}

/// The write address. Without a selector: the primary's agent writes where it leads to. What is
/// reached from outside is this same Service, so both ways lead to the same primary at the same
/// moment; another one would need a second slice, or a label that is later than the slice.
pub(super) fn write(frame: &Frame<'_>) -> Option<Service> {
    let access = &frame.fields().access;
    if !access.primary && access.external.is_none() {
        return None;
    }
    let selector = match frame.fields().failover.routing {
        Routing::Slice => None,
        Routing::Labels => Some(frame.selector_of_role(names::ROLE_PRIMARY)),
    };
    let mut write = service(frame, frame.names.group.clone(), engine_port(selector));
    if let Some(external) = &access.external {
        write.spec.get_or_insert_default().type_ = Some(external.kind.clone());
        let annotations = write.metadata.annotations.get_or_insert_default();
        annotations.extend(external.annotations.clone());
    }
    Some(write)
}

/// The read address: replicas that their agents call fresh, and that are ready.
pub(super) fn replicas(frame: &Frame<'_>) -> Option<Service> {
    let selector = frame.selector_of_role(names::ROLE_REPLICA);
    let wanted = frame.fields().access.replicas;
    wanted.then(|| service(frame, frame.names.replicas(), engine_port(Some(selector))))
}

/// Every agent answers like a Sentinel, ready or not: in a failover no member is.
pub(super) fn sentinel(frame: &Frame<'_>) -> Option<Service> {
    let sentinel = frame.fields().access.sentinel.as_ref()?;
    let spec = ServiceSpec {
        publish_not_ready_addresses: Some(true),
        selector: Some(frame.selector()),
        // The spec's check has let through 1 to 65535.
        ports: Some(vec![port(names::SENTINEL_PORT_NAME, sentinel.port as u16)]),
        ..ServiceSpec::default()
    };
    Some(service(frame, frame.names.sentinel(), spec))
}

fn engine_port(selector: Option<BTreeMap<String, String>>) -> ServiceSpec {
    let ports = Some(vec![port(names::ENGINE_PORT_NAME, names::ENGINE_PORT)]);
    ServiceSpec { selector, ports, ..ServiceSpec::default() }
}

fn port(name: &str, number: u16) -> ServicePort {
    ServicePort {
        name: Some(name.to_owned()),
        port: i32::from(number),
        protocol: Some("TCP".to_owned()),
        target_port: Some(IntOrString::String(name.to_owned())),
        ..ServicePort::default()
    }
}

fn service(frame: &Frame<'_>, name: String, spec: ServiceSpec) -> Service {
    Service { metadata: frame.meta(name), spec: Some(spec), status: None }
}
