//! A keeper over parts that are small shell scripts: it restarts, outlives nobody and adopts.

use std::path::Path;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::{Parts, run};
use crate::home::tests::sample;
use crate::home::{Home, Part};
use crate::process::Process;
use nix::sys::signal::Signal;

const SOON: Duration = Duration::from_secs(10);

/// Parts that only sleep, and note each start in a file of their name.
fn sleepers() -> Parts {
    Parts {
        program: "/bin/sh".into(),
        arguments: Box::new(|_, part| {
            let script = format!("echo started >> run/{part}.starts; exec sleep 300");
            vec!["-c".into(), script.into()]
        }),
    }
}

struct World {
    directory: tempfile::TempDir,
    home: Home,
    keeper: JoinHandle<()>,
}

fn keep(home: &Home, parts: Parts) -> JoinHandle<()> {
    let home = home.clone();
    tokio::spawn(async move { run(home, parts).await.unwrap() })
}

fn world() -> World {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("cart");
    let home = Home::create(&root, sample("cart", 2)).unwrap();
    let keeper = keep(&home, sleepers());
    World { directory, home, keeper }
}

impl World {
    async fn running(&self, part: &Part, but: Option<&Process>) -> Process {
        let started = Instant::now();
        loop {
            let found = Process::read(&self.home.pid_file(part)).unwrap();
            if let Some(found) = found.filter(|found| found.is_running() && Some(found) != but) {
                return found;
            }
            assert!(started.elapsed() < SOON, "no {part} runs");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    fn starts(&self, part: &Part) -> usize {
        let path = self.home.run_directory().join(format!("{part}.starts"));
        std::fs::read_to_string(path).unwrap_or_default().lines().count()
    }

    async fn stop(self) {
        self.keeper.abort();
        for part in self.home.parts() {
            self.running(&part, None).await.end(SOON).await.unwrap();
        }
        assert!(Path::exists(self.directory.path()));
    }
}

#[tokio::test]
async fn a_part_that_was_killed_is_started_again_and_the_others_are_left_alone() {
    let world = world();
    let agent = Part::Agent("cart-1".to_owned());
    let store = world.running(&Part::Store, None).await;
    let mut before = world.running(&agent, None).await;
    let began = Instant::now();
    for _ in 0..2 {
        before.signal(Signal::SIGKILL).unwrap();
        let after = world.running(&agent, Some(&before)).await;
        assert_ne!(after, before);
        before = after;
    }
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(world.running(&Part::Store, None).await, store);
    world.stop().await;
}

#[tokio::test]
async fn parts_outlive_the_keeper_and_the_next_one_adopts_them() {
    let mut world = world();
    let mut before = Vec::new();
    for part in world.home.parts() {
        before.push((part.clone(), world.running(&part, None).await));
    }
    world.keeper.abort();
    let _ = (&mut world.keeper).await;
    world.keeper = keep(&world.home, sleepers());
    world.running(&Part::Keeper, None).await;
    let (killed_part, killed) = before.pop().unwrap();
    killed.signal(Signal::SIGKILL).unwrap();
    world.running(&killed_part, Some(&killed)).await;
    for (part, process) in before {
        assert!(process.is_running(), "{part}");
        assert_eq!(world.running(&part, None).await, process, "{part}");
        assert_eq!(world.starts(&part), 1, "{part}");
    }
    world.stop().await;
}

#[tokio::test]
async fn a_pid_file_of_a_stranger_or_of_rubbish_is_no_part() {
    let directory = tempfile::tempdir().unwrap();
    let home = Home::create(&directory.path().join("cart"), sample("cart", 1)).unwrap();
    let me = Process::current().unwrap();
    let stranger = Process { started: "another time".to_owned(), ..me };
    stranger.write(&home.pid_file(&Part::Store)).unwrap();
    std::fs::write(home.pid_file(&Part::Links), "rubbish").unwrap();
    let keeper = keep(&home, sleepers());
    let started = Instant::now();
    while !home.parts().iter().all(|part| {
        Process::read(&home.pid_file(part))
            .is_ok_and(|found| found.is_some_and(|found| found != stranger && found.is_running()))
    }) {
        assert!(started.elapsed() < SOON, "not all parts were started");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    World { directory, home, keeper }.stop().await;
}

#[tokio::test]
async fn a_part_that_cannot_run_is_tried_with_pauses() {
    let directory = tempfile::tempdir().unwrap();
    let home = Home::create(&directory.path().join("cart"), sample("cart", 1)).unwrap();
    let parts = Parts {
        program: "/bin/sh".into(),
        arguments: Box::new(|_, part| {
            vec!["-c".into(), format!("echo started >> run/{part}.starts; exit 1").into()]
        }),
    };
    let began = Instant::now();
    let keeper = keep(&home, parts);
    let world = World { directory, home, keeper };
    while world.starts(&Part::Store) < 4 {
        assert!(began.elapsed() < SOON, "it was given up");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    // None before the second start, then 100 and 200 ms.
    assert!(began.elapsed() >= Duration::from_millis(300), "{:?}", began.elapsed());
    world.keeper.abort();
}

#[tokio::test]
async fn a_group_has_one_keeper() {
    let world = world();
    world.running(&Part::Store, None).await;
    let error = run(world.home.clone(), sleepers()).await.unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("is in use by another keeper (pid "), "{source}");
    world.stop().await;
}
