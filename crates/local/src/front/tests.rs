//! The two addresses against members that say their own name, and a store that is really served.

use std::collections::BTreeMap;
use std::time::Duration;

use brain::{Epoch, Incarnation, MemberId, MemberName, Record, Route};
use serde::Serialize;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::{Front, run};
use crate::http::Caller;
use crate::links::{Board, Cut, CutFrom, Direction};
use crate::relay::{accept_all, listen, loopback};
use crate::store::{FileStore, Object, Stored, Version, server};

const SOON: Duration = Duration::from_secs(10);

struct World {
    _directory: tempfile::TempDir,
    store: Caller,
    board: Board,
    write: u16,
    read: u16,
    tasks: JoinSet<()>,
    store_task: tokio::task::AbortHandle,
}

/// A member that greets with its name and then echoes.
async fn member(name: char, tasks: &mut JoinSet<()>) -> u16 {
    let listener = listen(0).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tasks.spawn(accept_all(listener, move |stream| greet(stream, name)));
    port
}

async fn greet(mut stream: TcpStream, name: char) {
    if stream.write_all(&[name as u8]).await.is_err() {
        return;
    }
    let (mut from, mut to) = stream.split();
    let _ = tokio::io::copy(&mut from, &mut to).await;
}

async fn free_port() -> u16 {
    listen(0).await.unwrap().local_addr().unwrap().port()
}

async fn world() -> World {
    let directory = tempfile::tempdir().unwrap();
    let store = FileStore::open(directory.path(), "g").unwrap();
    let listener = listen(0).await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    let served = server::serve(store, "t".to_owned(), listener);
    let store_task = tasks.spawn(async move { served.await.unwrap() });
    let mut engines = BTreeMap::new();
    for name in ['a', 'b', 'c'] {
        let port = member(name, &mut tasks).await;
        engines.insert(MemberName(name.to_string()), loopback(port));
    }
    engines.insert(MemberName("dead".to_owned()), loopback(free_port().await));
    let board = Board::open(directory.path().join("cuts.json")).unwrap();
    let (write, read) = (free_port().await, free_port().await);
    let front = Front {
        write_port: write,
        read_port: read,
        engines,
        store: Caller::new(address, Some("t".to_owned())),
        board: board.clone(),
    };
    tasks.spawn(async move { run(front).await.unwrap() });
    let store = Caller::new(address, Some("t".to_owned()));
    World { _directory: directory, store, board, write, read, tasks, store_task }
}

impl World {
    async fn route(&self, epoch: u64, primary: &str, replicas: &[&str]) {
        let route = Route {
            epoch: Epoch(epoch),
            primary: primary.into(),
            replicas: replicas.iter().map(|name| (*name).into()).collect(),
        };
        self.put(Object::Route, &route).await;
    }

    async fn record(&self, epoch: u64, holder: &str) {
        let id = MemberId { name: holder.into(), pod: String::new(), state: String::new() };
        let holder = Some(Incarnation { id, boot: String::new() });
        self.put(Object::Record, &Record { holder, epoch: Epoch(epoch), ..Record::default() })
            .await;
    }

    async fn put(&self, object: Object, document: &impl Serialize) {
        let path = format!("/v1/objects/{object}");
        let now = self.store.call(hyper::Method::GET, &path, None, SOON).await.unwrap();
        let path = match serde_json::from_slice::<Stored>(&now.body) {
            Ok(Stored { version: Version(version), document: Some(_) }) => {
                format!("{path}?expect={version}")
            }
            _ => path,
        };
        let body = serde_json::to_vec(document).unwrap();
        let put = self.store.call(hyper::Method::PUT, &path, Some(body), SOON).await.unwrap();
        assert_eq!(put.status, 200, "{:?}", serde_json::from_slice::<Value>(&put.body));
    }
}

