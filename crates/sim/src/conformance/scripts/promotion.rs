//! Who follows whom after a promotion, and at what price (engine.md 1.2, 1.3).

use super::super::Step::{
    Admit, CutReplicas, Expect, Follow, Hold, Leave, MinReplicas, Pause, Promote, Start, Unpause,
    Write,
};
use super::super::{Script, Setup};
use super::group;

pub(super) fn scripts() -> Vec<Script> {
    vec![promotion(), divergence(), handover(), chain(), chained_promotion(), lone()]
}

/// The sibling of a promoted replica, and the old primary without a tail, follow partially.
fn promotion() -> Script {
    let steps = vec![
        Write(0, 0, 4),
        Leave(0),
        Promote(1),
        Expect("1", "old stream", "r5"),
        Expect("1", "branches after", "4 writes"),
        Admit(1, &[0, 2]),
        Follow(2, 1),
        Expect("1", "partial syncs given", "1"),
        Follow(0, 1),
        Expect("1", "partial syncs given", "2"),
        Expect("1", "full syncs given", "0"),
        Write(0, 1, 2),
        Expect("0", "writes", "1-6"),
        Expect("2", "old stream", "r5"),
        // And back again: only the last stream has a name.
        Leave(1),
        Promote(2),
        Admit(2, &[0, 1]),
        Follow(0, 2),
        Follow(1, 2),
        Expect("2", "full syncs given", "0"),
        Write(1, 2, 1),
        Expect("1", "writes", "1-7"),
        Hold,
    ];
    group("promotion", Setup::of(3), steps)
}

/// A tail that nobody else has costs a full sync, and is lost (engine.md 1.3).
fn divergence() -> Script {
    let steps = vec![
        Write(0, 0, 4),
        Admit(0, &[]),
        Expect("1", "link", "down"),
        Write(0, 0, 3),
        Expect("0", "writes", "1-7"),
        Promote(1),
        Admit(1, &[0, 2]),
        Follow(2, 1),
        Expect("1", "partial syncs given", "1"),
        Write(0, 1, 1),
        Expect("2", "writes", "1-4 8"),
        Follow(0, 1),
        Expect("0", "writes", "1-4 8"),
        Expect("1", "full syncs given", "1"),
    ];
    group("divergence", Setup::of(3), steps)
}

/// The order of a handover: pause, equal, demote, promote, follow.
fn handover() -> Script {
    let steps = vec![
        Write(0, 0, 4),
        Pause(0, 600_000),
        Write(0, 0, 2),
        Expect("client 0 at 0", "pending", "2"),
        Leave(0),
        Promote(1),
        Admit(1, &[0]),
        Follow(0, 1),
        Unpause(0),
        Expect("client 0 at 0", "answers", "OK×4 READONLY×2"),
        Expect("1", "partial syncs given", "1"),
        Expect("1", "full syncs given", "0"),
        Write(0, 1, 1),
        Expect("0", "writes", "1-4 7"),
    ];
    group("handover", Setup::of(2), steps)
}

/// A replica of a replica: served only while its upstream is linked.
fn chain() -> Script {
    let steps = vec![
        Write(0, 0, 3),
        Start(2),
        Admit(1, &[2]),
        Follow(2, 1),
        Expect("2", "writes", "1-3"),
        Write(0, 0, 2),
        Expect("2", "writes", "1-5"),
        // The middle goes to the dead end. What is below it stays attached, and hears nothing.
        Leave(1),
        Write(0, 0, 1),
        Expect("2", "writes", "1-5"),
        CutReplicas(1),
        Expect("2", "link", "down"),
        Hold,
        Follow(1, 0),
        Expect("2", "writes", "1-6"),
        Expect("1", "full syncs given", "1"),
        Expect("1", "partial syncs given", "1"),
    ];
    let mut script = group("chain", Setup::of(2), steps);
    script.setup.engines = 3;
    script
}

/// The middle of a chain is promoted: what is below it follows on partially.
fn chained_promotion() -> Script {
    let steps = vec![
        Write(0, 0, 3),
        Start(2),
        Admit(1, &[2]),
        Follow(2, 1),
        Write(0, 0, 1),
        Promote(1),
        Expect("2", "old stream", "r4"),
        Expect("1", "full syncs given", "1"),
        Write(0, 1, 2),
        Expect("2", "writes", "1-6"),
    ];
    let mut script = group("chained-promotion", Setup::of(2), steps);
    script.setup.engines = 3;
    script
}

/// A primary that never had a replica: its offset, its stream, and what becomes of both.
fn lone() -> Script {
    let steps = vec![
        Start(0),
        Promote(0),
        Write(0, 0, 3),
        Expect("0", "position", "1 of 1"),
        MinReplicas(0, 1),
        Write(0, 0, 1),
        Expect("client 0 at 0", "answers", "OK×3 NOREPLICAS"),
        MinReplicas(0, 0),
        Leave(0),
        Write(0, 0, 1),
        Promote(0),
        Write(0, 0, 2),
        Start(1),
        Admit(0, &[1]),
        Follow(1, 0),
        Expect("0", "full syncs given", "1"),
        Expect("1", "writes", "1-3 6-7"),
    ];
    Script { name: "lone", setup: Setup::of(2), steps }
}
