//! The table against a real engine's `CONFIG GET *`, and what is said of wrong directives.

use super::*;

const CONFIG_7_0: &str = include_str!("../../samples/config-redis-7.0.txt");

fn engine(text: &str) -> Engine {
    let (flavor, version) = text.split_once(' ').unwrap();
    let flavor = if flavor == "redis" { Flavor::Redis } else { Flavor::Valkey };
    Engine { flavor, version: version.parse().unwrap() }
}

fn refusal(name: &str, value: &str, on: &str) -> String {
    check(name, value, engine(on)).expect_err(name).to_string()
}

#[test]
fn every_directive_of_a_real_7_0_is_known_and_its_value_fits() {
    let mut count = 0;
    for line in CONFIG_7_0.lines() {
        let (name, value) = line.split_once(' ').unwrap_or((line, ""));
        let known = find(name, engine("redis 7.0.15")).unwrap_or_else(|| panic!("{name}"));
        let fits = known.kind.check(value);
        assert_eq!(fits, Ok(()), "{name} {value}");
        assert!(same(known.kind, value, value), "{name}");
        count += 1;
    }
    assert!(count > 180, "the sample has only {count} lines");
}

#[test]
fn the_table_is_sound() {
    for row in table::all() {
        assert!(row.redis.from.is_some() || row.valkey.from.is_some(), "{}", row.name);
        assert_eq!(row.name, row.name.to_ascii_lowercase(), "{}", row.name);
        for on in ["redis 6.2", "redis 7.0", "redis 8.10", "valkey 7.2", "valkey 8.1", "valkey 9.1"]
        {
            let here = |name| rows(name).filter(|row| row.is_in(name, engine(on))).count();
            assert!(here(row.name) <= 1, "{} is twice in {on}", row.name);
        }
    }
}

#[test]
fn good_ones_and_when_they_take_effect() {
    for (name, value, on, applied) in [
        ("maxmemory", "256mb", "redis 7.0.15", Applied::Live),
        ("MaxMemory-Policy", "allkeys-LFU", "redis 7.0.15", Applied::Live),
        ("maxmemory-policy", "allkeys-lrm", "redis 8.6.1", Applied::Live),
        ("maxmemory-clients", "10%", "valkey 8.1", Applied::Live),
        ("databases", "32", "redis 6.2.16", Applied::Restart),
        ("io-threads", "4", "valkey 9.1.2", Applied::Restart),
        ("hash-max-ziplist-entries", "64", "redis 6.2.16", Applied::Live),
        ("hash-max-listpack-entries", "64", "redis 7.0.15", Applied::Live),
        ("save", "", "redis 7.0.15", Applied::Live),
        ("save", "3600 1 300 100", "redis 7.0.15", Applied::Live),
        ("client-output-buffer-limit", "replica 1gb 512mb 60", "redis 7.0.15", Applied::Live),
        ("notify-keyspace-events", "KEA", "redis 7.0.15", Applied::Live),
        ("slowlog-log-slower-than", "-1", "redis 7.0.15", Applied::Live),
        ("search-timeout", "500", "redis 8.0.2", Applied::Live),
        ("json.max-depth", "9", "valkey 8.1", Applied::Live),
        ("loadmodule", "/usr/lib/bloom.so a b", "redis 7.0.15", Applied::Restart),
    ] {
        assert_eq!(check(name, value, engine(on)).map(|d| d.applied), Ok(applied), "{name}");
    }
}

