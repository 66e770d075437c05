//! Cuts of every kind on real connections, and the control over HTTP.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::control::{self, Control, ControlError};
use super::{Board, Cut, CutFrom, Direction, Flow, Link, LinksError, Party, Plane, run};
use crate::relay::{listen, loopback};

const SOON: Duration = Duration::from_secs(10);

/// Long enough for bytes that are not held back: they take less than a millisecond.
const SILENCE: Duration = Duration::from_millis(150);

fn party(name: &str) -> Party {
    Party(name.to_owned())
}

fn cut(member: &str, from: CutFrom, direction: Direction) -> Cut {
    Cut { member: member.to_owned(), from, direction, plane: None }
}

async fn free_port() -> u16 {
    listen(0).await.unwrap().local_addr().unwrap().port()
}

/// One peer link from a to b.
struct World {
    board: Board,
    target: TcpListener,
    port: u16,
    tasks: tokio::task::JoinSet<()>,
    directory: tempfile::TempDir,
}

async fn world() -> World {
    let directory = tempfile::tempdir().unwrap();
    let board = Board::open(directory.path().join("cuts.json")).unwrap();
    let target = listen(0).await.unwrap();
    let port = free_port().await;
    let link = Link {
        from: party("a"),
        to: party("b"),
        plane: Plane::Peer,
        listen: port,
        target: target.local_addr().unwrap().port(),
    };
    let mut tasks = tokio::task::JoinSet::new();
    let running = board.clone();
    tasks.spawn(async move { run(vec![link], running).await.unwrap() });
    World { board, target, port, tasks, directory }
}

impl World {
    async fn dial(&self) -> TcpStream {
        timeout(SOON, async {
            loop {
                match TcpStream::connect(loopback(self.port)).await {
                    Ok(stream) => return stream,
                    Err(_) => tokio::task::yield_now().await,
                }
            }
        })
        .await
        .unwrap()
    }

    async fn pair(&self) -> (TcpStream, TcpStream) {
        let dialer = self.dial().await;
        let (reached, _) = timeout(SOON, self.target.accept()).await.unwrap().unwrap();
        (dialer, reached)
    }
}

async fn passes(from: &mut TcpStream, to: &mut TcpStream, byte: u8) {
    from.write_all(&[byte]).await.unwrap();
    assert_eq!(timeout(SOON, to.read_u8()).await.unwrap().unwrap(), byte);
}

async fn is_silent(stream: &mut TcpStream) {
    assert!(timeout(SILENCE, stream.read_u8()).await.is_err(), "something came through a cut");
}

#[tokio::test]
async fn a_cut_stops_bytes_silently_and_healing_lets_them_through_in_order() {
    let world = world().await;
    let (mut a, mut b) = world.pair().await;
    passes(&mut a, &mut b, 1).await;
    passes(&mut b, &mut a, 2).await;
    let all = cut("b", CutFrom::Everyone, Direction::Both);
    assert_eq!(world.board.turn(&all, false).unwrap().len(), 2);
    a.write_all(&[3]).await.unwrap();
    a.write_all(&[4]).await.unwrap();
    b.write_all(&[5]).await.unwrap();
    is_silent(&mut b).await;
    is_silent(&mut a).await;
    assert_eq!(world.board.turn(&all, true).unwrap(), []);
    assert_eq!(timeout(SOON, b.read_u8()).await.unwrap().unwrap(), 3);
    assert_eq!(timeout(SOON, b.read_u8()).await.unwrap().unwrap(), 4);
    assert_eq!(timeout(SOON, a.read_u8()).await.unwrap().unwrap(), 5);
}

#[tokio::test]
async fn a_cut_has_a_direction() {
    let world = world().await;
    let (mut a, mut b) = world.pair().await;
    world.board.turn(&cut("a", CutFrom::Peers, Direction::Out), false).unwrap();
    a.write_all(&[1]).await.unwrap();
    is_silent(&mut b).await;
    passes(&mut b, &mut a, 2).await;
    world.board.heal_all().unwrap();
    assert_eq!(timeout(SOON, b.read_u8()).await.unwrap().unwrap(), 1);
    world.board.turn(&cut("a", CutFrom::Member("b".to_owned()), Direction::In), false).unwrap();
    b.write_all(&[3]).await.unwrap();
    is_silent(&mut a).await;
    passes(&mut a, &mut b, 4).await;
}

#[tokio::test]
async fn an_end_does_not_pass_a_cut_and_passes_after_it() {
    let world = world().await;
    let (a, mut b) = world.pair().await;
    world.board.turn(&cut("a", CutFrom::Peers, Direction::Out), false).unwrap();
    drop(a);
    is_silent(&mut b).await;
    world.board.heal_all().unwrap();
    let ended = timeout(SOON, b.read(&mut [0; 1])).await.unwrap();
    assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
}

