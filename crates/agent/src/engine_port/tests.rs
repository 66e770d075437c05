//! Admission with real engines: who is on, who is off and stays out, and whose password fits.
#![cfg(target_os = "linux")]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);
const DEADLINE: Duration = Duration::from_secs(2);

/// A bare engine in a directory of its own, with our user and a dead end, killed when dropped.
struct Bare {
    child: Child,
    port: u16,
    link: EngineLink,
    directory: tempfile::TempDir,
}

impl Bare {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let port = free_port();
        let child = spawn(directory.path(), port);
        let endpoint = Endpoint::unix(directory.path().join("sock"));
        let link = EngineLink::new(endpoint, Credentials::new("interrex", "secret"));
        let mut this = Self { child, port, link, directory };
        this.until("the engine to answer", |_| true).await;
        this
    }

    async fn info(&mut self) -> Option<Info> {
        let answer = self.link.call(&["INFO"], DEADLINE).await.ok()?;
        Info::parse(&answer.into_text()?).ok()
    }

    async fn until(&mut self, what: &str, holds: impl Fn(&Info) -> bool) {
        let until = Instant::now() + PATIENCE;
        loop {
            if self.info().await.is_some_and(|info| holds(&info)) {
                return;
            }
            let dir = self.directory.path().display();
            assert!(Instant::now() < until, "waited in vain for {what} in {dir}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn command(&mut self, words: &[&str]) {
        self.link.command(words, DEADLINE).await.unwrap();
    }

    async fn follow(&mut self, port: u16, id: &MemberId, keys: &PeerKeys) {
        let user = crate::keys::replication_user(&id.name);
        let password = keys.first().replication_password(id, &primary_name());
        self.command(&["CONFIG", "SET", "masteruser", &user, "masterauth", &password]).await;
        self.command(&["REPLICAOF", "127.0.0.1", &port.to_string()]).await;
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whose engine the replicas of these tests are sent to.
fn primary_name() -> brain::MemberName {
    brain::MemberName::from("cart-0")
}

fn spawn(directory: &Path, port: u16) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
        .args(["--repl-diskless-sync-delay", "0", "--unixsocket"])
        .arg(directory.join("sock"))
        .arg("--dir")
        .arg(directory)
        .args(["--user", "interrex", "on", ">secret", "~*", "&*", "+@all"])
        .stdout(Stdio::null())
        .spawn()
        .expect("these tests need redis-server")
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn id(name: &str, state: &str) -> MemberId {
    MemberId { name: name.into(), pod: "pod".into(), state: state.into() }
}

fn keys(text: &str) -> PeerKeys {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    std::fs::write(&path, text).unwrap();
    PeerKeys::read(&path).unwrap()
}

fn attached(count: u32) -> impl Fn(&Info) -> bool {
    move |info| info.replication.connected_replicas == Some(count)
}

#[tokio::test]
async fn who_is_switched_off_is_out_and_stays_out() {
    let keys = keys("0123456789abcdef");
    let (mut primary, mut replica) = (Bare::start().await, Bare::start().await);
    let mut admission = Admission::of(primary_name());
    admission.reset();
    let member = id("cart-1", "disk-1");
    replica.follow(primary.port, &member, &keys).await;
    let admit = [member.clone(), id("cart-2", "disk-2")];
    admission.admit(&mut primary.link, &admit, &keys).await.unwrap();
    primary.until("the admitted replica", attached(1)).await;
    replica.until("its link", |info| info.replication.link_up == Some(true)).await;

    admission.admit(&mut primary.link, &[id("cart-2", "disk-2")], &keys).await.unwrap();
    primary.until("the replica to be cut off", attached(0)).await;
    // An engine tries again each second: three tries must fail.
    let watched = Instant::now();
    while watched.elapsed() < Duration::from_secs(3) {
        let info = primary.info().await.expect("it answers");
        assert_eq!(info.replication.connected_replicas, Some(0), "it came back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    admission.admit(&mut primary.link, &[member], &keys).await.unwrap();
    primary.until("the replica that was admitted again", attached(1)).await;
}

#[tokio::test]
async fn a_password_for_another_primary_opens_nothing() {
    let keys = keys("0123456789abcdef");
    let (mut here, mut replica) = (Bare::start().await, Bare::start().await);
    // Another engine stands at the address by which the replica was sent to cart-0.
    let mut admission = Admission::of(brain::MemberName::from("cart-2"));
    let member = id("cart-1", "disk-1");
    admission.admit(&mut here.link, std::slice::from_ref(&member), &keys).await.unwrap();
    replica.follow(here.port, &member, &keys).await;
    let tried = |info: &Info| info.replication.link_up == Some(false);
    replica.until("it to try", tried).await;
    let watched = Instant::now();
    while watched.elapsed() < Duration::from_secs(3) {
        let info = here.info().await.expect("it answers");
        assert_eq!(info.replication.connected_replicas, Some(0), "it was let in");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut admission = Admission::of(primary_name());
    admission.admit(&mut here.link, &[member], &keys).await.unwrap();
    here.until("the replica that was sent to this one", attached(1)).await;
}

#[tokio::test]
async fn another_disk_under_the_same_name_has_another_password() {
    let keys = keys("0123456789abcdef");
    let (mut primary, mut replica) = (Bare::start().await, Bare::start().await);
    let mut admission = Admission::of(primary_name());
    admission.reset();
    let (old, new) = (id("cart-1", "old-disk"), id("cart-1", "new-disk"));
    replica.follow(primary.port, &old, &keys).await;
    admission.admit(&mut primary.link, std::slice::from_ref(&old), &keys).await.unwrap();
    primary.until("the replica", attached(1)).await;
    // The new disk is admitted: the old one's link goes, and its password opens no more.
    admission.admit(&mut primary.link, std::slice::from_ref(&new), &keys).await.unwrap();
    primary.until("the old disk's replica to be cut off", attached(0)).await;
    replica.follow(primary.port, &new, &keys).await;
    primary.until("the new disk's replica", attached(1)).await;
}

#[tokio::test]
async fn who_is_let_in_already_may_come_back_by_a_new_key() {
    let old = keys("0123456789abcdef");
    let both = keys("fedcba9876543210\n0123456789abcdef");
    let (mut primary, mut replica) = (Bare::start().await, Bare::start().await);
    let mut admission = Admission::of(primary_name());
    let member = id("cart-1", "disk");
    replica.follow(primary.port, &member, &old).await;
    admission.admit(&mut primary.link, std::slice::from_ref(&member), &old).await.unwrap();
    primary.until("the replica", attached(1)).await;
    admission.renew(&mut primary.link, &both).await.unwrap();
    let info = primary.info().await.expect("it answers");
    assert_eq!(info.replication.connected_replicas, Some(1), "no link ends by it");
    replica.command(&["REPLICAOF", "NO", "ONE"]).await;
    primary.until("no replica", attached(0)).await;
    replica.follow(primary.port, &member, &both).await;
    primary.until("the replica by its new key", attached(1)).await;
}

#[tokio::test]
async fn a_member_that_signs_with_the_old_key_replicates_while_keys_rotate() {
    let old = keys("0123456789abcdef");
    let both = keys("fedcba9876543210\n0123456789abcdef");
    let (mut primary, mut replica) = (Bare::start().await, Bare::start().await);
    let mut admission = Admission::of(primary_name());
    let member = id("cart-1", "disk");
    replica.follow(primary.port, &member, &old).await;
    admission.admit(&mut primary.link, &[member], &both).await.unwrap();
    primary.until("the replica", attached(1)).await;
}
