//! I8: data that parted from the line are kept aside before a full sync replaces them.

use super::Violation;
use crate::history::{Happening, History};

/// Looks at every dataset that a full sync replaced.
pub fn check(history: &History) -> Vec<Violation> {
    let mut found = Vec::new();
    for (at, happening) in &history.events {
        if let Happening::Replaced { of, parted, gone } = happening
            && *gone > 0
        {
            let what = format!(
                "a full sync replaced the data of member {of}: {gone} of {parted} writes that were \
                 there alone are in no copy kept aside"
            );
            found.push(Violation { promise: "I8", at: *at, what });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(parted: usize, gone: usize) -> History {
        let mut h = History::default();
        h.add(1, Happening::Replaced { of: 1, parted, gone });
        h
    }

    #[test]
    fn what_is_kept_aside_may_be_replaced() {
        assert!(check(&replaced(0, 0)).is_empty());
        assert!(check(&replaced(7, 0)).is_empty());
        assert_eq!(check(&replaced(7, 2)).len(), 1);
    }
}
