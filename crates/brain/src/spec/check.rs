//! What is refused: every rule with its reason and its way out.

mod engines;

use std::collections::BTreeMap;

use super::fields::{AclUser, Cluster, Failover, Replication, Tls, Topology};
use super::units::{parse_duration_ms, parse_quantity_bytes};
use super::words::{DurabilityField, DurabilityMode, FailsafeWord, Fencing};
use super::{
    API_VERSION, KIND, REPLICAS_MAX, Resource, Shape, Spec, SpecError, ValidatedSpec, timings,
};
use crate::time::Span;
use crate::topology::{Durability, Failsafe};

pub(super) use engines::{accepts, fits_local_mode};

type Errors = Vec<SpecError>;

/// Names of pods and of Kubernetes' revision labels are made of it, and those end at 63.
const NAME_MAX: usize = 50;
/// Slots of a cluster: more shards than this many have none.
const SHARDS_MAX: u32 = 1000;
const STORAGE_MIN_BYTES: u64 = 16 << 20;
const BUDGET_MAX: u32 = 1000;

pub(super) fn resource(resource: Resource) -> Result<ValidatedSpec, Errors> {
    let mut errors = Errors::new();
    head(&resource, &mut errors);
    let spec = &resource.spec;
    let shape = shape(spec.topology.as_ref(), &mut errors);
    let durability = durability(spec, shape, &mut errors);
    let failsafe = match (spec.failover.failsafe, durability) {
        (Some(FailsafeWord::All), _) | (None, Durability::Cache) => Failsafe::All,
        (Some(FailsafeWord::Majority) | None, _) => Failsafe::Majority,
    };
    if let Some(engine) = &spec.engine {
        engines::version(engine, &mut errors);
    }
    let timing = timings::timing(&spec.failover.profile, &mut errors);
    let (recovery_timeout, budget_per_hour) = limits(&spec.failover, &mut errors);
    let storage_bytes = storage(spec, &mut errors);
    let config: BTreeMap<String, String> =
        spec.config.iter().map(|(name, value)| (name.clone(), value.0.clone())).collect();
    engines::directives(&config, &engines::references(spec.engine.as_ref()), &mut errors);
    auth(spec, &mut errors);
    access(spec, &mut errors);
    pods(spec, &mut errors);
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(ValidatedSpec {
        resource,
        shape,
        durability,
        failsafe,
        timing,
        recovery_timeout,
        budget_per_hour,
        storage_bytes,
        config,
    })
}

fn head(resource: &Resource, errors: &mut Errors) {
    for (path, value, want) in
        [("apiVersion", &resource.api_version, API_VERSION), ("kind", &resource.kind, KIND)]
    {
        if value != want {
            let way_out = format!("write {want}");
            errors.push(SpecError::new(path, value, "is not what this program reads", way_out));
        }
    }
    let name = &resource.metadata.name;
    if !is_label(name) || name.len() > NAME_MAX {
        errors.push(SpecError::new(
            "metadata.name",
            format!("{name:?}"),
            format!("a name starts with a letter and has at most {NAME_MAX} characters"),
            "use lower-case letters, digits and -, with a letter or digit at the end",
        ));
    }
}

fn is_label(name: &str) -> bool {
    let ok = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(ok)
        && !name.ends_with('-')
}

/// A number within its bounds, else the error and the nearest bound.
fn within(path: &str, value: i64, min: u32, max: u32, why: &str, errors: &mut Errors) -> u32 {
    if let Ok(number) = u32::try_from(value)
        && (min..=max).contains(&number)
    {
        return number;
    }
    let wrong = format!("must be from {min} to {max}{why}");
    let nearest = if value < i64::from(min) { min } else { max };
    errors.push(SpecError::new(path, value, wrong, format!("use {nearest}, or anything between")));
    nearest
}

fn shape(topology: Option<&Topology>, errors: &mut Errors) -> Shape {
    match topology {
        None => replication(&Replication::default(), errors),
        Some(Topology { replication: Some(one), cluster: None }) => replication(one, errors),
        Some(Topology { replication: None, cluster: Some(cluster) }) => shards(cluster, errors),
        Some(Topology { replication: None, cluster: None }) => {
            errors.push(SpecError::new(
                "spec.topology",
                "{}",
                "has neither replication nor cluster",
                "name one of them, or leave topology out for one primary and two replicas",
            ));
            replication(&Replication::default(), errors)
        }
        Some(Topology { replication: Some(one), cluster: Some(_) }) => {
            errors.push(SpecError::new(
                "spec.topology",
                "replication and cluster",
                "a group has exactly one topology",
                "keep one of the two",
            ));
            replication(one, errors)
        }
    }
}

