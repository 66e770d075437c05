//! Agents: the driver loop around the production election, its memory, its messages, its life and
//! death.

use std::collections::{BTreeSet, VecDeque};

use brain::{
    Act, AskId, Effect, Election, Ended, EngineCommand, EngineNews, GateDeadline, Input, Memory,
    Message, PersistId, RequestId, Route, Settings, Tick, Wish,
};

use super::{Agent, What, World, words};
use crate::history::Happening;
use crate::network::{OUTSIDE, Plane};
use crate::server::Persistence;
use crate::{MS, SECOND};

/// More wake-ups than this in one second of a member's time is a loop, not a plan.
const SPINS_MAX: u32 = 20_000;

impl World {
    /// Starts a member's agent, unless one runs or another start has been arranged since.
    pub(super) fn member_returns(&mut self, m: usize, life: u64) {
        let member = &self.members[m];
        if member.life != life || member.agent.is_some() || member.broken {
            return;
        }
        // An engine that a predecessor left behind ends first (failover.md 2.11).
        self.end_server(m, brain::Exit::Signal(9));
        let fresh = self.id();
        let now = self.local(m);
        let member = &mut self.members[m];
        member.back_at = None;
        member.wiped = false;
        member.life += 1;
        let memory = member.memory.get_or_insert_with(|| Memory {
            state_id: format!("s{m}-{fresh}"),
            ..Memory::default()
        });
        let settings = Settings {
            me: member.name.clone(),
            pod: format!("pod{m}-{}", member.pod),
            boot: format!("b{m}.{}", member.life),
            members: self.names[..self.plan.members].to_vec(),
            timing: member.ways.timing.unwrap_or(self.plan.timing),
            durability: member.ways.durability.unwrap_or(self.plan.durability),
            failsafe: member.ways.failsafe.unwrap_or(self.plan.failsafe),
            recovery_timeout: self.plan.recovery_timeout,
            budget_per_hour: self.plan.budget_per_hour,
            gate: self.plan.gate,
            persistent: self.tunings[m].persistence != Persistence::None,
            fsync_always: self.tunings[m].persistence == Persistence::Aof { always: true },
            #[cfg(feature = "mutants")]
            without: self.plan.without,
            #[cfg(not(feature = "mutants"))]
            without: None,
        };
        let election = crate::script::Hooks::election(settings, memory.clone(), now);
        member.agent = Some(Agent::new(election));
        let (life, roomy) = (member.life, member.roomy);
        self.dialled.retain(|(from, _), _| *from != m);
        self.say(m, || "agent starts".to_owned());
        self.deliver(m, Input::Tick);
        let short = (!roomy).then_some(brain::Shortage::Disk);
        self.deliver(m, Input::Room { short });
        self.after(MS, What::Relist { m, life });
        self.after(SECOND, What::Silence { m, life });
        self.refresh_links();
    }

    /// The agent's process ends; what it had not put on disk is lost.
    pub(super) fn end_agent(&mut self, m: usize, orphan: bool) {
        let Some(mut agent) = self.members[m].agent.take() else { return };
        if !agent.persists.is_empty()
            && !self.members[m].wiped
            && self.rng.per_mille(500)
            && self.members[m].ways.fsync.is_none()
            && let Some((_, memory)) = agent.persists.pop_front()
        {
            // The rename had happened, the answer had not.
            self.members[m].memory = Some(memory);
        }
        if !orphan {
            self.end_server(m, brain::Exit::Signal(9));
            self.certify(m, agent.election.incarnation());
        }
        self.say(m, || format!("agent ends{}", if orphan { ", its engine lives on" } else { "" }));
        self.refresh_links();
    }

    /// A kubelet tells of the end of a whole container, to some sooner, to some later.
    fn certify(&mut self, m: usize, run: brain::Incarnation) {
        // Of a pod that was deleted by force nobody reports the end.
        if !self.rng.per_mille(self.plan.certified) || !self.stands.contains(&m) {
            return;
        }
        let ended = Ended { pod: run.id.pod, boot: run.boot };
        for other in (0..self.members.len()).filter(|other| *other != m) {
            let delay = 200 * MS + self.rng.below(3 * SECOND);
            self.after(delay, What::Certified { m: other, ended: Box::new(ended.clone()) });
        }
    }

    pub(crate) fn certified(&mut self, m: usize, ended: Ended) {
        if self.network.open(Plane::Store, OUTSIDE, m) && !self.store.down {
            self.deliver(m, Input::Ended(ended));
        }
    }

