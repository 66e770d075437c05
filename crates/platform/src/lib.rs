//! What a place to run must offer an agent: a record, a roster, a route. Traits only; `local` (and
//! later `kubernetes`) implement them, `agent` uses them.

use std::future::Future;
use std::time::Duration;

use brain::{MemberName, Record as GroupRecord, Route as GroupRoute, Version};

/// A place where agents run.
pub trait Platform: Send + Sync + 'static {
    /// The store of the record.
    type Record: RecordStore;
    /// Who the others are and where.
    type Roster: Roster;
    /// Where clients are sent.
    type Route: RouteStore;

    /// The group's record.
    fn record(&self) -> &Self::Record;
    /// The members' addresses, as seen from this member.
    fn roster(&self) -> &Self::Roster;
    /// The route of the clients.
    fn route(&self) -> &Self::Route;
}

/// A linearizable compare-and-swap register (failover.md 2.1, 2.15).
pub trait RecordStore: Send + Sync + 'static {
    /// What stands there now: a quorum read, never a cache.
    fn read(
        &self,
        within: Duration,
    ) -> impl Future<Output = Result<Option<(Version, GroupRecord)>, StoreError>> + Send;

    /// Replaces the record if it still has this version (`None`: if there is none).
    fn replace(
        &self,
        expected: Option<&Version>,
        record: &GroupRecord,
        within: Duration,
    ) -> impl Future<Output = Result<Version, StoreError>> + Send;

    /// Waits until the record has another version than `after`, or `within` is over (then the same
    /// is returned). May lag; never used to prove anything.
    fn changed(
        &self,
        after: Option<&Version>,
        within: Duration,
    ) -> impl Future<Output = Result<Option<(Version, GroupRecord)>, StoreError>> + Send;
}

/// Why a call to the store gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another version stands there.
    #[error("the record has changed meanwhile")]
    Conflict,
    /// Certainly not carried out.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// Sent, and not answered in time: it may still be carried out.
    #[error("the store has not answered: {0}")]
    Unanswered(String),
}

/// Who the members are and where, as seen from one of them. Never identity, only reachability.
pub trait Roster: Send + Sync + 'static {
    /// Where this member listens.
    fn me(&self) -> Listen;
    /// The others (and their engines) from here.
    fn peer(&self, member: &MemberName) -> Option<PeerAddress>;
    /// Every member that there should be, this one included.
    fn members(&self) -> Vec<MemberName>;
}

/// Where a member listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// This member's name.
    pub name: MemberName,
    /// host:port for the peers' channel.
    pub peer: String,
    /// host:port of `/live`, `/ready`, `/metrics`, `/v1/status`.
    pub http: String,
    /// Host of the engine's port.
    pub engine_host: String,
    /// The engine's port.
    pub engine_port: u16,
}

/// How to reach another member from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerAddress {
    /// host:port of its peer channel.
    pub peer: String,
    /// Host of its engine, for `REPLICAOF`: an address, never a name (engine.md, conclusion 11).
    pub engine_host: String,
    /// Port of its engine, for `REPLICAOF`.
    pub engine_port: u16,
    /// What its engine announces itself as when it replicates from us: host, port.
    pub announced: (String, u16),
}

/// Where clients are sent.
pub trait RouteStore: Send + Sync + 'static {
    /// Publishes a route; does nothing and says so when a higher epoch stands there.
    fn publish(
        &self,
        route: &GroupRoute,
        within: Duration,
    ) -> impl Future<Output = Result<Published, StoreError>> + Send;
}

/// What came of publishing a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// It stands.
    Done,
    /// A newer one stands there.
    Superseded,
}
