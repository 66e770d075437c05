//! Processes of all kinds: willing, deaf, stopped, gone, and strangers with an old pid.

use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::{Ended, Process, ProcessError, Start, start};

const SOON: Duration = Duration::from_secs(10);

/// Starts a shell script and waits until it has said that it is ready; a task reaps it.
async fn script(directory: &Path, text: &str) -> Process {
    let log = directory.join("log");
    let mut child = start(Start {
        program: Path::new("/bin/sh"),
        arguments: vec!["-c".into(), text.into()],
        directory,
        log: &log,
    })
    .unwrap();
    let process = Process::of(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
    tokio::spawn(async move { child.wait().await });
    let started = std::time::Instant::now();
    while !std::fs::read_to_string(&log).unwrap_or_default().contains("ready") {
        assert!(started.elapsed() < SOON, "the script never began");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    process
}

#[tokio::test]
async fn the_willing_ends_when_asked_and_the_deaf_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    let willing = script(directory.path(), "echo ready; exec sleep 60").await;
    assert!(willing.is_running());
    assert_eq!(willing.end(SOON).await.unwrap(), Ended::Asked);
    assert!(!willing.is_running());
    assert_eq!(willing.end(SOON).await.unwrap(), Ended::Before);
    let directory = tempfile::tempdir().unwrap();
    let deaf = "trap '' TERM; echo ready; while :; do sleep 0.05; done";
    let deaf = script(directory.path(), deaf).await;
    assert_eq!(deaf.end(Duration::from_millis(100)).await.unwrap(), Ended::Killed);
    assert!(!deaf.is_running());
}

#[tokio::test]
async fn the_stopped_is_woken_to_end_by_itself() {
    let directory = tempfile::tempdir().unwrap();
    let text = "trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.02; done";
    let stopped = script(directory.path(), text).await;
    stopped.signal(Signal::SIGSTOP).unwrap();
    assert!(stopped.is_running());
    assert_eq!(stopped.end(SOON).await.unwrap(), Ended::Asked);
    let log = std::fs::read_to_string(directory.path().join("log")).unwrap();
    assert!(log.ends_with("bye\n"), "{log}");
}

#[tokio::test]
async fn a_later_process_with_the_same_pid_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let now = script(directory.path(), "echo ready; exec sleep 60").await;
    let before = Process { started: "before it".to_owned(), ..now.clone() };
    assert!(!before.is_running());
    assert_eq!(before.end(SOON).await.unwrap(), Ended::Before);
    assert!(now.is_running(), "the stranger was ended");
    now.end(SOON).await.unwrap();
}

#[tokio::test]
async fn a_process_has_a_group_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let process = script(directory.path(), "echo ready; exec sleep 60").await;
    let group = nix::unistd::getpgid(Some(nix::unistd::Pid::from_raw(process.pid))).unwrap();
    assert_eq!(group.as_raw(), process.pid);
    process.end(SOON).await.unwrap();
}

#[test]
fn a_pid_file_comes_back_as_it_was_and_rubbish_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.pid");
    assert_eq!(Process::read(&path).unwrap(), None);
    let me = Process::current().unwrap();
    me.write(&path).unwrap();
    assert_eq!(Process::read(&path).unwrap(), Some(me));
    std::fs::write(&path, "12").unwrap();
    let error = Process::read(&path).unwrap_err();
    assert!(matches!(error, ProcessError::Unreadable { .. }));
    assert!(error.to_string().contains("x.pid"), "{error}");
}

#[tokio::test]
async fn a_program_that_is_not_there_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let error = start(Start {
        program: Path::new("/nowhere/engine"),
        arguments: Vec::new(),
        directory: directory.path(),
        log: &directory.path().join("log"),
    })
    .unwrap_err();
    assert_eq!(error.to_string(), "cannot start /nowhere/engine");
}
