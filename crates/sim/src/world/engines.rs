//! Engine processes in the world: orders of their agents, connections, freezes, the gate, deaths.

use std::collections::BTreeSet;

use brain::{EngineCommand, EngineNews, Exit, GateDeadline, Input, ProcessState, RequestId, Tick};

use super::{Busy, Queued, What, World};
use crate::faults::Stuck;
use crate::history::{Happening, Write};
use crate::network::{OUTSIDE, Plane};
use crate::server::{ClientCommand, Disk, Out, Reply, Role, Server, Wire};
use crate::{MS, SECOND};

/// How long an agent waits for an engine's answer.
const ORDER_TIMEOUT: u64 = SECOND;

impl World {
    /// Begins the next order, if none is under way.
    pub(super) fn pump(&mut self, m: usize) {
        let life = self.members[m].life;
        let token = self.id();
        let Some(agent) = self.members[m].agent.as_mut() else { return };
        if agent.busy.is_some() {
            return;
        }
        let Some((request, command)) = agent.commands.pop_front() else { return };
        let dead_end = command == EngineCommand::DeadEnd;
        agent.busy = Some(Busy { request, token, dead_end });
        if command == EngineCommand::Start {
            let delay = self.rng.range(5 * MS, 50 * MS);
            self.after(delay, What::StartServer { m, life });
            return;
        }
        let delay = self.rng.latency(MS / 5) + self.members[m].ways.slow_orders;
        self.after(delay, What::Order { m, life, token, request, command });
        self.after(ORDER_TIMEOUT, What::OrderTimeout { m, life, token });
    }

    pub(super) fn order_arrives(
        &mut self,
        m: usize,
        (life, token, request): (u64, u64, RequestId),
        command: EngineCommand,
    ) {
        let (absent, stuck) = (self.members[m].server.is_none(), self.members[m].stuck.is_some());
        // Files get a second name without a word to the engine: it may hang, or be dead.
        if command == EngineCommand::SetAside && (absent || stuck) {
            self.set_aside(m);
            let input = Box::new(Input::Engine(EngineNews::Did { request, result: Ok(()) }));
            self.after(MS / 10, What::OrderDone { m, life, token, input });
            return;
        }
        if absent {
            let result = Err("no engine runs".to_owned());
            let input = Input::Engine(EngineNews::Did { request, result });
            self.after(MS / 10, What::OrderDone { m, life, token, input: Box::new(input) });
            return;
        }
        let asked = self.local(m);
        if stuck {
            let queued = Queued::Agent { life, token, request, command, asked };
            self.members[m].queued.push_back(queued);
            return;
        }
        self.carry_out(m, (life, token, request), command, asked);
    }

    fn carry_out(
        &mut self,
        m: usize,
        (life, token, request): (u64, u64, RequestId),
        command: EngineCommand,
        asked: Tick,
    ) {
        if self.gate_closed(m) {
            return;
        }
        let run = self.members[m].agent.as_mut().map_or(0, |a| {
            a.letting_go.take_if(|order| *order == request);
            a.run
        });
        let news = if command == EngineCommand::Observe {
            self.follow_where_it_moved(m);
            let names = &self.names;
            let member = &mut self.members[m];
            let Some(server) = member.server.as_ref() else { return };
            if server.role == Role::Primary {
                member.looked = (server.offset, server.data.len());
            }
            EngineNews::Seen { run, asked, view: server.view(names) }
        } else {
            EngineNews::Did { request, result: self.execute(m, command) }
        };
        let delay = self.rng.latency(MS / 5);
        let input = Box::new(Input::Engine(news));
        self.after(delay, What::OrderDone { m, life, token, input });
    }

    /// Keeps the files as they are.
    fn set_aside(&mut self, m: usize) {
        let member = &mut self.members[m];
        let held = member.server.as_ref().map_or(&member.disk.data, |server| &server.data);
        member.set_aside.extend(held);
    }

