//! One state of a small world, and how it goes on when nobody interferes: what is due is done in
//! the order in which it became due, and when nothing is due, time goes on to the next instant at
//! which anybody wants anything.

mod agents;
mod deeds;
mod engines;
mod stores;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, VecDeque};
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;

use brain::{
    Election, EngineCommand, EngineView, GateDeadline, Input, MemberName, Memory, Message,
    PersistId, Record, RequestId, StoreOutcome, Tick, Version,
};

use super::bounds::{Bounds, Budget, Net};
use super::engine::{Engine, Files};
use super::fingerprint::{self, Print};
use super::judge::Judge;
use crate::check::Violation;
use crate::history::Happening;
use crate::world::Clock;
use crate::{MS, SECOND};

/// What is the same in all states of one search.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) bounds: Bounds,
    pub(crate) names: Vec<MemberName>,
    pub(crate) clocks: Vec<Clock>,
    /// The end of what is covered, true time in ns.
    pub(crate) until: u64,
    /// How much has been done in this search, and by which rules.
    pub(crate) steps: Cell<u64>,
    pub(crate) met: RefCell<BTreeSet<&'static str>>,
}

/// An agent under way.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Agent {
    pub(crate) election: Election,
    /// Calls to the store that it waits for.
    waiting: BTreeSet<RequestId>,
    /// Bits of the peers whose channel it believes open.
    links: u8,
    /// Counts its engine processes.
    run: u64,
    /// It has asked its engine for a look.
    looks: bool,
    /// What the engine last said, and when.
    told: Option<(Arc<EngineView>, u64)>,
}

/// A member: its disks and what runs on them.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Member {
    /// Counts starts and ends of its agent: what was meant for another one is lost.
    life: u64,
    pub(crate) memory: Memory,
    files: Files,
    pub(crate) agent: Option<Agent>,
    pub(crate) engine: Option<Engine>,
    gate: GateDeadline,
    pub(crate) frozen: bool,
    /// What came while it was frozen.
    inbox: VecDeque<Due>,
}

/// A member, shared between the states that have it alike, with its fingerprint.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    member: Arc<Member>,
    print: Cell<Option<Print>>,
}

impl Shared {
    fn new(member: Member) -> Self {
        Self { member: Arc::new(member), print: Cell::new(None) }
    }

    fn edit(&mut self) -> &mut Member {
        self.print.set(None);
        Arc::make_mut(&mut self.member)
    }
}

impl Deref for Shared {
    type Target = Member;
    fn deref(&self) -> &Member {
        &self.member
    }
}

impl Hash for Shared {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let known = self.print.get();
        let print = known.unwrap_or_else(|| fingerprint::of(&*self.member));
        self.print.set(Some(print));
        print.hash(state);
    }
}

/// A call to the store.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Call {
    m: usize,
    life: u64,
    request: RequestId,
    /// `None`: a read.
    replace: Option<(Option<Version>, Box<Record>)>,
}

/// One thing that is due now.
#[derive(Clone, Debug, Hash)]
pub(crate) enum Due {
    Tick { m: usize, life: u64 },
    Hear { m: usize, life: u64, input: Arc<Input> },
    Persist { m: usize, life: u64, id: PersistId, memory: Arc<Memory> },
    Order { m: usize, life: u64, request: RequestId, command: Arc<EngineCommand> },
    Peer { from: usize, to: usize, message: Arc<Message> },
    Arrive(Arc<Call>),
    Answer { call: Arc<Call>, outcome: Arc<StoreOutcome> },
    Watch { m: usize, life: u64, shown: Arc<Option<(Version, Record)>> },
}

/// One thing that comes by itself at its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Timer {
    Unanswered { m: usize, life: u64, request: RequestId },
    Link { m: usize, life: u64, peer: usize },
    Loaded { m: usize, process: u64 },
    Synced { m: usize, process: u64 },
    Look { m: usize, life: u64 },
}

/// The record in its store.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Register {
    now: Option<(u64, Arc<Record>)>,
    before: Option<Arc<Record>>,
    writes: u64,
}

