//! Hands for a script: holds, drops and delays what a world would do by itself.

use brain::{Election, Memory, Message, Record, Settings, Tick};

use crate::store::Fate;

/// What becomes of a peer message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes its way.
    Pass,
    /// It is lost.
    Drop,
    /// It is kept until the script lets it go.
    Hold,
}

/// Judges a peer message: from, to, what.
pub type PeerHook = Box<dyn FnMut(usize, usize, &Message) -> Verdict>;

/// Changes the fate of a call to the store: whose, what it would write.
pub type CallHook = Box<dyn FnMut(usize, Option<&Record>, &mut Fate)>;

/// The hooks of a script; empty in a swarm.
#[derive(Default)]
pub struct Hooks {
    pub(crate) peer: Option<PeerHook>,
    pub(crate) call: Option<CallHook>,
    pub(crate) watch: Vec<u64>,
    pub(crate) held_peers: Vec<(usize, usize, Message)>,
}

impl std::fmt::Debug for Hooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hooks").field("held_peers", &self.held_peers.len()).finish_non_exhaustive()
    }
}

impl Hooks {
    pub(crate) fn peer(&mut self, from: usize, to: usize, message: &Message) -> Verdict {
        self.peer.as_mut().map_or(Verdict::Pass, |hook| hook(from, to, message))
    }

    pub(crate) fn call(&mut self, m: usize, record: Option<&Record>, fate: &mut Fate) {
        if let Some(hook) = self.call.as_mut() {
            hook(m, record, fate);
        }
    }

    pub(crate) fn watch_delay(&self, m: usize) -> u64 {
        self.watch.get(m).copied().unwrap_or(0)
    }

    pub(crate) fn election(&self, settings: Settings, memory: Memory, now: Tick) -> Election {
        Election::new(settings, memory, now)
    }
}
