//! An engine in a namespace behind real cuts, as root; it says so where it may not.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{Networks, entered, freezer, is_of, missing, names, processes, remove, reserve, rules};
use crate::home::tests::sample;
use crate::links::{Cut, CutFrom, Direction, Plane};

/// An engine in a namespace.
struct Engine(Child);

impl Engine {
    fn start(namespace: &str, address: SocketAddr) -> Self {
        let engine = std::env::var("INTERREX_TEST_ENGINE");
        let engine = engine.unwrap_or_else(|_| "redis-server".to_owned());
        let port = address.port().to_string();
        let host = address.ip().to_string();
        let words = ["--port", &port, "--bind", &host, "--save", "", "--protected-mode", "no"];
        let (program, arguments) =
            entered(namespace, Path::new(&engine), words.map(Into::into).to_vec());
        let child = Command::new(program).args(arguments).stdout(Stdio::null()).spawn();
        Self(child.expect("nsenter and an engine are installed"))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Dials from the clients' namespace; true when the engine answers within `patience`.
fn answers(namespace: &str, address: SocketAddr, patience: Duration) -> bool {
    let namespace = namespace.to_owned();
    // A thread of its own: only it changes its namespace, and it ends.
    let asked = std::thread::spawn(move || {
        let own = std::fs::File::open(format!("/run/netns/{namespace}")).expect("it is there");
        nix::sched::setns(own, nix::sched::CloneFlags::CLONE_NEWNET).expect("root may enter it");
        let Ok(mut stream) = TcpStream::connect_timeout(&address, patience) else { return false };
        stream.set_read_timeout(Some(patience)).expect("a patience");
        let mut answer = [0; 7];
        stream.write_all(b"PING\r\n").is_ok()
            && stream.read_exact(&mut answer).is_ok()
            && answer == *b"+PONG\r\n"
    });
    asked.join().expect("the thread ends")
}

#[test]
fn a_member_in_a_namespace_is_cut_off_and_nothing_of_it_stays() {
    if let Some(why) = missing() {
        println!("skipped: {why}");
        return;
    }
    let (number, _lock) = reserve().expect("a number");
    let networks = Networks::of(number, 2);
    // An earlier run that was killed left this: it is taken over.
    networks.build().expect("root may make namespaces");
    networks.build().expect("and again");
    let mut group = sample("cart", 2);
    group.members[0].engine = 7101;
    group.networks = Some(Box::new(networks.clone()));
    let engine = group.engine_address(&group.members[0]);
    let (member, clients) = (&networks.members[0].namespace, networks.clients());
    let engine_process = Engine::start(member, engine);
    let (soon, begun) = (Duration::from_millis(300), Instant::now());
    while !answers(&clients, engine, soon) {
        assert!(begun.elapsed() < Duration::from_secs(20), "the engine never answered");
    }
    assert_eq!(processes(member).expect("it is there"), [engine_process.0.id().cast_signed()]);
    for direction in [Direction::In, Direction::Out, Direction::Both] {
        let (member_name, plane) = ("cart-0".to_owned(), Some(Plane::Client));
        let cut = Cut { member: member_name, from: CutFrom::Clients, direction, plane };
        rules::apply(member, &rules::of(&group, &cut)).expect("nft");
        assert!(!answers(&clients, engine, soon), "{direction:?}");
        rules::apply(member, &[]).expect("nft");
        assert!(answers(&clients, engine, Duration::from_secs(5)), "{direction:?} is healed");
    }
    let freezer = freezer::Freezer::of(number, 0);
    match freezer {
        Err(why) => println!("the freezer is skipped: {why}"),
        Ok(freezer) => {
            freezer.freeze(member).expect("it can be frozen");
            assert!(!answers(&clients, engine, soon), "a frozen engine answers");
            freezer.thaw().expect("it can be thawed");
            assert!(answers(&clients, engine, Duration::from_secs(5)), "it is thawed");
        }
    }
    remove(number).expect("it can be removed");
    assert!(names().expect("a list").iter().all(|name| !is_of(name, number)));
    drop(engine_process);
}