    /// Tells the election something and begins what it wants.
    pub(super) fn deliver(&mut self, m: usize, input: Input) {
        let now = self.local(m);
        let text = if self.trace.wanted() { words::input(&input) } else { None };
        let Some(agent) = self.members[m].agent.as_mut() else { return };
        if agent.frozen {
            agent.inbox.push_back(input);
            return;
        }
        let effects = agent.election.on(input, now);
        let old = text.as_ref().is_some_and(|t| words::is_old_news(&mut self.told[m], t));
        if let Some(text) = text.filter(|_| !old) {
            self.say(m, || format!("< {text}"));
        }
        let life = self.members[m].life;
        for effect in effects {
            if self.members[m].life == life && self.members[m].agent.is_some() {
                self.begin(m, effect);
            }
        }
        self.rearm(m);
    }

    pub(super) fn hear(&mut self, m: usize, life: u64, input: Input) {
        if self.members[m].life == life {
            self.deliver(m, input);
        }
    }

    fn begin(&mut self, m: usize, effect: Effect) {
        *self.rules.entry(effect.why.rule).or_insert(0) += 1;
        *self.effects.entry(crate::swarm::effect_story(&effect.act)).or_insert(0) += 1;
        self.trace.mix(words::rule_hash(effect.why.rule));
        if self.trace.wanted()
            && let Some(text) = words::act(&effect.act)
        {
            let why = effect.why.clone();
            let old = !why.story && words::is_old_news(&mut self.told[m], &text);
            if !old {
                self.say(m, || format!("> {text}  [{}] {}", why.rule, why.text));
            }
        }
        if words::accepts_loss(&effect.why) {
            let rule = effect.why.rule.to_owned();
            self.note(Happening::AcceptedLoss { by: m, rule });
            // What the disks have lost by then, others' copies may have alone.
            for member in &mut self.members {
                member.vouch_at_most(0);
            }
        }
        match effect.act {
            Act::Read { request } => self.call_store(m, request, None),
            Act::Replace { request, expected, record } => {
                self.call_store(m, request, Some((expected, record)));
            }
            Act::Send { to, message } => self.send(m, &to, message),
            Act::Engine { request, command } => self.order(m, request, command),
            Act::Gate(deadline) => self.set_gate(m, deadline),
            Act::Route(route) => self.set_route(m, route),
            Act::Persist { id, memory } => self.persist(m, id, *memory),
            // A world has the ways between all its members from the beginning.
            Act::Members(_) | Act::Note => {}
            Act::Answer { ask, result } => self.answer(m, ask, result),
            Act::Leave => self.leave(m),
            Act::StartAnew => self.start_anew(m),
        }
    }

    fn answer(&mut self, m: usize, ask: AskId, result: Result<String, String>) {
        if let Some(agent) = self.members[m].agent.as_mut() {
            agent.answers.push((ask, result));
        }
    }

    fn leave(&mut self, m: usize) {
        self.end_agent(m, false);
        if self.members[m].back_at.is_none() || self.healed {
            self.member_back(m, SECOND);
        }
    }

    fn start_anew(&mut self, m: usize) {
        self.end_agent(m, false);
        self.members[m].memory = None;
        self.member_back(m, 100 * MS);
    }

    /// Arranges a start of the member's agent; an earlier arrangement is forgotten.
    pub(crate) fn member_back(&mut self, m: usize, after: u64) {
        self.members[m].life += 1;
        self.members[m].back_at = Some(self.now + after);
        let life = self.members[m].life;
        self.after(after, What::Return { m, life });
    }

    fn persist(&mut self, m: usize, id: PersistId, memory: Memory) {
        let Some(agent) = self.members[m].agent.as_mut() else { return };
        agent.persists.push_back((id, memory));
        if agent.persists.len() == 1 {
            self.begin_persist(m);
        }
    }

    fn begin_persist(&mut self, m: usize) {
        let typical = self.members[m].ways.fsync.unwrap_or(self.plan.fsync);
        let delay = self.rng.latency(typical);
        let life = self.members[m].life;
        self.after(delay, What::Persisted { m, life });
    }

    pub(super) fn persisted(&mut self, m: usize, life: u64) {
        if self.members[m].life != life {
            return;
        }
        let Some(agent) = self.members[m].agent.as_mut() else { return };
        let Some((id, memory)) = agent.persists.pop_front() else { return };
        let more = !agent.persists.is_empty();
        if self.members[m].wiped {
            self.deliver(m, Input::Wiped);
        } else {
            let (offset, writes) = self.members[m].looked;
            if memory.stamp.offset.0 >= offset {
                self.members[m].known = writes;
            }
            self.members[m].memory = Some(memory);
            self.deliver(m, Input::Persisted(id));
        }
        if more && self.members[m].life == life && self.members[m].agent.is_some() {
            self.begin_persist(m);
        }
    }

