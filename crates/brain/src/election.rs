//! The election of one member (failover.md 2), one door in and effects out.

use crate::effect::Effect;
use crate::input::Input;
use crate::memory::Memory;
use crate::report::MemberReport;
use crate::time::Tick;
use crate::topology::Settings;

/// One member's election.
#[derive(Debug)]
pub struct Election {
    settings: Settings,
    memory: Memory,
}

impl Election {
    /// A member that has just started, with what its disk remembers. The first effects come from the
    /// first [`Input::Tick`].
    pub fn new(settings: Settings, memory: Memory, _now: Tick) -> Self {
        Self { settings, memory }
    }

    /// Tells the election what happened; returns what is to be done.
    pub fn on(&mut self, _input: Input, _now: Tick) -> Vec<Effect> {
        Vec::new()
    }

    /// When it must be called again at the latest.
    pub fn wake_at(&self) -> Option<Tick> {
        None
    }

    /// What it would say of itself to people. The edge fills in addresses, process ids, engine,
    /// keys, memory, drift and decisions.
    pub fn report(&self, _now: Tick) -> MemberReport {
        MemberReport {
            name: self.settings.me.0.clone(),
            epoch: self.memory.led.0,
            ..Default::default()
        }
    }
}