fn replication(field: &Replication, errors: &mut Errors) -> Shape {
    let why = " (0 is a primary alone, members are one more)";
    let path = "spec.topology.replication.replicas";
    Shape::Replication { replicas: within(path, field.replicas, 0, REPLICAS_MAX, why, errors) }
}

fn shards(field: &Cluster, errors: &mut Errors) -> Shape {
    let path = "spec.topology.cluster";
    let name = |what: &str| format!("{path}.{what}");
    let replicas =
        within(&name("replicas"), field.replicas, 0, REPLICAS_MAX, " for each shard", errors);
    let shards_why = " (an election among primaries needs three)";
    let shards = match (field.shards, field.nodes) {
        (Some(shards), None) => within(&name("shards"), shards, 3, SHARDS_MAX, shards_why, errors),
        (None, Some(nodes)) => {
            let each = replicas + 1;
            let most = SHARDS_MAX * each;
            let nodes = within(&name("nodes"), nodes, 3 * each, most, shards_why, errors);
            if !nodes.is_multiple_of(each) {
                let (low, high) = (nodes / each * each, nodes.div_ceil(each) * each);
                errors.push(SpecError::new(
                    name("nodes"),
                    nodes,
                    format!(
                        "must be a multiple of replicas + 1 ({nodes} / {each} leaves {})",
                        nodes % each
                    ),
                    format!("use {low} or {high}"),
                ));
            }
            nodes / each
        }
        (None, None) | (Some(_), Some(_)) => {
            let value = if field.shards.is_some() { "shards and nodes" } else { "{}" };
            let way_out = "write shards for the primaries, or nodes for all members together";
            errors.push(SpecError::new(
                path,
                value,
                "wants exactly one of shards and nodes",
                way_out,
            ));
            3
        }
    };
    Shape::Cluster { shards, replicas }
}

fn durability(spec: &Spec, shape: Shape, errors: &mut Errors) -> Durability {
    let (Shape::Replication { replicas } | Shape::Cluster { replicas, .. }) = shape;
    let (mode, copies) = match spec.durability {
        DurabilityField::Mode(mode) => (mode, None),
        DurabilityField::Copies { mode, copies } => (mode, Some(copies)),
    };
    let path = "spec.durability.copies";
    match (mode, copies) {
        (DurabilityMode::Cache, None | Some(0)) => Durability::Cache,
        (DurabilityMode::Balanced, None | Some(1)) => Durability::Balanced,
        (DurabilityMode::Cache | DurabilityMode::Balanced, Some(copies)) => {
            let (word, fixed) =
                if mode == DurabilityMode::Cache { ("cache", 0) } else { ("balanced", 1) };
            errors.push(SpecError::new(
                path,
                copies,
                format!("mode {word} has {fixed} by its meaning"),
                "leave copies out, or use mode strict",
            ));
            Durability::Balanced
        }
        (DurabilityMode::Strict, copies) => {
            let copies = copies.unwrap_or(1);
            strict(spec, copies, replicas, errors)
        }
    }
}

fn strict(spec: &Spec, copies: i64, replicas: u32, errors: &mut Errors) -> Durability {
    if replicas == 0 {
        errors.push(SpecError::new(
            "spec.durability",
            "strict",
            "there is no replica to hold a second copy (replicas is 0)",
            "use at least 1 replica, or durability balanced",
        ));
    } else if !(1..=i64::from(replicas)).contains(&copies) {
        errors.push(SpecError::new(
            "spec.durability.copies",
            copies,
            format!(
                "copies are replicas that have a write, and there are {replicas}: no write could \
                 ever count ({copies} of {replicas})"
            ),
            format!("use 1 to {replicas}, or at least {} replicas", copies.max(1)),
        ));
    }
    if spec.failover.fencing == Fencing::Process {
        errors.push(SpecError::new(
            "spec.failover.fencing",
            "process",
            "durability strict promises no late acknowledgement, and only a gate keeps that",
            "use fencing gate, or durability balanced",
        ));
    }
    Durability::Strict { copies: u32::try_from(copies).unwrap_or(1).max(1) }
}

