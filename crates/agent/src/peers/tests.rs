//! Two ends of the channel, and strangers at the door.

use std::time::Duration;

use brain::{Epoch, Input};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::frame::{Answer, Hello, Purpose, Session};
use super::*;
use crate::inbox::Inbound;
use place::{Ports, Store, TestPlace};

#[path = "../../tests/support/memory.rs"]
mod place;

const PATIENCE: Duration = Duration::from_secs(10);

fn keys(text: &str) -> PeerKeys {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    std::fs::write(&path, text).unwrap();
    PeerKeys::read(&path).unwrap()
}

fn identity(group: &str, me: &str, key: &str) -> Identity {
    let keys = watch::channel(keys(key)).1;
    Identity { group: group.into(), me: me.into(), pod: "pod".into(), keys }
}

const KEY: &str = "0123456789abcdef";
const NEXT_KEY: &str = "fedcba9876543210";

/// One end and what it hears.
struct End {
    peers: Peers,
    heard: mpsc::Receiver<Inbound>,
}

impl End {
    fn of(identity: &Identity, listener: TcpListener, at: &BTreeMap<MemberName, Ports>) -> Self {
        let (inbox, heard) = mpsc::channel(64);
        let members: Vec<MemberName> = at.keys().cloned().collect();
        let place = Arc::new(TestPlace::new(&Store::new(None), &identity.me, at));
        Self { peers: Peers::start(identity, &place, &members, listener, &inbox), heard }
    }

    async fn next(&mut self) -> Input {
        let next = tokio::time::timeout(PATIENCE, self.heard.recv());
        match next.await.expect("news in time") {
            Some(Inbound::Input(input)) => input,
            other => panic!("unexpected: {other:?}"),
        }
    }

    async fn next_message(&mut self) -> (MemberName, Message) {
        loop {
            if let Input::Peer { from, message } = self.next().await {
                return (from, message);
            }
        }
    }

    async fn link(&mut self, up: bool) {
        loop {
            if matches!(self.next().await, Input::PeerLink { up: now, .. } if now == up) {
                return;
            }
        }
    }
}

/// The roster knows no more of a member than where its agent listens.
fn at(listener: &TcpListener) -> Ports {
    Ports { peer: listener.local_addr().unwrap().port(), http: 0, engine: 0 }
}

async fn two() -> (TcpListener, TcpListener, BTreeMap<MemberName, Ports>) {
    let first = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let second = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let map = BTreeMap::from([("cart-0".into(), at(&first)), ("cart-1".into(), at(&second))]);
    (first, second, map)
}

#[tokio::test]
async fn messages_arrive_in_order_also_while_the_key_rotates() {
    let (first, second, at) = two().await;
    let old = identity("g", "cart-0", KEY);
    let new = identity("g", "cart-1", &format!("{NEXT_KEY}\n{KEY}"));
    let mut zero = End::of(&old, first, &at);
    let mut one = End::of(&new, second, &at);
    zero.link(true).await;
    for epoch in 0..20 {
        zero.peers.send(&"cart-1".into(), Message::Fenced { epoch: Epoch(epoch), seq: 0 });
    }
    for epoch in 0..20 {
        let expected = ("cart-0".into(), Message::Fenced { epoch: Epoch(epoch), seq: 0 });
        assert_eq!(one.next_message().await, expected);
    }
    // The other way the new key is not known yet: refused, and nothing else breaks.
    one.peers.send(&"cart-0".into(), Message::Goodbye);
    zero.peers.send(&"cart-1".into(), Message::Goodbye);
    assert_eq!(one.next_message().await, ("cart-0".into(), Message::Goodbye));
}

#[tokio::test]
async fn a_peer_that_comes_back_is_linked_again() {
    let (first, second, at) = two().await;
    let mut zero = End::of(&identity("g", "cart-0", KEY), first, &at);
    let address = second.local_addr().unwrap();
    let one = End::of(&identity("g", "cart-1", KEY), second, &at);
    zero.link(true).await;
    drop(one);
    zero.link(false).await;
    let second = TcpListener::bind(address).await.unwrap();
    let _one = End::of(&identity("g", "cart-1", KEY), second, &at);
    zero.link(true).await;
}

#[tokio::test]
async fn a_cut_link_is_noticed_although_nothing_is_closed() {
    let (first, _second, mut at) = two().await;
    // Welcomes us and then swallows everything, as a cut with open connections does.
    let hole = TcpListener::bind("127.0.0.1:0").await.unwrap();
    at.insert("cart-1".into(), self::at(&hole));
    let mut zero = End::of(&identity("g", "cart-0", KEY), first, &at);
    let (mut stream, _) = hole.accept().await.unwrap();
    let hello = frame::read(&mut stream, PATIENCE).await.unwrap();
    let answer = serde_json::to_vec(&Answer::Welcome { nonce: "n".into() }).unwrap();
    let signature = frame::sign_answer(keys(KEY).first(), &hello.body, &answer);
    frame::write(&mut stream, &signature, &answer).await.unwrap();
    zero.link(true).await;
    zero.peers.send(&"cart-1".into(), Message::Goodbye);
    zero.link(false).await;
}

