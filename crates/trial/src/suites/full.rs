//! What the full suite tries beyond the basic one: most of it needs a network of its own for each
//! member, and says so where there is none.

use std::time::Duration;

use super::{Bars, Effort, Scenario, writable_within};
use crate::nemesis::{Deed, Stopped};
use crate::target::StoreState;

/// How long a store is ill.
const ILL: Duration = Duration::from_secs(8);
/// How long a store that is slow takes for each answer is part of the basic suite; this is how far
/// back its record is turned.
const TURNED_BACK: Duration = Duration::from_secs(3);
/// The large dataset of a full sync.
const LARGE_MB: u32 = 200;

/// The scenarios for a group whose challengers wait `wait`. They are done a few times also by the
/// full suite: how often is `--runs`.
pub fn beyond_basic(effort: Effort, wait: Duration) -> Vec<Scenario> {
    let mut suite = networks(effort, wait);
    suite.extend(stores(effort));
    suite.extend(deaths(effort, wait));
    suite
}

fn scenario(name: &'static str, title: String, deed: Deed, runs: u32, bars: Bars) -> Scenario {
    let members =
        if matches!(deed, Deed::StoreAndReplica { .. } | Deed::DiskOfReplica) { 3 } else { 2 };
    Scenario { name, title, deed, runs, bars, members }
}

fn networks(effort: Effort, wait: Duration) -> Vec<Scenario> {
    let longest = effort.length(Duration::from_secs(15), Duration::from_secs(60));
    let takeover = Bars { gap_p99: Some(writable_within(wait)), ..Bars::default() };
    let thaw = |name, what: &str, stopped| {
        let deed = Deed::Thaw { stopped, wait };
        let title = format!("{what} paused, 3 moments of thaw");
        scenario(name, title, deed, effort.of(3, 3), takeover)
    };
    vec![
        scenario(
            "partition",
            format!("planes cut 1–{} s", longest.as_secs()),
            Deed::Partition { longest },
            effort.of(15, 15),
            Bars::default(),
        ),
        scenario(
            "freeze-member",
            format!("member frozen 1–{} s", longest.as_secs()),
            Deed::FreezeMember { longest },
            effort.of(3, 3),
            takeover,
        ),
        thaw("thaw-both", "primary", Stopped::Both),
        thaw("thaw-agent", "agent", Stopped::Agent),
        thaw("thaw-engine", "engine", Stopped::Engine),
        scenario(
            "moved",
            "all restart at new addresses".to_owned(),
            Deed::RestartAll { moved: true },
            effort.of(2, 2),
            Bars::default(),
        ),
    ]
}

fn stores(effort: Effort) -> Vec<Scenario> {
    let unhurt = Bars { gap_p99: Some(Duration::from_millis(500)), ..Bars::default() };
    let ill = |name, what: &str, fault| {
        let deed = Deed::StoreFault { fault, length: ILL };
        scenario(name, format!("store {what}"), deed, effort.of(1, 1), unhurt)
    };
    vec![
        ill("store-hung", "mute 8 s", StoreState::Hung),
        ill("store-forbidden", "answers 403 for 8 s", StoreState::Forbidden),
        ill("store-read-only", "read-only 8 s", StoreState::ReadOnly),
        ill("store-deleted", "loses its record", StoreState::RecordDeleted),
        ill("store-rolled-back", "3 s back", StoreState::RolledBack(TURNED_BACK)),
        scenario(
            "store-replica",
            "store down, a replica stands still".to_owned(),
            Deed::StoreAndReplica { length: ILL },
            effort.of(1, 1),
            unhurt,
        ),
    ]
}

fn deaths(effort: Effort, wait: Duration) -> Vec<Scenario> {
    let takeover = Bars { gap_p99: Some(writable_within(wait)), ..Bars::default() };
    let plain = |name, title: &str, deed, runs, bars| {
        scenario(name, title.to_owned(), deed, effort.of(runs, runs), bars)
    };
    let none = Bars::default();
    vec![
        plain("handover-kill", "handover, a party killed", Deed::HandoverKill, 6, takeover),
        plain(
            "full-sync",
            "200 MB full sync, primary killed",
            Deed::FullSync { megabytes: LARGE_MB },
            1,
            none,
        ),
        plain(
            "disk-replica",
            "replica's disk full, primary kill",
            Deed::DiskOfReplica,
            1,
            takeover,
        ),
        plain("disk-primary", "primary's disk full", Deed::DiskOfPrimary, 1, none),
        plain("wall-clock", "wall clock ±1 h", Deed::WallClock, 1, none),
        plain("swarm", "any of these, drawn", Deed::Swarm { wait }, 12, none),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::suites::basic;

    #[test]
    fn every_name_is_there_once_and_every_title_fits_the_table() {
        let wait = Duration::from_secs(5);
        let mut all = basic(Effort { full: true, runs: None }, wait);
        all.extend(beyond_basic(Effort { full: true, runs: None }, wait));
        let names: BTreeSet<&str> = all.iter().map(|scenario| scenario.name).collect();
        assert_eq!(names.len(), all.len());
        for scenario in &all {
            assert!(scenario.title.chars().count() <= 34, "{}", scenario.title);
        }
        let once = Effort { full: true, runs: Some(4) };
        assert!(beyond_basic(once, wait).iter().all(|scenario| scenario.runs == 4));
    }
}