fn limits(failover: &Failover, errors: &mut Errors) -> (Span, u32) {
    let text = &failover.recovery_timeout;
    let ms = parse_duration_ms(text).filter(|ms| (1000..=86_400_000).contains(ms));
    if ms.is_none() {
        errors.push(SpecError::new(
            "spec.failover.recoveryTimeout",
            format!("{text:?}"),
            "must be a duration from 1s to 24h",
            "write a number with ms, s, m or h, such as 60s",
        ));
    }
    let budget = within(
        "spec.failover.budget",
        failover.budget,
        1,
        BUDGET_MAX,
        " takeovers an hour",
        errors,
    );
    (Span::from_millis(ms.unwrap_or(60_000)), budget)
}

fn storage(spec: &Spec, errors: &mut Errors) -> Option<u64> {
    let size = &spec.storage.as_ref()?.size;
    let bytes = parse_quantity_bytes(size).filter(|bytes| *bytes >= STORAGE_MIN_BYTES);
    if bytes.is_none() {
        errors.push(SpecError::new(
            "spec.storage.size",
            format!("{size:?}"),
            "must be a size of at least 16Mi",
            "write a number with Mi, Gi or Ti, such as 10Gi; leave storage out for memory only",
        ));
    }
    bytes
}

fn auth(spec: &Spec, errors: &mut Errors) {
    let mut names: Vec<&str> = Vec::new();
    for (n, AclUser { name, rules, .. }) in spec.auth.users.iter().enumerate() {
        let path = format!("spec.auth.users[{n}]");
        let ours = name == "default" || name == engine::config::AGENT_USER;
        if ours || name.is_empty() || name.contains(char::is_whitespace) || name.starts_with('~') {
            errors.push(SpecError::new(
                format!("{path}.name"),
                format!("{name:?}"),
                "must be a name without blanks, other than default and interrex",
                "the password of default is in auth.secretName",
            ));
        }
        if names.contains(&name.as_str()) {
            let way_out = "give every user one entry";
            errors.push(SpecError::new(format!("{path}.name"), name, "is there twice", way_out));
        }
        names.push(name.as_str());
        let secret = |word: &str| {
            word.starts_with(['>', '<', '#', '!']) || word.eq_ignore_ascii_case("nopass")
        };
        if rules.split_whitespace().any(secret) || rules.chars().any(char::is_control) {
            errors.push(SpecError::new(
                format!("{path}.rules"),
                // The rule itself may be a password.
                "(not shown)",
                "rules name keys, channels and commands, no passwords",
                "put the password into the secret that secretName names",
            ));
        }
    }
    if let Some(Tls { secret_name, issuer_ref }) = &spec.tls
        && secret_name.is_some() == issuer_ref.is_some()
    {
        let value = if secret_name.is_some() { "secretName and issuerRef" } else { "{}" };
        let way_out = "name a secret with a certificate, or the issuer that makes one";
        errors.push(SpecError::new(
            "spec.tls",
            value,
            "wants exactly one of secretName and issuerRef",
            way_out,
        ));
    }
}

fn access(spec: &Spec, errors: &mut Errors) {
    if let Some(sentinel) = &spec.access.sentinel {
        let path = "spec.access.sentinel.port";
        within(path, sentinel.port, 1, 65_535, ", a TCP port", errors);
        let name = &sentinel.master_name;
        if name.is_empty() || name.contains(char::is_whitespace) {
            let way_out = "use a word such as mymaster";
            let path = "spec.access.sentinel.masterName";
            errors.push(SpecError::new(path, format!("{name:?}"), "is no name", way_out));
        }
    }
    if let Some(external) = &spec.access.external
        && !["LoadBalancer", "NodePort"].contains(&external.kind.as_str())
    {
        let way_out = "use LoadBalancer or NodePort";
        let path = "spec.access.external.type";
        errors.push(SpecError::new(path, &external.kind, "is no type of service", way_out));
    }
}

fn pods(spec: &Spec, errors: &mut Errors) {
    let resources = &spec.pods.resources;
    for (what, map) in [("requests", &resources.requests), ("limits", &resources.limits)] {
        for (name, value) in map {
            let cpu = |text: &str| {
                let digits = text.strip_suffix('m').unwrap_or(text);
                digits.parse::<f64>().is_ok_and(|cores| cores.is_finite() && cores > 0.0)
            };
            let good =
                if name == "cpu" { cpu(value) } else { parse_quantity_bytes(value).is_some() };
            if !good {
                errors.push(SpecError::new(
                    format!("spec.pods.resources.{what}.{name}"),
                    format!("{value:?}"),
                    "is no quantity",
                    "write such as 500m or 2 for cpu, 512Mi or 4Gi for memory",
                ));
            }
        }
    }
}
