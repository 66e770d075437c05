//! What holds and ends authority (protocol-traces, section 1, and the mutants of section 5): each
//! script builds the state in which one rule alone stands between two primaries.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use brain::message::{Ack, Heartbeat};
use brain::{Durability, Ended, Message, Span, Timing};
use sim::faults::{Fault, Frozen, isolation};
use sim::network::{OUTSIDE, Plane};
use sim::script::{Ending, FOR_EVER, Stage, Verdict};
use sim::{MS, Plan, SECOND};

use crate::common::{Cast, begun, both_write, plan};

/// One of those who may succeed leads; which.
fn new_leader(s: &mut Stage, within_ms: u64) -> usize {
    s.reaches(within_ms, |w| w.leads(1) || w.leads(2));
    if s.world.leads(1) { 1 } else { 2 }
}

/// No copies are promised and no recovery decides: authority alone is played for.
fn authority_only(n: usize, cast: Cast) -> Plan {
    let mut p = plan(n, cast);
    p.durability = Durability::Cache;
    p.recovery_timeout = Span::from_millis(3_600_000);
    p
}

/// A member whose pod was deleted by force and lives on: it acknowledges whatever it hears, as it
/// always did, under the name of the one that replaced it.
struct Twin {
    last: Rc<RefCell<Option<Ack>>>,
    heard: Rc<RefCell<Vec<Heartbeat>>>,
    alive: Rc<Cell<bool>>,
}

impl Twin {
    /// Learns what `of` says to 0; once alive, what 0 says to `of` reaches the twin instead.
    fn of(s: &mut Stage, of: usize) -> Self {
        let twin =
            Self { last: Rc::default(), heard: Rc::default(), alive: Rc::new(Cell::new(false)) };
        let (last, heard, alive) = (twin.last.clone(), twin.heard.clone(), twin.alive.clone());
        s.on_peer(move |from, to, message| {
            match message {
                Message::Ack(ack) if (from, to) == (of, 0) && !alive.get() => {
                    *last.borrow_mut() = Some(ack.clone());
                }
                Message::Heartbeat(beat) if (from, to) == (0, of) && alive.get() => {
                    heard.borrow_mut().push((**beat).clone());
                }
                _ => {}
            }
            let between = (from, to) == (0, of) || (from, to) == (of, 0);
            if between && alive.get() { Verdict::Drop } else { Verdict::Pass }
        });
        twin
    }

    /// Acknowledges everything that was heard.
    fn answers(&self, s: &mut Stage, of: usize) {
        let beats: Vec<Heartbeat> = self.heard.borrow_mut().drain(..).collect();
        let Some(last) = self.last.borrow().clone() else { return };
        for beat in beats {
            let version = beat.electorate.version;
            let ack = Ack { epoch: beat.epoch, version, seq: beat.seq, nack: None, ..last.clone() };
            s.say(of, 0, Message::Ack(ack));
        }
    }
}

/// H7: C's pod is deleted by force and lives on beside A; a new C has its volume and promises to B.
pub(crate) fn h7(cast: Cast) -> Ending {
    h7_of(authority_only(3, cast))
}

/// The same with a recovery election that soon loses its patience: the new C answers for its data,
/// and not for whom the old one acks.
pub(crate) fn h7_recovery(cast: Cast) -> Ending {
    h7_of(Plan { recovery_timeout: Span::from_millis(5_000), ..authority_only(3, cast) })
}

fn h7_of(plan: Plan) -> Ending {
    let mut s = Stage::begun(plan);
    s.put(0);
    let twin = Twin::of(&mut s, 2);
    s.pass(2_000);
    // A and the old C are on one side, B, the new C and the store on the other.
    s.no_store(0);
    for other in [1, 2] {
        s.part(Plane::Engine, 0, other);
    }
    s.part(Plane::Peer, 0, 1);
    twin.alive.set(true);
    s.fault(Fault::Recreate { member: 2, back: SECOND });
    for _ in 0..150 {
        s.pass(100);
        twin.answers(&mut s, 2);
        s.writes(0);
        if s.world.leads(1) {
            s.writes(1);
        }
    }
    let holds = s.world.leads(0);
    s.must("A holds by the acks of the C that it knows", holds);
    s.end()
}

