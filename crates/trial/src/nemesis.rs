//! The deeds: what is done to a group, by signals, files and the group's own hands. Each does one
//! harm to one member (or to the store), heals it, and says when it was done and what it saw.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use client::ClientError;
use serde::Serialize;
use sim::Prng;

use crate::journal::{At, Clock, Track};
use crate::load::Load;
use crate::partition::{Price, stream};
use crate::probe::Probes;
use crate::process::{Process, ProcessError};
use crate::status::{Group, NotHealthy};
use crate::target::{CutFrom, HandsError, Need, Seat, StoreState, Target};

mod cut;
mod disk;
mod empty;
mod freezer;
mod full_sync;
mod handover;
mod kill;
mod partition;
mod pause;
mod restart;
mod store;
mod swarm;

pub(crate) use empty::clear_directory;

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
    RestartAll {
        /// At other addresses than before.
        moved: bool,
    },
    /// Planes of a drawn member are cut, each its own way, for a drawn time.
    Partition {
        /// The longest time.
        longest: Duration,
    },
    /// The primary's processes are stopped with writes queued, and thawed before, at and after the
    /// end of its authority, in turns.
    Thaw {
        /// Which of them.
        stopped: Stopped,
        /// A challenger's wait.
        wait: Duration,
    },
    /// A drawn member stops as a whole for a drawn time.
    FreezeMember {
        /// The longest time.
        longest: Duration,
    },
    /// The store has a fault.
    StoreFault {
        /// Which.
        fault: StoreState,
        /// How long.
        length: Duration,
    },
    /// The store is gone, and a replica stands still.
    StoreAndReplica {
        /// How long.
        length: Duration,
    },
    /// A handover, and somebody who has a part in it is killed in the middle.
    HandoverKill,
    /// A replica's disk is full when the primary is killed.
    DiskOfReplica,
    /// The primary's disk is full.
    DiskOfPrimary,
    /// The primary is killed in the middle of a replica's full sync.
    FullSync {
        /// How large the dataset is.
        megabytes: u32,
    },
    /// Any of the others, drawn.
    Swarm {
        /// A challenger's wait.
        wait: Duration,
    },
    /// The wall clock is turned by an hour: nowhere yet.
    WallClock,
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
    /// Writes that belong to no load and to no prober, with the member that they went to; counted
    /// at the end like all others.
    pub extra: &'a Mutex<Vec<(String, Track)>>,
    /// The trial's seed: everything drawn comes from it.
    pub seed: u64,
    /// The scenario's name, a part of what is drawn.
    pub scenario: &'a str,
    /// Whose answers to clients the network held in the deeds before, by their seats, and until
    /// when: some come long after.
    pub held: &'a [(usize, At)],
}

/// A deed that was done.
#[derive(Clone, Debug, Default)]
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
    /// What it may cost clients, where that differs from deed to deed.
    pub price: Option<Price>,
    /// The network held the victim's answers to clients until then: when one of a write sent before
    /// came says nothing of when it was given.
    pub answers_held: Option<At>,
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
    /// The group's write address did not do what the deed needs.
    #[error("cannot {what} at the write address")]
    Call {
        /// What was to be done.
        what: &'static str,
        /// The cause.
        source: Box<ClientError>,
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
            Self::RestartAll { moved } => restart::all(scene, moved).await,
            Self::Partition { longest } => partition::random(scene, longest).await,
            Self::Thaw { stopped, wait } => pause::thaw(scene, stopped, wait).await,
            Self::FreezeMember { longest } => freezer::whole(scene, longest).await,
            Self::StoreFault { fault, length } => store::fault(scene, fault, length).await,
            Self::StoreAndReplica { length } => store::and_replica(scene, length).await,
            Self::HandoverKill => handover::and_kill(scene).await,
            Self::DiskOfReplica => disk::of_replica(scene).await,
            Self::DiskOfPrimary => disk::of_primary(scene).await,
            Self::FullSync { megabytes } => full_sync::broken(scene, megabytes).await,
            Self::Swarm { wait } => swarm::any(scene, wait).await,
            Self::WallClock => Err(DeedError::Nobody("wall clock of its own")),
        }
    }

    /// What it needs that not every place has.
    pub fn needs(self) -> &'static [Need] {
        match self {
            Self::Partition { .. } | Self::RestartAll { moved: true } => &[Need::Networks],
            Self::FreezeMember { .. } => &[Need::Freezer],
            Self::Swarm { .. } => &[Need::Networks, Need::Freezer],
            Self::DiskOfReplica | Self::DiskOfPrimary => &[Need::SmallDisk],
            Self::StoreFault { .. } => &[Need::StoreFaults],
            Self::WallClock => &[Need::WallClock],
            _ => &[],
        }
    }

    /// Whether nothing but the store of the record is touched: then nobody may take over.
    pub(crate) fn is_of_the_store(self) -> bool {
        matches!(
            self,
            Self::StoreDown { crash: false, .. }
                | Self::StoreSlow { .. }
                | Self::StoreFault { .. }
                | Self::Cut { from: CutFrom::Store, .. }
        )
    }

    /// Whether it is held against the same clients' calm: then there must be one.
    pub(crate) fn wants_calm(self) -> bool {
        matches!(self, Self::Partition { .. })
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

    fn keep(&self, member: &str, track: Track) {
        let mut extra = self.extra.lock().unwrap_or_else(PoisonError::into_inner);
        extra.push((member.to_owned(), track));
    }

    /// All members, the primary first.
    fn primary_first(&self) -> Result<Vec<&str>, DeedError> {
        let (_, primary) = self.primary()?;
        let names = self.target.seats.iter().map(|seat| seat.name.as_str());
        let others = names.filter(|name| *name != primary.name);
        Ok(std::iter::once(primary.name.as_str()).chain(others).collect())
    }

    /// This deed's own stream of random numbers.
    fn stream(&self) -> Prng {
        stream(self.seed, self.scenario, self.number)
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
