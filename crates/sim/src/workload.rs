//! Clients: they write values that nobody writes twice, some with WAIT, and follow the route or
//! hang on to whom they know.

use crate::history::Write;
use crate::plan::Plan;
use crate::prng::Prng;
use crate::{MS, SECOND};

/// One client with one connection and at most one command under way.
#[derive(Clone, Debug)]
pub struct Client {
    /// It never leaves an engine that still answers.
    pub sticky: bool,
    /// Writes followed by WAIT, of a thousand.
    pub waits: u64,
    /// How long it waits for an answer, ns.
    pub timeout: u64,
    /// The engine it is connected to: member and process.
    pub conn: Option<(usize, u64)>,
    /// What it waits for.
    pub pending: Option<Pending>,
    /// Tells its next act from an earlier arrangement.
    pub token: u64,
    /// It writes nothing any more.
    pub retired: bool,
}

/// A command under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The command's number; a write's is its value.
    pub op: u64,
    /// The write that it is, or that it waits for.
    pub write: Write,
    /// It is the WAIT.
    pub waiting: bool,
}

impl Client {
    /// A client of this world.
    pub fn new(plan: &Plan, rng: &mut Prng) -> Self {
        Self {
            sticky: rng.per_mille(plan.sticky_percent * 10),
            waits: rng.pick(&[0, 300, 1000]),
            timeout: rng.pick(&[300 * MS, SECOND, 3 * SECOND]),
            conn: None,
            pending: None,
            token: 0,
            retired: false,
        }
    }
}