/// H8: the profile is lowered by a rollout; a restarted member must wait for the longest T_p that
/// it ever acknowledged, for A still counts on that. (A specification with T_p above W is refused:
/// with one that is not, a voter's own wait for the record to be still would be as long.)
pub(crate) fn h8(cast: Cast) -> Ending {
    let mut p = authority_only(3, cast);
    p.timing = Timing::of(3_000, 10_000, 500, 500, 500);
    p.tuning.load = (MS, 0);
    let mut s = Stage::begun(p);
    s.put(0);
    // A lives by C's acks alone: no store, no B.
    s.no_store(0);
    s.part(Plane::Peer, 0, 1);
    s.part(Plane::Engine, 0, 1);
    s.world.members[1].ways.timing = Some(Timing::FAST);
    s.fault(Fault::KillAgent { member: 1, orphan: false, back: SECOND });
    s.pass(20_000);
    let alone = s.writes(0);
    s.must("A holds by C's acks", alone);
    s.world.members[2].ways.timing = Some(Timing::FAST);
    s.fault(Fault::KillAgent { member: 2, orphan: false, back: 20 * MS });
    s.part(Plane::Peer, 0, 2);
    s.part(Plane::Engine, 0, 2);
    let new = new_leader(&mut s, 6_000);
    both_write(&mut s, 0, new);
    s.end()
}

/// Promises first, then the lease: B finds the record still for W, while A holds by C's acks.
pub(crate) fn order(cast: Cast) -> Ending {
    let mut s = Stage::begun(authority_only(3, cast));
    s.put(0);
    s.no_store(0);
    s.part(Plane::Peer, 0, 1);
    s.part(Plane::Engine, 0, 1);
    s.reaches(45_000, |w| w.leads(1));
    both_write(&mut s, 0, 1);
    let holds = s.world.leads(0);
    s.must("A holds by C's acks", holds);
    s.end()
}

/// Acks that come late extend A's time from the heartbeat's sending, not from their coming.
pub(crate) fn late_acks(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    s.put(0);
    s.no_store(0);
    s.pass(35_000);
    let alone = s.writes(0);
    s.must("A holds by acks", alone);
    let ack = |message: &Message| matches!(message, Message::Ack(_));
    s.on_peer(move |_, to, m| if to == 0 && ack(m) { Verdict::Hold } else { Verdict::Pass });
    s.pass(2_000);
    for other in [1, 2] {
        s.part(Plane::Peer, 0, other);
        s.part(Plane::Engine, 0, other);
    }
    s.pass(2_000);
    s.release_peers();
    let new = new_leader(&mut s, 8_000);
    both_write(&mut s, 0, new);
    s.end()
}

/// H10: A is cut from the store and its pod deleted by force; it lives on by its members' acks, and
/// a new pod has its disk. Both seats are wiped in one instant, and those who come in their place
/// hold nothing: all have answered, yet what was acknowledged to A a moment ago still counts.
pub(crate) fn strangers_tell(cast: Cast) -> Ending {
    all_seats_are_wiped(true, cast)
}

/// The same where A's new pod has nothing either: nobody has, so it would begin anew.
pub(crate) fn strangers_tell_of_an_empty_one(cast: Cast) -> Ending {
    all_seats_are_wiped(false, cast)
}

fn all_seats_are_wiped(keeps_disk: bool, cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    s.put(0);
    let paths = vec![(Plane::Store, 0, OUTSIDE), (Plane::Store, OUTSIDE, 0)];
    s.fault(Fault::Twin { member: 0, keeps_disk, paths, lasts: FOR_EVER });
    let twin = 3;
    s.until("A's new pod runs", 10_000, |w| w.members[3].agent.is_some());
    s.pass(8_000);
    let well = s.writes(0);
    s.must("A goes on by acks", well);
    for seat in [1, 2] {
        s.fault(Fault::Wipe { member: seat, back: 50 * MS });
        s.part(Plane::Peer, 0, seat);
    }
    for _ in 0..3 {
        both_write(&mut s, 0, twin);
    }
    s.until("A's new pod leads", 20_000, |w| w.leads(3));
    s.end()
}

