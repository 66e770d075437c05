//! What came of a row, and whether it is what was wanted.

use std::time::Duration;

use serde::Serialize;
use trial::gap::{Spread, spread};
use trial::station::Finished;
use trial::verdict::Phase;

use crate::rows::{Bars, Lost, Row};

/// One deed and what came of it.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Event {
    /// Which time, from 0.
    pub(crate) number: u32,
    /// To whom it was done.
    pub(crate) victim: String,
    /// Who led before and after.
    pub(crate) primaries: (String, String),
    /// The epoch before and after.
    pub(crate) epochs: (u64, u64),
    /// What the row measures, in milliseconds: the longest time without an acknowledged write, or
    /// the time until ready.
    pub(crate) measured_ms: f64,
    /// When that gap began, in milliseconds after the deed was begun.
    pub(crate) gap_from_ms: f64,
    /// Whether writes came back; otherwise the gap is only a lower bound.
    pub(crate) writes_back: bool,
    /// The longest time without an answered read, in milliseconds.
    pub(crate) read_gap_ms: f64,
    /// The old primary's last acknowledgement at its own address, in milliseconds after the deed
    /// was begun; `None` if it gave none or stayed primary.
    pub(crate) old_last_ack_ms: Option<f64>,
    /// The new primary's first one, in the same way.
    pub(crate) new_first_ack_ms: Option<f64>,
    /// What the agents decided, by their own wall clocks: where the time went.
    pub(crate) phases: Vec<Phase>,
    /// From the deed until the group was healthy again, by the tests' clock.
    pub(crate) healthy_ms: f64,
    /// How many times more leadership changed hands than there were epochs.
    pub(crate) dual: u64,
    /// Acknowledgements of an engine after its time.
    pub(crate) late: u64,
    /// Writes that waited for a frozen engine's thaw.
    pub(crate) queued: u64,
    /// What should not have been.
    pub(crate) violations: Vec<String>,
    /// What else was seen.
    pub(crate) notes: Vec<String>,
}

/// One thing that was wanted.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Check {
    /// Of what.
    pub(crate) what: String,
    /// What must be.
    pub(crate) wanted: String,
    /// What is.
    pub(crate) measured: String,
    /// Whether it is.
    pub(crate) met: bool,
    /// Whether it is about the data or the single writer, as opposed to how fast something was.
    pub(crate) safety: bool,
}

/// How a row ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    /// Everything as wanted.
    Ok,
    /// Every promise about data and the single writer was kept, a time was not.
    Slow,
    /// A promise was broken, or the row could not be carried through.
    Failed,
    /// This cluster cannot be harmed in this way.
    Skipped,
}

/// What came of a row.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Outcome {
    /// Its name.
    pub(crate) name: String,
    /// What it is called in the table.
    pub(crate) title: String,
    /// Every deed.
    pub(crate) events: Vec<Event>,
    /// The count of every write.
    pub(crate) finished: Finished,
    /// The spread of what was measured.
    pub(crate) measured: Option<Spread>,
    /// What was wanted, in words.
    pub(crate) wanted: String,
    /// What was wanted, point by point.
    pub(crate) checks: Vec<Check>,
    /// Why it ended early.
    pub(crate) error: Option<String>,
    /// Why it was not tried.
    pub(crate) skipped: Option<String>,
    /// How it ended.
    pub(crate) verdict: Verdict,
}

impl Outcome {
    /// Nothing yet.
    pub(crate) fn of(row: &Row) -> Self {
        Self {
            name: row.name.to_owned(),
            title: row.title.to_owned(),
            events: Vec::new(),
            finished: Finished::default(),
            measured: None,
            wanted: row.bars.words(),
            checks: Vec::new(),
            error: None,
            skipped: None,
            verdict: Verdict::Failed,
        }
    }

    /// Holds everything against what is wanted.
    pub(crate) fn judge(&mut self, bars: &Bars) {
        self.measured = spread(self.events.iter().map(|event| millis(event.measured_ms)));
        self.checks = self.times(bars);
        self.checks.extend(self.data(bars));
        let kept = self.checks.iter().all(|check| check.met || !check.safety);
        self.verdict = match (&self.skipped, &self.error) {
            (Some(_), _) => Verdict::Skipped,
            (None, Some(_)) => Verdict::Failed,
            (None, None) if !kept || self.events.is_empty() => Verdict::Failed,
            (None, None) if self.checks.iter().all(|check| check.met) => Verdict::Ok,
            (None, None) => Verdict::Slow,
        };
    }

