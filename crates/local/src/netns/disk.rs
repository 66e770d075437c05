//! A small disk for a member: a tmpfs over its directory, which is full as soon as its limit is
//! what it holds.

use std::fs;
use std::path::Path;

use nix::sys::statvfs::statvfs;

use super::{NetnsError, run};

/// What a disk holds unless it is made full, in megabytes: a limit, memory is only used by files.
const ROOM_MB: u64 = 256;

/// What is left of a full disk: less than the engine's log of a second under load.
const LEFT_BYTES: u64 = 64 << 10;

/// How often a disk is tried to be made full.
const TRIES: u32 = 20;

/// The mounts of a set by their source's name.
fn source(number: u8) -> String {
    format!("interrex-chaos-{number}")
}

/// Puts an empty disk over a directory, which is made if it is not there.
pub fn mount(number: u8, directory: &Path) -> Result<(), NetnsError> {
    let failed = |source| NetnsError::File { path: directory.to_owned(), source };
    fs::create_dir_all(directory).map_err(failed)?;
    let (source, path) = (source(number), directory.display());
    run(&format!("mount -t tmpfs -o size={ROOM_MB}m,mode=0700 {source} {path}")).map(drop)
}

/// Makes the disk full but for [`LEFT_BYTES`]: what is written there meanwhile may fill them before
/// the kernel has looked, and then it is tried again.
pub fn fill(directory: &Path) -> Result<(), NetnsError> {
    let mut tries = 0;
    loop {
        let about = statvfs(directory).map_err(|errno| NetnsError::File {
            path: directory.to_owned(),
            source: errno.into(),
        })?;
        let used = wide(about.blocks()) - wide(about.blocks_free());
        let bytes = used * wide(about.fragment_size()) + LEFT_BYTES;
        tries += 1;
        match run(&format!("mount -o remount,size={bytes} {}", directory.display())) {
            Err(error) if tries == TRIES => return Err(error),
            Err(_) => {}
            Ok(_) => return Ok(()),
        }
    }
}

/// These numbers have another width on each system.
fn wide(number: impl Into<u64>) -> u64 {
    number.into()
}

/// Gives the disk its room again.
pub fn free(directory: &Path) -> Result<(), NetnsError> {
    run(&format!("mount -o remount,size={ROOM_MB}m {}", directory.display())).map(drop)
}

/// Takes away every disk of a set.
pub fn remove(number: u8) -> Result<(), NetnsError> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    for path in of(&mounts, &source(number)) {
        // Whoever still has a file open there keeps only that.
        run(&format!("umount -l {path}"))?;
    }
    Ok(())
}

/// The directories on which `source` is mounted.
fn of<'a>(mounts: &'a str, source: &str) -> Vec<&'a str> {
    let pairs = mounts.lines().filter_map(|line| line.split_once(' '));
    let ours = pairs.filter(|(from, _)| *from == source);
    ours.filter_map(|(_, rest)| rest.split(' ').next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_mounts_of_this_set_are_named() {
        let mounts = "tmpfs /run tmpfs rw 0 0\ninterrex-chaos-1 /a/engine tmpfs rw 0 0\n\
                      interrex-chaos-11 /b tmpfs rw 0 0\ninterrex-chaos-1 /c tmpfs rw 0 0\n";
        assert_eq!(of(mounts, "interrex-chaos-1"), ["/a/engine", "/c"]);
        assert_eq!(of(mounts, "interrex-chaos-2"), Vec::<&str>::new());
    }
}
