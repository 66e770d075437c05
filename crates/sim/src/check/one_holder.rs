//! I6, at the record: an epoch has one holder for ever, and epochs never fall.

use std::collections::BTreeMap;

use super::Violation;
use crate::history::{Happening, History};

/// Looks at every record that members wrote, also over a deletion in between. A write that was on
/// its way before the deletion and lands after it binds nobody: who knows of a newer record calls
/// it old, and who was promoted is looked at by [`super::epochs`].
pub fn check(history: &History) -> Vec<Violation> {
    let mut holders = BTreeMap::new();
    let mut newest = 0;
    let mut found = Vec::new();
    for (at, happening) in &history.events {
        let Happening::Recorded { holder, epoch, late: false } = happening else { continue };
        let violation = |what| Violation { promise: "I6", at: *at, what };
        if *epoch < newest {
            found.push(violation(format!("a record of epoch {epoch} came after one of {newest}")));
        }
        newest = newest.max(*epoch);
        let Some(holder) = holder else { continue };
        let first = holders.entry(*epoch).or_insert(*holder);
        if first != holder {
            let what = format!("epoch {epoch} was held by member {first} and by member {holder}");
            found.push(violation(what));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(of: &[(Option<usize>, u64)]) -> History {
        let mut h = History::default();
        for (holder, epoch) in of {
            h.add(0, Happening::Recorded { holder: *holder, epoch: *epoch, late: false });
        }
        h
    }

    #[test]
    fn an_epoch_changes_its_holder_never_and_may_be_released() {
        let fine = [(Some(0), 1), (Some(0), 1), (None, 1), (Some(1), 2)];
        assert!(check(&records(&fine)).is_empty());
        assert_eq!(check(&records(&[(Some(0), 1), (Some(1), 1)])).len(), 1);
        assert_eq!(check(&records(&[(Some(0), 1), (None, 1), (Some(1), 1)])).len(), 1);
    }

    #[test]
    fn epochs_never_fall() {
        assert_eq!(check(&records(&[(Some(0), 3), (Some(1), 2)])).len(), 1);
    }

    #[test]
    fn a_write_of_before_a_deletion_binds_nobody() {
        let mut h = records(&[(Some(0), 3)]);
        h.add(0, Happening::Recorded { holder: Some(1), epoch: 2, late: true });
        assert!(check(&h).is_empty());
    }
}
