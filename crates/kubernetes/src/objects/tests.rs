//! The objects of every example, and what must hold for each of them.

mod refusals;

use std::collections::BTreeSet;

use brain::spec::{Resource, ValidatedSpec};
use k8s_openapi::api::core::v1::PodSpec;
use serde_json::Value;

use super::*;
use crate::names;
use crate::render::{self, Form};

/// A group with this spec, in YAML's short form.
#[track_caller]
fn of(spec: &str) -> ValidatedSpec {
    named("cart", spec)
}

#[track_caller]
fn named(name: &str, spec: &str) -> ValidatedSpec {
    read(&format!(
        "apiVersion: interrex.io/v1alpha1\nkind: Redis\nmetadata: {{ name: {name} }}\nspec: {spec}"
    ))
}

#[track_caller]
fn read(yaml: &str) -> ValidatedSpec {
    let resource: Resource = serde_saphyr::from_str(yaml).unwrap_or_else(|e| panic!("{yaml}: {e}"));
    resource.validate().unwrap_or_else(|e| panic!("{yaml}: {e:#?}"))
}

/// Every example by its file's name.
fn examples() -> Vec<(String, ValidatedSpec)> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples");
    let files = std::fs::read_dir(directory).expect("the examples are in the tree");
    let mut examples = Vec::new();
    for file in files {
        let path = file.expect("the examples can be listed").path();
        let stem = path.file_stem().expect("a file has a name").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).expect("an example can be read");
        examples.push((stem, read(&text)));
    }
    assert!(examples.len() >= 8, "{examples:?}");
    examples.sort_by(|a, b| a.0.cmp(&b.0));
    examples
}

fn options_of(spec: &ValidatedSpec) -> Options {
    let namespace = spec.resource().metadata.namespace.clone();
    // A version of its own: the snapshots do not change with ours.
    Options { namespace, image: "interrex.io/interrex:test".to_owned(), ..Options::default() }
}

/// A resource that has everything that an example has not.
const WIDE: &str = "
apiVersion: interrex.io/v1alpha1
kind: Redis
metadata:
  name: wide
  labels: { team: shop, interrex.io/role: primary, app.kubernetes.io/name: other }
  annotations:
    kubectl.kubernetes.io/last-applied-configuration: '{}'
    interrex.io/record: '{}'
    shop.example.com/owner: shop
spec:
  engine: { image: registry.example.com/valkey:8.1-hardened, flavor: valkey }
  topology: { replication: { replicas: 1 } }
  durability: { mode: strict, copies: 1 }
  failover: { profile: patient, routing: labels }
  storage: { size: 1Gi, onDelete: delete }
  config: { maxmemory-policy: allkeys-lru, databases: 32 }
  auth: { secretName: wide-auth }
  access:
    primary: false
    replicas: false
    external: { type: LoadBalancer, annotations: { lb.example.com/internal: 'true' } }
  pods:
    antiAffinity: none
    spreadBy: [zone, host, zone]
    annotations: { shop.example.com/scrape: 'yes' }
";

fn wide() -> (ValidatedSpec, Options) {
    let local = ["node1=/mnt/disks/a", "node2=/mnt/disks/a"];
    let local_volumes = local.map(|text| text.parse().expect("a volume")).to_vec();
    let owner = OwnerReference {
        api_version: "interrex.io/v1alpha1".to_owned(),
        kind: "Redis".to_owned(),
        name: "wide".to_owned(),
        uid: "8a1b".to_owned(),
        controller: Some(true),
        block_owner_deletion: None,
    };
    let spec = read(WIDE);
    let options = Options {
        namespace: Some("shop".to_owned()),
        local_volumes,
        owner: Some(owner),
        ..options_of(&spec)
    };
    (spec, options)
}

/// The examples, and the wide one.
fn all() -> Vec<(String, ValidatedSpec, Options)> {
    let (spec, options) = wide();
    let examples = examples().into_iter().map(|(name, spec)| {
        let options = options_of(&spec);
        (name, spec, options)
    });
    examples.chain([("wide".to_owned(), spec, options)]).collect()
}

