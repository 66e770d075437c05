//! Specs that are made by rule: values at every boundary, combinations of what depends on each
//! other, every directive, and every field with something else in its place.

use brain::spec::Resource;
use engine::directive::{self, Kind};
use serde_json::{Value, json};

use super::Case;

/// A spec with one value at a path such as `failover.budget`.
fn at(path: &str, value: Value) -> Case {
    let about = format!("spec.{path}");
    let spec = path.rsplit('.').fold(value, |value, name| json!({ name: value }));
    Case::of(about, spec)
}

const NUMBERS: &[(&str, &[i64])] = &[
    ("topology.replication.replicas", &[i64::MIN, -1, 0, 1, 2, 15, 16, i64::MAX]),
    ("failover.budget", &[i64::MIN, -1, 0, 1, 30, 1000, 1001, i64::MAX]),
    ("access.sentinel.port", &[-1, 0, 1, 26_379, 65_535, 65_536, i64::MAX]),
    ("topology.cluster.shards", &[-1, 0, 1, 2, 3, 1000, 1001, i64::MAX]),
];

const DURATIONS: &[&str] = &[
    "0s",
    "1ms",
    "49ms",
    "50ms",
    "99ms",
    "100ms",
    "999ms",
    "1000ms",
    "1s",
    "1001ms",
    "59s",
    "60s",
    "1m",
    "1m30s",
    "0h1s",
    "500ms500ms",
    "2999ms",
    "3s",
    "300s",
    "5m",
    "301s",
    "300001ms",
    "24h",
    "23h60m",
    "86400s",
    "86400000ms",
    "86400001ms",
    "86401s",
    "24h1ms",
    "25h",
    "1441m",
    "0",
    "60",
    "",
    "s",
    "ms",
    "1",
    "-1s",
    "+1s",
    "1.5s",
    "1 s",
    " 1s",
    "1s ",
    "1S",
    "1d",
    "1us",
    "1ns",
    "1µs",
    "s1",
    "1s1",
    "1h1m1s1ms",
    "1ms1h",
    "99999999999s",
    "18446744073709551615h",
    "0060s",
    "99999999999999999999s",
    "１s",
    "1s\n",
];

const SIZES: &[&str] = &[
    "0",
    "1",
    "16777215",
    "16777216",
    "16777217",
    "15Mi",
    "16Mi",
    "17Mi",
    "16384Ki",
    "16383Ki",
    "16383.999Ki",
    "16777.215k",
    "16777.216k",
    "16M",
    "17M",
    "0.015Gi",
    "0.016Gi",
    "1Gi",
    "1.5Gi",
    "10Gi",
    "1Ti",
    "1Pi",
    "1k",
    "1G",
    "1T",
    "1P",
    "1E",
    "1Ei",
    "1Ki",
    "8191Pi",
    "16383Pi",
    "16384Pi",
    "16385Pi",
    "99999999Pi",
    "18446744073709551616",
    "99999999999999999999",
    "10gb",
    "10GB",
    "10GiB",
    "10 Gi",
    " 10Gi",
    "10Gi ",
    "-1Gi",
    "+1Gi",
    ".5Gi",
    "1.Gi",
    "1.2.3Gi",
    "",
    "Gi",
    "1e9",
    "1E9",
    "100m",
    "0.000000001Gi",
    "0.0000000001Gi",
    "1.0000000001Gi",
    "1.000000001Gi",
    "10mi",
    "10MI",
    "10K",
    "１Gi",
    "0Gi",
    "00016Mi",
];

const CORES: &[&str] = &[
    "0", "1", "2", "0.5", ".5", "5.", "500m", "0m", "1m", "0.0", "1e3", "1E3", "1e-3", "1e+3",
    "+1", "-1", "", "m", ".", "1.5m", "1mm", "1 ", " 1", "1Gi", "inf", "nan", "NaN", "infinity",
    "1k", "1e", "e1", "0x1", "1_0", "00.10", "1M", "1,5",
];

const VERSIONS: &[&str] = &[
    "5",
    "5.0",
    "6",
    "6.0",
    "6.1",
    "6.2",
    "6.2.16",
    "6.3",
    "7",
    "7.0",
    "7.1",
    "7.2",
    "7.2.4",
    "8",
    "8.0",
    "8.10",
    "8.99",
    "8.1.99",
    "9",
    "9.0",
    "9.9",
    "10",
    "10.0",
    "8.0-rc1",
    "8-rc1",
    "8.1-",
    "-8",
    "",
    " 8.1",
    "8.1 ",
    "latest",
    "v8",
    "8.x",
    "8.1.2.3",
    "8..1",
    ".8",
    "8.",
    "8,1",
    "0",
    "00008.1",
    "99999999999",
    "4294967296",
    "8.4294967296",
    "alpine",
    "8.1-alpine",
];

