//! One member with a real engine: how it starts, what it does about a bad or foreign disk, and that
//! its engine never outlives it.
#![cfg(target_os = "linux")]

#[path = "support/place.rs"]
mod place;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use engine::config::Persistence;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use place::{Group, PATIENCE, first, until};
use tokio::sync::watch;

async fn role(group: &Group) -> Option<String> {
    let reply = group.client(&first(), "ROLE").await.ok()?;
    (reply == "*5" || reply == "*3").then_some(reply)
}

#[tokio::test]
async fn an_engine_starts_as_a_dead_end_and_refuses_writes() {
    let mut group = Group::new(3, Persistence::AofEverysec);
    group.start(&first());
    // ROLE of a replica has five parts, that of a primary three.
    assert_eq!(until("the engine", || role(&group)).await, "*5");
    let reply = group.client(&first(), "SET a b").await.expect("a reply");
    assert!(reply.starts_with("-READONLY"), "{reply}");
    let reply = group.client(&first(), "REPLICAOF NO ONE").await.expect("a reply");
    assert!(reply.starts_with("-NOPERM"), "{reply}");
    let report = until("a report", || async { group.status(&first()).await }).await;
    assert_eq!((report.role.as_str(), report.group.as_str()), ("dead-end", "cart"));
    assert!(report.engine.starts_with("redis "), "{}", report.engine);
    let (code, body) =
        place::http(group.ports[&first()].http, "GET", "/ready", "", "").await.expect("an answer");
    assert_eq!(code, 503, "{body}");
    // The engine's own figures are there from its first INFO on.
    let http = group.ports[&first()].http;
    until("the engine's metrics", || async {
        let (_, body) = place::http(http, "GET", "/metrics", "", "").await?;
        body.contains("\nredis_up 1.0\n").then_some(())
    })
    .await;
    let refused = place::http(group.ports[&first()].http, "POST", "/v1/promote", "", "").await;
    assert_eq!(refused.expect("an answer").0, 401);
}

#[tokio::test]
async fn an_emptied_directory_ends_the_agent_so_that_it_starts_as_a_newcomer() {
    let mut group = Group::new(1, Persistence::AofEverysec);
    group.start(&first());
    let before = group.healthy().await;
    assert_eq!(before, first());
    let report = group.status(&first()).await.expect("a report");
    std::fs::remove_dir_all(group.data(&first())).expect("the data directory");
    std::fs::create_dir(group.data(&first())).expect("an empty one");
    let agent = group.agents.remove(&first()).expect("it was started");
    let left = tokio::time::timeout(PATIENCE, agent).await.expect("it leaves").expect("no panic");
    let expected = std::process::ExitCode::from(agent::EXIT_START_ANEW);
    assert_eq!(format!("{:?}", left.expect("no error")), format!("{expected:?}"));
    let engine = Pid::from_raw(report.engine_pid as i32);
    until("its engine to be gone", || async { kill(engine, None).err() }).await;
}

#[tokio::test]
async fn a_damaged_snapshot_is_kept_aside_and_the_engine_starts_empty() {
    let mut group = Group::new(3, Persistence::Rdb);
    let data = group.data(&first());
    std::fs::create_dir_all(&data).expect("a data directory");
    std::fs::write(data.join("dump.rdb"), b"REDIS0010\xfa\x05wrong and cut").expect("a bad file");
    group.start(&first());
    assert_eq!(until("the engine", || role(&group)).await, "*5");
    let kept = until("the bad file aside", || async {
        let entries = std::fs::read_dir(data.join("interrex")).ok()?;
        let mut paths = entries.filter_map(|entry| Some(entry.ok()?.path().join("dump.rdb")));
        paths.find(|path| path.is_file())
    })
    .await;
    assert!(std::fs::read(kept).expect("the bad file").starts_with(b"REDIS0010"));
    until("a report of the new engine", || async {
        group.status(&first()).await.filter(|report| report.engine_pid != 0)
    })
    .await;
}

