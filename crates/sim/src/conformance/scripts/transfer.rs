//! Full syncs that do not end, and files that take long to read (engine.md 1.4, 1.5).
//!
//! Not here: a full sync that empties the old data before the new ones have come. It is never
//! rendered, and an engine that does it answers nobody while it waits for the rest.

use super::super::Step::{
    Admit, Expect, Follow, Hold, Kill, Leave, Promote, Save, SlowTransfer, Start, StartSlowly,
    Write,
};
use super::super::{Script, Setup};
use super::group;

pub(super) fn scripts() -> Vec<Script> {
    vec![broken_transfer(), left_transfer(), loading()]
}

/// A full sync whose file never comes: copy and position stay as they were, also at the dead end.
fn broken_transfer() -> Script {
    let steps = vec![
        Write(0, 0, 3),
        Start(2),
        Promote(2),
        Write(0, 2, 2),
        Admit(2, &[1]),
        SlowTransfer(2),
        Follow(1, 2),
        Expect("1", "full sync", "on its way"),
        Expect("1", "position", "none"),
        Expect("1", "writes", "1-3"),
        Kill(2),
        Expect("1", "full sync", "no"),
        Expect("1", "writes", "1-3"),
        Expect("1", "position", "1 of 1"),
        Leave(1),
        Expect("1", "position", "1 of 1"),
        Follow(1, 0),
        Expect("0", "partial syncs given", "1"),
    ];
    let mut script = group("broken-transfer", Setup::of(2), steps);
    script.setup.engines = 3;
    script
}

/// The same, given up by the replica itself, which is then promoted.
fn left_transfer() -> Script {
    let steps = vec![
        Write(0, 0, 3),
        Start(2),
        Promote(2),
        Write(0, 2, 2),
        Admit(2, &[1]),
        SlowTransfer(2),
        Follow(1, 2),
        Expect("1", "full sync", "on its way"),
        Leave(1),
        Expect("1", "writes", "1-3"),
        Promote(1),
        Expect("1", "branches after", "3 writes"),
        Hold,
    ];
    let mut script = group("left-transfer", Setup::of(2), steps);
    script.setup.engines = 3;
    script
}

/// An engine that reads its files takes no order and no write, and loses nothing by a kill.
fn loading() -> Script {
    let steps = vec![
        Write(0, 0, 60),
        Save(1),
        Kill(1),
        StartSlowly(1),
        Expect("1", "loading", "true"),
        Promote(1),
        Expect("order", "answer", "LOADING"),
        Follow(1, 0),
        Expect("order", "answer", "LOADING"),
        Write(0, 1, 1),
        Expect("1", "position", "none"),
        Kill(1),
        Start(1),
        Expect("1", "writes", "1-60"),
    ];
    group("loading", Setup::rdb(2), steps)
}
