//! What a row of the table is: what is done, to which group, how often, and what it must show.

use crate::deeds::Deed;
use crate::verdict::shown;

mod list;

pub(crate) use list::rows;

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
    /// A resource that the operator looks after, with volumes.
    Operated,
    /// The same, after the operator was taken away.
    Unwatched,
    /// Many small groups that the operator looks after.
    Many,
    /// A resource that the operator looks after, beside what others run: no row's.
    Beside,
}

/// Who makes the objects of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Maker {
    /// `interrex render`: there is no operator.
    Render,
    /// The operator.
    Operator,
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
            Self::Operated => ("operated", "e2e/groups/operated.yaml"),
            Self::Unwatched => ("unwatched", "e2e/groups/default.yaml"),
            Self::Many => ("many", "e2e/groups/small.yaml"),
            Self::Beside => ("beside", "e2e/groups/default.yaml"),
        }
    }

    /// Who makes its groups.
    pub(crate) fn maker(self) -> Maker {
        match self {
            Self::Default | Self::Fast | Self::Memory | Self::SlowRoutes => Maker::Render,
            Self::Fresh | Self::Operated | Self::Unwatched | Self::Many | Self::Beside => {
                Maker::Operator
            }
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
