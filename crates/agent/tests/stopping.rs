//! How a member ends, and what its next start may believe of its disk (protocol-traces D5).
#![cfg(target_os = "linux")]

#[path = "support/place.rs"]
mod place;
#[path = "support/process.rs"]
mod process;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::sys::signal::{Signal, kill};
use place::until;
use process::{spawn_agent, spawn_agent_with};

fn data(home: &Path) -> PathBuf {
    home.join("cart-0/data")
}

/// What the disk remembers. The agent must have ended.
fn memory(home: &Path) -> brain::Memory {
    agent::StateFile::open(&data(home)).expect("a state file").1
}

/// Gives the engine so many keys.
fn fill(home: &Path, keys: usize) {
    let port = process::ports(home).1;
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).expect("the engine");
    stream.set_read_timeout(Some(place::PATIENCE)).expect("a deadline");
    let auth = ["AUTH clients-password\r\n".to_owned()];
    let sets = (0..keys).map(|key| format!("SET key-{key} 1\r\n"));
    let text: Vec<String> = auth.into_iter().chain(sets).collect();
    stream.write_all(text.concat().as_bytes()).expect("the engine reads");
    for line in BufReader::new(stream).lines().take(keys + 1) {
        assert_eq!(line.expect("a reply"), "+OK");
    }
}

#[tokio::test]
async fn a_killed_agent_takes_its_engine_with_it_and_the_next_one_leads_again() {
    let home = tempfile::tempdir().expect("a directory");
    let (mut agent, engine) = spawn_agent(home.path()).await;
    kill(engine, None).expect("the engine runs");
    agent.kill().expect("our child");
    agent.wait().expect("our child");
    until("its engine to be gone", || async { kill(engine, None).err() }).await;
    let (mut agent, engine) = spawn_agent(home.path()).await;
    kill(engine, None).expect("the new engine runs");
    agent.kill().expect("our child");
    agent.wait().expect("our child");
    until("the new engine to be gone", || async { kill(engine, None).err() }).await;
}

#[tokio::test]
async fn a_terminated_agent_stops_its_engine_cleanly() {
    let home = tempfile::tempdir().expect("a directory");
    let (mut agent, engine) = spawn_agent(home.path()).await;
    process::terminate(&agent);
    let status = process::left(&mut agent).await;
    assert!(status.success(), "{status}");
    assert!(kill(engine, None).is_err(), "the engine is gone before its agent");
    let data = home.path().join("cart-0/data");
    assert!(data.join("interrex/clean-stop").exists(), "it was a clean stop");
    assert!(data.join("dump.rdb").exists(), "the snapshot keeps the place in the stream");
    let memory = memory(home.path());
    assert!(memory.clean && memory.exact, "a clean stop loses nothing: {memory:?}");

    // The next start reads the snapshot, and then goes on with the append-only file.
    let (mut agent, _) = spawn_agent(home.path()).await;
    let http = process::ports(home.path()).0;
    until("the append-only file to be on again", || async {
        let metrics = place::http(http, "GET", "/metrics", "", "").await?.1;
        let has = |line: &str| metrics.lines().any(|found| found == line);
        (has("redis_keys 1.0") && has("redis_aof_enabled 1.0")).then_some(())
    })
    .await;
    until("the mark to go: the snapshot grows old", || async {
        (!data.join("interrex/clean-stop").exists()).then_some(())
    })
    .await;
    agent.kill().expect("our child");
    agent.wait().expect("our child");
}

/// An engine that takes 10 ms for each key that it saves.
fn slow_saver(home: &Path) -> String {
    let path = home.join("slow-saver");
    let program = place::program();
    let text = format!(
        "#!/bin/sh\n[ \"$1\" = --version ] && exec {0} --version\n\
         exec {0} \"$@\" --rdb-key-save-delay 10000\n",
        program.display()
    );
    std::fs::write(&path, text).expect("a script");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("to be run");
    path.display().to_string()
}

/// Its keys, once it has loaded and its append-only file is on, or is to be off.
async fn keys(home: &Path, append_only: bool) -> String {
    let http = process::ports(home).0;
    until("the engine to have loaded", || async {
        let metrics = place::http(http, "GET", "/metrics", "", "").await?.1;
        let keys = metrics.lines().find_map(|line| line.strip_prefix("redis_keys "))?.to_owned();
        let enabled = format!("\nredis_aof_enabled {}.0\n", u8::from(append_only));
        let loaded = metrics.contains("\nredis_loading_dump_file 0.0\n");
        (loaded && metrics.contains(&enabled)).then_some(keys)
    })
    .await
}

#[tokio::test]
async fn an_engine_that_is_killed_while_it_saves_has_not_stopped_cleanly() {
    let home = tempfile::tempdir().expect("a directory");
    let program = slow_saver(home.path());
    let slow = [("INTERREX_TEST_PROGRAM", program.as_str())];
    let (mut agent, engine) = spawn_agent_with(home.path(), &slow).await;
    fill(home.path(), 400);
    process::terminate(&agent);
    let saving = data(home.path()).join(format!("temp-{engine}.rdb"));
    until("the engine to save", || async { saving.exists().then_some(()) }).await;
    kill(engine, Signal::SIGKILL).expect("the engine saves");
    assert!(process::left(&mut agent).await.success());
    assert!(!data(home.path()).join("interrex/clean-stop").exists(), "it was not a clean stop");
    let memory = memory(home.path());
    assert!(!memory.clean && !memory.exact, "{memory:?}");
}

