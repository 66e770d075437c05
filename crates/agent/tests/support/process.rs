//! A process with one agent in it, to be killed or stopped by its test, and started again.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part of it")]
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use engine::config::Persistence;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::place::{Group, first, until};

/// Not a test of its own: what the next ones start as another process, to kill it.
#[test]
fn a_process_with_one_agent() {
    let Ok(home) = std::env::var("INTERREX_TEST_HOME") else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let mut group = Group::in_directory(Path::new(&home), 1, Persistence::AofEverysec);
        if std::env::var_os("INTERREX_TEST_SNAPSHOTS").is_some() {
            group.persistence = Persistence::Rdb;
        }
        if let Some(program) = std::env::var_os("INTERREX_TEST_PROGRAM") {
            group.program = program.into();
        }
        if let Ok(grace) = std::env::var("INTERREX_TEST_GRACE_S") {
            group.grace = Duration::from_secs(grace.parse().expect("a number"));
        }
        // The record is new with each process: on an old disk that is no beginning of a group.
        let is_new = !group.data(&first()).exists();
        group.start(&first());
        if is_new {
            group.healthy().await;
            let reply = group.client(&first(), "SET kept 1").await;
            assert_eq!(reply.expect("a reply"), "+OK");
        }
        let report = until("an engine", || async {
            group.status(&first()).await.filter(|report| report.engine_pid != 0)
        })
        .await;
        let ready = Path::new(&home).join("ready");
        let aside = ready.with_extension("new");
        let ports = &group.ports[&first()];
        let text = format!("{} {} {}", report.engine_pid, ports.http, ports.engine);
        std::fs::write(&aside, text).expect("written");
        std::fs::rename(&aside, &ready).expect("in place");
        let agent = group.agents.remove(&first()).expect("it was started");
        agent.await.expect("no panic").expect("no error");
    });
}

/// Starts it; the second is its engine's process.
pub async fn spawn_agent(home: &Path) -> (Child, Pid) {
    spawn_agent_with(home, &[]).await
}

/// The same, told something more by its environment.
pub async fn spawn_agent_with(home: &Path, environment: &[(&str, &str)]) -> (Child, Pid) {
    let _ = std::fs::remove_file(home.join("ready"));
    let child = Command::new(std::env::current_exe().expect("this program"))
        .args(["process::a_process_with_one_agent", "--exact"])
        .env("INTERREX_TEST_HOME", home)
        .envs(environment.iter().copied())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("this program runs again");
    let engine = until("the agent's engine", || async {
        let text = std::fs::read_to_string(home.join("ready")).ok()?;
        text.split(' ').next()?.parse().ok()
    })
    .await;
    (child, Pid::from_raw(engine))
}

/// Waits for its end.
pub async fn left(agent: &mut Child) -> ExitStatus {
    until("the agent to leave", || {
        let status = agent.try_wait().expect("our child");
        async move { status }
    })
    .await
}

/// Asks it to stop.
pub fn terminate(agent: &Child) {
    kill(Pid::from_raw(agent.id() as i32), Signal::SIGTERM).expect("our child");
}

/// The ports of its HTTP and of its engine.
pub fn ports(home: &Path) -> (u16, u16) {
    let ready = std::fs::read_to_string(home.join("ready")).expect("it is ready");
    let port = |n| ready.split(' ').nth(n).and_then(|p| p.parse().ok()).expect("a port");
    (port(1), port(2))
}
