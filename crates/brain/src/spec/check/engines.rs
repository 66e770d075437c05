//! Which engine is asked for, which directives it takes, and whether what was found will do.

use std::collections::BTreeMap;

use engine::directive::{self, DirectiveError};
use engine::{Engine, Flavor, Version};

use super::Errors;
use crate::spec::fields::EngineField;
use crate::spec::words::Fencing;
use crate::spec::{Shape, SpecError, ValidatedSpec};
use crate::topology::Durability;

pub(super) fn version(field: &EngineField, errors: &mut Errors) {
    if field.version.is_some() && field.image.is_some() {
        errors.push(SpecError::new(
            "spec.engine",
            "version and image",
            "an image has its own version",
            "keep one of the two",
        ));
    }
    let Some(text) = &field.version else { return };
    let path = "spec.engine.version";
    match (text.parse::<Version>(), field.flavor) {
        (Err(_), _) => {
            let way_out = "write it in quotes, such as \"8.1\" or \"7.0.15\"";
            errors.push(SpecError::new(path, format!("{text:?}"), "is no version", way_out));
        }
        (Ok(_), None) => errors.push(SpecError::new(
            path,
            text,
            "redis and valkey number their versions apart",
            "add flavor: redis or flavor: valkey",
        )),
        (Ok(version), Some(flavor)) => {
            let (oldest, newest) = known(flavor);
            if !version.since(oldest.0, oldest.1) || version.major > newest {
                errors.push(SpecError::new(
                    path,
                    text,
                    format!("no {flavor} that interrex knows how to keep safe"),
                    format!("use {}.{} to {newest}", oldest.0, oldest.1),
                ));
            }
        }
    }
}

/// Oldest version and newest major number.
fn known(flavor: Flavor) -> ((u32, u32), u32) {
    match flavor {
        Flavor::Redis => ((6, 2), 8),
        Flavor::Valkey => ((7, 2), 9),
    }
}

/// The engines against which directives are checked: the one that is asked for, or as many as it
/// may turn out to be; [`accepts`] is exact once it is found.
pub(super) fn references(field: Option<&EngineField>) -> Vec<Engine> {
    let engine = |flavor, major, minor| Engine { flavor, version: Version::new(major, minor, 0) };
    let all = [
        engine(Flavor::Redis, 7, 0),
        engine(Flavor::Redis, 6, 2),
        engine(Flavor::Redis, 8, 10),
        engine(Flavor::Valkey, 8, 1),
        engine(Flavor::Valkey, 7, 2),
        engine(Flavor::Valkey, 9, 1),
    ];
    let flavor = field.and_then(|field| field.flavor);
    let version = field.and_then(|field| field.version.as_deref()?.parse().ok());
    match (flavor, version) {
        (Some(flavor), Some(version)) => vec![Engine { flavor, version }],
        (Some(flavor), None) => all.into_iter().filter(|one| one.flavor == flavor).collect(),
        (None, _) => all.into_iter().collect(),
    }
}

/// A directive is good when one of the engines takes it; the reason is that of the first.
pub(super) fn directives(
    config: &BTreeMap<String, String>,
    engines: &[Engine],
    errors: &mut Errors,
) {
    for (name, value) in config {
        let mut refusals = engines.iter().map(|one| directive::check(name, value, *one).err());
        let Some(Some(first)) = refusals.next() else { continue };
        let others: Option<Vec<DirectiveError>> = refusals.collect();
        let Some(others) = others else { continue };
        // An engine that has it and refuses the value says more than one that lacks it.
        let lacking = |error: &DirectiveError| {
            matches!(error, DirectiveError::Unknown { .. } | DirectiveError::NotInEngine { .. })
        };
        let said = [first.clone()].into_iter().chain(others).find(|error| !lacking(error));
        errors.push(directive_error(name, value, said.unwrap_or(first)));
    }
}

