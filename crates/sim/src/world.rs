//! The world: a queue of events in true time, and everything that they happen to.

mod agents;
mod clients;
mod engines;
mod nemesis;
mod stores;
mod twins;
pub(crate) mod words;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};

use brain::{
    AskId, Election, Ended, EngineCommand, GateDeadline, Input, MemberId, MemberName, Memory,
    Message, PersistId, Record, RequestId, Route, Tick, Version,
};

use crate::faults::{Fault, Stuck};
use crate::history::{Happening, History, Write};
use crate::network::{Network, Plane};
use crate::plan::Plan;
use crate::prng::Prng;
use crate::server::{ClientCommand, Disk, Reply, Server, Tuning, Wire};
use crate::store::Store;
use crate::trace::{Keep, Trace};
use crate::workload::Client;
use crate::{MS, SECOND};

/// A host's clock: BOOTTIME runs a little fast or slow and began at another time.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// Parts per billion.
    pub rate_ppb: i64,
    /// What it showed at true time 0, ns.
    pub offset: u64,
}

impl Clock {
    /// What it shows at this true time.
    pub fn show(&self, true_ns: u64) -> Tick {
        let drift = i128::from(true_ns) * i128::from(self.rate_ppb) / 1_000_000_000;
        Tick((i128::from(true_ns) + drift) as u64 + self.offset)
    }

    /// The first true time at which it shows at least this.
    pub fn when(&self, tick: Tick) -> u64 {
        let local = i128::from(tick.0.saturating_sub(self.offset));
        let guess = local * 1_000_000_000 / (1_000_000_000 + i128::from(self.rate_ppb));
        let mut at = guess.max(2) as u64 - 2;
        while self.show(at) < tick {
            at += 1;
        }
        at
    }
}

/// One member: its host's clock, its files, and what runs there.
#[derive(Debug)]
pub struct Member {
    /// Its name.
    pub name: MemberName,
    /// Its host's clock.
    pub clock: Clock,
    /// Counts its pods.
    pub pod: u64,
    /// Counts its agents; what was meant for an earlier one is lost.
    pub life: u64,
    /// The state file.
    pub memory: Option<Memory>,
    /// The data files, while no engine runs.
    pub disk: Disk,
    /// The agent, while it runs.
    pub agent: Option<Agent>,
    /// The engine, while it runs.
    pub server: Option<Server>,
    /// What the gate's file says.
    pub gate: GateDeadline,
    /// The engine's loop does not turn: since when, why, and what waits for it.
    pub stuck: Option<(u64, Stuck)>,
    /// What the kernel holds for a stuck engine.
    queued: VecDeque<Queued>,
    /// How it differs from the plan, in a script.
    pub ways: Ways,
    /// What the copies hold that were set aside before full syncs.
    pub set_aside: BTreeSet<Write>,
    /// The offset and the writes of its engine, while that was the primary, at its agent's last
    /// look.
    looked: (u64, usize),
    /// How many of these writes its state file vouches for.
    pub known: usize,
    /// A healing has left it broken: nothing is asked of it any more.
    pub broken: bool,
    /// So that its cuts stay.
    cut_off: Vec<(Plane, usize, usize)>,
    /// It is to be started again at this time; a fault is under way.
    pub back_at: Option<u64>,
    roomy: bool,
    /// Its disk takes no snapshot.
    saves_fail: bool,
    /// Its state file was taken away while its agent runs.
    wiped: bool,
    /// Its pod was deleted by force and it lives on: what of its disk the one has that was made in
    /// its place.
    pub(crate) heir: Option<Vec<Write>>,
}

/// What a script gives one member instead of the plan's way.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ways {
    /// Its profile, from its agent's next start on.
    pub timing: Option<brain::Timing>,
    /// What a write is worth to it, from its agent's next start on.
    pub durability: Option<brain::Durability>,
    /// Whose acks hold authority by its spec, from its agent's next start on.
    pub failsafe: Option<brain::Failsafe>,
    /// Typical time to put its state file on disk, ns; what is under way when it dies is lost.
    pub fsync: Option<u64>,
    /// How much longer its engine lets its agent's commands wait, ns.
    pub slow_orders: u64,
}

