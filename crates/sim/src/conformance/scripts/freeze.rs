//! Processes that do not turn for a while, and what they do first when they turn again (failover.md
//! E3b).

use super::super::Step::{
    Admit, Expect, Follow, Freeze, Hold, MinReplicas, Nap, Promote, Thaw, Write,
};
use super::super::{Script, Setup};
use super::group;

pub(super) fn scripts() -> Vec<Script> {
    vec![primary(), replica(), nap()]
}

/// Writes that were queued while a primary was frozen are acknowledged when it thaws, though
/// another leads by then and its replicas have left.
fn primary() -> Script {
    let steps = vec![
        MinReplicas(0, 1),
        Write(0, 0, 1),
        // A connection that is made during the freeze gets its turn only after the end of the
        // replica's link has been noticed: the model, which knows no connections, says OK.
        Write(1, 0, 1),
        Freeze(0),
        Write(0, 0, 2),
        Write(1, 0, 1),
        Expect("client 0 at 0", "pending", "2"),
        Promote(1),
        Write(0, 1, 1),
        Hold,
        Thaw(0),
        Expect("client 0 at 0", "answers", "OK×3"),
        Expect("client 1 at 0", "answers", "OK×2"),
        Expect("0", "writes", "1-5"),
        Expect("0", "min-replicas", "0 of 1"),
        Write(0, 0, 1),
        Expect("client 0 at 0", "answers", "OK×3 NOREPLICAS"),
        Admit(1, &[0]),
        Follow(0, 1),
        Expect("0", "writes", "1-2 6"),
        Expect("1", "full syncs given", "1"),
    ];
    group("frozen-primary", Setup { max_lag_s: 1, ..Setup::of(2) }, steps)
}

/// A frozen replica hears the rest when it thaws: nothing is asked again.
fn replica() -> Script {
    let steps = vec![
        Freeze(1),
        Write(0, 0, 5),
        Expect("0", "replicas", "1 online, behind; 2 online, has all"),
        Thaw(1),
        Expect("1", "writes", "1-5"),
        Expect("0", "partial syncs given", "0"),
    ];
    group("frozen-replica", Setup::of(3), steps)
}

/// A primary that is busy with itself runs everything in its order afterwards.
fn nap() -> Script {
    let steps = vec![
        Write(0, 0, 1),
        Nap(0, 0, 4),
        Expect("client 0 at 0", "answers", "OK×5"),
        Expect("1", "writes", "1-5"),
        Nap(1, 1, 1),
        Expect("client 1 at 1", "answers", "READONLY"),
    ];
    group("nap", Setup::of(2), steps)
}
