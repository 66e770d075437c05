//! I4: the store being away demotes nobody.

use super::Violation;
use crate::history::{Happening, History};

/// Looks at histories in which nothing but the store was harmed, up to the first other harm: who
/// acknowledged first goes on for ever.
pub fn check(history: &History) -> Vec<Violation> {
    let mut serves = false;
    for (at, happening) in &history.events {
        match happening {
            Happening::Acked { .. } => serves = true,
            Happening::Harmed { beyond_store: true } => return Vec::new(),
            Happening::Promoted { by, term, .. } if serves => {
                let what = format!(
                    "member {by} was promoted in term {term}, though only the store had been away"
                );
                return vec![Violation { promise: "I4", at: *at, what }];
            }
            _ => {}
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn promoted(term: u64) -> Happening {
        Happening::Promoted { by: 0, term, epoch: term, complete: true, held: 0, others: 0 }
    }

    fn history(beyond_store: bool) -> History {
        let mut h = History::default();
        h.add(1, promoted(1));
        h.add(2, Happening::Acked { write: 1, by: 0, term: 1, frozen: false });
        h.add(3, Happening::Harmed { beyond_store });
        h.add(4, promoted(2));
        h
    }

    #[test]
    fn a_store_alone_changes_nobody_and_anything_else_may() {
        assert_eq!(check(&history(false)).len(), 1);
        assert!(check(&history(true)).is_empty());
    }
}
