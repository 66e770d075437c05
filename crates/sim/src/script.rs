//! Hands for a script: a small world driven step by step, with messages and calls held, dropped and
//! delayed at will.

use brain::{AskId, Election, Memory, Message, Record, Settings, Tick, Wish};

use crate::check::{self, Violation};
use crate::faults::{Fault, Frozen};
use crate::history::{Happening, Write};
use crate::network::{OUTSIDE, Plane};
use crate::plan::Plan;
use crate::server::{Link, Role};
use crate::store::Fate;
use crate::trace::Keep;
use crate::workload::Client;
use crate::{MS, SECOND, World};

/// What becomes of a peer message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes its way.
    Pass,
    /// It is lost.
    Drop,
    /// It is kept until the script lets it go.
    Hold,
}

/// Judges a peer message: from, to, what.
pub type PeerHook = Box<dyn FnMut(usize, usize, &Message) -> Verdict>;

/// Changes the fate of a call to the store: whose, what it would write. True holds the call back
/// until [`Stage::release_calls`].
pub type CallHook = Box<dyn FnMut(usize, Option<&Record>, &mut Fate) -> bool>;

/// The hooks of a script; empty in a swarm.
#[derive(Default)]
pub struct Hooks {
    pub(crate) peer: Option<PeerHook>,
    pub(crate) call: Option<CallHook>,
    pub(crate) watch: Vec<u64>,
    pub(crate) store_timeout: Option<u64>,
    pub(crate) held_peers: Vec<(usize, usize, Message)>,
    pub(crate) held_calls: Vec<u64>,
}

impl std::fmt::Debug for Hooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hooks").field("held_calls", &self.held_calls).finish_non_exhaustive()
    }
}

impl Hooks {
    pub(crate) fn peer(&mut self, from: usize, to: usize, message: &Message) -> Verdict {
        self.peer.as_mut().map_or(Verdict::Pass, |hook| hook(from, to, message))
    }

    pub(crate) fn call(&mut self, m: usize, record: Option<&Record>, fate: &mut Fate) -> bool {
        self.call.as_mut().is_some_and(|hook| hook(m, record, fate))
    }

    pub(crate) fn watch_delay(&self, m: usize) -> u64 {
        self.watch.get(m).copied().unwrap_or(0)
    }

    pub(crate) fn election(settings: Settings, memory: Memory, now: Tick) -> Election {
        Election::new(settings, memory, now)
    }
}

/// How a script ended.
#[derive(Clone, Debug, Default)]
pub struct Ending {
    /// Broken promises, and steps of the story that did not come.
    pub faults: Vec<String>,
    /// The last lines of the trace.
    pub trace: String,
}

impl Ending {
    /// Everything went as it should.
    pub fn is_well(&self) -> bool {
        self.faults.is_empty()
    }
}

/// A world on a stage: no clients of its own, no faults but the script's.
#[derive(Debug)]
pub struct Stage {
    /// The world.
    pub world: World,
    missed: Vec<String>,
}

impl Stage {
    /// A world that has not begun.
    pub fn new(mut plan: Plan) -> Self {
        plan.clients = 0;
        let keep = Keep::Last(3000);
        let mut world = World::new(plan, keep);
        let client = |waits| Client {
            sticky: true,
            waits,
            timeout: 3 * SECOND,
            conn: None,
            pending: None,
            token: 0,
            retired: true,
        };
        world.clients = (0..64).map(|c| client(if c == 0 { 1000 } else { 0 })).collect();
        Self { world, missed: Vec::new() }
    }

    /// A group that has begun: member 0 leads, everybody else is linked, in the electorate and
    /// exact.
    pub fn begun(plan: Plan) -> Self {
        let n = plan.members;
        let mut stage = Self::new(plan);
        stage.until("the group begins", 30_000, |w| w.is_settled(n - 1));
        stage
    }

    /// Steps until this holds; a miss is noted and makes the ending bad.
    pub fn until(&mut self, what: &str, within_ms: u64, holds: impl Fn(&World) -> bool) -> bool {
        let reached = self.reaches(within_ms, holds);
        let word = if reached { "reached" } else { "MISSED" };
        self.world.trace.line(self.world.now, "script", || format!("{word}: {what}"));
        if !reached {
            let at = self.world.now / MS;
            self.missed.push(format!("at {at} ms: in vain for {within_ms} ms: {what}"));
        }
        reached
    }

    /// Steps until this holds, or the time is over; a miss is no fault.
    pub fn reaches(&mut self, within_ms: u64, holds: impl Fn(&World) -> bool) -> bool {
        let end = self.world.now + within_ms * MS;
        while !holds(&self.world) {
            if self.world.now >= end || !self.world.step() {
                return holds(&self.world);
            }
        }
        true
    }

