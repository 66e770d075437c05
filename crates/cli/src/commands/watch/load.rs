//! The load that a key turns on: writers through the write address, and what they notice.

use std::time::Duration;

use trial::journal::{At, Clock};
use trial::load::{Load, LoadPlan, read_back};

use crate::failure::Failure;
use crate::group::Group;
use crate::trials;

/// A gap shorter than this is a busy machine's, and not worth a line.
const GAP_FROM: Duration = Duration::from_millis(100);

/// Few enough that a laptop stays quiet.
fn plan() -> LoadPlan {
    LoadPlan { writers: 4, readers: 0, rate: 100, ..LoadPlan::default() }
}

/// The load of a live view.
#[derive(Debug, Default)]
pub(super) struct WatchLoad {
    running: Option<Running>,
    /// How many were started: each has keys of its own.
    count: u32,
}

#[derive(Debug)]
struct Running {
    load: Load,
    clock: Clock,
    /// Up to where acknowledgements were counted.
    looked: At,
    last_ack: At,
    acked: u64,
    worst: Duration,
}

/// What the load noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Noticed {
    /// Writes acknowledged since the last look.
    pub(super) new_acks: u64,
    /// Writes acknowledged altogether.
    pub(super) acked: u64,
    /// How long nothing was acknowledged, now.
    pub(super) silent: Duration,
    /// The longest time without an acknowledgement so far.
    pub(super) worst: Duration,
    /// A gap that has just ended.
    pub(super) ended: Option<Duration>,
}

impl WatchLoad {
    /// Turns the load on or off; says what came of it.
    pub(super) async fn toggle(&mut self, group: &Group) -> Result<String, Failure> {
        if let Some(running) = self.running.take() {
            return finish(running, group).await;
        }
        let (target, plan) = (trials::target(group)?, plan());
        let clock = Clock::start();
        let run = format!("watch-{}-{}", std::process::id(), self.count);
        self.count += 1;
        let load = Load::start(&target, &run, plan, clock);
        self.running = Some(Running {
            load,
            clock,
            looked: At(0),
            last_ack: clock.now(),
            acked: 0,
            worst: Duration::ZERO,
        });
        Ok(format!("load is on: {} writers, {} writes/s each", plan.writers, plan.rate))
    }

    /// Looks at what the load did since the last look.
    pub(super) fn look(&mut self) -> Option<Noticed> {
        let running = self.running.as_mut()?;
        let now = running.clock.now();
        // An acknowledgement may be noted a little later than it came.
        let until = now.minus(Duration::from_millis(20));
        let acks = running.load.journal().acks_since(running.looked);
        let mut ended = None;
        let mut new_acks = 0;
        for ack in acks.into_iter().filter(|ack| *ack < until) {
            let gap = ack.since(running.last_ack);
            if gap >= GAP_FROM {
                ended = Some(gap.max(ended.unwrap_or_default()));
            }
            running.worst = running.worst.max(gap);
            running.last_ack = running.last_ack.max(ack);
            new_acks += 1;
        }
        running.looked = until;
        running.acked += new_acks;
        Some(Noticed {
            new_acks,
            acked: running.acked,
            silent: now.since(running.last_ack),
            worst: running.worst,
            ended,
        })
    }

    /// Ends the load without counting.
    pub(super) async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.load.stop().await;
        }
    }
}

async fn finish(running: Running, group: &Group) -> Result<String, Failure> {
    let run = running.load.run().to_owned();
    let journal = running.load.stop().await;
    let target = trials::target(group)?;
    let credentials = target.credentials.as_ref();
    let tally = read_back(&target.write, credentials, &run, &journal.writers).await;
    let tally = tally.map_err(|error| {
        Failure::new("load is off; what is left of it cannot be counted").because(&error)
    })?;
    trial::load::clear(&target.write, credentials, &run)
        .await
        .map_err(|error| Failure::new("load is off; its keys cannot be removed").because(&error))?;
    Ok(format!(
        "load is off: lost {} of {} acknowledged, longest gap {} ms",
        tally.lost(),
        tally.acked,
        running.worst.as_millis()
    ))
}
