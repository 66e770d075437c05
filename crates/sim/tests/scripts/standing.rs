//! Who holds what, and who may lead by it (protocol-traces, section 2): each script builds the
//! state in which one rule alone stands between a waited write and its loss.

use std::cell::Cell;
use std::rc::Rc;

use brain::{Durability, Epoch, Message, Wish};
use engine::Offset;
use sim::World;
use sim::faults::{Fault, Frozen};
use sim::network::Plane;
use sim::script::{Ending, FOR_EVER, Stage, Verdict};
use sim::{MS, SECOND};

use crate::common::{
    Cast, certain, forgetful, forgetful_in, joins_new_line, leads_anew, plan, put_beside, waited_on,
};

/// One of these leads in the end; it acknowledges something, so that what it holds is looked at.
fn one_leads(s: &mut Stage, of: [usize; 2], within_ms: u64) -> usize {
    s.reaches(within_ms, |w| of.iter().any(|m| w.leads(*m)));
    let new = if s.world.leads(of[1]) { of[1] } else { of[0] };
    s.writes(new);
    new
}

/// D1: who promises lets go of the old primary first: what is stamped grows no more, and no WAIT
/// counts it. A's agent is frozen and its engine has no gate: only the data's rule is left.
pub(crate) fn d1(cast: Cast) -> Ending {
    let mut p = plan(3, cast);
    p.gate = false;
    // Both hold the same to the byte, so that the two do not duel.
    (p.tuning.ping, p.tuning.repl_timeout) = (9 * SECOND, 60 * SECOND);
    let mut s = forgetful_in(p, &[]);
    let asked = Rc::new(Cell::new(None));
    let seen = asked.clone();
    s.on_peer(move |from, to, message| {
        if matches!(message, Message::PromiseAsk(_)) && to != 0 {
            seen.set(Some((from, to)));
        }
        Verdict::Pass
    });
    for m in [1, 2] {
        s.world.members[m].ways.fsync = Some(200 * MS);
    }
    s.freeze(0, Frozen::Agent);
    s.until("promises are asked for", 12_000, |_| asked.get().is_some());
    let (candidate, _) = asked.get().unwrap_or((1, 2));
    s.part(Plane::Engine, 0, candidate);
    s.pass(2);
    s.put(0);
    one_leads(&mut s, [1, 2], 5_000);
    for m in [1, 2] {
        s.world.members[m].ways.fsync = None;
    }
    s.thaw(0, Frozen::Agent);
    s.end()
}

/// D4: w is on B and D; B leads, C is linked to it and has nothing of what it missed; B dies. With
/// B's epoch earned by the link alone C would outrank D, which has w and stands.
pub(crate) fn d4(cast: Cast) -> Ending {
    let mut s = certain(4, cast);
    s.part(Plane::Engine, 0, 2);
    let (write, copies) = s.put(0);
    s.must("the write has its copy", copies.is_some_and(|c| c >= 1) && !s.world.holds(2, write));
    s.pass(10);
    s.part(Plane::Engine, 1, 3);
    s.down(0);
    s.until("B or D leads", 10_000, |w| w.leads(1) || w.leads(3));
    let new = if s.world.leads(1) { 1 } else { 3 };
    s.until("C is linked to it", 3_000, |w| w.upstream(2) == Some(new));
    s.cut(Plane::Engine, new, 2);
    s.pass(1_500);
    s.must("C has not what it missed", !s.world.holds(2, write));
    s.down(new);
    one_leads(&mut s, [2, 4 - new], 12_000);
    s.end()
}

/// D7: w is acked by A alone under k = 1; B, which leads, raises k to 2; C and D take over.
pub(crate) fn d7(cast: Cast) -> Ending {
    let mut p = plan(4, cast);
    p.durability = Durability::Strict { copies: 1 };
    let mut s = forgetful_in(p, &[]);
    s.world.members[1].ways.durability = Some(Durability::Strict { copies: 2 });
    s.fault(Fault::KillAgent { member: 1, orphan: false, back: 10 * MS });
    s.pass(3_000);
    s.until("B is back", 20_000, |w| w.is_settled(3));
    let to = Some(s.world.name(1));
    s.ask(0, Wish::Handover { to, dry_run: false });
    s.until("B leads", 3_000, |w| w.leads(1));
    // The raise is not written before the store is there again.
    s.no_store(1);
    s.until("all follow B", 5_000, |w| [0, 2, 3].iter().all(|m| w.upstream(*m) == Some(1)));
    s.pass(1_500);
    for other in [2, 3] {
        s.part(Plane::Engine, 1, other);
    }
    let (write, copies) = s.put(1);
    s.must("w has one copy", copies == Some(1) && s.world.holds(0, write));
    s.store_again(1);
    s.pass(2_500);
    s.down(1);
    s.down(0);
    one_leads(&mut s, [2, 3], 15_000);
    s.end()
}

