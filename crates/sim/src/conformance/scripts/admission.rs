//! Who may replicate: a user that is off gets nothing (failover.md 2.4).

use super::super::Step::{Admit, CutReplicas, Expect, Follow, Hold, Leave, Start, Write};
use super::super::{Script, Setup};
use super::group;

pub(super) fn scripts() -> Vec<Script> {
    vec![admission()]
}

/// A user that is switched off loses its link at once, cannot come back, and comes back partially
/// once it is on again.
fn admission() -> Script {
    let steps = vec![
        Write(0, 0, 2),
        Admit(0, &[1]),
        Expect("0", "replicas", "1 online, has all"),
        Write(0, 0, 2),
        Hold,
        Expect("2", "link", "down"),
        Expect("2", "writes", "1-2"),
        // An order to follow does not help either.
        Leave(2),
        Follow(2, 0),
        Hold,
        Expect("2", "link", "down"),
        Admit(0, &[1, 2]),
        Expect("2", "writes", "1-4"),
        Expect("0", "partial syncs given", "1"),
        // Another process under a user that is on.
        Start(3),
        Follow(3, 0),
        Expect("3", "link", "down"),
        Admit(0, &[1, 3]),
        Expect("3", "writes", "1-4"),
        Expect("2", "link", "down"),
        CutReplicas(0),
        Expect("0", "replicas", "1 online, has all; 3 online, has all"),
    ];
    let mut script = group("admission", Setup::of(3), steps);
    script.setup.engines = 4;
    script
}
