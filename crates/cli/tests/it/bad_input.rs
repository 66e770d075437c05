//! Every kind of bad input: refused with a clear message and a way out, and nothing is changed.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::run::Place;

const HEAD: &str = "apiVersion: interrex.io/v1alpha1\nkind: Redis\nmetadata: { name: cart }\n";

fn program(directory: &Path, name: &str, script: &str) {
    fs::create_dir_all(directory).expect("a directory");
    let path = directory.join(name);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a script");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it can be run");
}

#[test]
fn without_an_engine_nothing_starts() {
    let empty = tempfile::tempdir().expect("a directory");
    let place = Place::new().with_path(empty.path());
    place
        .run(&["up", "--tag", "cart", "--detach"])
        .exits(1)
        .refuses()
        .says(&["no engine is installed", "install"]);
    place.run(&["up", "--tag", "cart", "--engine", "/no/such/server"]).exits(1).refuses();
    assert!(place.groups().is_empty(), "{:?}", place.groups());
}

#[test]
fn an_engine_that_is_too_old_is_named() {
    let old = tempfile::tempdir().expect("a directory");
    let said = "echo 'Redis server v=5.0.14 sha=00000000:0 malloc=jemalloc bits=64 build=0'";
    program(old.path(), "redis-server", said);
    let place = Place::new().with_path(old.path());
    let refused = place.run(&["up", "--tag", "cart", "--detach"]);
    refused.exits(1).refuses().says(&["5.0.14", "6.2"]);
    program(old.path(), "redis-server", "echo 'no server at all'");
    place.run(&["up", "--tag", "cart", "--detach"]).exits(1).refuses();
    assert!(place.groups().is_empty(), "{:?}", place.groups());
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("it has an address").port().to_string();
    let place = Place::new();
    let refused = place.run(&["up", "--tag", "cart", "--detach", "--port", &port]);
    refused.exits(1).refuses().says(&[&port, "taken"]);
    assert!(place.groups().is_empty(), "{:?}", place.groups());
    place.run(&["up", "--port", "0"]).exits(2);
    place.run(&["up", "--port", "70000"]).exits(2);
}

#[test]
fn a_directory_that_cannot_be_used_is_left_as_it_is() {
    let place = Place::new();
    // A file where the directory of all groups should be.
    let file = place.file("no-directory", "mine");
    let home = file.join("g").display().to_string();
    let env = [("INTERREX_HOME", home.as_str())];
    place.run_with(&["up", "--tag", "cart", "--detach"], &env).exits(1).refuses();
    assert_eq!(fs::read_to_string(&file).expect("it is there"), "mine");
    // Somebody else's files.
    let foreign = place.home().join("cart");
    fs::create_dir_all(&foreign).expect("a directory");
    fs::write(foreign.join("notes.txt"), "mine").expect("a file");
    let refused = place.run(&["up", "--tag", "cart", "--detach"]);
    refused.exits(1).refuses().says(&["not the directory of a group"]);
    let names: Vec<_> = fs::read_dir(&foreign).expect("it is there").collect();
    assert_eq!(names.len(), 1, "{names:?}");
    fs::remove_dir_all(&foreign).expect("it can be removed");
    // Names that cannot be.
    for tag in ["Cart", "a/b", "..", "-x", "x-"] {
        place.run(&["up", "--detach", &format!("--tag={tag}")]).says(&["error:"]);
        assert!(place.groups().is_empty(), "{tag}: {:?}", place.groups());
    }
}

#[test]
fn a_spec_with_faults_is_refused_by_line_and_name() {
    let place = Place::new();
    let cases: [(&str, &[&str]); 9] = [
        ("spec: { durabilty: strict }\n", &["durabilty", "line 4"]),
        ("spec:\n  topology: { replication: { replicas: two } }\n", &["line 5"]),
        ("spec:\n  topology: { replication: { replicas: -1 } }\n", &["-1", "replicas"]),
        ("spec: { config: { maxmemry: 1gb } }\n", &["maxmemry"]),
        ("spec: { config: { maxmemory-policy: sometimes } }\n", &["maxmemory-policy", "sometimes"]),
        ("spec: { durability: perhaps }\n", &["perhaps"]),
        ("spec: { durability: { mode: strict, copies: 9 } }\n", &["copies", "9"]),
        ("spec: { topology: { cluster: { shards: 3 } } }\n", &["cluster"]),
        ("spec: [\n", &["line"]),
    ];
    for (spec, words) in cases {
        let path = place.file("cart.yaml", &format!("{HEAD}{spec}"));
        let path = path.display().to_string();
        let refused = place.run(&["up", "-f", &path, "--detach"]);
        refused.exits(2).refuses().says(words);
        assert!(place.groups().is_empty(), "{spec}: {:?}", place.groups());
    }
    place.run(&["up", "-f", "/no/such/file.yaml"]).exits(2).refuses();
    place.run(&["up", "--replicas", "-1", "--detach"]).exits(2).refuses().says(&["-1"]);
    place.run(&["up", "--replicas", "99", "--detach"]).exits(2).refuses().says(&["99"]);
    assert!(place.groups().is_empty(), "{:?}", place.groups());
}

#[test]
fn commands_without_a_group_say_so() {
    let place = Place::new();
    for words in [
        &["status"][..],
        &["status", "cart"],
        &["down", "cart"],
        &["failover", "cart"],
        &["why"],
        &["kill", "primary"],
        &["logs", "cart-0"],
        &["exec", "--", "PING"],
    ] {
        place.run(words).exits(1).refuses();
    }
    place.run(&["down", "--all"]).exits(0);
    place.run(&["frobnicate"]).exits(2);
    place.run(&["kill", "cart", "primary", "--agent", "--both"]).exits(2);
    place.run(&["chaos", "--only", "kil"]).exits(2).refuses().says(&["handover"]);
    place.run(&["chaos", "cart"]).exits(4).refuses().says(&["consent"]);
    place.run(&["--help"]).exits(0);
    place.run(&["version", "-o", "json"]).exits(0).json();
    assert!(place.groups().is_empty(), "{:?}", place.groups());
}

#[test]
fn a_comparison_names_what_it_does_not_know() {
    let place = Place::new();
    let refused = place.run(&["compare", "--rival", "sentinels"]).exits(2).refuses();
    refused.says(&["no rival \"sentinels\"", "sentinel-5", "--rival takes one of these names"]);
    let refused = place.run(&["compare", "--only", "kill"]).exits(2).refuses();
    refused.says(&["no event \"kill\"", "crash, freeze, partition, planned, emptied"]);
    let refused = place.run(&["compare", "--write", "/no/such/place"]).exits(2).refuses();
    refused.says(&["/no/such/place is no directory", "--write docs"]);
}
