//! The engine's files in the data directory: whether there are any, whether it called them damaged,
//! and how they are kept aside.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use engine::files::{Damage, RDB_HEAD_BYTES, RdbHead, StartFailure};

use crate::headroom::Space;

/// What an engine may have written: RDB, AOF of one file (6.2), AOF directory.
const DATA: [&str; 3] = ["dump.rdb", "appendonly.aof", "appendonlydir"];

/// The note of [`note_older_snapshot`].
const OLDER: &str = "older-snapshot";

/// How many copies of what was replaced are kept; older ones go.
const KEPT: usize = 2;

/// What of it is an append-only file's.
const APPEND_ONLY: [&str; 2] = ["appendonly.aof", "appendonlydir"];

/// A base without any key has 88 or 89 bytes (redis 7.0, 8.0, valkey 8.1), one with a key 10 more.
const EMPTY_BASE_BYTES: u64 = 96;

/// What a sync replaced: linked before that.
const ASIDE: &str = "aside-";

/// An append-only file that was switched off after a clean stop: the snapshot had all of it.
const SWITCHED_OFF: &str = "switched-off-";

/// The same, of a member that has data again.
const ONCE_UNREADABLE: &str = "once-unreadable-";

/// What no engine could read: moved out of its way. A person may be able to.
const UNREADABLE: &str = "unreadable-";

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

/// What there is for an engine to load. That a disk does not answer is no sign that there is
/// nothing: then it is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    /// An RDB.
    pub(crate) rdb: bool,
    /// An AOF that an engine would load; without its manifest it would start empty (engine.md 4.3).
    pub(crate) aof: bool,
    /// Files of an AOF whose manifest is gone: the engine would start empty beside them.
    pub(crate) orphaned_aof: bool,
}

impl Found {
    /// Whether there is an append-only file, or what is left of one.
    pub(crate) fn parts(self) -> bool {
        self.aof || self.orphaned_aof
    }

    /// Looks into a data directory.
    pub(crate) fn look(data: &Path) -> io::Result<Self> {
        let directory = data.join("appendonlydir");
        let aof = length(&directory.join("appendonly.aof.manifest"))?.is_some()
            || length(&data.join("appendonly.aof"))?.is_some_and(|length| length > 0);
        let orphaned_aof = !aof && holds_parts(&directory)?;
        let rdb = length(&data.join("dump.rdb"))?.is_some_and(|length| length > 0);
        Ok(Self { rdb, aof, orphaned_aof })
    }
}

/// Whether parts of an append-only file are there that may have data: not those of a rewrite that
/// was ended, nor those of an engine that was ended at its first start.
fn holds_parts(directory: &Path) -> io::Result<bool> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let least = if name.ends_with(".base.rdb") { EMPTY_BASE_BYTES } else { 0 };
        if !name.starts_with("temp-") && entry.metadata()?.len() > least {
            return Ok(true);
        }
    }
    Ok(false)
}

