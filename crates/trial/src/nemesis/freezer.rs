//! The whole member stops at one instant, and goes on at one: the freeze of a container.

use std::time::Duration;

use tokio::time::sleep;

use super::{DeedError, Done, Scene};
use crate::partition::length;
use crate::queue::Queue;

pub(super) async fn whole(scene: &Scene<'_>, longest: Duration) -> Result<Done, DeedError> {
    let mut draw = scene.stream();
    let members = scene.primary_first()?;
    // Mostly the primary: of the others hardly anything is to be seen.
    let whom = if draw.per_mille(700) { 0 } else { draw.below(members.len() as u64) as usize };
    let victim = members[whom];
    let length = length(&mut draw, longest);
    let seat = scene.target.seat(victim).ok_or(DeedError::Nobody("seat of a member"))?;
    let name = format!("queue-{}-{victim}", scene.number);
    let credentials = scene.target.credentials.as_ref();
    let mut queue =
        Queue::open(&seat.engine, credentials, scene.load.run(), &name, scene.clock).await;
    scene.keep(victim, queue.track());
    let hands = &scene.target.hands;
    let at = scene.clock.now();
    hands.freeze(victim, true).await?;
    let mut done = Done { victim: victim.to_owned(), at, ..Done::default() };
    if whom == 0 {
        done.queued = queue.fill().await;
    }
    // The length of the harm, not a wait for anything.
    sleep(length).await;
    hands.freeze(victim, false).await?;
    // Whether one of them was late depends on who led then: the checkers know.
    let acked = queue.settle().await;
    let (length, queued) = (length.as_millis(), done.queued);
    done.notes.push(format!("{victim} frozen {length} ms, {acked} of {queued} acknowledged"));
    Ok(done)
}