/// Greets a listener and returns its answer.
async fn greet(address: &str, hello: &Hello, key: &str) -> (TcpStream, Vec<u8>, frame::Frame) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let hello = serde_json::to_vec(hello).unwrap();
    let signature = frame::sign_hello(keys(key).first(), &hello);
    frame::write(&mut stream, &signature, &hello).await.unwrap();
    let answer = frame::read(&mut stream, PATIENCE).await.unwrap();
    (stream, hello, answer)
}

fn hello(group: &str, from: &str, to: &str) -> Hello {
    let (group, from, to) = (group.into(), from.into(), to.into());
    Hello { group, from, pod: "pod".into(), to, nonce: "1".into() }
}

#[tokio::test]
async fn strangers_are_refused_and_told_why() {
    let (first, _second, at) = two().await;
    let address = first.local_addr().unwrap().to_string();
    let _zero = End::of(&identity("g", "cart-0", KEY), first, &at);
    for (hello, key, reason) in [
        (hello("other", "cart-1", "cart-0"), KEY, "is of group other"),
        (hello("g", "cart-1", "cart-0"), NEXT_KEY, "does not know the key"),
        (hello("g", "cart-1", "cart-2"), KEY, "looks for cart-2"),
        (hello("g", "cart-9", "cart-0"), KEY, "is no other member"),
        (hello("g", "cart-0", "cart-0"), KEY, "is no other member"),
    ] {
        let (_, _, answer) = greet(&address, &hello, key).await;
        match serde_json::from_slice(&answer.body).unwrap() {
            Answer::Refused { why } => assert!(why.contains(reason), "{why}"),
            Answer::Welcome { .. } => panic!("{hello:?} was welcome"),
        }
    }
}

/// Says goodbye as the first message of a connection; whether it is received.
async fn says(stream: &mut TcpStream, session: &Session, counter: u64) -> bool {
    let body = serde_json::to_vec(&Message::Goodbye).unwrap();
    let signature = session.sign(Purpose::Message, counter, &body);
    let written = frame::write(stream, &signature, &body).await.is_ok();
    written && frame::read(stream, PATIENCE).await.is_ok()
}

#[tokio::test]
async fn a_pod_ends_its_own_older_connection_and_not_its_twins() {
    let (first, _second, at) = two().await;
    let address = first.local_addr().unwrap().to_string();
    let mut zero = End::of(&identity("g", "cart-0", KEY), first, &at);
    let mut open = Vec::new();
    for pod in ["old", "new", "new"] {
        let hello = Hello { pod: pod.into(), ..hello("g", "cart-1", "cart-0") };
        let (mut stream, sent, answer) = greet(&address, &hello, KEY).await;
        let session = Session::new(keys(KEY).first(), &sent, &answer.body);
        assert!(says(&mut stream, &session, 1).await, "{pod}");
        zero.next_message().await;
        open.push((stream, session));
    }
    let mut heard = Vec::new();
    for (stream, session) in &mut open {
        heard.push(says(stream, session, 2).await);
    }
    assert_eq!(heard, [true, false, true], "old, new, and new once more");
}

#[tokio::test]
async fn a_recorded_conversation_is_worth_nothing() {
    let (first, _second, at) = two().await;
    let address = first.local_addr().unwrap().to_string();
    let mut zero = End::of(&identity("g", "cart-0", KEY), first, &at);
    let greeting = hello("g", "cart-1", "cart-0");
    let (mut stream, sent, answer) = greet(&address, &greeting, KEY).await;
    let session = Session::new(keys(KEY).first(), &sent, &answer.body);
    let body = serde_json::to_vec(&Message::Goodbye).unwrap();
    let recorded = session.sign(Purpose::Message, 1, &body);
    frame::write(&mut stream, &recorded, &body).await.unwrap();
    assert_eq!(zero.next_message().await, ("cart-1".into(), Message::Goodbye));
    let receipt = frame::read(&mut stream, PATIENCE).await.unwrap();
    session.verify(Purpose::Receipt, 1, &receipt).unwrap();
    // The same frame again in the same connection, and in a new one with the same greeting.
    frame::write(&mut stream, &recorded, &body).await.unwrap();
    assert!(frame::read(&mut stream, PATIENCE).await.is_err(), "it must hang up");
    let (mut again, _, _) = greet(&address, &greeting, KEY).await;
    frame::write(&mut again, &recorded, &body).await.unwrap();
    assert!(frame::read(&mut again, PATIENCE).await.is_err(), "it must hang up");
    let quiet = tokio::time::timeout(Duration::from_millis(200), zero.next_message()).await;
    assert!(quiet.is_err(), "a replayed message was taken: {quiet:?}");
}