const USERS: &[&str] = &[
    "app",
    "default",
    "interrex",
    "Default",
    "",
    " ",
    "a b",
    "a\tb",
    "~a",
    "a~",
    "ä",
    "a\u{a0}b",
    "-",
    "a\u{2003}",
    "default ",
];

const RULES: &[&str] = &[
    "",
    "~* +@all",
    "+@all >pw",
    ">pw",
    "<pw",
    "#0123",
    "!0123",
    "nopass",
    "NOPASS x",
    "nopassx",
    "~nopass",
    "~a>b",
    "+@all\u{a0}>pw",
    "on\tnopass",
    "a\nb",
    "a\u{7f}",
    "a\u{85}b",
    "~# ok",
    "(~a +get)",
    "resetpass",
    "~!a",
    "allkeys  nopass  ",
];

const WORDS: &[&str] = &["mymaster", "", " ", "my master", "a\tb", "a\u{2003}b", "ä", "~a"];

/// Every field that takes one of some words, and words that it does not take.
const ENUMS: &[(&str, &[&str])] = &[
    ("engine.flavor", &["redis", "valkey", "Redis", "keydb", ""]),
    ("durability", &["cache", "balanced", "strict", "Strict", "none", ""]),
    ("failover.profile", &["fast", "default", "patient", "Fast", "custom", ""]),
    ("failover.fencing", &["auto", "process", "gate", "kernel", "none", "Gate", ""]),
    ("failover.failsafe", &["majority", "all", "none", "All", ""]),
    ("failover.routing", &["slice", "labels", "label", "Slice", ""]),
    ("pods.antiAffinity", &["required", "preferred", "none", "soft", ""]),
];

/// Every value at, below and above every bound.
pub(crate) fn boundaries() -> Vec<Case> {
    let mut cases = Vec::new();
    for (path, numbers) in NUMBERS {
        cases.extend(numbers.iter().map(|number| at(path, json!(number))));
    }
    let texts = [("failover.recoveryTimeout", DURATIONS), ("storage.size", SIZES)]
        .into_iter()
        .chain([("access.sentinel.masterName", WORDS)])
        .chain(ENUMS.iter().copied());
    for (path, values) in texts {
        cases.extend(values.iter().map(|value| at(path, json!(value))));
    }
    for map in ["requests", "limits"] {
        for (name, values) in [("cpu", CORES), ("cpu", SIZES), ("memory", SIZES), ("a/b", CORES)] {
            let resources = |value: &&str| {
                let spec = json!({ "pods": { "resources": { map: { name: value } } } });
                Case::of(format!("spec.pods.resources.{map}.{name}"), spec)
            };
            cases.extend(values.iter().map(resources));
        }
    }
    for word in ["keep", "delete", "retain", "Keep", ""] {
        let spec = json!({ "storage": { "size": "1Gi", "onDelete": word } });
        cases.push(Case::of("spec.storage.onDelete", spec));
    }
    for kind in ["LoadBalancer", "NodePort", "ClusterIP", "loadbalancer", ""] {
        cases.push(at("access.external", json!({ "type": kind })));
    }
    for list in [json!([]), json!(["host"]), json!(["host", "zone"]), json!(["rack"]), json!([1])] {
        cases.push(at("pods.spreadBy", list));
    }
    for flavor in [json!("redis"), json!("valkey"), Value::Null] {
        for version in VERSIONS {
            cases.push(at("engine", json!({ "flavor": flavor, "version": version })));
        }
    }
    cases.extend(clusters());
    cases.extend(users());
    cases
}

fn clusters() -> Vec<Case> {
    let mut cases = Vec::new();
    for replicas in [-1, 0, 1, 2, 3, 14, 15, 16, i64::MAX] {
        let spec = json!({ "shards": 3, "replicas": replicas });
        cases.push(at("topology.cluster", spec));
        let each = replicas.clamp(0, 15) + 1;
        for nodes in [
            -1,
            0,
            3 * each - 1,
            3 * each,
            3 * each + 1,
            4 * each,
            1000 * each - 1,
            1000 * each,
            1000 * each + 1,
            i64::MAX,
        ] {
            cases.push(at("topology.cluster", json!({ "nodes": nodes, "replicas": replicas })));
        }
    }
    for nodes in 1..14 {
        cases.push(at("topology.cluster", json!({ "nodes": nodes })));
    }
    cases
}

