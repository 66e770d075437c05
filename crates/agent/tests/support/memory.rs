//! A place to run in memory: a record, a roster of loopback ports, a route. The crate's own tests
//! use it too.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part of it")]
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use brain::{MemberName, Record, Route, Version};
use platform::{
    Listen, NoNotices, PeerAddress, Platform, Published, RecordStore, Roster, RouteStore,
    StoreError,
};
use tokio::sync::watch;

/// The record and the route that all members share.
pub struct Store {
    record: watch::Sender<(u64, Option<Record>)>,
    pub route: Mutex<Option<Route>>,
}

#[derive(Clone)]
pub struct Ports {
    pub peer: u16,
    pub http: u16,
    pub engine: u16,
}

impl Store {
    /// With this record in it, if any.
    pub fn new(record: Option<Record>) -> Arc<Self> {
        Arc::new(Self { record: watch::channel((1, record)).0, route: Mutex::new(None) })
    }

    pub fn record(&self) -> Option<Record> {
        self.record.borrow().1.clone()
    }
}

/// One member's view of the place.
pub struct TestPlace {
    store: Arc<Store>,
    me: MemberName,
    ports: BTreeMap<MemberName, Ports>,
}

impl TestPlace {
    pub fn new(store: &Arc<Store>, me: &MemberName, ports: &BTreeMap<MemberName, Ports>) -> Self {
        Self { store: Arc::clone(store), me: me.clone(), ports: ports.clone() }
    }
}

impl Platform for TestPlace {
    type Record = Self;
    type Roster = Self;
    type Route = Self;
    type Notices = NoNotices;

    fn record(&self) -> &Self {
        self
    }
    fn roster(&self) -> &Self {
        self
    }
    fn route(&self) -> &Self {
        self
    }
    fn notices(&self) -> &NoNotices {
        &NoNotices
    }
}

fn found(state: &(u64, Option<Record>)) -> Option<(Version, Record)> {
    state.1.clone().map(|record| (Version(state.0.to_string()), record))
}

impl RecordStore for TestPlace {
    async fn read(&self, _: Duration) -> Result<Option<(Version, Record)>, StoreError> {
        Ok(found(&self.store.record.borrow()))
    }

    async fn replace(
        &self,
        expected: Option<&Version>,
        record: &Record,
        _: Duration,
    ) -> Result<Version, StoreError> {
        let mut result = Err(StoreError::Conflict);
        self.store.record.send_if_modified(|state| {
            let stands = found(state).map(|(version, _)| version);
            if stands.as_ref() != expected {
                return false;
            }
            *state = (state.0 + 1, Some(record.clone()));
            result = Ok(Version(state.0.to_string()));
            true
        });
        result
    }

    async fn changed(
        &self,
        after: Option<&Version>,
        within: Duration,
    ) -> Result<Option<(Version, Record)>, StoreError> {
        let mut record = self.store.record.subscribe();
        let other =
            record.wait_for(|state| found(state).map(|(version, _)| version).as_ref() != after);
        match tokio::time::timeout(within, other).await {
            Ok(Ok(state)) => Ok(found(&state)),
            _ => Ok(found(&self.store.record.borrow())),
        }
    }
}

impl Roster for TestPlace {
    fn me(&self) -> Listen {
        let ports = &self.ports[&self.me];
        Listen {
            name: self.me.clone(),
            peer: format!("127.0.0.1:{}", ports.peer),
            http: format!("127.0.0.1:{}", ports.http),
            engine_host: "127.0.0.1".into(),
            engine_port: ports.engine,
        }
    }

    fn peer(&self, member: &MemberName) -> Option<PeerAddress> {
        let ports = self.ports.get(member)?;
        Some(PeerAddress {
            peer: format!("127.0.0.1:{}", ports.peer),
            engine_host: "127.0.0.1".into(),
            engine_port: ports.engine,
            announced: ("127.0.0.1".into(), ports.engine),
        })
    }

    fn members(&self) -> Vec<MemberName> {
        self.ports.keys().cloned().collect()
    }
}

impl RouteStore for TestPlace {
    async fn publish(&self, route: &Route, _: Duration) -> Result<Published, StoreError> {
        let mut stands = self.store.route.lock().expect("the place of a test");
        if let Some(old) = stands.as_ref().filter(|old| old.epoch > route.epoch) {
            return Ok(Published::Superseded { by: old.epoch });
        }
        *stands = Some(route.clone());
        Ok(Published::Done)
    }
}
