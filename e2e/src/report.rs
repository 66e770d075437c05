//! The table at the end, and the same as JSON.

use std::fmt::Write;
use std::path::Path;

use serde::Serialize;
use trial::gap::Spread;
use trial::verdict::Phase;

use crate::error::Error;
use crate::verdict::{Check, Event, Outcome, Verdict, shown};

/// A run of a set.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// The version of this document; fields are added, never renamed.
    pub(crate) schema: u32,
    /// `short` or `full`.
    pub(crate) set: String,
    /// How long all of it took, in seconds.
    pub(crate) seconds: u64,
    /// Every row.
    pub(crate) rows: Vec<Outcome>,
}

impl Report {
    /// The exit code: 0 as wanted, 3 when only a time was missed, 1 otherwise.
    pub(crate) fn code(&self) -> u8 {
        let any = |verdict| self.rows.iter().any(|row| row.verdict == verdict);
        match (any(Verdict::Failed), any(Verdict::Slow)) {
            (true, _) => 1,
            (false, true) => 3,
            (false, false) => 0,
        }
    }

    /// Writes it, over what an earlier run left there.
    pub(crate) fn write(&self, path: &Path) -> Result<(), Error> {
        write_json(self, path)
    }

    /// The table for people, in 100 columns.
    pub(crate) fn table(&self) -> String {
        let mut text = line(["ROW", "WANTED", "P50", "P99", "MAX", "RUNS", "LOST", ""]);
        for row in &self.rows {
            let of = |pick: fn(Spread) -> f64| {
                row.measured.map_or("–".to_owned(), |spread| shown(pick(spread)))
            };
            let lost = row.finished.lost_acked + row.finished.lost_replicated;
            text += &line([
                &row.title,
                &row.wanted,
                &of(|spread| spread.p50_ms),
                &of(|spread| spread.p99_ms),
                &of(|spread| spread.max_ms),
                &row.events.len().to_string(),
                &lost.to_string(),
                word(row.verdict),
            ]);
        }
        for row in &self.rows {
            details(&mut text, row);
        }
        let count = |verdict| self.rows.iter().filter(|row| row.verdict == verdict).count();
        let _ = writeln!(
            text,
            "{} ok, {} slow, {} failed, {} not to be had here; {} s",
            count(Verdict::Ok),
            count(Verdict::Slow),
            count(Verdict::Failed),
            count(Verdict::Skipped),
            self.seconds
        );
        text
    }
}

/// Writes a document, with its directory.
pub(crate) fn write_json(document: &impl Serialize, path: &Path) -> Result<(), Error> {
    let failed = |source| Error::Write { path: path.to_owned(), source };
    let text = serde_json::to_vec_pretty(document).map_err(|error| failed(error.into()))?;
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).map_err(failed)?;
    }
    std::fs::write(path, text).map_err(failed)
}

fn line(cells: [&str; 8]) -> String {
    let [row, wanted, p50, p99, max, runs, lost, verdict] = cells;
    let line =
        format!("{row:32} {wanted:24} {p50:>7} {p99:>7} {max:>7} {runs:>4} {lost:>4} {verdict}");
    format!("{}\n", line.trim_end())
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "ok",
        Verdict::Slow => "SLOW",
        Verdict::Failed => "FAILED",
        Verdict::Skipped => "–",
    }
}

/// What a reader of the table asks next: which of the wanted was not there, and why.
fn details(text: &mut String, row: &Outcome) {
    let title = &row.title;
    if let Some(why) = &row.skipped {
        let _ = writeln!(text, "– {title}: not tried: {why}");
    }
    if let Some(error) = &row.error {
        let _ = writeln!(text, "× {title}: ended early: {error}");
    }
    for check in row.checks.iter().filter(|check| !check.met) {
        let Check { what, wanted, measured, .. } = check;
        let _ = writeln!(text, "× {title}: {what}: {measured}, wanted {wanted}");
    }
    if let Some(slowest) = slowest(row) {
        let _ = write!(text, "  {title}, run {}:", slowest.number + 1);
        for Phase { rule, member, after_ms } in &slowest.phases {
            let _ = write!(text, " {rule} ({member}) {after_ms:.0} ms,");
        }
        let (from, to) = (slowest.gap_from_ms, slowest.gap_from_ms + slowest.measured_ms);
        let _ = writeln!(text, " no write from {from:.0} to {to:.0} ms");
    }
    for event in &row.events {
        for violation in &event.violations {
            let _ = writeln!(text, "× {title}, run {}: {violation}", event.number + 1);
        }
    }
}

/// Where the time of a row that was too slow went: its longest event.
fn slowest(row: &Outcome) -> Option<&Event> {
    let slow = row.verdict == Verdict::Slow && !row.events.iter().all(|e| e.phases.is_empty());
    row.events.iter().max_by(|a, b| a.measured_ms.total_cmp(&b.measured_ms)).filter(|_| slow)
}
