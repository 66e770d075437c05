//! Freezes: the primary's processes are stopped with writes queued on open connections, and thawed.
//! A thawed engine executes what was queued before anybody can stop it from outside (failover.md
//! 0).

use std::time::Duration;

use tokio::time::{sleep, sleep_until};

use super::{DeedError, Done, Scene, Stopped, agent_of, engine_of, process_error};
use crate::queue::Queue;

/// Writes per second of a writer while idle: enough to see the gap end.
const IDLE_RATE: u32 = 10;

pub(super) async fn freeze(
    scene: &Scene<'_>,
    stopped: Stopped,
    length: Duration,
    idle: bool,
) -> Result<Done, DeedError> {
    let (report, seat) = scene.primary()?;
    let (engine, agent) = (engine_of(report)?, agent_of(report)?);
    let name = format!("queue-{}-{}", scene.number, seat.name);
    let credentials = scene.target.credentials.as_ref();
    let mut queue =
        Queue::open(&seat.engine, credentials, scene.load.run(), &name, scene.clock).await;
    scene.keep(&seat.name, queue.track());
    if idle {
        scene.load.set_rate(IDLE_RATE);
        // So that the last of the full load has been answered before the freeze.
        sleep(Duration::from_secs(1) / IDLE_RATE).await;
    }
    let at = scene.clock.now();
    let until = tokio::time::Instant::now() + length;
    let mut frozen = Vec::new();
    if stopped != Stopped::Engine {
        frozen.push(agent.freeze().map_err(process_error("agent", &report.name))?);
    }
    if stopped != Stopped::Agent {
        frozen.push(engine.freeze().map_err(process_error("engine", &report.name))?);
    }
    let mut done = Done { victim: report.name.clone(), at, ..Done::default() };
    if stopped != Stopped::Agent {
        done.queued = queue.fill().await;
    }
    // The length of the harm, not a wait for anything.
    sleep_until(until).await;
    let before_thaw = scene.clock.now();
    // The engine first: the worst case, nobody watches it.
    while let Some(process) = frozen.pop() {
        process.thaw();
    }
    if idle {
        scene.load.set_rate(scene.load.plan_rate());
    }
    let acked = queue.settle().await;
    done.late_acks = acked;
    let waited = scene.clock.now().since(before_thaw).as_millis();
    done.notes.push(format!("{acked} of {} queued acknowledged in {waited} ms", done.queued));
    Ok(done)
}

/// Less than a challenger's wait by which authority ends before it: W less δ, about 4.5 s of 5.
const AUTHORITY_ENDS: Duration = Duration::from_millis(500);

/// The same for a time that is drawn: by turns the thaw comes before, at and after the end of the
/// primary's authority. Whether an answer was late then depends on who led: the checkers know.
pub(super) async fn thaw(
    scene: &Scene<'_>,
    stopped: Stopped,
    wait: Duration,
) -> Result<Done, DeedError> {
    let mut draw = scene.stream();
    let end = wait.saturating_sub(AUTHORITY_ENDS).as_millis() as u64;
    let ms = match scene.number % 3 {
        0 => draw.range(end / 5, end * 4 / 5),
        1 => draw.range(end.saturating_sub(250), end + 250),
        _ => draw.range(end + 1500, end + 6000),
    };
    let mut done = freeze(scene, stopped, Duration::from_millis(ms), false).await?;
    done.late_acks = 0;
    done.notes.push(format!("thawed after {ms} ms"));
    Ok(done)
}