    /// Lets time pass.
    pub fn pass(&mut self, ms: u64) {
        self.world.run_until(self.world.now + ms * MS);
    }

    /// Something must hold now.
    pub fn must(&mut self, what: &str, holds: bool) {
        if !holds {
            let at = self.world.now / MS;
            self.missed.push(format!("at {at} ms: not so: {what}"));
        }
    }

    /// A client writes to this member, and WAITs for the group's k; how many copies it was told, if
    /// the write was acknowledged at all.
    pub fn put(&mut self, m: usize) -> (Write, Option<u32>) {
        let write = self.world.script_write(0, m);
        self.reaches(2_500, |w| w.clients[0].pending.is_none());
        let acked = self.acked(write);
        let copies = self.world.history.events.iter().rev().find_map(|(_, h)| match h {
            Happening::Waited { write: w, copies } if *w == write => Some(*copies),
            _ => None,
        });
        (write, acked.then(|| copies.unwrap_or(0)))
    }

    /// A client begins a write without waiting for anything.
    pub fn begin_write(&mut self, client: usize, m: usize) -> Write {
        self.world.script_write(client, m)
    }

    /// Whether this member acknowledges a write now.
    pub fn writes(&mut self, m: usize) -> bool {
        let write = self.world.script_write(1, m);
        self.reaches(500, |w| w.clients[1].pending.is_none());
        self.world.clients[1].pending = None;
        self.acked(write)
    }

    /// Writes to this member so many times, one after so many milliseconds: each is acknowledged.
    pub fn keeps_writing(&mut self, what: &str, m: usize, (times, every_ms): (u32, u64)) {
        for _ in 0..times {
            self.pass(every_ms);
            let well = self.writes(m);
            self.must(what, well);
        }
    }

    /// Whether a write was acknowledged.
    pub fn acked(&self, write: Write) -> bool {
        let is = |h: &Happening| matches!(h, Happening::Acked { write: w, .. } if *w == write);
        self.world.history.events.iter().any(|(_, h)| is(h))
    }

    /// Makes a fault.
    pub fn fault(&mut self, fault: Fault) {
        self.world.make(fault);
    }

    /// Kills a member's engine: 9 by somebody's hand, 11 by its own fault.
    pub fn kill_engine(&mut self, member: usize, signal: i32) {
        self.fault(Fault::KillEngine { member, signal });
    }

    /// Kills a member's engine and empties its directory at once; its agent runs on.
    pub fn empty(&mut self, member: usize) {
        self.world.empty(member);
    }

    /// Kills a member's agent with its engine; it stays down.
    pub fn down(&mut self, member: usize) {
        self.fault(Fault::KillAgent { member, orphan: false, back: FOR_EVER });
    }

    /// Starts a member that is down.
    pub fn up(&mut self, member: usize) {
        self.world.member_back(member, MS);
    }

    /// Freezes, until [`Stage::thaw`].
    pub fn freeze(&mut self, member: usize, what: Frozen) {
        self.fault(Fault::Freeze { member, what, lasts: FOR_EVER });
    }

    /// Thaws.
    pub fn thaw(&mut self, member: usize, what: Frozen) {
        self.world.undo(Fault::Freeze { member, what, lasts: 0 });
    }

    /// Cuts one direction, until it is mended.
    pub fn cut(&mut self, plane: Plane, from: usize, to: usize) {
        self.fault(Fault::Cut { paths: vec![(plane, from, to)], lasts: FOR_EVER });
    }

    /// Mends one direction.
    pub fn mend(&mut self, plane: Plane, from: usize, to: usize) {
        self.world.undo(Fault::Cut { paths: vec![(plane, from, to)], lasts: 0 });
    }

    /// Cuts both directions between two members.
    pub fn part(&mut self, plane: Plane, a: usize, b: usize) {
        self.cut(plane, a, b);
        self.cut(plane, b, a);
    }

    /// Mends both directions between two members.
    pub fn join(&mut self, plane: Plane, a: usize, b: usize) {
        self.mend(plane, a, b);
        self.mend(plane, b, a);
    }

    /// Cuts a member from the store.
    pub fn no_store(&mut self, m: usize) {
        self.part(Plane::Store, m, OUTSIDE);
    }

    /// Gives a member its store back.
    pub fn store_again(&mut self, m: usize) {
        self.join(Plane::Store, m, OUTSIDE);
    }

    /// Judges every peer message from now on.
    pub fn on_peer(&mut self, hook: impl FnMut(usize, usize, &Message) -> Verdict + 'static) {
        self.world.hooks.peer = Some(Box::new(hook));
    }

    /// Judges every call to the store from now on; true holds it back.
    pub fn on_call(
        &mut self,
        hook: impl FnMut(usize, Option<&Record>, &mut Fate) -> bool + 'static,
    ) {
        self.world.hooks.call = Some(Box::new(hook));
    }

