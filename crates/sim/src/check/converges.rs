//! L1: some time after all faults are healed, one primary acknowledges and everybody equals it.

use super::Violation;
use crate::history::{Happening, History};

/// Looks at the end: who is writable, who is linked, who holds the same.
pub fn check(history: &History) -> Vec<Violation> {
    let Some((at, Happening::Ended { members })) = history.events.last() else {
        let what = "the history has no end".to_owned();
        return vec![Violation { promise: "L1", at: 0, what }];
    };
    let violation = |what| vec![Violation { promise: "L1", at: *at, what }];
    let counted: Vec<usize> = (0..members.len()).filter(|m| !members[*m].broken).collect();
    let primaries: Vec<usize> = counted.iter().copied().filter(|m| members[*m].writable).collect();
    let [primary] = primaries[..] else {
        let blocked: Vec<_> = members.iter().filter_map(|l| l.blocked.as_deref()).collect();
        return violation(format!(
            "members {primaries:?} accept writes at the end; blocked: {blocked:?}"
        ));
    };
    for m in counted.into_iter().filter(|m| *m != primary) {
        let last = &members[m];
        if !last.linked {
            let why = last.blocked.as_deref().unwrap_or("nothing said why");
            return violation(format!("member {m} is not linked at the end: {why}"));
        }
        if last.data != members[primary].data {
            let more = last.data.difference(&members[primary].data).count();
            let less = members[primary].data.difference(&last.data).count();
            return violation(format!(
                "member {m} differs from primary {primary}: {more} writes more, {less} less"
            ));
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Last;

    fn ended(members: Vec<Last>) -> History {
        let mut h = History::default();
        h.add(1, Happening::Ended { members });
        h
    }

    #[test]
    fn nothing_is_asked_of_who_was_left_broken() {
        let primary = Last { writable: true, data: [1].into(), ..Last::default() };
        let broken = Last { broken: true, ..Last::default() };
        assert!(check(&ended(vec![primary, broken.clone()])).is_empty());
        assert_eq!(check(&ended(vec![broken])).len(), 1);
    }

    #[test]
    fn one_primary_and_equal_replicas_are_asked_for() {
        let primary = Last { writable: true, data: [1, 2].into(), ..Last::default() };
        let replica = Last { linked: true, data: [1, 2].into(), ..Last::default() };
        let behind = Last { linked: true, data: [1].into(), ..Last::default() };
        assert!(check(&ended(vec![primary.clone(), replica.clone()])).is_empty());
        assert_eq!(check(&ended(vec![primary.clone(), behind])).len(), 1);
        assert_eq!(check(&ended(vec![replica.clone(), replica])).len(), 1);
        assert_eq!(check(&ended(vec![primary.clone(), primary])).len(), 1);
        assert_eq!(check(&History::default()).len(), 1);
    }
}
