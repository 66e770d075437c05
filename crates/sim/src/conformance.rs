//! Scripts that are played on the model of an engine and on real engines, compared after
//! each step: what the model shows is what a real engine has to show.
//!
//! This side is data and the model. Whoever plays a script on real processes is above the IO line
//! (`crates/trial/tests/conformance`).

pub mod model;
pub mod scripts;
pub mod state;

use crate::server::Persistence;

pub use model::play;
pub use state::{Copy, Difference, Look, Names, Process, Seen, State, Talk, differences};

/// A client by its number; each has one connection to each engine.
pub type Client = usize;

/// An engine by its number, which outlives its process.
pub type Who = usize;

/// One play.
#[derive(Clone, Debug)]
pub struct Script {
    /// Its name, one word or a few with hyphens.
    pub name: &'static str,
    /// How its engines are set up.
    pub setup: Setup,
    /// What is done, in order.
    pub steps: Vec<Step>,
}

/// How the engines of a script are set up: the same words for the model and for real ones.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// How many there are.
    pub engines: usize,
    /// What outlives a process. The append-only file is written to the kernel before an answer, so
    /// a process that is killed loses none of it.
    pub persistence: Persistence,
    /// A backlog that twenty writes overflow and three do not, in place of one that nothing does.
    pub small_backlog: bool,
    /// `min-replicas-max-lag`, in seconds.
    pub max_lag_s: u64,
    /// `repl-ping-replica-period` in seconds. Pings move the offset while nobody writes, so most
    /// scripts have none.
    pub pings_s: Option<u64>,
    /// A full sync of an empty replica leaves no file: what is rendered for a cache.
    pub empty_loads_diskless: bool,
}

impl Setup {
    /// So many engines that write append-only files.
    pub fn of(engines: usize) -> Self {
        Self {
            engines,
            persistence: Persistence::Aof { always: false },
            small_backlog: false,
            max_lag_s: 3,
            pings_s: None,
            empty_loads_diskless: false,
        }
    }

    /// The same with snapshots.
    pub fn rdb(engines: usize) -> Self {
        Self { persistence: Persistence::Rdb, ..Self::of(engines) }
    }
}

/// What is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Starts a process at the dead end, from the files that the last one left.
    Start(Who),
    /// The same, and it will not have read its files before the script ends.
    StartSlowly(Who),
    /// SIGKILL.
    Kill(Who),
    /// SIGTERM, again until the process has gone: an engine may refuse one (engine.md 0, 10).
    Stop(Who),
    /// SIGTERM, once.
    AskToStop(Who),
    /// Empties the data directory of an engine that does not run.
    Wipe(Who),
    /// `REPLICAOF NO ONE`.
    Promote(Who),
    /// `REPLICAOF` of the second.
    Follow(Who, Who),
    /// `REPLICAOF` of the dead end.
    Leave(Who),
    /// Switches on the replication users of exactly these and cuts off all others.
    Admit(Who, &'static [Who]),
    /// Closes the links of all replicas of this engine, which may come again.
    CutReplicas(Who),
    /// `CLIENT PAUSE … WRITE`, in milliseconds.
    Pause(Who, u64),
    /// `CLIENT UNPAUSE`.
    Unpause(Who),
    /// `min-replicas-to-write`.
    MinReplicas(Who, u32),
    /// `CLIENT KILL TYPE normal`.
    KillClients(Who),
    /// A client sends so many writes, each of a key of its own, without reading any answer.
    Write(Client, Who, usize),
    /// A client sends `WAIT`, with a timeout in milliseconds.
    Wait(Client, Who, u32, u64),
    /// Asks for the stream, as a replica without a user would.
    AskForStream(Who),
    /// `BGSAVE`, and its end: `SAVE` that fails has no consequences.
    Save(Who),
    /// From now on no snapshot can be written.
    BreakDisk(Who),
    /// And now it can.
    MendDisk(Who),
    /// From now on the file of a full sync of this engine does not end.
    SlowTransfer(Who),
    /// From now on an append-only file that this engine writes anew is never done.
    SlowRewrite(Who),
    /// SIGSTOP.
    Freeze(Who),
    /// SIGCONT.
    Thaw(Who),
    /// The engine does nothing for some time, and a client sends so many writes meanwhile.
    Nap(Who, Client, usize),
    /// Nothing is done, and nothing may change, for longer than any period of an engine.
    Hold,
    /// What must be seen now, of an engine (`"0"`), a client at an engine (`"client 0 at 1"`) or
    /// the last order (`"order"`): a field of [`State`] and its value. Held against the model when
    /// it plays, so that a script cannot agree about nothing.
    Expect(&'static str, &'static str, &'static str),
}

#[cfg(test)]
mod tests;
