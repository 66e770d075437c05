//! The case table of failover.md 2.12, row by row (those that need no Kubernetes).

use brain::{Durability, Record, Span, Timing, Wish};
use sim::faults::{Fault, Frozen, Stuck, isolation};
use sim::network::{OUTSIDE, Plane};
use sim::script::{Ending, FOR_EVER, Stage};
use sim::server::{Disk, Persistence};
use sim::world::World;

use crate::common::{Cast, begun, both_write, plan};

/// Somebody other than `m` leads and acknowledges.
fn another_leads(stage: &mut Stage, m: usize, within_ms: u64) -> Option<usize> {
    let n = stage.world.members.len();
    stage.until("another leads", within_ms, |w| (0..n).any(|o| o != m && w.leads(o)));
    let leader = (0..n).find(|o| *o != m && stage.world.leads(*o));
    if let Some(leader) = leader {
        let well = stage.writes(leader);
        stage.must("the new primary acknowledges", well);
    }
    leader
}

pub(crate) fn engine_crash(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    let (write, copies) = s.put(0);
    s.must("the write has a copy", copies.is_some_and(|c| c >= 1));
    s.kill_engine(0, 11);
    if let Some(leader) = another_leads(&mut s, 0, 500) {
        let holds = s.world.holds(leader, write);
        s.must("the successor holds it", holds);
    }
    s.until("the old one follows", 10_000, |w| w.is_up(0));
    s.end()
}

/// Two primaries die of their own fault soon after their promotion: what kills them would kill the
/// third too. The second appoints nobody, says so, and leads again when its engine is back.
pub(crate) fn failover_loop(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    s.kill_engine(0, 11);
    let Some(second) = another_leads(&mut s, 0, 500) else { return s.end() };
    s.until("the first follows again", 20_000, |w| w.is_up(0) && w.seats().len() == 2);
    s.pass(6_000);
    let epoch = s.world.epoch();
    s.kill_engine(second, 11);
    s.until("it says why it appoints nobody", 500, |w| {
        let blocked = w.report(second).and_then(|r| r.blocked);
        blocked.is_some_and(|text| text.contains("FailoverLoop"))
    });
    let same = s.world.epoch() == epoch;
    s.must("nobody is appointed", same);
    s.until("somebody leads again", 20_000, |w| (0..3).any(|m| w.leads(m)));
    s.end()
}

pub(crate) fn fast_empty_restart(cast: Cast) -> Ending {
    let mut p = plan(3, cast);
    p.tuning.persistence = Persistence::None;
    let mut s = Stage::begun(p);
    let (write, _) = s.put(0);
    s.kill_engine(0, 9);
    s.world.members[0].disk = Disk::default();
    another_leads(&mut s, 0, 500);
    s.pass(5_000);
    let held = (0..3).filter(|m| s.world.holds(*m, write)).count();
    s.must("everybody holds the write again", held == 3);
    s.end()
}

/// The engine is killed and the whole directory is gone with it, the state file too: the agent
/// appoints before it leaves, and comes back as a newcomer.
pub(crate) fn emptied_with_state(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    let (write, copies) = s.put(0);
    s.must("the write has a copy", copies.is_some_and(|c| c >= 1));
    let before = s.world.members[0].life;
    s.empty(0);
    if let Some(leader) = another_leads(&mut s, 0, 500) {
        let holds = s.world.holds(leader, write);
        s.must("the successor holds it", holds);
    }
    s.until("it comes back as another", 2_000, |w| w.members[0].life > before);
    s.until("it follows, whole", 20_000, |w| w.is_up(0) && w.holds(0, write));
    let led = s.world.leads(0);
    s.must("the emptied one does not lead", !led);
    s.end()
}

/// The same where the running engine's files are taken away: it is ended, and not by its own fault.
pub(crate) fn emptied_while_it_runs(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    let (write, _) = s.put(0);
    s.world.take_state(0);
    if let Some(leader) = another_leads(&mut s, 0, 2_500) {
        let holds = s.world.holds(leader, write);
        s.must("the successor holds it", holds);
    }
    s.end()
}

