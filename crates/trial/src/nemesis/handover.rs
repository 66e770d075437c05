//! A planned handover, to another member each time, and one in which somebody dies.

use std::time::Duration;

use tokio::time::sleep;

use super::{DeedError, Done, Scene, agent_of, engine_of, process_error};

pub(super) async fn handover(scene: &Scene<'_>) -> Result<Done, DeedError> {
    let (primary, _) = scene.primary()?;
    let others: Vec<&str> = scene
        .target
        .seats
        .iter()
        .map(|seat| seat.name.as_str())
        .filter(|name| *name != primary.name)
        .collect();
    if others.is_empty() {
        return Err(DeedError::Nobody("member to hand over to"));
    }
    let to = others[scene.number as usize % others.len()];
    let at = scene.clock.now();
    scene.target.hands.handover(Some(to)).await?;
    let notes = vec![format!("handed over to {to}")];
    Ok(Done { victim: primary.name.clone(), at, notes, ..Done::default() })
}

/// A handover takes about this long, from asking to the new primary's first write.
const TAKES_MS: u64 = 30;

/// A handover in which the engine or the agent of either side is killed, at a drawn moment from its
/// first step to a little after its last.
pub(super) async fn and_kill(scene: &Scene<'_>) -> Result<Done, DeedError> {
    let mut draw = scene.stream();
    let members = scene.primary_first()?;
    let to = members.get(1 + draw.below(members.len() as u64 - 1) as usize);
    let to = *to.ok_or(DeedError::Nobody("member to hand over to"))?;
    let victim = draw.pick(&[members[0], to]);
    let what = draw.pick(&["engine", "agent"]);
    let report = scene.before.member(victim).ok_or(DeedError::Nobody("report of a member"))?;
    let process = if what == "agent" { agent_of(report)? } else { engine_of(report)? };
    let after = Duration::from_millis(draw.below(TAKES_MS));
    let at = scene.clock.now();
    let deadly = async {
        // The moment of the harm, not a wait for anything.
        sleep(after).await;
        process.kill()
    };
    let (handed, killed) = tokio::join!(scene.target.hands.handover(Some(to)), deadly);
    killed.map_err(process_error(what, victim))?;
    let came = if handed.is_ok() { "done" } else { "refused" };
    let after = after.as_millis();
    let notes = vec![format!("to {to}: {came}; the {what} of {victim} killed after {after} ms")];
    Ok(Done { victim: victim.to_owned(), at, notes, ..Done::default() })
}
