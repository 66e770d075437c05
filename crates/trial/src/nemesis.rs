//! The deeds: what is done to a group, by signals, files and the group's own hands. Each does one
//! harm to one member (or to the store), heals it, and says when it was done and what it saw.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;

use crate::journal::{At, Clock, Track};
use crate::load::Load;
use crate::probe::Probes;
use crate::process::{Process, ProcessError};
use crate::status::{Group, NotHealthy};
use crate::target::{CutFrom, HandsError, Seat, Target};

mod cut;
mod empty;
mod handover;
mod kill;
mod pause;
mod restart;
mod store;

/// What is stopped by a freeze.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stopped {
    /// The engine alone.
    Engine,
    /// The agent alone.
    Agent,
    /// Both: the freeze of a container.
    Both,
}

/// A harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "deed")]
pub enum Deed {
    /// `kill -9` of the primary's engine.
    KillEngine,
    /// `kill -9` of the primary's agent.
    KillAgent,
    /// The primary's processes are stopped, writes are queued on its open connections, and it is
    /// thawed again.
    Freeze {
        /// Which of them.
        stopped: Stopped,
        /// How long.
        length: Duration,
        /// Next to no load meanwhile.
        idle: bool,
    },
    /// The primary's engine is killed and its data are gone before it starts again.
    Empty,
    /// A planned handover to another member, a different one each time.
    Handover,
    /// The primary is cut off, and healed.
    Cut {
        /// From whom.
        from: CutFrom,
        /// How long.
        length: Duration,
    },
    /// The store is gone, and comes back.
    StoreDown {
        /// How long.
        length: Duration,
        /// The primary's engine is killed meanwhile.
        crash: bool,
    },
    /// Every call to the store takes longer.
    StoreSlow {
        /// By how much.
        delay: Duration,
        /// How long.
        length: Duration,
    },
    /// All members are stopped, one is wiped, another gets older data, and they are started in
    /// another order each time.
    RestartAll,
}

/// Where a deed is done.
#[derive(Debug)]
pub struct Scene<'a> {
    /// The group.
    pub target: &'a Target,
    /// What it looked like just before: healthy.
    pub before: &'a Group,
    /// The load on it.
    pub load: &'a Load,
    /// Who acknowledges.
    pub probes: &'a Probes,
    /// The clock of all times.
    pub clock: Clock,
    /// Keys that were written before everything.
    pub seeds: u32,
    /// Which time it is done, from 0: for what must be different each time.
    pub number: u32,
    /// Writes that belong to no load and to no prober; counted at the end like all others.
    pub extra: &'a Mutex<Vec<Track>>,
}

/// A deed that was done.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Done {
    /// To whom.
    pub victim: String,
    /// When the harm began.
    pub at: At,
    /// From when the write gap counts, when that is not when the harm began: a store that is back.
    pub gap_from: Option<At>,
    /// Writes that were queued on open connections of a frozen engine.
    pub queued: u64,
    /// How many of them were acknowledged after the thaw.
    pub late_acks: u64,
    /// What should not have been.
    pub violations: Vec<String>,
    /// What else is worth a line.
    pub notes: Vec<String>,
}

/// Why a deed could not be done. Then nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum DeedError {
    /// The group has no such member, or nobody leads.
    #[error("the group has no {0}")]
    Nobody(&'static str),
    /// A process got no signal.
    #[error("cannot reach the {what} of {member}")]
    Process {
        /// `engine` or `agent`.
        what: &'static str,
        /// The member.
        member: String,
        /// The cause.
        source: ProcessError,
    },
    /// The group's own hands failed.
    #[error("a deed failed")]
    Hands(#[from] HandsError),
    /// A member's files could not be emptied, copied or put back.
    #[error("cannot {what} {path}")]
    Files {
        /// What was to be done.
        what: &'static str,
        /// With what.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A task of the deed failed.
    #[error("a task of the deed ended early")]
    Task(#[from] tokio::task::JoinError),
    /// What the deed waits for did not come.
    #[error("the group did not do its part")]
    Waited(#[from] NotHealthy),
}

impl Deed {
    /// Does it, and undoes what can be undone. The group need not be healthy again afterwards.
    pub async fn commit(self, scene: &Scene<'_>) -> Result<Done, DeedError> {
        match self {
            Self::KillEngine => kill::engine(scene),
            Self::KillAgent => kill::agent(scene).await,
            Self::Freeze { stopped, length, idle } => {
                pause::freeze(scene, stopped, length, idle).await
            }
            Self::Empty => empty::empty(scene).await,
            Self::Handover => handover::handover(scene).await,
            Self::Cut { from, length } => cut::cut(scene, from, length).await,
            Self::StoreDown { length, crash } => store::down(scene, length, crash).await,
            Self::StoreSlow { delay, length } => store::slow(scene, delay, length).await,
            Self::RestartAll => restart::all(scene).await,
        }
    }
}

impl Scene<'_> {
    /// Who leads, where it sits.
    fn primary(&self) -> Result<(&brain::report::MemberReport, &Seat), DeedError> {
        let report = self.before.primary().ok_or(DeedError::Nobody("primary"))?;
        let seat =
            self.target.seat(&report.name).ok_or(DeedError::Nobody("seat of its primary"))?;
        Ok((report, seat))
    }

    /// The primary's engine as a process.
    fn primary_engine(&self) -> Result<(String, Process), DeedError> {
        let (report, _) = self.primary()?;
        engine_of(report).map(|process| (report.name.clone(), process))
    }

    fn keep(&self, track: Track) {
        self.extra.lock().unwrap_or_else(PoisonError::into_inner).push(track);
    }
}

fn engine_of(report: &brain::report::MemberReport) -> Result<Process, DeedError> {
    Process::of(report.engine_pid).map_err(process_error("engine", &report.name))
}

fn agent_of(report: &brain::report::MemberReport) -> Result<Process, DeedError> {
    Process::of(report.agent_pid).map_err(process_error("agent", &report.name))
}

fn process_error<'a>(
    what: &'static str,
    member: &'a str,
) -> impl Fn(ProcessError) -> DeedError + 'a {
    move |source| DeedError::Process { what, member: member.to_owned(), source }
}
