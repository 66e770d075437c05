//! A store that is gone or slow.

use std::time::Duration;

use tokio::time::sleep;

use super::{DeedError, Done, Scene, kill};
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
