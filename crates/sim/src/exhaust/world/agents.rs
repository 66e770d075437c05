//! Agents of a small world: their lives, their disks, what they are told and what they want.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use brain::{
    Act, Effect, Election, EngineCommand, Exit, Failsafe, GateDeadline, Input, Memory, Message,
    PersistId, Settings, Span,
};

use super::{Agent, Due, LINK_SEEN, Small, Timer};
use crate::history::Happening;
use crate::world::words;

impl Small {
    /// A member starts, with what its disks have.
    pub(crate) fn start(&mut self, m: usize) {
        let now = self.local(m);
        let bounds = self.bounds();
        let member = &self.members[m];
        let life = member.life + 1;
        let settings = Settings {
            me: self.setting.names[m].clone(),
            pod: format!("p{m}"),
            boot: format!("b{m}.{life}"),
            members: self.setting.names.clone(),
            timing: bounds.timing,
            durability: bounds.durability,
            failsafe: Failsafe::Majority,
            recovery_timeout: Span::from_millis(10_000),
            budget_per_hour: 10_000,
            gate: true,
            persistent: true,
            fsync_always: false,
            without: bounds.taken_out(),
        };
        let election = Election::new(settings, member.memory.clone(), now);
        let agent = Agent {
            election,
            waiting: BTreeSet::new(),
            links: 0,
            run: 0,
            looks: false,
            told: None,
        };
        let member = self.members[m].edit();
        member.life = life;
        member.agent = Some(agent);
        self.who(m, || "starts".to_owned());
        self.hear(m, life, Input::Tick);
        self.show(m);
        self.links_change();
    }

    /// A member ends: its engine by the kernel, with its agent.
    pub(super) fn end(&mut self, m: usize) {
        self.who(m, || "ends".to_owned());
        self.end_engine(m, Exit::Signal(9));
        let member = self.members[m].edit();
        member.agent = None;
        member.life += 1;
        member.frozen = false;
        member.inbox = VecDeque::new();
        member.gate = GateDeadline::Open;
        self.links_change();
        self.replicate();
    }

    /// Says a line of the story about a member.
    pub(super) fn who(&mut self, m: usize, what: impl FnOnce() -> String) {
        if self.story.is_some() {
            let who = format!("{m}.{}", self.members[m].life);
            self.say(&who, what);
        }
    }

    /// Tells an election something, and begins what it wants.
    pub(super) fn deliver(&mut self, m: usize, life: Option<u64>, input: Input) {
        if life.is_some_and(|life| self.members[m].life != life) || self.members[m].agent.is_none()
        {
            return;
        }
        if self.story.is_some()
            && let Some(text) = words::input(&input)
        {
            self.who(m, || format!("< {text}"));
        }
        let now = self.local(m);
        let Some(agent) = &mut self.members[m].edit().agent else { return };
        let effects = agent.election.on(input, now);
        let life = self.members[m].life;
        for effect in effects {
            if self.members[m].life == life {
                self.begin(m, life, effect);
            }
        }
    }

    fn begin(&mut self, m: usize, life: u64, effect: Effect) {
        self.setting.met.borrow_mut().insert(effect.why.rule);
        if self.story.is_some() {
            let (why, text) = (effect.why.clone(), words::act(&effect.act));
            if let Some(text) = text {
                self.who(m, || format!("> {text}  [{}] {}", why.rule, why.text));
            }
        }
        if words::accepts_loss(&effect.why) {
            let rule = effect.why.rule.to_owned();
            self.note(Happening::AcceptedLoss { by: m, rule });
        }
        match effect.act {
            Act::Read { request } => self.call(m, request, None),
            Act::Replace { request, expected, record } => {
                self.call(m, request, Some((expected, record)));
            }
            Act::Send { to, message } => {
                if let Some(to) = self.index(&to) {
                    self.send(m, to, message);
                }
            }
            Act::Engine { command: EngineCommand::Kill, .. } => {
                // A signal needs no socket and waits for nothing.
                self.end_engine(m, Exit::Signal(9));
                self.replicate();
            }
            Act::Engine { request, command } => {
                let command = Arc::new(command);
                self.due.push_back(Due::Order { m, life, request, command });
            }
            Act::Gate(deadline) => self.members[m].edit().gate = deadline,
            Act::Persist { id, memory } => {
                let memory = Arc::new(*memory);
                self.due.push_back(Due::Persist { m, life, id, memory });
            }
            Act::Leave | Act::StartAnew => self.end(m),
            // Nobody here follows routes, reads answers, or joins.
            Act::Route(_) | Act::Members(_) | Act::Note | Act::Answer { .. } => {}
        }
    }

    /// What was sent into a cut is lost: the channel breaks with it.
    fn send(&mut self, from: usize, to: usize, message: Message) {
        if self.net.carries(from, to) && self.members[to].agent.is_some() {
            self.due.push_back(Due::Peer { from, to, message: Arc::new(message) });
        }
    }

    /// The state file has this now.
    pub(super) fn persisted(&mut self, m: usize, life: u64, id: PersistId, memory: &Memory) {
        if self.members[m].life == life {
            self.members[m].edit().memory = memory.clone();
            self.deliver(m, Some(life), Input::Persisted(id));
        }
    }

    /// Whether this memory holds a word that somebody may build on, and the disk does not yet.
    pub(super) fn is_a_word(&self, m: usize, new: &Memory) -> bool {
        let word = |m: &Memory| {
            let electorate = m.electorate.as_ref().map(|(epoch, e)| (*epoch, e.version));
            (m.promised.clone(), m.led, m.followed, electorate, m.attached_in, m.exact, m.clean)
        };
        word(&self.members[m].memory) != word(new)
    }

    /// After anything that opens or breaks channels between agents. An end that is reset is seen at
    /// once, a cut after a second, an opening at once.
    pub(super) fn links_change(&mut self) {
        for m in 0..self.members.len() {
            for peer in (0..self.members.len()).filter(|peer| *peer != m) {
                let Some(agent) = &self.members[m].agent else { continue };
                let (known, up) = (agent.links & 1 << peer != 0, self.link_state(m, peer));
                if known == up {
                    continue;
                }
                let cut = self.members[peer].agent.is_some() || !self.net.joins(m, peer);
                if !up && cut {
                    let life = self.members[m].life;
                    self.timer(LINK_SEEN, Timer::Link { m, life, peer });
                } else {
                    self.link(m, peer);
                }
            }
        }
    }

    fn link_state(&self, m: usize, peer: usize) -> bool {
        self.members[peer].agent.is_some() && self.net.joins(m, peer)
    }

    /// An agent sees how the channel to a peer is.
    pub(super) fn link(&mut self, m: usize, peer: usize) {
        let up = self.link_state(m, peer);
        let life = self.members[m].life;
        let name = self.setting.names[peer].clone();
        let Some(agent) = &mut self.members[m].edit().agent else { return };
        let bit = 1 << peer;
        if (agent.links & bit != 0) != up {
            agent.links ^= bit;
            self.hear(m, life, Input::PeerLink { peer: name, up });
        }
    }
}
