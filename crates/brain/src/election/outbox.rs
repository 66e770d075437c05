//! Effects on their way out, and the numbers that tell them apart.

use crate::effect::{Act, Effect, EngineCommand, PersistId, RequestId};
use crate::identity::MemberName;
use crate::memory::Memory;
use crate::message::Message;
use crate::reason::Reason;

/// Something that may leave only once the memory is on disk.
#[derive(Clone, Debug, Hash)]
pub(crate) enum Deferred {
    /// A message.
    Send(MemberName, Message, Reason),
}

/// Collects the effects of one call.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Outbox {
    effects: Vec<Effect>,
    requests: u64,
    persists: u64,
    /// The newest memory that is on disk.
    pub(crate) persisted: PersistId,
    deferred: Vec<(PersistId, Deferred)>,
}

impl Outbox {
    pub(crate) fn push(&mut self, act: Act, why: Reason) {
        self.effects.push(Effect { act, why });
    }

    pub(crate) fn note(&mut self, why: Reason) {
        self.push(Act::Note, why);
    }

    pub(crate) fn request(&mut self) -> RequestId {
        self.requests += 1;
        RequestId(self.requests)
    }

    pub(crate) fn engine(&mut self, command: EngineCommand, why: Reason) -> RequestId {
        let request = self.request();
        self.push(Act::Engine { request, command }, why);
        request
    }

    pub(crate) fn persist(&mut self, memory: &Memory, why: Reason) -> PersistId {
        self.persists += 1;
        let id = PersistId(self.persists);
        self.push(Act::Persist { id, memory: Box::new(memory.clone()) }, why);
        id
    }

    /// Whether no later memory is on its way to the disk.
    pub(crate) fn is_newest(&self, id: PersistId) -> bool {
        id >= PersistId(self.persists)
    }

    pub(crate) fn after(&mut self, id: PersistId, deferred: Deferred) {
        self.deferred.push((id, deferred));
    }

    /// Everything that was waiting for this memory or an earlier one.
    pub(crate) fn confirmed(&mut self, id: PersistId) -> Vec<Deferred> {
        self.persisted = self.persisted.max(id);
        let (due, waiting) =
            std::mem::take(&mut self.deferred).into_iter().partition(|(wait, _)| *wait <= id);
        self.deferred = waiting;
        due.into_iter().map(|(_, deferred): (PersistId, Deferred)| deferred).collect()
    }

    pub(crate) fn take(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }
}