    fn times(&self, bars: &Bars) -> Vec<Check> {
        let measured = self.measured.unwrap_or_default();
        let old = self.events.iter().filter_map(|event| event.old_last_ack_ms);
        let old = spread(old.map(millis));
        let bars = [
            ("p50", bars.p50_ms, Some(measured.p50_ms)),
            ("p99", bars.p99_ms, Some(measured.p99_ms)),
            ("old primary's last ack", bars.old_stops_ms, old.map(|old| old.max_ms)),
        ];
        let checks = bars.into_iter().filter_map(|(what, bar, is)| {
            let (bar, is) = (bar?, is?);
            Some(Check {
                what: what.to_owned(),
                wanted: format!("≤ {}", shown(bar)),
                measured: shown(is),
                met: is <= bar,
                safety: false,
            })
        });
        checks.collect()
    }

    fn data(&self, bars: &Bars) -> Vec<Check> {
        let sum = |count: fn(&Event) -> u64| self.events.iter().map(count).sum::<u64>();
        let count = &self.finished;
        let mut checks = vec![
            zero("two engines acknowledged at once", sum(|event| event.dual)),
            zero("late acknowledgements", sum(|event| event.late)),
            zero("violations", sum(|event| event.violations.len() as u64)),
            zero("writes that did not come back", sum(|event| u64::from(!event.writes_back))),
        ];
        if bars.lost != Lost::Everything {
            checks.push(zero("replicated writes lost", count.lost_replicated));
            checks.push(zero("keys lost of those written first", count.lost_seeds));
            checks.push(zero("times that the dataset shrank", count.shrank));
        }
        if bars.lost == Lost::Nothing {
            checks.push(zero("acknowledged writes lost", count.lost_acked + count.lost_replicated));
        }
        checks.push(zero("refused writes that are there", count.refused_but_there));
        checks.push(zero("keys that differ between members", count.different_keys));
        if bars.has_load {
            checks.push(Check {
                what: "acknowledged writes".to_owned(),
                wanted: "> 0".to_owned(),
                measured: count.acked.to_string(),
                met: count.acked > 0,
                safety: true,
            });
        }
        checks
    }
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

fn millis(ms: f64) -> Duration {
    Duration::from_secs_f64(ms.max(0.0) / 1000.0)
}

/// Milliseconds for people: milliseconds below a second, seconds above.
pub(crate) fn shown(ms: f64) -> String {
    if ms < 1000.0 { format!("{ms:.0} ms") } else { format!("{:.2} s", ms / 1000.0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::rows;

    fn outcome(name: &str, change: impl FnOnce(&mut Outcome)) -> (Verdict, Vec<String>) {
        let row = rows().into_iter().find(|row| row.name == name).expect("a row");
        let mut outcome = Outcome::of(&row);
        let event = Event { measured_ms: 40.0, writes_back: true, ..Event::default() };
        outcome.events = vec![event; 2];
        outcome.finished.acked = 10;
        change(&mut outcome);
        outcome.judge(&row.bars);
        let unmet = outcome.checks.iter().filter(|check| !check.met);
        (outcome.verdict, unmet.map(|check| check.what.clone()).collect())
    }

    fn broken(what: &str) -> (Verdict, Vec<String>) {
        (Verdict::Failed, vec![what.to_owned()])
    }

    #[test]
    fn a_missed_time_is_slow_and_a_broken_promise_fails() {
        assert_eq!(outcome("pod-delete", |_| ()), (Verdict::Ok, vec![]));
        let slow = outcome("pod-delete", |o| o.events[0].measured_ms = 900.0);
        assert_eq!(slow, (Verdict::Slow, vec!["p99".to_owned()]));
        let lost = outcome("pod-delete", |o| o.finished.lost_acked = 1);
        assert_eq!(lost, broken("acknowledged writes lost"));
        // A write that nobody waited for may be lost by a crash, but not by a handover.
        let lost = outcome("engine-kill", |o| o.finished.lost_acked = 1);
        assert_eq!(lost, (Verdict::Ok, vec![]));
        let lost = outcome("engine-kill", |o| o.finished.lost_replicated = 1);
        assert_eq!(lost, broken("replicated writes lost"));
        let late = outcome("host-freeze", |o| o.events[1].late = 3);
        assert_eq!(late, broken("late acknowledgements"));
        let stops = outcome("host-cut", |o| o.events[1].old_last_ack_ms = Some(4600.0));
        assert_eq!(stops, (Verdict::Slow, vec!["old primary's last ack".to_owned()]));
        let silent = outcome("host-cut", |o| o.events[1].writes_back = false);
        assert_eq!(silent, broken("writes that did not come back"));
    }

    #[test]
    fn nothing_done_is_nothing_shown() {
        assert_eq!(outcome("pod-delete", |o| o.events.clear()).0, Verdict::Failed);
        assert_eq!(outcome("pod-delete", |o| o.finished.acked = 0), broken("acknowledged writes"));
        assert_eq!(outcome("pod-delete", |o| o.error = Some("x".into())).0, Verdict::Failed);
        assert_eq!(outcome("host-cut", |o| o.skipped = Some("x".into())).0, Verdict::Skipped);
    }
}
