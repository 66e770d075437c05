//! Which of the engine's files is the newest copy at its next start: the snapshot of a clean stop,
//! or the append-only file.
//!
//! Only the snapshot has the place in the stream (engine.md 0, 5), so it is read wherever it is
//! known to be as new. What is known stands in a mark beside the state file: how the append-only
//! file was when the snapshot was written. As long as that file is still the same, the snapshot is
//! at least as new, also after a start from it whose engine died before it had written the
//! append-only file anew; and once the file is another one, the mark says nothing any more,
//! whether or not it could be taken away.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::{damage, state};

/// The file in the agent's directory.
const FILE: &str = "clean-stop";

/// How a mark ends that is whole: a torn one is none.
const END: &str = "end of the mark\n";

/// Which snapshot stands there: another one is another file, as engines write it aside and rename.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Snapshot {
    inode: u64,
    written_s: i64,
    written_ns: i64,
    length: u64,
}

/// The snapshot in this data directory.
pub(crate) fn snapshot(data: &Path) -> Option<Snapshot> {
    let file = fs::metadata(data.join("dump.rdb")).ok().filter(fs::Metadata::is_file)?;
    Some(Snapshot {
        inode: file.ino(),
        written_s: file.mtime(),
        written_ns: file.mtime_nsec(),
        length: file.len(),
    })
}

/// Marks that the snapshot is at least as new as the append-only file is now. The engine must have
/// ended. The mark is on the disk when this returns.
pub(crate) fn mark(data: &Path) -> io::Result<()> {
    let path = path(data);
    let aside = path.with_extension("new");
    let mut file = File::create(&aside)?;
    file.write_all(append_only(data).as_bytes())?;
    file.sync_all()?;
    fs::rename(&aside, &path)?;
    File::open(state::directory(data))?.sync_all()
}

/// Whether the append-only file is still the one of the mark: then the snapshot is the newest copy.
pub(crate) fn snapshot_leads(data: &Path) -> bool {
    damage::Found::look(data).is_ok_and(|found| found.rdb)
        && fs::read_to_string(path(data)).is_ok_and(|mark| mark == append_only(data))
}

/// Takes the mark away. One that stays is harmless: the append-only file is another one.
pub(crate) fn forget(data: &Path) {
    let _ = fs::remove_file(path(data));
}

fn path(data: &Path) -> PathBuf {
    state::directory(data).join(FILE)
}

/// What tells one state of the append-only file from the next: its manifest, which every rewrite
/// changes, and the size of each of its files, which every append changes. An engine of 6.2 has one
/// file without a manifest, which a rewrite replaces: its time of writing counts too.
fn append_only(data: &Path) -> String {
    let mut text = String::new();
    if let Ok(file) = fs::metadata(data.join("appendonly.aof")) {
        let _ = writeln!(text, "{} {}.{:09}", file.len(), file.mtime(), file.mtime_nsec());
    }
    let directory = data.join("appendonlydir");
    let manifest = fs::read(directory.join("appendonly.aof.manifest")).unwrap_or_default();
    for line in String::from_utf8_lossy(&manifest).lines() {
        let name = line.split_whitespace().nth(1).unwrap_or_default();
        let length = fs::metadata(directory.join(name)).map_or(0, |file| file.len());
        let _ = writeln!(text, "{line} {length}");
    }
    text.push_str(END);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(state::directory(dir.path())).unwrap();
        fs::create_dir(dir.path().join("appendonlydir")).unwrap();
        let manifest = "file appendonly.aof.1.base.rdb seq 1 type b\n\
                        file appendonly.aof.1.incr.aof seq 1 type i\n";
        put(&dir, "appendonlydir/appendonly.aof.manifest", manifest);
        put(&dir, "appendonlydir/appendonly.aof.1.incr.aof", "one");
        put(&dir, "dump.rdb", "REDIS0010");
        dir
    }

    fn put(dir: &tempfile::TempDir, name: &str, text: &str) {
        fs::write(dir.path().join(name), text).unwrap();
    }

    #[test]
    fn without_a_mark_the_append_only_file_is_the_newest() {
        let dir = place();
        assert!(!snapshot_leads(dir.path()));
        mark(dir.path()).unwrap();
        assert!(snapshot_leads(dir.path()));
        forget(dir.path());
        assert!(!snapshot_leads(dir.path()));
    }

    #[test]
    fn a_mark_that_nobody_took_away_says_nothing_of_a_file_that_was_written_since() {
        for (name, text) in [
            ("appendonlydir/appendonly.aof.1.incr.aof", "one and two"),
            ("appendonlydir/appendonly.aof.manifest", "file appendonly.aof.2.base.rdb seq 2\n"),
            ("appendonly.aof", "of another engine"),
        ] {
            let dir = place();
            mark(dir.path()).unwrap();
            put(&dir, name, text);
            assert!(!snapshot_leads(dir.path()), "{name}");
        }
    }

    #[test]
    fn a_first_rewrite_that_has_not_ended_leaves_the_snapshot_the_newest() {
        let dir = place();
        mark(dir.path()).unwrap();
        put(&dir, "appendonlydir/temp-appendonly.aof.incr", "not in the manifest yet");
        assert!(snapshot_leads(dir.path()));
    }

    #[test]
    fn a_torn_mark_is_none_and_one_that_cannot_be_written_is_said() {
        let dir = place();
        mark(dir.path()).unwrap();
        let whole = fs::read(path(dir.path())).unwrap();
        for length in 0..whole.len() {
            fs::write(path(dir.path()), &whole[..length]).unwrap();
            assert!(!snapshot_leads(dir.path()), "{length} bytes of {}", whole.len());
        }
        forget(dir.path());
        fs::create_dir(path(dir.path())).unwrap();
        assert!(mark(dir.path()).is_err());
        assert!(!snapshot_leads(dir.path()));
    }

    #[test]
    fn another_snapshot_is_another_file() {
        let dir = place();
        let before = snapshot(dir.path()).unwrap();
        assert_eq!(snapshot(dir.path()), Some(before));
        put(&dir, "temp-1.rdb", "REDIS0010");
        fs::rename(dir.path().join("temp-1.rdb"), dir.path().join("dump.rdb")).unwrap();
        assert_ne!(snapshot(dir.path()), Some(before));
    }
}
