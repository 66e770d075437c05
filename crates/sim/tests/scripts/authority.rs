//! Holes in single-writer (protocol-traces, section 1): each trace with its cure in place ends
//! well.

use brain::{Durability, Failsafe, Timing, Wish};
use sim::faults::{Fault, isolation};
use sim::network::Plane;
use sim::script::{Ending, FOR_EVER, Stage, Verdict};
use sim::world::World;

use crate::common::{Cast, begun, both_write, certain, plan};

/// H1: a shrink without an answer is read back as not done, commits later, and the one that is left
/// in E takes over.
pub(crate) fn h1(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    s.put(0);
    // A loses B's acks and wants to shrink to {C}; that write hangs on its way.
    s.on_call(|m, record, _| m == 0 && record.is_some_and(|r| r.electorate.len() == 1));
    s.part(Plane::Peer, 0, 1);
    s.until("the shrink is on its way", 9_000, |w| w.held_calls() > 0);
    s.join(Plane::Peer, 0, 1);
    s.pass(3_000);
    // From now on A sees nothing of the store, and C nothing of A.
    s.watch_lags(0, FOR_EVER);
    s.no_store(0);
    s.part(Plane::Peer, 0, 2);
    s.part(Plane::Engine, 0, 2);
    s.part(Plane::Peer, 1, 2);
    s.release_calls();
    s.reaches(12_000, |w| w.leads(2));
    both_write(&mut s, 0, 2);
    s.end()
}

/// H2: a handover without an answer is read back as not done; A returns, the write commits, B
/// leads.
pub(crate) fn h2(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    s.put(0);
    s.on_call(|m, record, _| {
        m == 0 && record.and_then(|r| r.holder.as_ref()).is_some_and(|h| h.id.name.ordinal() == 1)
    });
    let to = Some(s.world.name(1));
    s.ask(0, Wish::Handover { to, dry_run: false });
    s.until("the handover is on its way", 3_000, |w| w.held_calls() > 0);
    s.reaches(4_000, |w| w.leads(0));
    s.pass(200);
    // From now on A hears of nothing; then the handover commits after all.
    s.no_store(0);
    s.part(Plane::Peer, 0, 1);
    s.part(Plane::Peer, 0, 2);
    s.release_calls();
    s.reaches(3_000, |w| w.leads(1));
    both_write(&mut s, 0, 1);
    s.end()
}

/// H3: the appointed one sees the record late and counts the lease from then; C's wait is over.
pub(crate) fn h3(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    s.put(0);
    // B hears nobody and sees the store W and a bit late.
    s.watch_lags(1, 6_500);
    s.on_call(|m, record, fate| {
        if m == 1 && record.is_none() {
            fate.arrives = None;
        }
        false
    });
    s.kill_engine(0, 11);
    s.until("B is appointed", 500, |w| w.epoch() >= 2);
    for other in [0, 2] {
        s.part(Plane::Peer, 1, other);
    }
    s.down(0);
    s.reaches(10_000, |w| w.leads(2));
    s.writes(2);
    s.reaches(4_000, |w| w.leads(1));
    both_write(&mut s, 1, 2);
    s.end()
}

/// H4: the answer to a shrink takes longer than W, and the agent waits for it that long.
pub(crate) fn h4(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    s.put(0);
    s.store_timeout(30_000);
    s.on_call(|m, record, fate| {
        if m == 0 && record.is_some_and(|r| r.electorate.len() == 1) {
            fate.answers = Some(20_000_000_000);
        }
        false
    });
    s.part(Plane::Peer, 0, 1);
    s.watch_lags(0, FOR_EVER);
    s.until("E has shrunk to C", 9_000, |w| w.seats() == [2]);
    s.join(Plane::Peer, 0, 1);
    s.part(Plane::Peer, 0, 2);
    s.part(Plane::Peer, 1, 2);
    s.part(Plane::Engine, 0, 2);
    s.reaches(12_000, |w| w.leads(2));
    both_write(&mut s, 0, 2);
    s.end()
}

/// H5: a holder without authority writes the deleted record again.
pub(crate) fn h5(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    s.put(0);
    s.fault(Fault::Cut { paths: isolation(&[0, 1, 2], 0), lasts: FOR_EVER });
    s.until("B or C leads", 10_000, |w| w.leads(1) || w.leads(2));
    let new = if s.world.leads(1) { 1 } else { 2 };
    s.no_store(1);
    s.no_store(2);
    s.fault(Fault::DeleteRecord);
    s.store_again(0);
    s.reaches(5_000, |w| w.leads(0));
    both_write(&mut s, 0, new);
    s.end()
}