/// D8: B attaches to a new primary and acks w; its agent dies before its disk knows of that, and
/// its engine comes back without w: B must not count as one that was never attached.
pub(crate) fn d8(cast: Cast) -> Ending {
    let mut s = forgetful(3, &[1], cast);
    let to = Some(s.world.name(2));
    s.ask(0, Wish::Handover { to, dry_run: false });
    s.until("C leads", 3_000, |w| w.leads(2));
    s.world.members[1].ways.fsync = Some(20 * SECOND);
    s.part(Plane::Engine, 0, 2);
    s.reaches(2_000, |w| w.upstream(1) == Some(2));
    s.put(2);
    s.down(1);
    s.down(2);
    s.world.members[1].ways.fsync = None;
    s.up(1);
    one_leads(&mut s, [0, 1], 15_000);
    s.end()
}

/// D16: B attaches to the primary that it follows already. A comes back and leads by a new epoch of
/// data, and B's engine connects again by itself.
pub(crate) fn d16(cast: Cast) -> Ending {
    let mut s = forgetful(3, &[1], cast);
    leads_anew(&mut s);
    joins_new_line(&mut s, 1);
    put_beside(&mut s, 0, 1);
    s.down(0);
    s.down(1);
    s.up(1);
    s.reaches(15_000, |w| w.leads(1) || w.leads(2));
    s.end()
}

/// The same with an agent that stands still while its engine syncs: B has w, and its agent sees no
/// sync, only another stream whose link is down. C is on the new line, without w.
pub(crate) fn unseen_sync(cast: Cast) -> Ending {
    let mut s = certain(3, cast);
    leads_anew(&mut s);
    joins_new_line(&mut s, 2);
    s.part(Plane::Engine, 0, 2);
    s.freeze(1, Frozen::Agent);
    s.join(Plane::Engine, 0, 1);
    let attached = |w: &World| w.members[0].server.as_ref().is_some_and(|a| !a.attached.is_empty());
    s.until("B's engine is back", 2_500, attached);
    put_beside(&mut s, 0, 1);
    s.down(0);
    s.thaw(1, Frozen::Agent);
    s.reaches(15_000, |w| w.leads(1) || w.leads(2));
    let new = s.world.primaries().first().copied().unwrap_or(1);
    s.writes(new);
    s.end()
}

/// The same again, and B hears A's heartbeats only until they name the new stream. Let in by the
/// ack of such a one, its engine would count on the new line, and its agent on the old.
pub(crate) fn unnamed_acks(cast: Cast) -> Ending {
    let mut s = certain(3, cast);
    s.on_peer(|from, to, message| match message {
        Message::Heartbeat(beat)
            if (from, to) == (0, 1) && beat.epoch > Epoch(1) && beat.replid.is_known() =>
        {
            Verdict::Drop
        }
        _ => Verdict::Pass,
    });
    leads_anew(&mut s);
    s.join(Plane::Engine, 0, 1);
    s.pass(1_500);
    let (write, _) = s.put(0);
    s.must("B is not let in", !s.world.holds(1, write));
    s.on_peer(|_, _, _| Verdict::Pass);
    s.until("B is let in", 10_000, |w| w.holds(1, write));
    s.end()
}

/// D11: w is acked by B and C (k = 2); B's disk is replaced, so E shrinks to C alone and asks for
/// no witness any more; C comes back without w. Its seat was lifted above that.
pub(crate) fn d11(cast: Cast) -> Ending {
    let mut p = plan(3, cast);
    p.durability = Durability::Strict { copies: 2 };
    let mut s = forgetful_in(p, &[2]);
    let (write, copies) = s.put(0);
    s.must("w has two copies", copies == Some(2) && s.world.holds(2, write));
    s.part(Plane::Engine, 1, 2);
    s.part(Plane::Engine, 0, 1);
    s.fault(Fault::Wipe { member: 1, back: SECOND });
    s.until("E has shrunk to C", 9_000, |w| w.seats() == [2]);
    s.down(0);
    s.down(2);
    s.up(2);
    s.reaches(15_000, |w| w.leads(2));
    s.writes(2);
    s.end()
}

/// D14: C has w and a seat that it has not reached, B has a seat that it reaches, and less: the
/// fuller of the two leads. (The record is written by hand.)
pub(crate) fn d14(cast: Cast) -> Ending {
    let mut s = certain(3, cast);
    waited_on(&mut s, 2);
    if let Some((_, mut record)) = s.world.store.record.clone() {
        record.electorate.version += 1;
        for seat in &mut record.electorate.seats {
            let lifted = if seat.member.name.ordinal() == 2 { 1_000_000 } else { 0 };
            seat.from = Offset(lifted);
        }
        "by hand".clone_into(&mut record.renewal);
        s.world.write_record(record);
    }
    s.pass(100);
    s.kill_engine(0, 11);
    one_leads(&mut s, [1, 2], 4_000);
    s.end()
}

