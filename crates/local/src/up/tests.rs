//! Whole groups of real processes, up and down: the parts are this test program, and the agents in
//! it lead by their ordinal instead of by election.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::Json;
use axum::routing::get;
use brain::report::MemberReport;
use brain::{Epoch, MemberName, Route};
use nix::sys::signal::Signal;
use platform::{Platform, RecordStore, Roster, RouteStore, StoreError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

use super::{Options, Step, UpError, up};
use crate::down::down;
use crate::engines::Wanted;
use crate::home::{Base, Home, HomeError, Part};
use crate::keeper::{self, Parts};
use crate::links::{Cut, CutFrom, Direction};
use crate::observe;
use crate::platform::LocalPlatform;
use crate::ports;
use crate::process::{Ended, Process};
use crate::relay::{self, loopback};
use crate::store::fault::Faults;

const SOON: Duration = Duration::from_secs(20);

/// The parts as this program plays them; `mood` is told to the agents.
fn parts(mood: &'static str) -> Parts {
    Parts {
        program: "/bin/sh".into(),
        arguments: Box::new(move |home, part| {
            let script = format!(
                "INTERREX_TEST_HOME='{}' INTERREX_TEST_PART='{part}' INTERREX_TEST_MOOD={mood} \
                 exec '{}' --exact up::tests::plays_a_part --include-ignored --nocapture",
                home.root().display(),
                std::env::current_exe().unwrap().display(),
            );
            vec!["-c".into(), script.into()]
        }),
    }
}

#[tokio::test]
#[ignore = "a process of other tests"]
async fn plays_a_part() {
    let Some(root) = std::env::var_os("INTERREX_TEST_HOME") else { return };
    let home = Home::open(Path::new(&root)).unwrap();
    let part = std::env::var("INTERREX_TEST_PART").unwrap();
    let mood = std::env::var("INTERREX_TEST_MOOD").unwrap();
    match part.as_str() {
        "keeper" => {
            let mood = if mood == "stuck" { "stuck" } else { "well" };
            keeper::run(home, parts(mood)).await.unwrap();
        }
        "store" => crate::parts::store(&home).await.unwrap(),
        "links" => crate::parts::links(&home).await.unwrap(),
        agent => play_agent(&home, agent.strip_prefix("agent-").unwrap(), &mood).await,
    }
}

async fn play_agent(home: &Home, name: &str, mood: &str) {
    let _lock = home.lock_member(name).unwrap();
    keeper::announce(home, &Part::Agent(name.to_owned())).unwrap();
    println!("agent of {name} in a {mood} mood");
    let place = LocalPlatform::of(home, name).unwrap();
    let listen = place.roster().me();
    let first = place.roster().members().remove(0);
    let leads = first.0 == name;
    let report = MemberReport {
        name: name.to_owned(),
        role: if mood == "stuck" || !leads { "replica" } else { "primary" }.to_owned(),
        primary: Some(first.0.clone()),
        agent_pid: std::process::id(),
        epoch: 1,
        link_up: true,
        complete: true,
        ..MemberReport::default()
    };
    let mut end = signal(SignalKind::terminate()).unwrap();
    let engine = relay::listen(listen.engine_port).await.unwrap();
    let letter = name.chars().last().unwrap();
    let engine = tokio::spawn(relay::accept_all(engine, move |stream| greet(stream, letter)));
    let http = tokio::net::TcpListener::bind(&listen.http).await.unwrap();
    let status = axum::Router::new().route("/v1/status", get(async move || Json(report)));
    let served = tokio::spawn(async move { axum::serve(http, status).await.unwrap() });
    if leads {
        publish(&place, &first).await;
    }
    end.recv().await.unwrap();
    // The store must outlive the agents: a release is written at the end.
    let (version, record) = place.record().read(SOON).await.unwrap().expect("the first record");
    assert_eq!(record.members.len(), home.group().members.len());
    if leads {
        place.record().replace(Some(&version), &record, SOON).await.unwrap();
    }
    fs::write(home.member_directory(name).join("bye"), "").unwrap();
    engine.abort();
    served.abort();
}

async fn greet(mut stream: TcpStream, letter: char) {
    let _ = stream.write_all(&[letter as u8]).await;
    let _ = stream.read_u8().await;
}

async fn publish(place: &LocalPlatform, primary: &MemberName) {
    let route = Route { epoch: Epoch(1), primary: primary.clone(), replicas: Vec::new() };
    timeout(SOON, async {
        while place.route().publish(&route, SOON).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap();
}

struct World {
    directory: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let engine = directory.path().join("redis-server");
        fs::write(&engine, "#!/bin/sh\necho 'Redis server v=7.0.15 sha=0:0 bits=64 build=1'\n")
            .unwrap();
        fs::set_permissions(engine, fs::Permissions::from_mode(0o755)).unwrap();
        Self { directory }
    }

    fn homes(&self) -> PathBuf {
        self.directory.path().join("homes")
    }

    fn options(&self, tag: Option<&str>) -> Options {
        Options {
            base: Base::at(&self.homes()),
            tag: tag.map(str::to_owned),
            spec: Some("replicas: 1\n".to_owned()),
            members: Some(2),
            lease_ms: 5000,
            engine: Wanted::Any,
            path: Some(self.directory.path().into()),
            port: None,
            direct: false,
            networks: None,
            parts: parts("well"),
            deadline: SOON,
        }
    }
}

/// One member loses the store and nobody else does, by the links of the real processes.
async fn cuts_one_member_from_the_store(home: &Home) {
    let read = async |name: &str| {
        let place = LocalPlatform::of(home, name).unwrap();
        place.record().read(Duration::from_millis(300)).await
    };
    let cut = Cut {
        member: "cart-1".to_owned(),
        from: CutFrom::from_words("store"),
        direction: Direction::Both,
        plane: None,
    };
    let links = observe::links(home).unwrap();
    assert_eq!(links.cut(&cut).await.unwrap().len(), 2);
    assert!(read("cart-0").await.is_ok());
    assert!(matches!(read("cart-1").await, Err(StoreError::Unanswered(_))));
    links.heal_all().await.unwrap();
    assert!(read("cart-1").await.is_ok());
    let faults = observe::faults(home).unwrap();
    faults.set(Faults { down: true, ..Faults::default() }).await.unwrap();
    assert!(matches!(read("cart-0").await, Err(StoreError::Unavailable(_))));
    faults.set(Faults::default()).await.unwrap();
}

/// What is still there when a test has failed would disturb the next one.
struct Guard(Home);

impl Drop for Guard {
    fn drop(&mut self) {
        for part in [Part::Keeper].into_iter().chain(self.0.parts()) {
            if let Ok(Some(process)) = Process::read(&self.0.pid_file(&part)) {
                let _ = process.signal(Signal::SIGKILL);
            }
        }
    }
}

async fn answers(port: u16) -> char {
    let mut stream = timeout(SOON, TcpStream::connect(loopback(port))).await.unwrap().unwrap();
    char::from(timeout(SOON, stream.read_u8()).await.unwrap().unwrap())
}

fn running(home: &Home) -> Vec<(Part, Process)> {
    [Part::Keeper]
        .into_iter()
        .chain(home.parts())
        .filter_map(|part| {
            let process = Process::read(&home.pid_file(&part)).unwrap()?;
            process.is_running().then_some((part, process))
        })
        .collect()
}

#[tokio::test]
async fn a_group_comes_up_serves_goes_down_and_comes_up_again_as_it_was() {
    let world = World::new();
    let mut steps = Vec::new();
    let started = up(world.options(Some("cart")), &mut |step| steps.push(step)).await.unwrap();
    let home = started.home.clone();
    let _guard = Guard(home.clone());
    // While the group is down its ports are free for other tests: not these.
    let _reserved = ports::reserve(home.group().ports.write).unwrap().unwrap();
    assert!(!started.ran && started.reports.len() == 2);
    assert!(matches!(steps.first(), Some(Step::Engine(_))), "{steps:?}");
    assert!(steps.contains(&Step::Primary("cart-0".to_owned(), 1)), "{steps:?}");
    assert_eq!(steps.last(), Some(&Step::Replicas(1, 1)));
    assert_eq!(answers(home.group().ports.write).await, '0');
    let (_, record) = observe::record(&home, SOON).await.unwrap().unwrap();
    assert_eq!((record.epoch, record.holder), (Epoch(0), None));
    assert_eq!(observe::route(&home, SOON).await.unwrap().unwrap().1.primary.0, "cart-0");
    cuts_one_member_from_the_store(&home).await;
    let before = running(&home);
    assert_eq!(before.len(), 5);
    let second = up(world.options(Some("cart")), &mut |_| {}).await.unwrap_err();
    let busy = matches!(&second, UpError::Home { source: HomeError::Busy { .. } });
    assert!(busy, "{second:?}");
    drop(started);
    let again = up(world.options(Some("cart")), &mut |_| {}).await.unwrap();
    assert!(again.ran);
    assert_eq!(running(&home), before, "what runs is left alone");
    let ended = down(&home, false).await.unwrap();
    assert!(!ended.removed);
    assert_eq!(ended.ended.len(), 5);
    assert!(ended.ended.iter().all(|(_, how)| *how == Ended::Asked), "{ended:?}");
    assert!(before.iter().all(|(_, process)| !process.is_running()));
    for member in ["cart-0", "cart-1"] {
        assert!(home.member_directory(member).join("bye").exists(), "{member} was not asked");
    }
    drop(again);
    let resumed = up(world.options(Some("cart")), &mut |_| {}).await.unwrap();
    assert_eq!(resumed.home.group(), home.group());
    assert_eq!(answers(home.group().ports.write).await, '0');
    assert!(down(&home, true).await.unwrap().removed);
    assert!(!home.root().exists());
}

#[tokio::test]
async fn an_agent_that_is_killed_comes_back_and_a_group_without_a_tag_leaves_nothing() {
    let world = World::new();
    let started = up(world.options(None), &mut |_| {}).await.unwrap();
    let home = started.home.clone();
    let _guard = Guard(home.clone());
    assert!(home.group().tag.starts_with("playground-"));
    let part = Part::Agent(home.group().members[1].name.clone());
    let killed = Process::read(&home.pid_file(&part)).unwrap().unwrap();
    killed.signal(Signal::SIGKILL).unwrap();
    let back = async {
        loop {
            let report = observe::report(&home, &home.group().members[1].name, SOON).await;
            if report.is_ok_and(|report| report.agent_pid != killed.pid as u32) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(5), back).await.unwrap();
    // A member that is stopped, and a keeper that is gone, do not keep the group from ending.
    let agent = Process::read(&home.pid_file(&part)).unwrap().unwrap();
    agent.signal(Signal::SIGSTOP).unwrap();
    let keeper = Process::read(&home.pid_file(&Part::Keeper)).unwrap().unwrap();
    keeper.signal(Signal::SIGKILL).unwrap();
    assert!(keeper.is_gone_within(SOON).await);
    assert!(down(&home, false).await.unwrap().removed);
    assert!(!agent.is_running());
    assert_eq!(fs::read_dir(world.homes()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_group_that_does_not_serve_in_time_is_told_with_its_logs_and_leaves_nothing() {
    let world = World::new();
    let options =
        Options { parts: parts("stuck"), deadline: Duration::from_secs(3), ..world.options(None) };
    let error = up(options, &mut |_| {}).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("does not serve after 3 s: nobody leads"), "{text}");
    assert!(text.contains("in a stuck mood"), "{text}");
    assert_eq!(fs::read_dir(world.homes()).unwrap().count(), 0);
}

#[tokio::test]
async fn what_cannot_be_started_changes_nothing() {
    let world = World::new();
    let fails = async |options: Options| {
        let error = up(options, &mut |_| {}).await.unwrap_err();
        assert!(!world.homes().exists(), "{error:?}");
        error
    };
    let none = fails(Options { path: None, ..world.options(Some("cart")) }).await;
    assert!(none.hint().unwrap().contains("install"), "{none:?}");
    let taken = TcpListener::bind(loopback(0)).unwrap();
    let port = Some(taken.local_addr().unwrap().port());
    let error = fails(Options { port, ..world.options(None) }).await;
    assert!(matches!(error, UpError::Ports { .. }), "{error:?}");
    let error = fails(world.options(Some("Cart!"))).await;
    assert!(matches!(error, UpError::Home { source: HomeError::BadTag { .. } }), "{error:?}");
    let error = fails(Options { members: Some(99), ..world.options(None) }).await;
    assert!(matches!(error, UpError::Ports { .. }), "{error:?}");
    let broken = Options {
        parts: Parts { program: "/nowhere/interrex".into(), ..parts("well") },
        ..world.options(None)
    };
    let error = up(broken, &mut |_| {}).await.unwrap_err();
    assert!(matches!(error, UpError::Keeper { .. }), "{error:?}");
    assert_eq!(fs::read_dir(world.homes()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_group_that_is_there_refuses_other_properties_and_a_foreign_directory_stays() {
    let world = World::new();
    let started = up(world.options(Some("cart")), &mut |_| {}).await.unwrap();
    let home = started.home.clone();
    let _guard = Guard(home.clone());
    drop(started);
    for (field, options) in [
        ("members", Options { members: Some(3), ..world.options(Some("cart")) }),
        ("write port", Options { port: Some(6379), ..world.options(Some("cart")) }),
        ("spec", Options { spec: Some("other: 1".into()), ..world.options(Some("cart")) }),
    ] {
        let error = up(options, &mut |_| {}).await.unwrap_err();
        assert!(matches!(&error, UpError::Differs { field: told, .. } if *told == field));
        assert!(error.hint().is_some());
    }
    let foreign = world.homes().join("orders");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("dump.rdb"), "precious").unwrap();
    let error = up(world.options(Some("orders")), &mut |_| {}).await.unwrap_err();
    assert!(matches!(error, UpError::Home { source: HomeError::Foreign { .. } }), "{error:?}");
    assert_eq!(fs::read_dir(&foreign).unwrap().count(), 1);
    down(&home, true).await.unwrap();
}
