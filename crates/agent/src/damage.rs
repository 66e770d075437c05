//! The engine's files in the data directory: whether there are any, whether it called them damaged,
//! and how they are kept aside.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use engine::files::{Damage, RDB_HEAD_BYTES, RdbHead, StartFailure};

use crate::headroom::Space;

/// What an engine may have written: RDB, AOF of one file (6.2), AOF directory.
const DATA: [&str; 3] = ["dump.rdb", "appendonly.aof", "appendonlydir"];

/// How many copies are kept; older ones go.
const KEPT: usize = 2;

/// Why files could not be kept aside.
#[derive(Debug, thiserror::Error)]
pub enum AsideError {
    /// The directory for them cannot be made.
    #[error("cannot create {path} to keep data files aside")]
    CreateDirectory {
        /// The directory.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A sync that writes new files beside the kept ones would fill the disk.
    #[error("no room to keep data files aside: they have {needed} bytes, {free} are free")]
    NoRoom {
        /// What they have.
        needed: u64,
        /// What is free.
        free: u64,
    },
    /// One of them cannot be moved or linked.
    #[error("cannot keep {path} aside")]
    Keep {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// Whether there is anything for an engine to load.
pub(crate) fn found_data(data: &Path) -> bool {
    found_rdb(data) || found_aof(data)
}

/// Whether there is an RDB.
pub(crate) fn found_rdb(data: &Path) -> bool {
    fs::metadata(data.join("dump.rdb")).is_ok_and(|file| file.is_file() && file.len() > 0)
}

/// Whether there is an AOF that an engine would load; without its manifest it would start empty
/// (engine.md 4.3).
pub(crate) fn found_aof(data: &Path) -> bool {
    data.join("appendonlydir/appendonly.aof.manifest").is_file()
        || fs::metadata(data.join("appendonly.aof")).is_ok_and(|f| f.is_file() && f.len() > 0)
}

/// Files of an AOF whose manifest is gone: the engine would start empty beside them.
pub(crate) fn found_orphaned_aof(data: &Path) -> bool {
    let directory = data.join("appendonlydir");
    !found_aof(data) && fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_some())
}

/// Moves the engine's files out of its way. Returns where to, or `None` when there were none.
pub(crate) fn move_aside(data: &Path) -> Result<Option<PathBuf>, AsideError> {
    keep(data, &DATA, &|from, to| fs::rename(from, to))
}

/// Moves an append-only file without its manifest out of the way; the rest stays.
pub(crate) fn move_orphaned_aof(data: &Path) -> Result<Option<PathBuf>, AsideError> {
    keep(data, &["appendonlydir"], &|from, to| fs::rename(from, to))
}

/// Keeps a second name of the engine's files, so that they stay when it replaces them. Takes no
/// room until then; but then as much again, so it is done only where there is as much.
pub(crate) fn link_aside(data: &Path) -> Result<Option<PathBuf>, AsideError> {
    let needed = DATA.iter().map(|name| bytes(&data.join(name))).sum();
    let free = Space::of(data).map_or(u64::MAX, |space| space.free);
    if free < needed {
        return Err(AsideError::NoRoom { needed, free });
    }
    keep(data, &DATA, &link)
}

fn keep(
    data: &Path,
    names: &[&str],
    each: &dyn Fn(&Path, &Path) -> io::Result<()>,
) -> Result<Option<PathBuf>, AsideError> {
    let found: Vec<&&str> = names.iter().filter(|name| data.join(name).exists()).collect();
    if found.is_empty() {
        return Ok(None);
    }
    let home = crate::state::directory(data);
    let to = home.join(format!("aside-{}", crate::clock::wall_ms()));
    fs::create_dir_all(&to)
        .map_err(|source| AsideError::CreateDirectory { path: to.clone(), source })?;
    for name in found {
        let path = data.join(name);
        each(&path, &to.join(name)).map_err(|source| AsideError::Keep { path, source })?;
    }
    forget_oldest(&home);
    Ok(Some(to))
}

/// Bytes of a file, or of all files in a directory.
fn bytes(path: &Path) -> u64 {
    if path.is_dir() {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        return entries.map(|entry| bytes(&entry.path())).sum();
    }
    fs::metadata(path).map_or(0, |file| file.len())
}

fn link(from: &Path, to: &Path) -> io::Result<()> {
    if from.is_dir() {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            link(&entry.path(), &to.join(entry.file_name()))?;
        }
        return Ok(());
    }
    fs::hard_link(from, to)
}

fn forget_oldest(home: &Path) {
    let Ok(entries) = fs::read_dir(home) else {
        return;
    };
    let is_aside = |path: &PathBuf| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|n| n.starts_with("aside-"))
    };
    let mut asides: Vec<PathBuf> =
        entries.filter_map(|entry| entry.ok().map(|e| e.path())).filter(is_aside).collect();
    asides.sort();
    let surplus = asides.len().saturating_sub(KEPT);
    for old in asides.drain(..surplus) {
        if let Err(error) = fs::remove_dir_all(&old) {
            tracing::warn!(path = %old.display(), %error, "cannot remove an old copy of data files");
        }
    }
}

