//! `CLIENT PAUSE WRITE`: what is held, and as what it runs in the end (failover.md E7).

use super::super::Step::{
    Expect, Hold, KillClients, Leave, MinReplicas, Pause, Promote, Unpause, Wait, Write,
};
use super::super::{Script, Setup};
use super::group;

pub(super) fn scripts() -> Vec<Script> {
    vec![pause(), demoted(), ends()]
}

/// Held writes run at the end; a shorter pause does not shorten; the stream stands still.
fn pause() -> Script {
    let steps = vec![
        Write(0, 0, 1),
        Pause(0, 600_000),
        Write(0, 0, 2),
        Write(1, 0, 1),
        Expect("client 0 at 0", "pending", "2"),
        Pause(0, 1),
        Hold,
        Expect("client 0 at 0", "pending", "2"),
        // WAIT is no write.
        Wait(2, 0, 1, 600_000),
        Expect("client 2 at 0", "answers", "1"),
        Unpause(0),
        Expect("client 0 at 0", "answers", "OK×3"),
        Expect("client 1 at 0", "answers", "OK"),
        Expect("1", "writes", "1-4"),
        // What nobody waits for any more is never run.
        Pause(0, 600_000),
        Write(0, 0, 1),
        KillClients(0),
        Expect("client 0 at 0", "answers", "OK×3 ended"),
        Unpause(0),
        Hold,
        Expect("0", "writes", "1-4"),
    ];
    group("pause", Setup::of(2), steps)
}

/// A held write is refused when the engine has become a replica, or has lost its replicas.
fn demoted() -> Script {
    let steps = vec![
        Pause(0, 600_000),
        Write(0, 0, 1),
        MinReplicas(0, 2),
        Write(1, 0, 1),
        Expect("client 1 at 0", "answers", "NOREPLICAS"),
        Leave(0),
        Write(2, 0, 1),
        Expect("client 2 at 0", "answers", "READONLY"),
        Unpause(0),
        Expect("client 0 at 0", "answers", "READONLY"),
        MinReplicas(0, 0),
        Promote(0),
        Write(0, 0, 1),
        Expect("0", "writes", "4"),
    ];
    group("pause-demoted", Setup::of(2), steps)
}

/// A pause ends by itself.
fn ends() -> Script {
    let steps = vec![
        Pause(0, 300),
        Write(0, 0, 1),
        Expect("client 0 at 0", "answers", "OK"),
        Expect("1", "writes", "1"),
    ];
    group("pause-ends", Setup::of(2), steps)
}