#[tokio::test]
async fn an_engine_that_cannot_save_has_not_stopped_cleanly() {
    let home = tempfile::tempdir().expect("a directory");
    let grace = [("INTERREX_TEST_GRACE_S", "6")];
    let (mut agent, _) = spawn_agent_with(home.path(), &grace).await;
    // It refuses SHUTDOWN SAVE, and obeys the forced one with code 0.
    let in_the_way = data(home.path()).join("dump.rdb/in-the-way");
    std::fs::create_dir_all(in_the_way).expect("a directory");
    process::terminate(&agent);
    assert!(process::left(&mut agent).await.success());
    let memory = memory(home.path());
    assert!(!memory.clean && !memory.exact, "{memory:?}");
}

#[tokio::test]
async fn a_stop_that_cannot_be_marked_counts_as_an_unclean_one() {
    let home = tempfile::tempdir().expect("a directory");
    let (mut agent, _) = spawn_agent(home.path()).await;
    let mark = data(home.path()).join("interrex/clean-stop/in-the-way");
    std::fs::create_dir_all(mark).expect("a directory");
    process::terminate(&agent);
    assert!(process::left(&mut agent).await.success());
    let memory = memory(home.path());
    assert!(!memory.clean && !memory.exact, "{memory:?}");
    // The append-only file has everything.
    let (mut agent, _) = spawn_agent(home.path()).await;
    assert_eq!(keys(home.path(), true).await, "1.0");
    agent.kill().expect("our child");
    agent.wait().expect("our child");
}

/// Starts an agent on what is there, and stops it: what it makes of its disk.
async fn looked_at(home: &Path, environment: &[(&str, &str)]) -> (String, brain::Memory) {
    let (mut agent, _) = spawn_agent_with(home, environment).await;
    let keys = keys(home, environment.is_empty()).await;
    process::terminate(&agent);
    assert!(process::left(&mut agent).await.success());
    (keys, memory(home))
}

/// Kills the agent of a member with one key.
async fn killed(home: &Path) {
    let (mut agent, engine) = spawn_agent(home).await;
    agent.kill().expect("our child");
    agent.wait().expect("our child");
    until("its engine to be gone", || async { kill(engine, None).err() }).await;
}

#[tokio::test]
async fn an_append_only_file_without_its_manifest_is_no_lost_dataset() {
    let home = tempfile::tempdir().expect("a directory");
    killed(home.path()).await;
    let parts = data(home.path()).join("appendonlydir");
    std::fs::remove_file(parts.join("appendonly.aof.manifest")).expect("a manifest");
    let (keys, memory) = looked_at(home.path(), &[]).await;
    assert_eq!(keys, "0.0");
    assert!(memory.damaged && !memory.stamp.complete, "a person decides: {memory:?}");
    let aside = data(home.path()).join("interrex/unreadable-1/appendonlydir");
    assert!(std::fs::read_dir(aside).expect("kept").count() > 1);
    // Nor at the next start, which finds nothing.
    let (_, memory) = looked_at(home.path(), &[]).await;
    assert!(memory.damaged && !memory.stamp.complete, "a person decides: {memory:?}");
}

#[tokio::test]
async fn an_append_only_file_that_is_switched_off_is_not_forgotten() {
    let snapshots = [("INTERREX_TEST_SNAPSHOTS", "1")];
    // After a clean stop the snapshot has everything.
    let home = tempfile::tempdir().expect("a directory");
    let (mut agent, _) = spawn_agent(home.path()).await;
    process::terminate(&agent);
    assert!(process::left(&mut agent).await.success());
    let (keys, memory) = looked_at(home.path(), &snapshots).await;
    assert_eq!(keys, "1.0");
    assert!(memory.stamp.complete && !memory.damaged, "{memory:?}");
    assert!(!data(home.path()).join("appendonlydir").exists());
    assert!(data(home.path()).join("interrex/switched-off-1/appendonlydir").is_dir());
    // Without one the append-only file alone has anything.
    let home = tempfile::tempdir().expect("a directory");
    killed(home.path()).await;
    let (keys, memory) = looked_at(home.path(), &snapshots).await;
    assert_eq!(keys, "0.0");
    assert!(memory.damaged && !memory.stamp.complete, "a person decides: {memory:?}");
    assert!(data(home.path()).join("interrex/unreadable-1/appendonlydir").is_dir());
}

#[tokio::test]
async fn the_decisions_of_a_killed_agent_can_still_be_read() {
    let home = tempfile::tempdir().expect("a directory");
    let (mut agent, engine) = spawn_agent(home.path()).await;
    let report = report(home.path()).await;
    assert!(report.decisions.iter().any(|d| d.story && d.epoch > 0), "{:?}", report.decisions);
    let last = report.decisions.last().expect("it has decided").text.clone();
    let file = data(home.path()).join("interrex/decisions.jsonl");
    until("the last of them to be written", || async {
        std::fs::read_to_string(&file).ok().filter(|text| text.contains(&last))
    })
    .await;
    agent.kill().expect("our child");
    agent.wait().expect("our child");
    until("its engine to be gone", || async { kill(engine, None).err() }).await;
    // The kill fell into the middle of a line.
    let mut text = std::fs::OpenOptions::new().append(true).open(&file).expect("the file");
    text.write_all(b"{\"at_ms\":17").expect("written");
    let (mut agent, _) = spawn_agent(home.path()).await;
    let again = self::report(home.path()).await.decisions;
    assert!(again.starts_with(&report.decisions), "{again:?}");
    assert!(again.len() > report.decisions.len(), "and it goes on");
    agent.kill().expect("our child");
    agent.wait().expect("our child");
}

async fn report(home: &Path) -> brain::report::MemberReport {
    let http = process::ports(home).0;
    until("a report", || async {
        let (code, body) = place::http(http, "GET", "/v1/status", "", "").await?;
        (code == 200).then(|| serde_json::from_str(&body).expect("a report"))
    })
    .await
}
