//! Specs that are right, and every way to be wrong.

use super::*;

fn read(yaml: &str) -> Result<Resource, String> {
    serde_saphyr::from_str(yaml).map_err(|error| error.to_string())
}

fn with(spec: &str) -> Result<ValidatedSpec, Vec<SpecError>> {
    let head = "apiVersion: interrex.io/v1alpha1\nkind: Redis\nmetadata: { name: cart }\nspec: ";
    read(&format!("{head}{spec}\n")).unwrap_or_else(|e| panic!("{spec}: {e}")).validate()
}

#[track_caller]
fn good(spec: &str) -> ValidatedSpec {
    with(spec).unwrap_or_else(|errors| panic!("{spec}: {errors:#?}"))
}

/// The one error of a spec, as a person sees it.
#[track_caller]
fn wrong(spec: &str) -> String {
    let errors = with(spec).expect_err(spec);
    assert_eq!(errors.len(), 1, "{spec}: {errors:#?}");
    errors[0].to_string()
}

#[test]
fn every_example_is_right() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples");
    let mut seen = Vec::new();
    for entry in std::fs::read_dir(directory).expect("the examples are in the tree") {
        let path = entry.expect("the examples can be listed").path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("an example can be read");
        let resource = read(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let spec = resource.validate().unwrap_or_else(|e| panic!("{}: {e:#?}", path.display()));
        spec.fits_local_mode().unwrap_or_else(|e| panic!("{}: {e:#?}", path.display()));
        seen.push(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
    }
    for name in ["default", "cache", "strict", "two-members", "fast", "valkey"] {
        assert!(seen.contains(&Some(name.to_owned())), "examples/{name}.yaml is missing");
    }
}

#[test]
fn an_empty_spec_is_the_default_group() {
    let spec = good("{}");
    assert_eq!(spec, Resource::named("cart").validate().unwrap());
    assert_eq!((spec.replicas(), spec.members()), (2, 3));
    assert_eq!(spec.durability(), Durability::Balanced);
    assert_eq!(spec.failsafe(), Failsafe::Majority);
    assert_eq!(spec.timing(), Timing::DEFAULT);
    assert_eq!(spec.profile_name(), "default");
    assert_eq!(spec.fencing(), Fencing::Auto);
    assert!(spec.wants_gate() && !spec.demands_gate());
    assert_eq!(spec.recovery_timeout(), Span::from_millis(60_000));
    assert_eq!(spec.budget_per_hour(), 30);
    assert_eq!(spec.storage_bytes(), None);
    assert_eq!(spec.persistence(), Persistence::None);
    assert_eq!(spec.max_lag_s(), 3);
    assert!(spec.config().is_empty());
}

#[test]
fn what_is_written_and_read_again_is_the_same() {
    for spec in [
        "{}",
        "{ durability: { mode: strict, copies: 2 }, failover: { profile: fast, failsafe: all } }",
        "{ failover: { profile: { lease: 6s, peer: 6s, renew: 1s, heartbeat: 1s, margin: 1s } } }",
        "{ config: { maxmemory: 1gb, activedefrag: yes }, storage: { size: 1Gi } }",
    ] {
        let spec = good(spec);
        let json = serde_json::to_string(spec.resource()).unwrap();
        let again: Resource = serde_json::from_str(&json).unwrap();
        assert_eq!(again.validate().unwrap(), spec, "{json}");
    }
}

#[test]
fn what_every_field_may_say() {
    let spec = good("{ durability: cache }");
    assert_eq!((spec.durability(), spec.failsafe()), (Durability::Cache, Failsafe::All));
    let spec = good("{ durability: cache, failover: { failsafe: majority } }");
    assert_eq!(spec.failsafe(), Failsafe::Majority);
    let spec = good("{ durability: strict }");
    assert_eq!(spec.durability(), Durability::Strict { copies: 1 });
    let spec = good("{ durability: { mode: strict, copies: 2 } }");
    assert_eq!(spec.durability(), Durability::Strict { copies: 2 });
    let spec = good("{ topology: { replication: { replicas: 0 } } }");
    assert_eq!((spec.replicas(), spec.members()), (0, 1));
    let spec = good("{ topology: { cluster: { nodes: 6 } } }");
    assert_eq!(spec.shape(), Shape::Cluster { shards: 3, replicas: 1 });
    let spec = good("{ topology: { cluster: { shards: 3, replicas: 2 } } }");
    assert_eq!(spec.members(), 9);
    let spec = good("{ failover: { profile: fast, budget: 5, recoveryTimeout: 1m30s } }");
    assert_eq!((spec.timing(), spec.max_lag_s()), (Timing::FAST, 1));
    assert_eq!((spec.budget_per_hour(), spec.recovery_timeout().as_millis()), (5, 90_000));
    let spec = good("{ failover: { profile: patient } }");
    assert_eq!((spec.timing(), spec.max_lag_s()), (Timing::PATIENT, 3));
    let spec = good("{ storage: { size: 1.5Gi } }");
    assert_eq!(spec.storage_bytes(), Some(3 << 29));
    assert_eq!(spec.persistence(), Persistence::AofEverysec);
    let spec = good("{ config: { maxmemory: 1gb, maxmemory-samples: 5, activedefrag: true } }");
    assert_eq!(spec.config()["activedefrag"], "yes");
    assert_eq!(spec.config()["maxmemory-samples"], "5");
    // What YAML would take for the number 8.1 stays the version 8.10.
    let spec = good("{ engine: { flavor: redis, version: 8.10 } }");
    let engine = spec.resource().spec.engine.clone().unwrap();
    assert_eq!(engine.version.as_deref(), Some("8.10"));
    good("{ engine: , topology: , durability: , failover: , storage: , auth: , access: , pods: }");
    good(
        "{ tls: { secretName: a }, access: { sentinel: {}, external: { type: NodePort } }, \
         auth: { secretName: a, users: [{ name: app, rules: \"~a:* +@read\", secretName: b }] }, \
         pods: { resources: { limits: { memory: 2Gi, cpu: 500m } }, antiAffinity: required, \
         spreadBy: [host, zone], nodeSelector: { a: b }, \
         tolerations: [{ key: a, operator: Exists, effect: NoSchedule }] } }",
    );
}

/// A spec, and the whole of what a person reads.
const WRONG: &[(&str, &str)] = &[
    (
        "{ topology: { replication: { replicas: -1 } } }",
        "spec.topology.replication.replicas: -1: must be from 0 to 15 (0 is a primary alone, \
         members are one more); use 0, or anything between",
    ),
    (
        "{ topology: { replication: { replicas: 16 } } }",
        "spec.topology.replication.replicas: 16: must be from 0 to 15 (0 is a primary alone, \
         members are one more); use 15, or anything between",
    ),
    (
        "{ topology: { replication: {}, cluster: { shards: 3 } } }",
        "spec.topology: replication and cluster: a group has exactly one topology; keep one of \
         the two",
    ),
    (
        "{ topology: {} }",
        "spec.topology: {}: has neither replication nor cluster; name one of them, or leave \
         topology out for one primary and two replicas",
    ),
    (
        "{ topology: { cluster: { nodes: 7 } } }",
        "spec.topology.cluster.nodes: 7: must be a multiple of replicas + 1 (7 / 2 leaves 1); use \
         6 or 8",
    ),
    (
        "{ topology: { cluster: { shards: 2 } } }",
        "spec.topology.cluster.shards: 2: must be from 3 to 1000 (an election among primaries \
         needs three); use 3, or anything between",
    ),
    (
        "{ topology: { cluster: {} } }",
        "spec.topology.cluster: {}: wants exactly one of shards and nodes; write shards for the \
         primaries, or nodes for all members together",
    ),
    (
        "{ durability: { mode: strict, copies: 3 } }",
        "spec.durability.copies: 3: copies are replicas that have a write, and there are 2: no \
         write could ever count (3 of 2); use 1 to 2, or at least 3 replicas",
    ),
    (
        "{ durability: { mode: cache, copies: 1 } }",
        "spec.durability.copies: 1: mode cache has 0 by its meaning; leave copies out, or use \
         mode strict",
    ),
    (
        "{ durability: strict, topology: { replication: { replicas: 0 } } }",
        "spec.durability: strict: there is no replica to hold a second copy (replicas is 0); use \
         at least 1 replica, or durability balanced",
    ),
    (
        "{ durability: strict, failover: { fencing: process } }",
        "spec.failover.fencing: process: durability strict promises no late acknowledgement, and \
         only a gate keeps that; use fencing gate, or durability balanced",
    ),
    (
        "{ failover: { recoveryTimeout: \"60\" } }",
        "spec.failover.recoveryTimeout: \"60\": must be a duration from 1s to 24h; write a number \
         with ms, s, m or h, such as 60s",
    ),
    (
        "{ failover: { budget: 0 } }",
        "spec.failover.budget: 0: must be from 1 to 1000 takeovers an hour; use 1, or anything \
         between",
    ),
    (
        "{ storage: { size: 10gb } }",
        "spec.storage.size: \"10gb\": must be a size of at least 16Mi; write a number with Mi, Gi \
         or Ti, such as 10Gi; leave storage out for memory only",
    ),
    (
        "{ config: { maxmemroy: 1gb } }",
        "spec.config.maxmemroy: \"1gb\": no engine has this directive; did you mean maxmemory?",
    ),
    (
        "{ config: { maxmemory-policy: lru } }",
        "spec.config.maxmemory-policy: \"lru\": is no value for this directive; use one of \
         volatile-lru, volatile-lfu, volatile-random, volatile-ttl, allkeys-lru, allkeys-lfu, \
         allkeys-random, noeviction",
    ),
    (
        "{ config: { port: 7000 } }",
        "spec.config.port: \"7000\": interrex sets this directive itself; the place that runs the \
         group decides it: see interrex up --help",
    ),
    (
        "{ engine: { flavor: redis, version: \"7.0\" }, config: { lookahead: 4 } }",
        "spec.config.lookahead: \"4\": redis 7.0.0 does not have this directive; it is in redis \
         from 8.0",
    ),
    (
        "{ engine: { flavor: redis, version: \"5.0\" } }",
        "spec.engine.version: 5.0: no redis that interrex knows how to keep safe; use 6.2 to 8",
    ),
    (
        "{ engine: { version: \"8.1\" } }",
        "spec.engine.version: 8.1: redis and valkey number their versions apart; add flavor: \
         redis or flavor: valkey",
    ),
    (
        "{ engine: { flavor: valkey, version: latest } }",
        "spec.engine.version: \"latest\": is no version; write it in quotes, such as \"8.1\" or \
         \"7.0.15\"",
    ),
    (
        "{ auth: { users: [{ name: app, rules: \"+@all >hunter2\", secretName: a }] } }",
        "spec.auth.users[0].rules: (not shown): rules name keys, channels and commands, no \
         passwords; put the password into the secret that secretName names",
    ),
    (
        "{ auth: { users: [{ name: default, rules: +@all, secretName: a }] } }",
        "spec.auth.users[0].name: \"default\": must be a name without blanks, other than default \
         and interrex; the password of default is in auth.secretName",
    ),
    (
        "{ tls: {} }",
        "spec.tls: {}: wants exactly one of secretName and issuerRef; name a secret with a \
         certificate, or the issuer that makes one",
    ),
    (
        "{ access: { sentinel: { port: 99999 } } }",
        "spec.access.sentinel.port: 99999: must be from 1 to 65535, a TCP port; use 65535, or \
         anything between",
    ),
    (
        "{ access: { external: { type: Ingress } } }",
        "spec.access.external.type: Ingress: is no type of service; use LoadBalancer or NodePort",
    ),
    (
        "{ pods: { resources: { limits: { memory: lots } } } }",
        "spec.pods.resources.limits.memory: \"lots\": is no quantity; write such as 500m or 2 for \
         cpu, 512Mi or 4Gi for memory",
    ),
];

#[test]
fn every_fault_names_its_field_its_value_and_the_way_out() {
    for (spec, want) in WRONG {
        assert_eq!(wrong(spec), *want, "{spec}");
    }
}

#[test]
fn a_head_of_another_kind() {
    let mut resource = Resource::named("Cart_1");
    resource.kind = "Pod".to_owned();
    resource.api_version = "v1".to_owned();
    let errors = resource.validate().expect_err("three faults");
    let paths: Vec<&str> = errors.iter().map(|error| error.path.as_str()).collect();
    assert_eq!(paths, ["apiVersion", "kind", "metadata.name"]);
    for name in ["", "-a", "a-", "1a", "a.b", "ä", &"a".repeat(51)] {
        assert!(Resource::named(name).validate().is_err(), "{name:?}");
    }
    assert!(Resource::named(&"a".repeat(50)).validate().is_ok());
}

#[test]
fn all_faults_are_told_at_once() {
    let spec = "{ topology: { replication: { replicas: -1 } }, storage: { size: x }, \
                config: { nonsense: 1, port: 1 } }";
    assert_eq!(with(spec).expect_err("four faults").len(), 4);
}

fn timings(lease: &str, peer: &str, renew: &str, heartbeat: &str, margin: &str) -> String {
    format!(
        "{{ failover: {{ profile: {{ lease: {lease}, peer: {peer}, renew: {renew}, heartbeat: \
         {heartbeat}, margin: {margin} }} }} }}"
    )
}

#[test]
fn the_named_profiles_keep_their_own_rules() {
    for timing in [Timing::FAST, Timing::DEFAULT, Timing::PATIENT] {
        assert_eq!(super::timings::inequalities(timing), [], "{timing:?}");
    }
    let spec = good(&timings("5s", "5s", "1s", "500ms", "500ms"));
    assert_eq!((spec.timing(), spec.profile_name()), (Timing::DEFAULT, "custom"));
}

#[test]
fn times_of_ones_own_are_held_against_the_arithmetic() {
    let path = "spec.failover.profile";
    for (times, want) in [
        (
            ["5s", "6s", "1s", "500ms", "500ms"],
            "peer: 6s: must not be longer than lease (6s > 5s); use at most 5s",
        ),
        (
            ["5s", "5s", "1s", "1s", "500ms"],
            "heartbeat: 1s: must be at most a sixth of peer (1s > 5s / 6 = 833ms); use at most \
             833ms, or a longer peer",
        ),
        (
            ["5s", "5s", "2s", "500ms", "500ms"],
            "renew: 2s: 3 tries of a renewal must fit into the lease (2s + 3 × 1163ms = 5489ms > \
             5s × 0.998 − 500ms = 4490ms); use at most 1s, or a longer lease",
        ),
        (
            ["5s", "5s", "500ms", "500ms", "4s"],
            "peer: 5s: too short for two heartbeats and 3 tries at the store of 100ms each (2 × \
             500ms + 3 × 100ms = 1300ms > 5s × 0.998 − 4s = 990ms); use a longer peer, or a \
             shorter heartbeat or margin",
        ),
        (
            ["5500ms", "5s", "1s", "500ms", "500ms"],
            "lease: 5500ms: a record counts whole seconds; use 6s",
        ),
        (
            ["2s", "2s", "100ms", "100ms", "200ms"],
            "lease: 2s: must be from 3s to 300s; or use profile fast, default or patient",
        ),
        (
            ["5s", "5s", "1s", "10ms", "500ms"],
            "heartbeat: 10ms: must be from 50ms to 300s; or use profile fast, default or patient",
        ),
        (
            ["5", "5s", "1s", "500ms", "500ms"],
            "lease: 5: is no duration; write a number above 0 with ms, s, m or h, such as 500ms \
             or 5s",
        ),
    ] {
        let [lease, peer, renew, heartbeat, margin] = times;
        let text = wrong(&timings(lease, peer, renew, heartbeat, margin));
        assert_eq!(text, format!("{path}.{want}"), "{times:?}");
    }
}

#[test]
fn what_cannot_be_read_says_where_and_what_belongs_there() {
    let head = "apiVersion: interrex.io/v1alpha1\nkind: Redis\nmetadata: { name: cart }\nspec:\n";
    for (line, want) in [
        ("  replicas: 3\n", "line 5 column 3: unknown field `replicas`, expected one of engine"),
        (
            "  durability: stricter\n",
            "line 5 column 3: unknown variant `stricter`, expected one of",
        ),
        (
            "  durability: { mode: strict, copys: 2 }\n",
            "line 5 column 31: unknown field `copys`, expected one of mode, copies",
        ),
        (
            "  topology: { replication: { replicas: two } }\n",
            "invalid type: string \"two\", expected replicas to be a whole number",
        ),
        (
            "  topology: { replication: { replicas: 1.5 } }\n",
            "invalid type: floating point `1.5`, expected replicas to be a whole number",
        ),
        (
            "  storage: 10Gi\n",
            "invalid type: string \"10Gi\", expected storage to be a map, such as { size: 10Gi }",
        ),
        ("  storage: {}\n", "missing field `size`"),
        ("  failover: { profile: slow }\n", "unknown variant `slow`, expected one of fast"),
        ("  failover: { profile: { lease: 5s } }\n", "missing field `peer`"),
        ("  failover: { fencing: none }\n", "unknown variant `none`, expected one of auto"),
        ("  failover: { budget: many }\n", "expected budget to be a whole number"),
        ("  engine: { flavor: keydb }\n", "unknown variant `keydb`, expected one of redis, valkey"),
        ("  config: { maxmemory: [1] }\n", "expected a directive's value: text, a whole number"),
        ("  config:\n    timeout: 1\n    timeout: 2\n", "line 7 column 5: duplicate mapping key"),
        ("  - 1\n", "expected spec to be a map, such as {}"),
    ] {
        let error = read(&format!("{head}{line}")).expect_err(line);
        assert!(error.contains(want) && error.contains("line "), "{line}{error}");
    }
    for text in ["", "a", "[]", "{}", "kind: Redis\n", ": :"] {
        assert!(read(text).is_err(), "{text:?}");
    }
}

#[test]
fn an_object_that_kubernetes_gave_back_is_read() {
    let text = "apiVersion: interrex.io/v1alpha1\nkind: Redis\nmetadata:\n  name: cart\n  \
                uid: x\n  resourceVersion: \"7\"\n  generation: 1\n  \
                creationTimestamp: \"2026-01-01T00:00:00Z\"\n  labels: { a: b }\nspec: {}\nstatus: { primary: cart-0, conditions: [{ a: b }] }\n";
    let resource = read(text).unwrap();
    let json = serde_json::to_string(&resource).unwrap();
    assert!(!json.contains("status") && !json.contains("uid"), "{json}");
    assert!(resource.validate().is_ok());
}

#[test]
fn the_engine_that_is_found_must_be_the_one_that_is_asked_for() {
    let engine = |flavor, version: &str| Engine { flavor, version: version.parse().unwrap() };
    let (redis, valkey) = (engine(Flavor::Redis, "7.0.15"), engine(Flavor::Valkey, "8.1.3"));
    let says = |spec: &str, engine| match good(spec).accepts(engine) {
        Ok(()) => "fits".to_owned(),
        Err(errors) => errors[0].to_string(),
    };
    assert_eq!(says("{}", redis), "fits");
    assert_eq!(says("{ engine: { flavor: valkey } }", valkey), "fits");
    assert_eq!(says("{ engine: { flavor: valkey, version: \"8.1\" } }", valkey), "fits");
    assert_eq!(says("{ engine: { flavor: valkey, version: \"8\" } }", valkey), "fits");
    assert_eq!(
        says("{ engine: { flavor: valkey, version: \"8.1.2\" } }", valkey),
        "spec.engine.version: 8.1.2: the engine that was found is valkey 8.1.3; install that \
         version, or change the field"
    );
    assert_eq!(
        says("{ engine: { flavor: valkey } }", redis),
        "spec.engine.flavor: valkey: the engine that was found is redis 7.0.15; put valkey-server \
         on the PATH, or change the flavor"
    );
    let valkeys_own = "{ config: { commandlog-reply-larger-than: 1 } }";
    assert_eq!(says(valkeys_own, valkey), "fits");
    assert_eq!(
        says(valkeys_own, redis),
        "spec.config.commandlog-reply-larger-than: \"1\": redis 7.0.15 does not have this \
         directive; it is in valkey from 8.1"
    );
    let old = engine(Flavor::Redis, "6.2.16");
    assert_eq!(
        says("{ durability: strict }", old),
        "spec.durability: strict: needs the gate, and redis 6.2.16 cannot load it; use redis 7.0 \
         or newer or any valkey, or durability balanced"
    );
}

#[test]
fn a_gate_is_demanded_by_its_name_and_by_strict_durability() {
    for (spec, wants, demands) in [
        ("{}", true, false),
        ("{ failover: { fencing: auto } }", true, false),
        ("{ failover: { fencing: process } }", false, false),
        ("{ failover: { fencing: gate } }", true, true),
        ("{ durability: strict }", true, true),
    ] {
        let spec_read = good(spec);
        assert_eq!((spec_read.wants_gate(), spec_read.demands_gate()), (wants, demands), "{spec}");
    }
}

#[test]
fn local_mode_refuses_what_it_would_leave_out() {
    for (spec, path) in [
        ("{ topology: { cluster: { shards: 3 } } }", "spec.topology.cluster"),
        ("{ failover: { fencing: kernel } }", "spec.failover.fencing"),
        ("{ tls: { secretName: a } }", "spec.tls"),
        ("{ access: { sentinel: {} } }", "spec.access.sentinel"),
        ("{ engine: { image: a } }", "spec.engine.image"),
    ] {
        let errors = good(spec).fits_local_mode().expect_err(spec);
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert_eq!(errors[0].path, path);
    }
    assert_eq!(good("{ pods: { antiAffinity: required } }").fits_local_mode(), Ok(()));
}

#[test]
fn a_password_in_the_wrong_place_is_not_said_again() {
    for name in ["requirepass", "requirepas", "masterauth", "RequirePass"] {
        let mut resource = Resource::named("cart");
        resource.spec.config.insert(name.to_owned(), ConfigValue("hunter2".to_owned()));
        let errors = resource.validate().unwrap_err();
        let text = errors.iter().map(ToString::to_string).collect::<String>();
        assert!(text.contains(name) && !text.contains("hunter2"), "{text}");
    }
}
