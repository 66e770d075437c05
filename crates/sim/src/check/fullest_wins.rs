//! I3: nobody is promoted with a broken dataset, nor empty while a reachable member holds data.

use super::Violation;
use crate::history::{Happening, History};

/// Looks at every promotion.
pub fn check(history: &History) -> Vec<Violation> {
    let mut found = Vec::new();
    for (at, happening) in &history.events {
        let Happening::Promoted { by, term, complete, held, others, .. } = happening else {
            continue;
        };
        if !complete {
            let what = format!("member {by} was promoted in term {term} with half a dataset");
            found.push(Violation { promise: "I3", at: *at, what });
        } else if *held == 0 && *others > 0 {
            let what = format!(
                "member {by} was promoted empty in term {term} while a reachable member held \
                 {others} writes"
            );
            found.push(Violation { promise: "I3", at: *at, what });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn promoted(complete: bool, held: usize, others: usize) -> History {
        let mut h = History::default();
        h.add(1, Happening::Promoted { by: 0, term: 1, epoch: 1, complete, held, others });
        h
    }

    #[test]
    fn half_and_empty_datasets_are_seen() {
        assert!(check(&promoted(true, 3, 5)).is_empty());
        assert!(check(&promoted(true, 0, 0)).is_empty());
        assert_eq!(check(&promoted(true, 0, 5)).len(), 1);
        assert_eq!(check(&promoted(false, 9, 0)).len(), 1);
    }
}