    fn execute(&mut self, m: usize, command: EngineCommand) -> Result<(), String> {
        let now = self.now;
        let upstream = match &command {
            EngineCommand::Follow(name) => self.index(name),
            _ => None,
        };
        if command == EngineCommand::Promote {
            return self.promote(m);
        }
        if command == EngineCommand::SetAside {
            self.set_aside(m);
            return Ok(());
        }
        let Some(server) = self.members[m].server.as_mut() else { return Err(String::new()) };
        let outs = match command {
            EngineCommand::DeadEnd => server.replicate(None, now)?,
            EngineCommand::Follow(_) => server.replicate(upstream, now)?,
            EngineCommand::PauseWrites(span) => server.pause(now + span.0),
            EngineCommand::Unpause => server.unpause(now),
            EngineCommand::KillClients => server.kill_clients(),
            EngineCommand::Admit(users) => server.admit(users, now),
            EngineCommand::MinReplicas(n) => {
                server.set_min_replicas(n, now);
                Vec::new()
            }
            EngineCommand::Shutdown => {
                let process = server.process;
                let outs = server.pause(now + 10 * SECOND);
                let delay = self.rng.range(10 * MS, 300 * MS);
                self.after(delay, What::StopServer { m, process });
                outs
            }
            EngineCommand::Start
            | EngineCommand::SetAside
            | EngineCommand::Observe
            | EngineCommand::Kill
            | EngineCommand::Promote => Vec::new(),
        };
        self.outs(m, outs);
        Ok(())
    }

    fn promote(&mut self, m: usize) -> Result<(), String> {
        // The order of an agent that has died meanwhile was for the epoch that it led last.
        let led = self.members[m].memory.as_ref().map_or(0, |memory| memory.led.0);
        let epoch = self.report(m).map_or(led, |r| r.epoch);
        let Some(server) = self.members[m].server.as_mut() else { return Err(String::new()) };
        let was = server.role;
        let term = self.terms + 1;
        let outs = server.promote(term)?;
        if was != Role::Primary {
            self.terms = term;
            // One that a sync has emptied is empty, not half: whether it may lead, others say. What
            // it holds as a primary from then on is all that there is.
            let held = server.data.len();
            server.complete |= held == 0;
            let complete = server.complete;
            let others = self.most_held_beside(m);
            self.note(Happening::Promoted { by: m, term, epoch, complete, held, others });
            self.say(m, || format!("engine promoted: term {term} epoch {epoch} writes {held}"));
        }
        self.outs(m, outs);
        Ok(())
    }

    fn most_held_beside(&self, m: usize) -> usize {
        let reachable = |o: &usize| {
            *o != m
                && self.stands.contains(o)
                && self.names[*o] != self.names[m]
                && self.members[*o].agent.as_ref().is_some_and(|a| !a.frozen)
                && self.members[*o].stuck.is_none()
                && self.network.both(Plane::Peer, m, *o)
        };
        let held = |o: usize| {
            self.members[o].server.as_ref().filter(|s| s.complete).map_or(0, |s| s.data.len())
        };
        (0..self.members.len()).filter(reachable).map(held).max().unwrap_or(0)
    }

    pub(super) fn order_done(&mut self, m: usize, life: u64, token: u64, input: Input) {
        if self.members[m].life != life {
            return;
        }
        let Some(agent) = self.members[m].agent.as_mut() else { return };
        if agent.frozen {
            // Read from the socket when it runs again.
            self.after(10 * MS, What::OrderDone { m, life, token, input: Box::new(input) });
            return;
        }
        if agent.busy.as_ref().is_some_and(|b| b.token == token) {
            agent.busy = None;
            self.deliver(m, input);
            self.pump(m);
        }
    }

    pub(super) fn order_times_out(&mut self, m: usize, life: u64, token: u64) {
        if self.members[m].life != life {
            return;
        }
        let Some(agent) = self.members[m].agent.as_mut() else { return };
        if agent.frozen {
            self.after(20 * MS, What::OrderTimeout { m, life, token });
            return;
        }
        if let Some(busy) = agent.busy.take_if(|b| b.token == token) {
            agent.letting_go.take_if(|order| *order == busy.request);
            let result = Err("the engine did not answer in time".to_owned());
            self.deliver(m, Input::Engine(EngineNews::Did { request: busy.request, result }));
            self.pump(m);
        }
    }

    pub(super) fn start_server(&mut self, m: usize, life: u64) {
        if self.members[m].life != life {
            return;
        }
        let process = self.id();
        let user = self.identity(m);
        let rng = crate::prng::Prng::new(self.rng.draw());
        let (now, tuning) = (self.now, self.tunings[m]);
        let member = &mut self.members[m];
        let Some(agent) = member.agent.as_mut() else { return };
        let request = agent.busy.take().map_or(RequestId(0), |b| b.request);
        if member.server.is_some() || member.wiped {
            if member.wiped {
                self.deliver(m, Input::Wiped);
            }
            let result = Err("an engine runs already, or the directory is gone".to_owned());
            self.deliver(m, Input::Engine(EngineNews::Did { request, result }));
            self.pump(m);
            return;
        }
        agent.run += 1;
        let run = agent.run;
        let disk = std::mem::take(&mut member.disk);
        let files = brain::DataFiles { found: disk.found, ..brain::DataFiles::default() };
        let (mut server, outs) = Server::start((m, process, user), tuning, disk, now, rng);
        if !self.plan.keeps(brain::Cure::DeadEndStart) {
            server.role = Role::Primary;
        }
        server.break_disk(member.saves_fail);
        member.server = Some(server);
        member.stuck = None;
        member.queued.clear();
        member.gate = GateDeadline::Open;
        self.outs(m, outs);
        let phase = self.rng.below(SECOND);
        self.after(phase, What::Cron { m, process });
        self.deliver(m, Input::Engine(EngineNews::Started { run, files }));
        self.deliver(m, Input::Engine(EngineNews::Did { request, result: Ok(()) }));
        self.pump(m);
    }

