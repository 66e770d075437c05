//! A load in another place than the one who does the harm: a process that makes load on a group and
//! is asked over HTTP what its clients noticed. Every time is one of its own clock.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::journal::At;
use crate::load::LoadPlan;

mod census;
mod serve;
mod session;

pub use serve::{Station, serve};

/// Where a station listens unless it is told otherwise.
pub const PORT: u16 = 8480;

/// Members' engines at their own addresses: name → host:port.
pub type Members = BTreeMap<String, String>;

/// `POST /v1/begin`: a new run.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Begin {
    /// The load.
    pub plan: LoadPlan,
    /// k: how many replicas must have a write before it counts as replicated.
    pub copies: u32,
    /// Keys that are written before everything, so that there is something to lose.
    pub seeds: u32,
    /// Who is probed at its own address. `PUT /v1/members` replaces addresses later on.
    pub members: Members,
    /// Whether the members' data are compared in the end: all of them must be there then, and let
    /// anybody read.
    pub compare: bool,
}

/// `GET /v1/now`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Now {
    /// What its clock says.
    pub at: At,
    /// The run that is under way.
    pub run: Option<String>,
    /// Writes acknowledged in the last second.
    pub acked_per_s: u64,
}

/// `GET /v1/noticed?from=…&patience_ms=…&leader=…`: what clients noticed since `from`, once a write
/// was acknowledged after the question, or nobody acknowledged one for `patience_ms`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Noticed {
    /// The longest time without an acknowledged write, in milliseconds.
    pub write_gap_ms: f64,
    /// Whether writes came back; otherwise the gap is only a lower bound.
    pub writes_back: bool,
    /// When the gap began, in milliseconds after `from`: the last acknowledgement before it.
    pub gap_from_ms: f64,
    /// The longest time without an answered read, in milliseconds.
    pub read_gap_ms: f64,
    /// What each engine acknowledged at its own address.
    pub members: BTreeMap<String, Acked>,
    /// How often leadership certainly changed hands (see [`crate::probe::changes`]).
    pub changes: u64,
    /// Acknowledgements of others after `leader`'s first one (see [`crate::probe::late`]).
    pub late: u64,
}

/// What one engine acknowledged since `from`, in milliseconds after it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Acked {
    /// The first.
    pub first_ms: f64,
    /// The last.
    pub last_ms: f64,
    /// How many.
    pub count: u64,
}

/// `POST /v1/queue/settle`: what an engine did with the writes that waited for its thaw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// Writes that waited.
    pub queued: u64,
    /// How many of them were acknowledged.
    pub acked: u64,
}

/// `POST /v1/finish`: the count of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Finished {
    /// Acknowledged, waited for or not.
    pub acked: u64,
    /// Acknowledged, and by `WAIT` on enough replicas.
    pub replicated: u64,
    /// Refused: certainly not carried out.
    pub refused: u64,
    /// Not answered.
    pub unknown: u64,
    /// Acknowledged, not known to be replicated, and not there.
    pub lost_acked: u64,
    /// Acknowledged and replicated, and not there.
    pub lost_replicated: u64,
    /// Refused, and there all the same.
    pub refused_but_there: u64,
    /// Of the keys that were written first, how many are not there.
    pub lost_seeds: u64,
    /// How often the primary held fewer keys than at the count before, whoever that was.
    pub shrank: u64,
    /// Keys that differ between the write address and any member.
    pub different_keys: u64,
    /// How many of all acknowledged ones were written by a prober at a member's own address.
    pub acked_probes: u64,
    /// How many of all lost ones were: a client that knows no such address does not lose them.
    pub lost_probes: u64,
}