/// Nobody can be appointed: the emptied one leaves all the same, and the others lead after W.
pub(crate) fn emptied_and_unheard(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    let (write, _) = s.put(0);
    s.no_store(0);
    let before = s.world.members[0].life;
    s.empty(0);
    s.until("it leaves", 2_000, |w| w.members[0].life > before);
    if let Some(leader) = another_leads(&mut s, 0, 9_000) {
        let holds = s.world.holds(leader, write);
        s.must("the new primary holds it", holds);
    }
    s.store_again(0);
    s.end()
}

/// The record is made anew, beside an empty member of the lowest ordinal and others whose data lie
/// beside a new state file: a person decides.
pub(crate) fn begins_over_data(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    let (write, _) = s.put(0);
    let names = (0..3).map(|m| s.world.name(m).clone()).collect();
    let first = Record::first(names, Timing::DEFAULT.lease.as_millis());
    s.fault(Fault::Wipe { member: 0, back: 2 * sim::SECOND });
    for member in [1, 2] {
        s.fault(Fault::LoseState { member, back: 2 * sim::SECOND });
    }
    s.world.write_record(first);
    s.pass(40_000);
    let begun = (0..3).any(|m| s.world.leads(m));
    s.must("nobody leads", !begun);
    let held = (1..3).filter(|m| s.world.holds(*m, write)).count();
    s.must("the data are still there", held == 2);
    s.stop()
}

/// The container dies, agent and engine, and comes back: it does not wait for W.
pub(crate) fn container_death(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    s.put(0);
    s.fault(Fault::KillAgent { member: 0, orphan: false, back: 1_000_000_000 });
    s.until("somebody leads again", 2_500, |w| !w.primaries().is_empty() && w.epoch() > 1);
    s.end()
}

/// The container dies and its restart is held back, but its kubelet has said so: no W is waited.
pub(crate) fn container_death_certified(cast: Cast) -> Ending {
    let mut p = plan(3, cast);
    p.certified = 1000;
    let mut s = Stage::begun(p);
    let (write, _) = s.put(0);
    s.fault(Fault::KillAgent { member: 0, orphan: false, back: 20_000_000_000 });
    // The word of a kubelet takes up to 3.2 s in this world; W alone is 5 s.
    s.until("another leads", 4_600, |w| w.epoch() > 1 && (w.leads(1) || w.leads(2)));
    let leader = (1..3).find(|m| s.world.leads(*m)).unwrap_or(1);
    let holds = s.world.holds(leader, write);
    s.must("it holds the write", holds);
    s.end()
}

pub(crate) fn hang(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    s.put(0);
    s.fault(Fault::Hang { member: 0, why: Stuck::Idle, lasts: FOR_EVER });
    another_leads(&mut s, 0, 8_000);
    s.end()
}

pub(crate) fn engine_stopped(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    s.put(0);
    s.freeze(0, Frozen::Engine);
    another_leads(&mut s, 0, 4_000);
    s.end()
}

pub(crate) fn agent_stopped(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    s.put(0);
    s.freeze(0, Frozen::Agent);
    another_leads(&mut s, 0, 9_000);
    let old = s.writes(0);
    s.must("the gate has ended the old engine", !old);
    s.thaw(0, Frozen::Agent);
    s.end()
}

/// The whole container freezes past its deadline with queued writes, and thaws (E3b, E15).
pub(crate) fn freeze_and_thaw(cast: Cast, gate: bool) -> (Ending, usize) {
    let mut p = plan(3, cast);
    p.gate = gate;
    let mut s = Stage::begun(p);
    s.put(0);
    s.freeze(0, Frozen::Both);
    let queued: Vec<_> = (2..42).map(|c| s.begin_write(c, 0)).collect();
    another_leads(&mut s, 0, 9_000);
    s.pass(1_000);
    // Thawed together, the engine's loop is the quicker one (E13).
    s.thaw(0, Frozen::Engine);
    s.thaw(0, Frozen::Agent);
    s.pass(500);
    let late = queued.iter().filter(|w| s.acked(**w)).count();
    (s.end(), late)
}

