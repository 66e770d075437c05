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
    /// Those who come by the group's own addresses, and nobody else.
    Clients,
}

impl fmt::Display for CutFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Store => "store",
            Self::Peers => "peers",
            Self::Everyone => "store and peers",
            Self::Clients => "clients",
        })
    }
}

/// What the store is made to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StoreState {
    /// Well.
    Up,
    /// Gone: every call fails.
    Down,
    /// Every call takes this much longer.
    Slow(Duration),
    /// Nobody is answered, and what was asked is done later.
    Hung,
    /// Every call is refused: 403.
    Forbidden,
    /// Writes are refused: 403.
    ReadOnly,
    /// Well, but its record is taken away.
    RecordDeleted,
    /// Well, but its record is what it was this long ago; the version goes on.
    RolledBack(Duration),
}

/// What flows between whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Plane {
    /// An agent and the store.
    Store,
    /// Agents and agents.
    Agents,
    /// Engines and engines: replication.
    Engines,
    /// Clients and an engine.
    Clients,
}

impl Plane {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Store, Self::Agents, Self::Engines, Self::Clients];
}

/// Which packets are dropped, seen from the member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// All.
    Both,
    /// What is sent to it.
    In,
    /// What it sends.
    Out,
}

/// One plane of a member, cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Severed {
    /// The member.
    pub member: String,
    /// What flows no more.
    pub plane: Plane,
    /// Which way.
    pub way: Way,
    /// Only between it and this member; all when absent.
    pub only: Option<String>,
}

/// What not every place can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    /// Packets can be dropped by plane and direction, and a member can get another address.
    Networks,
    /// All processes of a member can be stopped at one instant.
    Freezer,
    /// A member's disk can be made full.
    SmallDisk,
    /// A member's wall clock can be turned.
    WallClock,
    /// The store can be made ill in every way of [`StoreState`].
    StoreFaults,
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
    /// Why this place cannot give what a deed needs.
    fn lacks(&self, need: Need) -> Option<String> {
        Some(format!("this place has no {need:?}"))
    }
    /// Makes exactly these cuts, silently, in place of those before.
    fn sever<'a>(&'a self, cuts: &'a [Severed]) -> Doing<'a> {
        let _ = cuts;
        Box::pin(async { Err(HandsError::new("cut planes", "this place has no networks")) })
    }
    /// Stops every process of a member at one instant, or lets all go on.
    fn freeze<'a>(&'a self, member: &'a str, frozen: bool) -> Doing<'a> {
        let _ = (member, frozen);
        Box::pin(async { Err(HandsError::new("freeze a member", "this place has no freezer")) })
    }
    /// Makes a member's disk full, or gives it room again.
    fn fill_disk<'a>(&'a self, member: &'a str, full: bool) -> Doing<'a> {
        let _ = (member, full);
        Box::pin(async { Err(HandsError::new("fill a disk", "this place has no small disks")) })
    }
    /// Gives all members other addresses among themselves, once all are stopped. Clients find them
    /// where they were.
    fn move_all(&self) -> Doing<'_> {
        Box::pin(async { Err(HandsError::new("move members", "this place has no networks")) })
    }
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
