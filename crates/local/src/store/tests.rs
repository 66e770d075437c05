//! The store's semantics on disk and over HTTP, its faults, and its death in the middle of writes.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, timeout};

use super::fault::{FaultControl, Faults};
use super::server;
use super::{FileStore, Object, StoreError, Stored, Version, Written};
use crate::http::{Answer, Caller, HttpError};
use crate::relay::listen;

const TOKEN: &str = "a-token";
const SOON: Duration = Duration::from_secs(10);

struct Running {
    address: std::net::SocketAddr,
    task: JoinHandle<()>,
    _directory: tempfile::TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn running() -> Running {
    let directory = tempfile::tempdir().unwrap();
    let store = FileStore::open(directory.path(), "g").unwrap();
    let listener = listen(0).await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        server::serve(store, TOKEN.to_owned(), listener).await.unwrap();
    });
    Running { address, task, _directory: directory }
}

impl Running {
    fn caller(&self) -> Caller {
        Caller::new(self.address, Some(TOKEN.to_owned()))
    }

    async fn faults(&self, faults: Faults) {
        FaultControl::new(self.address, TOKEN.to_owned()).set(faults).await.unwrap();
    }
}

async fn put(caller: &Caller, expect: Option<u64>, document: &Value) -> Answer {
    try_put(caller, expect, document, SOON).await.unwrap()
}

async fn try_put(
    caller: &Caller,
    expect: Option<u64>,
    document: &Value,
    within: Duration,
) -> Result<Answer, HttpError> {
    let path = match expect {
        Some(version) => format!("/v1/objects/record?expect={version}"),
        None => "/v1/objects/record".to_owned(),
    };
    caller.call(Method::PUT, &path, Some(serde_json::to_vec(document).unwrap()), within).await
}

async fn get(caller: &Caller, query: &str) -> Answer {
    caller.call(Method::GET, &format!("/v1/objects/record{query}"), None, SOON).await.unwrap()
}

fn stored(answer: &Answer) -> Stored {
    serde_json::from_slice(&answer.body).unwrap()
}

fn version(answer: &Answer) -> u64 {
    serde_json::from_slice::<Value>(&answer.body).unwrap()["version"].as_u64().unwrap()
}

#[test]
fn a_write_names_the_version_it_replaces() {
    let directory = tempfile::tempdir().unwrap();
    let store = FileStore::open(directory.path(), "g").unwrap();
    let put = |expected, n| store.put(Object::Record, expected, json!(n)).unwrap();
    assert_eq!(put(Some(Version(1)), 0), Written::Missing(Version(0)));
    assert_eq!(put(None, 1), Written::Done(Version(1)));
    let standing = Stored { version: Version(1), document: Some(json!(1)) };
    assert_eq!(put(None, 2), Written::Conflict(standing.clone()));
    assert_eq!(put(Some(Version(0)), 2), Written::Conflict(standing.clone()));
    assert_eq!(put(Some(Version(2)), 2), Written::Conflict(standing));
    assert_eq!(put(Some(Version(1)), 2), Written::Done(Version(2)));
}

#[test]
fn versions_grow_over_objects_deletions_and_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let store = FileStore::open(directory.path(), "g").unwrap();
    assert_eq!(store.put(Object::Record, None, json!(1)).unwrap(), Written::Done(Version(1)));
    assert_eq!(store.put(Object::Route, None, json!(1)).unwrap(), Written::Done(Version(2)));
    assert_eq!(store.delete(Object::Record).unwrap(), Some(Version(3)));
    assert_eq!(store.delete(Object::Record).unwrap(), None);
    let store = FileStore::open(directory.path(), "g").unwrap();
    let gone = Stored { version: Version(3), document: None };
    assert_eq!(store.get(Object::Record).unwrap(), gone);
    assert_eq!(store.put(Object::Record, None, json!(2)).unwrap(), Written::Done(Version(4)));
}

