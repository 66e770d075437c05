//! Whether a copy has parted from the line of data that is followed (failover.md 2.11).

use engine::Offset;

use crate::identity::Epoch;
use crate::message::Beginning;

/// How many bytes a copy that has come to this place holds beside the followed line, 0 when nobody
/// can count them; `None` when it is a part of that line.
pub(super) fn parted_from(
    (mut line, followed): (Epoch, &[Beginning]),
    own: &[Beginning],
    (mut epoch, mut offset): (Epoch, Offset),
) -> Option<u64> {
    let mut left_at = offset;
    let mut beside = None;
    // A history tells of every line that was ever followed: the line that both come from is found
    // by going from child to parent, on the younger side.
    while line != epoch {
        let history = if line > epoch { followed } else { own };
        let begun = history.iter().find(|b| b.epoch == line.max(epoch));
        let Some(begun) = begun.filter(|b| b.parent_epoch < b.epoch) else {
            // Where the way back is forgotten, nobody knows that nothing parted.
            return Some(beside.unwrap_or(0));
        };
        if line > epoch {
            (line, left_at) = (begun.parent_epoch, begun.parent_start);
        } else {
            // All of this line is beside the followed one, what its engine did not count too: it
            // counts nothing before anybody follows it (engine.md 1.4).
            beside = Some(beside.unwrap_or(0) + offset.ahead_of(begun.start));
            (epoch, offset) = (begun.parent_epoch, begun.parent_start);
        }
    }
    let parted = beside.unwrap_or(0) + offset.ahead_of(left_at);
    (beside.is_some() || parted > 0).then_some(parted)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Epoch, where it began on its own line, the parent's epoch, and where it left that one.
    fn lines(all: &[(u64, u64, u64, u64)]) -> Vec<Beginning> {
        let line = |(epoch, start, parent, left): &(u64, u64, u64, u64)| Beginning {
            epoch: Epoch(*epoch),
            begun_by: String::new(),
            start: Offset(*start),
            parent_start: Offset(*left),
            parent_epoch: Epoch(*parent),
        };
        all.iter().map(line).collect()
    }

    fn parted(line: u64, all: &[(u64, u64, u64, u64)], at: (u64, u64)) -> Option<u64> {
        let all = lines(all);
        parted_from((Epoch(line), &all), &all, (Epoch(at.0), Offset(at.1)))
    }

    #[test]
    fn what_the_followed_line_has_did_not_part() {
        let all = [(3, 7, 2, 90), (2, 50, 1, 50), (1, 0, 0, 0)];
        assert_eq!(parted(3, &all, (2, 90)), None);
        assert_eq!(parted(3, &all, (1, 50)), None);
        assert_eq!(parted(3, &all, (2, 95)), Some(5));
        assert_eq!(parted(3, &all, (1, 60)), Some(10));
    }

    #[test]
    fn a_line_beside_is_counted_back_to_where_both_come_from() {
        // The second line began where the first one was at 100; the third one was there at 80 only.
        let all = [(3, 80, 1, 80), (2, 10, 1, 100), (1, 0, 0, 0)];
        assert_eq!(parted(3, &all, (2, 14)), Some(4 + 20));
        assert_eq!(parted(3, &all, (2, 10)), Some(20));
    }

    #[test]
    fn a_line_beside_may_hold_more_than_its_engine_counted() {
        let all = [(3, 100, 1, 100), (2, 100, 1, 100), (1, 0, 0, 0)];
        assert_eq!(parted(3, &all, (2, 100)), Some(0));
        assert_eq!(parted(3, &all, (2, 0)), Some(0));
    }

    #[test]
    fn where_the_way_back_is_forgotten_anything_may_have_parted() {
        assert_eq!(parted(9, &[(9, 5, 8, 5)], (2, 100)), Some(0));
        let all = [(9, 5, 1, 5), (4, 30, 3, 30)];
        assert_eq!(parted(9, &all, (4, 42)), Some(12));
    }
}