#[test]
fn every_example_has_its_objects() {
    for (name, spec, options) in all() {
        check(&spec, &options).unwrap_or_else(|e| panic!("{name}: {e:#?}"));
        let text = render::text(&build(&spec, &options).list(), Form::Yaml).expect("YAML");
        insta::assert_snapshot!(name, text);
    }
}

#[test]
fn what_is_written_as_yaml_is_read_as_the_same() {
    let (spec, options) = wide();
    let list = build(&spec, &options).list();
    for object in &list {
        let text = render::text(std::slice::from_ref(object), Form::Yaml).expect("YAML");
        let again: Value = serde_saphyr::from_str(&text).expect("what was written");
        assert_eq!(again, *object);
    }
    let text = render::text(&list, Form::Json).expect("JSON");
    let again: Value = serde_json::from_str(&text).expect("what was written");
    assert_eq!((&again["kind"], &again["items"]), (&Value::from("List"), &Value::from(list)));
}

#[test]
fn agents_read_the_spec_that_was_written() {
    let odd = [
        of("{ config: { appendonly: no, databases: 16, save: '3600 1', maxmemory: 1gb } }"),
        of("{ failover: { profile: \
             { lease: 6s, peer: 6s, renew: 1s, heartbeat: 1s, margin: 1s } } }"),
        of("{ engine: { flavor: redis, version: '7.0' }, storage: { size: 1.5Gi } }"),
    ];
    let odd = odd.into_iter().map(|spec| (spec.name().to_owned(), spec, Options::default()));
    for (name, spec, options) in all().into_iter().chain(odd) {
        let data = build(&spec, &options).config_map.data.expect("a ConfigMap has data");
        let read = read(&data[names::SPEC_KEY]);
        assert_eq!(read.resource().spec, spec.resource().spec, "{name}");
        assert_eq!(read.name(), spec.name(), "{name}");
        assert!(read.resource().metadata.labels.is_empty(), "{name}");
    }
}

#[test]
fn selectors_are_the_same_whatever_the_spec_says() {
    for (name, spec, options) in all() {
        let objects = build(&spec, &options);
        let selector = names::Names::of(spec.name()).group;
        let selector = serde_json::json!({ names::GROUP_LABEL: selector });
        let [set, budget] = [document(&objects.stateful_set), document(&objects.budget)];
        for object in [&set, &budget] {
            assert_eq!(object["spec"]["selector"]["matchLabels"], selector, "{name}");
        }
        assert_eq!(document(&objects.peers)["spec"]["selector"], selector, "{name}");
        let labels = &set["spec"]["template"]["metadata"]["labels"];
        assert_eq!(labels[names::GROUP_LABEL], selector[names::GROUP_LABEL], "{name}");
        assert!(labels.get(names::ROLE_LABEL).is_none(), "{name}: agents alone write the role");
    }
}

#[test]
fn the_longest_name_still_fits_everywhere() {
    let name = format!("a{}", "b".repeat(49));
    let spec =
        named(&name, "{ topology: { replication: { replicas: 15 } }, storage: { size: 1Gi } }");
    for object in build(&spec, &Options::default()).list() {
        let name = object["metadata"]["name"].as_str().expect("an object has a name");
        assert!(name.len() <= 63, "{name}");
    }
    let names = names::Names::of(&name);
    for name in [names.member(15), names.claim(15), names.sentinel(), names.primary_slice()] {
        assert!(name.len() <= 63, "{name}");
    }
    // What Kubernetes makes of it: the label `controller-revision-hash`.
    assert!(format!("{name}-0123456789").len() <= 63);
}

fn pod(objects: &Objects) -> PodSpec {
    let set = objects.stateful_set.spec.clone().expect("a set has a spec");
    set.template.spec.expect("a template has a spec")
}

