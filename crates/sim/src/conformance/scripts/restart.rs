//! What a process that ended leaves to the next one: data, stream and offset (engine.md 1.3, 0.5).

use super::super::Step::{
    Admit, Expect, Follow, Hold, Kill, Leave, Promote, Save, SlowRewrite, Start, Stop, Wipe, Write,
};
use super::super::{Script, Setup};
use super::group;
use crate::server::Persistence;

pub(super) fn scripts() -> Vec<Script> {
    vec![
        aof(),
        aof_rewrite(),
        aof_primary(),
        rdb(),
        stale_rdb(),
        rdb_primary(),
        empty(),
        nothing(),
        cache(),
    ]
}

/// An append-only file keeps the data and forgets where they are: a full sync.
fn aof() -> Script {
    let steps = vec![
        Write(0, 0, 4),
        Kill(1),
        Expect("0", "replicas", "none"),
        Write(0, 0, 1),
        Start(1),
        Expect("1", "writes", "1-4"),
        Expect("1", "position", "none"),
        Follow(1, 0),
        Expect("1", "writes", "1-5"),
        Expect("0", "full syncs given", "2"),
        Stop(1),
        Start(1),
        Expect("1", "writes", "1-5"),
        Expect("1", "position", "none"),
        Follow(1, 0),
        Expect("0", "full syncs given", "3"),
        Expect("0", "partial syncs given", "0"),
    ];
    group("restart-aof", Setup::of(2), steps)
}

/// Until the append-only file of a full sync is written, the old one counts: a process that is
/// killed then leaves the data from before.
fn aof_rewrite() -> Script {
    let steps = vec![
        Write(0, 0, 3),
        Leave(1),
        Write(0, 0, 40),
        SlowRewrite(1),
        Follow(1, 0),
        Expect("1", "writes", "1-43"),
        Expect("0", "full syncs given", "2"),
        Write(0, 0, 1),
        Kill(1),
        Start(1),
        Expect("1", "writes", "1-3"),
        Expect("1", "position", "none"),
        Follow(1, 0),
        Expect("1", "writes", "1-44"),
        Kill(1),
        Start(1),
        Expect("1", "writes", "1-44"),
    ];
    group("restart-aof-rewrite", Setup { small_backlog: true, ..Setup::of(2) }, steps)
}

/// A primary that was killed, started at the dead end, and leads again: its replica pays.
fn aof_primary() -> Script {
    let steps = vec![
        Write(0, 0, 4),
        Kill(0),
        Expect("1", "link", "down"),
        Start(0),
        Expect("0", "writes", "1-4"),
        Promote(0),
        Admit(0, &[1]),
        Expect("1", "link", "up"),
        Expect("0", "full syncs given", "1"),
        Expect("1", "writes", "1-4"),
    ];
    group("restart-aof-primary", Setup::of(2), steps)
}

/// A snapshot of a clean stop keeps stream and offset: a partial sync.
fn rdb() -> Script {
    let steps = vec![
        Write(0, 0, 4),
        Stop(1),
        Write(0, 0, 2),
        Start(1),
        Expect("1", "writes", "1-4"),
        Expect("1", "stream", "r4"),
        Expect("1", "position", "1 of 2"),
        Follow(1, 0),
        Expect("0", "partial syncs given", "1"),
        Expect("0", "full syncs given", "1"),
        Expect("1", "writes", "1-6"),
    ];
    group("restart-rdb", Setup::rdb(2), steps)
}

/// A snapshot of some time ago is as good, while the backlog reaches back to it.
fn stale_rdb() -> Script {
    let steps = vec![
        Write(0, 0, 4),
        Save(1),
        Write(0, 0, 3),
        Kill(1),
        Write(0, 0, 1),
        Start(1),
        Expect("1", "writes", "1-4"),
        Follow(1, 0),
        Expect("0", "partial syncs given", "1"),
        Expect("1", "writes", "1-8"),
    ];
    group("restart-stale-rdb", Setup::rdb(2), steps)
}

/// A primary's stop by SIGTERM and its return: at the dead end it has its place in the stream; a
/// replica that was promoted meanwhile takes it back partially.
fn rdb_primary() -> Script {
    let steps = vec![
        Write(0, 0, 4),
        Stop(0),
        Promote(1),
        Admit(1, &[0]),
        Write(0, 1, 2),
        Start(0),
        Expect("0", "writes", "1-4"),
        Follow(0, 1),
        Expect("1", "partial syncs given", "1"),
        Expect("0", "writes", "1-6"),
        // Killed, with an older snapshot, and leading again: newer data elsewhere are discarded.
        Write(0, 1, 1),
        Kill(1),
        Start(1),
        Promote(1),
        Admit(1, &[0]),
        Hold,
        Expect("0", "link", "up"),
    ];
    group("restart-rdb-primary", Setup::rdb(2), steps)
}

/// A directory that was emptied.
fn empty() -> Script {
    let steps = vec![
        Write(0, 0, 4),
        Kill(1),
        Wipe(1),
        Start(1),
        Expect("1", "writes", "none"),
        Expect("1", "position", "none"),
        Follow(1, 0),
        Expect("1", "writes", "1-4"),
        Expect("0", "full syncs given", "2"),
        // The primary loses its own, and leads again: everybody is empty (engine.md 0, 3).
        Kill(0),
        Wipe(0),
        Start(0),
        Promote(0),
        Admit(0, &[1]),
        Expect("1", "writes", "none"),
    ];
    group("restart-empty", Setup::of(2), steps)
}

/// Without persistence: what a primary leaves, and what a replica.
fn nothing() -> Script {
    let steps = vec![
        Write(0, 0, 3),
        Stop(0),
        Start(0),
        Expect("0", "writes", "none"),
        Expect("1", "writes", "1-3"),
        Promote(1),
        Admit(1, &[0]),
        Follow(0, 1),
        Write(0, 1, 2),
        Expect("0", "writes", "1-5"),
        Stop(0),
        Start(0),
        // Nothing is to be persistent, and yet the last full sync has left its file.
        Expect("0", "writes", "1-3"),
        Expect("0", "position", "1 of 2"),
        Follow(0, 1),
        Expect("0", "writes", "1-5"),
        Expect("1", "full syncs given", "1"),
        Expect("1", "partial syncs given", "1"),
    ];
    let setup = Setup { persistence: Persistence::None, ..Setup::of(2) };
    group("restart-nothing", setup, steps)
}

/// The same where an empty replica loads from the socket: only the second full sync goes through a
/// file.
fn cache() -> Script {
    let steps = vec![
        Write(0, 0, 3),
        Kill(1),
        Start(1),
        Expect("1", "writes", "none"),
        Follow(1, 0),
        Expect("1", "writes", "1-3"),
        Leave(1),
        Promote(1),
        Admit(1, &[0]),
        Write(0, 1, 1),
        Write(1, 0, 1),
        Leave(0),
        Follow(0, 1),
        Expect("1", "full syncs given", "1"),
        Kill(0),
        Start(0),
        Expect("0", "writes", "1-4"),
        Kill(1),
        Start(1),
        Expect("1", "writes", "none"),
        Hold,
    ];
    let none = Persistence::None;
    let setup = Setup { persistence: none, empty_loads_diskless: true, ..Setup::of(2) };
    group("restart-cache", setup, steps)
}
