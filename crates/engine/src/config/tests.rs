//! The file for several engines and groups, and what counts as drift.

use super::*;
use crate::Flavor;

fn engine(flavor: Flavor, version: &str) -> Engine {
    Engine { flavor, version: version.parse().unwrap() }
}

fn settings(version: &str) -> Settings {
    Settings {
        engine: engine(Flavor::Redis, version),
        user: BTreeMap::new(),
        persistence: Persistence::AofEverysec,
        cache: false,
        maxmemory_bytes: Some(2 << 30),
        port: 7001,
        bind: vec!["127.0.0.1".to_owned()],
        dir: "/data/a b".to_owned(),
        unix_socket: Some("/run/x.sock".to_owned()),
        announce: Some(("10.0.0.7".to_owned(), 7001)),
        max_lag_s: 3,
        shutdown_timeout_s: 5,
        gate: Some(Gate { module: "/data/gate.so".to_owned(), arguments: vec!["/data/d".into()] }),
        accounts: vec![
            Account {
                name: "default".to_owned(),
                password_sha256: Some(vec!["AB".repeat(32)]),
                rules: "~* &* +@all".to_owned(),
            },
            Account {
                name: AGENT_USER.to_owned(),
                password_sha256: None,
                rules: AGENT_RULES.to_owned(),
            },
        ],
    }
}

fn with(user: &[(&str, &str)]) -> Result<Rendered, ConfigError> {
    let mut settings = settings("7.0.15");
    settings.user = user.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    render(&settings)
}

#[test]
fn the_default_file() {
    let text = render(&settings("7.0.15")).unwrap().text();
    let lines: Vec<&str> = text.lines().collect();
    for line in [
        "port 7001",
        "bind 127.0.0.1",
        "dir \"/data/a b\"",
        "replicaof 127.0.0.1 1",
        "unixsocket /run/x.sock",
        "logfile \"\"",
        "replica-announce-ip 10.0.0.7",
        "maxmemory 2147483648",
        "repl-backlog-size 214748364",
        "client-output-buffer-limit replica 536870912 268435456 60",
        "repl-diskless-sync-delay 0",
        "repl-backlog-ttl 0",
        "min-replicas-to-write 0",
        "min-replicas-max-lag 3",
        "shutdown-timeout 5",
        "replica-ignore-disk-write-errors yes",
        "enable-module-command no",
        "enable-debug-command no",
        "save \"\"",
        "appendonly yes",
        "appendfsync everysec",
        "loadmodule /data/gate.so /data/d",
        "user interrex on nopass ~* &* +@all",
    ] {
        assert!(lines.contains(&line), "{line} is not in\n{text}");
    }
    let user = format!("user default on #{} ~* &* +@all", "ab".repeat(32));
    assert!(lines.contains(&user.as_str()), "{text}");
    assert!(!text.contains("masterauth"), "the replication password comes at runtime:\n{text}");
}

#[test]
fn every_name_is_known_to_its_engine_and_there_once() {
    for engine in [
        engine(Flavor::Redis, "6.2.16"),
        engine(Flavor::Redis, "7.0.15"),
        engine(Flavor::Redis, "8.10.1"),
        engine(Flavor::Valkey, "7.2.7"),
        engine(Flavor::Valkey, "8.1.1"),
        engine(Flavor::Valkey, "9.1.2"),
    ] {
        let rendered = render(&Settings { engine, cache: true, ..settings("7.0") }).unwrap();
        let mut names = Vec::new();
        for (name, value) in rendered.directives() {
            let known = directive::find(name, engine).unwrap_or_else(|| panic!("{engine} {name}"));
            assert_eq!(known.kind.check(value), Ok(()), "{engine} {name} {value}");
            names.push(name);
        }
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count, "{engine}: a name is there twice");
    }
}

#[test]
fn an_old_engine_gets_no_directive_that_it_does_not_know() {
    let text = render(&settings("6.2.16")).unwrap().text();
    for name in ["shutdown-timeout", "replica-ignore-disk-write-errors", "enable-module-command"] {
        assert!(!text.contains(name), "{name} is in\n{text}");
    }
}

#[test]
fn the_users_word_counts_and_so_does_its_size() {
    let rendered = with(&[
        ("maxmemory", "100gb"),
        ("repl-timeout", "60"),
        ("save", "3600 1 300 100"),
        ("lazyfree-lazy-expire", "no"),
    ])
    .unwrap();
    let text = rendered.text();
    assert!(text.contains("\nmaxmemory 100gb\n"), "{text}");
    assert!(text.contains("\nrepl-backlog-size 10737418240\n"), "a tenth of 100gb\n{text}");
    assert!(text.contains("\nclient-output-buffer-limit replica 21474836480 10737418240 60\n"));
    assert!(text.contains("\nrepl-timeout 60\n") && !text.contains("repl-timeout 30"), "{text}");
    assert!(text.contains("\nsave 3600 1\nsave 300 100\n"), "one point a line for 6.2\n{text}");
    assert_eq!(rendered.value("lazyfree-lazy-expire"), Some("no"));
}

#[test]
fn an_alias_replaces_the_default_too() {
    let text = with(&[("repl-ping-slave-period", "5")]).unwrap().text();
    assert!(text.contains("repl-ping-slave-period 5") && !text.contains("repl-ping-replica"));
    let twice = with(&[("repl-ping-slave-period", "5"), ("repl-ping-replica-period", "5")]);
    let text = twice.unwrap_err().to_string();
    assert!(text.contains("repl-ping-slave-period") && text.contains("same directive"), "{text}");
}