/// An agent under way: the election and the hands around it.
#[derive(Debug)]
pub struct Agent {
    /// The production election.
    pub election: Election,
    /// What it has not heard because it was frozen.
    inbox: VecDeque<Input>,
    /// It does not run.
    pub frozen: bool,
    /// It has thawed and ordered its engine to let go at that very instant; the engine has not yet.
    letting_go: Option<RequestId>,
    wake: (Option<Tick>, u64),
    /// Persists in order, the first under way.
    persists: VecDeque<(PersistId, Memory)>,
    /// Engine commands in order.
    commands: VecDeque<(RequestId, EngineCommand)>,
    /// The command under way.
    busy: Option<Busy>,
    /// Counts engine processes of this agent.
    run: u64,
    /// Calls to the store without an answer yet.
    calls: BTreeSet<u64>,
    /// Peers whose channel is open.
    links: BTreeSet<usize>,
    /// What was answered to wishes.
    pub answers: Vec<(AskId, Result<String, String>)>,
    spins: u32,
    last_second: u64,
}

#[derive(Clone, Debug)]
struct Busy {
    request: RequestId,
    token: u64,
    dead_end: bool,
}

/// What the kernel holds for a stuck engine.
#[derive(Clone, Debug)]
enum Queued {
    Client(ClientCommand),
    Agent { life: u64, token: u64, request: RequestId, command: EngineCommand, asked: Tick },
    Wire { from: usize, conn: u64, wire: Wire },
}

/// A call to the store.
#[derive(Clone, Debug)]
struct Call {
    member: usize,
    life: u64,
    request: RequestId,
    /// `None`: a read.
    replace: Option<(Option<Version>, Box<Record>)>,
    /// The store's upheavals when it was sent.
    upheavals: u32,
    /// After how long the answer is back; `None`: never.
    answers: Option<u64>,
    outcome: Option<brain::StoreOutcome>,
}

/// What a cut path holds: when it was sent, on which connection, what.
type HeldWire = (u64, u64, Wire);

/// One thing due.
#[derive(Clone, Debug)]
enum What {
    Wake { m: usize, life: u64, token: u64 },
    Hear { m: usize, life: u64, input: Box<Input> },
    Peer { from: usize, to: usize, message: Box<Message> },
    Link { m: usize, life: u64, peer: usize },
    StoreArrive(u64),
    StoreAnswer(u64),
    StoreTimeout(u64),
    Watch { m: usize, life: u64, shown: Box<Option<(Version, Record)>> },
    Relist { m: usize, life: u64 },
    Persisted { m: usize, life: u64 },
    Order { m: usize, life: u64, token: u64, request: RequestId, command: EngineCommand },
    OrderTimeout { m: usize, life: u64, token: u64 },
    OrderDone { m: usize, life: u64, token: u64, input: Box<Input> },
    StartServer { m: usize, life: u64 },
    StopServer { m: usize, process: u64 },
    Silence { m: usize, life: u64 },
    Wire { from: usize, to: usize, sent: u64, conn: u64, wire: Box<Wire> },
    Cron { m: usize, process: u64 },
    Alarm { m: usize, process: u64 },
    Gate { m: usize, process: u64 },
    Client { c: usize, token: u64 },
    ClientTimeout { c: usize, op: u64 },
    Command { m: usize, process: u64, command: ClientCommand },
    ClientReply { c: usize, op: u64, reply: Reply },
    Routed { m: usize, life: u64, route: Box<Route> },
    Certified { m: usize, ended: Box<Ended> },
    Nemesis,
    Undo(Box<Fault>),
    Return { m: usize, life: u64 },
    Grace { m: usize, life: u64, kill: Box<Fault> },
}

/// What is on its way from one engine to another: it is heard in the order of its sending.
#[derive(Debug, Default)]
struct OnWire {
    /// Sent, and not heard yet.
    sent: BTreeSet<u64>,
    /// Of these, what has come.
    early: BTreeMap<u64, (u64, Wire)>,
}

impl OnWire {
    /// What is to be heard next, if it has come.
    fn next(&mut self) -> Option<(u64, Wire)> {
        let first = *self.sent.first()?;
        let next = self.early.remove(&first)?;
        self.sent.remove(&first);
        Some(next)
    }
}

#[derive(Debug)]
struct Due {
    at: u64,
    seq: u64,
    what: What,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.seq) == (other.at, other.seq)
    }
}
impl Eq for Due {}
impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Due {
    /// The earliest is the greatest: the heap gives it first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.seq).cmp(&(self.at, self.seq))
    }
}

