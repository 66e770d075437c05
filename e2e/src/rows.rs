//! Every row of the table: what is done, how often, and what it must show.
//!
//! What needs the operator (scale, rolls, wrong specs refused at admission, its own absence and
//! return, a hundred groups at rest) comes as rows of this list together with the operator. A row
//! that cannot run is not here.

use std::time::Duration;

use crate::deeds::Deed;
use crate::verdict::shown;

/// One line of the table.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// What it is asked for by; stable.
    pub(crate) name: &'static str,
    /// What it is called in the table.
    pub(crate) title: &'static str,
    /// The group that it is done to.
    pub(crate) setting: Setting,
    /// What is done.
    pub(crate) deed: Deed,
    /// How often in the short set; 0: not at all.
    pub(crate) short: u32,
    /// How often in the full set.
    pub(crate) full: u32,
    /// What it must show.
    pub(crate) bars: Bars,
}

/// A group of rows that share a namespace, a group and a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Setting {
    /// Makes and removes its own groups, as the README does.
    Fresh,
    /// The default profile, with volumes.
    Default,
    /// The fast profile, with volumes.
    Fast,
    /// Memory only.
    Memory,
    /// The default profile, where every kube-proxy writes routes at most once a second.
    SlowRoutes,
}

impl Setting {
    /// The name of its namespace, and the file of its spec.
    pub(crate) fn place(self) -> (&'static str, &'static str) {
        match self {
            Self::Fresh => ("fresh", "examples/default.yaml"),
            Self::Default => ("default", "e2e/groups/default.yaml"),
            Self::Fast => ("fast", "e2e/groups/fast.yaml"),
            Self::Memory => ("memory", "e2e/groups/memory.yaml"),
            Self::SlowRoutes => ("slow-routes", "e2e/groups/default.yaml"),
        }
    }
}

/// Which writes may be missing in the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Lost {
    /// None of the acknowledged.
    Nothing,
    /// None that `WAIT` has called replicated.
    #[default]
    Unreplicated,
    /// All of them, as long as that is said aloud.
    Everything,
}

/// What a row must show. Every row: no two engines that acknowledge at once, nobody who does so
/// after its time, all members equal in the end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bars {
    /// The median of what is measured, in milliseconds.
    pub(crate) p50_ms: Option<f64>,
    /// 99 of 100, in milliseconds; of fewer than 100 the longest.
    pub(crate) p99_ms: Option<f64>,
    /// The old primary's last acknowledgement after the deed, in milliseconds.
    pub(crate) old_stops_ms: Option<f64>,
    /// Which writes may be missing.
    pub(crate) lost: Lost,
    /// Whether the row has load.
    pub(crate) has_load: bool,
}

impl Bars {
    const NONE: Self = Self {
        p50_ms: None,
        p99_ms: None,
        old_stops_ms: None,
        lost: Lost::Unreplicated,
        has_load: true,
    };

    const fn gap(p50_ms: f64, p99_ms: f64) -> Self {
        Self { p50_ms: Some(p50_ms), p99_ms: Some(p99_ms), ..Self::NONE }
    }

    const fn most(p99_ms: f64) -> Self {
        Self { p99_ms: Some(p99_ms), ..Self::NONE }
    }

    const fn nothing_lost(self) -> Self {
        Self { lost: Lost::Nothing, ..self }
    }

    const fn old_stops(self, ms: f64) -> Self {
        Self { old_stops_ms: Some(ms), ..self }
    }

    /// In a few words, for the table.
    pub(crate) fn words(&self) -> String {
        let times = [("p50", self.p50_ms), ("", self.p99_ms), ("old", self.old_stops_ms)];
        let words = times.into_iter().filter_map(|(what, ms)| {
            Some(format!("{what} ≤ {}", shown(ms?)).trim_start().to_owned())
        });
        let words: Vec<String> = words.collect();
        if words.is_empty() { "printed".to_owned() } else { words.join(", ") }
    }
}

const FREEZE: Duration = Duration::from_secs(30);
const CUT: Duration = Duration::from_secs(15);

/// All rows, in the order in which they are done: those that break hosts or the API server last.
pub(crate) fn rows() -> Vec<Row> {
    [of_pods(), of_lost_pods(), of_hosts()].concat()
}