fn users() -> Vec<Case> {
    let user = |name: &str, rules: &str| json!({ "name": name, "rules": rules, "secretName": "a" });
    let mut cases: Vec<Case> =
        USERS.iter().map(|name| at("auth.users", json!([user(name, "~*")]))).collect();
    cases.extend(RULES.iter().map(|rules| at("auth.users", json!([user("app", rules)]))));
    for names in [["a", "a"], ["a", "A"], ["a", "b"]] {
        cases.push(at("auth.users", json!(names.map(|name| user(name, "~*")))));
    }
    cases
}

/// Durability, topology and fencing, each with each.
pub(crate) fn promises() -> Vec<Case> {
    let mut durabilities = vec![Value::Null, json!({}), json!({ "copies": 1 })];
    for mode in ["cache", "balanced", "strict"] {
        durabilities.push(json!(mode));
        durabilities.push(json!({ "mode": mode }));
        for copies in [i64::MIN, -1, 0, 1, 2, 3, 15, 16, i64::MAX] {
            durabilities.push(json!({ "mode": mode, "copies": copies }));
        }
    }
    let mut topologies = vec![Value::Null, json!({}), json!({ "replication": null })];
    topologies.push(json!({ "replication": {}, "cluster": null }));
    topologies.push(json!({ "replication": {}, "cluster": { "shards": 3 } }));
    topologies.push(json!({ "cluster": { "shards": 3 } }));
    for replicas in [0, 1, 2, 3, 15, 16] {
        topologies.push(json!({ "replication": { "replicas": replicas } }));
    }
    for replicas in [0, 1, 2] {
        topologies.push(json!({ "cluster": { "shards": 3, "replicas": replicas } }));
    }
    let mut cases = Vec::new();
    for durability in &durabilities {
        for topology in &topologies {
            for fencing in [None, Some("auto"), Some("process"), Some("gate"), Some("kernel")] {
                let mut spec = json!({ "durability": durability, "topology": topology });
                if let Some(fencing) = fencing {
                    spec["failover"] = json!({ "fencing": fencing });
                }
                cases.push(Case::of("spec.durability", spec));
            }
        }
    }
    cases
}

fn profile(times: [String; 5]) -> Case {
    let [lease, peer, renew, heartbeat, margin] = times;
    let profile = json!({
        "lease": lease, "peer": peer, "renew": renew, "heartbeat": heartbeat, "margin": margin,
    });
    at("failover.profile", profile)
}

/// Times of one's own: each at its bounds, and many around where the inequalities turn.
pub(crate) fn times() -> Vec<Case> {
    let good = [6000, 5000, 1000, 500, 500_u64].map(|ms| format!("{ms}ms"));
    let mut cases = Vec::new();
    for n in 0..5 {
        for text in DURATIONS {
            let mut times = good.clone();
            (*text).clone_into(&mut times[n]);
            cases.push(profile(times));
        }
    }
    // A fixed sequence: the same cases on every machine.
    let mut state: u64 = 0x5eed;
    let mut next = |below: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for _ in 0..1500 {
        let lease = 3000 + 1000 * next(12) + if next(8) == 0 { next(1000) } else { 0 };
        let peer = lease.saturating_sub(250 * next(12)) + if next(6) == 0 { next(600) } else { 0 };
        let heartbeat = (peer / 6).saturating_sub(next(500)) + next(20);
        let margin = 50 + next(peer / 2);
        // About where three tries no longer fit.
        let store = (peer * 998 / 1000).saturating_sub(margin + 2 * heartbeat) / 3;
        let most = (lease * 998 / 1000).saturating_sub(margin + 3 * store);
        let renew = (most + next(30)).saturating_sub(15);
        cases.push(profile([lease, peer, renew, heartbeat, margin].map(|ms| format!("{ms}ms"))));
    }
    cases
}

