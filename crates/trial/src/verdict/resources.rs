//! Memory and open files of the agents over a long run: they stay what they are.

use std::fs;

use serde::Serialize;

use super::{Check, Row, median};
use crate::process::stat;

/// Fewer events than this show no trend.
const ENOUGH: usize = 9;
/// What a process may have more of in the last third of a run than in the first one: allocators
/// keep what they once had.
const MORE_KB: f64 = 4096.0;
/// The same for open files: a connection that is just being closed.
const MORE_FILES: f64 = 8.0;

/// What one process holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Resources {
    /// The member whose agent it is.
    pub member: String,
    /// The agent's process.
    pub pid: u32,
    /// Resident memory in kilobytes.
    pub rss_kb: u64,
    /// Open files.
    pub files: u64,
}

impl Resources {
    /// What this process holds now; `None` where the system does not tell.
    pub fn of(member: &str, pid: u32) -> Option<Self> {
        let pages: u64 = stat(i32::try_from(pid).ok()?)?.get(21)?.parse().ok()?;
        let page = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok()??;
        let files = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count() as u64;
        let rss_kb = pages * u64::try_from(page).ok()? / 1024;
        Some(Self { member: member.to_owned(), pid, rss_kb, files })
    }
}

impl Row {
    /// Holds the last third of the events against the first one.
    pub(super) fn resource_checks(&self) -> Vec<Check> {
        let events: Vec<&[Resources]> =
            self.events.iter().map(|event| event.resources.as_slice()).collect();
        if events.len() < ENOUGH || events.iter().any(|event| event.is_empty()) {
            return Vec::new();
        }
        let third = events.len() / 3;
        let (first, last) = (&events[..third], &events[events.len() - third..]);
        let of = |events: &[&[Resources]], what: fn(&Resources) -> u64| {
            median(events.iter().flat_map(|event| event.iter()).map(|r| what(r) as f64).collect())
        };
        let flat = |what: &str, of: (f64, f64), more: f64| Check {
            what: what.to_owned(),
            wanted: format!("≤ {:.0}", of.0 + more),
            measured: format!("{:.0}", of.1),
            met: of.1 <= of.0 + more,
            safety: false,
        };
        let both = |what: fn(&Resources) -> u64| (of(first, what), of(last, what));
        vec![
            flat("memory of an agent at the end, kB", both(|r| r.rss_kb), MORE_KB),
            flat("open files of an agent at the end", both(|r| r.files), MORE_FILES),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suites::{Effort, basic};
    use crate::verdict::Event;

    fn checks(holds: impl Fn(u64) -> (u64, u64)) -> Vec<bool> {
        let scenario = basic(Effort::default(), std::time::Duration::from_secs(5)).remove(0);
        let mut row = Row::new(scenario, "gate");
        let event = |n| {
            let (rss_kb, files) = holds(n);
            let one = Resources { member: "c-0".to_owned(), pid: 1, rss_kb, files };
            Event { resources: vec![one], ..Event::default() }
        };
        row.events = (0..12).map(event).collect();
        row.resource_checks().iter().map(|check| check.met).collect()
    }

    #[test]
    fn what_grows_over_a_run_is_seen_and_what_only_rises_and_falls_is_not() {
        assert_eq!(checks(|n| (9000 + n % 3 * 900, 30 + n % 2)), [true, true]);
        assert_eq!(checks(|n| (9000 + n * 900, 30)), [false, true]);
        assert_eq!(checks(|n| (9000, 30 + n * 3)), [true, false]);
    }

    #[test]
    fn this_process_holds_something() {
        if cfg!(target_os = "linux") {
            let own = Resources::of("c-0", std::process::id()).expect("it is there");
            assert!(own.rss_kb > 100 && own.files >= 3, "{own:?}");
        }
    }
}
