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

/// Ends the engine that the file names, if it is still that process, and what that has left;
/// returns its id if it was there. `data`: where it works.
pub(crate) async fn end_predecessor(
    path: &Path,
    data: &Path,
) -> Result<Option<i32>, SuperviseError> {
    let Some(recorded) = read(path) else {
        return Ok(None);
    };
    let pid = Pid::from_raw(recorded.pid);
    let is_it = || process::began(pid).is_some_and(|began| began == recorded.began);
    let found = is_it();
    if found {
        // It leads its own group; should it not, at least it itself ends.
        let _ = killpg(pid, Signal::SIGKILL);
        let _ = kill(pid, Signal::SIGKILL);
    }
    let until = Instant::now() + PATIENCE;
    loop {
        // The kernel ends an engine with its agent, and not its children: one that saves would
        // put its older snapshot in the place of a newer one.
        let left = process::working_in(pid, data);
        for child in &left {
            let _ = kill(*child, Signal::SIGKILL);
        }
        if left.is_empty() && !is_it() {
            break;
        }
        if Instant::now() > until {
            return Err(SuperviseError::Predecessor { pid: recorded.pid });
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    forget(path);
    Ok(found.then_some(recorded.pid))
}

fn read(path: &Path) -> Option<Recorded> {
    let recorded: Recorded = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    (recorded.pid > 1).then_some(recorded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::CommandExt;
    use std::process::{Command, Stdio};

    /// A shell that leads a group and ends, and its child that stays.
    fn leaves_a_child(data: &Path) -> (i32, Pid) {
        let mut shell = Command::new("sh")
            .args(["-c", "sleep 300 & echo $!"])
            .current_dir(data)
            .process_group(0)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let output = shell.stdout.take().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(output), &mut line).unwrap();
        let leader = i32::try_from(shell.id()).unwrap();
        shell.wait().unwrap();
        (leader, Pid::from_raw(line.trim().parse().unwrap()))
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn what_a_dead_engine_has_left_ends_and_what_works_elsewhere_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let (data, other) = (dir.path().join("data"), dir.path().join("other"));
        let path = dir.path().join("engine");
        [&data, &other].into_iter().for_each(|d| fs::create_dir(d).unwrap());
        for (works_in, ends) in [(&data, true), (&other, false)] {
            let (leader, child) = leaves_a_child(works_in);
            let recorded = Recorded { pid: leader, began: "an earlier one".into() };
            fs::write(&path, serde_json::to_string(&recorded).unwrap()).unwrap();
            assert_eq!(end_predecessor(&path, &data).await.unwrap(), None);
            assert_eq!(process::working_in(Pid::from_raw(leader), works_in).is_empty(), ends);
            let _ = kill(child, Signal::SIGKILL);
        }
    }
}
