//! The API server is gone for a while.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::error::Error;
use crate::group::Look;
use crate::stage::Stage;

use super::Done;

/// Between two looks at the agents while it is gone.
const LOOK_EVERY: Duration = Duration::from_secs(1);

pub(super) async fn stop(stage: &Stage, before: Look, length: Duration) -> Result<Done, Error> {
    let primary = before.primary();
    let mut done = Done::beginning(stage, before, "API server").await?;
    stage.tools.without_api(watch(stage, &mut done, &primary, length)).await?;
    Ok(done)
}

/// The agents must be readable all along, with the same primary in authority.
async fn watch(stage: &Stage, done: &mut Done, primary: &str, length: Duration) {
    let end = Instant::now() + length;
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut looked, mut unreadable) = (0, 0);
    while looks.tick().await < end {
        let look = stage.group.look().await;
        looked += 1;
        unreadable += u32::from(!look.group.silent.is_empty());
        let leads = look.group.primary();
        let held = leads.and_then(|leads| leads.authority.as_ref());
        let same = leads.is_some_and(|leads| leads.name == primary);
        if !same || held.is_none_or(|held| held.mode == "none") {
            let who = leads.map_or("nobody", |leads| leads.name.as_str());
            let after = done.begun.elapsed().as_secs();
            done.event.violations.push(format!("after {after} s {who} leads, not {primary}"));
        }
    }
    done.event.notes.push(format!("{unreadable} of {looked} looks without an agent's answer"));
    if unreadable > 0 {
        done.event.violations.push(format!("{unreadable} of {looked} times no status"));
    }
}
