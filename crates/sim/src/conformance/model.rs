//! Plays a script on the model.

use std::collections::{BTreeMap, VecDeque};

use ::engine::Capabilities;
use brain::{MemberId, MemberName};

use super::{Client, Copy, Look, Names, Process, Script, Seen, Setup, State, Step, Talk, Who};
use crate::prng::Prng;
use crate::server::{
    Ask, ClientCommand, Disk, Out, Reply, Role, Server, Stopping, Tuning, Why, Wire,
};
use crate::{MS, SECOND};

/// A time that no script reaches.
const NEVER: u64 = 1 << 60;
/// On the way between two engines.
const WAY: u64 = MS;
/// Between two looks at whether everything is still.
const LOOK: u64 = 100 * MS;
/// How long nothing may change before everything is taken to be still: longer than the crons, and
/// than the lag after which a replica no longer counts.
const STILL: u64 = 4 * SECOND;
/// By when everything must be still.
const DEADLINE: u64 = 60 * SECOND;

/// The states after each step, as an engine with these capabilities must show them. The error says
/// which expectation of the script the model does not meet.
pub fn play(script: &Script, can: &Capabilities) -> Result<Vec<State>, String> {
    let mut model = Model::new(&script.setup, can);
    let mut states = Vec::new();
    for (number, step) in script.steps.iter().enumerate() {
        model.take(step);
        let state = model.settle();
        let state =
            state.map_err(|why| format!("{}, step {number}, {step:?}: {why}", script.name))?;
        if let Step::Expect(place, field, value) = step {
            let found = state.get(&((*place).to_owned(), *field)).map_or("-", String::as_str);
            if found != *value {
                let name = script.name;
                return Err(format!(
                    "{name}, step {number}: {place}: {field}: wanted {value:?}, model {found:?}"
                ));
            }
        }
        states.push(state);
    }
    Ok(states)
}

enum Event {
    Wire { from: Who, to: Who, process: Option<u64>, conn: u64, wire: Wire },
    Alarm { who: Who, process: u64 },
    Cron { who: Who, process: u64 },
}

enum Queued {
    Wire { from: Who, conn: u64, wire: Wire },
    Client(ClientCommand),
}

struct Place {
    server: Option<Server>,
    disk: Disk,
    frozen: Option<VecDeque<Queued>>,
    full: u64,
    partial: u64,
    stopping: bool,
}

struct Model {
    setup: Setup,
    tuning: Tuning,
    waits_at_stop: bool,
    places: Vec<Place>,
    now: u64,
    processes: u64,
    events: BTreeMap<(u64, u64), Event>,
    sequence: u64,
    /// When the last message of a path arrives: they keep their order.
    paths: BTreeMap<(Who, Who), u64>,
    talks: BTreeMap<(Client, Who), Talk>,
    /// Commands without an answer: whose, and the answer's place among those of its talk.
    pending: BTreeMap<u64, (Client, Who)>,
    ops: u64,
    writes: u64,
    order: String,
    names: Names,
}

impl Model {
    fn new(setup: &Setup, can: &Capabilities) -> Self {
        let tuning = Tuning {
            persistence: setup.persistence,
            loses_tail: false,
            backlog_bytes: if setup.small_backlog { 600 } else { 1 << 20 },
            transfer: (20 * MS, 0),
            load: (5 * MS, 0),
            rewrite: (5 * MS, 0),
            flush_first: false,
            empty_loads_diskless: setup.empty_loads_diskless,
            counts_alone: can.counts_alone,
            offset_after_aof: can.offset_restored_after_aof,
            repl_timeout: NEVER,
            ping: setup.pings_s.map_or(NEVER, |s| s * SECOND),
            max_lag: setup.max_lag_s * SECOND,
            save_every: NEVER,
        };
        let place = || Place {
            server: None,
            disk: Disk::default(),
            frozen: None,
            full: 0,
            partial: 0,
            stopping: false,
        };
        Self {
            setup: *setup,
            tuning,
            waits_at_stop: can.shutdown_now,
            places: (0..setup.engines).map(|_| place()).collect(),
            now: 1000 * SECOND,
            processes: 0,
            events: BTreeMap::new(),
            sequence: 0,
            paths: BTreeMap::new(),
            talks: BTreeMap::new(),
            pending: BTreeMap::new(),
            ops: 0,
            writes: 0,
            order: String::new(),
            names: Names::default(),
        }
    }

