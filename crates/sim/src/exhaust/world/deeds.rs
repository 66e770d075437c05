//! Where a small world has a choice, what it may choose, and the deeds.

use std::collections::VecDeque;
use std::sync::Arc;

use brain::{AskId, EngineCommand, Exit, Input, Message, Span, Wish};

use super::super::bounds::Net;
use super::super::choice::Choice;
use super::{Due, Small};
use crate::MS;
use crate::history::Happening;

/// How long a deed takes.
const MOMENT: u64 = MS / 1000;
/// The longest time without a point of choice.
const PAUSE: u64 = 500 * MS;
/// The grace of a SIGTERM.
const GRACE: Span = Span(4000 * MS);

impl Small {
    /// Whether here is a point of choice: before anything that is more than routine, and before
    /// time goes on from an instant in which there was something of that kind, or a word between
    /// members, and at least every [`PAUSE`].
    ///
    /// Why this suffices. A fault of one member (its end, its freeze, the end of its engine)
    /// changes nothing but that member and who is linked to it: it commutes with everything that
    /// happens to others in between, so it need be tried only before what happens to that very
    /// member. And it need not be tried before a routine step, which leaves behind only what the
    /// next point of choice has too: a look at the engine, an answer to it, a tick, a stamp on the
    /// disk.
    pub(crate) fn is_point(&self) -> bool {
        match self.due.front() {
            None => self.lively || self.now >= self.last_point + PAUSE,
            Some(due) => self.bounds().fine && self.tells(due),
        }
    }

    /// Whether anybody else takes notice of this.
    pub(super) fn is_lively(&self, due: &Due) -> bool {
        matches!(due, Due::Peer { .. } | Due::Arrive(_)) || self.tells(due)
    }

    /// Whether this is more than routine.
    fn tells(&self, due: &Due) -> bool {
        match due {
            Due::Tick { .. } | Due::Hear { .. } => false,
            Due::Persist { m, memory, .. } => self.is_a_word(*m, memory),
            Due::Order { command, .. } => matches!(
                **command,
                EngineCommand::DeadEnd
                    | EngineCommand::Follow(_)
                    | EngineCommand::Promote
                    | EngineCommand::Admit(_)
            ),
            Due::Arrive(call) | Due::Answer { call, .. } => call.replace.is_some(),
            Due::Watch { .. } => true,
            Due::Peer { message, .. } => match &**message {
                Message::Heartbeat(_) | Message::Ack(_) => self.bounds().chatter,
                Message::Standing { ask, .. } => *ask != 0,
                _ => true,
            },
        }
    }

    /// What may be chosen here; [`Choice::Go`] comes first.
    pub(crate) fn options(&self) -> Vec<Choice> {
        let mut all = vec![Choice::Go];
        match self.due.front() {
            Some(due) => self.options_before(due, &mut all),
            None => self.options_between(&mut all),
        }
        all
    }

    /// Whether one more of these faults is within the bounds.
    fn may(&self, spent: u8, budget: u8) -> bool {
        spent < budget && self.faults < self.bounds().faults
    }

    fn options_before(&self, due: &Due, all: &mut Vec<Choice>) {
        let (spent, budget) = (&self.spent, &self.bounds().budget);
        let m = due.to();
        let word = matches!(due, Due::Peer { .. } | Due::Watch { .. });
        let call = matches!(due, Due::Arrive(_) | Due::Answer { .. });
        if (word || matches!(due, Due::Arrive(_))) && self.may(spent.losses, budget.losses) {
            all.push(Choice::Lose);
        }
        let may_hold = word && self.may(spent.holds, budget.holds);
        if may_hold || (call && self.may(spent.late, budget.late)) {
            all.push(Choice::Hold);
        }
        if matches!(due, Due::Arrive(_)) && self.may(spent.unanswered, budget.unanswered) {
            all.push(Choice::Unanswered);
        }
        self.faults_of(m, all);
    }

    fn faults_of(&self, m: usize, all: &mut Vec<Choice>) {
        let (spent, budget) = (&self.spent, &self.bounds().budget);
        let member = &self.members[m];
        if member.agent.is_none() {
            return;
        }
        if self.may(spent.crashes, budget.crashes) {
            all.push(Choice::Crash(m));
        }
        if member.frozen {
            return;
        }
        if member.engine.is_some() && self.may(spent.kills, budget.kills) {
            all.push(Choice::Kill(m));
        }
        if self.may(spent.freezes, budget.freezes) {
            all.push(Choice::Freeze(m));
        }
    }