/// A whole world.
#[derive(Debug)]
pub struct World {
    /// Its shape.
    pub plan: Plan,
    /// True time, ns.
    pub now: u64,
    /// Its members; after those that it began with, whoever was made in the place of one.
    pub members: Vec<Member>,
    /// How each member's engine behaves: the plan's way, unless a script says otherwise.
    pub tunings: Vec<Tuning>,
    /// Its store.
    pub store: Store,
    /// Its paths.
    pub network: Network,
    /// Where clients are sent.
    pub route: Option<Route>,
    /// To whom that leads.
    route_at: usize,
    /// Its clients.
    pub clients: Vec<Client>,
    /// What clients saw.
    pub history: History,
    /// What happened.
    pub trace: Trace,
    /// How often each rule of the brain gave a reason.
    pub rules: BTreeMap<&'static str, u64>,
    /// How often each kind of effect was begun.
    pub effects: BTreeMap<&'static str, u64>,
    /// How often each kind of fault was made.
    pub faults_made: BTreeMap<String, u64>,
    /// How many faults the nemesis has drawn: made or skipped.
    pub faults_drawn: u64,
    /// Intercepts messages and calls, for scripts.
    pub(crate) hooks: crate::script::Hooks,
    rng: Prng,
    /// Of every member; two may share one.
    names: Vec<MemberName>,
    /// Who has each name of the group, as Kubernetes knows it.
    stands: Vec<usize>,
    /// Whose agent another one's is connected to under a name, where that is not who has it now.
    dialled: BTreeMap<(usize, usize), usize>,
    queue: BinaryHeap<Due>,
    seq: u64,
    ids: u64,
    terms: u64,
    writes: Write,
    calls: BTreeMap<u64, Call>,
    held_wires: BTreeMap<(usize, usize), Vec<HeldWire>>,
    on_wires: BTreeMap<(usize, usize), OnWire>,
    /// Whose engine stands at whose address now.
    reused: BTreeMap<usize, usize>,
    /// Connections that reached another engine than the one that was dialled: who dialled, and whom
    /// it reached.
    strayed: BTreeMap<u64, (usize, usize)>,
    held_peers: BTreeMap<(usize, usize), Vec<Message>>,
    late: BTreeSet<Write>,
    term_acked: BTreeSet<u64>,
    chaos_until: u64,
    healed: bool,
    last_ack: u64,
    told: Vec<BTreeMap<String, String>>,
    watched: Vec<u64>,
}

impl World {
    /// A world in which every member is about to start, and the first record stands in the store.
    pub fn new(plan: Plan, keep: Keep) -> Self {
        let mut rng = Prng::new(plan.seed);
        let names: Vec<_> = (0..plan.members).map(|i| MemberName(format!("orders-{i}"))).collect();
        let members = names.iter().map(|name| Member::new(name.clone(), &plan, &mut rng)).collect();
        let mut store = Store::default();
        store.put(Record::first(names.clone(), plan.timing.lease.as_millis()));
        let history =
            History { copies: plan.durability.copies(), gate: plan.gate, ..History::default() };
        let clients = (0..plan.clients).map(|_| Client::new(&plan, &mut rng)).collect();
        let mut world = Self {
            now: 0,
            members,
            tunings: vec![plan.tuning; plan.members],
            store,
            network: Network::new(plan.weather),
            route: None,
            route_at: 0,
            clients,
            history,
            trace: Trace::new(keep),
            rules: BTreeMap::new(),
            effects: BTreeMap::new(),
            faults_made: BTreeMap::new(),
            faults_drawn: 0,
            hooks: crate::script::Hooks::default(),
            rng,
            names,
            stands: (0..plan.members).collect(),
            dialled: BTreeMap::new(),
            queue: BinaryHeap::new(),
            seq: 0,
            ids: 0,
            terms: 0,
            writes: 0,
            calls: BTreeMap::new(),
            held_wires: BTreeMap::new(),
            on_wires: BTreeMap::new(),
            reused: BTreeMap::new(),
            strayed: BTreeMap::new(),
            held_peers: BTreeMap::new(),
            late: BTreeSet::new(),
            term_acked: BTreeSet::new(),
            chaos_until: plan.chaos,
            healed: false,
            last_ack: 0,
            told: vec![BTreeMap::new(); plan.members],
            watched: vec![0; plan.members],
            plan,
        };
        world.open();
        world
    }

