//! The run of scenarios: before each deed the group is healthy, after it everything is measured,
//! and at the end of each scenario every write is counted.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::history::{Recorded, Recorder, Source};
use crate::journal::{Clock, Track};
use crate::load::{self, Load, LoadError, LoadPlan};
use crate::nemesis::{DeedError, Scene};
use crate::probe::Probes;
use crate::process::ProcessError;
use crate::status::{self, Group, NotHealthy};
use crate::suites::Scenario;
use crate::target::{StoreState, Target};
use crate::verdict::{Event, Row};
use calm::Calm;
use measure::Watch;
use pulse::Pulse;

mod calm;
mod judge;
mod measure;
mod pulse;

/// Seconds of a load's work before a deed that is held against the calm.
const CALM: u32 = 3;

/// How a trial is run.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Options {
    /// The load.
    pub load: LoadPlan,
    /// Keys that are written before everything, so that there is something to lose.
    pub seeds: u32,
    /// How long the group may take until it is healthy again.
    pub healthy_within: Duration,
    /// Everything that is drawn comes from it.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            load: LoadPlan::default(),
            seeds: 20_000,
            healthy_within: Duration::from_secs(120),
            seed: 1,
        }
    }
}

/// Asks a trial to end after the deed at hand: what was done until then is counted and judged.
#[derive(Debug, Default)]
pub struct Stop(AtomicBool);

