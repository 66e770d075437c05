//! One event, one row and what was wanted of it: the values that reports show.

use std::time::Duration;

use serde::Serialize;

use crate::gap::{Spread, spread};
use crate::journal::At;
use crate::ledger::Tally;
use crate::suites::{Bars, Scenario};

mod resources;

pub use resources::Resources;

/// A step of a failover as an agent noted it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Phase {
    /// The rule: `appointed`.
    pub rule: String,
    /// Whose.
    pub member: String,
    /// Milliseconds after the harm began.
    pub after_ms: f64,
}

/// One deed and what came of it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Event {
    /// Which time, from 0.
    pub number: u32,
    /// To whom it was done.
    pub victim: String,
    /// When, in milliseconds since 1970.
    pub at_wall_ms: u64,
    /// The epoch before and after.
    pub epochs: (u64, u64),
    /// Who led before and after.
    pub primaries: (String, String),
    /// The longest time without an acknowledged write around it, in milliseconds.
    pub write_gap_ms: f64,
    /// Whether writes came back; otherwise the gap is only a lower bound.
    pub writes_back: bool,
    /// The longest time without an answered read around it, in milliseconds.
    pub read_gap_ms: f64,
    /// The old primary's last acknowledgement at its own port, in milliseconds after the harm
    /// began; `None` if it gave none, or stayed primary.
    pub old_last_ack_ms: Option<f64>,
    /// The new primary's first one, in the same way.
    pub new_first_ack_ms: Option<f64>,
    /// The first write through the group's own address after the gap.
    pub first_write_ms: Option<f64>,
    /// What the agents decided, in order.
    pub phases: Vec<Phase>,
    /// Until the group was healthy again, in milliseconds after the harm began.
    pub healthy_ms: f64,
    /// How many times more leadership changed hands than there were epochs.
    pub dual_acks: u64,
    /// Acknowledgements of an engine after its time.
    pub late_acks: u64,
    /// Writes that were queued on a frozen engine.
    pub queued: u64,
    /// Until when the network held the victim's answers to clients.
    #[serde(skip)]
    pub answers_held: Option<At>,
    /// What this very deed may cost at most, and what it cost, in milliseconds; absent where the
    /// scenario's own bars hold, or nothing is promised.
    pub own_bar_ms: Option<(f64, f64)>,
    /// Memory and open files of each agent afterwards.
    pub resources: Vec<Resources>,
    /// The longest time in which the trial itself did not run, in milliseconds: times around it say
    /// nothing of the group.
    pub stood_still_ms: f64,
    /// What should not have been.
    pub violations: Vec<String>,
    /// What else was seen.
    pub notes: Vec<String>,
}

impl Event {
    /// Whether the trial itself did not run for so long that no time means anything.
    pub fn stood_still(&self) -> bool {
        millis(self.stood_still_ms) >= STOOD_STILL
    }
}

/// Less is what any scheduler does.
pub(crate) const STOOD_STILL: Duration = Duration::from_millis(300);

/// One thing that was wanted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// Of what: `write gap p99`.
    pub what: String,
    /// What must be.
    pub wanted: String,
    /// What is.
    pub measured: String,
    /// Whether it is.
    pub met: bool,
    /// Whether it is about the data or the single writer, as opposed to how fast something was.
    pub safety: bool,
}

/// What came of a scenario.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The scenario.
    pub scenario: Scenario,
    /// Every deed.
    pub events: Vec<Event>,
    /// Every write, counted at the end.
    pub tally: Tally,
    /// Full resyncs that the engines served meanwhile, as far as they have not been restarted.
    pub full_resyncs: u64,
    /// Keys that differ between two members in the end.
    pub different_keys: usize,
    /// `gate` or `process`.
    pub fence: String,
    /// The write gaps.
    pub write_gap: Option<Spread>,
    /// The read gaps.
    pub read_gap: Option<Spread>,
    /// The times until healthy.
    pub healthy: Option<Spread>,
    /// How long all of it took, in seconds.
    pub took_s: f64,
    /// Promises that the simulator's checkers found broken in the history, one sentence each.
    pub broken: Vec<String>,
    /// What was wanted.
    pub checks: Vec<Check>,
    /// Why the scenario ended early, if it did.
    pub error: Option<String>,
    /// Why it was not tried, if it was not.
    pub skipped: Option<String>,
}

