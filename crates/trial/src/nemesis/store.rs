//! A store that is gone or slow.

use std::time::Duration;

use tokio::time::sleep;

use super::{DeedError, Done, Scene, agent_of, engine_of, kill, process_error};
use crate::target::StoreState;

pub(super) async fn down(
    scene: &Scene<'_>,
    length: Duration,
    crash: bool,
) -> Result<Done, DeedError> {
    let hands = &scene.target.hands;
    let at = scene.clock.now();
    hands.store(StoreState::Down).await?;
    let mut done = Done { victim: "store".to_owned(), at, ..Done::default() };
    // The lengths of the harm, not waits for anything.
    sleep(length / 2).await;
    let crashed = if crash { Some(kill::engine(scene)) } else { None };
    sleep(length / 2).await;
    let back = scene.clock.now();
    // The store comes back whatever became of the crash.
    hands.store(StoreState::Up).await?;
    if let Some(crashed) = crashed.transpose()? {
        done.victim = crashed.victim;
        done.gap_from = Some(back);
    }
    Ok(done)
}

pub(super) async fn slow(
    scene: &Scene<'_>,
    delay: Duration,
    length: Duration,
) -> Result<Done, DeedError> {
    let hands = &scene.target.hands;
    let at = scene.clock.now();
    hands.store(StoreState::Slow(delay)).await?;
    sleep(length).await;
    hands.store(StoreState::Up).await?;
    Ok(Done { victim: "store".to_owned(), at, ..Done::default() })
}

pub(super) async fn fault(
    scene: &Scene<'_>,
    fault: StoreState,
    length: Duration,
) -> Result<Done, DeedError> {
    let hands = &scene.target.hands;
    let at = scene.clock.now();
    hands.store(fault).await?;
    sleep(length).await;
    hands.store(StoreState::Up).await?;
    Ok(Done { victim: "store".to_owned(), at, ..Done::default() })
}

/// The store is gone while a replica stands still: the other one's acknowledgements are enough.
pub(super) async fn and_replica(scene: &Scene<'_>, length: Duration) -> Result<Done, DeedError> {
    let members = scene.primary_first()?;
    let whom = 1 + scene.stream().below(members.len() as u64 - 1) as usize;
    let replica = *members.get(whom).ok_or(DeedError::Nobody("replica"))?;
    let report = scene.before.member(replica).ok_or(DeedError::Nobody("report of a replica"))?;
    let (engine, agent) = (engine_of(report)?, agent_of(report)?);
    let hands = &scene.target.hands;
    let at = scene.clock.now();
    hands.store(StoreState::Down).await?;
    let agent = agent.freeze().map_err(process_error("agent", replica));
    let engine = engine.freeze().map_err(process_error("engine", replica));
    sleep(length).await;
    // The store comes back whatever became of the replica.
    hands.store(StoreState::Up).await?;
    drop((agent?, engine?));
    let notes = vec![format!("{replica} stood still")];
    Ok(Done { victim: "store".to_owned(), at, notes, ..Done::default() })
}