/// Directive, value, engine, and how the refusal begins.
const WRONG: &[(&str, &str, &str, &str)] = &[
    ("maxmemroy", "1gb", "redis 7.0.15", "maxmemroy: no such directive; did you mean maxmemory?"),
    ("colour", "blue", "redis 7.0.15", "colour: no such directive"),
    (
        "commandlog-reply-larger-than",
        "1",
        "redis 7.0.15",
        "commandlog-reply-larger-than: redis 7.0.15 does not have this directive, it is in \
             valkey from 8.1",
    ),
    (
        "hash-max-listpack-entries",
        "1",
        "redis 6.2.16",
        "hash-max-listpack-entries: redis 6.2.16 does not have this directive, it is in redis \
             from 7.0, valkey from 7.2",
    ),
    (
        "dynamic-hz",
        "yes",
        "valkey 9.1.2",
        "dynamic-hz: valkey 9.1.2 does not have this directive, it is in redis from 6.2, \
             valkey from 7.2 and before 9.0",
    ),
    (
        "maxmemory-policy",
        "allkeys-lrm",
        "redis 7.0.15",
        "maxmemory-policy: \"allkeys-lrm\" is no value for it, want one of volatile-lru, \
             volatile-lfu, volatile-random, volatile-ttl, allkeys-lru, allkeys-lfu, \
             allkeys-random, noeviction",
    ),
    (
        "maxmemory",
        "1Gi",
        "redis 7.0.15",
        "maxmemory: \"1Gi\" is no value for it, want bytes, such as 64mb or 1gb",
    ),
    (
        "hz",
        "9000",
        "redis 7.0.15",
        "hz: \"9000\" is no value for it, want a whole number from 1 to 500",
    ),
    (
        "activedefrag",
        "on",
        "redis 7.0.15",
        "activedefrag: \"on\" is no value for it, want yes or no",
    ),
    (
        "replicaof",
        "1.2.3.4 6379",
        "redis 7.0.15",
        "replicaof: set by interrex and not by hand; the group decides who follows whom: \
             interrex failover --to moves the primary",
    ),
    ("slaveof", "no one", "redis 7.0.15", "slaveof: set by interrex and not by hand; the group"),
    (
        "requirepass",
        "x",
        "redis 7.0.15",
        "requirepass: set by interrex and not by hand; use spec.auth",
    ),
    (
        "primaryauth",
        "x",
        "valkey 8.1",
        "primaryauth: set by interrex and not by hand; use spec.auth",
    ),
];

#[test]
fn a_wrong_one_names_itself_and_the_way_out() {
    for (name, value, on, wants) in WRONG {
        let text = refusal(name, value, on);
        assert!(text.starts_with(*wants), "{text}\nwanted: {wants}");
    }
}

#[test]
fn a_line_end_cannot_smuggle_a_directive_in() {
    for value in ["a\nreplicaof no one", "a\rb", "a\0b"] {
        let text = refusal("proc-title-template", value, "redis 7.0.15");
        assert!(text.ends_with("want a single line"), "{text}");
        refusal("json.path", value, "redis 7.0.15");
    }
}

#[test]
fn the_owned_ones_cannot_be_set() {
    for name in "replicaof slaveof port bind dir masterauth masteruser requirepass aclfile user \
                 daemonize pidfile unixsocket min-replicas-to-write min-slaves-to-write \
                 replica-read-only include rename-command enable-module-command dbfilename"
        .split_whitespace()
    {
        let error = check(name, "1", engine("redis 7.0.15")).unwrap_err();
        assert!(matches!(error, DirectiveError::Ours { .. }), "{name}: {error}");
    }
}

#[test]
fn values_that_mean_the_same() {
    let memory = Kind::Memory(0);
    for (kind, wanted, actual, want) in [
        (memory, "64mb", "67108864", true),
        (memory, "64MB", "67108864", true),
        (memory, "64m", "67108864", false),
        (memory, "64m", "64000000", true),
        (Kind::MemoryOrPercent, "10%", "10%", true),
        (Kind::MemoryOrPercent, "10%", "10", false),
        (Kind::MemoryOrPercent, "1kb", "1024", true),
        (Kind::Bool, "YES", "yes", true),
        (Kind::Bool, "yes", "no", false),
        (Kind::Int(0, 10), "007", "7", true),
        (Kind::Int(0, 10), "x", "y", false),
        (Kind::SavePoints, "300 100 3600 1", "3600 1 300 100", true),
        (Kind::SavePoints, "", "3600 1", false),
        (Kind::SavePoints, "\"\"", "", true),
        (
            Kind::OutputBuffers,
            "replica 256mb 64mb 60",
            "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
            true,
        ),
        (
            Kind::OutputBuffers,
            "replica 256mb 64mb 61",
            "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
            false,
        ),
        (Kind::EventFlags, "KEA", "AKE", true),
        (Kind::EventFlags, "Kx", "KE", false),
        (Kind::Words, "127.0.0.1  ::1", "127.0.0.1 ::1", true),
    ] {
        assert_eq!(same(kind, wanted, actual), want, "{kind:?} {wanted:?} {actual:?}");
    }
}

#[test]
fn memory_as_the_engine_reads_it() {
    for (text, want) in [
        ("0", Some(0)),
        ("1k", Some(1000)),
        ("1kb", Some(1024)),
        ("1Gb", Some(1 << 30)),
        ("1.5gb", None),
        ("-1", None),
        ("", None),
        ("gb", None),
        ("1 gb", None),
        ("99999999999pb", None),
    ] {
        assert_eq!(parse_memory(text), want, "{text:?}");
    }
}