impl Row {
    /// A row without any event yet.
    pub fn new(scenario: Scenario, fence: &str) -> Self {
        Self {
            scenario,
            events: Vec::new(),
            tally: Tally::default(),
            full_resyncs: 0,
            different_keys: 0,
            fence: fence.to_owned(),
            write_gap: None,
            read_gap: None,
            healthy: None,
            took_s: 0.0,
            broken: Vec::new(),
            checks: Vec::new(),
            error: None,
            skipped: None,
        }
    }

    /// Whether everything that was wanted is met. What was not tried fails nothing.
    pub fn passed(&self) -> bool {
        self.error.is_none() && self.checks.iter().all(|check| check.met)
    }

    /// Whether nothing is broken that is about the data or the single writer: what is left is how
    /// fast it was. A scenario that could not be carried through is not safe.
    pub fn is_safe(&self) -> bool {
        self.error.is_none() && self.checks.iter().all(|check| check.met || !check.safety)
    }

    /// Computes the spreads and holds everything against what is wanted.
    pub fn judge(&mut self) {
        self.write_gap = spread(self.timed().map(|event| millis(event.write_gap_ms)));
        self.read_gap = spread(self.timed().map(|event| millis(event.read_gap_ms)));
        self.healthy = spread(self.timed().map(|event| millis(event.healthy_ms)));
        let mut checks = self.gap_checks(self.scenario.bars);
        checks.extend(self.write_checks(self.scenario.bars));
        checks.extend(self.safety_checks(self.scenario.bars));
        self.checks = checks;
    }

    /// The events whose times mean something: those that the trial ran through, or all of them when
    /// there is none.
    fn timed(&self) -> impl Iterator<Item = &Event> {
        let none = self.events.iter().all(Event::stood_still);
        self.events.iter().filter(move |event| none || !event.stood_still())
    }

    fn gap_checks(&self, bars: Bars) -> Vec<Check> {
        let gap = self.write_gap.unwrap_or_default();
        let old = self.timed().filter_map(|event| event.old_last_ack_ms);
        let timed = match (self.timed().count(), self.events.len()) {
            (timed, all) if timed < all => format!(", of {timed} of {all}"),
            _ => String::new(),
        };
        let old = spread(old.map(millis)).unwrap_or_default();
        let bars = [
            ("write gap p50", bars.gap_p50, gap.p50_ms),
            ("write gap p99", bars.gap_p99, gap.p99_ms),
            ("old primary's last ack", bars.old_stops, old.max_ms),
        ];
        let checks = bars.into_iter().filter_map(|(what, bar, measured)| {
            Some(Check {
                what: format!("{what}{timed}"),
                wanted: format!("≤ {}", shown(bar?)),
                measured: shown(millis(measured)),
                met: millis(measured) <= bar? && !self.events.is_empty(),
                safety: false,
            })
        });
        let mut checks: Vec<Check> = checks.collect();
        let over = |event: &&Event| event.own_bar_ms.is_some_and(|(bar, gap)| gap > bar);
        let with_bar = self.events.iter().filter(|event| event.own_bar_ms.is_some()).count();
        if with_bar > 0 {
            let over = self.events.iter().filter(over).count() as u64;
            let what = format!("gaps over their own bar, of {with_bar}");
            checks.push(Check { safety: false, ..zero(&what, over) });
        }
        let silent = self.events.iter().filter(|event| !event.writes_back).count() as u64;
        if silent > 0 {
            checks.push(zero("writes that did not come back", silent));
        }
        checks
    }

