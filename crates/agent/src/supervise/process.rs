//! What the kernel says of processes: exits, and what a silent engine is doing.

use brain::ProcessState;
use nix::errno::Errno;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// Waits until a child has ended and says which, leaving it to be reaped. `None`: look again.
#[cfg(target_os = "linux")]
pub(super) fn wait_any(engine: Pid, inherits: bool) -> Option<Pid> {
    use nix::sys::wait::{Id, waitid};
    let whom = if inherits { Id::All } else { Id::Pid(engine) };
    match waitid(whom, WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) {
        Ok(status) => status.pid(),
        Err(Errno::EINTR) => None,
        // No such child: it was collected by somebody else; `reap` says so.
        Err(_) => Some(engine),
    }
}

/// There is no wait that leaves the child: a signal sent in the instant of its end may miss.
#[cfg(not(target_os = "linux"))]
pub(super) fn wait_any(engine: Pid, _inherits: bool) -> Option<Pid> {
    loop {
        match waitpid(engine, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) | Err(Errno::EINTR) => {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            Ok(status) => {
                LAST.lock().unwrap_or_else(std::sync::PoisonError::into_inner).replace(status);
                return Some(engine);
            }
            Err(_) => return Some(engine),
        }
    }
}

#[cfg(not(target_os = "linux"))]
static LAST: std::sync::Mutex<Option<WaitStatus>> = std::sync::Mutex::new(None);

/// Collects an ended child.
pub(super) fn reap(pid: Pid) -> WaitStatus {
    #[cfg(not(target_os = "linux"))]
    if let Some(status) = LAST.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take() {
        return status;
    }
    loop {
        match waitpid(pid, None) {
            Ok(status) if matches!(status, WaitStatus::Exited(..) | WaitStatus::Signaled(..)) => {
                return status;
            }
            Ok(_) | Err(Errno::EINTR) => {}
            // It is gone, and nobody can say how: the least that is certain.
            Err(_) => return WaitStatus::Exited(pid, -1),
        }
    }
}

/// The processes of this group that work in this directory and have not ended.
#[cfg(target_os = "linux")]
pub(super) fn working_in(group: Pid, data: &std::path::Path) -> Vec<Pid> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|e| e.file_name().to_str()?.parse().ok().map(Pid::from_raw));
    let of_group = |pid: &Pid| nix::unistd::getpgid(Some(*pid)) == Ok(group);
    let there = std::fs::canonicalize(data).ok();
    let works = |pid: &Pid| std::fs::read_link(format!("/proc/{pid}/cwd")).ok() == there;
    pids.filter(|pid| of_group(pid) && there.is_some() && works(pid)).collect()
}

/// Nobody tells: the group's leader is found by its id.
#[cfg(not(target_os = "linux"))]
pub(super) fn working_in(_group: Pid, _data: &std::path::Path) -> Vec<Pid> {
    Vec::new()
}

/// Compares what a process did between two looks.
#[derive(Debug, Default)]
pub(crate) struct ProcessWatch {
    last: Option<(Pid, u64)>,
}

impl ProcessWatch {
    /// What the process does now (failover.md 2.12, hang budget).
    pub(crate) fn look(&mut self, pid: Pid) -> ProcessState {
        let Some((letter, cpu)) = stat(pid) else {
            return ProcessState::Idle;
        };
        let before = self.last.replace((pid, cpu));
        let used = before.is_none_or(|(who, was)| who != pid || cpu > was);
        match letter {
            'T' | 't' => ProcessState::Stopped,
            'D' => ProcessState::DiskWait,
            _ if used => ProcessState::Busy,
            _ => ProcessState::Idle,
        }
    }
}

/// State letter and processor time in clock ticks.
#[cfg(target_os = "linux")]
fn stat(pid: Pid) -> Option<(char, u64)> {
    let fields = stat_fields(pid)?;
    let cpu = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    Some((fields.first()?.chars().next()?, cpu))
}

/// The fields of `/proc/PID/stat` after the name, which may have blanks and brackets in it.
#[cfg(target_os = "linux")]
fn stat_fields(pid: Pid) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

#[cfg(not(target_os = "linux"))]
fn stat(pid: Pid) -> Option<(char, u64)> {
    let text = ps(pid, "state=,time=")?;
    let mut words = text.split_whitespace();
    let letter = words.next()?.chars().next()?;
    let time: String = words.next()?.chars().filter(char::is_ascii_digit).collect();
    Some((letter, time.parse().ok()?))
}

#[cfg(not(target_os = "linux"))]
fn ps(pid: Pid, columns: &str) -> Option<String> {
    let output = std::process::Command::new("ps")
        .args(["-o", columns, "-p", &pid.to_string()])
        .output()
        .ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// When the process began: with its id this names one process for ever. `None` when there is none.
pub(super) fn began(pid: Pid) -> Option<String> {
    #[cfg(target_os = "linux")]
    {
        let fields = stat_fields(pid)?;
        // A zombie is nobody that could serve.
        (fields.first()? != "Z").then(|| fields.get(19).cloned())?
    }
    #[cfg(not(target_os = "linux"))]
    {
        ps(pid, "lstart=")
    }
}