/// Values of a directive: at its bounds and beside them.
fn values(kind: Kind) -> Vec<Value> {
    let mut values = vec![json!(""), json!("a"), json!("1"), json!(1), json!(true)];
    let texts = |texts: &[&str]| texts.iter().map(|text| json!(text)).collect::<Vec<_>>();
    match kind {
        Kind::Bool => values.extend(texts(&["yes", "no", "YES", "on", " yes ", "true"])),
        Kind::Enum(words) => {
            values.extend(texts(words));
            values.push(json!(words[0].to_ascii_uppercase()));
            values.push(json!(format!("{}x", words[0])));
        }
        Kind::Int(from, to) => {
            values.extend([from - 1, from, to].map(|n| json!(n)));
            values.extend([from - 1, from, to].map(|n| json!(n.to_string())));
            if let Some(beyond) = to.checked_add(1) {
                values.push(json!(beyond));
            }
            values.extend(texts(&["+5", "005", "5 ", "5.0", "0x5", "9223372036854775808"]));
        }
        Kind::Ints(_) => values.extend(texts(&["0 200 800", "-1 +2 3", "1 2", "1 2 3 4", "1 b 3"])),
        Kind::Memory(from) => {
            values.extend([from - 1, from, from + 1].map(|n| json!(n)));
            values.extend(texts(&[
                "1gb",
                "1GB",
                "64mb",
                "1k",
                "1kb",
                "1b",
                "1tb",
                "1pb",
                "1Gi",
                "1.5gb",
                "-1",
                "+1",
                "16383pb",
                "16384pb",
                "1 gb",
                "gb",
                "10%",
                "99999999999999999999",
                "1048575b",
            ]));
        }
        Kind::MemoryOrPercent => {
            values.extend(texts(&["10%", "0%", "100%", "101%", "+5%", "-5%", "%", "1gb", "1Gi"]));
        }
        kind => values.extend(texts(written(kind))),
    }
    values
}

/// Texts for what is no number and no word.
fn written(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::SavePoints => &[
            "3600 1",
            "3600 1 300 100",
            "3600",
            "0 1",
            "1 0",
            "\"\"",
            "\"3600 1\"",
            "a b",
            "-1 1",
            " 60  1 ",
            "+60 +1",
        ],
        Kind::OutputBuffers => &[
            "replica 512mb 256mb 60",
            "normal 0 0 0 replica 1 2 3 pubsub 1gb 1gb 1",
            "SLAVE 1 1 1",
            "replica 1 1",
            "replica 1Gi 1 1",
            "other 1 1 1",
            "normal 0 0 x",
            "normal 0 0 0 replica",
        ],
        Kind::EventFlags => &["KEA", "", "Kx", "KEg$lshzxeAtmdnocr", "KQ"],
        Kind::Text | Kind::Words => &["a b c", "a\nb", "a\rb", "a\u{0}b"],
        _ => &[],
    }
}

const ENGINES: [(&str, &str); 10] = [
    ("redis", "6.2"),
    ("redis", "7.0"),
    ("redis", "7.2.4"),
    ("redis", "7.4"),
    ("redis", "8.0"),
    ("redis", "8.6"),
    ("valkey", "7.2"),
    ("valkey", "8.0"),
    ("valkey", "8.1.3"),
    ("valkey", "9.1"),
];

/// Every directive with values about its bounds, and with one value in every engine.
pub(crate) fn directives() -> Vec<Case> {
    let mut cases = Vec::new();
    let case = |name: &str, value: &Value, engine: Value| {
        let spec = json!({ "engine": engine, "config": { name: value } });
        Case::of(format!("spec.config.{name}"), spec)
    };
    for row in directive::all() {
        for name in [Some(row.name), row.alias].into_iter().flatten() {
            let all = values(row.kind);
            let fits = |value: &&Value| value.as_str().is_some_and(|v| row.kind.check(v).is_ok());
            let good = all.iter().find(fits).cloned().unwrap_or(json!("1"));
            for (flavor, version) in ENGINES {
                cases.push(case(name, &good, json!({ "flavor": flavor, "version": version })));
            }
            cases.push(case(&name.to_ascii_uppercase(), &good, json!({ "flavor": "redis" })));
            cases.push(case(name, &good, json!({ "flavor": "valkey" })));
            cases.extend(all.iter().map(|value| case(name, value, Value::Null)));
        }
    }
    let names = ["json.depth", "a.b.c", ".a", "a.", "a b.c", "search-x", "ts-", "bf-y", "colour"];
    for name in names.into_iter().chain(["cf-z", "", "port ", "maxmemory.policy", "ä"]) {
        for (flavor, version) in ENGINES {
            let engine = json!({ "flavor": flavor, "version": version });
            cases.push(case(name, &json!("1"), engine));
        }
        cases.push(case(name, &json!("1"), Value::Null));
        cases.push(case(name, &json!("a\nb"), Value::Null));
    }
    for value in [json!(1.5), json!([]), json!({}), json!(["a"]), json!({ "a": 1 }), Value::Null] {
        cases.push(case("hz", &value, Value::Null));
        cases.push(case("a.b", &value, Value::Null));
    }
    cases
}