    fn write_checks(&self, bars: Bars) -> Vec<Check> {
        let mut checks = vec![zero("replicated writes lost", self.tally.lost_replicated)];
        if bars.no_acked_lost {
            checks.push(zero("acknowledged writes lost", self.tally.lost()));
        }
        checks.push(zero("refused writes that are there", self.tally.refused_but_there));
        checks.push(zero("keys that differ between members", self.different_keys as u64));
        if bars.partial_only {
            checks.push(Check { safety: false, ..zero("full resyncs", self.full_resyncs) });
        }
        if self.tally.acked == 0 {
            checks.push(Check {
                what: "acknowledged writes".to_owned(),
                wanted: "> 0".to_owned(),
                measured: "0".to_owned(),
                met: false,
                safety: false,
            });
        }
        checks
    }

    fn safety_checks(&self, bars: Bars) -> Vec<Check> {
        let sum = |count: fn(&Event) -> u64| self.events.iter().map(count).sum::<u64>();
        let mut checks = vec![zero("two engines acknowledged at once", sum(|e| e.dual_acks))];
        let late = sum(|event| event.late_acks);
        if bars.no_late_acks && self.fence == "gate" {
            checks.push(zero("late acknowledgements", late));
        } else if bars.no_late_acks {
            checks.push(Check {
                what: "late acknowledgements".to_owned(),
                wanted: "counted, no gate".to_owned(),
                measured: late.to_string(),
                met: true,
                safety: true,
            });
        } else {
            checks.push(zero("late acknowledgements", late));
        }
        checks.push(zero("promises broken (I1 I2 I3 I6 L1)", self.broken.len() as u64));
        checks.extend(self.resource_checks());
        let violations = sum(|event| event.violations.len() as u64);
        if violations > 0 {
            checks.push(zero("violations", violations));
        }
        checks
    }

    /// Where the gap goes: for every rule that was noted in at least half of the events, the median
    /// of its time, in the order of these.
    pub fn phases(&self) -> Vec<(String, f64)> {
        let mut times: std::collections::BTreeMap<&str, Vec<f64>> =
            std::collections::BTreeMap::new();
        for event in &self.events {
            let mut seen = std::collections::BTreeSet::new();
            for phase in &event.phases {
                if seen.insert(&phase.rule) {
                    times.entry(&phase.rule).or_default().push(phase.after_ms);
                }
            }
            if let Some(first) = event.first_write_ms {
                times.entry("first write").or_default().push(first);
            }
        }
        let often = |times: &Vec<f64>| times.len() * 2 >= self.events.len();
        let mut medians: Vec<(String, f64)> = times
            .into_iter()
            .filter(|(_, times)| often(times))
            .map(|(rule, times)| (rule.to_owned(), median(times)))
            .collect();
        medians.sort_by(|left, right| left.1.total_cmp(&right.1));
        medians
    }
}

/// The middle of some numbers; the lower of two middles. 0 of none.
pub(crate) fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len().saturating_sub(1) / 2).copied().unwrap_or(0.0)
}

fn zero(what: &str, measured: u64) -> Check {
    Check {
        what: what.to_owned(),
        wanted: "0".to_owned(),
        measured: measured.to_string(),
        met: measured == 0,
        safety: true,
    }
}

pub(crate) fn millis(ms: f64) -> Duration {
    Duration::from_secs_f64(ms.max(0.0) / 1000.0)
}