/// How long this file is; `None` when there is none.
fn length(path: &Path) -> io::Result<Option<u64>> {
    match fs::metadata(path) {
        Ok(file) => Ok(file.is_file().then_some(file.len())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The highest process id that Linux gives (proc(5), `pid_max`): a date in a name is above it.
const PID_MAX: u32 = 4_194_304;

/// Removes what engines that were killed had begun to write: each may be as big as the dataset, and
/// none ever removes another one's. Only while no engine runs here.
pub(crate) fn remove_temporary(data: &Path) {
    let is_temporary = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        // The process, and of what a sync brings the second before it.
        let is_process = |id: &str| id.parse::<u32>().is_ok_and(|id| id <= PID_MAX);
        let is_id = |id: &str| match id.split_once('.') {
            Some((second, process)) => second.parse::<u64>().is_ok() && is_process(process),
            None => is_process(id),
        };
        let kind = |begin: &str, end: &str| {
            name.strip_prefix(begin).and_then(|rest| rest.strip_suffix(end)).is_some_and(is_id)
        };
        kind("temp-", ".rdb")
            || kind("temp-rewriteaof-", ".aof")
            || kind("temp-rewriteaof-bg-", ".aof")
    };
    let entries = fs::read_dir(data).into_iter().flatten().flatten().map(|entry| entry.path());
    for path in entries.filter(is_temporary) {
        if let Err(error) = fs::remove_file(&path) {
            tracing::warn!(path = %path.display(), %error, "cannot remove an engine's temporary file");
        }
    }
}

/// Moves the engine's files out of its way. Returns where to, or `None` when there were none.
pub(crate) fn move_aside(data: &Path) -> Result<Option<PathBuf>, AsideError> {
    keep(data, &DATA, UNREADABLE, Way::Move)
}

/// Moves an append-only file that no engine is to read out of the way; the rest stays. It may be
/// the newest copy of all.
pub(crate) fn move_unread_aof(data: &Path) -> Result<Option<PathBuf>, AsideError> {
    keep(data, &APPEND_ONLY, UNREADABLE, Way::Move)
}

/// Moves an append-only file out of the way that is not as new as the snapshot beside it.
pub(crate) fn move_old_aof(data: &Path) -> Result<Option<PathBuf>, AsideError> {
    keep(data, &APPEND_ONLY, SWITCHED_OFF, Way::Move)
}

/// A note that the snapshot here is older than what was moved away from beside it: before that, so
/// that an engine which ends while it loads does not make it forgotten.
pub(crate) fn note_older_snapshot(data: &Path) -> io::Result<()> {
    let home = crate::state::directory(data);
    fs::create_dir_all(&home)?;
    fs::File::create(home.join(OLDER))?.sync_all()?;
    fs::File::open(&home)?.sync_all()
}

/// Whether there is such a note.
pub(crate) fn has_older_snapshot(data: &Path) -> bool {
    crate::state::directory(data).join(OLDER).exists()
}

/// The snapshot is what this member has, and its state file says what that is worth.
pub(crate) fn forget_older_snapshot(data: &Path) {
    let _ = fs::remove_file(crate::state::directory(data).join(OLDER));
}

/// Whether anything stands aside that no engine has read.
pub(crate) fn holds_unread(data: &Path) -> bool {
    !unread(data).is_empty()
}

/// What stands aside that no engine has read, by its numbers.
pub(crate) fn unread(data: &Path) -> Vec<(u64, PathBuf)> {
    numbered(&crate::state::directory(data), UNREADABLE)
}

/// This member is whole again: what nobody could read is kept for a person, and keeps nobody from
/// anything. The oldest stays, as it is from before the trouble began, and so does the newest.
pub(crate) fn settle_unread(data: &Path, unread: Vec<(u64, PathBuf)>) {
    let home = crate::state::directory(data);
    let last = numbered(&home, ONCE_UNREADABLE).last().map_or(0, |(number, _)| *number);
    for ((_, path), number) in unread.into_iter().zip(last + 1..) {
        if let Err(error) = fs::rename(&path, home.join(format!("{ONCE_UNREADABLE}{number}"))) {
            tracing::warn!(path = %path.display(), %error, "cannot rename a copy of data files");
        }
    }
    forget_surplus(numbered(&home, ONCE_UNREADABLE), 1);
}

/// Keeps a second name of the engine's files, so that they stay when it replaces them. Takes no
/// room until then; but then as much again, so it is done only where there is as much.
///
/// An agent that was started anew before the sync asks again: what is kept already is not kept
/// twice, for that would push out what was kept before.
pub(crate) fn link_aside(data: &Path) -> Result<Option<PathBuf>, AsideError> {
    let newest = numbered(&crate::state::directory(data), ASIDE).pop().map(|(_, path)| path);
    if let Some(newest) = newest
        && inodes(data).is_some_and(|now| !now.is_empty() && inodes(&newest) == Some(now))
    {
        return Ok(Some(newest));
    }
    // What an agent had begun that was ended: it would hold the room that is asked for.
    let _ = fs::remove_dir_all(draft(&crate::state::directory(data)));
    let needed = DATA.iter().map(|name| bytes(&data.join(name))).sum();
    let free = Space::of(data).map_or(u64::MAX, |space| space.free);
    if free < needed {
        return Err(AsideError::NoRoom { needed, free });
    }
    keep(data, &DATA, ASIDE, Way::Link)
}

/// How files are kept aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// No engine finds them any more.
    Move,
    /// They get a second name, while an engine works with the first.
    Link,
}

fn keep(
    data: &Path,
    names: &[&str],
    prefix: &str,
    way: Way,
) -> Result<Option<PathBuf>, AsideError> {
    let found: Vec<&str> = names.iter().copied().filter(|name| data.join(name).exists()).collect();
    if found.is_empty() {
        return Ok(None);
    }
    let home = crate::state::directory(data);
    // Numbers, not times: a clock may go back, and what is newest must not be taken for the oldest.
    let last = numbered(&home, prefix).last().map_or(0, |(number, _)| *number);
    let to = home.join(format!("{prefix}{}", last + 1));
    match way {
        Way::Move => {
            each(data, &found, &to, |from, to| fs::rename(from, to)).inspect_err(|_| {
                // With nothing in it, it says that something is kept.
                let _ = fs::remove_dir(&to);
            })?;
        }
        Way::Link => link_whole(data, &found, &to)?,
    }
    if prefix != UNREADABLE {
        forget_surplus(numbered(&home, prefix), 0);
    }
    Ok(Some(to))
}

/// Which files these are, whatever their names: those of a directory with data.
fn inodes(home: &Path) -> Option<BTreeSet<u64>> {
    let mut found = BTreeSet::new();
    let mut ways: Vec<PathBuf> = DATA.iter().map(|name| home.join(name)).collect();
    while let Some(path) = ways.pop() {
        let Ok(file) = fs::metadata(&path) else { continue };
        if file.is_dir() {
            for entry in fs::read_dir(&path).ok()? {
                ways.push(entry.ok()?.path());
            }
        } else {
            found.insert(file.ino());
        }
    }
    Some(found)
}

/// Bytes of a file, or of all files in a directory.
fn bytes(path: &Path) -> u64 {
    if path.is_dir() {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        return entries.map(|entry| bytes(&entry.path())).sum();
    }
    fs::metadata(path).map_or(0, |file| file.len())
}

fn each(
    data: &Path,
    names: &[&str],
    to: &Path,
    way: fn(&Path, &Path) -> io::Result<()>,
) -> Result<(), AsideError> {
    fs::create_dir_all(to)
        .map_err(|source| AsideError::CreateDirectory { path: to.to_owned(), source })?;
    names.iter().try_for_each(|name| {
        let path = data.join(name);
        way(&path, &to.join(name)).map_err(|source| AsideError::Keep { path, source })
    })
}

/// Under its name only when it is whole: half a copy would push out a whole one. The engine works
/// on, and a rewrite that ends meanwhile takes files away: then from the beginning.
fn link_whole(data: &Path, names: &[&str], to: &Path) -> Result<(), AsideError> {
    const TIMES: usize = 4;
    let home = to.parent().unwrap_or(to);
    let draft = draft(home);
    let mut done = Ok(());
    for _ in 0..TIMES {
        let _ = fs::remove_dir_all(&draft);
        done = each(data, names, &draft, link);
        let gone = |source: &io::Error| source.kind() == io::ErrorKind::NotFound;
        match &done {
            Err(AsideError::Keep { source, .. }) if gone(source) => {}
            Ok(()) if inodes(&draft) != inodes(data) => {}
            _ => break,
        }
    }
    let rename = |()| {
        fs::rename(&draft, to).map_err(|source| AsideError::Keep { path: draft.clone(), source })
    };
    done.and_then(rename).inspect_err(|_| {
        let _ = fs::remove_dir_all(&draft);
    })
}

/// Where a copy is made.
fn draft(home: &Path) -> PathBuf {
    home.join("aside.new")
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

/// The directories of this kind, by their numbers, the newest last.
fn numbered(home: &Path, prefix: &str) -> Vec<(u64, PathBuf)> {
    let number = |path: &Path| path.file_name()?.to_str()?.strip_prefix(prefix)?.parse().ok();
    let entries = fs::read_dir(home).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<(u64, PathBuf)> =
        entries.filter_map(|path| number(&path).map(|n| (n, path))).collect();
    found.sort();
    found
}

/// Removes what is too much: the oldest copies but for the `first` ones.
fn forget_surplus(mut found: Vec<(u64, PathBuf)>, first: usize) {
    let surplus = found.len().saturating_sub(KEPT);
    for (_, old) in found.drain(..).skip(first).take(surplus) {
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
        let look = || Found::look(data).unwrap();
        let has = |found: Found| found.rdb || found.aof;
        assert!(!has(look()) && !look().orphaned_aof);
        fs::create_dir(data.join("appendonlydir")).unwrap();
        fs::write(data.join("appendonlydir/appendonly.aof.1.incr.aof"), "x").unwrap();
        assert!(!has(look()) && look().orphaned_aof);
        assert!(!holds_unread(data));
        move_aside(data).unwrap().unwrap();
        assert!(!look().orphaned_aof && holds_unread(data));
        // What a rewrite or a first start had begun when it was ended is no data.
        fs::create_dir(data.join("appendonlydir")).unwrap();
        for (name, bytes) in [
            ("temp-appendonly.aof.incr", 500),
            ("appendonly.aof.1.base.rdb", 89),
            ("appendonly.aof.1.incr.aof", 0),
        ] {
            fs::write(data.join("appendonlydir").join(name), vec![b'x'; bytes]).unwrap();
        }
        assert!(!look().orphaned_aof);
        fs::write(data.join("appendonlydir/appendonly.aof.1.base.rdb"), [b'x'; 99]).unwrap();
        assert!(look().orphaned_aof);
        let kept = move_unread_aof(data).unwrap().unwrap();
        assert!(kept.join("appendonlydir/appendonly.aof.1.base.rdb").is_file());
        // A directory in the place of a file's parent does not say that there is no file.
        fs::write(data.join("appendonlydir"), "no directory").unwrap();
        assert!(Found::look(data).is_err());
    }

    #[test]
    fn what_killed_engines_had_begun_to_write_goes_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let begun = ["temp-4711.rdb", "temp-1783.4711.rdb", "temp-rewriteaof-bg-4711.aof"];
        let others = [
            "dump.rdb",
            "temp-.rdb",
            "temp-mine.rdb",
            "temp-4711.rdb.bak",
            "x-temp-1.rdb",
            // Copies that a person has named.
            "temp-20261120.rdb",
            "temp-2026-11-20.rdb",
            "temp-1.20261120.rdb",
        ];
        begun.iter().chain(&others).for_each(|n| fs::write(dir.path().join(n), "x").unwrap());
        remove_temporary(dir.path());
        assert!(begun.iter().all(|name| !dir.path().join(name).exists()));
        assert!(others.iter().all(|name| dir.path().join(name).exists()));
    }

    #[test]
    fn what_nobody_could_read_outlives_what_was_replaced_and_later_trouble() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path();
        let write = |text: &str| fs::write(data.join("dump.rdb.new"), text).unwrap();
        let put = |text: &str| {
            write(text);
            fs::rename(data.join("dump.rdb.new"), data.join("dump.rdb")).unwrap();
        };
        let mut moved = Vec::new();
        for round in 0..4 {
            put(&format!("damaged {round}"));
            moved.push(move_aside(data).unwrap().unwrap());
            put(&format!("replaced {round}"));
            link_aside(data).unwrap();
        }
        // Each of them may be the only copy that there is, until this member is whole.
        assert!(moved.iter().all(|path| path.join("dump.rdb").is_file()));
        settle_unread(data, unread(data));
        assert!(!holds_unread(data));
        let there = |round: usize| {
            let once = crate::state::directory(data).join(format!("once-unreadable-{}", round + 1));
            std::fs::read_to_string(once.join("dump.rdb"))
                .is_ok_and(|text| text == format!("damaged {round}"))
        };
        assert_eq!([0, 1, 2, 3].map(there), [true, false, false, true]);
        // Asked again for the same files: nothing more is kept, and nothing goes.
        let newest = link_aside(data).unwrap().unwrap();
        assert_eq!(fs::read_to_string(newest.join("dump.rdb")).unwrap(), "replaced 3");
        let asides = numbered(&crate::state::directory(data), ASIDE);
        assert_eq!(asides.len(), KEPT);
        assert_eq!(fs::read_to_string(asides[0].1.join("dump.rdb")).unwrap(), "replaced 2");
    }
}