async fn dial(port: u16) -> TcpStream {
    timeout(SOON, async {
        loop {
            match TcpStream::connect(loopback(port)).await {
                Ok(stream) => return stream,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    })
    .await
    .unwrap()
}

async fn greeting(stream: &mut TcpStream) -> char {
    char::from(timeout(SOON, stream.read_u8()).await.unwrap().unwrap())
}

async fn echoes(stream: &mut TcpStream) {
    stream.write_all(b"x").await.unwrap();
    assert_eq!(greeting(stream).await, 'x');
}

async fn has_ended(stream: &mut TcpStream) {
    let ended = timeout(SOON, stream.read(&mut [0; 1])).await.unwrap();
    assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
}

#[tokio::test]
async fn a_moved_route_closes_old_connections_and_leads_new_ones_within_milliseconds() {
    let world = world().await;
    world.route(1, "a", &["b"]).await;
    let mut old = dial(world.write).await;
    assert_eq!(greeting(&mut old).await, 'a');
    echoes(&mut old).await;
    let mut fastest = Duration::MAX;
    for epoch in 2..8 {
        let (name, letter) = if epoch % 2 == 0 { ("b", 'b') } else { ("a", 'a') };
        world.route(epoch, name, &[]).await;
        let moved = Instant::now();
        has_ended(&mut old).await;
        old = dial(world.write).await;
        assert_eq!(greeting(&mut old).await, letter);
        fastest = fastest.min(moved.elapsed());
    }
    assert!(fastest < Duration::from_millis(50), "{fastest:?}");
}

#[tokio::test]
async fn a_new_epoch_of_the_same_primary_closes_nothing() {
    let world = world().await;
    world.route(1, "a", &[]).await;
    let mut client = dial(world.write).await;
    assert_eq!(greeting(&mut client).await, 'a');
    world.route(2, "a", &["b"]).await;
    world.route(3, "b", &["c"]).await;
    has_ended(&mut client).await;
    let mut client = dial(world.write).await;
    assert_eq!(greeting(&mut client).await, 'b');
    world.route(4, "b", &[]).await;
    let arrived = async { while !matches!(dial(world.read).await.read_u8().await, Ok(b'b')) {} };
    timeout(SOON, arrived).await.expect("reads go to the primary once epoch 4 has arrived");
    echoes(&mut client).await;
}

#[tokio::test]
async fn reads_go_round_the_fresh_replicas_and_leave_one_that_is_stale() {
    let world = world().await;
    world.route(1, "a", &["b", "c"]).await;
    let mut seen = BTreeMap::new();
    let mut held = Vec::new();
    for _ in 0..6 {
        let mut reader = dial(world.read).await;
        let name = greeting(&mut reader).await;
        *seen.entry(name).or_insert(0) += 1;
        held.push((name, reader));
    }
    assert_eq!(seen, BTreeMap::from([('b', 3), ('c', 3)]));
    world.route(1, "a", &["c"]).await;
    for (name, mut reader) in held {
        match name {
            'b' => has_ended(&mut reader).await,
            _ => echoes(&mut reader).await,
        }
    }
}

#[tokio::test]
async fn a_connection_waits_for_a_route_and_for_a_member_that_starts() {
    let world = world().await;
    let mut early = dial(world.write).await;
    early.write_all(b"y").await.unwrap();
    world.route(1, "dead", &[]).await;
    let silent = timeout(Duration::from_millis(100), early.read_u8()).await;
    assert!(silent.is_err(), "nobody can have answered: {silent:?}");
    world.route(2, "c", &[]).await;
    assert_eq!(greeting(&mut early).await, 'c');
    assert_eq!(greeting(&mut early).await, 'y', "what was sent early is not lost");
}

#[tokio::test]
async fn new_writers_wait_between_the_records_change_and_the_routes() {
    let world = world().await;
    world.record(1, "a").await;
    world.route(1, "a", &["b"]).await;
    assert_eq!(greeting(&mut dial(world.write).await).await, 'a');
    world.record(2, "b").await;
    // The news may still be on its way to the front: at some time a writer is kept waiting.
    let kept = async {
        loop {
            let mut writer = dial(world.write).await;
            match timeout(Duration::from_millis(50), writer.read_u8()).await {
                Err(_) => return writer,
                Ok(answer) => assert_eq!(answer.unwrap(), b'a'),
            }
        }
    };
    let mut writer = timeout(SOON, kept).await.expect("a writer waits");
    let mut reader = dial(world.read).await;
    assert_eq!(greeting(&mut reader).await, 'b', "readers wait for nobody");
    world.route(2, "b", &[]).await;
    assert_eq!(greeting(&mut writer).await, 'b');
    // A higher epoch of the same holder keeps nobody waiting.
    world.record(3, "b").await;
    assert_eq!(greeting(&mut dial(world.write).await).await, 'b');
}

#[tokio::test]
async fn the_last_route_outlives_the_store() {
    let mut world = world().await;
    world.route(1, "a", &[]).await;
    assert_eq!(greeting(&mut dial(world.write).await).await, 'a');
    world.store_task.abort();
    assert!(timeout(SOON, world.tasks.join_next()).await.unwrap().unwrap().is_err());
    assert_eq!(greeting(&mut dial(world.write).await).await, 'a');
}

#[tokio::test]
async fn clients_can_be_cut_off_too() {
    let world = world().await;
    world.route(1, "a", &[]).await;
    let mut client = dial(world.write).await;
    assert_eq!(greeting(&mut client).await, 'a');
    let cut = Cut {
        member: "a".to_owned(),
        from: CutFrom::Clients,
        direction: Direction::Both,
        plane: None,
    };
    world.board.turn(&cut, false).unwrap();
    client.write_all(b"z").await.unwrap();
    assert!(timeout(Duration::from_millis(100), client.read_u8()).await.is_err());
    world.board.heal_all().unwrap();
    assert_eq!(greeting(&mut client).await, 'z');
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind(loopback(0)).await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let directory = tempfile::tempdir().unwrap();
    let front = Front {
        write_port: port,
        read_port: 0,
        engines: BTreeMap::new(),
        store: Caller::new(loopback(1), None),
        board: Board::open(directory.path().join("cuts.json")).unwrap(),
    };
    let error = run(front).await.unwrap_err();
    assert!(error.to_string().contains(&port.to_string()), "{error}");
}
