//! The definition as it is printed, and that it has every field that the spec has.

use std::collections::BTreeMap;

use brain::spec::{
    Access, AclUser, AntiAffinity, Auth, Cluster, ConfigValue, DurabilityField, DurabilityMode,
    EngineField, External, Failover, FailsafeWord, Fencing, IssuerRef, OnDelete, Pods,
    ProfileField, Replication, Resources, Routing, Sentinel, Spec, SpreadBy, Storage, TimingsField,
    Tls, Toleration, Topology,
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use serde_json::Value;

use super::*;

fn text(value: &str) -> String {
    value.to_owned()
}

fn one(key: &str, value: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(key.to_owned(), value.to_owned())])
}

/// Every field that there is: a new one does not compile until it is here, and then fails until
/// the schema has it.
fn everything() -> Spec {
    Spec {
        engine: Some(EngineField {
            flavor: Some(engine::Flavor::Valkey),
            version: Some(text("8.1")),
            image: Some(text("a")),
        }),
        topology: Some(Topology {
            replication: Some(Replication { replicas: 2 }),
            cluster: Some(Cluster { shards: Some(3), nodes: Some(6), replicas: 1 }),
        }),
        durability: DurabilityField::Copies { mode: DurabilityMode::Strict, copies: 1 },
        failover: Failover {
            profile: ProfileField::Custom(TimingsField {
                lease: "5s".to_owned(),
                peer: "5s".to_owned(),
                renew: "1s".to_owned(),
                heartbeat: "500ms".to_owned(),
                margin: "500ms".to_owned(),
            }),
            fencing: Fencing::Gate,
            failsafe: Some(FailsafeWord::All),
            recovery_timeout: "60s".to_owned(),
            budget: 30,
            routing: Routing::Slice,
        },
        storage: Some(Storage {
            size: "1Gi".to_owned(),
            class_name: Some(text("a")),
            on_delete: OnDelete::Keep,
        }),
        config: BTreeMap::from([("hz".to_owned(), ConfigValue("10".to_owned()))]),
        auth: auth(),
        tls: Some(Tls {
            secret_name: Some(text("a")),
            issuer_ref: Some(IssuerRef {
                name: "a".to_owned(),
                kind: Some(text("Issuer")),
                group: Some(text("a")),
            }),
        }),
        access: Access {
            primary: true,
            replicas: true,
            sentinel: Some(Sentinel { port: 1, master_name: "a".to_owned() }),
            external: Some(External { kind: "NodePort".to_owned(), annotations: one("a", "b") }),
        },
        pods: pods(),
    }
}

fn auth() -> Auth {
    let user =
        AclUser { name: "a".to_owned(), rules: "~*".to_owned(), secret_name: "a".to_owned() };
    Auth { secret_name: Some(text("a")), users: vec![user] }
}

fn pods() -> Pods {
    Pods {
        resources: Resources { requests: one("cpu", "1"), limits: one("cpu", "1") },
        anti_affinity: AntiAffinity::None,
        spread_by: vec![SpreadBy::Host],
        node_selector: one("a", "b"),
        tolerations: vec![Toleration {
            key: Some(text("a")),
            operator: Some(text("Equal")),
            value: Some(text("a")),
            effect: Some(text("NoExecute")),
            toleration_seconds: Some(1),
        }],
        labels: one("a", "b"),
        annotations: one("a", "b"),
        priority_class_name: Some(text("a")),
    }
}

fn whole_status() -> Status {
    let at = Time(k8s_openapi::jiff::Timestamp::UNIX_EPOCH);
    Status {
        observed_generation: Some(1),
        message: Some(text("a")),
        topology: Some(text("1+2")),
        ready: Some(text("3/3")),
        primary: Some(text("a")),
        last_primary: Some(text("a")),
        epoch: Some(1),
        replicas: 2,
        selector: Some(text("a=b")),
        members: vec![MemberStatus {
            name: "a".to_owned(),
            role: MemberRole::Replica,
            host: Some(text("a")),
            link: Some(LinkState::Up),
            lag: Some(text("fresh")),
            complete: true,
            electable: true,
            why_not: Some(text("a")),
            ready: true,
            error: Some(text("a")),
        }],
        last_failover: Some(LastFailover {
            cause: "a".to_owned(),
            at: at.clone(),
            duration_ms: Some(1),
            bytes_at_risk: Some(1),
            from: Some(text("a")),
            to: Some(text("b")),
        }),
        last_data_loss: Some(LastDataLoss { cause: "a".to_owned(), at: at.clone(), epoch: 1 }),
        conditions: vec![Condition {
            last_transition_time: at,
            message: "a".to_owned(),
            observed_generation: Some(1),
            reason: "A".to_owned(),
            status: "True".to_owned(),
            type_: READY.to_owned(),
        }],
    }
}