    fn rearm(&mut self, m: usize) {
        let now = self.local(m);
        let clock = self.members[m].clock;
        let life = self.members[m].life;
        let Some(agent) = self.members[m].agent.as_mut() else { return };
        let wake = agent.election.wake_at();
        if agent.wake.0 == wake {
            return;
        }
        agent.wake = (wake, agent.wake.1 + 1);
        let token = agent.wake.1;
        if let Some(tick) = wake {
            let late = self.rng.range(10_000, MS);
            let at = clock.when(tick.max(now)).max(self.now) + late;
            self.at(at, What::Wake { m, life, token });
        }
    }

    pub(super) fn wake(&mut self, m: usize, life: u64, token: u64) {
        let second = self.now / SECOND;
        if self.members[m].life != life {
            return;
        }
        let Some(agent) = self.members[m].agent.as_mut() else { return };
        if agent.wake.1 != token || agent.frozen {
            return;
        }
        agent.spins = if agent.last_second == second { agent.spins + 1 } else { 0 };
        agent.last_second = second;
        let spins = agent.spins;
        agent.wake.0 = None;
        assert!(spins < SPINS_MAX, "member {m} asks to be woken again and again at {}", self.now);
        self.deliver(m, Input::Tick);
    }

    /// The agent's process stops running; the kernel keeps what arrives.
    pub(super) fn freeze_agent(&mut self, m: usize) {
        if let Some(agent) = self.members[m].agent.as_mut() {
            agent.frozen = true;
            self.say(m, || "agent frozen".to_owned());
        }
    }

    /// And runs again: what had arrived is handled in the order of its arrival.
    pub(super) fn thaw_agent(&mut self, m: usize) {
        let tick_first = self.rng.per_mille(500);
        let life = self.members[m].life;
        let Some(agent) = self.members[m].agent.as_mut() else { return };
        if !agent.frozen {
            return;
        }
        agent.frozen = false;
        agent.wake.0 = None;
        let inbox = std::mem::take(&mut agent.inbox);
        self.say(m, || "agent thaws".to_owned());
        if tick_first {
            self.deliver(m, Input::Tick);
        }
        for input in inbox {
            if self.members[m].life == life {
                self.deliver(m, input);
            }
        }
        if self.members[m].life == life {
            self.deliver(m, Input::Tick);
        }
        if let Some(agent) = self.members[m].agent.as_mut().filter(|_| !self.plan.gate) {
            agent.letting_go = agent.order_to_let_go();
        }
    }

    fn send(&mut self, from: usize, to: &brain::MemberName, message: Message) {
        let Some(to) = self.reached(from, to) else { return };
        let weather = self.network.weather;
        match self.hooks.peer(from, to, &message) {
            crate::script::Verdict::Pass => {}
            crate::script::Verdict::Drop => return,
            crate::script::Verdict::Hold => {
                self.hooks.held_peers.push((from, to, message));
                return;
            }
        }
        if !self.network.open(Plane::Peer, from, to) {
            if weather.holds {
                let held = self.held_peers.entry((from, to)).or_default();
                if held.len() < 50 {
                    held.push(message);
                }
            }
            return;
        }
        if self.rng.per_mille(weather.loss) {
            return;
        }
        if self.rng.per_mille(weather.twice) {
            self.peer_on_its_way(from, to, message.clone());
        }
        self.peer_on_its_way(from, to, message);
    }

    pub(crate) fn peer_on_its_way(&mut self, from: usize, to: usize, message: Message) {
        let at = if self.network.weather.reorder {
            self.now + self.rng.latency(self.network.weather.delay)
        } else {
            self.network.arrival(&mut self.rng, self.now, (Plane::Peer, from, to), 0)
        };
        self.at(at, What::Peer { from, to, message: Box::new(message) });
    }

    pub(super) fn peer_arrives(&mut self, from: usize, to: usize, message: Message) {
        let from = self.name(from);
        self.deliver(to, Input::Peer { from, message });
    }

    /// After anything that may open or break a channel between agents: each end finds out by
    /// itself.
    pub(super) fn refresh_links(&mut self) {
        for m in 0..self.members.len() {
            for peer in 0..self.plan.members {
                if self.names[peer] == self.names[m] {
                    continue;
                }
                let up = self.link_state(m, peer);
                let Some(agent) = self.members[m].agent.as_ref() else { continue };
                if agent.links.contains(&peer) == up {
                    continue;
                }
                let to = self.other_end(m, peer);
                let reset =
                    self.members[to].agent.is_none() && self.network.both(Plane::Peer, m, to);
                let delay = match (up, reset) {
                    (true, _) => self.rng.range(MS, 200 * MS),
                    (false, true) => self.rng.range(MS / 5, 2 * MS),
                    (false, false) => self.rng.range(SECOND, 4 * SECOND),
                };
                let life = self.members[m].life;
                self.after(delay, What::Link { m, life, peer });
            }
        }
    }

