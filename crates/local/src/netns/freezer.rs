//! The control group in which all processes of a member stop at one instant, as those of a frozen
//! container do.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{NetnsError, processes};

/// How long the kernel may take to stop everything: a process in the middle of a write to a disk
/// stops after it.
const FROZEN_WITHIN: Duration = Duration::from_secs(5);

/// Between two looks at the state.
const LOOK: Duration = Duration::from_millis(2);

/// The names of the files, which differ between the two versions of control groups.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Kind {
    /// The control group of this process: ours are made in it, so that what freezes or limits us
    /// freezes and limits what we have moved, too.
    own: PathBuf,
    /// What is written to, and what.
    state: &'static str,
    freeze: &'static str,
    thaw: &'static str,
    /// What tells that everything has stopped, and the word in it.
    told: &'static str,
    frozen: &'static str,
}

/// A member's control group.
#[derive(Debug)]
pub struct Freezer {
    kind: Kind,
    path: PathBuf,
}

impl Freezer {
    /// The group for this member of a set.
    pub fn of(number: u8, member: usize) -> Result<Self, String> {
        let kind = kind()?;
        let path = kind.own.join(format!("interrex-chaos-{number}-{member}"));
        Ok(Self { kind, path })
    }

    /// Stops every process of a namespace.
    pub fn freeze(&self, namespace: &str) -> Result<(), NetnsError> {
        let failed = |source| NetnsError::File { path: self.path.clone(), source };
        match fs::create_dir(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(failed(error));
            }
            _ => {}
        }
        // Twice, for what was started in the meantime: children of the moved are in it at once.
        for _ in 0..2 {
            for pid in processes(namespace)? {
                enter(&self.path, pid)?;
            }
        }
        self.write(self.kind.freeze)?;
        let end = Instant::now() + FROZEN_WITHIN;
        while !self.is_frozen()? {
            if Instant::now() >= end {
                let source = io::Error::new(io::ErrorKind::TimedOut, "it does not stop");
                return Err(failed(source));
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Lets them go on.
    pub fn thaw(&self) -> Result<(), NetnsError> {
        if self.path.is_dir() { self.write(self.kind.thaw) } else { Ok(()) }
    }

    fn is_frozen(&self) -> Result<bool, NetnsError> {
        let path = self.path.join(self.kind.told);
        let told = fs::read_to_string(&path);
        let told = told.map_err(|source| NetnsError::File { path, source })?;
        Ok(told.lines().any(|line| line.trim() == self.kind.frozen))
    }

    fn write(&self, word: &str) -> Result<(), NetnsError> {
        let path = self.path.join(self.kind.state);
        fs::write(&path, word).map_err(|source| NetnsError::File { path, source })
    }
}

/// Why there is no freezer here; `None` when there is one.
pub fn missing() -> Option<String> {
    kind().err()
}

/// Thaws and removes the groups of a set; what is in them goes on in ours.
pub(super) fn remove(number: u8) -> Result<(), NetnsError> {
    let Ok(kind) = kind() else { return Ok(()) };
    let prefix = format!("interrex-chaos-{number}-");
    let entries = fs::read_dir(&kind.own);
    let entries = entries.map_err(|source| NetnsError::File { path: kind.own.clone(), source })?;
    for entry in entries.filter_map(Result::ok) {
        if !entry.file_name().to_string_lossy().starts_with(&prefix) {
            continue;
        }
        let freezer = Freezer { kind: kind.clone(), path: entry.path() };
        freezer.thaw()?;
        let pids = fs::read_to_string(freezer.path.join("cgroup.procs")).unwrap_or_default();
        for pid in pids.lines().filter_map(|pid| pid.trim().parse().ok()) {
            enter(&kind.own, pid)?;
        }
        let path = freezer.path;
        fs::remove_dir(&path).map_err(|source| NetnsError::File { path, source })?;
    }
    Ok(())
}

/// Moves a process into a group; one that is gone needs none.
fn enter(group: &Path, pid: i32) -> Result<(), NetnsError> {
    let path = group.join("cgroup.procs");
    match fs::write(&path, pid.to_string()) {
        Err(error) if error.raw_os_error() == Some(nix::libc::ESRCH) => Ok(()),
        Err(source) => Err(NetnsError::File { path, source }),
        Ok(()) => Ok(()),
    }
}

fn kind() -> Result<Kind, String> {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let kind = choose(&own, Path::new("/sys/fs/cgroup"))
        .ok_or("this process is in no control group that can freeze")?;
    match nix::unistd::access(&kind.own, nix::unistd::AccessFlags::W_OK) {
        Ok(()) => Ok(kind),
        Err(error) => {
            Err(format!("cannot make a control group in {}: {error}", kind.own.display()))
        }
    }
}

/// What `/proc/self/cgroup` says, as a place below `root`: the first version if it has a freezer.
fn choose(own: &str, root: &Path) -> Option<Kind> {
    let lines = || own.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'));
    let below = |root: PathBuf, path: &str| root.join(path.trim_start_matches('/'));
    let first = lines().find(|(names, _)| names.split(',').any(|name| name == "freezer"));
    if let Some((names, path)) = first {
        return Some(Kind {
            own: below(root.join(names), path),
            state: "freezer.state",
            freeze: "FROZEN",
            thaw: "THAWED",
            told: "freezer.state",
            frozen: "FROZEN",
        });
    }
    let (_, path) = lines().find(|(names, _)| names.is_empty())?;
    Some(Kind {
        own: below(root.to_owned(), path),
        state: "cgroup.freeze",
        freeze: "1",
        thaw: "0",
        told: "cgroup.events",
        frozen: "frozen 1",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_of_control_groups_are_found() {
        let root = Path::new("/sys/fs/cgroup");
        let old = "12:cpu:/x\n7:freezer:/background\n0::/init\n";
        let first = choose(old, root).expect("a freezer");
        assert_eq!(first.own, Path::new("/sys/fs/cgroup/freezer/background"));
        assert_eq!((first.state, first.freeze), ("freezer.state", "FROZEN"));
        let second = choose("0::/user.slice/a\n", root).expect("a freezer");
        assert_eq!(second.own, Path::new("/sys/fs/cgroup/user.slice/a"));
        assert_eq!((second.state, second.frozen), ("cgroup.freeze", "frozen 1"));
        assert_eq!(choose("7:memory:/x\n", root), None);
    }
}