/// Every field of `value` that the schema does not have, and every one it has and `value` lacks.
fn differences(path: &str, schema: &JSONSchemaProps, value: &Value, found: &mut Vec<String>) {
    match (value, schema.properties.as_ref(), schema.items.as_ref()) {
        (Value::Object(map), Some(properties), _) => {
            for name in properties.keys().filter(|name| !map.contains_key(*name)) {
                found.push(format!("{path}.{name}: only in the schema"));
            }
            for (name, value) in map {
                match properties.get(name) {
                    Some(schema) => differences(&format!("{path}.{name}"), schema, value, found),
                    None => found.push(format!("{path}.{name}: not in the schema")),
                }
            }
        }
        (Value::Array(items), _, Some(JSONSchemaPropsOrArray::Schema(schema))) => {
            for item in items {
                differences(&format!("{path}[]"), schema, item, found);
            }
        }
        (Value::Object(_), None, _) => {
            let free =
                matches!(schema.additional_properties, Some(JSONSchemaPropsOrBool::Schema(_)));
            if !free {
                found.push(format!("{path}: a map without fields"));
            }
        }
        (Value::Array(_), ..) => found.push(format!("{path}: no list")),
        _ => {}
    }
}

/// Every description in the schema must be there, and no text without an end.
fn each(path: &str, schema: &JSONSchemaProps, found: &mut Vec<String>) {
    if path.len() > 1 && schema.description.as_ref().is_none_or(String::is_empty) {
        found.push(format!("{path}: no description"));
    }
    let bounded = schema.max_length.is_some() || schema.enum_.is_some() || schema.format.is_some();
    if schema.type_.as_deref() == Some("string") && !bounded {
        found.push(format!("{path}: text without an end"));
    }
    for (name, schema) in schema.properties.iter().flatten() {
        each(&format!("{path}.{name}"), schema, found);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(schema)) = &schema.items {
        each(&format!("{path}[]"), schema, found);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(schema)) = &schema.additional_properties {
        each(&format!("{path}.*"), schema, found);
    }
}

#[test]
fn the_schema_has_every_field_and_no_other() {
    let value = Redis { spec: everything(), status: Some(whole_status()), ..Redis::default() };
    let value = serde_json::to_value(value).expect("the resource can be written");
    let schema = root().schema();
    let mut found = Vec::new();
    for part in ["spec", "status"] {
        let properties = schema.properties.as_ref().expect("the root has fields");
        differences(part, &properties[part], &value[part], &mut found);
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn every_field_is_described_and_every_text_has_an_end() {
    let mut found = Vec::new();
    each("", &root().schema(), &mut found);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn the_type_is_what_the_definition_defines() {
    let definition = definition();
    let url = <Redis as kube::Resource>::url_path(&(), Some("a"));
    assert_eq!(url, "/apis/interrex.io/v1alpha1/namespaces/a/redises");
    assert_eq!(format!("{GROUP}/{VERSION}"), brain::spec::API_VERSION);
    assert_eq!(definition.spec.names.kind, KIND);
    assert_eq!(format!("{PLURAL}.{GROUP}"), DEFINITION_NAME);
}

#[test]
fn what_kubernetes_stores_is_read_and_can_be_judged() {
    let stored = serde_json::json!({
        "apiVersion": "interrex.io/v1alpha1", "kind": "Redis",
        "metadata": { "name": "cart", "namespace": "shop", "uid": "1", "resourceVersion": "7" },
        "spec": { "topology": { "replication": { "replicas": 1 } }, "config": { "appendonly": true } },
        "status": { "primary": "cart-0", "members": [{ "name": "cart-0", "role": "primary" }] },
    });
    let redis: Redis = serde_json::from_value(stored).expect("it is read");
    let status = redis.status.as_ref().expect("it has a status");
    assert_eq!(status.members[0].role, MemberRole::Primary);
    let spec = redis.resource().validate().expect("it is right");
    assert_eq!((spec.name(), spec.replicas()), ("cart", 1));
    assert_eq!(spec.config()["appendonly"], "yes");
}

#[test]
fn the_definition_is_what_it_was() {
    insta::assert_yaml_snapshot!("definition", definition());
    insta::assert_yaml_snapshot!("policy", policy());
    insta::assert_yaml_snapshot!("binding", policy_binding());
}
