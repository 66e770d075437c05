//! Which engine the pods have, and its image.

use brain::spec::ValidatedSpec;
use engine::{Engine, Flavor, Version};

/// The engine when the spec asks for none.
const DEFAULT: Flavor = Flavor::Valkey;

/// The version of a family when the spec asks for none.
fn newest(flavor: Flavor) -> &'static str {
    match flavor {
        Flavor::Redis => "8.0",
        Flavor::Valkey => "8.1",
    }
}

/// The engine that the pods are going to have; `None` when only its image is known.
pub(super) fn engine(spec: &ValidatedSpec) -> Option<Engine> {
    let (flavor, version) = wanted(spec)?;
    let version = version.parse::<Version>().expect("a version was checked with the spec");
    Some(Engine { flavor, version })
}

/// The image of the engine: an official one unless the spec names another.
pub(super) fn image(spec: &ValidatedSpec) -> String {
    match wanted(spec) {
        Some((Flavor::Redis, version)) => format!("docker.io/library/redis:{version}"),
        Some((Flavor::Valkey, version)) => format!("docker.io/valkey/valkey:{version}"),
        None => {
            let field = spec.resource().spec.engine.as_ref();
            field.and_then(|field| field.image.clone()).unwrap_or_default()
        }
    }
}

fn wanted(spec: &ValidatedSpec) -> Option<(Flavor, &str)> {
    let field = spec.resource().spec.engine.as_ref();
    if field.is_some_and(|field| field.image.is_some()) {
        return None;
    }
    let flavor = spec.flavor().unwrap_or(DEFAULT);
    let version = field.and_then(|field| field.version.as_deref());
    Some((flavor, version.unwrap_or_else(|| newest(flavor))))
}
