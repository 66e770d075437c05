//! Resources that make no sense: each must be refused before it is stored, and told why.

use serde_json::{Value, json};

use crate::error::Error;
use crate::tools::Tools;
use crate::verdict::Event;

/// One of them.
struct Wrong {
    /// What is wrong with it.
    what: &'static str,
    /// What the refusal must name: the field.
    field: &'static str,
    /// Its `spec`.
    spec: Value,
}

fn wrong(what: &'static str, field: &'static str, spec: Value) -> Wrong {
    Wrong { what, field, spec }
}

/// The kinds of mistakes that people make.
fn kinds() -> Vec<Wrong> {
    [of_shape(), of_failover_and_storage(), of_config_and_pods()].into_iter().flatten().collect()
}

fn of_shape() -> Vec<Wrong> {
    let replicas = |count: i64| json!({ "topology": { "replication": { "replicas": count } } });
    let two = json!({ "replication": { "replicas": 2 }, "cluster": { "shards": 3 } });
    vec![
        wrong(
            "an engine of another name",
            "spec.engine",
            json!({ "engine": { "flavor": "keydb" } }),
        ),
        wrong(
            "a version that is too old",
            "spec.engine",
            json!({ "engine": { "flavor": "redis", "version": "5.0" } }),
        ),
        wrong("a misspelled field", "topolgy", json!({ "topolgy": {} })),
        wrong("two topologies at once", "spec.topology", json!({ "topology": two })),
        wrong("fewer replicas than none", "replicas", replicas(-1)),
        wrong("more replicas than can be", "replicas", replicas(1_000)),
        wrong("a durability of another name", "spec.durability", json!({ "durability": "safe" })),
        wrong(
            "more copies than members",
            "spec.durability",
            json!({ "durability": { "mode": "strict", "copies": 5 } }),
        ),
    ]
}

fn of_failover_and_storage() -> Vec<Wrong> {
    let failover = |fields: Value| json!({ "failover": fields });
    let storage = |fields: Value| json!({ "storage": fields });
    vec![
        wrong("a profile of another name", "profile", failover(json!({ "profile": "turbo" }))),
        wrong(
            "timings that cannot be kept",
            "spec.failover.profile",
            failover(json!({ "profile": {
                "lease": "1s", "peer": "3s", "renew": "2s", "heartbeat": "5s", "margin": "1s",
            } })),
        ),
        wrong(
            "a fence of another name",
            "spec.failover.fencing",
            failover(json!({ "fencing": "no" })),
        ),
        wrong(
            "a time without a unit",
            "recoveryTimeout",
            failover(json!({ "recoveryTimeout": "60" })),
        ),
        wrong("a negative budget", "spec.failover.budget", failover(json!({ "budget": -1 }))),
        wrong(
            "a routing of another name",
            "spec.failover.routing",
            failover(json!({ "routing": "dns" })),
        ),
        wrong("a size that is none", "spec.storage.size", storage(json!({ "size": "10 GB" }))),
        wrong("a size of nothing", "spec.storage.size", storage(json!({ "size": "0" }))),
        wrong(
            "an end of volumes of another name",
            "onDelete",
            storage(json!({ "size": "1Gi", "onDelete": "archive" })),
        ),
    ]
}

fn of_config_and_pods() -> Vec<Wrong> {
    let config = |fields: Value| json!({ "config": fields });
    vec![
        wrong("a directive that is ours", "spec.config", config(json!({ "port": "7000" }))),
        wrong("a password among directives", "spec.config", config(json!({ "requirepass": "x" }))),
        wrong(
            "a directive that does not exist",
            "spec.config",
            config(json!({ "maxmemroy": "1gb" })),
        ),
        wrong(
            "a value that a directive does not have",
            "spec.config",
            config(json!({ "maxmemory-policy": "oldest" })),
        ),
        wrong(
            "a port that does not exist",
            "spec.access.sentinel.port",
            json!({ "access": { "sentinel": { "port": 70_000, "masterName": "m" } } }),
        ),
        wrong(
            "a spreading of another name",
            "spec.pods.antiAffinity",
            json!({ "pods": { "antiAffinity": "maybe" } }),
        ),
    ]
}

/// Gives each to the API server, which is told to store nothing.
pub(crate) async fn all(tools: &Tools, namespace: &str, number: u32) -> Result<Event, Error> {
    let kinds = kinds();
    let mut event =
        Event { number, victim: namespace.to_owned(), writes_back: true, ..Event::default() };
    for kind in &kinds {
        event.violations.extend(judge(tools, namespace, kind).await?);
    }
    event.notes.push(format!(
        "{} of {} refused",
        kinds.len() - event.violations.len(),
        kinds.len()
    ));
    Ok(event)
}

/// What is wrong with the refusal, if anything is.
async fn judge(tools: &Tools, namespace: &str, kind: &Wrong) -> Result<Option<String>, Error> {
    let Wrong { what, field, spec } = kind;
    let resource = json!({
        "apiVersion": "interrex.io/v1alpha1", "kind": "Redis",
        "metadata": { "name": "cart", "namespace": namespace }, "spec": spec,
    });
    let words = ["create", "--dry-run=server", "-f", "-"];
    match tools.kubectl(&words, Some(&resource.to_string())).await {
        Ok(_) => Ok(Some(format!("{what} was not refused"))),
        Err(Error::Command { words, .. }) if words.contains(field) => Ok(None),
        Err(Error::Command { words, .. }) => {
            Ok(Some(format!("the refusal of {what} does not name {field}: {words}")))
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_twenty_kinds_and_the_brain_refuses_them_all() {
        let kinds = kinds();
        assert!(kinds.len() >= 20);
        for kind in &kinds {
            let resource = json!({
                "apiVersion": brain::spec::API_VERSION, "kind": brain::spec::KIND,
                "metadata": { "name": "cart" }, "spec": kind.spec,
            });
            let read = serde_json::from_value::<brain::spec::Resource>(resource);
            assert!(read.is_err() || read.is_ok_and(|it| it.validate().is_err()), "{}", kind.what);
        }
    }
}
