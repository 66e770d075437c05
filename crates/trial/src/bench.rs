//! What the house costs: throughput at a member's own engine against the same engine bare, on the
//! same machine, with the same directives and as many replicas, in turns.

use std::path::PathBuf;
use std::time::Duration;

use client::{ClientError, Credentials, Endpoint};
use serde::Serialize;

use crate::load::{self, LoadError};
use crate::status::{self, InfoOfError, NotHealthy};
use crate::target::{Seat, Target};
use crate::verdict::median;

mod bare;
mod generator;
mod rest;
pub mod text;

pub use rest::{AgentAtRest, CPU_PERCENT, RSS_MIB, at_rest};

/// How a bench is run.
#[derive(Clone, Debug, Serialize)]
pub struct BenchPlan {
    /// Turns of each side; medians are taken over them.
    pub rounds: usize,
    /// How long each turn of each workload is.
    pub length: Duration,
    /// Connections of the generator, all in one thread: enough to keep an engine busy, and one core
    /// is left for it.
    pub connections: usize,
    /// Bytes of a value.
    pub value_bytes: usize,
    /// Different keys.
    pub keys: u32,
    /// The engine's program; found by the running process when `None` (Linux only).
    pub program: Option<PathBuf>,
    /// How long the agents are watched at rest.
    pub rest: Duration,
}

impl Default for BenchPlan {
    fn default() -> Self {
        Self {
            rounds: 5,
            length: Duration::from_millis(1500),
            connections: 16,
            value_bytes: 64,
            keys: 10_000,
            program: None,
            rest: Duration::from_secs(20),
        }
    }
}

/// A kind of command, so many at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Workload {
    /// The command.
    pub command: Verb,
    /// Commands sent before their answers are read.
    pub pipeline: usize,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Verb {
    /// Writes.
    Set,
    /// Reads.
    Get,
}

/// All workloads.
pub const WORKLOADS: [Workload; 4] = [
    Workload { command: Verb::Set, pipeline: 1 },
    Workload { command: Verb::Get, pipeline: 1 },
    Workload { command: Verb::Set, pipeline: 16 },
    Workload { command: Verb::Get, pipeline: 16 },
];

/// The ratio that is wanted, and the one that must be (docs/SPECIFICATION.md).
pub const WANTED: f64 = 0.98;
/// See [`WANTED`].
pub const MUST: f64 = 0.95;

/// One turn of one side.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Turn {
    /// Commands answered per second.
    pub per_s: f64,
    /// Processor time of the engine for each of them, in microseconds.
    pub cpu_us: f64,
}

/// One workload on both sides.
#[derive(Clone, Debug, Serialize)]
pub struct BenchRow {
    /// Which.
    pub workload: Workload,
    /// The group's turns.
    pub group: Vec<Turn>,
    /// The bare engine's turns, each beside the group's of the same place.
    pub bare: Vec<Turn>,
    /// The group's commands per second over the bare engine's: the median over the rounds.
    pub ratio: f64,
    /// Processor time for a command, bare over group, the same median: what the same processor
    /// would give. Steadier than `ratio` on a busy machine, and blind to what others of the house
    /// take.
    pub cpu_ratio: f64,
}

impl BenchRow {
    fn new(workload: Workload) -> Self {
        Self { workload, group: Vec::new(), bare: Vec::new(), ratio: 0.0, cpu_ratio: 0.0 }
    }

    fn judge(&mut self) {
        self.ratio = over(&self.group, &self.bare, |turn| turn.per_s);
        self.cpu_ratio = over(&self.bare, &self.group, |turn| turn.cpu_us);
    }
}

/// The median of one over the other, round by round: what slows the machine down for a while slows
/// both sides of a round. 0 when there is nothing to divide by.
fn over(one: &[Turn], other: &[Turn], of: impl Fn(&Turn) -> f64) -> f64 {
    let pairs = one.iter().zip(other).map(|(one, other)| (of(one), of(other)));
    median(pairs.filter(|(_, other)| *other > 0.0).map(|(one, other)| one / other).collect())
}

