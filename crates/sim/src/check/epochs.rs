//! I6: epochs of successive primaries strictly increase.

use super::Violation;
use crate::history::{Happening, History};

/// Looks for a promotion in an epoch that another member has led, or in one below.
pub fn check(history: &History) -> Vec<Violation> {
    let mut newest: Option<(u64, usize)> = None;
    let mut found = Vec::new();
    for (at, happening) in &history.events {
        let Happening::Promoted { by, epoch, .. } = happening else { continue };
        if let Some((before, who)) = newest
            && (*epoch < before || (*epoch == before && who != *by))
        {
            let what =
                format!("member {by} was promoted in epoch {epoch} after member {who} in {before}");
            found.push(Violation { promise: "I6", at: *at, what });
        }
        newest = Some((*epoch, *by));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn promotions(of: &[(usize, u64)]) -> History {
        let mut h = History::default();
        for (by, epoch) in of {
            let (by, epoch) = (*by, *epoch);
            let p = Happening::Promoted { by, term: 0, epoch, complete: true, held: 0, others: 0 };
            h.add(0, p);
        }
        h
    }

    #[test]
    fn an_epoch_has_one_primary_and_never_falls() {
        assert!(check(&promotions(&[(0, 1), (0, 1), (1, 2), (0, 5)])).is_empty());
        assert_eq!(check(&promotions(&[(0, 1), (1, 1)])).len(), 1);
        assert_eq!(check(&promotions(&[(0, 2), (1, 1)])).len(), 1);
    }
}