fn directive_error(name: &str, value: &str, error: DirectiveError) -> SpecError {
    // Whoever wrote a password here, perhaps with a slip in the name, finds it in no log.
    let secret = ["pas", "auth"].iter().any(|part| name.to_ascii_lowercase().contains(part));
    let shown = if secret { "(not shown)".to_owned() } else { format!("{value:?}") };
    let (wrong, way_out) = match error {
        DirectiveError::Unknown { nearest: Some(nearest), .. } => {
            ("no engine has this directive".to_owned(), format!("did you mean {nearest}?"))
        }
        DirectiveError::Unknown { nearest: None, .. } => (
            "no engine has this directive".to_owned(),
            "leave it out; the engine's own redis.conf or valkey.conf lists what there is"
                .to_owned(),
        ),
        DirectiveError::NotInEngine { engine, available, .. } => {
            (format!("{engine} does not have this directive"), format!("it is in {available}"))
        }
        DirectiveError::Ours { instead, .. } => {
            ("interrex sets this directive itself".to_owned(), instead.to_owned())
        }
        DirectiveError::Value { want, .. } => {
            ("is no value for this directive".to_owned(), format!("use {want}"))
        }
    };
    SpecError::new(format!("spec.config.{name}"), shown, wrong, way_out)
}

pub(in crate::spec) fn accepts(spec: &ValidatedSpec, engine: Engine) -> Result<(), Errors> {
    let mut errors = Errors::new();
    if let Some(field) = &spec.resource().spec.engine {
        if let Some(flavor) = field.flavor.filter(|flavor| *flavor != engine.flavor) {
            errors.push(SpecError::new(
                "spec.engine.flavor",
                flavor,
                format!("the engine that was found is {engine}"),
                format!("put {} on the PATH, or change the flavor", flavor.program()),
            ));
        } else if let Some(text) = field.version.as_deref().filter(|t| !fits(t, engine.version)) {
            errors.push(SpecError::new(
                "spec.engine.version",
                text,
                format!("the engine that was found is {engine}"),
                "install that version, or change the field",
            ));
        }
    }
    let strict = matches!(spec.durability(), Durability::Strict { .. });
    if strict && !engine.capabilities().gate_module {
        errors.push(SpecError::new(
            "spec.durability",
            "strict",
            format!("needs the gate, and {engine} cannot load it"),
            "use redis 7.0 or newer or any valkey, or durability balanced",
        ));
    }
    if errors.is_empty() {
        directives(spec.config(), &[engine], &mut errors);
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// Whether `8.1.3` is an `8.1`, and an `8`.
fn fits(wanted: &str, found: Version) -> bool {
    let found = [found.major, found.minor, found.patch];
    wanted.split('.').zip(found).all(|(wanted, found)| wanted.parse() == Ok(found))
}

pub(in crate::spec) fn fits_local_mode(spec: &ValidatedSpec) -> Result<(), Errors> {
    let mut errors = Errors::new();
    let fields = &spec.resource().spec;
    let mut missing = |path: &str, value: &str, way_out: &str| {
        errors.push(SpecError::new(path, value, "local mode does not have this yet", way_out));
    };
    if matches!(spec.shape(), Shape::Cluster { .. }) {
        missing("spec.topology.cluster", "{…}", "use topology.replication");
    }
    if spec.fencing() == Fencing::Kernel {
        missing("spec.failover.fencing", "kernel", "use gate, which covers the same and more");
    }
    if fields.tls.is_some() {
        missing("spec.tls", "{…}", "leave it out: everything stays on this machine");
    }
    if fields.access.sentinel.is_some() {
        missing("spec.access.sentinel", "{…}", "use the write and read addresses that up prints");
    }
    if fields.access.external.is_some() {
        missing("spec.access.external", "{…}", "leave it out");
    }
    if !fields.auth.users.is_empty() {
        missing("spec.auth.users", "[…]", "leave it out and use the generated password");
    }
    if fields.engine.as_ref().is_some_and(|engine| engine.image.is_some()) {
        missing("spec.engine.image", "…", "use flavor and version, or up --engine");
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}