#[test]
fn a_store_of_another_group_of_the_future_or_of_nobody_is_refused_untouched() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("objects.json");
    FileStore::open(directory.path(), "mine").unwrap();
    let other = FileStore::open(directory.path(), "other").unwrap_err();
    assert!(matches!(&other, StoreError::OtherGroup { found, .. } if found == "mine"), "{other}");
    for (content, is_expected) in [
        ("{\"format\": 99, \"new\": 1}", "format 99"),
        ("half of it", "is not a record store"),
        ("", "is not a record store"),
    ] {
        std::fs::write(&file, content).unwrap();
        let error = FileStore::open(directory.path(), "mine").unwrap_err();
        assert!(error.to_string().contains(is_expected), "{error}");
        assert!(error.hint().is_some());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), content);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_that_race_exactly_one_wins_each_version() {
    let running = Arc::new(running().await);
    put(&running.caller(), None, &json!({ "sum": 0 })).await;
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let running = Arc::clone(&running);
        tasks.spawn(async move {
            let caller = running.caller();
            let mut won = Vec::new();
            while won.len() < 25 {
                let now = stored(&get(&caller, "").await);
                let sum = now.document.unwrap()["sum"].as_u64().unwrap();
                let answer = put(&caller, Some(now.version.0), &json!({ "sum": sum + 1 })).await;
                match answer.status {
                    StatusCode::OK => won.push(version(&answer)),
                    StatusCode::CONFLICT => assert!(stored(&answer).version > now.version),
                    other => panic!("{other}"),
                }
            }
            won
        });
    }
    let mut versions: Vec<u64> = tasks.join_all().await.into_iter().flatten().collect();
    versions.sort_unstable();
    assert_eq!(versions, (2..=201).collect::<Vec<_>>(), "no version was won twice");
    let last = stored(&get(&running.caller(), "").await);
    assert_eq!(last.document, Some(json!({ "sum": 200 })));
}

#[tokio::test]
async fn a_poll_returns_at_once_for_news_and_for_a_deletion_else_at_its_end() {
    let running = running().await;
    let (caller, poller) = (running.caller(), Arc::new(running.caller()));
    put(&caller, None, &json!(1)).await;
    let poll = |after: u64| {
        let poller = Arc::clone(&poller);
        tokio::spawn(async move { get(&poller, &format!("?after={after}&timeout_ms=8000")).await })
    };
    assert_eq!(stored(&poll(0).await.unwrap()).version, Version(1));
    let waiting = poll(1);
    put(&caller, Some(1), &json!(2)).await;
    assert_eq!(stored(&timeout(SOON, waiting).await.unwrap().unwrap()).version, Version(2));
    let waiting = poll(2);
    caller.call(Method::DELETE, "/v1/objects/record", None, SOON).await.unwrap();
    let gone = timeout(SOON, waiting).await.unwrap().unwrap();
    assert_eq!((gone.status, version(&gone)), (StatusCode::NOT_FOUND, 3));
    let started = Instant::now();
    assert_eq!(get(&caller, "?after=3&timeout_ms=50").await.status, StatusCode::NOT_MODIFIED);
    assert!(started.elapsed() >= Duration::from_millis(50));
}

