//! Signals to processes that the group named, and to no others: a process is what it was when the
//! group named it, or it gets no signal.

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// One process, known by its id and by when it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    pid: Pid,
    /// Clock ticks since boot; `None` where the system does not tell.
    started: Option<u64>,
}

/// Why a process got no signal.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// Not an id of a process that we could mean: 0 and negative ids name whole groups, 1 is init.
    #[error("{pid} is no process of a group")]
    NoProcess {
        /// What was given.
        pid: u32,
    },
    /// It is gone.
    #[error("process {pid} is gone")]
    Gone {
        /// Its id.
        pid: i32,
    },
    /// The id belongs to another process now.
    #[error("process {pid} is another one by now")]
    Another {
        /// Its id.
        pid: i32,
    },
    /// The system refused.
    #[error("cannot send {signal} to process {pid}")]
    Signal {
        /// What was to be sent.
        signal: Signal,
        /// To whom.
        pid: i32,
        /// The system's answer.
        source: Errno,
    },
}

impl Process {
    /// The process that has this id now.
    pub fn of(pid: u32) -> Result<Self, ProcessError> {
        let id = i32::try_from(pid).ok().filter(|id| *id > 1);
        let id = id.ok_or(ProcessError::NoProcess { pid })?;
        let process = Self { pid: Pid::from_raw(id), started: start_time(id) };
        if process.is_there() { Ok(process) } else { Err(ProcessError::Gone { pid: id }) }
    }

    /// Its id.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// Whether it still runs. One that ended and was not yet reaped does not.
    pub fn is_there(&self) -> bool {
        let pid = self.pid.as_raw();
        if cfg!(target_os = "linux") {
            start_time(pid).is_some() && start_time(pid) == self.started
        } else {
            // `kill` with no signal only asks; ESRCH is the only "no".
            kill(self.pid, None) != Err(Errno::ESRCH)
        }
    }

    /// Sends a signal, if it is still the same process.
    pub fn signal(&self, signal: Signal) -> Result<(), ProcessError> {
        let pid = self.pid.as_raw();
        if start_time(pid) != self.started {
            return Err(match start_time(pid) {
                Some(_) => ProcessError::Another { pid },
                None => ProcessError::Gone { pid },
            });
        }
        kill(self.pid, signal).map_err(|source| match source {
            Errno::ESRCH => ProcessError::Gone { pid },
            source => ProcessError::Signal { signal, pid, source },
        })
    }

    /// Ends it at once: `SIGKILL`.
    pub fn kill(&self) -> Result<(), ProcessError> {
        self.signal(Signal::SIGKILL)
    }

    /// Stops it until the guard is thawed or dropped: whatever becomes of the trial, nothing stays
    /// frozen behind it.
    pub fn freeze(&self) -> Result<Frozen, ProcessError> {
        self.signal(Signal::SIGSTOP)?;
        Ok(Frozen { process: *self })
    }
}

/// A process that is stopped by us.
#[derive(Debug)]
pub struct Frozen {
    process: Process,
}

impl Frozen {
    /// Lets it go on.
    pub fn thaw(self) {}
}

impl Drop for Frozen {
    fn drop(&mut self) {
        if let Err(error) = self.process.signal(Signal::SIGCONT) {
            tracing::debug!(pid = self.process.pid(), %error, "nothing to thaw");
        }
    }
}

/// When the process started, in clock ticks since boot; `None` when there is none, when it ended
/// and was not yet reaped, or where the system does not tell.
fn start_time(pid: i32) -> Option<u64> {
    let fields = stat(pid)?;
    (fields.first()?.as_str() != "Z").then(|| fields.get(19)?.parse().ok()).flatten()
}

/// Fields of `/proc/<pid>/stat` from the third (the state) on: the second may hold spaces.
pub(crate) fn stat(pid: i32) -> Option<Vec<String>> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(stat.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_name_more_than_one_process_are_refused() {
        for pid in [0, 1, u32::MAX, 1 << 31] {
            assert!(matches!(Process::of(pid), Err(ProcessError::NoProcess { .. })), "{pid}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_process_is_frozen_thawed_and_killed_and_then_gets_no_more_signals() {
        let mut cat = std::process::Command::new("cat");
        let mut child = cat.stdin(std::process::Stdio::piped()).spawn().expect("cat");
        let process = Process::of(child.id()).expect("it runs");
        let state = || stat(process.pid()).and_then(|fields| fields.first().cloned());
        let frozen = process.freeze().expect("it can be stopped");
        let mut looks = 0;
        while state().as_deref() != Some("T") && looks < 10_000 {
            looks += 1;
            std::thread::yield_now();
        }
        assert_eq!(state().as_deref(), Some("T"));
        frozen.thaw();
        assert!(process.is_there());
        process.kill().expect("it can be killed");
        child.wait().expect("it ends");
        assert!(!process.is_there());
        assert!(matches!(process.kill(), Err(ProcessError::Gone { .. })));
    }
}
