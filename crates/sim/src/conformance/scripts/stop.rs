//! How a process ends when it is asked to (engine.md 0, 10; 1.5).

use super::super::Step::{AskToStop, Expect, Freeze, Start, Stop, Thaw, Write};
use super::super::{Script, Setup};
use super::group;

pub(super) fn scripts() -> Vec<Script> {
    vec![clean(), behind()]
}

/// Everything is on the disk after SIGTERM.
fn clean() -> Script {
    let steps = vec![
        Write(0, 0, 5),
        Stop(0),
        Expect("0", "process", "gone"),
        Expect("1", "link", "down"),
        Stop(1),
        Start(0),
        Expect("0", "writes", "1-5"),
        Start(1),
        Expect("1", "writes", "1-5"),
        Expect("1", "position", "1 of 1"),
        Expect("0", "position", "1 of 1"),
    ];
    group("stop", Setup::rdb(2), steps)
}

/// A primary whose replica lags waits for it, where the engine knows how.
fn behind() -> Script {
    let steps = vec![
        Freeze(1),
        Write(0, 0, 2),
        AskToStop(0),
        Thaw(1),
        Expect("0", "process", "gone"),
        Expect("1", "writes", "1-2"),
    ];
    group("stop-behind", Setup::rdb(2), steps)
}
