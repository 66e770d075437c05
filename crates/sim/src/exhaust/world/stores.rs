//! The store of a small world: one register, calls under way, and its watch.

use std::sync::Arc;

use brain::{Input, Record, RequestId, StoreOutcome, Version};

use super::{Call, Due, Small, Timer};
use crate::history::Happening;

impl Small {
    /// An agent calls the store. Cut off from it, it waits in vain.
    pub(super) fn call(
        &mut self,
        m: usize,
        request: RequestId,
        replace: Option<(Option<Version>, Box<Record>)>,
    ) {
        let life = self.members[m].life;
        if let Some(agent) = &mut self.members[m].edit().agent {
            agent.waiting.insert(request);
        }
        let call = Call { m, life, request, replace };
        if self.net.has_store(m) {
            self.due.push_back(Due::Arrive(Arc::new(call)));
        } else {
            self.in_vain(&call);
        }
    }

    /// Nobody answers this call: its agent gives up after its time.
    pub(super) fn in_vain(&mut self, call: &Call) {
        let after = self.bounds().timing.store_timeout().0;
        let Call { m, life, request, .. } = *call;
        self.timer(after, Timer::Unanswered { m, life, request });
    }

    /// The call reaches the store; `answered`: what came of it is on its way back.
    pub(super) fn arrives(&mut self, call: &Arc<Call>, answered: bool) {
        let outcome = match &call.replace {
            None => StoreOutcome::Read(self.stands()),
            Some((expected, record)) if self.version() == *expected => {
                self.say("store", || format!("written by {}", call.m));
                let holder = record.holder.as_ref().and_then(|h| self.index(&h.id.name));
                self.note(Happening::Recorded { holder, epoch: record.epoch.0, late: false });
                self.put(Some(Arc::new((**record).clone())));
                self.version().map_or(StoreOutcome::Conflict, StoreOutcome::Replaced)
            }
            Some(_) => StoreOutcome::Conflict,
        };
        if answered && self.net.has_store(call.m) {
            let outcome = Arc::new(outcome);
            self.due.push_back(Due::Answer { call: Arc::clone(call), outcome });
        } else {
            self.in_vain(call);
        }
    }

    pub(super) fn answers(&mut self, call: &Call, outcome: StoreOutcome) {
        if self.stops_waiting(call.m, call.life, call.request) {
            let input = Input::Store { request: call.request, outcome };
            self.deliver(call.m, Some(call.life), input);
        }
    }

    /// Whether the agent still waited for this call.
    pub(super) fn stops_waiting(&mut self, m: usize, life: u64, request: RequestId) -> bool {
        if self.members[m].life != life {
            return false;
        }
        let agent = self.members[m].edit().agent.as_mut();
        agent.is_some_and(|a| a.waiting.remove(&request))
    }

    pub(super) fn version(&self) -> Option<Version> {
        self.store.now.as_ref().map(|(count, _)| Version(format!("v{count}")))
    }

    /// What stands there.
    pub(super) fn stands(&self) -> Option<(Version, Record)> {
        let (_, record) = self.store.now.as_ref()?;
        Some((self.version()?, (**record).clone()))
    }

    /// The record that stands there.
    pub(crate) fn record(&self) -> Option<&Record> {
        self.store.now.as_ref().map(|(_, record)| &**record)
    }

    /// The record that stood there one write ago.
    pub(super) fn record_before(&self) -> Option<Arc<Record>> {
        self.store.before.clone()
    }

    /// Puts this there, whatever stands there, and shows it to everybody who reaches the store.
    pub(super) fn put(&mut self, record: Option<Arc<Record>>) {
        let store = &mut self.store;
        store.writes += 1;
        let count = store.writes;
        let before = std::mem::replace(&mut store.now, record.map(|r| (count, r)));
        store.before = before.map(|(_, record)| record);
        for m in 0..self.members.len() {
            self.show(m);
        }
    }

    /// A member's watch shows what stands there.
    pub(super) fn show(&mut self, m: usize) {
        if self.members[m].agent.is_some() && self.net.has_store(m) {
            let (life, shown) = (self.members[m].life, Arc::new(self.stands()));
            self.due.push_back(Due::Watch { m, life, shown });
        }
    }
}