/// Why an engine ended soon after its start, by its own last lines.
pub(crate) fn why_not_started(log: &str) -> Option<StartFailure> {
    StartFailure::find(log.lines())
}

/// Whether moving the files aside is the cure: they are damaged. Files that are whole, but for
/// another engine, stay: with the right engine they can be read, and a whole group that throws its
/// data aside after a downgrade would be empty.
pub(crate) fn is_cured_aside(failure: &StartFailure, data: &Path) -> bool {
    let for_another = failure.is_wrong_signature() && is_an_rdb(&data.join("dump.rdb"));
    match failure.damage() {
        None | Some(Damage::RdbVersion | Damage::AofVersion) => false,
        Some(Damage::Rdb | Damage::Aof | Damage::AofManifest) => !for_another,
    }
}

/// Whether the file begins as an RDB of any engine.
fn is_an_rdb(path: &Path) -> bool {
    use std::io::Read;
    let mut head = Vec::with_capacity(RDB_HEAD_BYTES);
    let read = fs::File::open(path)
        .and_then(|file| file.take(RDB_HEAD_BYTES as u64).read_to_end(&mut head));
    read.is_ok() && RdbHead::parse(&head).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linked_copies_survive_their_originals_and_only_two_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path();
        assert_eq!(link_aside(data).unwrap(), None);
        fs::create_dir(data.join("appendonlydir")).unwrap();
        fs::write(data.join("appendonlydir/appendonly.aof.manifest"), "m").unwrap();
        let mut last = PathBuf::new();
        for round in 0..3 {
            fs::write(data.join("dump.rdb.new"), format!("round {round}")).unwrap();
            fs::rename(data.join("dump.rdb.new"), data.join("dump.rdb")).unwrap();
            // Names are times in milliseconds: wait for the next one.
            let begun = crate::clock::wall_ms();
            while crate::clock::wall_ms() == begun {
                std::thread::yield_now();
            }
            last = link_aside(data).unwrap().unwrap();
        }
        fs::remove_file(data.join("dump.rdb")).unwrap();
        assert_eq!(fs::read_to_string(last.join("dump.rdb")).unwrap(), "round 2");
        assert!(last.join("appendonlydir/appendonly.aof.manifest").is_file());
        let kept = fs::read_dir(crate::state::directory(data)).unwrap().count();
        assert_eq!(kept, KEPT);
    }

    #[test]
    fn a_manifest_decides_whether_an_aof_is_loaded() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path();
        assert!(!found_data(data) && !found_orphaned_aof(data));
        fs::create_dir(data.join("appendonlydir")).unwrap();
        fs::write(data.join("appendonlydir/appendonly.aof.1.incr.aof"), "x").unwrap();
        assert!(!found_data(data) && found_orphaned_aof(data));
        move_aside(data).unwrap().unwrap();
        assert!(!found_orphaned_aof(data));
    }
}
