//! Specs that are right and specs that are wrong, of every kind, written by hand.

use serde_json::Value;

use super::Case;

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Everything that a spec may say, a bit at a time.
const RIGHT: &[&str] = &[
    "{}",
    "{ topology: { replication: {} } }",
    "{ topology: { replication: { replicas: 0 } } }",
    "{ topology: { replication: { replicas: 15 } } }",
    "{ topology: { cluster: { shards: 3 } } }",
    "{ topology: { cluster: { nodes: 6 } } }",
    "{ topology: { cluster: { nodes: 9, replicas: 2 } } }",
    "{ topology: { cluster: { shards: 1000, replicas: 15 } } }",
    "{ durability: cache }",
    "{ durability: strict }",
    "{ durability: { mode: balanced } }",
    "{ durability: { mode: strict, copies: 2 }, failover: { fencing: gate } }",
    "{ failover: { profile: fast, budget: 5, recoveryTimeout: 1m30s, failsafe: all } }",
    "{ failover: { profile: { lease: 6s, peer: 6s, renew: 1s, heartbeat: 1s, margin: 1s } } }",
    "{ failover: { routing: labels, fencing: process } }",
    "{ storage: { size: 1.5Gi, className: fast, onDelete: delete } }",
    "{ engine: { flavor: redis, version: \"7.0.15\" } }",
    "{ engine: { flavor: valkey, version: \"9\" } }",
    "{ engine: { image: \"registry.example/valkey:8.1\" } }",
    "{ config: { maxmemory: 1gb, maxmemory-samples: 5, activedefrag: true, save: \"\" } }",
    "{ config: { Maxmemory-Policy: ALLKEYS-LFU, json.max-depth: 9, search-timeout: 500 } }",
    "{ config: { client-output-buffer-limit: replica 1gb 512mb 60, timeout: \"0\" } }",
    "{ tls: { secretName: cart-tls } }",
    "{ tls: { issuerRef: { name: ca, kind: ClusterIssuer } } }",
    "{ auth: { users: [{ name: app, rules: \"~a:* +@read\", secretName: b }] } }",
    "{ access: { sentinel: {}, external: { type: NodePort, annotations: { a: b } } } }",
    "{ pods: { resources: { limits: { memory: 2Gi, cpu: 500m }, requests: { cpu: \"0.5\" } } } }",
    "{ pods: { antiAffinity: required, spreadBy: [host, zone, host], nodeSelector: { a: b } } }",
    "{ pods: { tolerations: [{ key: a, operator: Exists, effect: NoSchedule }] } }",
    "{ engine: , durability: , failover: , storage: , auth: , tls: , access: , pods: }",
    "{ topology: , failover: { profile: , failsafe: }, pods: { resources: } }",
];

