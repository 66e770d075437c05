//! `WAIT`: whom it counts, and how it ends (engine.md 1.6).

use super::super::Step::{
    Admit, CutReplicas, Expect, Freeze, Hold, KillClients, Leave, Pause, Thaw, Unpause, Wait, Write,
};
use super::super::{Script, Setup};
use super::group;

pub(super) fn scripts() -> Vec<Script> {
    vec![counts(), ends(), alone(), paused()]
}

/// Two, one and no replicas; one that is frozen does not count, nor one that was cut off.
fn counts() -> Script {
    let steps = vec![
        Write(0, 0, 1),
        Wait(0, 0, 2, 600_000),
        Wait(0, 0, 1, 600_000),
        Wait(1, 0, 0, 600_000),
        Expect("client 0 at 0", "answers", "OK 2×2"),
        Expect("client 1 at 0", "answers", "2"),
        Freeze(2),
        Write(0, 0, 1),
        Wait(0, 0, 2, 300),
        Expect("client 0 at 0", "answers", "OK 2×2 OK 1"),
        Wait(0, 0, 2, 600_000),
        Expect("client 0 at 0", "pending", "1"),
        Thaw(2),
        Expect("client 0 at 0", "answers", "OK 2×2 OK 1 2"),
        Admit(0, &[1]),
        Write(0, 0, 1),
        Wait(0, 0, 2, 300),
        Expect("2", "writes", "1-2"),
        Expect("client 0 at 0", "answers", "OK 2×2 OK 1 2 OK 1"),
        // A link that comes again counts again.
        CutReplicas(0),
        Write(0, 0, 1),
        Wait(0, 0, 1, 600_000),
        Expect("client 0 at 0", "answers", "OK 2×2 OK 1 2 OK 1 OK 1"),
        Admit(0, &[]),
        Write(0, 0, 1),
        Wait(0, 0, 1, 300),
        Expect("client 0 at 0", "answers", "OK 2×2 OK 1 2 OK 1 OK 1 OK 0"),
    ];
    group("wait", Setup::of(3), steps)
}

/// A demotion ends it, and so does the end of its connection; a replica does not know it.
fn ends() -> Script {
    let steps = vec![
        Wait(0, 1, 1, 300),
        Expect("client 0 at 1", "answers", "ERR"),
        Freeze(1),
        Write(0, 0, 1),
        Write(1, 0, 1),
        Wait(0, 0, 1, 600_000),
        Expect("client 0 at 0", "pending", "1"),
        KillClients(0),
        Expect("client 0 at 0", "answers", "OK ended"),
        Write(1, 0, 1),
        Wait(1, 0, 1, 600_000),
        Leave(0),
        Expect("client 1 at 0", "pending", "0"),
        Thaw(1),
        Hold,
    ];
    group("wait-ends", Setup::of(2), steps)
}

/// Nobody is attached: the question itself moves the offset of who has a backlog.
fn alone() -> Script {
    let steps = vec![
        Write(0, 0, 1),
        Leave(1),
        Expect("1", "position", "1 of 1"),
        Wait(0, 0, 1, 300),
        Expect("client 0 at 0", "answers", "OK 0"),
        Expect("0", "writes", "1"),
        Expect("0", "position", "2 of 2"),
    ];
    group("wait-alone", Setup::of(2), steps)
}

/// During a pause the question waits as well: the offset stands still, as a handover needs it.
fn paused() -> Script {
    let steps = vec![
        Write(0, 0, 1),
        Leave(1),
        Pause(0, 600_000),
        Wait(0, 0, 1, 300),
        Expect("client 0 at 0", "answers", "OK 0"),
        Hold,
        Expect("0", "position", "1 of 1"),
        Unpause(0),
        Expect("0", "position", "2 of 2"),
    ];
    group("wait-paused", Setup::of(2), steps)
}
