//! I7: a replica never attaches to a primary of an epoch below what it has promised.

use super::Violation;
use crate::history::{Happening, History};

/// Looks at every stream that a replica let in.
pub fn check(history: &History) -> Vec<Violation> {
    let mut found = Vec::new();
    for (at, happening) in &history.events {
        if let Happening::Attached { by, promised, to, epoch } = happening
            && epoch < promised
        {
            let what = format!(
                "member {by} had promised epoch {promised} and attached to member {to}, which \
                 leads in epoch {epoch}"
            );
            found.push(Violation { promise: "I7", at: *at, what });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attached(promised: u64, epoch: u64) -> History {
        let mut h = History::default();
        h.add(1, Happening::Attached { by: 1, promised, to: 0, epoch });
        h
    }

    #[test]
    fn only_a_lower_epoch_is_one_too_low() {
        assert!(check(&attached(2, 2)).is_empty());
        assert!(check(&attached(2, 3)).is_empty());
        assert_eq!(check(&attached(2, 1)).len(), 1);
    }
}