/// H8, its first half: C acks A, restarts, and must not promise at once. The voter's own wait for
/// the record stands in the way too.
pub(crate) fn h8_restart(cast: Cast) -> Ending {
    let mut p = plan(3, cast);
    p.tuning.load = (1_000_000, 0);
    let mut s = Stage::begun(p);
    s.put(0);
    // A lives by C's acks alone: no store, no B.
    s.no_store(0);
    s.part(Plane::Peer, 0, 1);
    s.part(Plane::Engine, 0, 1);
    s.pass(9_000);
    let alone = s.writes(0);
    s.must("A holds by C's acks", alone);
    s.fault(Fault::KillAgent { member: 2, orphan: false, back: 20_000_000 });
    s.part(Plane::Peer, 0, 2);
    s.part(Plane::Engine, 0, 2);
    s.reaches(4_000, |w| w.leads(1) || w.leads(2));
    let new = if s.world.leads(1) { 1 } else { 2 };
    both_write(&mut s, 0, new);
    s.end()
}

/// H9 cannot be closed (failover.md 2.0): a restored store makes a lapsed holder's version valid.
/// What is shown: with the old record back, the newer primary's epoch is not given twice for long.
#[allow(dead_code)]
pub(crate) fn h9() -> (Ending, bool) {
    let mut s = begun(3, Cast::whole(1));
    s.put(0);
    let old = s.world.store.clone();
    s.fault(Fault::Cut { paths: isolation(&[0, 1, 2], 0), lasts: FOR_EVER });
    s.until("another leads", 10_000, |w| w.leads(1) || w.leads(2));
    let new = if s.world.leads(1) { 1 } else { 2 };
    s.no_store(1);
    s.no_store(2);
    s.world.store = old;
    s.store_again(0);
    s.reaches(3_000, |w| w.leads(0));
    let two = s.world.leads(0) && s.world.leads(new);
    (s.stop(), two)
}

/// The lazy lease comes back to R when acks are missed: A hears nobody, keeps the store. With
/// `strict` it may not shrink E to nobody, which would hold it too.
pub(crate) fn lazy(cast: Cast) -> Ending {
    let mut p = plan(3, cast);
    p.durability = Durability::Strict { copies: 1 };
    let mut s = Stage::begun(p);
    s.pass(12_000);
    s.on_peer(|_, to, _| if to == 0 { Verdict::Drop } else { Verdict::Pass });
    s.keeps_writing("A goes on by its lease", 0, (20, 1_000));
    s.end()
}

/// L2: A is heard but hears nothing, and its store is gone: somebody must lead.
pub(crate) fn l2(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    s.put(0);
    s.no_store(0);
    s.cut(Plane::Peer, 1, 0);
    s.cut(Plane::Peer, 2, 0);
    s.until("another leads", 12_000, |w| w.leads(1) || w.leads(2));
    s.end()
}

/// L11: A has lost its way to the store, and then its engine, which comes back with all that it
/// had: nobody holds more, and it cannot take the lease.
pub(crate) fn l11(cast: Cast) -> Ending {
    let mut s = certain(3, cast);
    s.no_store(0);
    s.put(0);
    s.pass(12_000);
    s.kill_engine(0, 9);
    s.until("another leads", 40_000, |w| w.leads(1) || w.leads(2));
    s.end()
}

/// L12: A's engine dies, and B, whose disk keeps nothing any more, is appointed: it cannot promote,
/// and its lease stands.
pub(crate) fn l12(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    s.put(0);
    s.world.members[1].ways.fsync = Some(FOR_EVER);
    s.kill_engine(0, 9);
    s.until("another leads", 60_000, |w| w.leads(0) || w.leads(2));
    s.world.members[1].ways.fsync = None;
    s.end()
}

