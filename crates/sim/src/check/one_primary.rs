//! I1: at most one engine acknowledges with authority. Seen from outside: once a term has
//! acknowledged, no earlier term ever does again.

use super::Violation;
use crate::history::{Happening, History};

/// Looks for an acknowledgement under an older term than one seen before. With `gate` off, what was
/// queued in a frozen process is not counted (failover.md 1.2 E3b): see [`leaked`].
pub fn check(history: &History) -> Vec<Violation> {
    late_acks(history)
        .into_iter()
        .filter(|(_, _, frozen)| history.gate || !frozen)
        .map(|(at, what, _)| Violation { promise: "I1", at, what })
        .take(3)
        .collect()
}

/// How many acknowledgements came out of a thawed process after another had begun to lead.
pub fn leaked(history: &History) -> usize {
    late_acks(history).into_iter().filter(|(_, _, frozen)| *frozen).count()
}

fn late_acks(history: &History) -> Vec<(u64, String, bool)> {
    let mut newest = (0, 0);
    let mut late = Vec::new();
    for (at, happening) in &history.events {
        if let Happening::Acked { write, by, term, frozen } = happening {
            if *term < newest.0 {
                let (since, who) = newest;
                let what = format!(
                    "member {by} acknowledged write {write} in term {term} after member {who} had \
                     in term {since}"
                );
                late.push((*at, what, *frozen));
            } else {
                newest = (*term, *by);
            }
        }
    }
    late
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(terms: &[(u64, bool)], gate: bool) -> History {
        let mut h = History { gate, ..History::default() };
        for (i, (term, frozen)) in terms.iter().enumerate() {
            let (write, by) = (i as u64, *term as usize);
            h.add(write, Happening::Acked { write, by, term: *term, frozen: *frozen });
        }
        h
    }

    #[test]
    fn an_old_term_that_speaks_again_is_seen() {
        assert!(check(&history(&[(1, false), (2, false), (3, false)], true)).is_empty());
        assert_eq!(check(&history(&[(1, false), (2, false), (1, false)], true)).len(), 1);
    }

    #[test]
    fn a_thawed_queue_counts_only_with_the_gate() {
        let terms = [(1, false), (2, false), (1, true)];
        assert_eq!(check(&history(&terms, true)).len(), 1);
        assert!(check(&history(&terms, false)).is_empty());
        assert_eq!(leaked(&history(&terms, false)), 1);
    }
}
