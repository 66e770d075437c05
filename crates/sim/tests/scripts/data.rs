//! Holes in the data promise (protocol-traces, section 2): each trace with its cure ends well.

use brain::{EngineCommand, Wish};
use sim::SECOND;
use sim::World;
use sim::faults::{Fault, Frozen};
use sim::network::Plane;
use sim::script::{Ending, FOR_EVER, Stage, Verdict};

use crate::common::{
    Cast, begun, certain, forgetful, joins_new_line, leads_anew, put_beside, waited_on,
};

/// D2: A cuts B off, B's engine comes back by itself and WAIT counts it, E shrinks, C leads
/// without.
pub(crate) fn d2(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    s.put(0);
    s.part(Plane::Peer, 0, 1);
    s.until("E has shrunk to C", 9_000, |w| w.seats() == [2]);
    waited_only_by(&mut s, 1);
    s.down(0);
    s.reaches(12_000, |w| w.leads(2));
    s.writes(2);
    s.end()
}

/// Tries to get a write waited for by this member alone.
fn waited_only_by(s: &mut Stage, b: usize) {
    for other in (1..s.world.members.len()).filter(|o| *o != b) {
        s.part(Plane::Engine, 0, other);
    }
    s.put(0);
}

/// D3: w on A and B; B takes over with E′ = {C}; B dies; C lacks w and must not lead alone.
pub(crate) fn d3(cast: Cast) -> Ending {
    let mut s = certain(3, cast);
    waited_on(&mut s, 1);
    s.down(0);
    s.until("B leads", 10_000, |w| w.leads(1));
    s.part(Plane::Engine, 1, 2);
    s.writes(1);
    s.down(1);
    s.reaches(12_000, |w| w.leads(2));
    s.writes(2);
    s.end()
}

/// D4 with two copies: C links to B first. Its seat's `from` stands in the way too.
pub(crate) fn d4_two(cast: Cast) -> Ending {
    let mut s = certain(3, cast);
    waited_on(&mut s, 1);
    s.down(0);
    s.until("B leads", 10_000, |w| w.leads(1));
    s.until("C is linked to B", 3_000, |w| w.is_up(2));
    // Linked, and nothing of the stream has come.
    s.cut(Plane::Engine, 1, 2);
    s.pass(1_500);
    s.down(1);
    s.reaches(12_000, |w| w.leads(2));
    s.writes(2);
    s.end()
}

/// D5: w acked by B, whose engine restarts without its last second; B and C promise.
pub(crate) fn d5(cast: Cast) -> Ending {
    let mut s = forgetful(3, &[1], cast);
    waited_on(&mut s, 1);
    s.part(Plane::Engine, 0, 1);
    s.kill_engine(1, 9);
    s.down(0);
    s.reaches(15_000, |w| w.leads(1) || w.leads(2));
    let new = if s.world.leads(1) { 1 } else { 2 };
    s.writes(new);
    s.end()
}

/// D6: A's engine dies, B is appointed for holding w, B restarts without w.
pub(crate) fn d6(cast: Cast) -> Ending {
    let mut s = forgetful(3, &[1], cast);
    waited_on(&mut s, 1);
    // B hears of its appointment only after its restart.
    s.watch_lags(1, 3_000);
    s.on_call(|m, record, fate| {
        if m == 1 && record.is_none() {
            fate.arrives = None;
        }
        false
    });
    s.kill_engine(0, 11);
    s.reaches(1_000, |w| w.epoch() >= 2);
    s.part(Plane::Peer, 0, 1);
    s.part(Plane::Peer, 1, 2);
    s.kill_engine(1, 9);
    s.pass(1_000);
    s.join(Plane::Peer, 1, 2);
    s.watch_lags(1, 0);
    s.on_call(|_, _, _| false);
    s.reaches(4_000, |w| w.leads(1));
    s.writes(1);
    s.end()
}

/// The engine dies right after a WAIT that C alone answered: C is appointed, though what B and C
/// last looked like is the same.
pub(crate) fn fresh_stamps(cast: Cast) -> Ending {
    let mut s = certain(3, cast);
    waited_on(&mut s, 2);
    s.kill_engine(0, 11);
    s.until("C is appointed", 1_000, |w| w.leads(2) || w.leads(1));
    let new = if s.world.leads(2) { 2 } else { 1 };
    s.writes(new);
    s.end()
}