/// The same with nobody there to take over: once its disk is back, B leads.
pub(crate) fn l12_alone(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    s.put(0);
    s.world.members[1].ways.fsync = Some(15 * sim::SECOND);
    [0, 1, 2].into_iter().for_each(|m| s.part(Plane::Peer, 2, m));
    s.kill_engine(0, 9);
    s.pass(200);
    s.down(0);
    s.pass(14_000);
    s.world.members[1].ways.fsync = None;
    [0, 1].into_iter().for_each(|m| s.join(Plane::Peer, 2, m));
    s.until("somebody leads", 60_000, |w| w.leads(1) || w.leads(2));
    s.end()
}

/// L12 with two members: B's disk keeps nothing any more, and A's engine dies. With nobody else in
/// E, B would hold for ever: nobody else could ever take the lease.
pub(crate) fn l12_two(cast: Cast) -> Ending {
    let mut s = certain(2, cast);
    s.put(0);
    s.world.members[1].ways.fsync = Some(FOR_EVER);
    s.keeps_writing("A writes on", 0, (14, 1_000));
    s.kill_engine(0, 9);
    s.pass(5_000);
    let waits = !s.world.leads(1) && s.world.epoch() == 1;
    s.must("B is not appointed before it could lead", waits);
    // Its host comes up with another disk controller.
    s.world.members[1].ways.fsync = None;
    s.fault(Fault::KillAgent { member: 1, orphan: false, back: sim::SECOND });
    s.until("somebody leads", 20_000, |w| w.leads(0) || w.leads(1));
    s.end()
}

/// A's disk keeps nothing any more, and C dies: the shrink waits for the disk, and what gives the
/// lease away does not wait for that.
pub(crate) fn give_without_a_disk(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    s.put(0);
    s.world.members[0].ways.fsync = Some(FOR_EVER);
    s.down(2);
    s.pass(9_000);
    let to = Some(s.world.name(1));
    s.ask(0, Wish::Handover { to, dry_run: false });
    s.until("B leads", 3_000, |w| w.leads(1));
    s.world.members[0].ways.fsync = None;
    s.up(2);
    s.end()
}

/// The same, and B's acks are missed for a while: A is fenced, and renews as soon as it is known
/// that its disk fails.
pub(crate) fn renewal_without_a_disk(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    s.put(0);
    s.world.members[0].ways.fsync = Some(20 * sim::SECOND);
    s.down(2);
    s.pass(9_000);
    s.no_store(0);
    s.part(Plane::Peer, 0, 1);
    s.until("A is fenced", 9_000, |w| !w.leads(0));
    s.store_again(0);
    s.until("A leads on", 14_000, |w| w.leads(0));
    s.join(Plane::Peer, 0, 1);
    s.world.members[0].ways.fsync = None;
    s.up(2);
    s.end()
}

/// The store is down and A leads by acks: whoever asks for a handover, A leads on.
pub(crate) fn no_handover_without_a_store(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    s.put(0);
    s.fault(Fault::StoreDown { read_only: false, lasts: FOR_EVER });
    let to = Some(s.world.name(1));
    s.ask(0, Wish::Handover { to, dry_run: false });
    s.keeps_writing("A writes on", 0, (20, 100));
    s.fault(Fault::LoseRoom { member: 0, lasts: FOR_EVER });
    s.keeps_writing("A writes on, short of room", 0, (40, 500));
    s.world.undo(Fault::LoseRoom { member: 0, lasts: 0 });
    s.end()
}

/// C is cut off for a moment, and the store refuses to write that it leaves: it comes back in.
pub(crate) fn shrink_refused(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    s.put(0);
    s.on_call(|m, record, fate| {
        fate.refused |= m == 0 && record.is_some();
        false
    });
    s.part(Plane::Peer, 0, 2);
    s.pass(5_000);
    s.join(Plane::Peer, 0, 2);
    let follows = |w: &World| w.upstream(2) == Some(0);
    s.until("C follows again", 3_000, follows);
    s.pass(20_000);
    let still = follows(&s.world);
    s.must("C follows still", still);
    s.end()
}

/// A handover long after the promotion is called off once the engine has been demoted: it leads on
/// at once.
pub(crate) fn called_off(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    s.put(0);
    s.pass(15_000);
    s.on_call(|m, record, fate| {
        let other = record.and_then(|r| r.holder.as_ref()).map(|h| h.id.name.ordinal());
        fate.refused |= m == 0 && other == Some(1);
        false
    });
    let to = Some(s.world.name(1));
    s.ask(0, Wish::Handover { to, dry_run: false });
    s.until("it has been given up", 5_000, |w| !w.leads(0));
    s.until("A leads on", 1_000, |w| w.leads(0));
    let well = s.writes(0);
    s.must("writes go on", well);
    s.end()
}

