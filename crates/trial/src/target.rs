//! The group that is tried: where it listens, who its members are, and the hands that turn the
//! parts of it that are no process (links, store, starting and stopping).

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use client::{Credentials, Endpoint};
use serde::{Deserialize, Serialize};

/// A running group, as whoever started it describes it.
#[derive(Clone)]
pub struct Target {
    /// The group's tag.
    pub group: String,
    /// Where clients write.
    pub write: Endpoint,
    /// Where clients read.
    pub read: Endpoint,
    /// As whom clients come; `None` when the group asks for no password.
    pub credentials: Option<Credentials>,
    /// Every member that there should be.
    pub seats: Vec<Seat>,
    /// k: how many replicas must have a write before it counts as replicated (failover.md 2.3).
    pub copies: u32,
    /// W of the group's profile: a challenger's wait (failover.md 2.5).
    pub wait: Duration,
    /// What the trial cannot do by a signal.
    pub hands: Arc<dyn Hands>,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("group", &self.group)
            .field("seats", &self.seats)
            .finish_non_exhaustive()
    }
}

impl Target {
    /// The seat of this member.
    pub fn seat(&self, member: &str) -> Option<&Seat> {
        self.seats.iter().find(|seat| seat.name == member)
    }
}

/// One member's place: it stays the same over restarts of the agent and of the engine.
#[derive(Clone, Debug)]
pub struct Seat {
    /// The member's name.
    pub name: String,
    /// The engine's own port, not the proxy's.
    pub engine: Endpoint,
    /// host:port of the agent's HTTP server.
    pub http: String,
    /// The member's volume: what is copied to make an older member.
    pub directory: PathBuf,
    /// Where the engine keeps its data: what is emptied to make an empty one.
    pub data: PathBuf,
}

/// From whom a member is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CutFrom {
    /// The record's store.
    Store,
    /// All other members.
    Peers,
    /// Both; clients still reach it.
    Everyone,
}

impl fmt::Display for CutFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Store => "store",
            Self::Peers => "peers",
            Self::Everyone => "store and peers",
        })
    }
}

/// What the store is made to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreState {
    /// Well.
    Up,
    /// Gone: every call fails.
    Down,
    /// Every call takes this much longer.
    Slow(Duration),
}

/// A deed under way.
pub type Doing<'a> = Pin<Box<dyn Future<Output = Result<(), HandsError>> + Send + 'a>>;

/// What a deed needs that is no signal to a process. Each returns when the deed is done (not when
/// the group has dealt with it), within a deadline of its own.
pub trait Hands: Send + Sync + 'static {
    /// Cuts a member off, silently and both ways.
    fn cut<'a>(&'a self, member: &'a str, from: CutFrom) -> Doing<'a>;
    /// Heals every cut.
    fn heal_all(&self) -> Doing<'_>;
    /// Asks for a handover, to `to` or to the best, and waits until the group says it is done.
    fn handover<'a>(&'a self, to: Option<&'a str>) -> Doing<'a>;
    /// Turns the store.
    fn store(&self, state: StoreState) -> Doing<'_>;
    /// Stops every agent and with it every engine, but keeps all data.
    fn stop_all(&self) -> Doing<'_>;
    /// Starts these members, in this order.
    fn start<'a>(&'a self, members: &'a [String]) -> Doing<'a>;
}

/// Why a deed could not be done.
#[derive(Debug, thiserror::Error)]
#[error("cannot {deed}")]
pub struct HandsError {
    /// The deed: `cut cart-0 from the store`.
    pub deed: String,
    /// The cause.
    pub source: Box<dyn Error + Send + Sync>,
}

impl HandsError {
    /// A deed that failed for this cause.
    pub fn new(deed: impl Into<String>, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { deed: deed.into(), source: source.into() }
    }
}
