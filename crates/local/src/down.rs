//! Ending a group: exactly what `up` started, in the order that loses nothing.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use brain::report::MemberReport;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::home::{Home, HomeError, Part};
use crate::observe;
use crate::ports::is_free;
use crate::process::{Ended, Process, ProcessError};

/// How long the keeper, the store and the links may take: they have nothing to put in order.
const SHORT: Duration = Duration::from_secs(5);

/// How long a member may take to tell which process its engine is.
const ASK: Duration = Duration::from_secs(1);

/// How long an engine may outlive its agent: the kernel ends it with the agent.
const ENGINE_AFTER: Duration = Duration::from_secs(5);

/// How often a port is looked at that an engine is to leave.
const LOOK: Duration = Duration::from_millis(20);

/// How long agents may take: each lets its engine save its data first.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How long an agent may take that does not answer when it is asked: it was stopped, or is stuck.
const SILENT_PATIENCE: Duration = Duration::from_secs(15);

/// Why a group is not, or not wholly, down.
#[derive(Debug, thiserror::Error)]
pub enum DownError {
    /// The directory is in use or cannot be used.
    #[error("cannot end group {tag}")]
    Home {
        /// The group.
        tag: String,
        /// What is in the way.
        source: HomeError,
    },
    /// A part does not end.
    #[error("cannot end the {part} of group {tag}")]
    Part {
        /// The group.
        tag: String,
        /// The part.
        part: Part,
        /// What is in the way.
        source: ProcessError,
    },
    /// An engine outlives its agent.
    #[error("the agent of {member} has ended, but something listens on its engine's port {port}")]
    Engine {
        /// The member.
        member: String,
        /// The port.
        port: u16,
    },
    /// The directory stays.
    #[error("group {tag} is down, but {} cannot be removed", path.display())]
    Remove {
        /// The group.
        tag: String,
        /// The directory.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
}

impl DownError {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Home { source, .. } => source.hint(),
            Self::Part { source, .. } => source.hint(),
            Self::Engine { port, .. } => {
                Some(format!("see what it is: `ss -ltnp 'sport = :{port}'` or `lsof -i :{port}`"))
            }
            Self::Remove { path, .. } => Some(format!("rm -r {}", path.display())),
        }
    }
}

/// What `down` did.
#[derive(Debug)]
pub struct Down {
    /// How each part that ran has ended.
    pub ended: Vec<(Part, Ended)>,
    /// True when the group's directory is gone.
    pub removed: bool,
}

/// Ends a group. Its directory is removed when `wipe` says so, and when nobody gave it a tag.
pub async fn down(home: &Home, wipe: bool) -> Result<Down, DownError> {
    let tag = home.group().tag.clone();
    let lock = home.lock_change().map_err(|source| DownError::Home { tag, source })?;
    let ended = stop(home).await?;
    let removed = wipe || !home.group().kept;
    if removed {
        remove(home)?;
    }
    drop(lock);
    Ok(Down { ended, removed })
}

/// Ends all processes of a group: first the keeper, so that nothing is started again; then all
/// agents together, while the store can still take their release; then store and links.
pub(crate) async fn stop(home: &Home) -> Result<Vec<(Part, Ended)>, DownError> {
    let mut ended = Vec::new();
    ended.extend(end(home, &Part::Keeper, SHORT).await?);
    let members = look(home).await;
    let mut agents = JoinSet::new();
    for Member { name, answers, .. } in &members {
        let (home, part) = (home.clone(), Part::Agent(name.clone()));
        let name = name.clone();
        let patience = if *answers { PATIENCE } else { SILENT_PATIENCE };
        agents.spawn(async move { end_agent(&home, &part, &name, patience).await });
    }
    let agents = agents.join_all().await;
    for agent in agents {
        ended.extend(agent?);
    }
    let tag = || home.group().tag.clone();
    for Member { name, engine, .. } in members {
        // Where the kernel does not end the engine with its agent, this does.
        if let Some(engine) = engine
            && !engine.is_gone_within(ENGINE_AFTER).await
        {
            let part = Part::Agent(name);
            engine.end(SHORT).await.map_err(|source| DownError::Part {
                tag: tag(),
                part,
                source,
            })?;
        }
    }
    for part in [Part::Links, Part::Store] {
        ended.extend(end(home, &part, SHORT).await?);
    }
    if !ended.is_empty() {
        verify(home).await?;
    }
    Ok(ended)
}

async fn end(
    home: &Home,
    part: &Part,
    patience: Duration,
) -> Result<Option<(Part, Ended)>, DownError> {
    let path = home.pid_file(part);
    let failed =
        |source| DownError::Part { tag: home.group().tag.clone(), part: part.clone(), source };
    let Some(process) = Process::read(&path).map_err(failed)? else { return Ok(None) };
    let ended = process.end(patience).await.map_err(failed)?;
    if let Err(error) = fs::remove_file(&path) {
        tracing::debug!(%part, %error, "a pid file stays");
    }
    Ok((ended != Ended::Before).then(|| (part.clone(), ended)))
}

/// Ends an agent, also one that was being started and had not noted itself yet: it holds the lock.
async fn end_agent(
    home: &Home,
    part: &Part,
    name: &str,
    patience: Duration,
) -> Result<Option<(Part, Ended)>, DownError> {
    let limit = Instant::now() + patience + SHORT;
    let mut ended = None;
    loop {
        ended = end(home, part, patience).await?.or(ended);
        match home.lock_member(name) {
            Err(source @ HomeError::Busy { .. }) if Instant::now() >= limit => {
                return Err(DownError::Home { tag: home.group().tag.clone(), source });
            }
            Err(HomeError::Busy { .. }) => tokio::time::sleep(LOOK).await,
            _ => return Ok(ended),
        }
    }
}

/// A member as it is before its end.
struct Member {
    name: String,
    /// Whether its agent answers: one that does knows what it still has to do.
    answers: bool,
    /// Its engine, by pid and start, as the agent tells it.
    engine: Option<Process>,
}

async fn look(home: &Home) -> Vec<Member> {
    let reports = observe::reports(home, ASK).await;
    let member = |(name, report): (String, Result<MemberReport, _>)| {
        let pid = report.as_ref().ok().and_then(|report| i32::try_from(report.engine_pid).ok());
        let engine = pid.filter(|pid| *pid > 1).and_then(Process::of);
        Member { name, answers: report.is_ok(), engine }
    };
    reports.into_iter().map(member).collect()
}

/// Says which engine is still there, if its agent could not tell before it ended.
async fn verify(home: &Home) -> Result<(), DownError> {
    for member in &home.group().members {
        let end = Instant::now() + ENGINE_AFTER;
        while !is_free(member.engine) {
            if Instant::now() >= end {
                let (member, port) = (member.name.clone(), member.engine);
                return Err(DownError::Engine { member, port });
            }
            tokio::time::sleep(LOOK).await;
        }
    }
    Ok(())
}

pub(crate) fn remove(home: &Home) -> Result<(), DownError> {
    home.remove_sockets();
    fs::remove_dir_all(home.root()).map_err(|source| DownError::Remove {
        tag: home.group().tag.clone(),
        path: home.root().to_owned(),
        source,
    })
}