#[tokio::test]
async fn who_has_not_the_token_has_no_part() {
    let running = running().await;
    for token in [None, Some(String::new()), Some("a-tokem".to_owned())] {
        let stranger = Caller::new(running.address, token);
        assert_eq!(get(&stranger, "").await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(put(&stranger, None, &json!(1)).await.status, StatusCode::UNAUTHORIZED);
        let control = stranger.call(Method::GET, "/control", None, SOON).await.unwrap();
        assert_eq!(control.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(get(&running.caller(), "").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_store_that_is_down_or_read_only_says_so_and_changes_nothing() {
    let running = running().await;
    let caller = running.caller();
    put(&caller, None, &json!(1)).await;
    let poller = running.caller();
    let poll = tokio::spawn(async move { get(&poller, "?after=1&timeout_ms=8000").await });
    running.faults(Faults { down: true, ..Faults::default() }).await;
    let ended = timeout(SOON, poll).await.unwrap().unwrap();
    assert_eq!(ended.status, StatusCode::SERVICE_UNAVAILABLE, "a poll that waits ends too");
    let refused = put(&caller, Some(1), &json!(2)).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    running.faults(Faults { read_only: true, ..Faults::default() }).await;
    assert_eq!(put(&caller, Some(1), &json!(2)).await.status, StatusCode::FORBIDDEN);
    assert_eq!(stored(&get(&caller, "").await).version, Version(1));
    running.faults(Faults::default()).await;
    assert_eq!(put(&caller, Some(1), &json!(2)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_ambiguous_write_is_carried_out_without_an_answer() {
    let running = running().await;
    let caller = running.caller();
    put(&caller, None, &json!(1)).await;
    running.faults(Faults { ambiguous: true, ..Faults::default() }).await;
    let within = Duration::from_millis(300);
    let error = try_put(&caller, Some(1), &json!(2), within).await.unwrap_err();
    assert!(error.was_sent(), "{error}");
    assert_eq!(stored(&get(&caller, "").await).document, Some(json!(2)));
}

#[tokio::test]
async fn a_store_that_hangs_carries_out_what_waited_and_a_slow_one_is_only_late() {
    let running = running().await;
    let caller = running.caller();
    running.faults(Faults { hang: true, ..Faults::default() }).await;
    let within = Duration::from_millis(100);
    let error = caller.call(Method::GET, "/v1/objects/record", None, within).await.unwrap_err();
    assert!(matches!(error, HttpError::Unanswered { .. }), "{error}");
    let waiting = {
        let caller = running.caller();
        tokio::spawn(async move { put(&caller, None, &json!(1)).await })
    };
    running.faults(Faults { delay_ms: 80, ..Faults::default() }).await;
    let done = timeout(SOON, waiting).await.unwrap().unwrap();
    assert_eq!(done.status, StatusCode::OK);
    let started = Instant::now();
    assert_eq!(get(&caller, "").await.status, StatusCode::OK);
    assert!(started.elapsed() >= Duration::from_millis(80));
}

#[tokio::test]
async fn nobody_there_is_known_to_be_not_sent() {
    let address = listen(0).await.unwrap().local_addr().unwrap();
    let caller = Caller::new(address, None);
    let error = try_put(&caller, None, &json!(1), SOON).await.unwrap_err();
    assert!(matches!(error, HttpError::Connect { .. }) && !error.was_sent(), "{error}");
}

/// Run by [`a_store_killed_in_the_middle_of_writes_keeps_what_it_answered`] in its own process:
/// serves the store of the directory in the variable, and prints its port to the file beside it.
#[tokio::test]
#[ignore = "a process of another test"]
async fn serves_until_killed() {
    let Some(directory) = std::env::var_os("INTERREX_TEST_STORE") else { return };
    let directory = Path::new(&directory);
    let store = FileStore::open(&directory.join("store"), "g").unwrap();
    let listener = listen(0).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    crate::file::replace(&directory.join("port"), port.to_string().as_bytes(), 0o600).unwrap();
    server::serve(store, TOKEN.to_owned(), listener).await.unwrap();
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

async fn start(directory: &Path) -> (Killed, Caller) {
    let port = directory.join("port");
    let _ = std::fs::remove_file(&port);
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store::tests::serves_until_killed", "--include-ignored"])
        .env("INTERREX_TEST_STORE", directory)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let child = Killed(child);
    let started = Instant::now();
    loop {
        if let Ok(port) = std::fs::read_to_string(&port) {
            let address = crate::relay::loopback(port.parse().unwrap());
            return (child, Caller::new(address, Some(TOKEN.to_owned())));
        }
        assert!(started.elapsed() < SOON, "the store did not start");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_store_killed_in_the_middle_of_writes_keeps_what_it_answered() {
    let directory = tempfile::tempdir().unwrap();
    let mut acknowledged = 0;
    for round in 0..5 {
        let (child, caller) = start(directory.path()).await;
        let found = get(&caller, "").await;
        let (mut at, count) = if found.status == StatusCode::NOT_FOUND {
            (None, 0)
        } else {
            let found = stored(&found);
            (Some(found.version.0), found.document.unwrap().as_u64().unwrap())
        };
        // One more may be there: written, and killed before it was answered.
        assert!((acknowledged..=acknowledged + 1).contains(&count), "{acknowledged} {count}");
        acknowledged = count;
        let killer = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(20 + 17 * round)).await;
            drop(child);
        });
        while let Ok(answer) = try_put(&caller, at, &json!(acknowledged + 1), SOON).await {
            assert_eq!(answer.status, StatusCode::OK);
            acknowledged += 1;
            at = Some(version(&answer));
        }
        killer.await.unwrap();
    }
    assert!(acknowledged > 10, "only {acknowledged} writes were made at all");
}
