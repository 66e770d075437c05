//! The engine as a child process: started, watched, ended. One thread of its own waits for it.
//!
//! The thread is there because Linux ends a child with the *thread* that started it
//! (PR_SET_PDEATHSIG), so this thread must live as long as the agent; and a blocking wait sees an
//! exit at once.

mod exit;
mod logs;
mod predecessor;
mod process;
mod spawn;

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{io, thread};

use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::WaitStatus;
use nix::unistd::Pid;
use tokio::sync::{mpsc, oneshot, watch};

pub(crate) use exit::{Ending, oom_kills};
pub(crate) use logs::{EngineLog, follow};
pub(crate) use predecessor::end_predecessor;
pub(crate) use process::ProcessWatch;

/// How a process is started.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    /// The program.
    pub(crate) program: PathBuf,
    /// Its arguments; nothing secret, as everybody can read them.
    pub(crate) arguments: Vec<String>,
    /// Which run of this agent's engine this is.
    pub(crate) run: u64,
    /// Where the process id is recorded for a successor.
    pub(crate) record: PathBuf,
}

/// Why no engine could be started.
#[derive(Debug, thiserror::Error)]
pub enum SuperviseError {
    /// The program cannot be executed.
    #[error("cannot start the engine {program}")]
    Spawn {
        /// The program.
        program: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The thread that waits for it is gone.
    #[error("the thread that watches the engine has ended")]
    NoThread,
    /// An engine of an earlier agent did not end.
    #[error("engine {pid} of an earlier agent does not end after SIGKILL")]
    Predecessor {
        /// Its process id.
        pid: i32,
    },
}

/// A started process.
#[derive(Debug)]
pub(crate) struct Launched {
    /// Its process id.
    pub(crate) pid: Pid,
    /// What it prints.
    pub(crate) output: OwnedFd,
}

/// An exit that the thread saw.
#[derive(Debug)]
pub(crate) struct Gone {
    /// Which run.
    pub(crate) run: u64,
    /// What the kernel says.
    pub(crate) status: WaitStatus,
}

/// The running process, if any: written by the thread only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Running {
    /// Its process id, and that of its group.
    pub(crate) pid: Pid,
    /// Which run.
    pub(crate) run: u64,
}

type Request = (Launch, oneshot::Sender<Result<Launched, SuperviseError>>);

/// The hand on the engine process.
#[derive(Debug, Clone)]
pub(crate) struct Supervisor {
    requests: std::sync::mpsc::SyncSender<Request>,
    /// Held while a signal is sent and while the exit is collected, so that a signal never meets
    /// another process under the same id.
    current: Arc<Mutex<Option<Running>>>,
    running: watch::Receiver<Option<Running>>,
}

impl Supervisor {
    /// Starts the thread. Exits are told to `gone`.
    pub(crate) fn new(gone: mpsc::Sender<Gone>) -> io::Result<Self> {
        // One start at a time; a second waits for the first engine's end.
        let (requests, inbox) = std::sync::mpsc::sync_channel::<Request>(1);
        let current = Arc::new(Mutex::new(None));
        let (shown, running) = watch::channel(None);
        let held = Arc::clone(&current);
        thread::Builder::new().name("engine".to_owned()).stack_size(256 * 1024).spawn(
            move || {
                while let Ok((launch, reply)) = inbox.recv() {
                    watch_one(&launch, reply, &held, &shown, &gone);
                }
            },
        )?;
        Ok(Self { requests, current, running })
    }

    /// Starts an engine. There must be none.
    pub(crate) async fn launch(&self, launch: Launch) -> Result<Launched, SuperviseError> {
        let (reply, answer) = oneshot::channel();
        self.requests.try_send((launch, reply)).map_err(|_| SuperviseError::NoThread)?;
        answer.await.map_err(|_| SuperviseError::NoThread)?
    }

    /// The process that runs now.
    pub(crate) fn running(&self) -> Option<Running> {
        *lock(&self.current)
    }

    /// Sends a signal to the engine and its children. `false` when there is none.
    pub(crate) fn signal(&self, signal: Signal) -> bool {
        let current = lock(&self.current);
        current.is_some_and(|running| killpg(running.pid, signal).is_ok())
    }

    /// Waits until no engine runs; `false` when one still does after `within`.
    pub(crate) async fn wait_gone(&self, within: Duration) -> bool {
        let mut running = self.running.clone();
        let gone = running.wait_for(Option::is_none);
        tokio::time::timeout(within, gone).await.is_ok()
    }
}

fn lock(current: &Mutex<Option<Running>>) -> MutexGuard<'_, Option<Running>> {
    current.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts one engine and stays with it until it is gone.
fn watch_one(
    launch: &Launch,
    reply: oneshot::Sender<Result<Launched, SuperviseError>>,
    current: &Mutex<Option<Running>>,
    shown: &watch::Sender<Option<Running>>,
    gone: &mpsc::Sender<Gone>,
) {
    let launched = match spawn::spawn(launch) {
        Ok(launched) => launched,
        Err(error) => {
            // Nobody waits any more: the agent is ending.
            let _ = reply.send(Err(error));
            return;
        }
    };
    let running = Running { pid: launched.pid, run: launch.run };
    predecessor::record(&launch.record, launched.pid);
    *lock(current) = Some(running);
    shown.send_replace(Some(running));
    if reply.send(Ok(launched)).is_err() {
        let _ = killpg(running.pid, Signal::SIGKILL);
    }
    let status = collect(running.pid, current);
    predecessor::forget(&launch.record);
    shown.send_replace(None);
    // The receiver is only gone when the agent is.
    let _ = gone.blocking_send(Gone { run: launch.run, status });
}

/// Waits for the engine; collects orphans too when this process is the one that inherits them.
fn collect(engine: Pid, current: &Mutex<Option<Running>>) -> WaitStatus {
    let inherits = std::process::id() == 1;
    loop {
        let Some(pid) = process::wait_any(engine, inherits) else {
            continue;
        };
        if pid != engine {
            process::reap(pid);
            continue;
        }
        // Everything that the engine left, such as a child that saves, goes with it.
        let mut current = lock(current);
        let _ = killpg(engine, Signal::SIGKILL);
        *current = None;
        return process::reap(engine);
    }
}