pub(crate) fn node_lost(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    let (write, _) = s.put(0);
    s.down(0);
    if let Some(leader) = another_leads(&mut s, 0, 7_500) {
        let holds = s.world.holds(leader, write);
        s.must("the new primary holds the write", holds);
    }
    s.end()
}

/// Node lost, and a second later another: E had no time to shrink, so nobody may lead.
pub(crate) fn two_nodes_lost_at_once(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    s.put(0);
    s.down(0);
    s.down(1);
    s.pass(15_000);
    let led = s.world.leads(2);
    s.must("the last one alone does not lead", !led);
    s.end()
}

/// One after the other, seconds apart: E has shrunk, the last one leads.
pub(crate) fn two_nodes_lost_in_turn(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    s.put(0);
    s.down(1);
    s.until("E has shrunk", 6_000, |w| w.seats() == [2]);
    s.down(0);
    s.until("the last one leads", 9_000, |w| w.leads(2));
    s.end()
}

pub(crate) fn isolated_primary(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    s.put(0);
    s.fault(Fault::Cut { paths: isolation(&[0, 1, 2], 0), lasts: FOR_EVER });
    s.until("the old one has stopped", 4_800, |w| !w.leads(0));
    another_leads(&mut s, 0, 4_000);
    s.end()
}

pub(crate) fn store_down(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    s.fault(Fault::StoreDown { read_only: false, lasts: FOR_EVER });
    s.keeps_writing("the primary acknowledges without the store", 0, (30, 2_000));
    s.end()
}

pub(crate) fn store_down_and_primary_dead(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    s.put(0);
    s.fault(Fault::StoreDown { read_only: false, lasts: FOR_EVER });
    s.pass(2_000);
    s.down(0);
    s.pass(15_000);
    let nobody = s.world.primaries().is_empty();
    s.must("nobody leads without the store", nobody);
    s.world.undo(Fault::StoreDown { read_only: false, lasts: 0 });
    another_leads(&mut s, 0, 3_500);
    s.end()
}

/// The record is deleted under a primary with authority: it writes it again.
pub(crate) fn record_deleted(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    s.fault(Fault::DeleteRecord);
    s.until("the record is there again", 35_000, |w| w.epoch() > 1);
    let well = s.writes(0);
    s.must("the primary goes on", well && s.world.leads(0));
    s.end()
}

/// The primary sees the store but no replica: E shrinks to nobody, and it goes on.
pub(crate) fn no_replica(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    s.down(1);
    s.down(2);
    s.until("E is empty", 10_000, |w| w.seats().is_empty());
    let well = s.writes(0);
    s.must("the primary goes on alone", well);
    s.end()
}

/// Without storage: the primary leads alone, is cut off, and a member comes back with nothing.
pub(crate) fn no_storage_beside_a_lone_primary(cast: Cast) -> Ending {
    let mut p = plan(2, cast);
    p.tuning.persistence = Persistence::None;
    let patience_ms = p.recovery_timeout.as_millis();
    let mut s = Stage::begun(p);
    s.down(1);
    s.until("E is empty", 10_000, |w| w.seats().is_empty());
    s.no_store(0);
    s.part(Plane::Peer, 0, 1);
    s.part(Plane::Engine, 0, 1);
    s.up(1);
    s.pass(2 * patience_ms);
    let began = s.world.leads(1);
    s.must("it does not begin anew beside the primary", !began);
    both_write(&mut s, 0, 1);
    s.end()
}

/// Nothing is kept on disk, everything ended, and the engine of who would begin anew hangs: until
/// it answers nobody knows who will be back by then.
pub(crate) fn no_storage_and_a_hung_engine(cast: Cast) -> Ending {
    let mut p = plan(3, cast);
    p.tuning.persistence = Persistence::None;
    let mut s = Stage::begun(p);
    s.put(0);
    [0, 1, 2].into_iter().for_each(|m| s.down(m));
    s.up(0);
    s.pass(6_000);
    s.fault(Fault::Hang { member: 0, why: Stuck::Disk, lasts: FOR_EVER });
    s.pass(500);
    [1, 2].into_iter().for_each(|m| s.up(m));
    s.pass(3_000);
    s.must("nothing begins while it hangs", s.world.epoch() == 1);
    s.until("it begins anew", 20_000, |w| w.leads(0) && w.epoch() > 1);
    s.end()
}