    fn take(&mut self, step: &Step) {
        let now = self.now;
        match *step {
            Step::Start(who) => self.start(who, self.tuning),
            Step::StartSlowly(who) => {
                self.start(who, Tuning { load: (NEVER, 0), ..self.tuning });
            }
            Step::Kill(who) => self.end(who, false),
            Step::Stop(who) => self.end(who, true),
            Step::AskToStop(who) => self.ask_to_stop(who),
            Step::Wipe(who) => self.places[who].disk = Disk::default(),
            Step::Promote(who) => self.order(who, |s| s.promote(1)),
            Step::Follow(who, to) => self.order(who, |s| s.replicate(Some(to), now)),
            Step::Leave(who) => self.order(who, |s| s.replicate(None, now)),
            Step::Admit(who, users) => {
                let users = users.iter().map(|user| id(*user)).collect();
                self.order(who, |s| Ok(s.admit(users, now)));
            }
            Step::CutReplicas(who) => self.order(who, |s| Ok(s.cut_replicas(now))),
            Step::Pause(who, ms) => self.order(who, |s| Ok(s.pause(now + ms * MS))),
            Step::Unpause(who) => self.order(who, |s| Ok(s.unpause(now))),
            Step::MinReplicas(who, n) => self.order(who, |s| {
                s.set_min_replicas(n, now);
                Ok(Vec::new())
            }),
            Step::KillClients(who) => self.order(who, |s| Ok(s.kill_clients())),
            Step::Write(client, at, count) => self.write(client, at, count),
            Step::Wait(client, at, copies, ms) => {
                self.ask(client, at, Ask::Wait { copies, timeout: ms * MS });
            }
            Step::AskForStream(who) => self.ask_for_stream(who),
            Step::Save(who) => self.save(who),
            Step::BreakDisk(who) | Step::MendDisk(who) => {
                let fails = matches!(step, Step::BreakDisk(_));
                self.server(who, |s| s.break_disk(fails));
            }
            Step::SlowTransfer(who) => self.server(who, |s| s.set_transfer(NEVER)),
            Step::SlowRewrite(who) => self.server(who, |s| s.set_rewrite(NEVER)),
            Step::Freeze(who) => self.places[who].frozen = Some(VecDeque::new()),
            Step::Thaw(who) => self.thaw(who),
            Step::Nap(who, client, count) => {
                self.places[who].frozen = Some(VecDeque::new());
                self.write(client, who, count);
                self.pass(2 * SECOND);
                self.thaw(who);
            }
            Step::Hold | Step::Expect(..) => {}
        }
    }

    /// Lets time pass until nothing has changed for long enough.
    fn settle(&mut self) -> Result<State, String> {
        let end = self.now + DEADLINE;
        let mut state = self.state();
        let mut since = self.now;
        while self.now < end {
            self.pass(LOOK);
            let next = self.state();
            if next != state {
                state = next;
                since = self.now;
            } else if self.now - since >= STILL {
                // What was seen in passing gets no name: nobody else sees just that.
                let look = self.look();
                return Ok(self.names.state(&look));
            }
        }
        Err("the model never comes to rest".to_owned())
    }

    fn pass(&mut self, time: u64) {
        let end = self.now + time;
        while let Some(key) = self.events.range(..=(end, u64::MAX)).next().map(|(key, _)| *key) {
            self.now = key.0;
            if let Some(event) = self.events.remove(&key) {
                self.happen(event);
            }
            self.end_those_that_waited();
        }
        self.now = end;
    }

    fn after(&mut self, at: u64, event: Event) {
        self.sequence += 1;
        self.events.insert((at, self.sequence), event);
    }

    fn happen(&mut self, event: Event) {
        let now = self.now;
        match event {
            Event::Wire { from, to, process, conn, wire } => {
                let same = self.places[to].server.as_ref().map(|s| s.process) == process;
                if same && process.is_some() {
                    self.hear(from, to, conn, wire);
                } else if wire != Wire::Closed {
                    // Nobody listens there any more.
                    let process = self.process(from);
                    let wire = Wire::Closed;
                    let closed = Event::Wire { from: to, to: from, process, conn, wire };
                    self.after(now + WAY, closed);
                }
            }
            Event::Alarm { who, process } => {
                if self.is_turning(who, process) {
                    self.server(who, |s| s.alarm(now));
                }
            }
            Event::Cron { who, process } => {
                if self.process(who) == Some(process) {
                    self.after(now + SECOND, Event::Cron { who, process });
                }
                if self.is_turning(who, process) {
                    self.server(who, |s| s.cron(now));
                }
            }
        }
    }

    fn hear(&mut self, from: Who, to: Who, conn: u64, wire: Wire) {
        let now = self.now;
        if let Some(queue) = &mut self.places[to].frozen {
            queue.push_back(Queued::Wire { from, conn, wire });
        } else {
            self.server(to, |s| s.wire(from, conn, wire, now));
        }
    }