    pub(super) fn stop_server(&mut self, m: usize, process: u64) {
        if self.members[m].server.as_ref().is_some_and(|s| s.process == process) {
            if self.members[m].stuck.is_some() {
                self.after(50 * MS, What::StopServer { m, process });
            } else {
                self.end_server(m, Exit::Clean);
            }
        }
    }

    /// The process ends; its files stay, its connections break, its agent hears of it.
    pub(super) fn end_server(&mut self, m: usize, exit: Exit) {
        let Some(server) = self.members[m].server.take() else { return };
        self.say(m, || format!("engine ends: {exit:?}"));
        let process = server.process;
        self.break_connections(m, &server);
        let had = server.data.clone();
        let disk = server.die(exit == Exit::Clean);
        self.note_loss(m, had, &disk);
        let member = &mut self.members[m];
        // What went with the process is vouched for no more, nor what comes in its place.
        member.vouch_at_most(disk.data.len());
        member.disk = disk;
        member.stuck = None;
        member.queued.clear();
        self.close_clients(m, process);
        let life = self.members[m].life;
        if let Some(run) = self.members[m].agent.as_ref().map(|a| a.run) {
            let input = Box::new(Input::Engine(EngineNews::Exited { run, exit }));
            self.after(MS, What::Hear { m, life, input });
        }
    }

    /// Notes which copies of acknowledged writes went with a process or a disk.
    pub(super) fn note_loss(&mut self, of: usize, had: Vec<u64>, kept: &Disk) {
        if had.len() <= kept.data.len() {
            return;
        }
        let kept: std::collections::BTreeSet<_> = kept.data.iter().copied().collect();
        let writes: std::collections::BTreeSet<_> =
            had.into_iter().filter(|w| !kept.contains(w)).collect();
        if !writes.is_empty() {
            self.note(Happening::CopiesLost { of, writes });
        }
    }

    fn break_connections(&mut self, m: usize, server: &Server) {
        let upstream = match (server.role, server.upstream_conn()) {
            (Role::Replica { upstream: Some(u) }, Some(conn)) => Some((u, conn)),
            _ => None,
        };
        let below = server.attached.iter().map(|(conn, a)| (a.member, *conn));
        let all: Vec<_> = below.chain(upstream).collect();
        for (to, conn) in all {
            self.send_wire(m, to, conn, Wire::Closed, 0);
        }
    }

    /// Does what a server wants.
    pub(super) fn outs(&mut self, m: usize, outs: Vec<Out>) {
        let Some(process) = self.members[m].server.as_ref().map(|s| s.process) else { return };
        for out in outs {
            match out {
                Out::Wire { to, conn, wire, slow } => self.send_wire(m, to, conn, wire, slow),
                Out::Reply { client, op, reply } => self.reply(m, client, op, reply),
                Out::Alarm(at) => self.at(at, What::Alarm { m, process }),
            }
        }
    }

    fn send_wire(&mut self, from: usize, to: usize, conn: u64, mut wire: Wire, slow: u64) {
        let to = self.far_end(from, to, conn, &mut wire);
        if from == to {
            return;
        }
        let sent = self.id();
        self.on_wires.entry((from, to)).or_default().sent.insert(sent);
        self.put_wire((from, to), sent, conn, wire, slow);
    }

    /// Who is at the other end: whoever stood at the address when it was dialled.
    fn far_end(&mut self, from: usize, to: usize, conn: u64, wire: &mut Wire) -> usize {
        if let Wire::Psync { user, .. } = wire
            && let Some(other) = self.reused.get(&to).filter(|other| **other != from)
        {
            // The password is for whom it dialled, and nobody else's user has that.
            user.state = format!("{} for {}", user.state, self.names[to]);
            self.strayed.insert(conn, (from, *other));
            return *other;
        }
        let strayed = self.strayed.get(&conn).filter(|(dialled, _)| *dialled == from);
        strayed.map_or(to, |(_, other)| *other)
    }

