//! A disk that takes no snapshot (engine.md 4.4, 0.8, 0.10).

use super::super::Step::{
    AskToStop, BreakDisk, Expect, Hold, Leave, MendDisk, Promote, Save, Stop, Write,
};
use super::super::{Script, Setup};
use super::group;

pub(super) fn scripts() -> Vec<Script> {
    vec![primary(), replica()]
}

/// A primary refuses writes until a snapshot succeeds, and it refuses to stop.
fn primary() -> Script {
    let steps = vec![
        Write(0, 0, 2),
        BreakDisk(0),
        Write(0, 0, 1),
        Save(0),
        Expect("order", "answer", "ERR"),
        Expect("0", "cannot save", "true"),
        Write(0, 0, 1),
        Expect("client 0 at 0", "answers", "OK×3 MISCONF"),
        Expect("1", "link", "up"),
        AskToStop(0),
        Hold,
        Expect("0", "process", "runs"),
        MendDisk(0),
        Write(0, 0, 1),
        Save(0),
        Expect("0", "cannot save", "false"),
        Write(0, 0, 1),
        Expect("client 0 at 0", "answers", "OK×3 MISCONF×2 OK"),
        AskToStop(0),
        Expect("0", "process", "gone"),
    ];
    group("misconf", Setup::rdb(2), steps)
}

/// A replica goes on, and refuses writes of its own only once it leads.
fn replica() -> Script {
    let steps = vec![
        Write(0, 0, 2),
        BreakDisk(1),
        Save(1),
        Expect("1", "cannot save", "true"),
        Write(0, 0, 2),
        Expect("1", "writes", "1-4"),
        Leave(0),
        Promote(1),
        Write(0, 1, 1),
        Expect("client 0 at 1", "answers", "MISCONF"),
        MendDisk(1),
        Save(1),
        Write(0, 1, 1),
        Expect("client 0 at 1", "answers", "MISCONF OK"),
        Stop(1),
    ];
    group("misconf-replica", Setup::rdb(2), steps)
}