    fn options_between(&self, all: &mut Vec<Choice>) {
        let (spent, budget) = (&self.spent, &self.bounds().budget);
        all.extend((0..self.held.len()).map(Choice::Release));
        if self.net != Net::default() {
            all.push(Choice::Mend);
        }
        for m in 0..self.members.len() {
            let member = &self.members[m];
            if member.agent.is_none() {
                all.push(Choice::Start(m));
            } else if member.frozen {
                all.push(Choice::Thaw(m));
            }
            if spent.writes < budget.writes && self.could_ack(m) {
                all.push(Choice::Write(m));
            }
            self.faults_of(m, all);
        }
        if self.may(spent.cuts, budget.cuts) {
            let nets = self.bounds().nets.iter().enumerate();
            all.extend(nets.filter(|(_, n)| **n != self.net).map(|(i, _)| Choice::Cut(i)));
        }
        if self.record().is_some() && self.may(spent.deletions, budget.deletions) {
            all.push(Choice::Delete);
        }
        if self.record_before().is_some() && self.may(spent.rollbacks, budget.rollbacks) {
            all.push(Choice::Rollback);
        }
        for m in 0..self.members.len() {
            let runs = self.members[m].agent.is_some() && !self.members[m].frozen;
            if runs && self.could_ack(m) && self.may(spent.handovers, budget.handovers) {
                all.push(Choice::Handover(m));
            }
            if runs && self.may(spent.stops, budget.stops) {
                all.push(Choice::Stop(m));
            }
        }
    }

    /// Does what was chosen. False at the end of the time that is covered.
    pub(crate) fn choose(&mut self, choice: Choice) -> bool {
        let point = self.pass_point();
        if choice == Choice::Go {
            return self.go();
        }
        self.lively = true;
        // What comes before a deed and what comes after it never happen in one tick of a clock.
        self.now += MOMENT;
        self.say("CHOICE", || format!("{point} {choice}"));
        if choice.is_fault() {
            self.faults += 1;
            let beyond_store = !self.is_of_store(choice);
            self.note(Happening::Harmed { beyond_store });
        }
        match choice {
            Choice::Go => {}
            Choice::Lose | Choice::Hold | Choice::Unanswered => self.interfere(choice),
            Choice::Release(n) => {
                let due = self.held.remove(n);
                self.due.push_front(due);
            }
            Choice::Cut(n) => {
                self.spent.cuts += 1;
                self.cut(self.bounds().nets[n]);
            }
            Choice::Mend => self.cut(Net::default()),
            Choice::Crash(m) => {
                self.spent.crashes += 1;
                self.end(m);
            }
            Choice::Start(m) => self.start(m),
            Choice::Kill(m) => {
                self.spent.kills += 1;
                self.end_engine(m, Exit::Signal(9));
                self.replicate();
            }
            Choice::Freeze(m) => {
                self.spent.freezes += 1;
                self.members[m].edit().frozen = true;
            }
            Choice::Thaw(m) => self.thaw(m),
            Choice::Delete => {
                self.spent.deletions += 1;
                self.put(None);
            }
            Choice::Rollback => {
                self.spent.rollbacks += 1;
                self.put(self.record_before());
            }
            Choice::Handover(m) => {
                self.spent.handovers += 1;
                self.wish(m, Wish::Handover { to: None, dry_run: false });
            }
            Choice::Stop(m) => {
                self.spent.stops += 1;
                self.wish(m, Wish::Stop { within: GRACE });
            }
            Choice::Write(m) => {
                self.spent.writes += 1;
                self.client_writes(m);
            }
        }
        self.watch_acks();
        true
    }

    /// Whether this keeps members from the store and harms nothing else.
    fn is_of_store(&self, choice: Choice) -> bool {
        match choice {
            Choice::Unanswered => true,
            Choice::Lose | Choice::Hold => {
                self.due.front().is_some_and(|due| !matches!(due, Due::Peer { .. }))
            }
            Choice::Cut(n) => self.bounds().nets[n].deaf == [0; 4],
            _ => false,
        }
    }

    /// Counts this point of choice.
    pub(crate) fn pass_point(&mut self) -> u64 {
        self.last_point = self.now;
        self.points += 1;
        self.points - 1
    }

    fn interfere(&mut self, choice: Choice) {
        let Some(due) = self.due.pop_front() else { return };
        let is_call = matches!(due, Due::Arrive(_) | Due::Answer { .. });
        if let Due::Arrive(call) | Due::Answer { call, .. } = &due {
            let call = Arc::clone(call);
            if choice == Choice::Unanswered {
                self.spent.unanswered += 1;
                return self.arrives(&call, false);
            }
            self.in_vain(&call);
        }
        match choice {
            Choice::Hold if is_call => self.spent.late += 1,
            Choice::Hold => self.spent.holds += 1,
            _ => self.spent.losses += 1,
        }
        if choice == Choice::Hold {
            self.held.push(due);
        }
    }

    fn wish(&mut self, m: usize, wish: Wish) {
        let life = self.members[m].life;
        let ask = AskId(self.points);
        self.hear(m, life, Input::Asked { ask, wish });
    }

    fn cut(&mut self, net: Net) {
        self.say("net", || net.to_string());
        let before = std::mem::replace(&mut self.net, net);
        for m in 0..self.members.len() {
            if !before.has_store(m) && net.has_store(m) {
                self.show(m);
            }
        }
        self.links_change();
        self.replicate();
    }

    /// A member goes on: its engine looks at its gate first, then the agent hears what had come.
    fn thaw(&mut self, m: usize) {
        let member = self.members[m].edit();
        member.frozen = false;
        let inbox: VecDeque<Due> = std::mem::take(&mut member.inbox);
        self.gate_looks(m);
        self.due.extend(inbox);
        self.replicate();
    }
}
