//! What Kubernetes cannot have: what a group's pods do not do yet, and what its objects would be
//! refused for. The spec itself is right by then.

use brain::spec::{Fencing, Shape, SpecError, ValidatedSpec};

use super::Options;
use super::engine::engine;
use crate::names;

/// Whether a group can be made of this; all that is wrong at once.
pub fn check(spec: &ValidatedSpec, options: &Options) -> Result<(), Vec<SpecError>> {
    let mut errors = Vec::new();
    not_yet(spec, &mut errors);
    if let Some(engine) = engine(spec)
        && let Err(refused) = spec.accepts(engine)
    {
        errors.extend(refused);
    }
    ours(spec, &mut errors);
    local_volumes(spec, options, &mut errors);
    if let Some(name) = &options.namespace {
        check_namespace("metadata.namespace", name, &mut errors);
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

fn error(path: &str, value: String, wrong: &str, way_out: &str) -> SpecError {
    let [path, wrong, way_out] = [path, wrong, way_out].map(str::to_owned);
    SpecError { path, value, wrong, way_out }
}

/// What would be left out in silence is an error.
fn not_yet(spec: &ValidatedSpec, errors: &mut Vec<SpecError>) {
    let fields = &spec.resource().spec;
    let mut missing = |path: &str, value: &str, way_out: &str| {
        let wrong = "interrex does not have this on Kubernetes yet";
        errors.push(error(path, value.to_owned(), wrong, way_out));
    };
    if matches!(spec.shape(), Shape::Cluster { .. }) {
        missing("spec.topology.cluster", "{…}", "use topology.replication");
    }
    if spec.fencing() == Fencing::Kernel {
        missing("spec.failover.fencing", "kernel", "use gate, which covers the same and more");
    }
    if fields.tls.is_some() {
        missing("spec.tls", "{…}", "leave it out");
    }
    if fields.access.sentinel.is_some() {
        missing("spec.access.sentinel", "{…}", "use the write address and the read address");
    }
    if !fields.auth.users.is_empty() {
        missing("spec.auth.users", "[…]", "leave it out and use the one password");
    }
}

/// Labels and annotations of pods that selectors and agents rely on.
fn ours(spec: &ValidatedSpec, errors: &mut Vec<SpecError>) {
    let pods = &spec.resource().spec.pods;
    let ours = [names::MANAGED_BY_LABEL, names::NAME_LABEL];
    for (what, map) in [("labels", &pods.labels), ("annotations", &pods.annotations)] {
        for (key, value) in map {
            if ours.contains(&key.as_str()) || key.starts_with(names::DOMAIN) {
                errors.push(error(
                    &format!("spec.pods.{what}.{key}"),
                    format!("{value:?}"),
                    "interrex sets this one itself",
                    "use a key of your own domain",
                ));
            }
        }
    }
}

fn local_volumes(spec: &ValidatedSpec, options: &Options, errors: &mut Vec<SpecError>) {
    let given = options.local_volumes.len();
    if given == 0 {
        return;
    }
    let path = "--local-volumes";
    if spec.storage_bytes().is_none() {
        let wrong = "the group is memory only (no spec.storage) and needs no volume";
        let way_out = "add spec.storage.size, or leave --local-volumes out";
        errors.push(error(path, volumes(given), wrong, way_out));
    }
    let members = spec.members() as usize;
    if given != members {
        let wrong = format!("there are {members} members, and each needs its own");
        let way_out = format!("name {members}, in the order of the members");
        errors.push(error(path, volumes(given), &wrong, &way_out));
    }
    for (n, one) in options.local_volumes.iter().enumerate() {
        if options.local_volumes[..n].contains(one) {
            let value = format!("{}={}", one.host, one.path);
            let way_out = "give each member a directory of its own";
            errors.push(error(path, value, "is there twice", way_out));
        }
    }
    if options.namespace.is_none() {
        let wrong = "a local volume is for the claim of one namespace, and none is named";
        errors.push(error(path, volumes(given), wrong, "add --namespace, or metadata.namespace"));
    }
}

fn volumes(number: usize) -> String {
    if number == 1 { "1 volume".to_owned() } else { format!("{number} volumes") }
}

/// Whether a namespace can have this name; `path` is where it is written.
pub(crate) fn check_namespace(path: &str, name: &str, errors: &mut Vec<SpecError>) {
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let ends = |name: &str| name.starts_with('-') || name.ends_with('-');
    if name.is_empty() || name.len() > 63 || !name.bytes().all(good) || ends(name) {
        errors.push(error(
            path,
            format!("{name:?}"),
            "is no name of a namespace",
            "use at most 63 lower-case letters, digits and -",
        ));
    }
}