impl Stop {
    /// From now on nothing more is broken.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether somebody asked.
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What is happening, for a person who waits.
#[derive(Debug)]
pub enum Progress<'a> {
    /// A scenario begins.
    Begun(&'a Scenario),
    /// A deed was done and measured.
    Event(&'a Scenario, &'a Event),
    /// A part of a scenario is over: what happened in it, as the checkers read it.
    History(&'a Recorded),
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

impl RunError {
    /// A process was to be broken that had ended by itself.
    fn is_of_who_has_gone(&self) -> bool {
        let Self::Deed(DeedError::Process { source, .. }) = self else { return false };
        matches!(source, ProcessError::Gone { .. })
    }
}

/// Does all scenarios, one after the other. What goes wrong is in the rows.
pub async fn run(
    target: &Target,
    scenarios: &[Scenario],
    options: Options,
    stop: &Stop,
    listener: Listener<'_>,
) -> Vec<Row> {
    let mut rows = Vec::new();
    for scenario in scenarios {
        listener(Progress::Begun(scenario));
        let row = scenario_row(target, scenario, options, stop, listener).await;
        listener(Progress::Over(&row));
        rows.push(row);
    }
    rows
}

async fn scenario_row(
    target: &Target,
    scenario: &Scenario,
    options: Options,
    stop: &Stop,
    listener: Listener<'_>,
) -> Row {
    let mut row = Row::new(scenario.clone(), "");
    let interrupted = || Some("interrupted".to_owned());
    if stop.is_asked() {
        row.skipped = interrupted();
        return row;
    }
    if target.seats.len() < scenario.members {
        row.skipped = Some(format!("needs {} members", scenario.members));
        return row;
    }
    let mut needs = scenario.deed.needs().iter();
    if let Some(lack) = needs.find_map(|need| target.hands.lacks(*need)) {
        row.skipped = Some(lack);
        return row;
    }
    let begun = Instant::now();
    if let Err(error) = try_scenario(target, &mut row, options, stop, listener).await {
        row.error = Some(chain(&error));
        mend(target).await;
    }
    if row.error.is_none() && row.events.is_empty() && stop.is_asked() {
        row.skipped = interrupted();
        return row;
    }
    row.took_s = begun.elapsed().as_secs_f64();
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
    stop: &Stop,
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
    let names = target.seats.iter().map(|seat| seat.name.clone()).collect();
    let gate = row.fence == "gate";
    let mut recorder = Recorder::new(row.scenario.name, names, target.copies, gate, clock);
    recorder.learn(&group);
    let stage = Stage { target, load: &load, probes: &probes, clock, extra: &extra, options, stop };
    let done = stage.all(row, &mut recorder, listener).await;
    row.full_resyncs = measure::full_resyncs(target).await.saturating_sub(resyncs);
    let sources = stage.sources(&recorder);
    probes.stop().await;
    let _ = load.stop().await;
    // What was acknowledged is counted even when a deed failed, as far as the group lets us.
    let counted = count(target, row, &run, &sources).await;
    if done.is_ok() && counted.is_ok() {
        let end = judge::end(target, &mut recorder, &run, &sources).await?;
        judge::note(row, &end, listener);
    }
    load::clear(&target.write, credentials, &run).await?;
    done.and(counted)
}

/// What stays the same over the deeds of one scenario.
struct Stage<'a> {
    target: &'a Target,
    load: &'a Load,
    probes: &'a Probes,
    clock: Clock,
    extra: &'a Mutex<Vec<(String, Track)>>,
    options: Options,
    stop: &'a Stop,
}

impl Stage<'_> {
    async fn all(
        &self,
        row: &mut Row,
        recorder: &mut Recorder,
        listener: Listener<'_>,
    ) -> Result<(), RunError> {
        let (mut calm, pulse) = (Calm::default(), Pulse::start());
        let mut group = status::healthy(self.target, self.options.healthy_within).await?;
        // A load that writes is part of being ready.
        let begun = self.clock.now();
        let _ = self.load.journal().ack_after(begun, self.options.healthy_within).await;
        for number in 0..row.scenario.runs {
            if self.stop.is_asked() {
                row.scenario.runs = number;
                break;
            }
            // Every second deed meets a group that has just become healthy, which is when most is
            // still in motion; the others one that has been at work for a while.
            let wants_calm = row.scenario.deed.wants_calm();
            let turns = if wants_calm { CALM } else { number % 2 };
            for _ in 0..turns {
                self.work().await;
            }
            calm.learn(self.load.journal(), self.clock.now());
            pulse.take();
            let mut done = self.one((&row.scenario, number), (&group, recorder), &mut calm).await;
            if done.as_ref().is_err_and(RunError::is_of_who_has_gone) {
                // An agent may end a stopped engine at the very moment of its thaw: whoever was to
                // be broken is another process by now, and nothing was done yet.
                group = status::healthy(self.target, self.options.healthy_within).await?;
                done = self.one((&row.scenario, number), (&group, recorder), &mut calm).await;
            }
            let (mut event, after) = done?;
            measure::still(&mut event, pulse.take());
            listener(Progress::Event(&row.scenario, &event));
            if let Some(until) = event.answers_held {
                recorder.answers_held(&event.victim, until);
            }
            let still = event.stood_still();
            row.events.push(event);
            recorder.harmed(still || !row.scenario.deed.is_of_the_store());
            recorder.learn(&after);
            let sources = self.sources(recorder);
            let run = self.load.run();
            let part = judge::part(self.target, recorder, run, &sources, (number, &after)).await?;
            judge::note(row, &part, listener);
            group = after;
        }
        Ok(())
    }

    /// Every writer, and who it speaks to where that is known.
    fn sources(&self, recorder: &Recorder) -> Vec<Source> {
        let load = self.load.journal().writers.iter().cloned();
        let load = load.map(|track| Source { engine: None, track });
        let probed = self.probes.members().map(|member| recorder.who(member));
        let probes = probed.zip(self.probes.tracks());
        let extra = self.extra.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let extra = extra.into_iter().map(|(member, track)| (recorder.who(&member), track));
        let known = probes.chain(extra).map(|(engine, track)| Source { engine, track });
        load.chain(known).collect()
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
        (scenario, number): (&Scenario, u32),
        (before, recorder): (&Group, &Recorder),
        calm: &mut Calm,
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
            seed: self.options.seed,
            scenario: scenario.name,
            held: recorder.held(),
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
        let event = measure::event(&scene, done, &after, watch, calm);
        calm.begin(watch.end);
        Ok((event, after))
    }
}

/// Counts every write, and compares what all members hold.
async fn count(
    target: &Target,
    row: &mut Row,
    run: &str,
    sources: &[Source],
) -> Result<(), RunError> {
    let credentials = target.credentials.as_ref();
    let writers: Vec<Track> = sources.iter().map(|source| source.track.clone()).collect();
    row.tally = load::read_back(&target.write, credentials, run, &writers).await?;
    row.different_keys = measure::different_keys(target, run).await?;
    Ok(())
}
