//! What a comparison has shown: events, rows, and how ours stands in it.

use std::time::Duration;

use serde::Serialize;

use super::plan::{Contender, Harm, Plan};
use crate::gap::{Spread, spread};
use crate::verdict::millis;

/// One harm to one rival, and what came of it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Event {
    /// Which time, from 0.
    pub number: u32,
    /// Who led before and after.
    pub primaries: (String, String),
    /// The longest time without an acknowledged write of the load, in milliseconds.
    pub write_gap_ms: f64,
    /// Whether writes came back; otherwise the gap is only a lower bound.
    pub writes_back: bool,
    /// Until it was healthy again, in milliseconds after the harm began; `None` when it was not
    /// while it was watched.
    pub healthy_ms: Option<f64>,
    /// How long the harm lasted.
    pub harm_ms: f64,
    /// Acknowledged writes, by whomever.
    pub acked: u64,
    /// How many of them are not on whoever is primary in the end.
    pub lost: u64,
    /// How many of these had been waited for: `WAIT` said that a replica had them.
    pub lost_waited: u64,
    /// Keys written before everything that are not there in the end.
    pub lost_seeds: u64,
    /// Whether the writes could be counted at all: somebody leads in the end.
    pub is_counted: bool,
    /// Acknowledgements of others after the new primary's first one.
    pub late_acks: u64,
    /// How many times more the acknowledging engine changed than a primary was made.
    pub two_at_once: u64,
    /// Whether a gate in the engine ends a primary's time.
    pub is_fenced: bool,
    /// What was missing in the end, when it was not healthy.
    pub ailments: Vec<String>,
}

impl Event {
    /// Whether it did not come back while it was watched: without writes, or not healthy.
    pub fn is_stuck(&self) -> bool {
        !self.writes_back || self.healthy_ms.is_none()
    }
}

/// One harm to one rival, as often as it was done. What is done to pods has its own kind of harm.
#[derive(Clone, Debug, Serialize)]
pub struct Row<H = Harm> {
    /// The harm.
    pub harm: H,
    /// The rival.
    pub rival: Contender,
    /// Every time.
    pub events: Vec<Event>,
    /// Why it ended early, if it did.
    pub error: Option<String>,
    /// Why it was not tried, if it was not.
    pub skipped: Option<String>,
}

impl<H> Row<H> {
    /// A row without any event yet.
    pub fn new(harm: H, rival: Contender) -> Self {
        Self { harm, rival, events: Vec::new(), error: None, skipped: None }
    }

    /// The write gaps.
    pub fn gap(&self) -> Option<Spread> {
        spread(self.events.iter().map(|event| millis(event.write_gap_ms)))
    }

    /// Whether writes came back each time.
    pub fn is_closed(&self) -> bool {
        self.events.iter().all(|event| event.writes_back)
    }

    /// The times until healthy, of those that became so.
    pub fn healthy(&self) -> Option<Spread> {
        spread(self.events.iter().filter_map(|event| event.healthy_ms).map(millis))
    }

    /// How often it did not become healthy while it was watched.
    pub fn unhealthy(&self) -> usize {
        self.events.iter().filter(|event| event.healthy_ms.is_none()).count()
    }

    /// How often it did not come back while it was watched: without writes, or not healthy.
    pub fn stuck(&self) -> usize {
        self.events.iter().filter(|event| event.is_stuck()).count()
    }

    /// Whether every event's writes could be counted.
    pub fn is_counted(&self) -> bool {
        self.events.iter().all(|event| event.is_counted)
    }

    /// A sum over all events.
    pub fn sum(&self, of: fn(&Event) -> u64) -> u64 {
        self.events.iter().map(of).sum()
    }

    /// Nothing waited for is lost, and nobody acknowledges outside of its time. What could not be
    /// carried through is not safe.
    pub fn is_safe(&self) -> bool {
        let late = |event: &Event| event.is_fenced && event.late_acks > 0;
        let broken = |event: &Event| event.lost_waited > 0 || event.two_at_once > 0 || late(event);
        self.error.is_none() && self.is_counted() && !self.events.iter().any(broken)
    }
}

/// The machine, as far as it matters.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// Processors that this process may use.
    pub cores: usize,
    /// Memory in GiB, where the system tells.
    pub memory_gib: Option<u64>,
    /// `linux x86_64`.
    pub system: String,
}

impl Machine {
    /// This one.
    pub fn this() -> Self {
        let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
        let kib = total.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
        Self {
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            memory_gib: kib.map(|kib| (kib + (1 << 19)) >> 20),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        }
    }

    /// In a few words.
    pub fn words(&self) -> String {
        let memory = self.memory_gib.map(|gib| format!(", {gib} GiB of memory"));
        let cores = if self.cores == 1 { "core" } else { "cores" };
        format!("{} {cores}{}, {}", self.cores, memory.unwrap_or_default(), self.system)
    }
}