/// A length for people: three digits below a second, two above.
pub fn shown(length: Duration) -> String {
    let seconds = length.as_secs_f64();
    if seconds < 1.0 { format!("{seconds:.3} s") } else { format!("{seconds:.2} s") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suites::{Effort, basic};

    fn row(name: &str, gaps_ms: &[f64]) -> Row {
        let suite = basic(Effort::default(), Duration::from_secs(5));
        let scenario = suite.into_iter().find(|s| s.name == name).expect("a scenario");
        let mut row = Row::new(scenario, "gate");
        row.tally.acked = 10;
        let event = |gap: &f64| Event { write_gap_ms: *gap, writes_back: true, ..Event::default() };
        row.events = gaps_ms.iter().map(event).collect();
        row
    }

    fn unmet(mut row: Row) -> Vec<String> {
        row.judge();
        assert_eq!(row.passed(), row.checks.iter().all(|check| check.met));
        row.checks.into_iter().filter(|check| !check.met).map(|check| check.what).collect()
    }

    #[test]
    fn each_fault_fails_its_own_check_and_no_other() {
        assert_eq!(unmet(row("kill", &[20.0, 30.0])), Vec::<String>::new());
        assert_eq!(unmet(row("kill", &[20.0, 600.0])), ["write gap p99"]);
        assert_eq!(unmet(row("kill", &[200.0, 300.0])), ["write gap p50"]);
        let change = |name: &str, change: fn(&mut Row)| {
            let mut row = row(name, &[20.0]);
            change(&mut row);
            unmet(row)
        };
        assert_eq!(change("kill", |r| r.tally.lost_replicated = 1), ["replicated writes lost"]);
        // A write that nobody waited for may be lost by a crash, but not by a handover.
        assert_eq!(change("kill", |r| r.tally.lost_acked = 1), Vec::<String>::new());
        assert_eq!(change("handover", |r| r.tally.lost_acked = 1), ["acknowledged writes lost"]);
        assert_eq!(change("handover", |r| r.full_resyncs = 1), ["full resyncs"]);
        assert_eq!(change("kill", |r| r.full_resyncs = 1), Vec::<String>::new());
        assert_eq!(
            change("kill", |r| r.events[0].dual_acks = 1),
            ["two engines acknowledged at once"]
        );
        assert_eq!(change("pause", |r| r.events[0].late_acks = 1), ["late acknowledgements"]);
        assert_eq!(change("kill", |r| r.tally.acked = 0), ["acknowledged writes"]);
        let silent = change("kill", |r| r.events[0].writes_back = false);
        assert_eq!(silent, ["writes that did not come back"]);
        let old = change("cut", |r| r.events[0].old_last_ack_ms = Some(4600.0));
        assert_eq!(old, ["old primary's last ack"]);
    }

    #[test]
    fn without_the_gate_late_acknowledgements_are_counted_and_fail_nothing() {
        let mut row = row("pause", &[20.0]);
        row.fence = "process".to_owned();
        row.events[0].late_acks = 320;
        row.judge();
        assert!(row.passed());
        let check = row.checks.iter().find(|check| check.what == "late acknowledgements");
        assert_eq!(check.map(|check| check.measured.as_str()), Some("320"));
    }

    #[test]
    fn an_event_that_the_trial_did_not_run_through_has_no_times() {
        let still = |which: &[usize]| {
            let mut row = row("kill", &[20.0, 900.0]);
            which.iter().for_each(|n| row.events[*n].stood_still_ms = 400.0);
            row.judge();
            let spread = row.write_gap.expect("a gap").max_ms.round();
            let check =
                row.checks.into_iter().find(|check| check.what.starts_with("write gap p99"));
            (spread, check.map(|check| (check.what, check.met)))
        };
        let alone = Some(("write gap p99, of 1 of 2".to_owned(), true));
        assert_eq!(still(&[1]), (20.0, alone));
        // With nothing else to go by, they count.
        let all = Some(("write gap p99".to_owned(), false));
        assert_eq!(still(&[0, 1]), (900.0, all));
    }

    #[test]
    fn no_event_meets_no_gap() {
        assert_eq!(unmet(row("handover", &[])), ["write gap p99"]);
    }

    #[test]
    fn phases_are_medians_in_order_without_what_is_rare() {
        let mut row = row("kill", &[20.0, 20.0, 20.0]);
        let phase =
            |rule: &str, after_ms| Phase { rule: rule.into(), member: String::new(), after_ms };
        for (event, appointed) in row.events.iter_mut().zip([5.0, 7.0, 90.0]) {
            event.phases =
                vec![phase("appointed", appointed), phase("exit", 1.0), phase("exit", 50.0)];
            event.first_write_ms = Some(20.0);
        }
        row.events[0].phases.push(phase("rare", 3.0));
        let wanted = [("exit", 1.0), ("appointed", 7.0), ("first write", 20.0)];
        assert_eq!(row.phases(), wanted.map(|(rule, ms)| (rule.to_owned(), ms)));
    }
}
