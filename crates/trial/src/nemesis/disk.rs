//! A disk that is full: of a replica that could succeed, or of the primary itself.

use std::time::Duration;

use tokio::time::sleep;

use super::{DeedError, Done, Scene, kill};
use crate::status;

/// How long a full disk is given to be noticed: agents look at their disks every second.
const NOTICED_WITHIN: Duration = Duration::from_secs(3);
/// How long a group may take to leave a primary whose disk is full: the engine's next write to its
/// log fails within a second, and a failed save asks again.
const LEFT_WITHIN: Duration = Duration::from_secs(20);

/// The disk of a replica is full, and then the primary dies. If it alone has everything, it may
/// lead for as long as it takes to hand over; it must not stay.
pub(super) async fn of_replica(scene: &Scene<'_>) -> Result<Done, DeedError> {
    let members = scene.primary_first()?;
    let others = members.len() as u64 - 1;
    let whom = 1 + scene.stream().below(others) as usize;
    let full = *members.get(whom).ok_or(DeedError::Nobody("replica"))?;
    let hands = &scene.target.hands;
    hands.fill_disk(full, true).await?;
    // The age of the harm, not a wait for anything.
    sleep(NOTICED_WITHIN).await;
    let killed = kill::engine(scene);
    let led = status::epoch_above(scene.target, scene.before.epoch(), LEFT_WITHIN).await;
    let first = led.ok().and_then(|group| group.primary().map(|leader| leader.name.clone()));
    let left = status::until(LEFT_WITHIN, || async {
        let group = status::Group::ask(scene.target).await;
        let elsewhere = group.primary().is_some_and(|leader| leader.name != full);
        (group, (!elsewhere).then(|| format!("{full} leads")).into_iter().collect())
    })
    .await;
    // Room again, whatever became of the rest.
    hands.fill_disk(full, false).await?;
    let mut done = killed?;
    let led = if first.as_deref() == Some(full) { "; it led, and handed over" } else { "" };
    done.notes.push(format!("the disk of {full} was full{led}"));
    if let Err(error) = left {
        done.violations.push(format!("its disk is full: {error}"));
    }
    Ok(done)
}

/// The disk of the primary is full: another one leads.
pub(super) async fn of_primary(scene: &Scene<'_>) -> Result<Done, DeedError> {
    let (report, _) = scene.primary()?;
    let victim = report.name.clone();
    let hands = &scene.target.hands;
    let at = scene.clock.now();
    hands.fill_disk(&victim, true).await?;
    let led = status::epoch_above(scene.target, scene.before.epoch(), LEFT_WITHIN).await;
    hands.fill_disk(&victim, false).await?;
    let mut done = Done { victim: victim.clone(), at, ..Done::default() };
    match led {
        Ok(group) => {
            let leader = group.primary().map(|leader| leader.name.clone()).unwrap_or_default();
            done.notes.push(format!("{leader} leads instead"));
            if leader == victim {
                done.violations.push(format!("{victim} leads on a full disk"));
            }
        }
        Err(_) => done.notes.push(format!(
            "{victim} was still the primary after {} s on a full disk",
            LEFT_WITHIN.as_secs()
        )),
    }
    Ok(done)
}