/// A whole comparison.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// `interrex-compare/1`: fields are added, never renamed.
    pub schema: &'static str,
    /// The engine of all of them.
    pub engine: String,
    /// The profile of our group.
    pub profile: String,
    /// How often each harm was to be done.
    pub runs: u32,
    /// Where it was measured.
    pub machine: Machine,
    /// One row for each harm and rival.
    pub rows: Vec<Row>,
}

impl Comparison {
    pub(super) fn new(plan: &Plan, engine: String, rows: Vec<Row>) -> Self {
        Self {
            schema: "interrex-compare/1",
            engine,
            profile: plan.profile.clone(),
            runs: plan.runs,
            machine: Machine::this(),
            rows,
        }
    }

    /// Harms that have rows, in order.
    pub fn harms(&self) -> Vec<Harm> {
        harms(&self.rows)
    }

    /// The rows of a harm.
    pub fn of(&self, harm: Harm) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |row| row.harm == harm)
    }

    /// Whether ours kept every promise about the data and the single writer.
    pub fn is_safe(&self) -> bool {
        let mut ours = self.rows.iter().filter(|row| row.rival == Contender::Interrex);
        ours.all(Row::is_safe)
    }

    /// What keeps it from being as it is wanted but is no broken promise: see [`misses`].
    pub fn misses(&self) -> Vec<String> {
        misses(&self.rows, Harm::name)
    }
}

/// Harms that have rows, in order.
pub fn harms<H: Copy + PartialEq>(rows: &[Row<H>]) -> Vec<H> {
    let mut harms: Vec<H> = rows.iter().map(|row| row.harm).collect();
    harms.dedup();
    harms
}

/// What keeps a comparison from being as it is wanted but is no broken promise: a median of ours
/// that is not below Sentinel's, writes of ours that did not come back, a rival that could not be
/// measured. `name` is what a harm is called.
pub fn misses<H: Copy + PartialEq>(rows: &[Row<H>], name: fn(H) -> &'static str) -> Vec<String> {
    let mut misses = Vec::new();
    for row in rows {
        if let Some(error) = &row.error {
            let (harm, rival) = (name(row.harm), row.rival.title());
            misses.push(format!("{harm}, {rival}: ended early: {error}"));
        }
    }
    for harm in harms(rows) {
        let of = || rows.iter().filter(|row| row.harm == harm);
        let Some(ours) = of().find(|row| row.rival == Contender::Interrex) else { continue };
        if !ours.is_closed() {
            misses.push(format!("{}: writes of ours did not come back", name(harm)));
        }
        for theirs in of().filter(|row| row.rival.is_sentinel()) {
            let (Some(our), Some(their)) = (ours.gap(), theirs.gap()) else { continue };
            if our.p50_ms >= their.p50_ms {
                let lost = match theirs.sum(|event| event.lost) {
                    0 => String::new(),
                    lost => format!(", which lost {lost} acknowledged writes"),
                };
                misses.push(format!(
                    "{}: our write gap of {} is not below that of {}, {}{lost}",
                    name(harm),
                    seconds(our.p50_ms),
                    theirs.rival.title(),
                    seconds(their.p50_ms)
                ));
            }
        }
    }
    misses
}

/// Milliseconds as seconds: two digits that matter.
pub fn seconds(ms: f64) -> String {
    let length = Duration::from_secs_f64(ms.max(0.0) / 1000.0).as_secs_f64();
    match length {
        short if short < 1.0 => format!("{short:.3} s"),
        medium if medium < 10.0 => format!("{medium:.2} s"),
        long => format!("{long:.1} s"),
    }
}