/// `strict` never shrinks below k: writes stop.
pub(crate) fn no_replica_strict(cast: Cast) -> Ending {
    let mut p = plan(3, cast);
    p.durability = Durability::Strict { copies: 1 };
    let mut s = Stage::begun(p);
    s.down(1);
    s.down(2);
    s.pass(10_000);
    let refused = !s.writes(0);
    s.must("strict refuses writes without a copy", refused);
    let seats = s.world.seats().len();
    s.must("and keeps k seats", seats >= 1);
    s.end()
}

/// A→B works, B→A does not; the same with C and the store.
pub(crate) fn one_way(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    for other in [1, 2] {
        s.cut(Plane::Peer, other, 0);
    }
    s.no_store(0);
    another_leads(&mut s, 0, 12_000);
    s.end()
}

/// B alone is cut off and comes back: nobody is disturbed.
pub(crate) fn replica_isolated(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    s.fault(Fault::Cut { paths: isolation(&[0, 1, 2], 1), lasts: 20_000_000_000 });
    for _ in 0..30 {
        s.pass(1_000);
        let well = s.writes(0);
        s.must("the primary is not disturbed", well);
    }
    s.must("no epoch was spent", s.world.epoch() == 1);
    s.end()
}

pub(crate) fn two_members(cast: Cast) -> Ending {
    let mut s = begun(2, cast);
    let (write, _) = s.put(0);
    s.down(0);
    s.until("B leads alone", 8_000, |w| w.leads(1));
    let holds = s.world.holds(1, write);
    s.must("B holds the write", holds);
    s.end()
}

/// Two members, no store: B's crash is bridged by its quick return.
pub(crate) fn two_members_without_store(cast: Cast) -> Ending {
    let mut s = begun(2, cast);
    s.no_store(0);
    s.no_store(1);
    s.pass(3_000);
    s.fault(Fault::KillAgent { member: 1, orphan: false, back: 1_000_000_000 });
    for _ in 0..10 {
        s.pass(1_000);
        let well = s.writes(0);
        s.must("the primary goes on", well);
    }
    s.end()
}

/// The only other replica is in a full sync when the primary dies: it never leads.
pub(crate) fn replica_in_full_sync(cast: Cast) -> Ending {
    let mut p = plan(2, cast);
    p.tuning.transfer = (3_000_000_000, 0);
    p.tuning.flush_first = true;
    let mut s = Stage::begun(p);
    s.put(0);
    s.fault(Fault::Wipe { member: 1, back: 1_000_000 });
    s.until("a sync is under way", 15_000, |w| {
        w.members[1].server.as_ref().is_some_and(|e| e.upstream_conn().is_some())
    });
    s.pass(500);
    s.down(0);
    s.pass(20_000);
    let led = s.world.leads(1);
    s.must("half a copy never leads", !led);
    s.end()
}

/// SIGTERM on the primary: it hands over first.
pub(crate) fn sigterm(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    s.put(0);
    s.ask(0, Wish::Stop { within: Span::from_millis(30_000) });
    another_leads(&mut s, 0, 1_000);
    s.until("it has left", 20_000, |w| w.members[0].server.is_none());
    s.end()
}

pub(crate) fn handover(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    let (write, _) = s.put(0);
    let to = Some(s.world.name(2));
    s.ask(0, Wish::Handover { to, dry_run: false });
    s.until("C leads", 1_000, |w| w.leads(2));
    let well = s.writes(2);
    s.must("C acknowledges and holds all", well && s.world.holds(2, write));
    s.until("A follows", 3_000, |w| w.is_up(0));
    s.end()
}

/// Only the engines are cut from each other; agents and store answer: the write guard lets go
/// before it refuses a write.
pub(crate) fn engines_cut(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    s.part(Plane::Engine, 0, 1);
    s.part(Plane::Engine, 0, 2);
    s.keeps_writing("writes go on", 0, (40, 250));
    s.end()
}