/// What a bench has shown.
#[derive(Clone, Debug, Serialize)]
pub struct BenchReport {
    /// `interrex-bench/1`: fields are added, never renamed.
    pub schema: &'static str,
    /// The group's tag.
    pub group: String,
    /// The engine.
    pub engine: String,
    /// `gate` or `process`.
    pub fence: String,
    /// Replicas on both sides.
    pub replicas: usize,
    /// Directives that the bare engine could not be given, with both values.
    pub different: Vec<(String, String, String)>,
    /// How it was run.
    pub plan: BenchPlan,
    /// One row a workload.
    pub rows: Vec<BenchRow>,
    /// The agents at rest.
    pub agents: Vec<AgentAtRest>,
}

impl BenchReport {
    /// Whether every ratio is at least what it must be, and every agent as small.
    pub fn passed(&self) -> bool {
        self.rows.iter().all(|row| row.ratio >= MUST) && self.agents.iter().all(AgentAtRest::passed)
    }
}

/// Why a bench was not finished.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The group is not healthy.
    #[error("the group is not ready for a bench")]
    NotHealthy(#[from] NotHealthy),
    /// The engine's program is not known.
    #[error("the program of the running engine is not known; name it")]
    NoProgram,
    /// The bare engine does not start.
    #[error("cannot start a bare {program}")]
    Spawn {
        /// The program.
        program: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// No place for the bare engine's files.
    #[error("cannot make a directory for the bare engine in {directory}")]
    Scratch {
        /// Where.
        directory: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The bare engine did not come up, or its replicas did not attach.
    #[error("the bare engine did not become ready within {} s: {missing}", within.as_secs())]
    NotReady {
        /// What was missing.
        missing: String,
        /// The time that it had.
        within: Duration,
    },
    /// An engine does not answer.
    #[error("cannot {what}")]
    Call {
        /// What was to be done.
        what: &'static str,
        /// The cause.
        source: Box<ClientError>,
    },
    /// An engine's figures cannot be read.
    #[error(transparent)]
    Info(#[from] InfoOfError),
    /// The trial's keys could not be removed.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The generator's thread ended.
    #[error("the load generator ended early")]
    Generator,
}

pub(crate) fn call_error(what: &'static str) -> impl Fn(ClientError) -> BenchError {
    move |source| BenchError::Call { what, source: Box::new(source) }
}

/// One side of the bench.
struct Side {
    engine: Endpoint,
    credentials: Option<Credentials>,
    target: Target,
    seat: Seat,
}

impl Side {
    async fn slice(&self, workload: Workload, plan: &BenchPlan) -> Result<Slice, BenchError> {
        let before = status::info(&self.target, &self.seat).await?.cpu_ms.unwrap_or(0);
        let credentials = self.credentials.clone();
        let done = generator::run(self.engine.clone(), credentials, workload, plan.clone()).await?;
        let after = status::info(&self.target, &self.seat).await?.cpu_ms.unwrap_or(0);
        Ok(Slice { done, cpu_ms: after.saturating_sub(before) })
    }
}

/// A part of a turn.
#[derive(Default)]
struct Slice {
    done: generator::Work,
    cpu_ms: u64,
}

impl Slice {
    fn add(&mut self, other: &Slice) {
        self.done.counted += other.done.counted;
        self.done.all += other.done.all;
        self.done.took += other.done.took;
        self.cpu_ms += other.cpu_ms;
    }

    fn turn(&self) -> Turn {
        let cpu_us = self.cpu_ms as f64 * 1000.0;
        Turn {
            per_s: self.done.counted as f64 / self.done.took.as_secs_f64(),
            cpu_us: cpu_us / (self.done.all.max(1) as f64),
        }
    }
}

/// One turn of each side, in slices that take turns: what else the machine does hits both alike.
/// Who is first changes with each slice (a b, b a), so that a machine that gets slower favours
/// nobody.
async fn round(
    ours: &Side,
    theirs: &Side,
    workload: Workload,
    plan: &BenchPlan,
) -> Result<(Turn, Turn), BenchError> {
    let plan = BenchPlan { length: plan.length / SLICES, ..plan.clone() };
    let (mut group, mut bare) = (Slice::default(), Slice::default());
    for slice in 0..SLICES {
        if slice % 2 == 0 {
            group.add(&ours.slice(workload, &plan).await?);
            bare.add(&theirs.slice(workload, &plan).await?);
        } else {
            bare.add(&theirs.slice(workload, &plan).await?);
            group.add(&ours.slice(workload, &plan).await?);
        }
    }
    Ok((group.turn(), bare.turn()))
}

/// Slices of a turn: even, so that each side is first as often.
const SLICES: u32 = 8;

/// Runs the bench. `listener` is told after each round: which, of how many.
pub async fn bench(
    target: &Target,
    plan: BenchPlan,
    listener: &(dyn Fn(usize, usize) + Send + Sync),
) -> Result<BenchReport, BenchError> {
    let group = status::healthy(target, Duration::from_secs(60)).await?;
    let primary = group.primary().ok_or(BenchError::NoProgram)?;
    let seat = target.seat(&primary.name).ok_or(BenchError::NoProgram)?;
    let replicas = target.seats.len() - 1;
    let program = plan.program.clone().or_else(|| running(primary.engine_pid));
    let program = program.ok_or(BenchError::NoProgram)?;
    let bare = bare::Bare::start(target, seat, &program, replicas).await?;
    let ours = Side {
        engine: seat.engine.clone(),
        credentials: target.credentials.clone(),
        target: target.clone(),
        seat: seat.clone(),
    };
    let theirs = bare.side();
    let mut rows: Vec<BenchRow> = WORKLOADS.into_iter().map(BenchRow::new).collect();
    for number in 0..plan.rounds {
        listener(number, plan.rounds);
        for row in &mut rows {
            let (group, bare) = round(&ours, &theirs, row.workload, &plan).await?;
            row.group.push(group);
            row.bare.push(bare);
        }
    }
    rows.iter_mut().for_each(BenchRow::judge);
    load::clear(&seat.engine, target.credentials.as_ref(), generator::RUN).await?;
    let different = bare.different.clone();
    drop(bare);
    let agents = at_rest(&group, plan.rest).await;
    Ok(BenchReport {
        schema: "interrex-bench/1",
        group: target.group.clone(),
        engine: primary.engine.clone(),
        fence: primary.fence.clone(),
        replicas,
        different,
        plan,
        rows,
        agents,
    })
}

/// The program of a running process, where the system tells.
fn running(pid: u32) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{pid}/exe")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(of: &[(f64, f64)]) -> Vec<Turn> {
        of.iter().map(|(per_s, cpu_us)| Turn { per_s: *per_s, cpu_us: *cpu_us }).collect()
    }

    #[test]
    fn ratios_are_of_rounds_and_an_outlier_moves_nothing() {
        let mut row = BenchRow::new(WORKLOADS[0]);
        row.group = turns(&[(96.0, 10.0), (1.0, 10.0), (48.5, 10.0), (98.0, 50.0), (99.0, 10.0)]);
        row.bare = turns(&[(100.0, 9.0), (100.0, 9.0), (50.0, 9.0), (100.0, 1.0), (90.0, 9.0)]);
        row.judge();
        assert!((row.ratio - 0.97).abs() < 1e-9 && (row.cpu_ratio - 0.9).abs() < 1e-9, "{row:?}");
    }

    #[test]
    fn nothing_measured_is_no_success() {
        let mut row = BenchRow::new(WORKLOADS[0]);
        row.judge();
        assert!(row.ratio < MUST);
    }
}
