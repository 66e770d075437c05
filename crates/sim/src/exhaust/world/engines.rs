//! Engines of a small world: orders, replication, looks, the gate, and who could acknowledge.

use std::sync::Arc;

use brain::{
    DataFiles, EngineCommand, EngineNews, EngineView, Exit, GateDeadline, Input, RequestId,
};

use super::super::engine::{Engine, Files, Link, Part};
use super::{LOAD, Small, Timer};
use crate::history::{Happening, Write};
use crate::{MS, SECOND};

/// How long a full sync takes.
const SYNC: u64 = 100 * MS;
/// An engine that has nothing new to say answers a look no sooner than this after the last: agents
/// ask again every 20 ms while they wait for something, and all these looks would be one.
const LOOK: u64 = 200 * MS;

impl Small {
    /// An agent's order reaches its engine.
    pub(super) fn order(&mut self, m: usize, life: u64, request: RequestId, order: &EngineCommand) {
        if self.members[m].life != life {
            return;
        }
        if *order == EngineCommand::Start {
            return self.start_engine(m, life, request);
        }
        let Some(engine) = &self.members[m].engine else {
            let result = Err("no engine runs".to_owned());
            return self.hear(m, life, Input::Engine(EngineNews::Did { request, result }));
        };
        if *order == EngineCommand::Observe {
            if let Some(agent) = &mut self.members[m].edit().agent {
                agent.looks = true;
            }
            return self.answer_looks();
        }
        let loading = engine.loading_until.is_some() || matches!(engine.link, Link::Syncing(..));
        let of_role = matches!(
            order,
            EngineCommand::DeadEnd | EngineCommand::Follow(_) | EngineCommand::Promote
        );
        let result = if loading && of_role {
            Err("LOADING the engine is loading the dataset in memory".to_owned())
        } else {
            self.carry_out(m, order);
            Ok(())
        };
        self.hear(m, life, Input::Engine(EngineNews::Did { request, result }));
        self.replicate();
    }

    fn carry_out(&mut self, m: usize, order: &EngineCommand) {
        let now = self.now;
        let to = match order {
            EngineCommand::Follow(name) => self.index(name),
            _ => None,
        };
        if *order == EngineCommand::Promote {
            return self.promote(m);
        }
        if *order == EngineCommand::Shutdown {
            return self.end_engine(m, Exit::Clean);
        }
        let Some(engine) = &mut self.members[m].edit().engine else { return };
        match order {
            EngineCommand::DeadEnd => engine.replicate(Part::DeadEnd),
            EngineCommand::Follow(_) => engine.replicate(to.map_or(Part::DeadEnd, Part::Follows)),
            EngineCommand::PauseWrites(span) => {
                engine.paused_until = engine.paused_until.max(now + span.0);
            }
            EngineCommand::Unpause => engine.paused_until = 0,
            EngineCommand::Admit(users) => engine.admitted.clone_from(users),
            EngineCommand::MinReplicas(n) => engine.min_replicas = *n,
            // Nobody here holds a connection to an engine, and copies aside are never looked at.
            _ => {}
        }
    }

    fn promote(&mut self, m: usize) {
        let Some(engine) = &self.members[m].engine else { return };
        if engine.part == Part::Primary {
            return;
        }
        let held = engine.data.len();
        let complete = engine.complete || held == 0;
        self.terms += 1;
        self.processes += 1;
        let (term, replid) = (self.terms, self.processes);
        if let Some(engine) = &mut self.members[m].edit().engine {
            engine.promote(term, replid);
        }
        let now = self.local(m);
        let agent = self.members[m].agent.as_ref();
        let epoch = agent.map_or(0, |a| a.election.report(now).epoch);
        let others = self.most_held_beside(m);
        self.who(m, || format!("engine promoted: term {term} epoch {epoch} writes {held}"));
        self.note(Happening::Promoted { by: m, term, epoch, complete, held, others });
    }