    fn link_state(&self, m: usize, peer: usize) -> bool {
        let to = self.other_end(m, peer);
        self.members[to].agent.is_some() && self.network.both(Plane::Peer, m, to)
    }

    pub(super) fn link(&mut self, m: usize, life: u64, peer: usize) {
        let up = self.link_state(m, peer);
        if self.members[m].life != life {
            return;
        }
        let Some(agent) = self.members[m].agent.as_mut() else { return };
        let changed = if up { agent.links.insert(peer) } else { agent.links.remove(&peer) };
        if changed {
            let name = self.name(peer);
            self.deliver(m, Input::PeerLink { peer: name, up });
            if !up && self.dialled.remove(&(m, peer)).is_some() {
                self.refresh_links();
            }
        }
    }

    fn set_route(&mut self, m: usize, route: Route) {
        let delay = self.rng.latency(self.plan.temper.latency);
        let life = self.members[m].life;
        self.after(delay, What::Routed { m, life, route: Box::new(route) });
    }

    pub(super) fn routed(&mut self, m: usize, life: u64, route: Route) {
        let newer = self.route.as_ref().is_some_and(|r| r.epoch > route.epoch);
        if newer && self.plan.keeps(brain::Cure::RouteByEpoch) {
            let stands = self.route.as_ref().map_or(route.epoch, |route| route.epoch);
            let open = self.network.open(Plane::Store, OUTSIDE, m);
            if self.members[m].life == life && open {
                self.deliver(m, Input::RouteStands { epoch: stands });
            }
            return;
        }
        if !self.network.open(Plane::Store, m, OUTSIDE) {
            if self.members[m].life == life {
                self.after(SECOND, What::Routed { m, life, route: Box::new(route) });
            }
            return;
        }
        let own = self.names[m] == route.primary;
        let to = if own { m } else { self.index(&route.primary).unwrap_or_default() };
        self.note(Happening::Routed { to, epoch: route.epoch.0 });
        self.route_at = to;
        self.route = Some(route);
    }

    fn set_gate(&mut self, m: usize, deadline: GateDeadline) {
        self.members[m].gate = deadline;
        let Some(process) = self.members[m].server.as_ref().map(|s| s.process) else { return };
        if let GateDeadline::Until(tick) = deadline {
            // The loop turns at least ten times a second.
            let late = self.rng.below(100 * MS);
            let at = self.members[m].clock.when(tick) + late;
            self.at(at, What::Gate { m, process });
        }
    }

    /// A person or a signal asks a member's agent for something.
    pub fn ask(&mut self, m: usize, wish: Wish) -> AskId {
        self.note(Happening::Harmed { beyond_store: true });
        let ask = AskId(self.id());
        self.deliver(m, Input::Asked { ask, wish });
        ask
    }

    /// What an agent's election says of itself.
    pub fn report(&self, m: usize) -> Option<brain::report::MemberReport> {
        let agent = self.members[m].agent.as_ref()?;
        Some(agent.election.report(self.local(m)))
    }

    pub(super) fn order(&mut self, m: usize, request: RequestId, command: EngineCommand) {
        if command == EngineCommand::Kill {
            // A signal needs no socket and waits for nothing.
            if let Some(agent) = self.members[m].agent.as_mut() {
                agent.commands.clear();
                agent.busy = None;
            }
            self.end_server(m, brain::Exit::Signal(9));
            let input = Input::Engine(EngineNews::Did { request, result: Ok(()) });
            let life = self.members[m].life;
            self.after(MS / 5, What::Hear { m, life, input: Box::new(input) });
            return;
        }
        let Some(agent) = self.members[m].agent.as_mut() else { return };
        agent.commands.push_back((request, command));
        self.pump(m);
    }
}

impl Agent {
    fn new(election: Election) -> Self {
        Self {
            election,
            inbox: VecDeque::new(),
            frozen: false,
            letting_go: None,
            wake: (None, 0),
            persists: VecDeque::new(),
            commands: VecDeque::new(),
            busy: None,
            run: 0,
            calls: BTreeSet::new(),
            links: BTreeSet::new(),
            answers: Vec::new(),
            spins: 0,
            last_second: 0,
        }
    }

    /// The order to the dead end that is under way or waits.
    fn order_to_let_go(&self) -> Option<RequestId> {
        let mut waiting = self.commands.iter().filter(|(_, c)| *c == EngineCommand::DeadEnd);
        let under_way = self.busy.as_ref().filter(|b| b.dead_end).map(|b| b.request);
        under_way.or_else(|| waiting.next().map(|(request, _)| *request))
    }

    /// When it will be woken, by its own clock.
    pub fn wake_at(&self) -> Option<Tick> {
        self.wake.0
    }
}