    /// No more judging of calls; how many are held.
    pub fn calls_held(&self) -> usize {
        self.world.hooks.held_calls.len()
    }

    /// Lets the held calls reach the store, however long ago they were sent.
    pub fn release_calls(&mut self) {
        self.world.hooks.call = None;
        self.world.release_calls();
    }

    /// Puts words into somebody's mouth: this message goes its way whatever is cut or judged.
    pub fn say(&mut self, from: usize, to: usize, message: Message) {
        self.world.peer_on_its_way(from, to, message);
    }

    /// Lets the held messages go.
    pub fn release_peers(&mut self) {
        self.world.hooks.peer = None;
        for (from, to, message) in std::mem::take(&mut self.world.hooks.held_peers) {
            self.world.peer_on_its_way(from, to, message);
        }
    }

    /// From now on this member sees the record that much later; [`FOR_EVER`] for never.
    pub fn watch_lags(&mut self, m: usize, ms: u64) {
        let n = self.world.members.len();
        self.world.hooks.watch.resize(n, 0);
        self.world.hooks.watch[m] = ms.saturating_mul(MS).min(FOR_EVER);
    }

    /// From now on agents wait that long for the store: one whose timeout is broken.
    pub fn store_timeout(&mut self, ms: u64) {
        self.world.hooks.store_timeout = Some(ms * MS);
    }

    /// Asks an agent for something.
    pub fn ask(&mut self, m: usize, wish: Wish) -> AskId {
        self.world.ask(m, wish)
    }

    /// A member's agent is told of the end of a run.
    pub fn certify(&mut self, m: usize, ended: brain::Ended) {
        self.world.certified(m, ended);
    }

    /// Ends the script: everything healed, a whole group, and every promise looked at.
    pub fn end(mut self) -> Ending {
        self.world.hooks = Hooks::default();
        self.world.heal();
        self.until("the group is whole in the end", 90_000, World::is_whole);
        self.pass(3_000);
        if let Some(primary) = self.world.primaries().first().copied() {
            let well = self.writes(primary);
            self.must("the last primary acknowledges", well);
        }
        self.stop()
    }

    /// Ends the script here: the promises of safety are looked at.
    pub fn stop(mut self) -> Ending {
        self.world.finish();
        let mut faults: Vec<String> =
            check::safety(&self.world.history).iter().map(Violation::to_string).collect();
        faults.extend(self.missed);
        let story = self.world.describe();
        Ending { faults, trace: format!("{}{story}\n", self.world.trace.text()) }
    }
}

/// Longer than any script.
pub const FOR_EVER: u64 = 1_000_000 * SECOND;

impl World {
    /// Whether somebody leads.
    pub fn leads(&self, m: usize) -> bool {
        self.members[m].server.as_ref().is_some_and(|s| s.role == Role::Primary)
    }

    /// Whether a member's engine is linked to its upstream.
    pub fn is_up(&self, m: usize) -> bool {
        self.members[m].server.as_ref().is_some_and(|s| matches!(s.link, Link::Up { .. }))
    }

    /// Whom a member's engine is linked to.
    pub fn upstream(&self, m: usize) -> Option<usize> {
        let server = self.members[m].server.as_ref().filter(|_| self.is_up(m))?;
        if let Role::Replica { upstream } = server.role { upstream } else { None }
    }

    /// What a member's engine holds.
    pub fn holds(&self, m: usize, write: Write) -> bool {
        self.members[m].server.as_ref().is_some_and(|s| s.data.contains(&write))
    }

    /// Member 0 leads, the electorate has that many seats, all of them linked and exact by memory.
    pub fn is_settled(&self, seats: usize) -> bool {
        let Some((_, record)) = &self.store.record else { return false };
        let exact = |m: usize| self.members[m].memory.as_ref().is_some_and(|s| s.exact);
        record.electorate.len() == seats
            && self.leads(0)
            && (1..self.members.len()).all(|m| self.is_up(m) && exact(m))
    }

    /// How many calls a script holds back.
    pub fn held_calls(&self) -> usize {
        self.hooks.held_calls.len()
    }

    /// Every engine saves now.
    pub fn save_all(&mut self) {
        for member in &mut self.members {
            if let Some(server) = member.server.as_mut() {
                server.save_now();
            }
        }
    }

    /// The seats of the record, by name.
    pub fn seats(&self) -> Vec<usize> {
        let Some((_, record)) = &self.store.record else { return Vec::new() };
        record.electorate.members().filter_map(|m| self.index(&m.name)).collect()
    }

    /// The record's epoch.
    pub fn epoch(&self) -> u64 {
        self.store.record.as_ref().map_or(0, |(_, r)| r.epoch.0)
    }
}
