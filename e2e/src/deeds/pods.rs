//! Harms to engines, containers, pods and claims.

use crate::error::Error;
use crate::group::Look;
use crate::stage::{Renewed, Stage};
use crate::verdict::Event;
use kubernetes::names::ENGINE_CONTAINER;

use super::Done;

pub(super) async fn kill_engine(stage: &Stage, before: Look) -> Result<Done, Error> {
    let primary = before.primary();
    let mut done = Done::beginning(stage, before, &primary).await?;
    done.renewed = Renewed::of(&done.before, &[&primary]);
    stage.tools.fault(&["kill-engine", &stage.group.namespace, &primary]).await?;
    Ok(done)
}

/// The kubelet starts a container again at once the first time, and later only after 10 s, 20 s and
/// so on; a new pod begins from the first time.
pub(super) async fn kill_container(
    stage: &Stage,
    before: Look,
    held_back: bool,
) -> Result<Done, Error> {
    let fits = |look: &Look| {
        let primary = look.primary();
        look.place(&primary).is_some_and(|place| (place.restarts > 0) == held_back)
    };
    let before = if held_back { started_again(stage, before).await? } else { before };
    let before = stage.move_until(before, fits).await?;
    let primary = before.primary();
    let mut done = Done::beginning(stage, before, &primary).await?;
    done.renewed = Renewed::of(&done.before, &[&primary]);
    let namespace = &stage.group.namespace;
    stage.tools.fault(&["kill-container", namespace, &primary, ENGINE_CONTAINER]).await?;
    Ok(done)
}

/// Every replica's container has been started again once: whoever is handed over to then has been.
async fn started_again(stage: &Stage, mut look: Look) -> Result<Look, Error> {
    let replicas: Vec<String> = look
        .places
        .iter()
        .filter(|place| place.name != look.primary() && place.restarts == 0)
        .map(|place| place.name.clone())
        .collect();
    for replica in &replicas {
        let renewed = Renewed::of(&look, &[replica]);
        let namespace = &stage.group.namespace;
        stage.tools.fault(&["kill-container", namespace, replica, ENGINE_CONTAINER]).await?;
        look = stage.healthy(&renewed).await?;
    }
    Ok(look)
}

pub(super) async fn delete(stage: &Stage, before: Look) -> Result<Done, Error> {
    let primary = before.primary();
    let mut done = Done::beginning(stage, before, &primary).await?;
    done.renewed = Renewed::of(&done.before, &[&primary]);
    stage.cluster.delete_pod(&stage.group.namespace, &primary).await?;
    Ok(done)
}

pub(super) async fn delete_all(stage: &Stage, before: Look) -> Result<Done, Error> {
    let mut done = Done::beginning(stage, before, "all").await?;
    let members: Vec<&str> = done.before.places.iter().map(|place| place.name.as_str()).collect();
    done.renewed = Renewed::of(&done.before, &members);
    stage.cluster.delete_pods(&stage.group.namespace, &stage.group.selector()).await?;
    Ok(done)
}

pub(super) async fn delete_with_claim(stage: &Stage, before: Look) -> Result<Done, Error> {
    let primary = before.primary();
    let mut done = Done::beginning(stage, before, &primary).await?;
    done.renewed = Renewed::of(&done.before, &[&primary]);
    let ordinal = primary.rsplit('-').next().and_then(|text| text.parse().ok()).unwrap_or(0);
    let claim = stage.group.names.claim(ordinal);
    // It ends with the pod that uses it, and is made anew with the next one.
    stage.cluster.delete_claim(&stage.group.namespace, &claim).await?;
    stage.cluster.delete_pod(&stage.group.namespace, &primary).await?;
    Ok(done)
}

/// A group that has lost everything must have said so: in a decision that is part of the story, or
/// in an event of type `Warning`.
pub(super) async fn judge_loudness(
    stage: &Stage,
    after: &Look,
    event: &mut Event,
) -> Result<(), Error> {
    let says = |text: &str| text.contains("lost its data");
    let decisions = after.group.members.iter().flat_map(|member| &member.decisions);
    let decided = decisions.filter(|decision| decision.story && says(&decision.text)).count();
    let warnings = stage.cluster.warnings(&stage.group.namespace).await?;
    let warned = warnings.iter().filter(|text| says(text)).count();
    event.notes.push(format!("loss told in {decided} decisions and {warned} warnings"));
    if decided + warned == 0 {
        event.violations.push("everything was lost, and nobody said so".to_owned());
    }
    Ok(())
}