/// Every kind of being wrong.
const WRONG: &[&str] = &[
    "{ replicas: 3 }",
    "{ topology: { replication: { replicas: -1 } } }",
    "{ topology: { replication: { replicas: 16 } } }",
    "{ topology: { replication: { replicas: two } } }",
    "{ topology: { replication: {}, cluster: { shards: 3 } } }",
    "{ topology: {} }",
    "{ topology: { cluster: { nodes: 7 } } }",
    "{ topology: { cluster: { shards: 2 } } }",
    "{ topology: { cluster: { shards: 3, nodes: 6 } } }",
    "{ topology: { cluster: {} } }",
    "{ durability: stricter }",
    "{ durability: { mode: strict, copys: 2 } }",
    "{ durability: { copies: 2 } }",
    "{ durability: { mode: strict, copies: 3 } }",
    "{ durability: { mode: cache, copies: 1 } }",
    "{ durability: { mode: balanced, copies: 2 } }",
    "{ durability: strict, topology: { replication: { replicas: 0 } } }",
    "{ durability: { mode: strict }, failover: { fencing: process } }",
    "{ failover: { recoveryTimeout: \"60\" } }",
    "{ failover: { recoveryTimeout: 25h } }",
    "{ failover: { budget: 0 } }",
    "{ failover: { fencing: none } }",
    "{ failover: { profile: slow } }",
    "{ failover: { profile: { lease: 5s } } }",
    "{ failover: { profile: { lease: 5s, peer: 6s, renew: 1s, heartbeat: 500ms, margin: 1s } } }",
    "{ failover: { profile: { lease: 5s, peer: 5s, renew: 1s, heartbeat: 1s, margin: 500ms } } }",
    "{ failover: { profile: { lease: 5s, peer: 5s, renew: 2s, heartbeat: 500ms, margin: 1s } } }",
    "{ failover: { profile: { lease: 5, peer: 5s, renew: 1s, heartbeat: 500ms, margin: 1s } } }",
    "{ storage: {} }",
    "{ storage: 10Gi }",
    "{ storage: { size: 10gb } }",
    "{ storage: { size: 15Mi } }",
    "{ config: { maxmemroy: 1gb } }",
    "{ config: { maxmemory-policy: lru } }",
    "{ config: { maxmemory: 1Gi } }",
    "{ config: { port: 7000 } }",
    "{ config: { requirepass: hunter2 } }",
    "{ config: { maxmemory: [1] } }",
    "{ config: { proc-title-template: \"a\\nreplicaof no one\" } }",
    "{ engine: { flavor: redis, version: \"7.0\" }, config: { lookahead: 4 } }",
    "{ engine: { flavor: redis, version: \"5.0\" } }",
    "{ engine: { flavor: keydb } }",
    "{ engine: { version: \"8.1\" } }",
    "{ engine: { flavor: valkey, version: latest } }",
    "{ engine: { flavor: valkey, version: \"8.1\", image: a } }",
    "{ auth: { users: [{ name: app, rules: \"+@all >hunter2\", secretName: a }] } }",
    "{ auth: { users: [{ name: default, rules: +@all, secretName: a }] } }",
    "{ auth: { users: [{ name: a, rules: ~a, secretName: a }, { name: a, rules: ~b, secretName: \
     b }] } }",
    "{ tls: {} }",
    "{ tls: { secretName: a, issuerRef: { name: b } } }",
    "{ access: { sentinel: { port: 99999 } } }",
    "{ access: { sentinel: { masterName: my master } } }",
    "{ access: { external: { type: Ingress } } }",
    "{ pods: { resources: { limits: { memory: lots } } } }",
    "{ pods: { resources: { limits: { memory: 500m } } } }",
    "{ pods: { resources: { requests: { cpu: 1Gi } } } }",
    "{ pods: { antiAffinity: sometimes } }",
];

/// The right ones, and every example of the tree.
pub(crate) fn right() -> Vec<Case> {
    let mut cases: Vec<Case> = RIGHT.iter().map(|spec| Case::of(*spec, yaml(spec))).collect();
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples");
    for entry in std::fs::read_dir(directory).expect("the examples are in the tree") {
        let path = entry.expect("the examples can be listed").path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let text = std::fs::read_to_string(&path).expect("an example can be read");
            let about = path.display().to_string();
            let mut resource = yaml(&text);
            // Each goes where the others go.
            resource["metadata"].as_object_mut().expect("it has a head").remove("namespace");
            cases.push(Case { about, resource });
        }
    }
    cases
}

/// The wrong ones, and names that are none.
pub(crate) fn wrong() -> Vec<Case> {
    let mut cases: Vec<Case> = WRONG.iter().map(|spec| Case::of(*spec, yaml(spec))).collect();
    for name in ["Cart", "1a", "a.b", "a-", "-a", &"a".repeat(51)] {
        let mut case = Case::of(format!("name {name}"), yaml("{}"));
        case.resource["metadata"]["name"] = name.into();
        cases.push(case);
    }
    cases
}
