//! What a run side by side has shown: a table for people, the same as JSON, and the exit code.

use std::fmt::Write;
use std::path::Path;

use serde::Serialize;
use trial::rivals::{Contender, Machine, Row, harms, misses};

use crate::error::Error;
use crate::report::write_json;

use super::list::Harm;

/// The width of a system's name in the table for people; with five harms it has 99 columns.
const NAME: usize = 24;
/// The width of a cell there, with the blank before it.
const CELL: usize = 15;

/// A run of the systems side by side.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    /// `interrex-e2e-rivals/1`: fields are added, never renamed.
    schema: &'static str,
    /// The engine of all of them.
    pub(super) engine: String,
    /// The machine that carries all hosts, clients and tests, where the cluster is our own.
    pub(super) machine: Machine,
    /// How often each harm was to be done.
    pub(super) runs: u32,
    /// How long all of it took, in seconds.
    seconds: u64,
    /// One row for each harm and system.
    pub(super) rows: Vec<Row<Harm>>,
}

impl Report {
    pub(super) fn new(
        engine: String,
        machine: Machine,
        runs: u32,
        seconds: u64,
        rows: Vec<Row<Harm>>,
    ) -> Self {
        Self { schema: "interrex-e2e-rivals/1", engine, machine, runs, seconds, rows }
    }

    /// The exit code: 4 when ours lost a write that was waited for or two acknowledged at once, 3
    /// when it was not faster than Sentinel or something could not be measured, else 0.
    pub(crate) fn code(&self) -> u8 {
        match (self.is_safe(), self.misses().is_empty()) {
            (false, _) => 4,
            (true, false) => 3,
            (true, true) => 0,
        }
    }

    /// Writes it as JSON, over what an earlier run left there.
    pub(crate) fn write(&self, path: &Path) -> Result<(), Error> {
        write_json(self, path)
    }

    /// Harms that have rows, in order.
    pub(super) fn harms(&self) -> Vec<Harm> {
        harms(&self.rows)
    }

    /// Systems that have rows, in order.
    pub(super) fn systems(&self) -> Vec<Contender> {
        let mut systems: Vec<Contender> = Vec::new();
        for row in &self.rows {
            if !systems.contains(&row.rival) {
                systems.push(row.rival);
            }
        }
        systems
    }

    /// The row of a harm to a system.
    pub(super) fn row(&self, harm: Harm, who: Contender) -> Option<&Row<Harm>> {
        self.rows.iter().find(|row| row.harm == harm && row.rival == who)
    }

    fn is_safe(&self) -> bool {
        let mut ours = self.rows.iter().filter(|row| row.rival == Contender::Interrex);
        ours.all(Row::is_safe)
    }

    fn misses(&self) -> Vec<String> {
        let mut all = misses(&self.rows, Harm::name);
        let ours = self.rows.iter().filter(|row| row.rival == Contender::Interrex);
        for row in ours.filter(|row| row.is_closed() && row.unhealthy() > 0) {
            let (some, events) = (row.unhealthy(), row.events.len());
            all.push(format!("{}: ours was not healthy {some} of {events}", row.harm.name()));
        }
        all
    }

    /// The table for people, in 100 columns: median and longest write gap, writes lost over all
    /// runs, and how often a system was stuck.
    pub(crate) fn table(&self) -> String {
        let harms = self.harms();
        let mut text = format!("{:NAME$}", "SYSTEM");
        for harm in &harms {
            let _ = write!(text, " {:1$}", harm.title().to_uppercase(), CELL - 1);
        }
        text = format!("{}\n", text.trim_end());
        for who in self.systems() {
            let of = |harm: &Harm| self.row(*harm, who).map(cell).unwrap_or_default();
            let cells: Vec<Vec<String>> = harms.iter().map(of).collect();
            let height = cells.iter().map(Vec::len).max().unwrap_or(0);
            for line in 0..height {
                let name = if line == 0 { who.title() } else { "" };
                let parts = cells.iter().map(|cell| cell.get(line).map_or("", String::as_str));
                let parts: String = parts.fold(String::new(), |mut all, part| {
                    let _ = write!(all, " {part:0$}", CELL - 1);
                    all
                });
                let _ = writeln!(text, "{}", format!("{name:NAME$}{parts}").trim_end());
            }
        }
        let _ = writeln!(text, "write gap: median/longest; {} runs each", self.runs);
        let _ = writeln!(text, "{}, {}; {} s", self.engine, self.machine.words(), self.seconds);
        self.details(&mut text);
        text
    }

    /// What a reader of the table asks next.
    fn details(&self, text: &mut String) {
        for row in &self.rows {
            let (harm, who) = (row.harm.title(), row.rival.title());
            if let Some(why) = &row.skipped {
                let _ = writeln!(text, "– {harm}, {who}: not tried: {why}");
            }
            for event in row.events.iter().filter(|event| event.is_stuck()) {
                let (run, missing) = (event.number + 1, event.ailments.join("; "));
                let _ = writeln!(text, "– {harm}, {who}, run {run}: stuck: {missing}");
            }
        }
        for miss in self.misses() {
            let _ = writeln!(text, "× {miss}");
        }
        if !self.is_safe() {
            text.push_str(
                "× ours lost a write that was waited for, was not counted, or two acknowledged at \
                 once\n",
            );
        }
    }
}

