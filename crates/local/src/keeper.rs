//! The keeper: one process a group that starts the others and starts again what has ended.
//!
//! It holds nothing that the others need: they outlive it, and the next keeper knows them by their
//! pid files (pid and start) and goes on from there.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::process::Child;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::file::Lock;
use crate::home::{Home, HomeError, Part};
use crate::logs;
use crate::netns;
use crate::process::{self, Process, ProcessError, Start};

#[cfg(test)]
mod tests;

/// Pause before the second start in a row; doubled for each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause between two starts: an agent's death may cost 2 s of writes at most, and the
/// agent needs some of them.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A part that ran for this long is started again without a pause.
const SETTLED: Duration = Duration::from_secs(1);

/// How often a part that another keeper started is looked at: it is not our child. More seldom
/// where looking means to run `ps`.
const LOOK: Duration = Duration::from_millis(if cfg!(target_os = "linux") { 100 } else { 500 });

/// Makes the arguments of a part.
pub type Arguments = dyn Fn(&Home, &Part) -> Vec<OsString> + Send + Sync;

/// How the parts of a group are executed: one program with hidden subcommands.
pub struct Parts {
    /// The program.
    pub program: PathBuf,
    /// The arguments that make it a part of this group. Never a secret.
    pub arguments: Box<Arguments>,
}

impl fmt::Debug for Parts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Parts").field("program", &self.program).finish_non_exhaustive()
    }
}

/// Why there is no keeper.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    /// The group's directory cannot be used, or has a keeper.
    #[error("cannot keep group {tag}")]
    Home {
        /// The group.
        tag: String,
        /// What is in the way.
        source: HomeError,
    },
    /// The keeper cannot note that it is there.
    #[error("cannot note the keeper of group {tag}")]
    Note {
        /// The group.
        tag: String,
        /// What is in the way.
        source: ProcessError,
    },
}

impl KeeperError {
    /// What a person can do about it, if something is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Home { source, .. } => source.hint(),
            Self::Note { source, .. } => source.hint(),
        }
    }
}

/// Notes that this process is a part of the group, for a keeper that did not start it.
pub fn announce(home: &Home, part: &Part) -> Result<(), ProcessError> {
    match Process::current() {
        Some(process) => process.write(&home.pid_file(part)),
        None => Ok(()),
    }
}

/// Starts a part; its pid file is written.
pub fn start(home: &Home, parts: &Parts, part: &Part) -> Result<Child, ProcessError> {
    let arguments = (parts.arguments)(home, part);
    let (program, arguments) = match home.group().namespace(part) {
        Some(namespace) => netns::entered(namespace, &parts.program, arguments),
        None => (parts.program.clone(), arguments),
    };
    let child = process::start(Start {
        program: &program,
        arguments,
        directory: home.root(),
        log: &home.log_file(part),
    })?;
    let known = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Process::of);
    if let Some(error) = known.and_then(|process| process.write(&home.pid_file(part)).err()) {
        // It writes the file itself once it runs; until then a new keeper would not know it, and
        // its locks would keep a second one out.
        tracing::warn!(%part, %error, "a pid file is not written");
    }
    Ok(child)
}

/// Keeps all parts of the group running until dropped; the parts go on then.
pub async fn run(home: Home, parts: Parts) -> Result<(), KeeperError> {
    let tag = home.group().tag.clone();
    let refused = |source| KeeperError::Home { tag: tag.clone(), source };
    let _lock: Lock = home.lock_keeper().map_err(refused)?;
    announce(&home, &Part::Keeper)
        .map_err(|source| KeeperError::Note { tag: tag.clone(), source })?;
    let kept = Arc::new((home, parts));
    let mut running = JoinSet::new();
    for part in kept.0.parts() {
        let kept = Arc::clone(&kept);
        running.spawn(async move { keep(&kept.0, &kept.1, &part).await });
    }
    let logs = kept
        .0
        .parts()
        .into_iter()
        .chain([Part::Keeper])
        .map(|part| kept.0.log_file(&part))
        .collect();
    running.spawn(logs::watch(logs));
    while let Some(ended) = running.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a watch of the keeper broke");
        }
    }
    Ok(())
}

async fn keep(home: &Home, parts: &Parts, part: &Part) {
    let mut pause = Duration::ZERO;
    loop {
        let began = Instant::now();
        match known(home, part) {
            Some(process) => {
                tracing::info!(%part, pid = process.pid, "runs already");
                while process.is_running() {
                    tokio::time::sleep(LOOK).await;
                }
                tracing::warn!(%part, pid = process.pid, "ended");
            }
            None => once(home, parts, part).await,
        }
        if began.elapsed() >= SETTLED {
            pause = Duration::ZERO;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
    }
}

/// The process that plays this part now, whoever started it.
fn known(home: &Home, part: &Part) -> Option<Process> {
    match Process::read(&home.pid_file(part)) {
        Ok(process) => process.filter(Process::is_running),
        Err(error) => {
            tracing::warn!(%part, %error, "a pid file cannot be read: the part is started anew");
            None
        }
    }
}

async fn once(home: &Home, parts: &Parts, part: &Part) {
    let mut child = match start(home, parts, part) {
        Ok(child) => child,
        Err(error) => {
            tracing::error!(%part, error = &error as &dyn std::error::Error, "not started");
            return;
        }
    };
    let pid = child.id();
    tracing::info!(%part, pid, "started");
    match child.wait().await {
        Ok(status) => tracing::warn!(%part, pid, %status, "ended"),
        Err(error) => tracing::error!(%part, pid, %error, "cannot be waited for"),
    }
}