#[test]
fn small_memory_still_has_a_backlog_for_a_minute() {
    let small = Settings { maxmemory_bytes: Some(10 << 20), ..settings("7.0.15") };
    assert_eq!(render(&small).unwrap().value("repl-backlog-size"), Some("67108864"));
    let none = Settings { maxmemory_bytes: None, ..settings("7.0.15") };
    assert_eq!(render(&none).unwrap().value("maxmemory"), Some("0"));
}

#[test]
fn persistence_by_storage_and_by_directive() {
    let of = |storage, user: &[(&str, &str)]| {
        let map = user.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Persistence::of(storage, &map)
    };
    for (storage, user, want) in [
        (false, &[][..], Persistence::None),
        (true, &[], Persistence::AofEverysec),
        (true, &[("appendfsync", "always")], Persistence::AofAlways),
        (true, &[("appendonly", "no")], Persistence::Rdb),
        (true, &[("appendonly", "no"), ("save", "")], Persistence::None),
        (true, &[("appendonly", "no"), ("save", "60 1")], Persistence::Rdb),
        (false, &[("appendonly", "yes")], Persistence::AofEverysec),
        (false, &[("save", "60 1")], Persistence::Rdb),
        (false, &[("appendonly", "no")], Persistence::None),
        (false, &[("appendfsync", "always")], Persistence::None),
    ] {
        assert_eq!(of(storage, user), want, "{storage} {user:?}");
    }
    for (persistence, lines) in [
        (Persistence::None, ["save \"\"", "appendonly no"]),
        (Persistence::Rdb, ["save 3600 1", "appendonly no"]),
        (Persistence::AofAlways, ["appendfsync always", "appendonly yes"]),
    ] {
        let text = render(&Settings { persistence, ..settings("7.0.15") }).unwrap().text();
        for line in lines {
            assert!(text.lines().any(|l| l == line), "{persistence:?}: {line}\n{text}");
        }
    }
}

#[test]
fn what_would_break_the_file_is_refused() {
    let error = with(&[("replicaof", "1.2.3.4 5")]).unwrap_err().to_string();
    assert!(error.contains("replicaof") && error.contains("failover --to"), "{error}");
    let bad = Settings { dir: "/data\nreplicaof no one".to_owned(), ..settings("7.0.15") };
    assert!(matches!(render(&bad), Err(ConfigError::Control { what: "dir", .. })));
    let mut bad = settings("7.0.15");
    bad.accounts[1].rules = "~*\nuser evil on nopass +@all".to_owned();
    assert!(matches!(render(&bad), Err(ConfigError::Control { what: "user", .. })));
    let mut bad = settings("7.0.15");
    bad.accounts[0].password_sha256 = Some(vec!["hunter2".to_owned()]);
    let error = render(&bad).unwrap_err().to_string();
    assert!(error.contains("default") && !error.contains("hunter2"), "{error}");
}

#[test]
fn no_hash_in_debug_output() {
    let rendered = render(&settings("7.0.15")).unwrap();
    let hash = "ab".repeat(32);
    assert!(rendered.text().contains(&hash));
    let debug = format!("{:?} {rendered:?}", settings("7.0.15")).to_lowercase();
    assert!(!debug.contains(&hash), "{debug}");
}

#[test]
fn drift_is_seen_by_meaning() {
    let rendered = with(&[("maxmemory-policy", "allkeys-lru"), ("databases", "32")]).unwrap();
    let mut actual: BTreeMap<String, String> =
        rendered.directives().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
    let mut set = |name: &str, value: &str| actual.insert(name.to_owned(), value.to_owned());
    // Written otherwise, and what changes by itself.
    set("replicaof", "10.0.0.9 6379");
    set("min-replicas-to-write", "1");
    set(
        "client-output-buffer-limit",
        "normal 0 0 0 slave 536870912 268435456 60 pubsub 33554432 8388608 60",
    );
    assert_eq!(rendered.diff(&actual), []);
    let mut set = |name: &str, value: &str| actual.insert(name.to_owned(), value.to_owned());
    set("maxmemory-policy", "noeviction");
    set("databases", "16");
    set("port", "7002");
    set("repl-backlog-ttl", "3600");
    let drift = |name: &str, wanted: &str, actual: &str, live| Drift {
        name: name.to_owned(),
        wanted: wanted.to_owned(),
        actual: actual.to_owned(),
        live,
    };
    assert_eq!(
        rendered.diff(&actual),
        [
            drift("port", "7001", "7002", false),
            drift("repl-backlog-ttl", "0", "3600", true),
            drift("databases", "32", "16", false),
            drift("maxmemory-policy", "allkeys-lru", "noeviction", true),
        ]
    );
    assert_eq!(rendered.diff(&BTreeMap::new()), [], "what CONFIG GET hides is no drift");
}

#[test]
fn memory_by_use() {
    assert_eq!(maxmemory_bytes(1000, false), 750);
    assert_eq!(maxmemory_bytes(1000, true), 600);
    assert_eq!(maxmemory_bytes(0, true), 0);
    assert!(maxmemory_bytes(u64::MAX, false) > 1 << 62);
}

#[test]
fn what_applications_may_not() {
    let rules = application_rules(engine(Flavor::Redis, "7.0.15"));
    assert!(rules.contains("-config|set") && !rules.contains("-config "), "{rules}");
    let old = application_rules(engine(Flavor::Redis, "6.2.16"));
    assert!(!old.contains('|'), "6.2 cannot deny a subcommand: {old}");
}
