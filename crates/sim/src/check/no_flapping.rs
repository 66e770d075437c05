//! L2: once all faults are healed the group settles, and does not go from primary to primary.

use super::Violation;
use crate::history::{Happening, History};

/// Promotions after the healing that are still no flapping: one that was under way, a recovery, a
/// handover to a member that has room again, and one of a person who helps.
pub const MOST: usize = 6;

/// Counts promotions after the healing.
pub fn check(history: &History) -> Vec<Violation> {
    let healed = history.events.iter().position(|(_, h)| matches!(h, Happening::Healed));
    let after = healed.map_or(&[][..], |at| &history.events[at..]);
    let promoted = after.iter().filter(|(_, h)| matches!(h, Happening::Promoted { .. }));
    let times: Vec<u64> = promoted.map(|(at, _)| *at).collect();
    match times.get(MOST) {
        Some(at) => {
            let what = format!("{} promotions after the healing", times.len());
            vec![Violation { promise: "L2", at: *at, what }]
        }
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(before: usize, after: usize) -> History {
        let mut h = History::default();
        let promoted =
            Happening::Promoted { by: 0, term: 1, epoch: 1, complete: true, held: 0, others: 0 };
        (0..before).for_each(|_| h.add(1, promoted.clone()));
        h.add(2, Happening::Healed);
        (0..after).for_each(|_| h.add(3, promoted.clone()));
        h
    }

    #[test]
    fn only_what_comes_after_the_healing_counts() {
        assert!(check(&history(50, MOST)).is_empty());
        assert_eq!(check(&history(0, MOST + 1)).len(), 1);
    }
}