    fn open(&mut self) {
        for m in 0..self.members.len() {
            let after = self.rng.range(0, 500 * MS);
            self.members[m].back_at = Some(after);
            self.after(after, What::Return { m, life: 0 });
        }
        for c in 0..self.clients.len() {
            let after = self.rng.range(100 * MS, SECOND);
            self.after(after, What::Client { c, token: 0 });
        }
        if self.plan.nemesis.every > 0 {
            let first = 3 * SECOND + self.plan.nemesis.pause(&mut self.rng);
            self.after(first, What::Nemesis);
        }
    }

    /// Runs the faults, heals, and waits until the group is whole or its time is over; then the
    /// history has its end.
    pub fn run(&mut self) {
        while self.now < self.chaos_until && self.step() {}
        self.heal();
        let until = self.now + self.plan.quiesce;
        let mut person_at = self.now + self.plan.quiesce / 2;
        let mut whole_since = None;
        let mut look_at = self.now;
        while self.now < until && self.step() {
            if self.now < look_at {
                continue;
            }
            look_at = self.now + SECOND / 4;
            let paused = self.store.record.as_ref().is_some_and(|(_, r)| r.paused);
            let unled = self.primaries().iter().all(|m| self.members[*m].broken);
            if self.now >= person_at && (paused || unled) {
                self.a_person_helps();
                person_at = self.now + 20 * SECOND;
            }
            match (self.is_whole(), whole_since) {
                (true, None) => whole_since = Some(self.now),
                (true, Some(since)) if self.now - since > 2 * SECOND => break,
                (true, Some(_)) => {}
                (false, _) => whole_since = None,
            }
        }
        self.finish();
    }

    /// Handles the next event; false when nothing is left to happen.
    pub fn step(&mut self) -> bool {
        let Some(due) = self.queue.pop() else { return false };
        self.now = self.now.max(due.at);
        self.handle(due.what);
        true
    }

    /// Handles events until this true time.
    pub fn run_until(&mut self, until: u64) {
        while self.queue.peek().is_some_and(|due| due.at <= until) {
            self.step();
        }
        self.now = self.now.max(until);
    }

    fn after(&mut self, delay: u64, what: What) {
        self.at(self.now + delay, what);
    }

    fn at(&mut self, at: u64, what: What) {
        self.seq += 1;
        self.queue.push(Due { at: at.max(self.now), seq: self.seq, what });
    }

    fn id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    fn handle(&mut self, what: What) {
        let kind = words::kind(&what);
        self.trace.event(self.now, kind.0, kind.1);
        match what {
            What::Wake { m, life, token } => self.wake(m, life, token),
            What::Hear { m, life, input } => self.hear(m, life, *input),
            What::Peer { from, to, message } => self.peer_arrives(from, to, *message),
            What::Link { m, life, peer } => self.link(m, life, peer),
            What::StoreArrive(call) => self.store_arrives(call),
            What::StoreAnswer(call) => self.store_answers(call),
            What::StoreTimeout(call) => self.store_times_out(call),
            What::Watch { m, life, shown } => self.watch(m, life, *shown),
            What::Relist { m, life } => self.relist(m, life),
            What::Persisted { m, life } => self.persisted(m, life),
            What::Order { m, life, token, request, command } => {
                self.order_arrives(m, (life, token, request), command);
            }
            What::OrderTimeout { m, life, token } => self.order_times_out(m, life, token),
            What::OrderDone { m, life, token, input } => self.order_done(m, life, token, *input),
            What::StartServer { m, life } => self.start_server(m, life),
            What::StopServer { m, process } => self.stop_server(m, process),
            What::Silence { m, life } => self.silence(m, life),
            What::Wire { from, to, sent, conn, wire } => {
                self.wire_arrives((from, to), sent, conn, *wire);
            }
            What::Cron { m, process } => self.cron(m, process),
            What::Alarm { m, process } => self.alarm(m, process),
            What::Gate { m, process } => self.gate_looks(m, process),
            What::Client { c, token } => self.client_acts(c, token),
            What::ClientTimeout { c, op } => self.client_times_out(c, op),
            What::Command { m, process, command } => self.command_arrives(m, process, command),
            What::ClientReply { c, op, reply } => self.client_hears(c, op, reply),
            What::Routed { m, life, route } => self.routed(m, life, *route),
            What::Certified { m, ended } => self.certified(m, *ended),
            What::Nemesis => self.nemesis(),
            What::Undo(fault) => self.undo(*fault),
            What::Return { m, life } => self.member_returns(m, life),
            What::Grace { m, life, kill } if self.members[m].life == life => self.make(*kill),
            What::Grace { .. } => {}
        }
    }