    fn process(&self, who: Who) -> Option<u64> {
        self.places[who].server.as_ref().map(|server| server.process)
    }

    fn is_turning(&self, who: Who, process: u64) -> bool {
        self.process(who) == Some(process) && self.places[who].frozen.is_none()
    }

    /// Does something with a server, and carries out what it wants done.
    fn server<T: Into<Outs>>(&mut self, who: Who, act: impl FnOnce(&mut Server) -> T) {
        let Some(server) = self.places[who].server.as_mut() else { return };
        let outs: Outs = act(server).into();
        self.outs(who, outs.0);
    }

    fn order(&mut self, who: Who, act: impl FnOnce(&mut Server) -> Result<Vec<Out>, String>) {
        let Some(server) = self.places[who].server.as_mut() else { return };
        match act(server) {
            Ok(outs) => {
                "OK".clone_into(&mut self.order);
                self.outs(who, outs);
            }
            Err(why) => why.split(' ').next().unwrap_or_default().clone_into(&mut self.order),
        }
    }

    fn outs(&mut self, who: Who, outs: Vec<Out>) {
        for out in outs {
            match out {
                Out::Wire { to, conn, wire, slow } => {
                    match wire {
                        Wire::FullBegin { .. } => self.places[who].full += 1,
                        Wire::Continue { .. } => self.places[who].partial += 1,
                        _ => {}
                    }
                    let last = self.paths.entry((who, to)).or_insert(0);
                    // A file that never ends holds up its own connection, not the next one's.
                    let slow = slow.min(NEVER);
                    let at = if slow == NEVER {
                        self.now + NEVER
                    } else {
                        *last = (self.now + WAY + slow).max(*last);
                        *last
                    };
                    let process = self.process(to);
                    self.after(at, Event::Wire { from: who, to, process, conn, wire });
                }
                Out::Alarm(at) => {
                    if let Some(process) = self.process(who) {
                        self.after(at, Event::Alarm { who, process });
                    }
                }
                Out::Reply { op, reply, .. } => self.answer(op, reply),
            }
        }
    }

    fn start(&mut self, who: Who, tuning: Tuning) {
        self.processes += 1;
        let process = self.processes;
        let rng = Prng::new(process);
        let place = &mut self.places[who];
        let disk = std::mem::take(&mut place.disk);
        let (server, outs) = Server::start((who, process, id(who)), tuning, disk, self.now, rng);
        (place.full, place.partial, place.stopping) = (0, 0, false);
        place.server = Some(server);
        self.outs(who, outs);
        // Between two looks, so that none falls into the middle of what a cron begins.
        self.after(self.now + SECOND - LOOK / 3, Event::Cron { who, process });
    }

    fn end(&mut self, who: Who, clean: bool) {
        let Some(server) = self.places[who].server.take() else { return };
        self.places[who].frozen = None;
        let mut conns: Vec<_> = server.attached.iter().map(|(c, a)| (a.member, *c)).collect();
        if let (Role::Replica { upstream: Some(to) }, Some(conn)) =
            (server.role, server.upstream_conn())
        {
            conns.push((to, conn));
        }
        self.places[who].disk = server.die(clean);
        for (to, conn) in conns {
            let process = self.process(to);
            let event = Event::Wire { from: who, to, process, conn, wire: Wire::Closed };
            self.after(self.now + WAY, event);
        }
        let ended: Vec<u64> =
            self.pending.iter().filter(|(_, (_, at))| *at == who).map(|(op, _)| *op).collect();
        for op in ended {
            self.answer(op, Reply::Closed);
        }
    }

    fn ask_to_stop(&mut self, who: Who) {
        let Some(server) = self.places[who].server.as_ref() else { return };
        match server.stopping() {
            Stopping::Refused => {}
            Stopping::Waits if self.waits_at_stop => {
                self.places[who].stopping = true;
                let now = self.now;
                self.server(who, |s| s.pause(now + NEVER));
            }
            _ => self.end(who, true),
        }
    }

    fn end_those_that_waited(&mut self) {
        for who in 0..self.places.len() {
            let place = &self.places[who];
            let ends = |server: &Server| server.stopping() == Stopping::Ends;
            if place.stopping && place.server.as_ref().is_some_and(ends) {
                self.end(who, true);
            }
        }
    }