/// A whole state.
#[derive(Clone, Debug)]
pub(crate) struct Small {
    pub(crate) setting: Rc<Setting>,
    /// True time in ns.
    pub(crate) now: u64,
    pub(crate) members: Vec<Shared>,
    store: Register,
    pub(crate) net: Net,
    pub(crate) due: VecDeque<Due>,
    pub(crate) held: Vec<Due>,
    timers: BTreeSet<(u64, Timer)>,
    /// What has happened so far, of what the bounds allow.
    pub(crate) spent: Budget,
    pub(crate) faults: u8,
    processes: u64,
    terms: u64,
    writes: u64,
    judge: Judge,
    /// The first broken promise.
    pub(crate) broken: Option<Violation>,
    /// How many points of choice were passed, and the story, if it is wanted: no part of the state.
    pub(crate) points: u64,
    /// When the last of them was: now, wherever states are compared.
    last_point: u64,
    /// Something happened in this instant.
    lively: bool,
    pub(crate) story: Option<Vec<String>>,
}

impl Hash for Small {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // The number of faults is not hashed: a state that was reached with fewer covers all that
        // follows from it with more (`search`).
        (self.now, &self.members, &self.store, self.net).hash(state);
        (&self.due, &self.held, &self.timers, self.spent).hash(state);
        (self.processes, self.terms, self.writes, &self.judge).hash(state);
    }
}

/// How long an agent takes to see that a peer's channel is cut.
const LINK_SEEN: u64 = SECOND;
/// How long an engine reads its files.
const LOAD: u64 = 200 * MS;

impl Small {
    /// A group whose members are down and whose record says that nobody has led yet.
    pub(crate) fn new(bounds: &Bounds) -> Self {
        let n = bounds.members;
        let names: Vec<_> = (0..n).map(|i| MemberName(format!("orders-{i}"))).collect();
        let rate = |m: usize| if m == 0 { -bounds.drift_ppb } else { bounds.drift_ppb };
        let clock = |m| Clock { rate_ppb: rate(m), offset: 100 * SECOND };
        let clocks = (0..n).map(clock).collect();
        let member = |m: usize| Member {
            life: 0,
            memory: Memory { state_id: format!("s{m}"), ..Memory::default() },
            files: Files::default(),
            agent: None,
            engine: None,
            gate: GateDeadline::Open,
            frozen: false,
            inbox: VecDeque::new(),
        };
        let first = Record::first(names.clone(), bounds.timing.lease.as_millis());
        let store = Register { now: Some((1, Arc::new(first))), before: None, writes: 1 };
        Self {
            setting: Rc::new(Setting {
                bounds: bounds.clone(),
                names,
                clocks,
                until: u64::MAX,
                steps: Cell::new(0),
                met: RefCell::default(),
            }),
            now: 0,
            members: (0..n).map(|m| Shared::new(member(m))).collect(),
            store,
            net: Net::default(),
            due: VecDeque::new(),
            held: Vec::new(),
            timers: BTreeSet::new(),
            spent: Budget::NONE,
            faults: 0,
            processes: 0,
            terms: 0,
            writes: 0,
            judge: Judge::new(bounds.durability.copies()),
            broken: None,
            points: 0,
            last_point: 0,
            lively: true,
            story: None,
        }
    }

    pub(crate) fn bounds(&self) -> &Bounds {
        &self.setting.bounds
    }

    /// What a member's clock shows.
    fn local(&self, m: usize) -> Tick {
        self.setting.clocks[m].show(self.now)
    }

    fn index(&self, name: &MemberName) -> Option<usize> {
        self.setting.names.iter().position(|n| n == name)
    }

    /// Adds a line to the story.
    fn say(&mut self, who: &str, what: impl FnOnce() -> String) {
        let now = self.now / 1000;
        if let Some(story) = &mut self.story {
            let (s, us) = (now / 1_000_000, now % 1_000_000);
            story.push(format!("{s:>5}.{us:06}  {who:<6} {}", what()));
        }
    }

    fn note(&mut self, what: Happening) {
        let now = self.now;
        if let Some(violation) = self.judge.note(now, what) {
            self.broken.get_or_insert(violation);
        }
    }

    /// What is due is done, or else time goes on. False at the end of the time that is covered.
    pub(crate) fn go(&mut self) -> bool {
        self.setting.steps.set(self.setting.steps.get() + 1);
        match self.due.pop_front() {
            Some(due) => {
                self.lively |= self.is_lively(&due);
                self.handle(due);
            }
            None => return self.advance(),
        }
        true
    }