fn row(
    name: &'static str,
    title: &'static str,
    setting: Setting,
    deed: Deed,
    (short, full): (u32, u32),
    bars: Bars,
) -> Row {
    Row { name, title, setting, deed, short, full, bars }
}

/// One member dies, and comes back as it was.
fn of_pods() -> Vec<Row> {
    use Setting::{Default, Fresh, SlowRoutes};
    let fresh = Bars { has_load: false, ..Bars::gap(8_000.0, 20_000.0) };
    vec![
        row("apply", "applied until ready", Fresh, Deed::Apply, (3, 20), fresh),
        row(
            "pod-delete",
            "primary's pod deleted",
            Default,
            Deed::DeletePod,
            (5, 50),
            Bars::gap(100.0, 300.0).nothing_lost(),
        ),
        row(
            "engine-kill",
            "engine killed in its pod",
            Default,
            Deed::KillEngine,
            (5, 50),
            Bars::gap(200.0, 1_000.0),
        ),
        row(
            "container-kill",
            "container killed with its agent",
            Default,
            Deed::KillContainer { held_back: false },
            (3, 10),
            Bars::most(4_000.0),
        ),
        row(
            "container-kill-held",
            "the same, restart held back",
            Default,
            Deed::KillContainer { held_back: true },
            (2, 10),
            Bars::most(6_500.0),
        ),
        row(
            "pod-delete-1s",
            "pod deleted, minSyncPeriod 1 s",
            SlowRoutes,
            Deed::DeletePod,
            (0, 20),
            Bars::NONE.nothing_lost(),
        ),
        row(
            "engine-kill-1s",
            "engine killed, minSyncPeriod 1 s",
            SlowRoutes,
            Deed::KillEngine,
            (0, 20),
            Bars::NONE,
        ),
    ]
}

/// More is lost than one member.
fn of_lost_pods() -> Vec<Row> {
    use Setting::{Default, Memory};
    let lossy = Bars { lost: Lost::Everything, ..Bars::NONE };
    vec![
        row(
            "all-pods",
            "every pod deleted at once",
            Default,
            Deed::DeleteAll { keeps: true },
            (1, 5),
            Bars::most(20_000.0),
        ),
        row(
            "pod-and-claim",
            "primary's pod and claim deleted",
            Default,
            Deed::DeleteWithClaim,
            (1, 5),
            Bars::NONE.nothing_lost(),
        ),
        row(
            "all-pods-memory",
            "every pod deleted, memory only",
            Memory,
            Deed::DeleteAll { keeps: false },
            (1, 3),
            lossy,
        ),
    ]
}

/// A host or the API server is away.
fn of_hosts() -> Vec<Row> {
    use Setting::{Default, Fast};
    // A load of four writers is never silent for so long by itself.
    let no_gap = Bars::most(150.0).nothing_lost();
    vec![
        row(
            "host-drain",
            "primary's host drained",
            Default,
            Deed::Drain,
            (2, 10),
            Bars::gap(100.0, 300.0).nothing_lost(),
        ),
        row(
            "host-freeze",
            "host frozen for 30 s",
            Default,
            Deed::Freeze { length: FREEZE },
            (1, 10),
            Bars::most(6_500.0).old_stops(4_500.0),
        ),
        row(
            "host-cut",
            "host cut from the network",
            Default,
            Deed::Cut { length: CUT },
            (1, 10),
            Bars::most(6_500.0).old_stops(4_500.0),
        ),
        row(
            "host-freeze-fast",
            "host frozen, profile fast",
            Fast,
            Deed::Freeze { length: FREEZE },
            (1, 10),
            Bars::most(4_000.0).old_stops(2_600.0),
        ),
        row(
            "host-cut-fast",
            "host cut, profile fast",
            Fast,
            Deed::Cut { length: CUT },
            (1, 10),
            Bars::most(4_000.0).old_stops(2_600.0),
        ),
        row(
            "api-stop",
            "API server stopped",
            Default,
            Deed::StopApi { short: Duration::from_secs(60), full: Duration::from_secs(600) },
            (1, 1),
            no_gap,
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_one_row() {
        let mut names: Vec<&str> = rows().iter().map(|row| row.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn the_full_set_does_at_least_what_the_short_one_does() {
        assert!(rows().iter().all(|row| row.full >= row.short && row.full > 0));
    }
}
