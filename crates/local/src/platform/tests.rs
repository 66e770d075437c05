//! The traits held against a store that is really served.

use std::time::Duration;

use brain::{Epoch, MemberName, Record, Route, Version};
use platform::{Published, RecordStore, RouteStore, StoreError};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::{HttpRecord, HttpRoute};
use crate::http::Caller;
use crate::relay::listen;
use crate::store::fault::Faults;
use crate::store::{FileStore, server};

const SOON: Duration = Duration::from_secs(10);

struct World {
    _directory: tempfile::TempDir,
    address: std::net::SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn world() -> World {
    let directory = tempfile::tempdir().unwrap();
    let store = FileStore::open(directory.path(), "g").unwrap();
    let listener = listen(0).await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        server::serve(store, "t".to_owned(), listener).await.unwrap();
    });
    World { _directory: directory, address, task }
}

impl World {
    fn caller(&self) -> Caller {
        Caller::new(self.address, Some("t".to_owned()))
    }

    fn record(&self) -> HttpRecord {
        HttpRecord::new(|| self.caller())
    }

    fn route(&self) -> HttpRoute {
        HttpRoute { caller: self.caller(), known: std::sync::Mutex::default() }
    }

    async fn faults(&self, faults: Faults) {
        let body = serde_json::to_vec(&faults).unwrap();
        self.caller().call(hyper::Method::PUT, "/control", Some(body), SOON).await.unwrap();
    }

    async fn delete(&self) {
        let path = "/v1/objects/record";
        self.caller().call(hyper::Method::DELETE, path, None, SOON).await.unwrap();
    }
}

fn first() -> Record {
    Record::first(vec!["g-0".into(), "g-1".into()], 5000)
}

fn at(epoch: u64, primary: &str) -> Route {
    Route { epoch: Epoch(epoch), primary: primary.into(), replicas: Vec::new() }
}

#[tokio::test]
async fn a_record_is_made_once_and_replaced_by_who_knows_it() {
    let world = world().await;
    let (one, other) = (world.record(), world.record());
    assert_eq!(one.read(SOON).await.unwrap(), None);
    let version = one.replace(None, &first(), SOON).await.unwrap();
    assert_eq!(other.replace(None, &first(), SOON).await, Err(StoreError::Conflict));
    assert_eq!(other.read(SOON).await.unwrap(), Some((version.clone(), first())));
    let later = Record { epoch: Epoch(1), ..first() };
    let newer = other.replace(Some(&version), &later, SOON).await.unwrap();
    assert_ne!(version, newer);
    assert_eq!(one.replace(Some(&version), &first(), SOON).await, Err(StoreError::Conflict));
    world.delete().await;
    assert_eq!(one.replace(Some(&newer), &first(), SOON).await, Err(StoreError::Conflict));
    assert_eq!(one.read(SOON).await.unwrap(), None);
    assert_ne!(one.replace(None, &first(), SOON).await.unwrap(), version);
}

#[tokio::test]
async fn a_change_is_seen_at_once_and_its_absence_at_the_end() {
    let world = world().await;
    let (writer, watcher) = (world.record(), std::sync::Arc::new(world.record()));
    let changed = |after: Option<Version>, within| {
        let watcher = std::sync::Arc::clone(&watcher);
        tokio::spawn(async move { watcher.changed(after.as_ref(), within).await })
    };
    let short = Duration::from_millis(60);
    assert_eq!(changed(None, short).await.unwrap().unwrap(), None);
    let waiting = changed(None, SOON);
    let version = writer.replace(None, &first(), SOON).await.unwrap();
    let seen = timeout(SOON, waiting).await.unwrap().unwrap().unwrap();
    assert_eq!(seen, Some((version.clone(), first())));
    assert_eq!(changed(Some(version.clone()), short).await.unwrap().unwrap(), seen);
    let waiting = changed(Some(version), SOON);
    world.delete().await;
    assert_eq!(timeout(SOON, waiting).await.unwrap().unwrap().unwrap(), None);
    // Who knows of the deletion waits for what comes after it, and does not spin.
    let started = Instant::now();
    assert_eq!(changed(None, short).await.unwrap().unwrap(), None);
    assert!(started.elapsed() >= short);
}

#[tokio::test]
async fn errors_say_whether_a_write_can_have_happened() {
    let world = world().await;
    let record = world.record();
    let version = record.replace(None, &first(), SOON).await.unwrap();
    let refused = |result| matches!(result, Err(StoreError::Unavailable(_)));
    for faults in [
        Faults { down: true, ..Faults::default() },
        Faults { read_only: true, ..Faults::default() },
    ] {
        world.faults(faults).await;
        assert!(refused(record.replace(Some(&version), &first(), SOON).await));
    }
    world.faults(Faults { ambiguous: true, ..Faults::default() }).await;
    let late = record.replace(Some(&version), &first(), Duration::from_millis(200)).await;
    assert!(matches!(late, Err(StoreError::Unanswered(_))), "{late:?}");
    world.faults(Faults::default()).await;
    let again = record.replace(Some(&version), &first(), SOON).await;
    assert_eq!(again, Err(StoreError::Conflict), "it had been carried out");
    let nobody = listen(0).await.unwrap().local_addr().unwrap();
    let lost = HttpRecord::new(|| Caller::new(nobody, None));
    assert!(refused(lost.replace(Some(&version), &first(), SOON).await));
}

#[tokio::test]
async fn who_accepts_and_says_nothing_has_perhaps_done_it() {
    let mute: TcpListener = listen(0).await.unwrap();
    let address = mute.local_addr().unwrap();
    let record = HttpRecord::new(|| Caller::new(address, None));
    let result = record.replace(None, &first(), Duration::from_millis(100)).await;
    assert!(matches!(result, Err(StoreError::Unanswered(_))), "{result:?}");
}

fn superseded(by: u64) -> Published {
    Published::Superseded { by: Epoch(by) }
}

#[tokio::test]
async fn a_route_never_gives_way_to_a_lower_epoch() {
    let world = world().await;
    let (one, other) = (world.route(), world.route());
    assert_eq!(one.publish(&at(1, "g-0"), SOON).await, Ok(Published::Done));
    assert_eq!(other.publish(&at(2, "g-1"), SOON).await, Ok(Published::Done));
    assert_eq!(one.publish(&at(1, "g-0"), SOON).await, Ok(superseded(2)));
    let mut more = at(2, "g-1");
    more.replicas.push(MemberName("g-0".to_owned()));
    assert_eq!(other.publish(&more, SOON).await, Ok(Published::Done));
    assert_eq!(one.publish(&at(3, "g-0"), SOON).await, Ok(Published::Done));
    assert_eq!(other.publish(&more, SOON).await, Ok(superseded(3)));
}