/// D9: E {C} → ∅ → {B}: B was away for long, is admitted again and leads alone at once.
pub(crate) fn d9(cast: Cast) -> Ending {
    let mut s = certain(3, cast);
    s.put(0);
    s.fault(Fault::StopMember { member: 1, within: 3_000_000_000, back: FOR_EVER });
    s.until("E is C", 9_000, |w| w.seats() == [2]);
    waited_on(&mut s, 2);
    s.down(2);
    s.until("E is empty", 9_000, |w| w.seats().is_empty());
    s.part(Plane::Engine, 0, 1);
    s.up(1);
    s.reaches(6_000, |w| w.seats() == [1]);
    s.down(0);
    s.reaches(15_000, |w| w.leads(1));
    s.writes(1);
    s.end()
}

/// D12: w acked by B; E {B} → ∅; A crashes and comes back without w.
pub(crate) fn d12(cast: Cast) -> Ending {
    let mut s = forgetful(2, &[0], cast);
    waited_on(&mut s, 1);
    s.down(1);
    s.until("E is empty", 9_000, |w| w.seats().is_empty());
    s.fault(Fault::KillAgent { member: 0, orphan: false, back: 10_000_000 });
    s.reaches(10_000, |w| w.leads(0));
    s.writes(0);
    s.end()
}

/// D13: w acked by B; A restarts without w, and must ask before it leads.
pub(crate) fn d13(cast: Cast) -> Ending {
    let mut s = forgetful(3, &[0], cast);
    waited_on(&mut s, 1);
    for other in [1, 2] {
        s.part(Plane::Peer, 0, other);
    }
    s.fault(Fault::KillAgent { member: 0, orphan: false, back: 10_000_000 });
    s.reaches(10_000, |w| w.leads(0) || w.leads(1) || w.leads(2));
    let new = s.world.primaries().first().copied().unwrap_or(0);
    s.writes(new);
    s.end()
}

/// w is on the disks of A and B; power is lost twice, the second time before either attached or led
/// again. C, which lacks w and lost power once, comes last.
pub(crate) fn power_lost_twice(cast: Cast) -> Ending {
    let mut s = certain(3, cast);
    s.part(Plane::Engine, 0, 2);
    let write = put_beside(&mut s, 0, 1);
    s.pass(1_500);
    [0, 1, 2].into_iter().for_each(|m| s.down(m));
    for _ in 0..2 {
        [0, 1].into_iter().for_each(|m| s.down(m));
        s.pass(500);
        [0, 1].into_iter().for_each(|m| s.up(m));
        s.pass(3_000);
    }
    s.join(Plane::Engine, 0, 2);
    s.up(2);
    s.reaches(60_000, |w| (0..3).any(|m| w.leads(m)));
    let new = s.world.primaries().first().copied().unwrap_or(0);
    let holds = s.world.holds(new, write);
    s.must("who leads has what two disks have", holds);
    s.end()
}

/// B's takeover is carried out late and answered later still; its engine ends meanwhile and counts
/// anew. Should it lead by that record all the same, then C syncs from it and has a waited write,
/// and D counts further on the old line.
pub(crate) fn takeover_of_another_engine(cast: Cast) -> Ending {
    let mut s = certain(4, cast);
    for _ in 0..40 {
        s.put(0);
    }
    s.pass(1_500);
    s.store_timeout(30_000);
    let mut is_first = true;
    s.on_call(move |m, record, fate| {
        let holder = record.and_then(|r| r.holder.as_ref());
        if m == 1 && holder.is_some_and(|h| h.id.name.ordinal() == 1) && is_first {
            is_first = false;
            (fate.arrives, fate.answers) = (Some(3 * SECOND), Some(20 * SECOND));
        }
        false
    });
    s.down(0);
    let promised = |w: &World| {
        let of = |m: usize| w.members[m].memory.as_ref().and_then(|memory| memory.promised.clone());
        (1..4).all(|m| of(m).is_some_and(|(_, to)| to.name.ordinal() == 1))
    };
    s.until("everybody has promised B", 20_000, promised);
    s.pass(100);
    s.kill_engine(1, 9);
    s.until("somebody leads", 20_000, |w| (1..4).any(|m| w.leads(m)));
    if s.world.leads(1) {
        s.part(Plane::Engine, 1, 3);
        let of_c = |w: &World| w.members[2].memory.as_ref().map_or(0, |m| m.stamp.epoch.0);
        s.reaches(10_000, |w| of_c(w) > 1);
        put_beside(&mut s, 1, 2);
        s.down(1);
        s.reaches(15_000, |w| w.leads(2) || w.leads(3));
    }
    let new = s.world.primaries().first().copied().unwrap_or(2);
    s.writes(new);
    s.end()
}