    /// Lets time go on to the next instant at which anybody wants anything.
    fn advance(&mut self) -> bool {
        let Some(next) = self.next_instant() else { return false };
        if next > self.setting.until {
            return false;
        }
        let second = |at: u64| at / SECOND;
        let new_second = second(next) > second(self.now);
        self.now = self.now.max(next);
        self.lively = false;
        for m in 0..self.members.len() {
            if new_second {
                self.sync_files(m);
            }
            self.gate_looks(m);
        }
        while let Some((at, timer)) = self.timers.first().copied() {
            if at > self.now {
                break;
            }
            self.timers.pop_first();
            self.fire(timer);
        }
        for m in 0..self.members.len() {
            if self.wakes_at(m).is_some_and(|at| at <= self.now) {
                let life = self.members[m].life;
                self.due.push_back(Due::Tick { m, life });
            }
        }
        self.watch_acks();
        true
    }

    fn next_instant(&self) -> Option<u64> {
        let wakes = (0..self.members.len()).filter_map(|m| self.wakes_at(m));
        let gates = (0..self.members.len()).filter_map(|m| self.gate_at(m));
        let timers = self.timers.first().map(|(at, _)| *at);
        wakes.chain(gates).chain(timers).min().map(|at| at.max(self.now))
    }

    /// When a member's agent wants to be called, in true time.
    fn wakes_at(&self, m: usize) -> Option<u64> {
        let member = &self.members[m];
        let agent = member.agent.as_ref().filter(|_| !member.frozen)?;
        let tick = agent.election.wake_at()?;
        Some(self.setting.clocks[m].when(tick).max(self.now))
    }

    fn timer(&mut self, after: u64, timer: Timer) {
        self.timers.insert((self.now + after, timer));
    }

    fn fire(&mut self, timer: Timer) {
        match timer {
            Timer::Unanswered { m, life, request } => {
                let input = Input::Store { request, outcome: StoreOutcome::Unanswered };
                if self.stops_waiting(m, life, request) {
                    self.hear(m, life, input);
                }
            }
            Timer::Link { m, life, peer } if self.members[m].life == life => self.link(m, peer),
            Timer::Link { .. } => {}
            Timer::Loaded { m, process } => self.loaded(m, process),
            Timer::Synced { m, process } => self.synced(m, process),
            Timer::Look { .. } => self.answer_looks(),
        }
    }

    fn hear(&mut self, m: usize, life: u64, input: Input) {
        self.due.push_back(Due::Hear { m, life, input: Arc::new(input) });
    }

    fn handle(&mut self, due: Due) {
        let to = due.to();
        if self.members[to].frozen && !matches!(due, Due::Arrive(_)) {
            self.members[to].edit().inbox.push_back(due);
            return;
        }
        match due {
            Due::Tick { m, life } => self.deliver(m, Some(life), Input::Tick),
            Due::Hear { m, life, input } => self.deliver(m, Some(life), unshared(input)),
            Due::Persist { m, life, id, memory } => self.persisted(m, life, id, &memory),
            Due::Order { m, life, request, command } => self.order(m, life, request, &command),
            Due::Peer { from, to, message } => {
                let from = self.setting.names[from].clone();
                self.deliver(to, None, Input::Peer { from, message: unshared(message) });
            }
            Due::Arrive(call) => self.arrives(&call, true),
            Due::Answer { call, outcome } => self.answers(&call, unshared(outcome)),
            Due::Watch { m, life, shown } => {
                if self.net.has_store(m) {
                    self.deliver(m, Some(life), Input::Watched(unshared(shown)));
                }
            }
        }
        self.watch_acks();
    }
}

/// What is in it, copied only when somebody else has it too.
fn unshared<T: Clone>(shared: Arc<T>) -> T {
    Arc::unwrap_or_clone(shared)
}

impl Due {
    /// Whom it happens to; of a call, whose it is.
    pub(crate) fn to(&self) -> usize {
        match self {
            Due::Tick { m, .. }
            | Due::Hear { m, .. }
            | Due::Persist { m, .. }
            | Due::Order { m, .. }
            | Due::Watch { m, .. }
            | Due::Peer { to: m, .. } => *m,
            Due::Arrive(call) | Due::Answer { call, .. } => call.m,
        }
    }
}
