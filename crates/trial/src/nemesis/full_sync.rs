//! The primary dies while a replica that lost everything gets a large dataset from it: the half of
//! it that is there must never lead.

use std::time::Duration;

use client::{Command, Connection};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::empty::clear_directory;
use super::{DeedError, Done, Scene, agent_of, engine_of, kill, process_error};
use crate::status;

/// One value: large, so that few commands make a large dataset.
const VALUE_BYTES: usize = 1 << 20;
/// Values written in one go.
const BATCH: u32 = 8;
/// How long one batch may take.
const BATCH_WITHIN: Duration = Duration::from_secs(20);
/// How long the emptied member may take until it is seen to sync.
const SYNCS_WITHIN: Duration = Duration::from_secs(30);
/// Between two looks at it.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// How long the group may take to be whole again: the large dataset is sent and loaded once more.
const BACK_WITHIN: Duration = Duration::from_secs(180);

pub(super) async fn broken(scene: &Scene<'_>, megabytes: u32) -> Result<Done, DeedError> {
    let members = scene.primary_first()?;
    let whom = 1 + scene.stream().below(members.len() as u64 - 1) as usize;
    let emptied = *members.get(whom).ok_or(DeedError::Nobody("replica"))?;
    let key = |n: u32| format!("interrex:bulk:{}:{n}", scene.load.run());
    fill(scene, megabytes, key).await?;
    let report = scene.before.member(emptied).ok_or(DeedError::Nobody("report of a replica"))?;
    let seat = scene.target.seat(emptied).ok_or(DeedError::Nobody("seat of a replica"))?;
    let (engine, agent) = (engine_of(report)?, agent_of(report)?);
    let held = agent.freeze().map_err(process_error("agent", emptied))?;
    engine.kill().map_err(process_error("engine", emptied))?;
    let cleared = clear_directory(&seat.data);
    held.thaw();
    cleared?;
    let syncing = syncs(scene, emptied).await;
    let mut done = kill::engine(scene)?;
    done.notes.push(format!(
        "{emptied} was {}, and had lost {megabytes} MB",
        if syncing { "in the middle of its sync" } else { "not seen to sync" }
    ));
    let led = status::epoch_above(scene.target, scene.before.epoch(), BACK_WITHIN).await?;
    if syncing && led.primary().is_some_and(|leader| leader.name == emptied) {
        done.violations.push(format!("{emptied} leads with half a dataset"));
    }
    status::healthy(scene.target, BACK_WITHIN).await?;
    let missing = u64::from(megabytes).saturating_sub(remove(scene, megabytes, key).await?);
    if missing > 0 {
        done.violations.push(format!("{missing} of {megabytes} MB are gone"));
    }
    Ok(done)
}

async fn open(scene: &Scene<'_>) -> Result<Connection, DeedError> {
    let credentials = scene.target.credentials.as_ref();
    let opened = Connection::open(&scene.target.write, credentials, BATCH_WITHIN).await;
    opened.map_err(|source| DeedError::Call { what: "open a connection", source: Box::new(source) })
}

async fn pipeline(
    open: &Connection,
    what: &'static str,
    commands: &[Command],
) -> Result<Vec<i64>, DeedError> {
    let call = |source| DeedError::Call { what, source: Box::new(source) };
    let answers = open.pipeline(commands, BATCH_WITHIN).await.map_err(call)?;
    Ok(answers
        .into_iter()
        .map(|answer| answer.ok().and_then(|v| v.as_int()).unwrap_or(0))
        .collect())
}

async fn fill(
    scene: &Scene<'_>,
    megabytes: u32,
    key: impl Fn(u32) -> String,
) -> Result<(), DeedError> {
    let open = open(scene).await?;
    let mut draw = scene.stream();
    // No two values are alike and none can be compressed: what is sent is as large as what is held.
    let mut value = vec![0; VALUE_BYTES];
    for byte in value.chunks_mut(8) {
        byte.copy_from_slice(&draw.draw().to_le_bytes());
    }
    for first in (0..megabytes).step_by(BATCH as usize) {
        let numbers = first..(first + BATCH).min(megabytes);
        let commands: Vec<Command> = numbers
            .map(|n| {
                value[..4].copy_from_slice(&n.to_le_bytes());
                Command::new(&[b"SET".as_slice(), key(n).as_bytes(), &value])
            })
            .collect();
        pipeline(&open, "write a large dataset", &commands).await?;
    }
    Ok(())
}

/// Removes the large values; gives how many there were.
async fn remove(
    scene: &Scene<'_>,
    megabytes: u32,
    key: impl Fn(u32) -> String,
) -> Result<u64, DeedError> {
    let open = open(scene).await?;
    let commands: Vec<Command> =
        (0..megabytes).map(|n| Command::new(&["UNLINK", &key(n)])).collect();
    let removed = pipeline(&open, "remove a large dataset", &commands).await?;
    Ok(removed.into_iter().filter(|n| *n > 0).count() as u64)
}

/// Waits until this member says that it syncs; false when it never did.
async fn syncs(scene: &Scene<'_>, member: &str) -> bool {
    let Some(seat) = scene.target.seat(member) else { return false };
    let end = Instant::now() + SYNCS_WITHIN;
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while Instant::now() < end {
        looks.tick().await;
        if status::ask(seat).await.is_ok_and(|report| report.role == "syncing") {
            return true;
        }
    }
    false
}
