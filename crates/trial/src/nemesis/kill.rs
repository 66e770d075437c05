//! `kill -9`, of the engine or of the agent above it.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{DeedError, Done, Scene, agent_of, engine_of, process_error};
use crate::process::Process;

/// How long an engine may outlive its agent: the kernel sends its signal at once.
const ORPHAN_WITHIN: Duration = Duration::from_millis(500);
/// Between two looks at the orphan.
const LOOK_EVERY: Duration = Duration::from_millis(1);

pub(super) fn engine(scene: &Scene<'_>) -> Result<Done, DeedError> {
    let (victim, engine) = scene.primary_engine()?;
    let at = scene.clock.now();
    engine.kill().map_err(process_error("engine", &victim))?;
    Ok(Done { victim: victim.clone(), at, ..Done::default() })
}

pub(super) async fn agent(scene: &Scene<'_>) -> Result<Done, DeedError> {
    let (report, _) = scene.primary()?;
    let (engine, agent) = (engine_of(report)?, agent_of(report)?);
    let at = scene.clock.now();
    agent.kill().map_err(process_error("agent", &report.name))?;
    let mut done = Done { victim: report.name.clone(), at, ..Done::default() };
    match gone(engine, ORPHAN_WITHIN).await {
        Some(after) => done.notes.push(format!("its engine died {} ms later", after.as_millis())),
        None => done.violations.push(format!(
            "engine {} outlived its agent by more than {} ms",
            engine.pid(),
            ORPHAN_WITHIN.as_millis()
        )),
    }
    Ok(done)
}

/// Waits until a process is gone; `None` if it is still there after `within`.
async fn gone(process: Process, within: Duration) -> Option<Duration> {
    let begun = Instant::now();
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while process.is_there() {
        if begun.elapsed() > within {
            return None;
        }
        looks.tick().await;
    }
    Some(begun.elapsed())
}