    fn put_wire(
        &mut self,
        (from, to): (usize, usize),
        sent: u64,
        conn: u64,
        wire: Wire,
        slow: u64,
    ) {
        if !self.network.open(Plane::Engine, from, to) {
            self.held_wires.entry((from, to)).or_default().push((sent, conn, wire));
            return;
        }
        let path = (Plane::Engine, from, to);
        let at = self.network.arrival(&mut self.rng, self.now, path, slow);
        self.at(at, What::Wire { from, to, sent, conn, wire: Box::new(wire) });
    }

    /// A path is whole again: TCP brings what it held, in the order of its sending.
    pub(super) fn release_wires(&mut self, from: usize, to: usize) {
        let mut held = self.held_wires.remove(&(from, to)).unwrap_or_default();
        held.sort_by_key(|(sent, ..)| *sent);
        for (sent, conn, wire) in held {
            self.put_wire((from, to), sent, conn, wire, 0);
        }
    }

    pub(super) fn wire_arrives(
        &mut self,
        (from, to): (usize, usize),
        sent: u64,
        conn: u64,
        wire: Wire,
    ) {
        if !self.network.open(Plane::Engine, from, to) {
            // Cut on its way: TCP sends it again when the path is whole.
            self.held_wires.entry((from, to)).or_default().push((sent, conn, wire));
            return;
        }
        // What was sent before it may still be on its way: a cut has held it up.
        self.on_wires.entry((from, to)).or_default().early.insert(sent, (conn, wire));
        while let Some((conn, wire)) = self.on_wires.entry((from, to)).or_default().next() {
            self.wire_handled(from, to, conn, wire);
        }
    }

    fn wire_handled(&mut self, from: usize, to: usize, conn: u64, wire: Wire) {
        if self.members[to].stuck.is_some() {
            self.members[to].queued.push_back(Queued::Wire { from, conn, wire });
            return;
        }
        if self.gate_closed(to) {
            return;
        }
        let now = self.now;
        if self.trace.wanted() && !matches!(wire, Wire::Stream(_) | Wire::Ack(_)) {
            let text = super::words::wire(&wire);
            self.say(to, || format!("engine hears from {from}: {text}"));
        }
        let begins = matches!(wire, Wire::Continue { .. } | Wire::FullBegin { .. });
        let brings = match &wire {
            Wire::FullBegin { brings: file } | Wire::FullData { data: file, .. } => {
                Some(file.iter().copied().collect::<BTreeSet<Write>>())
            }
            _ => None,
        };
        match self.members[to].server.as_mut() {
            Some(server) => {
                let replaced = brings.filter(|_| server.complete);
                let replaced = replaced.map(|brings| (server.data.clone(), brings));
                let outs = server.wire(from, conn, wire, now);
                let is_let_in = begins && server.upstream_conn() == Some(conn);
                let replaced = replaced.filter(|_| server.data.is_empty());
                self.outs(to, outs);
                if is_let_in {
                    self.note_attachment(to, from);
                }
                if let Some((had, brings)) = replaced {
                    self.note_replacement(to, &had, &brings);
                }
            }
            None if wire != Wire::Closed => self.send_wire(to, from, conn, Wire::Closed, 0),
            None => {}
        }
    }

    /// A replica has let a stream in: of which epoch, and what it had promised (I7).
    fn note_attachment(&mut self, by: usize, to: usize) {
        let primary = self.members[to].server.as_ref().is_some_and(|s| s.role == Role::Primary);
        let Some(epoch) = self.report(to).filter(|_| primary).map(|report| report.epoch) else {
            return;
        };
        let promised = self.members[by].memory.as_ref().and_then(|memory| memory.promised.clone());
        let promised = promised.filter(|(_, whom)| whom.name != self.members[to].name);
        let promised = promised.map_or(0, |(epoch, _)| epoch.0);
        self.note(Happening::Attached { by, promised, to, epoch });
    }

    /// A sync has emptied a whole dataset for what it brings: what is nowhere else then (I8).
    /// What its upstream has become meanwhile, killed or emptied, parts nothing from the line.
    fn note_replacement(&mut self, of: usize, had: &[Write], brings: &BTreeSet<Write>) {
        let member = &self.members[of];
        // What an engine took after its agent's last look at it, or after the last such look that
        // is on disk, nobody knows to be there.
        let seen = &had[..member.known.min(had.len())];
        let parted: Vec<_> = seen.iter().filter(|write| !brings.contains(write)).collect();
        let gone = parted.iter().filter(|write| !member.set_aside.contains(write)).count();
        let parted = parted.len();
        self.members[of].known = 0;
        self.note(Happening::Replaced { of, parted, gone });
    }

