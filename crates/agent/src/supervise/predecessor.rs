//! The engine that an earlier agent left behind: found by its process id and start time, and ended
//! before a new one starts (failover.md 2.11). Where no kernel ends it with its agent, this is the
//! only guard.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use super::{SuperviseError, process};

/// A SIGKILL takes effect at once, unless the process waits for a disk.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, Serialize, Deserialize)]
struct Recorded {
    pid: i32,
    began: String,
}

/// Notes which process is the engine. A full disk must not keep it from starting, and the kernel
/// ends it with us on Linux, so a failure is only said.
pub(super) fn record(path: &Path, pid: Pid) {
    let Some(began) = process::began(pid) else {
        return;
    };
    let text = serde_json::to_string(&Recorded { pid: pid.as_raw(), began })
        .expect("a number and a text are plain data");
    if let Err(error) = fs::write(path, text) {
        tracing::warn!(path = %path.display(), %error, "cannot record the engine's process id");
    }
}

/// The engine has ended.
pub(super) fn forget(path: &Path) {
    // What cannot be removed names a process that does not exist: harmless.
    let _ = fs::remove_file(path);
}

/// Ends the engine that the file names, if it is still that process; returns its id if it was.
pub(crate) async fn end_predecessor(path: &Path) -> Result<Option<i32>, SuperviseError> {
    let Some(recorded) = read(path) else {
        return Ok(None);
    };
    let pid = Pid::from_raw(recorded.pid);
    let is_it = || process::began(pid).is_some_and(|began| began == recorded.began);
    if !is_it() {
        forget(path);
        return Ok(None);
    }
    // It leads its own group; should it not, at least it itself ends.
    let _ = killpg(pid, Signal::SIGKILL);
    let _ = kill(pid, Signal::SIGKILL);
    let until = Instant::now() + PATIENCE;
    while is_it() {
        if Instant::now() > until {
            return Err(SuperviseError::Predecessor { pid: recorded.pid });
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    forget(path);
    Ok(Some(recorded.pid))
}

fn read(path: &Path) -> Option<Recorded> {
    let recorded: Recorded = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    (recorded.pid > 1).then_some(recorded)
}
