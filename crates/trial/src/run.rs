//! The run of scenarios: before each deed the group is healthy, after it everything is measured,
//! and at the end of each scenario every write is counted.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;

use crate::journal::{Clock, Journal, Track};
use crate::load::{self, Load, LoadError, LoadPlan};
use crate::nemesis::{DeedError, Scene};
use crate::probe::Probes;
use crate::status::{self, Group, NotHealthy};
use crate::suites::Scenario;
use crate::target::{StoreState, Target};
use crate::verdict::{Event, Row};
use measure::Watch;

mod measure;

/// How a trial is run.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Options {
    /// The load.
    pub load: LoadPlan,
    /// Keys that are written before everything, so that there is something to lose.
    pub seeds: u32,
    /// How long the group may take until it is healthy again.
    pub healthy_within: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { load: LoadPlan::default(), seeds: 20_000, healthy_within: Duration::from_secs(120) }
    }
}

/// What is happening, for a person who waits.
#[derive(Debug)]
pub enum Progress<'a> {
    /// A scenario begins.
    Begun(&'a Scenario),
    /// A deed was done and measured.
    Event(&'a Scenario, &'a Event),
    /// A scenario is over.
    Over(&'a Row),
}

/// Told of progress, between two awaits.
pub type Listener<'a> = &'a (dyn Fn(Progress<'_>) + Send + Sync);

/// Why a scenario ended early.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The group was not healthy before or after a deed.
    #[error(transparent)]
    NotHealthy(#[from] NotHealthy),
    /// A deed could not be done.
    #[error(transparent)]
    Deed(#[from] DeedError),
    /// The trial's own keys could not be written or read.
    #[error(transparent)]
    Load(#[from] LoadError),
}

/// Does all scenarios, one after the other. What goes wrong is in the rows.
pub async fn run(
    target: &Target,
    scenarios: &[Scenario],
    options: Options,
    listener: Listener<'_>,
) -> Vec<Row> {
    let mut rows = Vec::new();
    for scenario in scenarios {
        listener(Progress::Begun(scenario));
        let row = scenario_row(target, scenario, options, listener).await;
        listener(Progress::Over(&row));
        rows.push(row);
    }
    rows
}

async fn scenario_row(
    target: &Target,
    scenario: &Scenario,
    options: Options,
    listener: Listener<'_>,
) -> Row {
    let mut row = Row::new(scenario.clone(), "");
    if target.seats.len() < scenario.members {
        row.skipped = Some(format!("needs {} members", scenario.members));
        return row;
    }
    if let Err(error) = try_scenario(target, &mut row, options, listener).await {
        row.error = Some(chain(&error));
        mend(target).await;
    }
    row.judge();
    row
}

/// Heals every cut and the store: leaves nothing broken behind that is ours to mend. Also for
/// whoever ends a trial early by dropping it; what was frozen is thawed by then.
pub async fn mend(target: &Target) {
    for deed in [target.hands.heal_all(), target.hands.store(StoreState::Up)] {
        if let Err(error) = deed.await {
            tracing::warn!(%error, "not mended");
        }
    }
}

/// An error with all its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

async fn try_scenario(
    target: &Target,
    row: &mut Row,
    options: Options,
    listener: Listener<'_>,
) -> Result<(), RunError> {
    let clock = Clock::start();
    let credentials = target.credentials.as_ref();
    let group = status::healthy(target, options.healthy_within).await?;
    row.fence = group.primary().map(|primary| primary.fence.clone()).unwrap_or_default();
    let run = format!("{}-{}", row.scenario.name, clock.wall_ms(clock.now()));
    load::seed(&target.write, credentials, &run, options.seeds).await?;
    let resyncs = measure::full_resyncs(target).await;
    let load = Load::start(target, &run, options.load, clock);
    let probes = Probes::start(target, &run, clock);
    let extra = Mutex::new(Vec::new());
    let stage = Stage { target, load: &load, probes: &probes, clock, extra: &extra, options };
    let done = stage.all(row, listener).await;
    row.full_resyncs = measure::full_resyncs(target).await.saturating_sub(resyncs);
    let probe_tracks = probes.tracks();
    probes.stop().await;
    let journal = load.stop().await;
    // What was acknowledged is counted even when a deed failed, as far as the group lets us.
    let extra = extra.into_inner().unwrap_or_else(PoisonError::into_inner);
    let counted = count(target, row, &run, &journal, [probe_tracks, extra].concat()).await;
    done.and(counted)
}

/// What stays the same over the deeds of one scenario.
struct Stage<'a> {
    target: &'a Target,
    load: &'a Load,
    probes: &'a Probes,
    clock: Clock,
    extra: &'a Mutex<Vec<Track>>,
    options: Options,
}

impl Stage<'_> {
    async fn all(&self, row: &mut Row, listener: Listener<'_>) -> Result<(), RunError> {
        let mut group = status::healthy(self.target, self.options.healthy_within).await?;
        // A load that writes is part of being ready.
        let begun = self.clock.now();
        let _ = self.load.journal().ack_after(begun, self.options.healthy_within).await;
        for number in 0..row.scenario.runs {
            // Every second deed meets a group that has just become healthy, which is when most is
            // still in motion; the others one that has been at work for a while.
            if !number.is_multiple_of(2) {
                self.work().await;
            }
            let (event, after) = self.one(&row.scenario, &group, number).await?;
            listener(Progress::Event(&row.scenario, &event));
            row.events.push(event);
            group = after;
        }
        Ok(())
    }

    /// Waits until the load has done a second's work, or cannot.
    async fn work(&self) {
        let (begun, plan) = (self.clock.now(), self.options.load);
        let wanted = plan.rate as usize * plan.writers;
        let journal = self.load.journal();
        while journal.acks_since(begun).len() < wanted {
            let now = self.clock.now();
            if journal.ack_after(now, self.options.healthy_within).await.is_none() {
                return;
            }
        }
    }

    async fn one(
        &self,
        scenario: &Scenario,
        before: &Group,
        number: u32,
    ) -> Result<(Event, Group), RunError> {
        let scene = Scene {
            target: self.target,
            before,
            load: self.load,
            probes: self.probes,
            clock: self.clock,
            seeds: self.options.seeds,
            number,
            extra: self.extra,
        };
        let done = scenario.deed.commit(&scene).await?;
        // Back is who writes again after the harm, and only then healthy: agents may not know yet
        // what happened when they are asked too early.
        let from = done.gap_from.unwrap_or(done.at);
        let settled = self.clock.now().max(from.plus(measure::NOTICED_WITHIN));
        let _ = self.load.journal().ack_after(settled, self.options.healthy_within).await;
        let after = status::healthy(self.target, self.options.healthy_within).await?;
        let healthy = self.clock.now();
        // The watch ends with an acknowledgement, so that its end is not taken for a gap.
        let last = self.load.journal().ack_after(healthy, self.options.healthy_within).await;
        let watch = Watch { healthy, end: last.unwrap_or_else(|| self.clock.now()) };
        let event = measure::event(&scene, done, &after, watch);
        Ok((event, after))
    }
}

/// Counts every write, and compares what all members hold.
async fn count(
    target: &Target,
    row: &mut Row,
    run: &str,
    journal: &Journal,
    others: Vec<Track>,
) -> Result<(), RunError> {
    let credentials = target.credentials.as_ref();
    let writers = [journal.writers.clone(), others].concat();
    row.tally = load::read_back(&target.write, credentials, run, &writers).await?;
    row.different_keys = measure::different_keys(target, run).await?;
    load::clear(&target.write, credentials, run).await?;
    Ok(())
}
