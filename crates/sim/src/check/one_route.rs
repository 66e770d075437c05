//! One route: its epoch never falls, and in the end it leads to the primary.

use super::Violation;
use crate::history::{Happening, History};

/// Looks at every write of the route (failover.md 2.13).
pub fn check(history: &History) -> Vec<Violation> {
    let mut newest = 0;
    let mut found = Vec::new();
    for (at, happening) in &history.events {
        let Happening::Routed { to, epoch } = happening else { continue };
        if *epoch < newest {
            let what =
                format!("the route to member {to} of epoch {epoch} replaced one of {newest}");
            found.push(Violation { promise: "route", at: *at, what });
        }
        newest = newest.max(*epoch);
    }
    found
}

/// Looks at where it leads in the end.
pub fn check_end(history: &History) -> Vec<Violation> {
    let Some((at, Happening::Ended { members })) = history.events.last() else { return Vec::new() };
    let strays = members.iter().enumerate().filter(|(_, l)| l.writable && l.routed == Some(false));
    let what = |m| format!("in the end the route does not lead to primary {m}");
    strays.map(|(m, _)| Violation { promise: "route", at: *at, what: what(m) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Last;

    fn history(epochs: &[u64], last: Last) -> History {
        let mut h = History::default();
        for epoch in epochs {
            h.add(0, Happening::Routed { to: 0, epoch: *epoch });
        }
        h.add(1, Happening::Ended { members: vec![last] });
        h
    }

    #[test]
    fn an_old_route_never_comes_back() {
        let last = Last { writable: true, routed: Some(true), ..Last::default() };
        assert!(check(&history(&[1, 2, 2, 5], last.clone())).is_empty());
        assert_eq!(check(&history(&[2, 1], last)).len(), 1);
    }

    #[test]
    fn a_primary_that_nobody_is_sent_to_is_seen() {
        let last = Last { writable: true, routed: Some(false), ..Last::default() };
        assert!(check(&history(&[1], last.clone())).is_empty());
        assert_eq!(check_end(&history(&[1], last.clone())).len(), 1);
        assert!(check_end(&history(&[1], Last { routed: None, ..last })).is_empty());
    }
}
