//! The newest decisions on the disk, so that those of an agent that was killed can still be read.
//!
//! For people only: nothing is decided by it, nothing waits for it, and it is never synced to the
//! disk. What a killed process has written is in the file all the same; a machine that loses its
//! power may lose the last lines.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, channel, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use brain::report::Decision;

use super::KEPT;

/// The file that is appended to; the full one before it has the ending `.1`.
const FILE: &str = "decisions.jsonl";

/// A file is full with as many decisions as are kept, so two always have that many.
const LINES_MAX: usize = KEPT;

/// And with so many bytes, whatever they are.
const BYTES_MAX: u64 = 256 * 1024;

/// Decisions that wait for a slow disk. A failover makes some dozens; more are not written, and the
/// memory still has them.
const QUEUE: usize = 256;

/// How long an agent that ends waits for its last lines.
const LAST_LINES: Duration = Duration::from_millis(200);

/// Writes decisions from a thread of its own.
#[derive(Debug)]
pub(crate) struct Journal {
    lines: Option<SyncSender<String>>,
    /// Behind a lock only so that its owner may be shared between threads.
    ended: Mutex<Receiver<()>>,
}

impl Journal {
    /// Starts the writer in this directory, which must exist; a file cut off in the middle of its
    /// last line goes on in a new one.
    pub(crate) fn start(directory: &Path) -> io::Result<Self> {
        let mut writer = Writer::open(directory.join(FILE))?;
        let (lines, inbox) = sync_channel::<String>(QUEUE);
        let (tell_end, ended) = channel();
        let work = move || {
            let mut failed = false;
            for line in inbox {
                let result = writer.add(&line);
                if let (Err(error), false) = (&result, failed) {
                    tracing::warn!(%error, "cannot write decisions down: a restart forgets them");
                }
                failed = result.is_err();
            }
            // Whoever waited may have given up.
            let _ = tell_end.send(());
        };
        thread::Builder::new().name("decisions".to_owned()).stack_size(128 * 1024).spawn(work)?;
        Ok(Self { lines: Some(lines), ended: Mutex::new(ended) })
    }

    /// Has one decision written, soon. Never waits.
    pub(crate) fn add(&self, decision: &Decision) {
        let line = serde_json::to_string(decision).expect("a decision is plain data");
        if let Some(lines) = &self.lines {
            // A full queue is a disk that stands still.
            let _ = lines.try_send(line);
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.lines = None;
        let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
        if ended.recv_timeout(LAST_LINES) == Err(RecvTimeoutError::Timeout) {
            tracing::debug!("the last decisions are not written: the disk is slow");
        }
    }
}

/// The newest decisions that earlier agents wrote in this directory, oldest first, at most
/// [`KEPT`]. Lines that are torn are left out.
pub(crate) fn read(directory: &Path) -> Vec<Decision> {
    let path = directory.join(FILE);
    let mut found = Vec::new();
    for file in [before(&path), path] {
        let text = fs::read(file).unwrap_or_default();
        let lines = text.split(|byte| *byte == b'\n');
        found.extend(lines.filter_map(|line| serde_json::from_slice::<Decision>(line).ok()));
    }
    found.split_off(found.len().saturating_sub(KEPT))
}

fn before(path: &Path) -> PathBuf {
    path.with_extension("jsonl.1")
}

#[derive(Debug)]
struct Writer {
    path: PathBuf,
    file: File,
    lines: usize,
    bytes: u64,
}

impl Writer {
    fn open(path: PathBuf) -> io::Result<Self> {
        let text = fs::read(&path).unwrap_or_default();
        let mut file = append(&path)?;
        if text.last().is_some_and(|last| *last != b'\n') {
            file.write_all(b"\n")?;
        }
        let lines = text.split(|byte| *byte == b'\n').count();
        Ok(Self { path, file, lines, bytes: text.len() as u64 })
    }

    fn add(&mut self, line: &str) -> io::Result<()> {
        if self.lines >= LINES_MAX || self.bytes >= BYTES_MAX {
            fs::rename(&self.path, before(&self.path))?;
            self.file = append(&self.path)?;
            (self.lines, self.bytes) = (0, 0);
        }
        // One write a line, so that a killed agent leaves whole lines.
        let text = format!("{line}\n");
        self.file.write_all(text.as_bytes())?;
        self.lines += 1;
        self.bytes += text.len() as u64;
        Ok(())
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision(epoch: u64) -> Decision {
        Decision { epoch, rule: "appointed".into(), text: "a\nb".into(), ..Decision::default() }
    }

    fn epochs(directory: &Path) -> Vec<u64> {
        read(directory).into_iter().map(|decision| decision.epoch).collect()
    }

    #[test]
    fn the_newest_decisions_are_read_again_and_two_files_bound_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        assert!(epochs(dir.path()).is_empty());
        let mut writer = Writer::open(path.clone()).unwrap();
        for epoch in 0..5 * LINES_MAX as u64 + 7 {
            writer.add(&serde_json::to_string(&decision(epoch)).unwrap()).unwrap();
        }
        let last = 5 * LINES_MAX as u64 + 7;
        let expected: Vec<u64> = (last - KEPT as u64..last).collect();
        assert_eq!(epochs(dir.path()), expected);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
        assert!(fs::read_to_string(path).unwrap().lines().count() <= LINES_MAX);
    }

    #[test]
    fn a_torn_last_line_costs_itself_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        let whole = serde_json::to_string(&decision(1)).unwrap();
        fs::write(&path, format!("{whole}\n{}", &whole[..whole.len() / 2])).unwrap();
        let journal = Journal::start(dir.path()).unwrap();
        journal.add(&decision(2));
        // Its end waits for the last line.
        drop(journal);
        assert_eq!(epochs(dir.path()), [1, 2]);
    }

    #[test]
    fn a_directory_that_is_gone_stops_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let gone = dir.path().join("gone");
        assert!(Journal::start(&gone).is_err());
        let journal = Journal::start(dir.path()).unwrap();
        fs::remove_dir_all(dir.path()).unwrap();
        for epoch in 0..3 * LINES_MAX as u64 {
            journal.add(&decision(epoch));
        }
    }
}
