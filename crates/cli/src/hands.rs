//! What breaks and mends a running group: signals to exactly its own processes, and its links.

use std::fs;
use std::path::PathBuf;

use local::home::{Member, Part};
use local::links::control::Control;
use local::relay::loopback;
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};
use trial::process::{Process, ProcessError};

use crate::failure::Failure;
use crate::group::{Group, Seen};

/// Which of a member's processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// The engine.
    Engine,
    /// The agent.
    Agent,
    /// The agent, then the engine.
    Both,
}

/// A member's processes as its agent names them; a frozen agent is known by its pid file.
pub(crate) fn processes(
    group: &Group,
    member: &Member,
    seen: &Seen,
    which: Which,
) -> Result<Vec<(&'static str, Process)>, Failure> {
    let report = seen.report(&member.name);
    let mut wanted = Vec::new();
    if which != Which::Engine {
        let told = report.map(|r| r.agent_pid).filter(|pid| *pid != 0);
        wanted.push(("agent", told.or_else(|| noted_pid(group, member))));
    }
    if which != Which::Agent {
        wanted.push(("engine", report.map(|r| r.engine_pid).filter(|pid| *pid != 0)));
    }
    let mut found = Vec::new();
    for (what, pid) in wanted {
        let absent = || {
            Failure::new(format!("{} has no {what} that is known to run", member.name))
                .hint(format!("see interrex status {}", group.tag()))
        };
        let process = Process::of(pid.ok_or_else(absent)?);
        found.push((what, process.map_err(|error| absent().because(&error))?));
    }
    Ok(found)
}

/// The pid that the keeper noted for an agent.
fn noted_pid(group: &Group, member: &Member) -> Option<u32> {
    let file = group.home.pid_file(&Part::Agent(member.name.clone()));
    let noted = local::process::Process::read(&file).ok().flatten()?;
    noted.is_running().then(|| u32::try_from(noted.pid).ok()).flatten()
}

/// Stops a process until it is thawed.
pub(crate) fn freeze(process: &Process) -> Result<(), ProcessError> {
    process.signal(Signal::SIGSTOP)
}

/// Lets a process go on; one that is gone meanwhile needs nothing.
pub(crate) fn thaw(process: &Process) -> bool {
    process.signal(Signal::SIGCONT).is_ok()
}

/// What was frozen and by when it had started: `heal` thaws it in another process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Paused {
    member: String,
    pid: i32,
}

fn paused_file(group: &Group) -> PathBuf {
    group.home.run_directory().join("paused.json")
}

fn read_paused(group: &Group) -> Vec<Paused> {
    let content = fs::read(paused_file(group)).unwrap_or_default();
    serde_json::from_slice(&content).unwrap_or_default()
}

/// Notes what is going to be frozen, before it is.
pub(crate) fn note_paused(
    group: &Group,
    member: &Member,
    processes: &[(&'static str, Process)],
) -> Result<(), Failure> {
    let mut noted = read_paused(group);
    for (_, process) in processes {
        let paused = Paused { member: member.name.clone(), pid: process.pid() };
        if !noted.contains(&paused) {
            noted.push(paused);
        }
    }
    write_paused(group, &noted)
}

fn write_paused(group: &Group, noted: &[Paused]) -> Result<(), Failure> {
    let path = paused_file(group);
    let failed = |error: &dyn std::error::Error| {
        Failure::new(format!("cannot write {}", path.display())).because(error)
    };
    let content = serde_json::to_vec(noted).map_err(|error| failed(&error))?;
    fs::write(&path, content).map_err(|error| failed(&error))
}

/// Thaws what was noted, of one member or of all; gives how many processes went on.
pub(crate) fn thaw_noted(group: &Group, member: Option<&str>) -> Result<usize, Failure> {
    let noted = read_paused(group);
    let (ours, others): (Vec<Paused>, Vec<Paused>) =
        noted.into_iter().partition(|paused| member.is_none_or(|name| name == paused.member));
    let mut thawed = 0;
    for paused in &ours {
        // SIGCONT to a process that has the pid by now and runs does nothing.
        let process = u32::try_from(paused.pid).ok().and_then(|pid| Process::of(pid).ok());
        thawed += usize::from(process.is_some_and(|process| thaw(&process)));
    }
    if !ours.is_empty() {
        write_paused(group, &others)?;
    }
    Ok(thawed)
}

/// The control of the group's links.
pub(crate) fn control(group: &Group) -> Result<Control, Failure> {
    let token = group.home.token().map_err(|error| Failure::of(&error).hint_if(error.hint()))?;
    Ok(Control::new(loopback(group.home.group().ports.control), token))
}
