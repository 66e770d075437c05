//! A random partition: planes of a member are cut in the kernel, each its own way.

use std::time::Duration;

use tokio::time::sleep;

use super::{DeedError, Done, Scene};
use crate::partition::plan;
use crate::target::{Plane, Severed, Way};

pub(super) async fn random(scene: &Scene<'_>, longest: Duration) -> Result<Done, DeedError> {
    let members = scene.primary_first()?;
    let plan = plan(scene.seed, scene.number, members.len(), longest);
    let (cuts, words) = (plan.cuts(&members), plan.words(&members));
    let victim = cuts.first().map_or_else(String::new, |cut| cut.member.clone());
    let hands = &scene.target.hands;
    let at = scene.clock.now();
    hands.sever(&cuts).await?;
    // The length of the harm, not a wait for anything.
    sleep(plan.length).await;
    hands.heal_all().await?;
    let holds = |cut: &Severed| cut.plane == Plane::Clients && cut.way != Way::In;
    let answers_held = cuts.iter().any(holds).then(|| scene.clock.now());
    let price = Some(plan.price());
    Ok(Done { victim, at, notes: vec![words], price, answers_held, ..Done::default() })
}
