//! What is tried, how often, and what it must show: the promises of the specification as values.

use std::time::Duration;

use serde::Serialize;

use crate::nemesis::{Deed, Stopped};
use crate::target::CutFrom;

pub mod full;

/// One line of the table.
#[derive(Clone, Debug, Serialize)]
pub struct Scenario {
    /// What it is asked for by: `kill`.
    pub name: &'static str,
    /// What it is called in the table.
    pub title: String,
    /// The deed.
    pub deed: Deed,
    /// How often.
    pub runs: u32,
    /// What it must show.
    pub bars: Bars,
    /// Members that it needs.
    pub members: usize,
}

/// What a scenario must show. Every scenario: no replicated write lost, no two engines that
/// acknowledge at once, all datasets equal in the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Bars {
    /// The median of the write gaps.
    pub gap_p50: Option<Duration>,
    /// 99 of 100 write gaps.
    pub gap_p99: Option<Duration>,
    /// The old primary's last acknowledgement after the harm.
    pub old_stops: Option<Duration>,
    /// Also acknowledged writes that nobody waited for must all be there.
    pub no_acked_lost: bool,
    /// No late acknowledgement, where the gate is on.
    pub no_late_acks: bool,
    /// No full resync.
    pub partial_only: bool,
}

/// How often each deed is done, and how long it lasts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Effort {
    /// As often and as long as the specification's figures need: hours. Otherwise a few minutes
    /// altogether.
    pub full: bool,
    /// Every deed this often, instead of what the suite says.
    pub runs: Option<u32>,
}

impl Effort {
    fn of(self, quick: u32, full: u32) -> u32 {
        self.runs.map_or(if self.full { full } else { quick }, |runs| runs.max(1))
    }

    fn length(self, quick: Duration, full: Duration) -> Duration {
        if self.full { full } else { quick }
    }
}

/// Names of every scenario of the basic suite, in the order in which it does them.
pub fn names() -> Vec<&'static str> {
    basic(Effort::default(), Duration::from_secs(5)).iter().map(|scenario| scenario.name).collect()
}

/// The suite that an effort asks for: the full one is the basic one and what lies beyond it.
pub fn of(effort: Effort, wait: Duration) -> Vec<Scenario> {
    let mut suite = basic(effort, wait);
    if effort.full {
        suite.extend(full::beyond_basic(effort, wait));
    }
    suite
}

/// The basic suite for a group whose challengers wait `wait` (W of failover.md 2.5).
pub fn basic(effort: Effort, wait: Duration) -> Vec<Scenario> {
    let mut suite = sudden(effort);
    suite.extend(freezes(effort, wait));
    suite.extend(cuts(effort, wait));
    suite.extend(stores(effort));
    suite
}

/// Writable elsewhere after a silent loss: 6.5 s by default, 4 s fast (docs/SPECIFICATION.md); what
/// is more than W is detection, promises, promotion and the clients' way there.
pub(crate) fn writable_within(wait: Duration) -> Duration {
    wait + if wait <= Duration::from_secs(3) { SURE_FAST } else { SURE }
}

const SURE: Duration = Duration::from_millis(1500);
const SURE_FAST: Duration = Duration::from_secs(1);

/// The old primary's last acknowledgement: 4.5 s by default, 2.6 s fast, W less δ.
fn stops_within(wait: Duration) -> Duration {
    let margin = if wait <= Duration::from_secs(3) { 400 } else { 500 };
    wait.saturating_sub(Duration::from_millis(margin))
}

fn sudden(effort: Effort) -> Vec<Scenario> {
    let scenario = |name, title: &str, deed, runs, bars| Scenario {
        name,
        title: title.to_owned(),
        deed,
        runs,
        bars,
        members: 2,
    };
    let none = Bars::default();
    vec![
        scenario(
            "kill",
            "kill -9 primary",
            Deed::KillEngine,
            effort.of(10, 200),
            Bars {
                gap_p50: Some(Duration::from_millis(100)),
                gap_p99: Some(Duration::from_millis(500)),
                ..none
            },
        ),
        scenario(
            "handover",
            "handover",
            Deed::Handover,
            effort.of(10, 200),
            Bars {
                gap_p99: Some(Duration::from_millis(50)),
                no_acked_lost: true,
                partial_only: true,
                ..none
            },
        ),
        scenario(
            "empty",
            "restart empty primary",
            Deed::Empty,
            effort.of(3, 100),
            // The agent still holds the lease when it sees that its directory is empty: it appoints
            // before it comes back as a newcomer.
            Bars { gap_p99: Some(Duration::from_secs(2)), ..none },
        ),
        scenario(
            "agent",
            "kill -9 agent",
            Deed::KillAgent,
            effort.of(3, 50),
            Bars { gap_p99: Some(Duration::from_secs(2)), ..none },
        ),
        scenario(
            "restart",
            "all restart: one wiped, one older",
            Deed::RestartAll { moved: false },
            effort.of(2, 6),
            none,
        ),
    ]
}

