//! I2: a write that WAIT said `k` replicas hold is in every later primary, and there at the end.

use std::collections::{BTreeMap, BTreeSet};

use super::Violation;
use crate::history::{Happening, History, Write};

/// Looks for a waited write that a later primary lacks at its first acknowledgement, or that the
/// last one lacks. Not counted: writes waited for before somebody was made primary by what the
/// disks still had, and those whose `k + 1` copies were destroyed by faults (failover.md 2.3 I2).
pub fn check(history: &History) -> Vec<Violation> {
    let mut promised: BTreeSet<Write> = BTreeSet::new();
    let mut destroyed: BTreeMap<Write, u32> = BTreeMap::new();
    let mut found = Vec::new();
    for (at, happening) in &history.events {
        match happening {
            Happening::Waited { write, copies }
                if history.copies > 0 && *copies >= history.copies =>
            {
                promised.insert(*write);
            }
            Happening::AcceptedLoss { .. } => promised.clear(),
            Happening::CopiesLost { writes, .. } => {
                for write in writes {
                    let n = destroyed.entry(*write).or_insert(0);
                    *n += 1;
                    if *n > history.copies {
                        promised.remove(write);
                    }
                }
            }
            Happening::Holding { by, term, data } => {
                let missing: Vec<_> = promised.difference(data).copied().collect();
                if !missing.is_empty() {
                    let what = format!(
                        "member {by} leads in term {term} without {} waited writes, such as {}",
                        missing.len(),
                        missing[0]
                    );
                    found.push(Violation { promise: "I2", at: *at, what });
                    for write in missing {
                        promised.remove(&write);
                    }
                }
            }
            Happening::Ended { members } => {
                for (by, last) in members.iter().enumerate().filter(|(_, l)| l.writable) {
                    if let Some(write) = promised.difference(&last.data).next() {
                        let what = format!("at the end primary {by} lacks waited write {write}");
                        found.push(Violation { promise: "I2", at: *at, what });
                    }
                }
            }
            _ => {}
        }
    }
    found
}

/// How many acknowledged writes the last primary lacks that nobody waited for: the documented
/// window, reported as a number.
pub fn lost_unwaited(history: &History) -> usize {
    let acked: BTreeSet<Write> = history
        .events
        .iter()
        .filter_map(|(_, h)| match h {
            Happening::Acked { write, .. } => Some(*write),
            _ => None,
        })
        .collect();
    let Some((_, Happening::Ended { members })) = history.events.last() else { return 0 };
    let Some(primary) = members.iter().find(|l| l.writable) else { return 0 };
    acked.difference(&primary.data).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Last;

    fn history(events: Vec<Happening>) -> History {
        let mut h = History { copies: 1, gate: true, ..History::default() };
        for (i, e) in events.into_iter().enumerate() {
            h.add(i as u64, e);
        }
        h
    }

    fn holding(data: &[Write]) -> Happening {
        Happening::Holding { by: 1, term: 2, data: data.iter().copied().collect() }
    }

    #[test]
    fn a_later_primary_without_a_waited_write_is_seen() {
        let waited = Happening::Waited { write: 7, copies: 1 };
        assert!(check(&history(vec![waited.clone(), holding(&[7])])).is_empty());
        assert_eq!(check(&history(vec![waited, holding(&[6])])).len(), 1);
    }

    #[test]
    fn too_few_copies_promise_nothing() {
        let waited = Happening::Waited { write: 7, copies: 0 };
        assert!(check(&history(vec![waited, holding(&[])])).is_empty());
    }

    #[test]
    fn one_destroyed_copy_excuses_nothing_and_all_do() {
        let waited = Happening::Waited { write: 7, copies: 1 };
        let lost = |of| Happening::CopiesLost { of, writes: [7].into() };
        assert_eq!(check(&history(vec![waited.clone(), lost(0), holding(&[])])).len(), 1);
        assert!(check(&history(vec![waited, lost(0), lost(1), holding(&[])])).is_empty());
    }

    #[test]
    fn the_end_is_looked_at_too() {
        let waited = Happening::Waited { write: 7, copies: 1 };
        let last = Last { writable: true, ..Last::default() };
        assert_eq!(
            check(&history(vec![waited, Happening::Ended { members: vec![last] }])).len(),
            1
        );
    }
}
