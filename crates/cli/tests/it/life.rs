//! A group from its first start to its end, with everything that may happen to it in between.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::Value;

use crate::run::Place;

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no text {key:?} in {value:#}"))
}

fn member<'a>(status: &'a Value, name: &str) -> &'a Value {
    let members = status["members"].as_array().expect("members");
    members.iter().find(|m| m["name"] == name).unwrap_or_else(|| panic!("no {name}: {status:#}"))
}

fn is_healthy(status: &Value) -> bool {
    status["verdict"] == "HEALTHY"
}

/// Every process id that the status names.
fn pids(status: &Value) -> Vec<u64> {
    let members = status["members"].as_array().expect("members");
    let pid = |m: &Value, key: &str| m[key].as_u64().expect("a pid");
    members.iter().flat_map(|m| [pid(m, "engine_pid"), pid(m, "agent_pid")]).collect()
}

fn runs(pid: u64) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

#[test]
fn a_group_lives_through_kills_handovers_and_restarts() {
    let place = Place::new();
    let up = place.run(&["up", "--tag", "cart", "--detach", "--plain"]).exits(0);
    assert!(up.out.contains("redis-cli -p") || up.out.contains("valkey-cli -p"), "{up:#?}");
    let password = fs::read_to_string(place.home().join("cart/password")).expect("a password");
    assert!(!format!("{up:?}").contains(password.trim()), "the password was printed");
    let first = place.until("cart", "healthy", is_healthy);
    the_schema_holds(&first);
    place.run(&["status"]).exits(0);
    place.run(&["exec", "--", "SET", "before", "1"]).exits(0);

    let old = text(&first, "primary").to_owned();
    place.run(&["kill", "cart", "primary"]).exits(0);
    let second = place
        .until("cart", "healthy under another", |s| is_healthy(s) && text(s, "primary") != old);
    assert!(second["epoch"].as_u64() > first["epoch"].as_u64(), "{second:#}");
    assert_eq!(place.run(&["exec", "--", "GET", "before"]).exits(0).out, "1\n");
    let why = place.run(&["why", "-o", "json"]).exits(0).json();
    assert_eq!(why["epoch"], second["epoch"], "{why:#}");
    assert!(!why["steps"].as_array().expect("steps").is_empty(), "{why:#}");
    place.run(&["why", "--epoch", "999"]).exits(1).refuses();

    handovers(&place, &old, text(&second, "primary"));
    two_at_once(&place);
    down_and_up_again(&place);
}

fn the_schema_holds(status: &Value) {
    for key in ["verdict", "canFailOver", "epoch", "write", "read", "password_file", "members"] {
        assert!(!status[key].is_null(), "{key}: {status:#}");
    }
    assert_eq!(status["canFailOver"], true, "{status:#}");
    for member in status["members"].as_array().expect("members") {
        for key in ["name", "role", "address", "engine_pid", "agent_pid", "directory", "complete"] {
            assert!(!member[key].is_null(), "{key}: {member:#}");
        }
        assert!(Path::new(text(member, "directory")).is_dir(), "{member:#}");
    }
    let password = fs::metadata(text(status, "password_file")).expect("it is there");
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&password.permissions()) & 0o077, 0);
}

fn handovers(place: &Place, to: &str, primary: &str) {
    let replica = |status: &Value| {
        let members = status["members"].as_array().expect("members").clone();
        let found = members.iter().find(|m| m["name"] != status["primary"] && m["name"] != to);
        text(found.expect("another replica"), "name").to_owned()
    };
    place.run(&["failover", "cart", "--to", primary]).exits(2).refuses();
    place.run(&["failover", "cart", "--to", "cart-9"]).exits(2).refuses();
    let moved = place.run(&["failover", "cart", "--to", to, "--wait"]);
    moved.exits(0);
    let status = place.until("cart", "healthy", is_healthy);
    assert_eq!(text(&status, "primary"), to);
    assert_eq!(place.run(&["primary", "cart"]).exits(0).out.trim(), to);
    // A member that is cut off falls behind and cannot be chosen.
    let cut = replica(&status);
    place.run(&["cut", "cart", &cut, "--from", "peers"]).exits(0);
    place.run(&["exec", "cart", "--", "SET", "missed", "1"]).exits(0);
    place.until("cart", "without it", |s| member(s, &cut)["electable"] == false);
    place.run(&["failover", "cart", "--to", &cut]).exits(4).refuses();
    assert_eq!(text(&place.status("cart"), "primary"), to);
    place.run(&["status", "cart"]).exits(3);
    place.run(&["heal", "cart"]).exits(0);
    place.until("cart", "healed", is_healthy);
}