/// Maintenance: every seat is given up, writes go on, every member says so; afterwards all are
/// back.
pub(crate) fn maintenance(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    let fault = Fault::Maintenance { lasts: 10 * sim::SECOND };
    s.fault(fault);
    s.until("nobody may succeed", 8_000, |w| w.seats().is_empty());
    let said = |w: &World, m: usize| {
        let report = w.report(m);
        report.and_then(|r| if m == 0 { r.blocked } else { r.why_not }).unwrap_or_default()
    };
    let all = |w: &World| (0..3).all(|m| said(w, m).to_lowercase().contains("maintenance"));
    s.until("all say so", 1_000, all);
    let well = s.writes(0);
    s.must("writes go on", well);
    s.until("all are back", 20_000, |w| w.is_settled(2));
    s.until("nothing is said any more", 1_000, |w| {
        w.report(0).is_some_and(|r| r.blocked.is_none())
    });
    s.end()
}

/// A full disk on the primary: a roomier member takes over, the data stay.
pub(crate) fn no_room(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    s.put(0);
    s.fault(Fault::LoseRoom { member: 0, lasts: FOR_EVER });
    s.until("a member with room leads", 12_000, |w| w.leads(1) || w.leads(2));
    s.end()
}

/// The same, and the replica that ranks first has no room either.
pub(crate) fn room_at_one(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    s.put(0);
    s.fault(Fault::LoseRoom { member: 1, lasts: FOR_EVER });
    s.pass(1_000);
    s.fault(Fault::LoseRoom { member: 0, lasts: FOR_EVER });
    s.until("the one with room leads", 12_000, |w| w.leads(2));
    s.end()
}

/// Neither the primary's disk nor that of the replica which ranks first takes a snapshot: both
/// would refuse writes.
pub(crate) fn saves_at_one(cast: Cast) -> Ending {
    let mut p = plan(3, cast);
    p.tuning.persistence = Persistence::Rdb;
    p.tuning.save_every = sim::SECOND;
    let mut s = Stage::begun(p);
    s.put(0);
    s.fault(Fault::FailSaves { member: 1, lasts: FOR_EVER });
    s.pass(5_000);
    s.fault(Fault::FailSaves { member: 0, lasts: FOR_EVER });
    s.until("the one that can save leads", 12_000, |w| w.leads(2));
    s.end()
}

/// Everything stops without a goodbye and comes back in reverse order, the fullest last.
pub(crate) fn all_stop(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    s.down(2);
    s.pass(1_000);
    let (write, copies) = s.put(0);
    s.must("the write has a copy", copies.is_some_and(|c| c >= 1));
    s.down(0);
    s.down(1);
    s.up(2);
    s.pass(10_000);
    let led = s.world.leads(2);
    s.must("the oldest copy waits", !led);
    s.up(1);
    s.up(0);
    s.until("somebody leads", 40_000, |w| !w.primaries().is_empty());
    let leader = s.world.primaries().first().copied().unwrap_or(2);
    let holds = s.world.holds(leader, write);
    s.must("the fullest leads", holds);
    s.end()
}

/// A wiped member never leads over one that has something.
pub(crate) fn wiped_never_leads(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    let (write, _) = s.put(0);
    s.fault(Fault::Wipe { member: 1, back: 100_000_000 });
    s.down(0);
    s.pass(30_000);
    let led = s.world.leads(1);
    s.must("the wiped one does not lead", !led);
    let mut ending = s;
    ending.until("somebody with the data leads", 60_000, |w| {
        w.primaries().first().is_some_and(|p| w.holds(*p, write)) || w.primaries().is_empty()
    });
    ending.end()
}

/// The route follows the primary.
pub(crate) fn routed(cast: Cast) -> Ending {
    let mut s = begun(3, cast);
    s.until("routed to A", 2_000, |w| {
        w.route.as_ref().is_some_and(|r| w.index(&r.primary) == Some(0))
    });
    s.kill_engine(0, 11);
    s.until("routed to another", 2_000, |w| {
        w.route.as_ref().is_some_and(|r| w.index(&r.primary) != Some(0))
    });
    s.cut(Plane::Client, OUTSIDE, 0);
    s.end()
}
