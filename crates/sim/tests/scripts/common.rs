//! What the scripts share.

use brain::Without;
use sim::faults::Fault;
use sim::history::Write;
use sim::network::Plane;
use sim::script::{Ending, FOR_EVER, Stage};
use sim::server::Persistence;
use sim::{MS, Plan, World};

/// One night on the stage: which luck, and what is taken out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cast {
    /// The seed of the world.
    pub(crate) seed: u64,
    /// The cures that are missing.
    pub(crate) without: Option<Without>,
}

impl Cast {
    /// Everything in place.
    pub(crate) fn whole(seed: u64) -> Self {
        Self { seed, without: None }
    }
}

/// A punctual world of `n` members, without one cure.
pub(crate) fn plan(n: usize, cast: Cast) -> Plan {
    let mut plan = Plan::calm(n);
    plan.without = cast.without;
    plan.seed = cast.seed;
    plan
}

/// Member 0 leads, the others follow.
pub(crate) fn begun(n: usize, cast: Cast) -> Stage {
    Stage::begun(plan(n, cast))
}

/// Both write, for a while: if two have authority, the checker sees it.
pub(crate) fn both_write(s: &mut Stage, a: usize, b: usize) {
    for _ in 0..8 {
        s.writes(b);
        s.writes(a);
        s.pass(200);
    }
}

/// A world in which these members' engines lose everything since now by an unclean end, and all
/// others nothing.
pub(crate) fn forgetful(n: usize, who: &[usize], cast: Cast) -> Stage {
    forgetful_in(plan(n, cast), who)
}

/// The same, of this plan.
pub(crate) fn forgetful_in(mut p: Plan, who: &[usize]) -> Stage {
    let n = p.members;
    p.tuning.persistence = Persistence::Aof { always: true };
    let mut s = Stage::new(p);
    for m in who {
        s.world.tunings[*m].persistence = Persistence::Rdb;
        s.world.tunings[*m].save_every = FOR_EVER;
    }
    s.until("the group begins", 30_000, |w| w.is_settled(n - 1));
    s.put(0);
    s.pass(1_500);
    s.world.save_all();
    s
}

/// A group whose engines lose nothing by an unclean end.
pub(crate) fn certain(n: usize, cast: Cast) -> Stage {
    forgetful(n, &[], cast)
}

/// A, the fullest, comes back and leads by a new epoch of data; the engines stay parted from it.
pub(crate) fn leads_anew(s: &mut Stage) {
    s.part(Plane::Engine, 0, 1);
    s.part(Plane::Engine, 0, 2);
    s.put(0);
    s.pass(1_500);
    // The others hear nothing of A until its engine has loaded.
    [1, 2].into_iter().for_each(|other| s.part(Plane::Peer, 0, other));
    s.fault(Fault::KillAgent { member: 0, orphan: false, back: 10 * MS });
    s.pass(1_000);
    [1, 2].into_iter().for_each(|other| s.join(Plane::Peer, 0, other));
    s.until("A leads again", 10_000, |w| w.leads(0) && w.epoch() > 1);
}

/// The engine of this one connects to A's, and is on its new line.
pub(crate) fn joins_new_line(s: &mut Stage, m: usize) {
    s.join(Plane::Engine, 0, m);
    let new_line = |w: &World| w.members[m].memory.as_ref().is_some_and(|m| m.stamp.epoch.0 > 1);
    s.until("it is on A's new line", 10_000, new_line);
}

/// A write to `a` that only `b` has besides.
pub(crate) fn put_beside(s: &mut Stage, a: usize, b: usize) -> Write {
    let (write, copies) = s.put(a);
    s.must("the write has one copy", copies == Some(1) && s.world.holds(b, write));
    write
}

/// A waited write that only A and `b` hold: the others' engines are cut off.
pub(crate) fn waited_on(s: &mut Stage, b: usize) {
    for other in (1..s.world.members.len()).filter(|o| *o != b) {
        s.part(Plane::Engine, 0, other);
    }
    put_beside(s, 0, b);
}

/// A script must end well.
#[track_caller]
pub(crate) fn well(ending: &Ending) {
    assert!(ending.is_well(), "{}\nNOT WELL: {:#?}", ending.trace, ending.faults);
}
