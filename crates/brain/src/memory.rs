//! What a member must still know after a crash: the agent's state file (failover.md 2.1).

use engine::Offset;
use serde::{Deserialize, Serialize};

use crate::identity::{Epoch, MemberId};
use crate::message::Beginning;
use crate::record::Electorate;
use crate::stamp::Stamp;
use crate::time::{Span, Tick};

/// The persisted part of an election. Written whole, before anything that depends on it leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Memory {
    /// The random id of this disk's state; the edge draws it when there is no file.
    pub state_id: String,
    /// The boot id of the agent that wrote this.
    pub boot: String,
    /// The highest promise given.
    pub promised: Option<(Epoch, MemberId)>,
    /// The highest epoch led.
    pub led: Epoch,
    /// The highest epoch followed (acknowledged).
    pub followed: Epoch,
    /// How fresh the data are.
    pub stamp: Stamp,
    /// How many keys the dataset had.
    pub keys: u64,
    /// No engine stop since that could have lost an acknowledged tail.
    pub exact: bool,
    /// The data epoch in which the engine was last allowed to attach, since its admission. On disk
    /// *before* the engine attaches (protocol-traces D8).
    pub attached_in: Option<Epoch>,
    /// The electorate last seen, with its record's epoch.
    pub electorate: Option<(Epoch, Electorate)>,
    /// The largest T_p acknowledged.
    pub peer_max: Span,
    /// The beginnings of the last lines of data, newest first, at most [`Memory::HISTORY_MAX`].
    pub history: Vec<Beginning>,
    /// The engine was stopped cleanly and its data saved.
    pub clean: bool,
    /// The dataset was being replaced when this was written.
    pub syncing: bool,
    /// How far this copy had come, in its line of data, when it last stopped leading or its engine
    /// ended otherwise than cleanly: for finding divergence when the stamp has been cut back to
    /// what the disk keeps.
    #[serde(alias = "led_until")]
    pub reached: Option<(Epoch, Offset)>,
    /// Its engine could not read its files, which were moved aside: that it holds nothing is no
    /// proof that they did not.
    #[serde(default)]
    pub damaged: bool,
    /// Ticks of this member's deaths as primary by its own fault, newest last, at most
    /// [`Memory::DEATHS_MAX`].
    pub deaths: Vec<Tick>,
}

impl Memory {
    /// How many deaths are kept.
    pub const DEATHS_MAX: usize = 3;

    /// How many beginnings are kept.
    pub const HISTORY_MAX: usize = 8;

    /// A lead ends, or an engine otherwise than cleanly, in this line of data: how far the copy had
    /// come stays known.
    pub(crate) fn keep_reached(&mut self, line: Epoch) {
        self.reached = self.reached.max(Some((line, self.stamp.offset)));
    }

    /// Another death as a primary by its own fault. The last three are judged (failover.md 2.12).
    pub(crate) fn note_death(&mut self, now: Tick) {
        self.deaths.push(now);
        self.forget_deaths(now);
    }

    /// Ticks of another boot of the machine, which say nothing of this one, and those of a build
    /// that kept them all are dropped.
    pub(crate) fn forget_deaths(&mut self, now: Tick) {
        self.deaths.retain(|at| *at <= now);
        let surplus = self.deaths.len().saturating_sub(Self::DEATHS_MAX);
        self.deaths.drain(..surplus);
    }

    /// The highest epoch that this disk has ever known.
    pub fn epoch_max(&self) -> Epoch {
        let promised = self.promised.as_ref().map_or(Epoch(0), |(e, _)| *e);
        let seen = self.electorate.as_ref().map_or(Epoch(0), |(e, _)| *e);
        promised.max(self.led).max(self.followed).max(self.stamp.epoch).max(seen)
    }

    /// Whether this disk has never known an epoch nor held data (failover.md 2.11, bootstrap).
    pub fn is_virgin(&self) -> bool {
        self.epoch_max() == Epoch(0) && !self.stamp.complete && self.stamp.offset == Offset(0)
    }
}