#[test]
fn pods_pass_pod_security_restricted() {
    for (name, spec, options) in all() {
        let pod = pod(&build(&spec, &options));
        let security = pod.security_context.as_ref().expect("a security context");
        assert_eq!(security.run_as_non_root, Some(true), "{name}");
        assert_eq!((security.run_as_user, security.fs_group), (Some(999), Some(999)), "{name}");
        let seccomp = security.seccomp_profile.as_ref().map(|profile| profile.type_.as_str());
        assert_eq!(seccomp, Some("RuntimeDefault"), "{name}");
        let shared = [pod.host_network, pod.host_pid, pod.host_ipc, pod.share_process_namespace];
        assert_eq!(shared, [None; 4], "{name}");
        let containers = pod.init_containers.iter().flatten().chain(&pod.containers);
        assert_eq!(containers.clone().count(), 2, "{name}");
        for container in containers {
            let security = container.security_context.as_ref().expect("a security context");
            assert_eq!(security.allow_privilege_escalation, Some(false), "{name}");
            assert_eq!(security.read_only_root_filesystem, Some(true), "{name}");
            assert_eq!((security.privileged, security.run_as_user), (None, None), "{name}");
            let capabilities = security.capabilities.clone().expect("capabilities");
            assert_eq!(capabilities.drop, Some(vec!["ALL".to_owned()]), "{name}");
            assert_eq!(capabilities.add, None, "{name}");
        }
        for volume in pod.volumes.iter().flatten() {
            assert!(volume.host_path.is_none(), "{name}: {volume:?}");
        }
    }
}

#[test]
fn every_mount_has_its_volume() {
    for (name, spec, options) in all() {
        let objects = build(&spec, &options);
        let pod = pod(&objects);
        let mut volumes: BTreeSet<String> =
            pod.volumes.iter().flatten().map(|volume| volume.name.clone()).collect();
        let set = objects.stateful_set.spec.expect("a set has a spec");
        for claim in set.volume_claim_templates.iter().flatten() {
            let claim = claim.metadata.name.clone().expect("a claim has a name");
            assert!(volumes.insert(claim), "{name}: a volume beside the claim");
        }
        let containers = pod.init_containers.iter().flatten().chain(&pod.containers);
        for mount in containers.flat_map(|container| container.volume_mounts.iter().flatten()) {
            assert!(volumes.contains(&mount.name), "{name}: {mount:?}");
        }
    }
}

#[test]
fn applying_the_lease_again_takes_nothing_from_the_agents() {
    for (name, spec, options) in all() {
        let lease = document(&build(&spec, &options).lease);
        let fields: Vec<&String> = lease["spec"].as_object().expect("a spec").keys().collect();
        assert_eq!(fields, ["leaseDurationSeconds"], "{name}");
        let annotations = lease["metadata"]["annotations"].as_object().expect("annotations");
        let ours: Vec<&String> =
            annotations.keys().filter(|key| key.starts_with(names::DOMAIN)).collect();
        assert_eq!(ours, [names::MEMBERS_ANNOTATION], "{name}");
        let members = annotations[names::MEMBERS_ANNOTATION].as_str().expect("a text");
        let members: Vec<String> = serde_json::from_str(members).expect("a JSON list");
        assert_eq!(members.len(), spec.members() as usize, "{name}");
    }
}

#[test]
fn only_what_an_engine_takes_at_its_start_changes_the_pods() {
    let template = |spec: &str| {
        let set = build(&of(spec), &Options::default()).stateful_set;
        set.spec.expect("a set has a spec").template
    };
    let plain = template("{}");
    for live in [
        "{ config: { maxmemory-policy: allkeys-lru, hz: 20 } }",
        "{ failover: { profile: fast, failsafe: all, budget: 7, recoveryTimeout: 90s } }",
        "{ durability: cache }",
        "{ topology: { replication: { replicas: 4 } } }",
        "{ access: { replicas: false, external: { type: NodePort } } }",
    ] {
        assert_eq!(template(live), plain, "{live}");
    }
    for start in [
        "{ config: { databases: 32 } }",
        "{ config: { io-threads: 2 } }",
        "{ failover: { fencing: process } }",
        "{ pods: { labels: { team: shop } } }",
        "{ engine: { flavor: redis } }",
    ] {
        assert_ne!(template(start), plain, "{start}");
    }
    assert_eq!(
        template("{ config: { Databases: 32, IO-threads: 2 } }"),
        template("{ config: { databases: 32, io-threads: 2 } }"),
    );
}

