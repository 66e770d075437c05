//! The spec as agents read it, and the hash of what an engine only takes when it starts.

use std::fmt::Write;

use brain::spec::{Metadata, Resource};
use engine::directive::{self, Applied};
use k8s_openapi::api::core::v1::ConfigMap;

use super::engine::engine;
use super::frame::{Frame, one};
use crate::names;

pub(super) fn config_map(frame: &Frame<'_>) -> ConfigMap {
    ConfigMap {
        metadata: frame.meta(frame.names.group.clone()),
        data: Some(one(names::SPEC_KEY, &resource(frame))),
        ..ConfigMap::default()
    }
}

/// The resource with its name and its spec: labels and annotations are no business of agents.
fn resource(frame: &Frame<'_>) -> String {
    let written = frame.spec.resource();
    let metadata = Metadata { name: written.metadata.name.clone(), ..Metadata::default() };
    let resource = Resource { metadata, ..written.clone() };
    serde_saphyr::to_string(&resource).expect("a resource that was read can be written")
}

/// The hash of what is not in the pod otherwise and needs another start of the engine. What can be
/// set live is not in it: agents read the ConfigMap.
pub(super) fn start_hash(frame: &Frame<'_>) -> String {
    let mut text = format!("gate {}\n", frame.spec.wants_gate());
    for (name, value) in frame.spec.config() {
        let name = name.to_ascii_lowercase();
        let found = engine(frame.spec).and_then(|engine| directive::find(&name, engine));
        // What is not known may need a start.
        let decides = engine::config::decides_persistence(&name);
        if decides || found.is_none_or(|found| found.applied != Applied::Live) {
            writeln!(text, "{name} {value}").expect("a text takes every line");
        }
    }
    format!("{:016x}", fnv(text.as_bytes()))
}

/// FNV-1a: the same in every build and on every machine. It tells changes, it guards nothing.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