/// The profile changes, and mixed ones stand beside each other: B has the longer W, takes over from
/// A, and is cut off before its first renewal. The record says how long C is to wait for it.
pub(crate) fn longer_lease(cast: Cast) -> Ending {
    let mut p = plan(3, cast);
    p.timing = Timing::FAST;
    let mut s = Stage::begun(p);
    s.put(0);
    s.world.members[1].ways.timing = Some(Timing::PATIENT);
    s.fault(Fault::KillAgent { member: 1, orphan: false, back: 10 * sim::MS });
    s.until("B follows again", 20_000, |w| w.is_up(1) && w.seats().len() == 2);
    s.pass(2_000);
    // C could ask sooner.
    s.no_store(2);
    s.fault(Fault::Cut { paths: isolation(&[0, 1, 2], 0), lasts: FOR_EVER });
    s.until("B leads", 40_000, |w| w.leads(1));
    s.no_store(1);
    s.part(Plane::Peer, 1, 2);
    s.part(Plane::Engine, 1, 2);
    s.store_again(2);
    s.reaches(12_000, |w| w.leads(2));
    both_write(&mut s, 1, 2);
    s.end()
}

/// `failsafe` changes, and C alone has started since: A and B, without the store, go on by a
/// majority's acks, and C, with the store, may not count as if all of them held A.
pub(crate) fn failsafe_of_one(cast: Cast) -> Ending {
    let mut p = plan(3, cast);
    p.durability = Durability::Cache;
    let mut s = Stage::begun(p);
    s.put(0);
    s.world.members[2].ways.failsafe = Some(Failsafe::All);
    s.fault(Fault::KillAgent { member: 2, orphan: false, back: 10 * sim::MS });
    s.until("C follows again", 20_000, |w| w.is_up(2) && w.seats().len() == 2);
    s.pass(2_000);
    [0, 1].into_iter().for_each(|m| s.no_store(m));
    for other in [0, 1] {
        s.part(Plane::Peer, 2, other);
        s.part(Plane::Engine, 2, other);
    }
    s.reaches(20_000, |w| w.leads(2));
    both_write(&mut s, 0, 2);
    s.end()
}

/// A gives its lease to B, and hears neither the answer nor anything else of it; B dies. A's vote
/// is needed, and it may not lead by the old epoch any more.
pub(crate) fn undecided(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    s.put(0);
    s.on_call(|m, record, _| {
        m == 0 && record.and_then(|r| r.holder.as_ref()).is_some_and(|h| h.id.name.ordinal() == 1)
    });
    let to = Some(s.world.name(1));
    s.ask(0, Wish::Handover { to, dry_run: false });
    s.until("the handover is on its way", 3_000, |w| w.held_calls() > 0);
    s.no_store(0);
    s.part(Plane::Peer, 0, 1);
    s.release_calls();
    s.until("B leads", 3_000, |w| w.leads(1));
    s.until("C follows B", 9_000, |w| w.upstream(2) == Some(1));
    s.put(1);
    s.pass(2_000);
    s.down(1);
    s.until("C leads", 12_000, |w| w.leads(2));
    s.end()
}

/// L3: two nodes, a handover, and the new primary dies in the next second.
pub(crate) fn l3(cast: Cast) -> Ending {
    let mut s = begun(2, cast);
    let (write, _) = s.put(0);
    let to = Some(s.world.name(1));
    s.ask(0, Wish::Handover { to, dry_run: false });
    s.until("B leads", 1_000, |w| w.leads(1));
    s.down(1);
    s.until("A leads again", 10_000, |w| w.leads(0));
    let holds = s.world.holds(0, write);
    s.must("A holds everything", holds);
    s.end()
}

/// L8: A releases with E = {B}, B cannot lead: A takes its release back.
pub(crate) fn l8(cast: Cast) -> Ending {
    let mut s = begun(2, cast);
    s.put(0);
    s.fault(Fault::Wipe { member: 1, back: FOR_EVER });
    s.fault(Fault::StopMember { member: 0, within: 5_000_000_000, back: 500_000_000 });
    s.until("A leads again", 30_000, |w| w.leads(0) && w.now > 12_000_000_000);
    s.end()
}