    fn most_held_beside(&self, m: usize) -> usize {
        let others = (0..self.members.len()).filter(|o| *o != m && self.net.joins(m, *o));
        let running = others.map(|o| &self.members[o]);
        let running = running.filter(|o| o.agent.is_some() && !o.frozen);
        let held = |e: &Engine| if e.complete { e.data.len() } else { 0 };
        running.filter_map(|o| o.engine.as_ref()).map(held).max().unwrap_or(0)
    }

    fn start_engine(&mut self, m: usize, life: u64, request: RequestId) {
        self.processes += 1;
        let process = self.processes;
        let until = self.now + LOAD;
        let Some(agent) = &self.members[m].agent else { return };
        let user = agent.election.incarnation().id;
        let member = self.members[m].edit();
        let engine = Engine::start(process, user, &member.files, Some(until));
        let files = DataFiles { found: member.files.found, ..DataFiles::default() };
        let loads = engine.loading_until.is_some();
        let engine = self.dead_end_or_not(engine);
        let member = self.members[m].edit();
        member.engine = Some(engine);
        member.gate = GateDeadline::Open;
        let Some(agent) = &mut member.agent else { return };
        agent.run += 1;
        agent.told = None;
        let run = agent.run;
        if loads {
            self.timer(LOAD, Timer::Loaded { m, process });
        }
        self.hear(m, life, Input::Engine(EngineNews::Started { run, files }));
        self.hear(m, life, Input::Engine(EngineNews::Did { request, result: Ok(()) }));
    }

    /// The mutant whose engines start as primaries.
    fn dead_end_or_not(&self, mut engine: Engine) -> Engine {
        let lacks = |w: brain::Without| w.lacks(brain::Cure::DeadEndStart);
        if self.bounds().taken_out().is_some_and(lacks) {
            engine.part = Part::Primary;
        }
        engine
    }

    pub(super) fn loaded(&mut self, m: usize, process: u64) {
        let same = self.members[m].engine.as_ref().is_some_and(|e| e.process == process);
        if same {
            if let Some(engine) = &mut self.members[m].edit().engine {
                engine.loading_until = None;
            }
            self.replicate();
        }
    }

    /// The process ends; its files stay, and its agent hears of it.
    pub(super) fn end_engine(&mut self, m: usize, exit: Exit) {
        let tail = self.bounds().tail && exit != Exit::Clean;
        let member = self.members[m].edit();
        let Some(engine) = member.engine.take() else { return };
        let had = engine.data.clone();
        member.files = engine.end(std::mem::take(&mut member.files), tail);
        let (life, files) = (member.life, member.files.clone());
        let run = member.agent.as_ref().map(|a| a.run);
        self.who(m, || format!("engine ends: {exit:?}"));
        self.note_loss(m, &had, &files);
        if let Some(run) = run {
            self.hear(m, life, Input::Engine(EngineNews::Exited { run, exit }));
        }
    }

    fn note_loss(&mut self, of: usize, had: &[Write], files: &Files) {
        let lost = had.iter().filter(|w| !files.data.contains(w)).copied();
        let writes: std::collections::BTreeSet<Write> = lost.collect();
        if !writes.is_empty() {
            self.note(Happening::CopiesLost { of, writes });
        }
    }

    /// Everything that replication does at once, until nothing moves.
    pub(super) fn replicate(&mut self) {
        while (0..self.members.len()).any(|m| self.replicate_one(m)) {}
        self.note_copies();
        self.answer_looks();
    }