/// While one `up` attends to a group, another one is turned away, and changes nothing.
fn two_at_once(place: &Place) {
    let before = place.status("cart");
    let mut first = place.start(&["up", "--tag", "cart"]);
    let mut lines = BufReader::new(first.stdout.take().expect("stdout is a pipe")).lines();
    let connect = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("Connect")));
    assert!(connect.is_some(), "the first says nothing of how to connect");
    // What it says from now on must not fill the pipe.
    let rest = std::thread::spawn(move || lines.count());
    let second = place.run(&["up", "--tag", "cart", "--detach"]);
    second.exits(1).refuses().says(&["in use"]);
    assert_eq!(pids(&place.status("cart")), pids(&before));
    // The first one ends what it attends to.
    std::process::Command::new("kill").arg(first.id().to_string()).status().expect("kill");
    assert!(first.wait().expect("it ends").success());
    rest.join().expect("its output was read");
    if cfg!(target_os = "linux") {
        assert!(pids(&before).into_iter().all(|pid| !runs(pid)), "something runs on");
    }
}

fn down_and_up_again(place: &Place) {
    place.run(&["down", "cart"]).exits(0);
    let started = Instant::now();
    let unknown = place.run(&["status", "cart", "-o", "json"]).exits(1);
    assert!(started.elapsed().as_secs() < 3, "{:?}", started.elapsed());
    assert_eq!(unknown.json()["verdict"], "UNKNOWN");
    broken_parts_are_refused(place);
    // One member's data is garbage: it is put aside and synced anew.
    let data = place.home().join("cart/members/cart-1/engine");
    let garbled = garble(&data);
    assert!(garbled > 0, "no data file in {}", data.display());
    place.run(&["up", "--tag", "cart", "--detach"]).exits(0);
    place.until("cart", "healthy again", is_healthy);
    for name in ["cart-0", "cart-1", "cart-2"] {
        let value = place.run(&["exec", "cart", name, "--", "GET", "before"]).exits(0).out;
        assert_eq!(value, "1\n", "{name}");
    }
    let log = place.run(&["logs", "cart", "cart-1", "-n", "10000"]).exits(0).out;
    assert!(log.contains("aside"), "nothing of it in the log:\n{log}");
    place.run(&["down", "cart", "--wipe"]).exits(0);
    assert!(place.groups().is_empty(), "{:?}", place.groups());
}

/// What lies in the directory is checked before anything is started.
fn broken_parts_are_refused(place: &Place) {
    let root = place.home().join("cart");
    let with = |path: &Path, content: &str, words: &[&str]| {
        let kept = fs::read(path).expect("it is there");
        fs::write(path, content).expect("it can be changed");
        let refused = place.run(&["up", "--tag", "cart", "--detach"]);
        refused.exits(1).refuses().says(words);
        fs::write(path, kept).expect("it can be put back");
    };
    with(&root.join("password"), "\n", &["password"]);
    let identity = root.join("members/cart-0/identity");
    let other = r#"{"group":"000000000000000000000000","id":"111111111111111111111111"}"#;
    with(&identity, other, &["belongs to group 000000000000000000000000"]);
    with(&root.join("group.json"), "{", &["does not describe a group"]);
    assert_eq!(place.status("cart")["verdict"], "UNKNOWN", "something was started");
}

fn is_data(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rdb" || extension == "aof")
}

/// Overwrites the middle of every data file of an engine; gives how many there were.
fn garble(data: &Path) -> usize {
    let mut files: Vec<PathBuf> = Vec::new();
    let mut directories = vec![data.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).expect("a directory").flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            match (path.is_dir(), name.as_str()) {
                (true, "interrex") => {}
                (true, _) => directories.push(path),
                (false, _) if is_data(&path) => files.push(path),
                (false, _) => {}
            }
        }
    }
    for file in &files {
        fs::write(file, b"REDIS0009 this is no dataset at all").expect("it can be changed");
    }
    files.len()
}
