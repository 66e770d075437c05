//! What a place to run must offer an agent: a record, a roster, a route. Traits only; `local` (and
//! later `kubernetes`) implement them, `agent` uses them.

use std::future::Future;
use std::time::Duration;

use brain::report::MemberReport;
use brain::{Ended, Epoch, MemberName, Record as GroupRecord, Route as GroupRoute, Version};

/// A place where agents run.
pub trait Platform: Send + Sync + 'static {
    /// The store of the record.
    type Record: RecordStore;
    /// Who the others are and where.
    type Roster: Roster;
    /// Where clients are sent.
    type Route: RouteStore;
    /// What the place is told of a member.
    type Notices: Notices;

    /// The group's record.
    fn record(&self) -> &Self::Record;
    /// The members' addresses, as seen from this member.
    fn roster(&self) -> &Self::Roster;
    /// The route of the clients.
    fn route(&self) -> &Self::Route;
    /// Notices of this member.
    fn notices(&self) -> &Self::Notices;
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
    /// Leaves this run's boot id where its end will be reported from (failover.md 2.4, death
    /// certificates). Nothing where nobody reports ends.
    fn begins(&self, _boot: &str) {}
    /// The next run that has ended for certain. Never where nobody reports ends.
    fn ended(&self) -> impl Future<Output = Ended> + Send {
        std::future::pending()
    }
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

    /// Waits until somebody has changed or taken away what this member published last. A place
    /// where nobody else writes routes never says so.
    fn disturbed(&self) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }
}

/// What came of publishing a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// It stands.
    Done,
    /// A newer one stands there.
    Superseded {
        /// Its epoch.
        by: Epoch,
    },
}

/// What a place is told of a member, for those who look at the place and not at the agents.
pub trait Notices: Send + Sync + 'static {
    /// Whether anybody is told at all: without that no report is made for it.
    const HEARD: bool = true;

    /// What of a report is told: two reports that make the same notice are told once.
    type Notice: PartialEq + Clone + Send + Sync + 'static;

    /// What of this report is told.
    fn notice(&self, report: &MemberReport) -> Self::Notice;

    /// Tells it.
    fn tell(
        &self,
        notice: &Self::Notice,
        within: Duration,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Of a place where everybody asks the agents.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoNotices;

impl Notices for NoNotices {
    const HEARD: bool = false;

    type Notice = ();

    fn notice(&self, _report: &MemberReport) {}

    async fn tell(&self, (): &(), _within: Duration) -> Result<(), StoreError> {
        Ok(())
    }
}
