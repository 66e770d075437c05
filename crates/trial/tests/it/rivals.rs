//! Other systems as plain processes, looked at and found through what pods are looked at and found
//! through as well: nothing but addresses.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use client::{Connection, Endpoint};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{Instant, interval};
use trial::load::Find;
use trial::rivals::find::{BySentinel, BySlots, TAG};
use trial::rivals::join;
use trial::rivals::look::{self, Look, SHARDS, Server};

use crate::keeper::program;

const WITHIN: Duration = Duration::from_secs(60);
/// Above those of the comparison's own tests, and with the bus of a cluster 10000 above each.
static NEXT_PORT: AtomicU16 = AtomicU16::new(23_000);

/// A port that is free, with a free one for a cluster's bus.
fn port() -> u16 {
    loop {
        let port = NEXT_PORT.fetch_add(1, Ordering::Relaxed);
        let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
        if is_free(port) && is_free(port + 10_000) {
            return port;
        }
    }
}

/// Starts the program with these lines of configuration; it ends with the test.
fn start(directory: &Path, port: u16, lines: &str, mode: &[&str]) -> Child {
    let data = directory.join(port.to_string());
    std::fs::create_dir_all(&data).expect("a directory");
    let file = directory.join(format!("{port}.conf"));
    let head = format!("port {port}\nbind 127.0.0.1\ndir {}\n", data.display());
    std::fs::write(&file, head + lines).expect("a configuration");
    let mut command = Command::new(program());
    command.arg(&file).args(mode).stdout(Stdio::null()).kill_on_drop(true);
    command.spawn().unwrap_or_else(|error| {
        panic!("cannot start {}: {error}; these tests need redis-server installed", program())
    })
}

fn server(number: usize, port: u16) -> Server {
    let at = Endpoint::tcp("127.0.0.1", port);
    Server { name: format!("rival-{number}"), at: at.clone(), known_as: at }
}

/// Looks until nothing is missing.
async fn healthy(look: impl AsyncFn() -> Look) -> Look {
    let deadline = Instant::now() + WITHIN;
    let mut looks = interval(Duration::from_millis(50));
    loop {
        looks.tick().await;
        let seen = look().await;
        if seen.is_healthy() {
            return seen;
        }
        assert!(Instant::now() < deadline, "{:?}", seen.ailments);
    }
}

#[tokio::test]
async fn a_cluster_is_joined_seen_as_whole_and_found_by_its_slots() {
    let directory = TempDir::new().expect("a directory");
    let lines = "cluster-enabled yes\ncluster-config-file nodes.conf\nsave \"\"\n\
                 repl-diskless-sync-delay 0\n";
    let ports: Vec<u16> = (0..2 * SHARDS).map(|_| port()).collect();
    let started = ports.iter().map(|port| start(directory.path(), *port, lines, &[]));
    let mut children: Vec<Child> = started.collect();
    let servers: Vec<Server> =
        ports.iter().enumerate().map(|(number, port)| server(number, *port)).collect();
    join(&servers).await.expect("it becomes a cluster");
    let slot = look::slot(&servers[0].at, TAG).await.expect("a slot");
    let seen = healthy(async || look::of_cluster(&servers, slot).await).await;
    assert_eq!(seen.primaries, ["rival-0", "rival-1", "rival-2"]);
    assert_eq!(seen.lives.len(), servers.len(), "{seen:?}");
    let leader = seen.primary.expect("somebody leads");
    let of = |name: &str| servers.iter().find(|server| server.name == name);
    let at = of(&leader).expect("it is one of them").at.clone();
    let nodes = servers.iter().map(|server| server.at.clone()).collect();
    assert_eq!(BySlots::new(nodes, TAG, None).primary().await, Some(at.clone()));
    // What the load writes belongs there.
    let connection = Connection::open(&at, None, WITHIN).await.expect("it listens");
    let key = format!("interrex:trial:{{{TAG}}}-s1:w0:0");
    connection.call(&["SETBIT", &key, "0", "1"], WITHIN).await.expect("it takes the write");
    // Who is gone is missed.
    let mut last = children.pop().expect("the last one");
    last.kill().await.expect("it ends");
    let seen = look::of_cluster(&servers, slot).await;
    assert!(!seen.is_healthy() && seen.lives.len() == servers.len() - 1, "{seen:?}");
}

#[tokio::test]
async fn sentinels_are_asked_who_leads_and_engines_whether_it_is_so() {
    let directory = TempDir::new().expect("a directory");
    let ports: Vec<u16> = (0..3).map(|_| port()).collect();
    let mut children = Vec::new();
    for port in &ports {
        let mut lines = "save \"\"\nrepl-diskless-sync-delay 0\n".to_owned();
        if *port != ports[0] {
            let _ = writeln!(lines, "replicaof 127.0.0.1 {}", ports[0]);
        }
        children.push(start(directory.path(), *port, &lines, &[]));
    }
    let servers: Vec<Server> =
        ports.iter().enumerate().map(|(number, port)| server(number, *port)).collect();
    // A Sentinel asks a primary for its replicas only every 10 s: they come first.
    let attached = async || {
        let mut look = look::of_one(&servers[0]).await;
        let Ok(open) = Connection::open(&servers[0].at, None, WITHIN).await else { return look };
        let info = open.call(&["INFO", "replication"], WITHIN).await;
        let info = info.ok().and_then(client::Value::into_text).unwrap_or_default();
        if info.matches("state=online").count() < 2 {
            look.ailments.push(info);
        }
        look
    };
    healthy(attached).await;
    let mut sentinels = Vec::new();
    for _ in &ports {
        let own = port();
        let lines = format!(
            "sentinel monitor rival 127.0.0.1 {} 2\n\
             sentinel down-after-milliseconds rival 30000\n",
            ports[0]
        );
        children.push(start(directory.path(), own, &lines, &["--sentinel"]));
        sentinels.push(Endpoint::tcp("127.0.0.1", own));
    }
    let seen = healthy(async || look::of_sentinels(&servers, &sentinels, "rival").await).await;
    assert_eq!(seen.primary.as_deref(), Some("rival-0"));
    assert_eq!(seen.primaries, ["rival-0"]);
    let find = BySentinel::new(sentinels.clone(), "rival");
    assert_eq!(find.primary().await, Some(servers[0].at.clone()));
    // An engine that leads against their word is seen.
    let stray = Connection::open(&servers[2].at, None, WITHIN).await.expect("it listens");
    stray.call(&["REPLICAOF", "NO", "ONE"], WITHIN).await.expect("it obeys");
    let seen = look::of_sentinels(&servers, &sentinels, "rival").await;
    assert!(!seen.is_healthy(), "{seen:?}");
    assert_eq!(seen.primaries, ["rival-0", "rival-2"]);
}