/// Every field that there is, with good values.
fn rich() -> Vec<Value> {
    let common = json!({
        "failover": {
            "profile": {
                "lease": "5s", "peer": "5s", "renew": "1s", "heartbeat": "500ms",
                "margin": "500ms",
            },
            "fencing": "gate", "failsafe": "all", "recoveryTimeout": "60s", "budget": 30,
            "routing": "slice",
        },
        "storage": { "size": "1Gi", "className": "a", "onDelete": "keep" },
        "config": { "hz": "10" },
        "auth": {
            "secretName": "a", "users": [{ "name": "a", "rules": "~*", "secretName": "a" }],
        },
        "access": {
            "primary": true, "replicas": true, "sentinel": { "port": 1, "masterName": "a" },
            "external": { "type": "NodePort", "annotations": { "a": "b" } },
        },
        "pods": {
            "resources": { "requests": { "cpu": "1" }, "limits": { "memory": "1Gi" } },
            "antiAffinity": "none", "spreadBy": ["host"], "nodeSelector": { "a": "b" },
            "tolerations": [{
                "key": "a", "operator": "Equal", "value": "a", "effect": "NoExecute",
                "tolerationSeconds": 1,
            }],
            "labels": { "a": "b" }, "annotations": { "a": "b" }, "priorityClassName": "a",
        },
    });
    let mut one = common.clone();
    one["engine"] = json!({ "flavor": "valkey", "version": "8.1" });
    one["topology"] = json!({ "replication": { "replicas": 2 } });
    one["durability"] = json!({ "mode": "strict", "copies": 1 });
    one["tls"] = json!({ "secretName": "a" });
    let mut other = common;
    other["engine"] = json!({ "image": "a" });
    other["topology"] = json!({ "cluster": { "shards": 3, "replicas": 1 } });
    other["durability"] = json!("strict");
    other["failover"]["profile"] = json!("fast");
    other["tls"] = json!({ "issuerRef": { "name": "a", "kind": "Issuer", "group": "a" } });
    vec![one, other]
}

/// JSON pointers of everything inside.
fn pointers(at: &str, value: &Value, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                pointers(&format!("{at}/{}", name.replace('/', "~1")), value, found);
            }
        }
        Value::Array(items) => {
            for (n, value) in items.iter().enumerate() {
                pointers(&format!("{at}/{n}"), value, found);
            }
        }
        _ => {}
    }
}

/// Every field with something else in its place, without it, and with one too many beside it.
pub(crate) fn shapes() -> Vec<Case> {
    let others = [
        Value::Null,
        json!("x"),
        json!(""),
        json!(7),
        json!(1.5),
        json!(true),
        json!([]),
        json!(["x"]),
        json!({}),
        json!({ "surplus": "x" }),
    ];
    let mut cases = Vec::new();
    for spec in rich() {
        let whole = Case::of("", spec.clone()).resource;
        let read = serde_json::from_value::<Resource>(whole.clone()).unwrap();
        read.validate().unwrap_or_else(|errors| panic!("{errors:?}"));
        let mut places = Vec::new();
        pointers("/spec", &whole["spec"], &mut places);
        for place in places {
            let mut push = |resource| cases.push(Case { about: place.clone(), resource });
            // The brain reads these from a list, too, field by field: nobody writes that, and the
            // API does not take it.
            let by_list = place.ends_with("/tolerations/0") || place.ends_with("/issuerRef");
            for other in others.iter().filter(|other| !(by_list && other.is_array())) {
                let mut resource = whole.clone();
                *resource.pointer_mut(&place).unwrap() = other.clone();
                push(resource);
            }
            let mut surplus = whole.clone();
            if let Some(Value::Object(map)) = surplus.pointer_mut(&place) {
                map.insert("surplus".to_owned(), json!("x"));
                push(surplus);
            }
            let (parent, name) = place.rsplit_once('/').unwrap();
            let mut without = whole.clone();
            if let Some(Value::Object(map)) = without.pointer_mut(parent) {
                map.remove(name);
                push(without);
            }
        }
    }
    cases
}
