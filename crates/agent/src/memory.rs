//! How much memory the engine may use: the cgroup's limit or the machine's, and what the kernel did
//! when that was not enough.

use std::fs;
use std::path::{Path, PathBuf};

/// A cgroup without a limit says a number near 2^63.
const NO_LIMIT: u64 = 1 << 60;

/// Bytes that this member may use: the strictest cgroup limit above it, else its share of the
/// machine. `None` when neither can be found.
pub(crate) fn limit_bytes(members_on_this_machine: u32) -> Option<u64> {
    let machine = machine_bytes().map(|bytes| bytes / u64::from(members_on_this_machine.max(1)));
    match (cgroup_limit(), machine) {
        (Some(cgroup), Some(machine)) => Some(cgroup.min(machine)),
        (one, other) => one.or(other),
    }
}

/// Processes of this container that the kernel has killed for want of memory.
pub(crate) fn oom_kills() -> Option<u64> {
    cgroup_directories().into_iter().find_map(|directory| {
        ["memory.events", "memory.oom_control"].iter().find_map(|file| {
            let text = fs::read_to_string(directory.join(file)).ok()?;
            let line = text.lines().find_map(|line| line.strip_prefix("oom_kill "))?;
            line.trim().parse().ok()
        })
    })
}

fn cgroup_limit() -> Option<u64> {
    let limits = cgroup_directories().into_iter().flat_map(|directory| {
        let mut found = Vec::new();
        for above in directory.ancestors().take_while(|path| path.starts_with("/sys/fs/cgroup")) {
            for file in ["memory.max", "memory.limit_in_bytes"] {
                let text = fs::read_to_string(above.join(file)).unwrap_or_default();
                found.extend(text.trim().parse::<u64>().ok());
            }
        }
        found
    });
    limits.filter(|limit| *limit < NO_LIMIT).min()
}

/// Where this process's memory is accounted: version 2 first, then version 1, then what a container
/// sees of its own group.
fn cgroup_directories() -> Vec<PathBuf> {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let root = Path::new("/sys/fs/cgroup");
    let mut found = Vec::new();
    for line in own.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        let path = path.trim_start_matches('/');
        if controllers.is_empty() {
            found.push(root.join(path));
        } else if controllers.split(',').any(|name| name == "memory") {
            found.push(root.join("memory").join(path));
            found.push(root.join("memory"));
        }
    }
    found.push(root.to_owned());
    found.retain(|path| path.is_dir());
    found
}

/// RAM of the machine.
fn machine_bytes() -> Option<u64> {
    #[cfg(target_os = "linux")]
    {
        let text = fs::read_to_string("/proc/meminfo").ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        line.trim().trim_end_matches("kB").trim().parse::<u64>().ok().map(|kib| kib * 1024)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let output =
            std::process::Command::new("sysctl").args(["-n", "hw.memsize"]).output().ok()?;
        String::from_utf8_lossy(&output.stdout).trim().parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_gets_at_most_its_share() {
        let (one, four) = (limit_bytes(1).unwrap(), limit_bytes(4).unwrap());
        assert!(four <= one && four >= 1 << 20, "{one} {four}");
    }
}
