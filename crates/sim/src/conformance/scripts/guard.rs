//! `min-replicas-to-write`: when it refuses, and when it notices (engine.md 1.6).

use super::super::Step::{
    Admit, Expect, Follow, Freeze, Hold, Leave, MinReplicas, Promote, Thaw, Write,
};
use super::super::{Script, Setup};
use super::group;

pub(super) fn scripts() -> Vec<Script> {
    vec![closed(), silent(), promoted()]
}

/// A link that is closed counts no more at once.
fn closed() -> Script {
    let steps = vec![
        MinReplicas(0, 1),
        Write(0, 0, 1),
        Admit(0, &[1]),
        Write(0, 0, 1),
        Expect("client 0 at 0", "answers", "OK×2"),
        Leave(1),
        Write(0, 0, 1),
        Expect("client 0 at 0", "answers", "OK×2 NOREPLICAS"),
        Follow(1, 0),
        Expect("0", "min-replicas", "1 of 1"),
        Write(0, 0, 1),
        MinReplicas(0, 2),
        Write(0, 0, 1),
        Admit(0, &[1, 2]),
        Expect("0", "min-replicas", "2 of 2"),
        Write(0, 0, 1),
        Expect("client 0 at 0", "answers", "OK×2 NOREPLICAS OK NOREPLICAS OK"),
        MinReplicas(0, 0),
        Admit(0, &[]),
        Write(0, 0, 1),
        Expect("0", "writes", "1-2 4 6-7"),
    ];
    group("min-replicas", Setup::of(3), steps)
}

/// One that is silent counts until the lag is over.
fn silent() -> Script {
    let steps = vec![
        MinReplicas(0, 1),
        Freeze(1),
        Expect("0", "min-replicas", "0 of 1"),
        Write(0, 0, 1),
        Expect("client 0 at 0", "answers", "NOREPLICAS"),
        Thaw(1),
        Expect("0", "min-replicas", "1 of 1"),
        Write(0, 0, 1),
        Expect("client 0 at 0", "answers", "NOREPLICAS OK"),
    ];
    group("min-replicas-silent", Setup { max_lag_s: 1, ..Setup::of(2) }, steps)
}

/// Who was just promoted has no replicas yet.
fn promoted() -> Script {
    let steps = vec![
        Write(0, 0, 1),
        Leave(0),
        MinReplicas(1, 1),
        Promote(1),
        Write(0, 1, 1),
        Expect("client 0 at 1", "answers", "NOREPLICAS"),
        Admit(1, &[0, 2]),
        Follow(2, 1),
        Write(0, 1, 1),
        Expect("client 0 at 1", "answers", "NOREPLICAS OK"),
        Hold,
    ];
    group("min-replicas-promoted", Setup::of(3), steps)
}