/// A promise that was not on disk is forgotten: C acks A again, while B leads by C's promise.
pub(crate) fn promise_on_disk(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    s.put(0);
    s.world.members[2].ways.fsync = Some(60 * SECOND);
    for other in [1, 2] {
        s.part(Plane::Engine, 0, other);
    }
    s.part(Plane::Peer, 0, 1);
    s.part(Plane::Peer, 0, 2);
    s.no_store(0);
    s.watch_lags(2, FOR_EVER);
    s.reaches(15_000, |w| w.leads(1));
    s.writes(1);
    // C dies with the promise not on disk, and comes back where only A hears it.
    s.part(Plane::Peer, 1, 2);
    s.part(Plane::Engine, 1, 2);
    s.no_store(2);
    s.down(2);
    s.up(2);
    s.join(Plane::Peer, 0, 2);
    s.reaches(6_000, |w| w.leads(0));
    both_write(&mut s, 0, 1);
    s.world.members[2].ways.fsync = None;
    s.down(2);
    s.end()
}

/// Clocks as far apart as is allowed, and an engine that lets its agent wait: the fence needs time.
pub(crate) fn margin(cast: Cast) -> Ending {
    let mut p = plan(3, cast);
    p.gate = false;
    let mut s = Stage::new(p);
    s.world.members[0].clock.rate_ppb = -1_000_000;
    s.world.members[1].clock.rate_ppb = 1_000_000;
    s.world.members[2].clock.rate_ppb = 1_000_000;
    s.until("the group begins", 30_000, |w| w.is_settled(2));
    s.put(0);
    s.world.members[0].ways.slow_orders = 150 * MS;
    s.fault(Fault::Cut { paths: isolation(&[0, 1, 2], 0), lasts: FOR_EVER });
    write_to_all_who_lead(&mut s, 1_600, 5);
    s.world.members[0].ways.slow_orders = 0;
    s.end()
}

/// Clients of A that never stop, and one of whoever else leads, every so many ms.
fn write_to_all_who_lead(s: &mut Stage, turns: usize, every_ms: u64) {
    for turn in 0..turns {
        s.begin_write(2 + turn % 60, 0);
        for m in [1, 2] {
            if s.world.leads(m) {
                s.begin_write(62, m);
            }
        }
        s.pass(every_ms);
    }
}

/// An engine that starts is nobody's primary: clients of the old one come back at once.
pub(crate) fn dead_end(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    s.put(0);
    s.world.members[0].ways.slow_orders = 20 * MS;
    s.kill_engine(0, 9);
    write_to_all_who_lead(&mut s, 600, 1);
    s.world.members[0].ways.slow_orders = 0;
    s.end()
}

/// The end of an earlier run of the holder's pod is no end of the holder.
pub(crate) fn older_run(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    s.put(0);
    let (pod, boot) = (s.world.identity(0).pod, "an earlier boot".to_owned());
    for voter in [1, 2] {
        s.certify(voter, Ended { pod: pod.clone(), boot: boot.clone() });
    }
    s.freeze(0, Frozen::Both);
    s.pass(4_300);
    let still = s.world.epoch() == 1;
    s.must("W is waited for", still);
    s.thaw(0, Frozen::Both);
    s.end()
}

/// A writes the route, the store gets it only when B leads and has written its own.
pub(crate) fn late_route(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    s.put(0);
    s.no_store(0);
    // Its last replica but one goes: A tells the route so, in vain for now.
    s.part(Plane::Engine, 0, 2);
    s.pass(3_000);
    s.part(Plane::Peer, 0, 1);
    s.part(Plane::Peer, 0, 2);
    s.until("another leads", 15_000, |w| w.leads(1) || w.leads(2));
    s.pass(500);
    s.store_again(0);
    s.pass(2_500);
    s.end()
}