    /// One follower's next step; false when there is none.
    fn replicate_one(&mut self, m: usize) -> bool {
        let member = &self.members[m];
        let Some(engine) = member.engine.as_ref().filter(|_| !member.frozen) else { return false };
        let Part::Follows(to) = engine.part else { return false };
        if engine.loading_until.is_some() || to == m || !self.net.joins(m, to) {
            // Through a cut nothing comes, the end of the other side neither.
            return false;
        }
        let above = &self.members[to];
        let upstream = above.engine.as_ref();
        if upstream.is_some() && above.frozen {
            return false;
        }
        let serves = upstream.filter(|u| u.can_serve(&engine.user)).cloned();
        let process = match engine.link {
            Link::Up(process) | Link::Syncing(process, _) => Some(process),
            Link::Down => None,
        };
        let now = self.now;
        let next = match serves {
            Some(u) if process == Some(u.process) => match engine.link {
                Link::Up(_) if engine.continues(&u) => {
                    if engine.stream() == u.stream() && engine.offset == u.offset {
                        return false;
                    }
                    Some(Some(u))
                }
                Link::Syncing(..) => return false,
                _ => None,
            },
            Some(u) if process.is_none() => {
                let link = if engine.continues(&u) {
                    Link::Up(u.process)
                } else {
                    self.timer(SYNC, Timer::Synced { m, process: u.process });
                    Link::Syncing(u.process, now + SYNC)
                };
                let Some(engine) = &mut self.members[m].edit().engine else { return false };
                engine.link = link;
                self.note_attachment(m, to);
                return true;
            }
            _ if process.is_some() => None,
            _ => return false,
        };
        let Some(engine) = &mut self.members[m].edit().engine else { return false };
        match next {
            Some(Some(u)) => engine.take(&u),
            _ => engine.link = Link::Down,
        }
        true
    }

    /// A replica has let a stream in: of which epoch, and what its disk had promised.
    fn note_attachment(&mut self, by: usize, to: usize) {
        let above = &self.members[to];
        let leads = above.engine.as_ref().is_some_and(|e| e.part == Part::Primary);
        let Some(agent) = above.agent.as_ref().filter(|_| leads) else { return };
        let epoch = agent.election.report(self.local(to)).epoch;
        let promised = self.members[by].memory.promised.as_ref();
        let promised = promised.filter(|(_, whom)| whom.name != self.setting.names[to]);
        let promised = promised.map_or(0, |(epoch, _)| epoch.0);
        self.note(Happening::Attached { by, promised, to, epoch });
    }

    /// The file of a full sync from this process has come.
    pub(super) fn synced(&mut self, m: usize, process: u64) {
        let member = &self.members[m];
        let Some(engine) = &member.engine else { return };
        let Part::Follows(to) = engine.part else { return };
        if !matches!(engine.link, Link::Syncing(from, at) if from == process && at <= self.now) {
            return;
        }
        let reached = self.net.joins(m, to) && !member.frozen && !self.members[to].frozen;
        let upstream = self.members[to].engine.as_ref().filter(|u| u.process == process);
        let upstream = upstream.filter(|u| reached && u.can_serve(&engine.user)).cloned();
        let Some(engine) = &mut self.members[m].edit().engine else { return };
        match upstream {
            Some(upstream) => {
                engine.load(&upstream);
                engine.link = Link::Up(process);
            }
            None => engine.link = Link::Down,
        }
        self.replicate();
    }

    /// The replicas that a member's engine feeds, with their offsets.
    fn replicas(&self, m: usize) -> Vec<(usize, u64)> {
        let Some(above) = &self.members[m].engine else { return Vec::new() };
        let fed = |f: usize| {
            let engine = self.members[f].engine.as_ref()?;
            let linked = engine.link == Link::Up(above.process);
            (linked && engine.part == Part::Follows(m)).then_some((f, engine.offset))
        };
        (0..self.members.len()).filter_map(fed).collect()
    }

    /// Clients that wait for copies are told of those that their primary has heard of.
    fn note_copies(&mut self) {
        for m in 0..self.members.len() {
            let Some(engine) = &self.members[m].engine else { continue };
            if engine.waiting.is_empty() || !self.could_ack(m) {
                continue;
            }
            let waiting = engine.waiting.clone();
            let heard: Vec<usize> = self.replicas(m).iter().map(|(f, _)| *f).collect();
            let holds = |f: &usize, w: Write| {
                let member = &self.members[*f];
                let has = member.engine.as_ref().is_some_and(|e| e.data.contains(&w));
                has && !member.frozen && self.net.joins(m, *f)
            };
            let copies = |w: Write| heard.iter().filter(|f| holds(f, w)).count() as u32;
            let told: Vec<(Write, u32)> = waiting.iter().map(|w| (*w, copies(*w))).collect();
            let k = self.bounds().durability.copies().max(1);
            for (write, copies) in told.into_iter().filter(|(_, copies)| *copies >= k) {
                if let Some(engine) = &mut self.members[m].edit().engine {
                    engine.waiting.retain(|w| *w != write);
                }
                self.who(m, || format!("{copies} copies of write {write}"));
                self.note(Happening::Waited { write, copies });
            }
        }
    }