    fn thaw(&mut self, who: Who) {
        let now = self.now;
        for queued in self.places[who].frozen.take().unwrap_or_default() {
            match queued {
                Queued::Wire { from, conn, wire } => {
                    self.server(who, |s| s.wire(from, conn, wire, now));
                }
                Queued::Client(command) => self.server(who, |s| s.command(command, now)),
            }
        }
        self.server(who, |s| s.alarm(now));
        self.server(who, |s| s.cron(now));
    }

    fn save(&mut self, who: Who) {
        self.server(who, Server::save_now);
        let failed = self.places[who].server.as_ref().is_some_and(Server::save_failed);
        if failed { "ERR" } else { "OK" }.clone_into(&mut self.order);
    }

    fn ask_for_stream(&mut self, who: Who) {
        let Some(server) = self.places[who].server.as_mut() else { return };
        // The default user, as whom the question comes, is always on.
        let why = server.keeps_its_stream(None);
        why.map_or("FULLRESYNC", why_word).clone_into(&mut self.order);
    }

    fn write(&mut self, client: Client, at: Who, count: usize) {
        for _ in 0..count {
            self.writes += 1;
            self.ask(client, at, Ask::Write(self.writes));
        }
    }

    fn ask(&mut self, client: Client, at: Who, what: Ask) {
        self.ops += 1;
        let op = self.ops;
        self.talks.entry((client, at)).or_default().pending += 1;
        self.pending.insert(op, (client, at));
        let command = ClientCommand { client, op, what };
        let now = self.now;
        if self.places[at].server.is_none() {
            self.answer(op, Reply::Closed);
        } else if let Some(queue) = &mut self.places[at].frozen {
            queue.push_back(Queued::Client(command));
        } else {
            self.server(at, |s| s.command(command, now));
        }
    }

    fn answer(&mut self, op: u64, reply: Reply) {
        let Some(talk) = self.pending.remove(&op) else { return };
        let Some(talk) = self.talks.get_mut(&talk) else { return };
        talk.pending -= 1;
        talk.answers.push(match reply {
            Reply::Written { .. } => "OK".to_owned(),
            Reply::Copies(copies) => copies.to_string(),
            Reply::Refused(why) => why_word(why).to_owned(),
            Reply::Closed => "ended".to_owned(),
        });
    }

    fn state(&self) -> State {
        self.names.clone().state(&self.look())
    }

    fn look(&self) -> Look {
        let engines = self.places.iter().map(|place| match &place.server {
            None => Process::Gone,
            Some(_) if place.frozen.is_some() => Process::Frozen,
            Some(server) => Process::Runs(Box::new(seen(server, place))),
        });
        Look {
            engines: engines.collect(),
            talks: self.talks.clone(),
            order: self.order.clone(),
            pings: self.setup.pings_s.is_some(),
        }
    }
}

/// What a call wants done: some calls want nothing.
struct Outs(Vec<Out>);

impl From<Vec<Out>> for Outs {
    fn from(outs: Vec<Out>) -> Self {
        Self(outs)
    }
}

impl From<()> for Outs {
    fn from((): ()) -> Self {
        Self(Vec::new())
    }
}

fn seen(server: &Server, place: &Place) -> Seen {
    let names: Vec<MemberName> = (0..16).map(|who| MemberName(format!("{who}"))).collect();
    let view = server.view(&names);
    let copies = server.attached.values();
    let copies = copies.map(|a| Copy { who: a.member, online: a.online, acked: a.acked });
    let guard =
        (server.min_replicas > 0).then(|| (server.min_replicas, u64::from(server.good_replicas())));
    Seen {
        loading: view.loading,
        is_primary: view.is_primary,
        upstream: match server.role {
            Role::Replica { upstream } => upstream,
            Role::Primary => None,
        },
        link_up: view.link_up,
        syncing: view.sync_in_progress,
        replid: server.replid.clone(),
        replid2: server.replid2.clone(),
        second: server.second,
        position: view.offset.map(|offset| offset.0),
        offset: server.offset,
        copies: copies.collect(),
        writes: (!view.loading).then(|| server.data.clone()),
        full: place.full,
        partial: place.partial,
        guard,
        misconfigured: view.misconfigured,
    }
}

fn why_word(why: Why) -> &'static str {
    match why {
        Why::Loading => "LOADING",
        Why::ReadOnly => "READONLY",
        Why::NoReplicas => "NOREPLICAS",
        Why::MisConf => "MISCONF",
        Why::NoMasterLink => "NOMASTERLINK",
        Why::WrongPass => "WRONGPASS",
        Why::NotHere => "ERR",
    }
}

fn id(who: Who) -> MemberId {
    let who = who.to_string();
    MemberId { name: MemberName(who.clone()), pod: who.clone(), state: who }
}