/// A voter with more than the candidate refuses: C has w, and B, which lacks it, does not know so.
pub(crate) fn voters(cast: Cast) -> Ending {
    let mut s = certain(3, cast);
    s.on_peer(|from, to, message| {
        let answers = matches!(message, Message::PreVote { .. } | Message::Promise(_));
        if (from, to) == (2, 1) && !answers { Verdict::Drop } else { Verdict::Pass }
    });
    waited_on(&mut s, 2);
    s.down(0);
    one_leads(&mut s, [1, 2], 18_000);
    s.end()
}

/// L9: B took over with E = {C}, which is behind; B restarts, loses nothing but cannot know: it
/// must lead again. (Without the recovery election, which would help here too.)
pub(crate) fn l9(cast: Cast) -> Ending {
    let mut s = certain(3, cast);
    waited_on(&mut s, 1);
    s.down(0);
    s.until("B leads", 10_000, |w| w.leads(1));
    s.part(Plane::Engine, 1, 2);
    s.writes(1);
    s.pass(1_000);
    s.fault(Fault::KillAgent { member: 1, orphan: false, back: 50 * MS });
    s.pass(500);
    s.until("B leads again", 15_000, |w| w.leads(1));
    s.end()
}

/// A newcomer is in the record before it is admitted: B comes back, its seat is never written, and
/// w is acked; C, which is all of E, must have it.
pub(crate) fn grow(cast: Cast) -> Ending {
    let mut s = certain(3, cast);
    s.fault(Fault::StopMember { member: 1, within: 3 * SECOND, back: FOR_EVER });
    s.until("E is C", 9_000, |w| w.seats() == [2] && w.members[1].agent.is_none());
    s.store_timeout(60_000);
    s.on_call(|m, record, _| m == 0 && record.is_some_and(|r| r.electorate.len() == 2));
    s.up(1);
    s.until("B's seat is on its way", 20_000, |w| w.held_calls() > 0);
    s.reaches(1_500, |w| w.upstream(1) == Some(0));
    s.part(Plane::Engine, 0, 2);
    s.put(0);
    s.down(0);
    s.reaches(12_000, |w| w.leads(2));
    s.writes(2);
    s.end()
}

/// D10: B has D's promise and waits for C's; A renews meanwhile, bumps above what D promised, and D
/// acks w for it; then C's promise comes. What was promised was for the record that stood then.
/// (With `strict` the last seat is kept, and D's silence keeps all: E is the same throughout.)
pub(crate) fn d10(cast: Cast) -> Ending {
    let mut p = plan(4, cast);
    p.durability = Durability::Strict { copies: 1 };
    (p.tuning.ping, p.tuning.repl_timeout) = (9 * SECOND, 60 * SECOND);
    let mut s = forgetful_in(p, &[]);
    let [by_c, by_d] = [Rc::new(Cell::new(0)), Rc::new(Cell::new(0))];
    let [open, through] = [Rc::new(Cell::new(false)), Rc::new(Cell::new(false))];
    let (c, d) = (by_c.clone(), by_d.clone());
    s.on_peer(move |from, to, message| match message {
        Message::PreVoteAsk(_) if from != 1 => Verdict::Drop,
        Message::Promise(p) if to == 1 && p.denied.is_none() => {
            if from == 2 { &c } else { &d }.set(p.epoch.0);
            if from == 2 { Verdict::Hold } else { Verdict::Pass }
        }
        Message::Ack(ack) if (from, to) == (3, 0) && ack.nack.is_some() => Verdict::Pass,
        _ if (from, to) == (3, 0) => Verdict::Drop,
        _ => Verdict::Pass,
    });
    let (may, did) = (open.clone(), through.clone());
    s.on_call(move |m, record, fate| {
        if m == 0 && record.is_some() {
            did.set(may.get());
            fate.refused |= !may.get();
        }
        false
    });
    for other in [1, 2, 3] {
        s.part(Plane::Peer, 0, other);
    }
    // Until A's next try falls into the middle of a round of questions.
    for _ in 0..30 {
        let last = by_d.get();
        open.set(s.reaches(5_000, |_| by_c.get() == by_d.get() && by_d.get() > last));
        if s.reaches(200, |_| through.get()) {
            break;
        }
        open.set(false);
    }
    s.must("A has renewed in the middle of a round", through.get());
    s.join(Plane::Peer, 0, 3);
    s.until("D follows A again", 3_000, |w| w.leads(0) && w.upstream(3) == Some(0));
    let (write, copies) = s.put(0);
    s.must("D acks w", copies == Some(1) && s.world.holds(3, write));
    s.pass(20);
    s.release_peers();
    s.reaches(2_000, |w| w.leads(1));
    s.writes(1);
    s.end()
}