    pub(super) fn cron(&mut self, m: usize, process: u64) {
        if self.members[m].server.as_ref().is_none_or(|s| s.process != process) {
            return;
        }
        self.after(SECOND, What::Cron { m, process });
        if self.members[m].stuck.is_none() && !self.gate_closed(m) {
            let now = self.now;
            if let Some(server) = self.members[m].server.as_mut() {
                let outs = server.cron(now);
                self.outs(m, outs);
            }
        }
    }

    pub(super) fn alarm(&mut self, m: usize, process: u64) {
        let now = self.now;
        if self.members[m].stuck.is_some() {
            return;
        }
        if let Some(server) = self.members[m].server.as_mut().filter(|s| s.process == process) {
            let outs = server.alarm(now);
            self.outs(m, outs);
        }
    }

    /// Looks at the gate as the engine's loop does before anything else: past the deadline the
    /// engine ends itself.
    pub(super) fn gate_closed(&mut self, m: usize) -> bool {
        let GateDeadline::Until(tick) = self.members[m].gate else { return false };
        if !self.plan.gate || self.members[m].server.is_none() || self.local(m) < tick {
            return false;
        }
        self.end_server(m, Exit::Gate);
        true
    }

    pub(super) fn gate_looks(&mut self, m: usize, process: u64) {
        let same = self.members[m].server.as_ref().is_some_and(|s| s.process == process);
        if same && self.members[m].stuck.is_none() {
            self.gate_closed(m);
        }
    }

    /// The engine's loop stops turning.
    pub(super) fn stick(&mut self, m: usize, why: Stuck) {
        if self.members[m].server.is_some() {
            self.members[m].stuck = Some((self.now, why));
            self.say(m, || format!("engine stuck: {why:?}"));
        }
    }

    /// The engine's loop turns again: the gate first, then what was queued, then its own chores.
    pub(super) fn unstick(&mut self, m: usize) {
        if self.members[m].stuck.take().is_none() {
            return;
        }
        self.say(m, || "engine thaws".to_owned());
        let queued = std::mem::take(&mut self.members[m].queued);
        if self.gate_closed(m) {
            return;
        }
        for item in queued {
            match item {
                Queued::Client(command) => self.run_command(m, command, true),
                Queued::Agent { life, token, request, command, asked } => {
                    self.carry_out(m, (life, token, request), command, asked);
                }
                Queued::Wire { from, conn, wire } => self.wire_handled(from, m, conn, wire),
            }
        }
        let now = self.now;
        if let Some(server) = self.members[m].server.as_mut() {
            let mut outs = server.alarm(now);
            outs.extend(server.cron(now));
            self.outs(m, outs);
        }
    }

    /// A client's command is run by the engine.
    pub(super) fn run_command(&mut self, m: usize, command: ClientCommand, late: bool) {
        if self.gate_closed(m) {
            return;
        }
        if late {
            self.late.insert(command.op);
        }
        let now = self.now;
        if let Some(server) = self.members[m].server.as_mut() {
            let outs = server.command(command, now);
            self.outs(m, outs);
        }
    }

    fn reply(&mut self, m: usize, client: usize, op: u64, reply: Reply) {
        self.witness(m, op, reply);
        if self.network.open(Plane::Client, m, OUTSIDE) {
            let delay = self.rng.latency(self.network.weather.delay);
            self.after(delay, What::ClientReply { c: client, op, reply });
        }
    }

    /// Tells the agent of a silent engine, as its prober would.
    pub(super) fn silence(&mut self, m: usize, life: u64) {
        if self.members[m].life != life || self.members[m].agent.is_none() {
            return;
        }
        self.after(SECOND / 4, What::Silence { m, life });
        let Some((since, why)) = self.members[m].stuck else { return };
        if self.now - since < SECOND {
            return;
        }
        let process = match why {
            Stuck::Stopped => ProcessState::Stopped,
            Stuck::Disk => ProcessState::DiskWait,
            Stuck::Busy => ProcessState::Busy,
            Stuck::Idle => ProcessState::Idle,
        };
        let run = self.members[m].agent.as_ref().map_or(0, |a| a.run);
        let since = self.members[m].clock.show(since);
        self.deliver(m, Input::Engine(EngineNews::Silent { run, since, process }));
    }
}
