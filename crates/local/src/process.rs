//! Starting processes that outlive their starter, knowing them again, and ending exactly those.
//!
//! A process is known by its pid and its start: a pid alone may belong to somebody else by now.

use std::ffi::OsString;
use std::fmt;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use tokio::process::Child;
use tokio::time::Instant;

use crate::file::{self, FileError};
use crate::logs;

#[cfg(test)]
mod tests;

/// How often an ending process is looked at: it cannot be waited for, it may be nobody's child.
const LOOK: Duration = Duration::from_millis(10);

/// How long a killed process may take to be gone: the kernel has to free its memory first.
const KILLED_IN: Duration = Duration::from_secs(10);

/// Why a process could not be started, known or ended.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The program could not be started.
    #[error("cannot start {}", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// The log of a process could not be opened.
    #[error("cannot open the log {}", path.display())]
    Log {
        /// The log.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// A pid file could not be used.
    #[error("cannot use a pid file")]
    PidFile {
        /// What was refused.
        #[from]
        source: FileError,
    },
    /// A pid file is not what this program writes.
    #[error("{} is no pid file", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the reader says.
        source: serde_json::Error,
    },
    /// A signal could not be sent.
    #[error("cannot send {signal} to {process}")]
    Signal {
        /// Which.
        signal: Signal,
        /// To whom.
        process: Process,
        /// The operating system's answer.
        source: Errno,
    },
    /// A killed process stays: it waits for a disk or another device.
    #[error("{process} was killed and is still there after {} s", within.as_secs())]
    Stays {
        /// Who.
        process: Process,
        /// How long it was waited for.
        within: Duration,
    },
}

impl ProcessError {
    /// What a person can do about it, if something is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::PidFile { source } => source.hint(),
            Self::Unreadable { path, .. } => Some(format!(
                "look for processes of this group with ps, end them, and remove {}",
                path.display()
            )),
            Self::Signal { source: Errno::EPERM, .. } => {
                Some("another user started it: ask them, or use sudo".to_owned())
            }
            Self::Stays { process, .. } => {
                Some(format!("see what it waits for: ps -o stat,wchan -p {}", process.pid))
            }
            _ => None,
        }
    }
}

/// One process, and no later one with its pid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// The process id.
    pub pid: i32,
    /// When it started, in words of the operating system; compared for equality only.
    pub started: String,
}

impl fmt::Display for Process {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "process {}", self.pid)
    }
}

/// How a process that was to end has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was gone already.
    Before,
    /// In time after SIGTERM.
    Asked,
    /// Only by SIGKILL.
    Killed,
}

impl Process {
    /// The process that has this pid now; `None` when none runs, or only its corpse is left.
    pub fn of(pid: i32) -> Option<Self> {
        let started = started(pid)?;
        Some(Self { pid, started })
    }

    /// This process itself.
    pub fn current() -> Option<Self> {
        Self::of(i32::try_from(std::process::id()).ok()?)
    }

    /// True while it runs, stopped or not.
    pub fn is_running(&self) -> bool {
        Self::of(self.pid).as_ref() == Some(self)
    }

    /// Reads a pid file; `None` when there is none.
    pub fn read(path: &Path) -> Result<Option<Self>, ProcessError> {
        let Some(content) = file::read(path)? else { return Ok(None) };
        serde_json::from_slice(&content)
            .map(Some)
            .map_err(|source| ProcessError::Unreadable { path: path.to_owned(), source })
    }

    /// Writes a pid file.
    pub fn write(&self, path: &Path) -> Result<(), ProcessError> {
        let content = serde_json::to_vec(self).expect("a process has string keys");
        Ok(file::replace(path, &content, file::OWNER_ONLY)?)
    }

    /// Sends a signal; false when the process is gone.
    pub fn signal(&self, signal: Signal) -> Result<bool, ProcessError> {
        if !self.is_running() {
            return Ok(false);
        }
        match kill(Pid::from_raw(self.pid), signal) {
            Ok(()) => Ok(true),
            Err(Errno::ESRCH) => Ok(false),
            Err(source) => Err(ProcessError::Signal { signal, process: self.clone(), source }),
        }
    }

    /// Asks it to end, and kills it when it has not ended within `patience`.
    ///
    /// A stopped process is continued, so that it can hear the question.
    pub async fn end(&self, patience: Duration) -> Result<Ended, ProcessError> {
        if !self.signal(Signal::SIGTERM)? {
            return Ok(Ended::Before);
        }
        self.signal(Signal::SIGCONT)?;
        if self.is_gone_within(patience).await {
            return Ok(Ended::Asked);
        }
        self.signal(Signal::SIGKILL)?;
        if self.is_gone_within(KILLED_IN).await {
            return Ok(Ended::Killed);
        }
        Err(ProcessError::Stays { process: self.clone(), within: KILLED_IN })
    }

    /// Waits until it is gone, at most for `within`.
    pub async fn is_gone_within(&self, within: Duration) -> bool {
        let end = Instant::now() + within;
        while self.is_running() {
            if Instant::now() >= end {
                return false;
            }
            tokio::time::sleep(LOOK).await;
        }
        true
    }
}

/// What to start.
#[derive(Clone, Debug)]
pub struct Start<'a> {
    /// The program.
    pub program: &'a Path,
    /// Its arguments; never a secret, everyone on the machine can read them.
    pub arguments: Vec<OsString>,
    /// Where it starts.
    pub directory: &'a Path,
    /// What takes its output, behind what is there.
    pub log: &'a Path,
}

/// Starts a process in a group of its own: a Ctrl-C or a closing terminal does not reach it.
///
/// It outlives its starter; while the starter lives, the runtime reaps it.
pub fn start(start: Start<'_>) -> Result<Child, ProcessError> {
    let failed = |source| ProcessError::Log { path: start.log.to_owned(), source };
    logs::put_aside(start.log).map_err(failed)?;
    let log = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(file::OWNER_ONLY)
        .open(start.log)
        .map_err(failed)?;
    let also = log.try_clone().map_err(failed)?;
    let mut command = Command::new(start.program);
    command
        .args(start.arguments)
        .current_dir(start.directory)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(also)
        .process_group(0);
    tokio::process::Command::from(command)
        .spawn()
        .map_err(|source| ProcessError::Start { program: start.program.to_owned(), source })
}

/// The boot and the tick of the start (field 22 of `/proc/PID/stat`): a tick alone may come again
/// after the machine has restarted.
#[cfg(target_os = "linux")]
fn started(pid: i32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the name in parentheses, which may hold anything, parentheses too.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    let tick = fields.nth(18)?;
    Some(format!("{} {tick}", boot()?))
}

#[cfg(target_os = "linux")]
fn boot() -> Option<&'static str> {
    static BOOT: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    BOOT.get_or_init(|| {
        let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        Some(id.trim().to_owned())
    })
    .as_deref()
}

/// The state and the start as `ps` tells them.
#[cfg(not(target_os = "linux"))]
fn started(pid: i32) -> Option<String> {
    let output = Command::new("ps")
        .args(["-o", "stat=,lstart=", "-p", &pid.to_string()])
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (state, started) = text.trim().split_once(char::is_whitespace)?;
    (!state.starts_with('Z')).then(|| started.trim().to_owned())
}