    /// A client writes to a member's engine, and waits for k copies.
    pub(crate) fn client_writes(&mut self, m: usize) {
        self.writes += 1;
        let write = self.writes;
        let Some(engine) = &mut self.members[m].edit().engine else { return };
        engine.write(write);
        self.who(m, || format!("acknowledges write {write}"));
        self.replicate();
    }

    /// Engines answer the looks that their agents have asked for: at once when there is news.
    pub(super) fn answer_looks(&mut self) {
        for m in 0..self.members.len() {
            let member = &self.members[m];
            let asks = member.agent.as_ref().is_some_and(|a| a.looks) && !member.frozen;
            let Some(engine) = member.engine.as_ref().filter(|_| asks) else { continue };
            let view = engine.view(&self.setting.names, &self.replicas(m));
            self.answer_look(m, view);
        }
    }

    fn answer_look(&mut self, m: usize, view: EngineView) {
        let (now, asked, life) = (self.now, self.local(m), self.members[m].life);
        let Some(agent) = &self.members[m].agent else { return };
        if let Some((told, at)) = &agent.told
            && **told == view
            && now < at + LOOK
        {
            return self.timer(at + LOOK - now, Timer::Look { m, life });
        }
        let Some(agent) = &mut self.members[m].edit().agent else { return };
        agent.looks = false;
        agent.told = Some((Arc::new(view.clone()), now));
        let run = agent.run;
        self.hear(m, life, Input::Engine(EngineNews::Seen { run, asked, view }));
    }

    /// Once a second the disk has what the engine wrote.
    pub(super) fn sync_files(&mut self, m: usize) {
        let Some(engine) = &self.members[m].engine else { return };
        let synced = (engine.data.len(), engine.offset);
        if engine.synced != synced
            && engine.complete
            && let Some(engine) = &mut self.members[m].edit().engine
        {
            engine.synced = synced;
        }
    }

    /// When a member's gate ends its engine, in true time.
    pub(super) fn gate_at(&self, m: usize) -> Option<u64> {
        let member = &self.members[m];
        let runs = member.engine.is_some() && !member.frozen;
        match member.gate {
            GateDeadline::Until(tick) if runs => Some(self.setting.clocks[m].when(tick)),
            _ => None,
        }
    }

    /// Past its deadline an engine ends itself, before anything else.
    pub(super) fn gate_looks(&mut self, m: usize) {
        if self.gate_at(m).is_some_and(|at| at <= self.now) {
            self.end_engine(m, Exit::Gate);
            self.replicate();
        }
    }

    /// Whether this engine would acknowledge a write now.
    pub(crate) fn could_ack(&self, m: usize) -> bool {
        let member = &self.members[m];
        let Some(engine) = member.engine.as_ref().filter(|_| !member.frozen) else { return false };
        engine.part == Part::Primary
            && engine.loading_until.is_none()
            && self.now >= engine.paused_until
            && self.gate_at(m).is_none_or(|at| self.now < at)
            && (engine.min_replicas == 0 || self.replicas(m).len() as u32 >= engine.min_replicas)
    }

    /// Looks who would acknowledge a write now: as if clients wrote to everybody all the time.
    pub(super) fn watch_acks(&mut self) {
        let now = self.now;
        for m in 0..self.members.len() {
            if !self.could_ack(m) {
                continue;
            }
            let Some(engine) = &self.members[m].engine else { continue };
            let term = engine.term;
            if self.judge.is_new(term) {
                let data = engine.data.iter().copied().collect();
                self.note(Happening::Holding { by: m, term, data });
            }
            if let Some(violation) = self.judge.could_ack(now, m, term) {
                self.broken.get_or_insert(violation);
            }
        }
    }
}

const _: () = assert!(LOOK < SECOND / 2, "a look is answered within a round of promises");