/// The figures of a row as a table shows them: runs, gap p50, longest gap, healthy p50, longest,
/// writes lost, of these waited for, late acknowledgements.
pub(super) fn cells(row: &Row) -> [String; 8] {
    let none = || "–".to_owned();
    if row.events.is_empty() {
        return [
            row.events.len().to_string(),
            none(),
            none(),
            none(),
            none(),
            none(),
            none(),
            none(),
        ];
    }
    let gap = row.gap().unwrap_or_default();
    let open = if row.is_closed() { "" } else { "> " };
    let healthy =
        |pick: fn(Spread) -> f64| row.healthy().map_or_else(none, |all| seconds(pick(all)));
    let never = match (row.unhealthy(), row.events.len()) {
        (0, _) => None,
        (all, events) if all == events => Some("never".to_owned()),
        (some, events) => Some(format!("never {some} of {events}")),
    };
    let counted = |sum: u64| if row.is_counted() { sum.to_string() } else { "?".to_owned() };
    [
        row.events.len().to_string(),
        seconds(gap.p50_ms),
        format!("{open}{}", seconds(gap.max_ms)),
        healthy(|all| all.p50_ms),
        never.unwrap_or_else(|| healthy(|all| all.max_ms)),
        counted(row.sum(|event| event.lost)),
        counted(row.sum(|event| event.lost_waited)),
        row.sum(|event| event.late_acks).to_string(),
    ]
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A comparison with every shape of a row in it.
    pub(in super::super) fn sample() -> Comparison {
        let event = |gap: f64, lost: u64, late: u64| Event {
            write_gap_ms: gap,
            writes_back: true,
            healthy_ms: Some(gap + 900.0),
            acked: 10_000,
            lost,
            late_acks: late,
            is_counted: true,
            ..Event::default()
        };
        let row = |harm, rival, events: Vec<Event>| Row { events, ..Row::new(harm, rival) };
        let mut rows = vec![
            row(Harm::Crash, Contender::Interrex, vec![event(24.0, 2, 0), event(31.0, 0, 0)]),
            row(Harm::Crash, Contender::Sentinel5, vec![event(1120.0, 0, 0)]),
            row(Harm::Crash, Contender::Bare, vec![event(1060.0, 0, 0)]),
            row(Harm::Freeze, Contender::Interrex, vec![event(4990.0, 0, 0)]),
            row(Harm::Freeze, Contender::Sentinel30, vec![event(31_330.0, 2160, 1433)]),
            row(Harm::Freeze, Contender::Cluster15, vec![event(19_960.0, 0, 0)]),
            row(Harm::Partition, Contender::Interrex, vec![]),
        ];
        rows[4].events[0].lost_waited = 321;
        rows[5].events[0].writes_back = false;
        rows[5].events[0].healthy_ms = None;
        rows[6].skipped = Some("needs root".to_owned());
        Comparison {
            schema: "interrex-compare/1",
            engine: "redis 7.0.15".to_owned(),
            profile: "default".to_owned(),
            runs: 2,
            machine: Machine { cores: 2, memory_gib: Some(16), system: "linux x86_64".to_owned() },
            rows,
        }
    }

    #[test]
    fn what_is_as_wanted_has_no_miss() {
        assert_eq!(sample().misses(), Vec::<String>::new());
        assert!(sample().is_safe());
    }

    #[test]
    fn each_fault_of_ours_is_told_as_what_it_is() {
        let broken = |change: fn(&mut Event)| {
            let mut comparison = sample();
            change(&mut comparison.rows[0].events[1]);
            comparison.is_safe()
        };
        assert!(broken(|event| event.lost = 9), "unwaited writes may be lost by a crash");
        assert!(!broken(|event| event.lost_waited = 1));
        assert!(!broken(|event| event.two_at_once = 1));
        assert!(broken(|event| event.late_acks = 1), "without a gate they are only counted");
        assert!(!broken(|event| (event.is_fenced, event.late_acks) = (true, 1)));
        assert!(!broken(|event| event.is_counted = false));
        let mut slow = sample();
        slow.rows[0].events.iter_mut().for_each(|event| event.write_gap_ms = 1200.0);
        assert!(slow.is_safe() && slow.misses().len() == 1, "{:?}", slow.misses());
        let mut close = sample();
        close.rows[3].events[0].write_gap_ms = 31_331.0;
        let said = close.misses().concat();
        assert!(said.ends_with("31.3 s, which lost 2160 acknowledged writes"), "{said}");
        let mut silent = sample();
        silent.rows[3].events[0].writes_back = false;
        assert_eq!(silent.misses(), ["freeze: writes of ours did not come back"]);
        let mut failed = sample();
        failed.rows[1].error = Some("no port".to_owned());
        assert!(failed.is_safe() && failed.misses().len() == 1);
        failed.rows[0].error = Some("no port".to_owned());
        assert!(!failed.is_safe());
    }

    #[test]
    fn what_did_not_come_back_is_stuck() {
        let rows = sample().rows;
        assert_eq!(rows[0].stuck(), 0);
        assert_eq!(rows[5].stuck(), 1, "no writes, and never healthy");
        let mut sick = rows[0].clone();
        sick.events[1].healthy_ms = None;
        assert_eq!(sick.stuck(), 1, "writes alone are not enough");
    }

    #[test]
    fn what_a_rival_loses_is_not_our_fault() {
        let mut comparison = sample();
        comparison.rows[1].events[0].lost_waited = 7;
        assert!(comparison.is_safe() && comparison.misses().is_empty());
    }

    #[test]
    fn cells_say_what_is_open_uncounted_and_never() {
        let sample = sample();
        let wanted = ["2", "0.024 s", "0.031 s", "0.924 s", "0.931 s", "2", "0", "0"];
        assert_eq!(cells(&sample.rows[0]), wanted);
        let open = cells(&sample.rows[5]);
        assert_eq!((open[2].as_str(), open[4].as_str()), ("> 20.0 s", "never"));
        let mut uncounted = sample.rows[5].clone();
        uncounted.events[0].is_counted = false;
        assert_eq!(cells(&uncounted)[5..7], ["?", "?"]);
        assert_eq!(cells(&sample.rows[6])[1], "–");
    }
}