    /// Says a line of the trace about a member.
    fn say(&mut self, m: usize, what: impl FnOnce() -> String) {
        if self.trace.wanted() {
            let who = format!("{}.{}", m, self.members[m].life);
            self.trace.line(self.now, &who, what);
        }
    }

    /// What a member's clock shows now.
    pub fn local(&self, m: usize) -> Tick {
        self.members[m].clock.show(self.now)
    }

    /// The number of the member that has this name now.
    pub fn index(&self, name: &MemberName) -> Option<usize> {
        self.names.iter().position(|n| n == name).map(|i| self.stands[i])
    }

    /// The name of a member.
    pub fn name(&self, m: usize) -> MemberName {
        self.names[m].clone()
    }

    /// Who a member is now, as the electorate names it.
    pub fn identity(&self, m: usize) -> MemberId {
        let member = &self.members[m];
        MemberId {
            name: member.name.clone(),
            pod: format!("pod{}-{}", m, member.pod),
            state: member.memory.as_ref().map_or(String::new(), |s| s.state_id.clone()),
        }
    }

    fn note(&mut self, what: Happening) {
        self.history.add(self.now, what);
    }

    /// Whether two places can talk both ways.
    pub fn connected(&self, plane: Plane, a: usize, b: usize) -> bool {
        self.network.both(plane, a, b)
    }
}

/// One finished run in numbers.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// The plan in one line.
    pub plan: String,
    /// Simulated seconds.
    pub seconds: u64,
    /// Events handled.
    pub events: u64,
    /// Writes acknowledged.
    pub acked: u64,
    /// WAITs that were answered with enough copies.
    pub waited: u64,
    /// Promotions.
    pub promotions: u64,
    /// Acknowledged writes lost that nobody had waited for.
    pub lost_unwaited: u64,
    /// Acknowledgements that leaked out of a thawed process without a gate.
    pub leaked: u64,
    /// What it came to: see [`crate::swarm::STORIES`].
    pub stories: Vec<String>,
}

impl World {
    /// This run in numbers.
    pub fn summary(&self) -> Summary {
        let h = &self.history;
        let k = h.copies;
        let waited = |e: &Happening| matches!(e, Happening::Waited { copies, .. } if *copies >= k);
        Summary {
            plan: format!("{}\n{}", self.plan.summary(), self.describe()),
            seconds: self.now / SECOND,
            events: self.trace.events(),
            acked: h.acked() as u64,
            waited: h.count(waited) as u64,
            promotions: h.count(|e| matches!(e, Happening::Promoted { .. })) as u64,
            lost_unwaited: crate::check::acked_writes::lost_unwaited(h) as u64,
            leaked: crate::check::one_primary::leaked(h) as u64,
            stories: crate::swarm::told_stories(self),
        }
    }
}

impl Member {
    fn new(name: MemberName, plan: &Plan, rng: &mut Prng) -> Self {
        let drift = rng.range(0, 2 * plan.drift_ppb) as i64 - plan.drift_ppb as i64;
        Self {
            name,
            clock: Clock { rate_ppb: drift, offset: rng.range(100, 1_000_000) * SECOND },
            pod: 0,
            life: 0,
            memory: None,
            disk: Disk::default(),
            agent: None,
            server: None,
            gate: GateDeadline::Open,
            stuck: None,
            queued: VecDeque::new(),
            ways: Ways::default(),
            set_aside: BTreeSet::new(),
            looked: (0, 0),
            known: 0,
            broken: false,
            cut_off: Vec::new(),
            back_at: None,
            roomy: true,
            saves_fail: false,
            wiped: false,
            heir: None,
        }
    }

    /// Of what it held before, no more than the first so many writes are still vouched for.
    fn vouch_at_most(&mut self, writes: usize) {
        self.looked.1 = self.looked.1.min(writes);
        self.known = self.known.min(writes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_shows_a_tick_exactly_when_it_says() {
        for rate_ppb in [-1_000_000, -3, 0, 7, 1_000_000] {
            let clock = Clock { rate_ppb, offset: 42 };
            for tick in [42, 1_000_000_042, 123_456_789_000] {
                let at = clock.when(Tick(tick));
                assert!(clock.show(at) >= Tick(tick), "{rate_ppb} {tick}");
                assert!(at == 0 || clock.show(at - 1) < Tick(tick), "{rate_ppb} {tick} {at}");
            }
        }
    }
}