#[tokio::test]
async fn a_connection_made_during_a_cut_reaches_nobody_until_it_heals() {
    let world = world().await;
    world.board.way(&party("a"), &party("b"), Plane::Peer);
    world.board.turn(&cut("b", CutFrom::Member("a".to_owned()), Direction::Out), false).unwrap();
    let mut gone = world.dial().await;
    gone.write_all(&[9]).await.unwrap();
    drop(gone);
    let mut a = world.dial().await;
    a.write_all(&[7]).await.unwrap();
    assert!(timeout(SILENCE, world.target.accept()).await.is_err());
    world.board.heal_all().unwrap();
    let (mut b, _) = timeout(SOON, world.target.accept()).await.unwrap().unwrap();
    assert_eq!(timeout(SOON, b.read_u8()).await.unwrap().unwrap(), 7, "who gave up is forgotten");
    passes(&mut b, &mut a, 8).await;
}

#[tokio::test]
async fn what_is_written_when_the_buffers_are_full_stops_too() {
    let world = world().await;
    let (mut a, mut b) = world.pair().await;
    let sent = 32 << 20;
    let writer = tokio::spawn(async move {
        a.write_all(&vec![1; sent]).await.unwrap();
        a.shutdown().await.unwrap();
    });
    b.read_u8().await.unwrap();
    world.board.turn(&cut("a", CutFrom::Peers, Direction::Both), false).unwrap();
    // What the kernel holds already is read; then it must be silent although the writer has more.
    let mut read = 1;
    let mut buffer = vec![0; 1 << 20];
    while let Ok(length) = timeout(SILENCE, b.read(&mut buffer)).await {
        read += length.unwrap();
    }
    assert!(read < sent && !writer.is_finished());
    world.board.heal_all().unwrap();
    loop {
        match timeout(SOON, b.read(&mut buffer)).await.unwrap().unwrap() {
            0 => break,
            length => read += length,
        }
    }
    assert_eq!(read, sent);
    writer.await.unwrap();
}

#[tokio::test]
async fn a_target_that_is_not_there_is_refused_as_the_network_would() {
    let mut world = world().await;
    let mut a = world.dial().await;
    drop(world.target);
    world.target = listen(0).await.unwrap();
    drop(a);
    a = world.dial().await;
    let ended = timeout(SOON, a.read(&mut [0; 1])).await.unwrap();
    assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
    assert_eq!(world.tasks.len(), 1);
}

#[test]
fn a_cut_names_what_it_says_and_clients_only_by_name() {
    let flow = |from: &str, to: &str, plane| Flow { from: party(from), to: party(to), plane };
    let flows = [
        flow("a", "b", Plane::Peer),
        flow("b", "a", Plane::Peer),
        flow("a", "b", Plane::Engine),
        flow("a", "store", Plane::Store),
        flow("store", "a", Plane::Store),
        flow("clients", "a", Plane::Client),
        flow("b", "c", Plane::Peer),
    ];
    let named = |cut: Cut| -> Vec<usize> {
        (0..flows.len()).filter(|index| cut.names(&flows[*index])).collect()
    };
    let (both, inwards, out) = (Direction::Both, Direction::In, Direction::Out);
    assert_eq!(named(cut("a", CutFrom::Everyone, both)), [0, 1, 2, 3, 4]);
    assert_eq!(named(cut("a", CutFrom::Everyone, inwards)), [1, 4]);
    assert_eq!(named(cut("a", CutFrom::Peers, out)), [0, 2]);
    assert_eq!(named(cut("a", CutFrom::Store, both)), [3, 4]);
    assert_eq!(named(cut("a", CutFrom::Clients, both)), [5]);
    assert_eq!(named(cut("c", CutFrom::Member("b".to_owned()), both)), [6]);
    let planes = Cut { plane: Some(Plane::Engine), ..cut("a", CutFrom::Peers, both) };
    assert_eq!(named(planes), [2]);
}

#[tokio::test]
async fn cuts_outlive_the_process_and_are_turned_over_http() {
    let world = world().await;
    let listener = listen(0).await.unwrap();
    let address = listener.local_addr().unwrap();
    let served = control::serve(world.board.clone(), "t".to_owned(), listener);
    let server = tokio::spawn(served);
    let control = Control::new(address, "t".to_owned());
    world.dial().await;
    let both = cut("a", CutFrom::Peers, Direction::Both);
    let cuts = control.cut(&both).await.unwrap();
    assert_eq!(cuts.len(), 2);
    let again = Board::open(world.directory.path().join("cuts.json")).unwrap();
    assert_eq!(again.cuts(), cuts);
    assert_eq!(control.heal(&both).await.unwrap(), []);
    let nobody = control.cut(&cut("nobody", CutFrom::Store, Direction::Both)).await;
    assert!(matches!(nobody, Err(ControlError::Refused { .. })), "{nobody:?}");
    control.cut(&both).await.unwrap();
    assert_eq!(control.heal_all().await.unwrap(), []);
    let stranger = Control::new(address, "other".to_owned());
    assert!(matches!(stranger.cuts().await, Err(ControlError::Refused { .. })));
    server.abort();
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let world = world().await;
    let taken = world.target.local_addr().unwrap().port();
    let link = Link {
        from: party("a"),
        to: Party::store(),
        plane: Plane::Store,
        listen: taken,
        target: 1,
    };
    let error = run(vec![link], world.board.clone()).await.unwrap_err();
    assert!(matches!(error, LinksError::Listen { port, .. } if port == taken), "{error}");
}