/// What a table says of one row: the gaps, the losses, and how often it was stuck.
pub(super) fn cell(row: &Row<Harm>) -> Vec<String> {
    let Some(gap) = row.gap() else {
        let why = if row.skipped.is_some() { "–" } else { "not measured" };
        return vec![why.to_owned()];
    };
    let events = row.events.len();
    let open = row.events.iter().filter(|event| !event.writes_back).count();
    // A median of gaps most of which never ended is a lower bound too.
    let sign = |is_open: bool| if is_open { ">" } else { "" };
    let mut lines = vec![format!(
        "{}{}/{}{} s",
        sign(2 * open >= events),
        figure(gap.p50_ms),
        sign(open > 0),
        figure(gap.max_ms)
    )];
    if row.is_counted() {
        lines.push(format!("lost {}", row.sum(|event| event.lost)));
        let waited = row.sum(|event| event.lost_waited);
        if waited > 0 {
            lines.push(format!("waited for {waited}"));
        }
        let seeds = row.sum(|event| event.lost_seeds);
        if seeds > 0 {
            lines.push(format!("older {seeds}"));
        }
    } else {
        lines.push("lost ?".to_owned());
    }
    if row.stuck() > 0 {
        lines.push(format!("stuck {} of {events}", row.stuck()));
    }
    lines
}

/// Milliseconds as seconds without their unit, in three digits that matter.
fn figure(ms: f64) -> String {
    let seconds = ms.max(0.0) / 1000.0;
    match seconds {
        short if short < 10.0 => format!("{short:.2}"),
        medium if medium < 100.0 => format!("{medium:.1}"),
        long => format!("{long:.0}"),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use trial::rivals::Event;

    use super::*;

    /// A report with every shape of a cell in it.
    pub(in super::super) fn sample() -> Report {
        let event = |number: u32, gap: f64, lost: u64| Event {
            number,
            write_gap_ms: gap,
            writes_back: true,
            healthy_ms: Some(gap + 900.0),
            acked: 10_000,
            lost,
            is_counted: true,
            ..Event::default()
        };
        let row = |harm, who, events: Vec<Event>| Row { events, ..Row::new(harm, who) };
        let (ours, sentinel, slow) =
            (Contender::Interrex, Contender::Sentinel5, Contender::Sentinel30);
        let mut rows = vec![
            row(Harm::EngineKill, ours, vec![event(0, 120.0, 0), event(1, 180.0, 2)]),
            row(Harm::EngineKill, sentinel, vec![event(0, 1390.0, 0), event(1, 2290.0, 1)]),
            row(Harm::EngineKill, slow, vec![event(0, 1670.0, 0)]),
            row(Harm::Planned, ours, vec![event(0, 60.0, 0)]),
            row(Harm::Planned, sentinel, vec![event(0, 11_600.0, 0), event(1, 152_000.0, 0)]),
            row(Harm::Planned, slow, vec![]),
        ];
        let stuck = &mut rows[4].events[1];
        (stuck.writes_back, stuck.is_counted, stuck.healthy_ms) = (false, false, None);
        stuck.ailments = vec!["rival-0 has no link".to_owned()];
        rows[1].events[0].lost_waited = 1;
        rows[5].error = Some("no volumes".to_owned());
        let machine = Machine { cores: 2, memory_gib: Some(16), system: "linux x86_64".to_owned() };
        Report::new("valkey 8.1.1".to_owned(), machine, 2, 600, rows)
    }

    #[test]
    fn a_cell_says_what_was_measured_lost_and_stuck() {
        let rows = sample().rows;
        assert_eq!(cell(&rows[0]), ["0.12/0.18 s", "lost 2"]);
        assert_eq!(cell(&rows[1]), ["1.39/2.29 s", "lost 1", "waited for 1"]);
        assert_eq!(cell(&rows[4]), [">11.6/>152 s", "lost ?", "stuck 1 of 2"]);
        assert_eq!(cell(&rows[5]), ["not measured"]);
        assert!(rows.iter().flat_map(cell).all(|line| line.chars().count() < CELL));
    }

    #[test]
    fn the_table_fits_and_says_who_was_stuck_and_why() {
        let text = sample().table();
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
        for wanted in [
            "SYSTEM                   ENGINE KILLED  ALL ROLLED\n",
            "Interrex                 0.12/0.18 s    0.06/0.06 s\n",
            "– all rolled, Sentinel, 5 s, run 2: stuck: rival-0 has no link",
            "× planned, Sentinel, 30 s (default): ended early: no volumes",
            "valkey 8.1.1, 2 cores, 16 GiB of memory, linux x86_64; 600 s",
        ] {
            assert!(text.contains(wanted), "{wanted}: {text}");
        }
    }

    #[test]
    fn codes_tell_a_slow_group_from_one_that_loses() {
        let mut report = sample();
        assert_eq!(report.code(), 3, "a system could not be measured");
        report.rows.pop();
        assert_eq!(report.code(), 0);
        let mut slow = report.clone();
        slow.rows[0].events.iter_mut().for_each(|event| event.write_gap_ms = 2300.0);
        assert_eq!(slow.code(), 3);
        let mut sick = report.clone();
        sick.rows[0].events[0].healthy_ms = None;
        assert_eq!(sick.code(), 3);
        let mut lost = report.clone();
        lost.rows[0].events[0].lost_waited = 1;
        assert_eq!(lost.code(), 4);
        report.rows[1].events[0].lost_waited = 9;
        assert_eq!(report.code(), 0, "what others lose is not our fault");
    }
}
