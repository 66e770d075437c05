//! The logs of a group's processes, kept from growing without end: each is one file and the one
//! before it.
//!
//! A process writes to the file that it was started with, so a full one is copied and emptied
//! where it is. What is written in the microseconds between the last copy and the emptying is lost.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::file;

/// A log that is longer than this is put aside, in bytes: with the one before it, 32 MiB for each
/// process.
pub(crate) const LONGEST: u64 = 16 << 20;

/// How often the logs of running processes are looked at. An engine that complains at each of a
/// thousand connections a second writes less than a mebibyte meanwhile.
const LOOK: Duration = Duration::from_secs(5);

/// Keeps these logs bounded until dropped.
pub(crate) async fn watch(logs: Vec<PathBuf>) {
    let mut failed = false;
    loop {
        let these = logs.clone();
        let look = move || these.iter().try_for_each(|log| bound(log, LONGEST).map(drop));
        match tokio::task::spawn_blocking(look).await {
            Ok(Ok(())) => failed = false,
            Ok(Err(error)) if !failed => {
                failed = true;
                tracing::warn!(%error, "a log that is too long cannot be put aside");
            }
            Ok(Err(_)) => {}
            Err(error) => tracing::error!(%error, "the look at the logs broke"),
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Before a process starts: a long log is put aside. Nobody writes to it.
pub(crate) fn put_aside(log: &Path) -> io::Result<()> {
    match fs::metadata(log) {
        Ok(about) if about.len() > LONGEST => fs::rename(log, with(log, ".1")),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// While a process writes to it: a log that is longer than this many bytes is copied over the one
/// before it, and emptied. Says whether it was.
fn bound(log: &Path, longest: u64) -> io::Result<bool> {
    let mut full = match OpenOptions::new().read(true).write(true).open(log) {
        Ok(full) => full,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    if full.metadata()?.len() <= longest {
        return Ok(false);
    }
    let (aside, old) = (with(log, ".1.new"), with(log, ".1"));
    let copied = copy(&mut full, &aside, &old);
    if copied.is_err() {
        // What it holds is in the log still.
        let _ = fs::remove_file(&aside);
    }
    copied?;
    full.set_len(0)?;
    Ok(true)
}

fn copy(full: &mut File, aside: &Path, old: &Path) -> io::Result<()> {
    let mut copy = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(file::OWNER_ONLY)
        .open(aside)?;
    io::copy(full, &mut copy)?;
    fs::rename(aside, old)?;
    // What came meanwhile; from here to the emptying is a moment.
    io::copy(full, &mut copy).map(drop)
}

fn with(log: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(log);
    name.push(ending);
    name.into()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_log_that_is_written_to_stays_bounded_and_keeps_its_newest_lines() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let mut writer = OpenOptions::new().append(true).create(true).open(&log).unwrap();
        let mut emptied = 0;
        for line in 0..1000 {
            writeln!(writer, "line {line:04}").unwrap();
            emptied += u32::from(bound(&log, 1000).unwrap());
        }
        assert!(emptied > 5, "{emptied}");
        let length = |path: &Path| fs::metadata(path).unwrap().len();
        assert!(length(&log) <= 1000 && length(&with(&log, ".1")) <= 1010);
        let before = fs::read_to_string(with(&log, ".1")).unwrap();
        let text = before + &fs::read_to_string(&log).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let first: usize = lines[0].trim_start_matches("line ").parse().unwrap();
        let expected: Vec<String> = (first..1000).map(|line| format!("line {line:04}")).collect();
        assert_eq!(lines, expected, "no line is lost or torn");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_log_that_is_not_there_or_short_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        assert!(!bound(&log, 10).unwrap());
        fs::write(&log, "short").unwrap();
        assert!(!bound(&log, 10).unwrap());
        put_aside(&log).unwrap();
        assert_eq!(fs::read_to_string(&log).unwrap(), "short");
        assert!(!with(&log, ".1").exists());
    }
}