/// A counts from nothing after a restart and leads again; B has its new line with a waited write, C
/// counts further on the old one.
pub(crate) fn stamp_by_epoch(cast: Cast) -> Ending {
    let mut s = certain(3, cast);
    for _ in 0..40 {
        s.put(0);
    }
    leads_anew(&mut s);
    joins_new_line(&mut s, 1);
    put_beside(&mut s, 0, 1);
    s.down(0);
    s.reaches(15_000, |w| w.leads(1) || w.leads(2));
    let new = if s.world.leads(1) { 1 } else { 2 };
    s.writes(new);
    s.end()
}

/// A leads a new line that nobody follows, so that its engine counts nothing of what it writes, and
/// B leads another from the same place: what A wrote is kept aside.
pub(crate) fn unfollowed(cast: Cast) -> Ending {
    let mut s = forgetful(2, &[0], cast);
    // B hears nothing of A until its engine has loaded its snapshot, which says its place.
    s.part(Plane::Engine, 0, 1);
    s.part(Plane::Peer, 0, 1);
    s.fault(Fault::KillAgent { member: 0, orphan: false, back: 10_000_000 });
    s.pass(1_000);
    s.join(Plane::Peer, 0, 1);
    s.until("A leads again", 10_000, |w| w.leads(0) && w.epoch() > 1);
    let (write, _) = s.put(0);
    s.pass(1_500);
    s.no_store(0);
    s.part(Plane::Peer, 0, 1);
    s.until("B leads", 15_000, |w| w.leads(1));
    s.must("B has a line of its own", !s.world.holds(1, write));
    [Plane::Engine, Plane::Peer].into_iter().for_each(|plane| s.join(plane, 0, 1));
    s.store_again(0);
    s.until("A follows", 5_000, |w| w.is_up(0));
    s.must("what A wrote is kept aside", s.world.members[0].set_aside.contains(&write));
    s.end()
}

/// D15: A bumps its epoch and writes w; only C's engine has w, and only B's agent saw the bump.
pub(crate) fn d15(cast: Cast) -> Ending {
    let mut s = certain(3, cast);
    s.put(0);
    s.pass(1_500);
    s.watch_lags(2, FOR_EVER);
    s.on_peer(|from, to, _| if (from, to) == (0, 2) { Verdict::Drop } else { Verdict::Pass });
    // A bump: the record is lost, A has authority and writes it again.
    s.fault(Fault::DeleteRecord);
    s.until("A has bumped", 2_000, |w| w.epoch() >= 2);
    s.pass(900);
    s.part(Plane::Engine, 0, 1);
    s.put(0);
    s.down(0);
    s.watch_lags(2, 0);
    s.on_peer(|_, _, _| Verdict::Pass);
    s.reaches(15_000, |w| w.leads(1) || w.leads(2));
    let new = if s.world.leads(1) { 1 } else { 2 };
    s.writes(new);
    s.end()
}

/// A shrink waits until the rest has the cut offset: else who remains may not stand, and who has
/// everything has no seat.
pub(crate) fn shrink_waits(cast: Cast) -> Ending {
    let mut s = certain(3, cast);
    waited_on(&mut s, 1);
    s.part(Plane::Peer, 0, 1);
    s.pass(9_000);
    s.down(0);
    s.until("B leads with all", 15_000, |w| w.leads(1));
    s.writes(1);
    s.end()
}

