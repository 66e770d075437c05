//! Side by side: the same load and the same faults against what people use today, as plain
//! processes on this machine, one system after the other, each event on a fresh start of it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use client::{ClientError, Endpoint, Value};

use crate::load::{LoadError, Way};
use crate::nemesis::DeedError;
use crate::process::{Frozen, ProcessError};
use crate::target::HandsError;

mod bare;
mod cluster;
mod crew;
pub mod find;
mod house;
pub mod look;
mod measure;
pub mod page;
pub mod picture;
mod plan;
mod report;
mod sentinel;
mod supervised;
pub mod text;
mod wire;

pub use cluster::join;
pub use house::{Doing, Ours};
pub use plan::{Contender, Harm, Plan, UnknownWord, choose};
pub use report::{Comparison, Event, Machine, Row, harms, misses, seconds};
pub use wire::Wire;

use bare::Bare;
use cluster::Cluster;
use crew::{Crew, Ground};
use house::House;
use look::Look;
use sentinel::{Sentinel, Waits};

/// Why a rival could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum RivalError {
    /// A process does not start.
    #[error("cannot start {}", program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// Files cannot be written or removed.
    #[error("cannot use {}", path.display())]
    Files {
        /// Which.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// There is no free port.
    #[error("no port below 22700 is free at {address}")]
    NoPort {
        /// Where.
        address: String,
    },
    /// Members can only be cut off in a network of our own.
    #[error("members cannot be cut off in a network that others use")]
    NotPrivate,
    /// The packet filter refused.
    #[error("the packet filter nft refused: {words}")]
    Filter {
        /// Its words.
        words: String,
    },
    /// A process does not answer, or refuses.
    #[error("cannot ask for {what}")]
    Call {
        /// What was asked.
        what: String,
        /// The cause.
        source: Box<ClientError>,
    },
    /// A node does not tell where a key belongs.
    #[error("{node} answered {answer:?} to CLUSTER KEYSLOT")]
    NoSlot {
        /// Who was asked.
        node: String,
        /// What it said.
        answer: Value,
    },
    /// It did not become what it was to become.
    #[error("not ready within {} s: {}", within.as_secs(), missing.join("; "))]
    NotReady {
        /// What was missing in the end.
        missing: Vec<String>,
        /// The time that it had.
        within: Duration,
    },
    /// It was not there for the event: nothing was measured, and nothing is known of it.
    #[error("could not be made ready")]
    Before {
        /// The cause.
        source: Box<RivalError>,
    },
    /// There is no such member.
    #[error("there is no member {name}")]
    NoMember {
        /// Who was looked for.
        name: String,
    },
    /// A process got no signal.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// Data could not be taken away.
    #[error(transparent)]
    Deed(#[from] DeedError),
    /// A group of ours could not be started, broken or ended.
    #[error(transparent)]
    Hands(#[from] HandsError),
    /// The load's keys could not be written or read.
    #[error(transparent)]
    Load(#[from] LoadError),
}

impl RivalError {
    fn before(self) -> Self {
        Self::Before { source: Box::new(self) }
    }
}

/// A running rival.
#[derive(Debug)]
enum Rival {
    Bare(Bare),
    Sentinel(Sentinel),
    Cluster(Cluster),
    House(House),
}

impl Rival {
    async fn start(plan: &Plan, who: Contender, ours: &dyn Ours) -> Result<Self, RivalError> {
        let ground = || Ground::new(&plan.program, &plan.wire);
        let seconds = Duration::from_secs;
        let sentinel = |down_after, failover_timeout| Waits {
            down_after: seconds(down_after),
            failover_timeout: seconds(failover_timeout),
        };
        Ok(match who {
            Contender::Bare => Self::Bare(Bare::start(ground()?).await?),
            Contender::Sentinel5 => {
                Self::Sentinel(Sentinel::start(ground()?, sentinel(5, 60)).await?)
            }
            Contender::Sentinel30 => {
                Self::Sentinel(Sentinel::start(ground()?, sentinel(30, 180)).await?)
            }
            Contender::Cluster5 => Self::Cluster(Cluster::start(ground()?, seconds(5)).await?),
            Contender::Cluster15 => Self::Cluster(Cluster::start(ground()?, seconds(15)).await?),
            Contender::Interrex => Self::House(House { target: ours.start().await? }),
        })
    }

    /// Its plain processes; ours are kept by others.
    fn crew(&self) -> Option<&Crew> {
        match self {
            Self::Bare(bare) => Some(&bare.crew),
            Self::Sentinel(sentinel) => Some(&sentinel.crew),
            Self::Cluster(cluster) => Some(&cluster.crew),
            Self::House(_) => None,
        }
    }

    /// Every member, with the address at which the clients on its own side reach its engine.
    fn members(&self) -> Vec<(String, Endpoint)> {
        if let Self::House(house) = self {
            let seats = house.target.seats.iter();
            return seats.map(|seat| (seat.name.clone(), seat.engine.clone())).collect();
        }
        let members = self.crew().map(|crew| crew.members.iter()).into_iter().flatten();
        members.map(|member| (member.name.clone(), member.side())).collect()
    }

    fn side(&self, member: &str) -> Result<Endpoint, RivalError> {
        let found = self.members().into_iter().find(|(name, _)| name == member);
        found.map(|(_, side)| side).ok_or_else(|| RivalError::NoMember { name: member.to_owned() })
    }

    /// How its clients come to who takes writes.
    fn way(&self) -> Way {
        if let Self::House(House { target }) = self {
            return Way {
                write: target.write.clone(),
                find: None,
                read: Some(target.read.clone()),
                credentials: target.credentials.clone(),
                copies: target.copies,
            };
        }
        let first = self.crew().and_then(|crew| crew.members.first());
        let address = first.map_or(Endpoint::tcp("127.0.0.1", 0), crew::Member::endpoint);
        let (find, copies) = match self {
            Self::Sentinel(sentinel) => (Some(sentinel.find()), 1),
            Self::Cluster(cluster) => (Some(cluster.find()), 1),
            Self::Bare(_) | Self::House(_) => (None, 0),
        };
        Way { write: address, find, read: None, credentials: None, copies }
    }

    async fn look(&self) -> Look {
        match self {
            Self::Bare(bare) => bare.look().await,
            Self::Sentinel(sentinel) => sentinel.look().await,
            Self::Cluster(cluster) => cluster.look().await,
            Self::House(house) => house.look().await,
        }
    }

    async fn crash(&self, member: &str) -> Result<(), RivalError> {
        match (self, self.crew()) {
            (Self::House(house), _) => house.crash(member).await,
            (_, Some(crew)) => crew.member(member)?.server.kill().await,
            (_, None) => Err(RivalError::NoMember { name: member.to_owned() }),
        }
    }

    async fn empty(&self, member: &str) -> Result<(), RivalError> {
        match (self, self.crew()) {
            (Self::House(house), _) => house.empty(member).await,
            (_, Some(crew)) => crew.empty(member).await,
            (_, None) => Err(RivalError::NoMember { name: member.to_owned() }),
        }
    }

    /// Guards of what is stopped, the engine's last.
    async fn freeze(&self, member: &str) -> Result<Vec<Frozen>, RivalError> {
        match (self, self.crew()) {
            (Self::House(house), _) => house.freeze(member).await,
            (_, Some(crew)) => crew.freeze(member),
            (_, None) => Err(RivalError::NoMember { name: member.to_owned() }),
        }
    }

    async fn cut(&self, member: &str, wire: &Wire) -> Result<(), RivalError> {
        match (self, self.crew()) {
            (Self::House(house), _) => house.cut(member).await,
            (_, Some(crew)) => wire.cut(&crew.member(member)?.place).await,
            (_, None) => Err(RivalError::NoMember { name: member.to_owned() }),
        }
    }

    async fn heal(&self, wire: &Wire) -> Result<(), RivalError> {
        match self {
            Self::House(house) => Ok(house.target.hands.heal_all().await?),
            _ => wire.heal().await,
        }
    }

    /// Its own planned way to end a primary's time without an accident.
    async fn planned(&self, member: &str) -> Result<(), RivalError> {
        match self {
            Self::Bare(bare) => bare.crew.member(member)?.server.restart().await,
            Self::Sentinel(sentinel) => sentinel.planned().await,
            Self::Cluster(cluster) => cluster.planned(member).await,
            Self::House(house) => Ok(house.target.hands.handover(None).await?),
        }
    }

    async fn end(self, ours: &dyn Ours) -> Result<(), RivalError> {
        match self {
            Self::Bare(Bare { crew }) => crew.end().await,
            Self::Sentinel(sentinel) => sentinel.crew.end().await,
            Self::Cluster(cluster) => cluster.crew.end().await,
            Self::House(_) => ours.end().await?,
        }
        Ok(())
    }
}

/// What is happening, for a person who waits.
#[derive(Debug)]
pub enum Progress<'a> {
    /// A rival is about to be broken in this way.
    Begun(&'a Row),
    /// It was.
    Event(&'a Row, &'a Event),
    /// Nothing more comes of it.
    Over(&'a Row),
}

/// Told of progress, between two awaits.
pub type Listener<'a> = &'a dyn Fn(Progress<'_>);

/// Breaks every rival of the plan in every way of it. What goes wrong is in the rows.
pub async fn run(plan: &Plan, ours: &dyn Ours, listener: Listener<'_>) -> Comparison {
    let mut rows = Vec::new();
    let mut engine = None;
    for harm in &plan.harms {
        for who in &plan.contenders {
            let mut row = Row::new(*harm, *who);
            if *harm == Harm::Partition && !plan.wire.can_cut() {
                row.skipped = Some("needs Linux, root, unshare and nft".to_owned());
                rows.push(row);
                continue;
            }
            listener(Progress::Begun(&row));
            for number in 0..plan.runs_of(*harm, *who) {
                let mut done = once(plan, *harm, *who, number, ours, &mut engine).await;
                if matches!(done, Err(RivalError::Before { .. })) {
                    // A machine that is busy for a while: once more, nothing was broken yet.
                    done = once(plan, *harm, *who, number, ours, &mut engine).await;
                }
                match done {
                    Ok(event) => {
                        listener(Progress::Event(&row, &event));
                        row.events.push(event);
                    }
                    Err(error) => {
                        row.error = Some(look::chain(&error));
                        break;
                    }
                }
            }
            listener(Progress::Over(&row));
            rows.push(row);
        }
    }
    let engine = match engine {
        Some(engine) => engine,
        None => version(&plan.program).await,
    };
    Comparison::new(plan, engine, rows)
}

async fn once(
    plan: &Plan,
    harm: Harm,
    who: Contender,
    number: u32,
    ours: &dyn Ours,
    engine: &mut Option<String>,
) -> Result<Event, RivalError> {
    let rival = match Rival::start(plan, who, ours).await {
        Ok(rival) => rival,
        Err(error) => {
            if who == Contender::Interrex {
                // What was begun is not to be left.
                let _ = ours.end().await;
            }
            return Err(error.before());
        }
    };
    if let Rival::House(house) = &rival {
        *engine = engine.take().or(house.engine().await);
    }
    let event = measure::event(&rival, harm, number, &plan.wire).await;
    let ended = rival.end(ours).await;
    let event = event?;
    ended?;
    Ok(event)
}

/// The engine's version in its own words, shortened: `redis-server 7.0.15`.
async fn version(program: &Path) -> String {
    let output = tokio::process::Command::new(program).arg("--version").output().await;
    let said = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let said = said.unwrap_or_default();
    let number = said.split_whitespace().find_map(|word| word.strip_prefix("v="));
    let name = if said.to_lowercase().contains("valkey") { "valkey" } else { "redis" };
    format!("{name} {}", number.unwrap_or("of an unknown version"))
}
