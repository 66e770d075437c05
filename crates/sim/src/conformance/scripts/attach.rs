//! How a replica gets the data: full syncs, partial ones, and the backlog that decides
//! (engine.md 1.3, 1.5).

use super::super::Step::{
    Admit, AskForStream, CutReplicas, Expect, Follow, Hold, Leave, Promote, Start, Write,
};
use super::super::{Script, Setup};
use super::group;

pub(super) fn scripts() -> Vec<Script> {
    vec![attach(), cut(), backlog(), dead_end(), pings()]
}

/// A full sync, with data and without, and what a second replica gets.
fn attach() -> Script {
    let steps = vec![
        Start(0),
        Expect("0", "role", "replica of nobody"),
        Expect("0", "position", "none"),
        Promote(0),
        Write(0, 0, 5),
        Expect("client 0 at 0", "answers", "OK×5"),
        Start(1),
        Admit(0, &[1, 2]),
        Follow(1, 0),
        Expect("1", "writes", "1-5"),
        Expect("1", "stream", "r4"),
        Expect("0", "full syncs given", "1"),
        Write(0, 0, 2),
        Expect("1", "position", "1 of 1"),
        Write(0, 1, 1),
        Expect("client 0 at 1", "answers", "READONLY"),
        Start(2),
        Follow(2, 0),
        Expect("0", "replicas", "1 online, has all; 2 online, has all"),
        Follow(2, 0),
        Expect("0", "full syncs given", "2"),
        Write(0, 0, 2),
        Expect("2", "writes", "1-7 9-10"),
        Hold,
    ];
    Script { name: "attach", setup: Setup::of(3), steps }
}

/// A link that is cut comes again by itself and costs nothing.
fn cut() -> Script {
    let steps = vec![
        Write(0, 0, 3),
        CutReplicas(0),
        Write(0, 0, 2),
        Expect("0", "partial syncs given", "2"),
        Expect("0", "full syncs given", "2"),
        Expect("1", "writes", "1-5"),
        // Away for a while, with writes meanwhile.
        Leave(1),
        Expect("1", "link", "down"),
        Write(0, 0, 3),
        Expect("1", "position", "1 of 2"),
        Follow(1, 0),
        Expect("1", "position", "1 of 1"),
        Expect("0", "partial syncs given", "3"),
        Hold,
    ];
    group("cut-link", Setup::of(3), steps)
}

/// Who was away for longer than the backlog holds gets everything again.
fn backlog() -> Script {
    let steps = vec![
        Write(0, 0, 3),
        Leave(1),
        Write(0, 0, 2),
        Follow(1, 0),
        Expect("0", "partial syncs given", "1"),
        Leave(1),
        Write(0, 0, 40),
        Expect("1", "writes", "1-5"),
        Follow(1, 0),
        Expect("1", "writes", "1-45"),
        Expect("0", "full syncs given", "2"),
        Expect("0", "partial syncs given", "1"),
    ];
    group("backlog", Setup { small_backlog: true, ..Setup::of(2) }, steps)
}

/// A dead end serves nobody its stream, and takes nobody's data away (failover.md E1).
fn dead_end() -> Script {
    let steps = vec![
        Write(0, 0, 3),
        Start(2),
        Expect("2", "link", "down"),
        AskForStream(2),
        Expect("order", "answer", "NOMASTERLINK"),
        Admit(2, &[1]),
        Follow(1, 2),
        Expect("1", "link", "down"),
        Expect("1", "writes", "1-3"),
        Hold,
        Expect("1", "writes", "1-3"),
        Write(0, 2, 1),
        Expect("client 0 at 2", "answers", "READONLY"),
        // An empty engine that leads takes them away (failover.md E2).
        Promote(2),
        Expect("1", "writes", "none"),
    ];
    let mut script = group("dead-end", Setup::of(2), steps);
    script.setup.engines = 3;
    script
}

/// Pings move the offset while nobody writes: who was cut off falls behind.
fn pings() -> Script {
    let steps = vec![
        Write(0, 0, 1),
        Expect("1", "position", "1 of 1"),
        Leave(1),
        Expect("1", "position", "1 of 2"),
        Follow(1, 0),
        Expect("0", "partial syncs given", "1"),
    ];
    group("pings", Setup { pings_s: Some(1), ..Setup::of(3) }, steps)
}