/// An old stamp of whole data is no witness: B's file has w, B's memory does not, C has neither.
pub(crate) fn old_stamp(cast: Cast) -> Ending {
    let mut s = certain(3, cast);
    waited_on(&mut s, 1);
    s.down(1);
    s.down(0);
    s.up(1);
    s.reaches(15_000, |w| w.leads(1) || w.leads(2));
    let new = if s.world.leads(1) { 1 } else { 2 };
    s.writes(new);
    s.end()
}

/// The same after a clean stop: the last look must be younger than the last write.
pub(crate) fn clean_stop(cast: Cast) -> Ending {
    let mut s = certain(3, cast);
    waited_on(&mut s, 1);
    s.part(Plane::Peer, 0, 1);
    s.fault(Fault::StopMember { member: 1, within: 3_000_000_000, back: 1_000_000 });
    s.put(0);
    s.pass(400);
    s.down(0);
    s.reaches(25_000, |w| w.leads(1) || w.leads(2));
    let new = if s.world.leads(1) { 1 } else { 2 };
    s.writes(new);
    s.end()
}

/// L10: every copy stopped uncleanly: the recovery election leads out of it.
pub(crate) fn l10(cast: Cast) -> Ending {
    let mut s = forgetful(3, &[0, 1, 2], cast);
    s.put(0);
    for m in 0..3 {
        s.down(m);
    }
    for m in 0..3 {
        s.up(m);
    }
    s.until("somebody leads", 40_000, |w| !w.primaries().is_empty());
    s.end()
}

/// What a script may ask of a member's engine is what an agent may: nothing here is a back door.
pub(crate) fn person(cast: Cast) -> Ending {
    let mut s = begun(2, cast);
    s.put(0);
    s.down(0);
    s.fault(Fault::DeleteRecord);
    s.pass(15_000);
    let nobody = !s.world.leads(1);
    s.must("without a record nobody leads", nobody);
    s.ask(1, Wish::PromoteAcceptingLoss);
    s.until("a person's word makes B lead", 5_000, |w| w.leads(1));
    s.must("in a new generation of epochs", s.world.epoch() >= 1 << 32);
    let _ = EngineCommand::Observe;
    s.end()
}

/// The record that a person had written is seen before the store has answered, beside a succession
/// that has been open since the restart: it is one lead, of one epoch.
pub(crate) fn person_seen_before_answered(cast: Cast) -> Ending {
    let mut s = begun(2, cast);
    s.put(0);
    s.down(1);
    s.down(0);
    s.up(0);
    s.pass(5_000);
    s.fault(Fault::DeleteRecord);
    s.pass(15_000);
    let nobody = !s.world.leads(0);
    s.must("without a witness and a record nobody leads", nobody);
    s.on_call(|_, record, fate| {
        if record.is_some_and(|r| r.epoch.0 >= 1 << 32) {
            fate.answers = Some(400_000_000);
        }
        false
    });
    s.ask(0, Wish::PromoteAcceptingLoss);
    s.until("a person's word makes A lead", 5_000, |w| w.leads(0));
    s.pass(5_000);
    s.must("in the epoch that it was given", s.world.epoch() == 1 << 32);
    s.up(1);
    s.end()
}

/// The others' machines hang, their connections stay open: a person's word is enough all the same,
/// and those that thaw follow.
pub(crate) fn person_beside_hung_machines(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    s.put(0);
    s.freeze(0, Frozen::Both);
    s.freeze(2, Frozen::Both);
    s.pass(15_000);
    let nobody = !s.world.leads(1);
    s.must("one of two promises is not enough", nobody);
    s.ask(1, Wish::PromoteAcceptingLoss);
    s.until("a person's word makes B lead", 5_000, |w| w.leads(1));
    s.writes(1);
    s.thaw(0, Frozen::Both);
    s.thaw(2, Frozen::Both);
    s.pass(5_000);
    let alone = s.world.leads(1) && s.world.primaries().len() == 1;
    s.must("those that thaw follow", alone);
    s.end()
}