/// Runs a member on a file system of 24 MiB that is full when its engine is killed: needs root.
#[tokio::test]
async fn a_full_disk_does_not_keep_an_engine_from_starting_again() {
    let home = tempfile::tempdir().expect("a directory");
    let path = home.path().to_str().expect("a path of letters");
    let mount =
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=24m", "tmpfs", path]).status();
    if !mount.is_ok_and(|status| status.success()) {
        return;
    }
    let mut group = Group::in_directory(home.path(), 1, Persistence::AofEverysec);
    group.start(&first());
    group.healthy().await;
    let before = group.status(&first()).await.expect("a report").engine_pid;
    let mut filler = std::fs::File::create(home.path().join("filler")).expect("a file");
    while std::io::Write::write_all(&mut filler, &[1; 4096]).is_ok() {}
    drop(filler);
    kill(Pid::from_raw(before as i32), Signal::SIGKILL).expect("the engine runs");
    let again = until("another engine", || async {
        let report = group.status(&first()).await?;
        (report.engine_pid != 0 && report.engine_pid != before && report.role == "primary")
            .then_some(report.epoch)
    })
    .await;
    assert!(again > 1, "it leads in a new epoch");
    group.agents.remove(&first()).expect("it was started").abort();
    until("the engine to let go of the disk", || async {
        Command::new("umount")
            .args(["-q", path])
            .status()
            .is_ok_and(|done| done.success())
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_engine_that_an_earlier_agent_left_is_ended_first() {
    let mut group = Group::new(1, Persistence::None);
    let state = group.data(&first()).join("interrex");
    std::fs::create_dir_all(&state).expect("the state directory");
    let port = group.ports[&first()].engine.to_string();
    let mut left = Command::new(place::program())
        .args(["--port", &port, "--bind", "127.0.0.1", "--save", ""])
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server");
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", left.id())).expect("it runs");
    let began = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(19));
    let record = format!("{{\"pid\":{},\"began\":\"{}\"}}", left.id(), began.expect("field 22"));
    std::fs::write(state.join("engine.pid"), record).expect("the record");
    group.start(&first());
    let status = until("the old engine to be ended", || {
        let status = left.try_wait().expect("our child");
        async move { status }
    })
    .await;
    assert!(!status.success(), "{status}");
    assert_eq!(group.healthy().await, first());
}

#[tokio::test]
async fn what_cannot_work_ends_the_agent_with_its_reason() {
    let group = Group::new(1, Persistence::None);
    let run = |change: &dyn Fn(&mut agent::Config)| {
        let mut config = group.config(&first());
        change(&mut config);
        let place = std::sync::Arc::new(group.place(&first()));
        async move {
            let error = agent::run(config, place).await.expect_err("it cannot work");
            let mut text = error.to_string();
            let mut cause = std::error::Error::source(&error);
            while let Some(inner) = cause {
                text = format!("{text}: {inner}");
                cause = inner.source();
            }
            text
        }
    };
    let text = run(&|config| config.program = "/nonexistent/redis-server".into()).await;
    assert!(text.contains("/nonexistent/redis-server --version"), "{text}");
    let text = run(&|config| config.program = "/bin/echo".into()).await;
    assert!(text.contains("no engine's line"), "{text}");
    let text = run(&|config| config.password_file = Some("/nonexistent/password".into())).await;
    assert!(text.contains("password file /nonexistent/password"), "{text}");
    let text = run(&|config| {
        let wrong = BTreeMap::from([("maxmemory-polcy".to_owned(), "noeviction".to_owned())]);
        config.directives = watch::channel(wrong).1;
    })
    .await;
    assert!(text.contains("did you mean maxmemory-policy"), "{text}");
    let text = run(&|config| config.peer_key_file = "/nonexistent/key".into()).await;
    assert!(text.contains("peer key file /nonexistent/key"), "{text}");
    let taken = std::net::TcpListener::bind(("127.0.0.1", group.ports[&first()].http));
    let text = run(&|_| {}).await;
    drop(taken);
    assert!(text.contains("for status and metrics"), "{text}");
}

/// An engine whose module file is something else by the time that it starts.
fn spoils_its_gate(group: &mut Group) {
    let run = group.config(&first()).run;
    let path = run.parent().expect("a parent").with_extension("spoils");
    let text = format!(
        "#!/bin/sh\n[ \"$1\" = --version ] || echo no module > {}/{}\nexec {} \"$@\"\n",
        run.display(),
        gate::MODULE_FILE,
        place::program().display()
    );
    std::fs::write(&path, text).expect("a script");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("to be run");
    group.program = path;
}

/// Leads, without a gate, and says why.
async fn leads_without_a_gate(group: &mut Group, reason: &str) {
    group.start(&first());
    assert_eq!(group.healthy().await, first());
    let report = group.status(&first()).await.expect("a report");
    assert_eq!(report.fence, "process");
    let why = report.fence_why.expect("the reason");
    assert!(why.contains(reason), "{why}");
    let told = report.decisions.iter().find(|d| d.rule == "no-gate").expect("a decision for why");
    assert!(told.story && told.text.contains(reason), "{told:?}");
    let reply = group.client(&first(), "SET a b").await;
    assert_eq!(reply.expect("a reply"), "+OK");
}

#[tokio::test]
async fn an_engine_that_cannot_load_the_gate_is_fenced_by_its_agent() {
    let mut group = Group::new(1, Persistence::None);
    spoils_its_gate(&mut group);
    leads_without_a_gate(&mut group, "failed to load").await;
}

#[tokio::test]
async fn an_engine_that_cannot_load_the_gate_is_not_run_where_one_is_demanded() {
    let mut group = Group::new(1, Persistence::None);
    spoils_its_gate(&mut group);
    let config = agent::Config { gate_demanded: true, ..group.config(&first()) };
    let place = std::sync::Arc::new(group.place(&first()));
    let agent = tokio::time::timeout(PATIENCE, agent::run(config, place));
    let error = agent.await.expect("it leaves").expect_err("it cannot work").to_string();
    assert!(error.contains("fencing gate") && error.contains("failed to load"), "{error}");
}

/// Needs root, to mount a file system from which nothing is executed.
#[tokio::test]
async fn a_run_directory_without_execution_is_no_end_of_starts() {
    let mut group = Group::new(1, Persistence::None);
    let run = group.config(&first()).run;
    std::fs::create_dir_all(&run).expect("a run directory");
    let mount = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "noexec,size=4m,mode=700", "tmpfs"])
        .arg(&run)
        .stderr(Stdio::null())
        .status();
    if !mount.is_ok_and(|status| status.success()) {
        eprintln!("skipped: only root can mount a file system with noexec");
        return;
    }
    leads_without_a_gate(&mut group, "failed to load").await;
    group.agents.remove(&first()).expect("it was started").abort();
    until("the engine to let go of the file system", || async {
        let done = Command::new("umount").arg("-q").arg(&run).status();
        done.is_ok_and(|done| done.success()).then_some(())
    })
    .await;
}
