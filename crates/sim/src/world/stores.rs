//! Calls to the store and its watch, with everything that gets lost on the way.

use brain::{Input, Record, RequestId, StoreOutcome, Version};

use super::{Call, What, World};
use crate::history::Happening;
use crate::network::{OUTSIDE, Plane};
use crate::store::Fate;
use crate::{MS, SECOND};

impl World {
    pub(super) fn call_store(
        &mut self,
        m: usize,
        request: RequestId,
        replace: Option<(Option<Version>, Box<Record>)>,
    ) {
        let life = self.members[m].life;
        let mut fate = self.fate(m);
        let held = self.hooks.call(m, replace.as_ref().map(|(_, r)| r.as_ref()), &mut fate);
        let id = self.id();
        if held {
            self.say(m, || "script: holds this call".to_owned());
            fate.arrives = None;
            self.hooks.held_calls.push(id);
        }
        let (answers, upheavals) = (fate.answers, self.store.upheavals);
        let call = Call { member: m, life, request, replace, upheavals, answers, outcome: None };
        self.calls.insert(id, call);
        if let Some(agent) = self.members[m].agent.as_mut() {
            agent.calls.insert(id);
        }
        if fate.refused {
            if let Some(call) = self.calls.get_mut(&id) {
                call.outcome = Some(StoreOutcome::Unavailable("connection refused".to_owned()));
            }
            self.after(MS, What::StoreAnswer(id));
            return;
        }
        if let Some(delay) = fate.arrives {
            self.after(delay, What::StoreArrive(id));
        }
        let usual = self.plan.timing.store_timeout().0;
        let timeout = self.hooks.store_timeout.unwrap_or(usual);
        self.after(timeout, What::StoreTimeout(id));
    }

    fn fate(&mut self, m: usize) -> Fate {
        let mut fate = self.plan.temper.fate(&mut self.rng);
        if !self.network.open(Plane::Store, m, OUTSIDE) || self.store.down {
            fate.arrives = None;
            fate.refused = self.rng.per_mille(500);
        }
        fate
    }

    /// Calls that a script held back reach the store now.
    pub(crate) fn release_calls(&mut self) {
        for id in std::mem::take(&mut self.hooks.held_calls) {
            self.after(MS / 10, What::StoreArrive(id));
        }
    }

    pub(super) fn store_arrives(&mut self, id: u64) {
        let Some(call) = self.calls.get(&id) else { return };
        if self.store.down {
            return;
        }
        let (m, late) = (call.member, call.upheavals < self.store.upheavals);
        let outcome = match call.replace.clone() {
            None => StoreOutcome::Read(self.store.read()),
            Some(_) if self.store.read_only => {
                StoreOutcome::Unavailable("403: the store is read-only".to_owned())
            }
            Some((expected, record)) => {
                let holder = record.holder.as_ref().and_then(|holder| self.place_of(&holder.id));
                let recorded = Happening::Recorded { holder, epoch: record.epoch.0, late };
                match self.store.replace(expected.as_ref(), *record) {
                    Some(version) => {
                        self.say(m, || format!("store: {} stands", version.0));
                        self.note(recorded);
                        self.announce();
                        StoreOutcome::Replaced(version)
                    }
                    None => StoreOutcome::Conflict,
                }
            }
        };
        let answers = self.calls.get(&id).and_then(|c| c.answers);
        if let Some(call) = self.calls.get_mut(&id) {
            call.outcome = Some(outcome);
        }
        if let Some(delay) = answers.filter(|_| self.network.open(Plane::Store, OUTSIDE, m)) {
            self.after(delay, What::StoreAnswer(id));
        }
    }

    pub(super) fn store_answers(&mut self, id: u64) {
        let Some(call) = self.calls.get(&id) else { return };
        let (m, life, request) = (call.member, call.life, call.request);
        if self.members[m].life != life {
            self.calls.remove(&id);
            return;
        }
        let Some(agent) = self.members[m].agent.as_mut() else { return };
        let waited_for = agent.calls.remove(&id);
        let Some(outcome) = self.calls.remove(&id).and_then(|c| c.outcome) else { return };
        if waited_for {
            self.deliver(m, Input::Store { request, outcome });
        }
    }

    pub(super) fn store_times_out(&mut self, id: u64) {
        let Some(call) = self.calls.get(&id) else { return };
        let (m, life, request) = (call.member, call.life, call.request);
        if self.members[m].life != life {
            self.calls.remove(&id);
            return;
        }
        let Some(agent) = self.members[m].agent.as_mut() else { return };
        if agent.frozen {
            // A thawed process finds the answer, if it is there, before its own timeout.
            self.after(20 * MS, What::StoreTimeout(id));
            return;
        }
        if agent.calls.remove(&id) {
            // The call itself may still be on its way.
            self.deliver(m, Input::Store { request, outcome: StoreOutcome::Unanswered });
        }
    }

    /// Shows the record to every watcher, sooner or later, or at the next re-list.
    pub(super) fn announce(&mut self) {
        for m in 0..self.members.len() {
            if self.rng.per_mille(self.plan.temper.watch_drops) {
                continue;
            }
            let typical = self.plan.temper.watch + self.hooks.watch_delay(m);
            // A watch lags, but shows the versions in their order.
            let at = (self.now + self.rng.latency(typical)).max(self.watched[m] + 1);
            self.watched[m] = at;
            let life = self.members[m].life;
            let shown = Box::new(self.store.read());
            self.at(at, What::Watch { m, life, shown });
        }
    }

    pub(super) fn watch(&mut self, m: usize, life: u64, shown: Option<(Version, Record)>) {
        let path = self.network.both(Plane::Store, m, OUTSIDE) && !self.store.down;
        if self.members[m].life == life && path {
            self.deliver(m, Input::Watched(shown));
        }
    }

    /// A watch that broke or fell behind is begun anew now and then.
    pub(super) fn relist(&mut self, m: usize, life: u64) {
        if self.members[m].life != life || self.members[m].agent.is_none() {
            return;
        }
        let pause = self.rng.range(SECOND, 3 * SECOND) + self.hooks.watch_delay(m);
        self.after(pause, What::Relist { m, life });
        if self.hooks.watch_delay(m) == 0 && self.watched[m] <= self.now {
            self.watch(m, life, self.store.read());
        }
    }
}