#[test]
fn secrets_are_in_the_secret_and_nowhere_else() {
    let (one, other) = (Credentials::draw().expect("drawn"), Credentials::draw().expect("drawn"));
    assert_ne!(one, other);
    for (name, spec, options) in all() {
        let made = document(&secret(&spec, &options, &one));
        let data = made["stringData"].as_object().expect("the Secret has data");
        let mut seen = BTreeSet::new();
        for value in data.values() {
            let value = value.as_str().expect("a text");
            assert!(value.len() == 64 && value.bytes().all(|b| b.is_ascii_hexdigit()), "{name}");
            assert!(seen.insert(value), "{name}: the same secret twice");
            assert!(!format!("{one:?}").contains(value));
        }
        for object in build(&spec, &options).list() {
            assert_ne!(object["kind"], "Secret", "{name}");
            let text = object.to_string();
            assert!(!seen.iter().any(|value| text.contains(value)), "{name}");
        }
    }
}

#[test]
fn a_password_that_is_there_already_is_mounted_and_not_drawn() {
    let drawn = Credentials::draw().expect("drawn");
    let keys = |spec: &str| {
        let spec = of(spec);
        let made = document(&secret(&spec, &Options::default(), &drawn));
        let drawn: Vec<String> =
            made["stringData"].as_object().expect("data").keys().cloned().collect();
        let pod = document(&pod(&build(&spec, &Options::default())));
        let volumes = pod["volumes"].as_array().expect("volumes").clone();
        let auth = volumes.into_iter().find(|volume| volume["name"] == names::AUTH_VOLUME);
        let sources = auth.expect("the auth volume")["projected"]["sources"].clone();
        let mut mounted = Vec::new();
        for source in sources.as_array().expect("sources") {
            let secret = &source["secret"];
            for item in secret["items"].as_array().expect("items") {
                let [name, key] =
                    [&secret["name"], &item["path"]].map(|v| v.as_str().expect("text"));
                mounted.push(format!("{name}/{key}"));
            }
        }
        (drawn, mounted)
    };
    let own = (
        vec!["password".to_owned(), "peer-key".to_owned()],
        vec!["cart-auth/password".to_owned(), "cart-auth/peer-key".to_owned()],
    );
    assert_eq!(keys("{}"), own);
    // The name that it would have anyway.
    assert_eq!(keys("{ auth: { secretName: cart-auth } }"), own);
    assert_eq!(
        keys("{ auth: { secretName: mine } }"),
        (
            vec!["peer-key".to_owned()],
            vec!["mine/password".to_owned(), "cart-auth/peer-key".to_owned()],
        )
    );
}

#[test]
fn services_follow_the_access() {
    let kinds = |spec: &str| {
        let objects = build(&of(spec), &Options::default());
        [&objects.write, &objects.replicas, &objects.sentinel].map(Option::is_some)
    };
    assert_eq!(kinds("{}"), [true, true, false]);
    assert_eq!(kinds("{ access: { primary: false, replicas: false } }"), [false; 3]);
    assert!(kinds("{ access: { primary: false, external: { type: NodePort } } }")[0]);
    let sentinel = of("{ access: { sentinel: { port: 26380 } } }");
    let objects = build(&sentinel, &Options::default());
    let service = document(&objects.sentinel.clone().expect("a Service"));
    assert_eq!(service["spec"]["ports"][0]["port"], 26380);
    assert_eq!(service["spec"]["publishNotReadyAddresses"], true);
    let ports = pod(&objects).containers[0].ports.clone().expect("ports");
    let port = ports.iter().find(|port| port.name.as_deref() == Some("sentinel"));
    assert_eq!(port.map(|port| port.container_port), Some(26380));
    let labels = build(&of("{ failover: { routing: labels } }"), &Options::default());
    let write = document(&labels.write.expect("a Service"));
    assert_eq!(write["spec"]["selector"][names::ROLE_LABEL], names::ROLE_PRIMARY);
    assert!(!document(&labels.role).to_string().contains("endpointslices"));
}
