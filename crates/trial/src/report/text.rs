//! The table for people, in 100 columns: one line a scenario, then what was wanted and measured,
//! then where the gaps go, then what is wrong.

use std::fmt::Write;

use super::Report;
use crate::gap::Spread;
use crate::verdict::{Row, millis, shown};

/// Widths of the columns of the first table; the first one takes what is left.
const TITLE: usize = 33;

/// So many events show how many there are in a minute.
const MANY: usize = 5;

/// Width of everything.
const COLUMNS: usize = 100;

/// The whole report. `ascii` uses no sign beyond ASCII.
pub fn render(report: &Report, ascii: bool) -> String {
    let mut text = String::new();
    header(&mut text);
    for row in &report.rows {
        line(&mut text, row);
    }
    text.push('\n');
    wanted(&mut text, report);
    phases(&mut text, report);
    faults(&mut text, report);
    summary(&mut text, report);
    if ascii { plain(&text) } else { text }
}

/// The signs of the texts in ASCII.
fn plain(text: &str) -> String {
    text.replace('√', "ok")
        .replace('×', "x")
        .replace('≤', "<=")
        .replace('→', "->")
        .replace('–', "-")
}

/// The head of the table.
pub fn header(text: &mut String) {
    let _ = writeln!(
        text,
        "  {:TITLE$} {:>4} {:6} {:>8} {:>8} {:>8} {:>9} {:>5} {:>8}",
        "SCENARIO", "RUNS", "RESULT", "GAP P50", "GAP P99", "READ GAP", "ACKED", "LOST", "HEALTHY"
    );
}

/// One scenario in one line; HEALTHY is the median time until the group was healthy again, LOST is
/// of acknowledged writes, waited for or not.
pub fn line(text: &mut String, row: &Row) {
    let result = match (&row.skipped, row.passed()) {
        (Some(_), _) => "–",
        (None, true) => "√",
        (None, false) => "×",
    };
    let of = |spread: Option<Spread>, pick: fn(Spread) -> f64| {
        spread.map_or("–".to_owned(), |spread| shown(millis(pick(spread))))
    };
    let _ = writeln!(
        text,
        "  {:TITLE$.TITLE$} {:>4} {:6} {:>8} {:>8} {:>8} {:>9} {:>5} {:>8}",
        row.scenario.title,
        row.events.len(),
        result,
        of(row.write_gap, |spread| spread.p50_ms),
        of(row.write_gap, |spread| spread.p99_ms),
        of(row.read_gap, |spread| spread.p99_ms),
        grouped(row.tally.acked),
        row.tally.lost(),
        of(row.healthy, |spread| spread.p50_ms),
    );
}

/// Thousands apart: `8 411`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

fn wanted(text: &mut String, report: &Report) {
    let _ =
        writeln!(text, "  {:TITLE$} {:33} {:>16} {:>10}", "SCENARIO", "OF", "WANTED", "MEASURED");
    for row in report.rows.iter().filter(|row| row.skipped.is_none()) {
        for (n, check) in row.checks.iter().enumerate() {
            let title = if n == 0 { row.scenario.title.as_str() } else { "" };
            let sign = if check.met { "√" } else { "×" };
            let _ = writeln!(
                text,
                "{sign} {title:TITLE$.TITLE$} {:33} {:>16} {:>10}",
                check.what, check.wanted, check.measured
            );
        }
    }
    text.push('\n');
}

fn phases(text: &mut String, report: &Report) {
    for row in &report.rows {
        let phases = row.phases();
        if phases.len() < 2 {
            continue;
        }
        let _ = write!(text, "  {}, medians:", row.scenario.title);
        let mut width = COLUMNS;
        for (rule, ms) in phases {
            let step = format!(" → {rule} {ms:.0} ms");
            if width + step.chars().count() > COLUMNS {
                text.push_str("\n   ");
                width = 3;
            }
            width += step.chars().count();
            text.push_str(&step);
        }
        text.push('\n');
    }
}

fn faults(text: &mut String, report: &Report) {
    for row in &report.rows {
        let title = &row.scenario.title;
        if let Some(skipped) = &row.skipped {
            let _ = writeln!(text, "– {title}: not tried, {skipped}");
        }
        if let Some(error) = &row.error {
            let _ = writeln!(text, "× {title}: ended early: {error}");
        }
        for broken in &row.broken {
            let _ = writeln!(text, "× {title}, {broken}");
        }
        for event in &row.events {
            for violation in &event.violations {
                let _ = writeln!(text, "× {title}, run {}: {violation}", event.number + 1);
            }
        }
    }
}

fn summary(text: &mut String, report: &Report) {
    for row in report.rows.iter().filter(|row| row.events.len() >= MANY) {
        let minutes = row.took_s / 60.0;
        let each = row.events.len() as f64 / minutes.max(f64::EPSILON);
        let _ = writeln!(text, "  {}: {each:.1} a minute", row.scenario.title);
    }
    let tried: Vec<&Row> = report.rows.iter().filter(|row| row.skipped.is_none()).collect();
    let passed = tried.iter().filter(|row| row.passed()).count();
    let failed = tried.len() - passed;
    let acked: u64 = tried.iter().map(|row| row.tally.acked).sum();
    let replicated: u64 = tried.iter().map(|row| row.tally.replicated).sum();
    let lost: u64 = tried.iter().map(|row| row.tally.lost_replicated).sum();
    let _ = writeln!(
        text,
        "{passed} √  {failed} ×   {} writes acknowledged, {} of them replicated, {lost} of these lost",
        grouped(acked),
        grouped(replicated),
    );
}

#[cfg(test)]
mod tests;