fn freezes(effort: Effort, wait: Duration) -> Vec<Scenario> {
    let length = effort.length(wait + Duration::from_secs(5), Duration::from_secs(30));
    let bars = Bars { gap_p99: Some(writable_within(wait)), no_late_acks: true, ..Bars::default() };
    let freeze = |name, what: &str, stopped, idle, runs, bars| Scenario {
        name,
        title: format!("pause {what} {} s", length.as_secs()),
        deed: Deed::Freeze { stopped, length, idle },
        runs,
        bars,
        members: 2,
    };
    // The agent sees its engine stopped and gives it 2 s (failover.md 2.12), then appoints.
    let hang = Bars { gap_p99: Some(Duration::from_secs(3)), ..bars };
    vec![
        freeze("pause", "primary", Stopped::Both, false, effort.of(1, 50), bars),
        freeze("pause-idle", "primary, idle,", Stopped::Both, true, effort.of(1, 50), bars),
        freeze("pause-agent", "agent", Stopped::Agent, false, effort.of(1, 20), bars),
        freeze("pause-engine", "engine", Stopped::Engine, false, effort.of(1, 20), hang),
    ]
}

fn cuts(effort: Effort, wait: Duration) -> Vec<Scenario> {
    let length = wait + Duration::from_secs(4);
    let cut = |name, from, runs, bars| Scenario {
        name,
        title: format!("cut primary from {from}"),
        deed: Deed::Cut { from, length },
        runs,
        bars,
        members: 2,
    };
    // Nothing happens to writes: what is allowed is a machine that is busy.
    let unhurt = Bars { gap_p99: Some(Duration::from_millis(500)), ..Bars::default() };
    let isolated = Bars {
        gap_p99: Some(writable_within(wait)),
        old_stops: Some(stops_within(wait)),
        ..Bars::default()
    };
    vec![
        cut("cut-store", CutFrom::Store, effort.of(1, 20), unhurt),
        cut("cut-peers", CutFrom::Peers, effort.of(1, 20), unhurt),
        cut("cut", CutFrom::Everyone, effort.of(2, 20), isolated),
    ]
}

fn stores(effort: Effort) -> Vec<Scenario> {
    let length = effort.length(Duration::from_secs(10), Duration::from_secs(600));
    let crash_length = Duration::from_secs(6);
    let slow_length = effort.length(Duration::from_secs(8), Duration::from_secs(30));
    let unhurt = Bars { gap_p99: Some(Duration::from_millis(500)), ..Bars::default() };
    let recovers = Bars { gap_p99: Some(Duration::from_secs(3)), ..Bars::default() };
    let scenario = |name, title: String, deed, runs, bars| Scenario {
        name,
        title,
        deed,
        runs,
        bars,
        members: 2,
    };
    let delay = Duration::from_secs(5);
    vec![
        scenario(
            "store-down",
            format!("store down {} s", length.as_secs()),
            Deed::StoreDown { length, crash: false },
            effort.of(1, 1),
            unhurt,
        ),
        scenario(
            "store-crash",
            "store down, primary killed".to_owned(),
            Deed::StoreDown { length: crash_length, crash: true },
            effort.of(1, 10),
            recovers,
        ),
        scenario(
            "store-slow",
            format!("store {} s slow", delay.as_secs()),
            Deed::StoreSlow { delay, length: slow_length },
            effort.of(1, 3),
            unhurt,
        ),
    ]
}

/// The scenarios of the basic suite that `wanted` names; all when it names none.
pub fn select(suite: Vec<Scenario>, wanted: &[String]) -> Result<Vec<Scenario>, UnknownScenario> {
    if let Some(unknown) = wanted.iter().find(|name| suite.iter().all(|s| s.name != **name)) {
        let known = suite.iter().map(|scenario| scenario.name).collect();
        return Err(UnknownScenario { given: unknown.clone(), known });
    }
    let chosen =
        |scenario: &Scenario| wanted.is_empty() || wanted.iter().any(|w| w == scenario.name);
    Ok(suite.into_iter().filter(chosen).collect())
}

/// Nobody knows this scenario.
#[derive(Debug, thiserror::Error)]
#[error("there is no scenario {given:?}; there are {}", known.join(", "))]
pub struct UnknownScenario {
    /// What was asked for.
    pub given: String,
    /// What there is.
    pub known: Vec<&'static str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profile_sets_the_bars_of_a_silent_loss() {
        let bars = |wait| {
            let suite = basic(Effort::default(), Duration::from_secs(wait));
            let cut = suite.into_iter().find(|scenario| scenario.name == "cut").expect("a cut");
            (cut.bars.old_stops, cut.bars.gap_p99)
        };
        assert_eq!(bars(5), (Some(Duration::from_millis(4500)), Some(Duration::from_millis(6500))));
        assert_eq!(bars(3), (Some(Duration::from_millis(2600)), Some(Duration::from_secs(4))));
    }

    #[test]
    fn every_harm_outlasts_the_wait_that_it_tries() {
        for wait in [3, 5, 15].map(Duration::from_secs) {
            for scenario in basic(Effort::default(), wait) {
                let (Deed::Freeze { length, .. } | Deed::Cut { length, .. }) = scenario.deed else {
                    continue;
                };
                assert!(length > writable_within(wait), "{} with W {wait:?}", scenario.name);
            }
        }
    }

    #[test]
    fn scenarios_are_chosen_by_name_and_unknown_ones_refused() {
        let suite = || basic(Effort { runs: Some(7), ..Effort::default() }, Duration::from_secs(5));
        let chosen = select(suite(), &["kill".to_owned()]).expect("it is known");
        assert_eq!(chosen.iter().map(|s| (s.name, s.runs)).collect::<Vec<_>>(), [("kill", 7)]);
        assert_eq!(select(suite(), &[]).expect("all").len(), names().len());
        let refused = select(suite(), &["kil".to_owned()]).expect_err("it is unknown");
        assert!(
            refused.to_string().contains("\"kil\"") && refused.to_string().contains("handover")
        );
    }
}
