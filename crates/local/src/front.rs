//! The two stable addresses of a group: one always leads to the primary, one to a fresh replica.
//!
//! Both follow the route in the store (failover.md 2.13) and keep the last one while the store is
//! away. When the route moves, connections to the old member are closed at once: their clients
//! reconnect and meet the new one. Between the record's change and the route's, new connections to
//! the write address wait: the old member could only refuse them, and clients that are refused come
//! again and again, on the very processors that the promotion needs.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use brain::{Epoch, MemberName, Record, Route};
use hyper::{Method, StatusCode};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::http::{Caller, HttpError};
use crate::links::{Board, Party, Plane};
use crate::relay::{self, Way};
use crate::store::{Object, Stored, Version};

#[cfg(test)]
mod tests;

/// How long a new connection waits for a member that takes it. Longer than a failover of the
/// default profile (6.5 s), so that a client which reconnects meanwhile needs no second attempt.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long one attempt to reach a member of this machine may take.
const DIAL: Duration = Duration::from_secs(1);

/// Pause between two attempts to reach a member whose port is closed: it is being started.
const REDIAL: Duration = Duration::from_millis(10);

/// How long one long-poll lasts in the store.
const POLL: Duration = Duration::from_secs(10);

/// How much longer the answer of a long-poll may take than the poll.
const POLL_GRACE: Duration = Duration::from_secs(3);

/// Pause after a failed poll: a store that was killed is back in some milliseconds.
const POLL_AGAIN: Duration = Duration::from_millis(50);

/// Which members an address leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// The primary.
    Write,
    /// A fresh replica, in turns; the primary when there is none.
    Read,
}

/// What the front of a group is made of.
#[derive(Debug)]
pub struct Front {
    /// The port that always leads to the primary.
    pub write_port: u16,
    /// The port that leads to a fresh replica.
    pub read_port: u16,
    /// The engines' own addresses.
    pub engines: BTreeMap<MemberName, SocketAddr>,
    /// How to reach the store.
    pub store: Caller,
    /// The valves between clients and members.
    pub board: Board,
}

/// Why the front could not start.
#[derive(Debug, thiserror::Error)]
pub enum FrontError {
    /// A port is in use.
    #[error("cannot listen on port {port} for the {address:?} address")]
    Listen {
        /// The port.
        port: u16,
        /// What it would be.
        address: Address,
        /// The operating system's answer.
        source: io::Error,
    },
}

/// Serves both addresses until dropped.
pub async fn run(front: Front) -> Result<(), FrontError> {
    let Front { write_port, read_port, engines, store, board } = front;
    let bind = async |port, address| {
        relay::listen(port).await.map_err(|source| FrontError::Listen { port, address, source })
    };
    let write = bind(write_port, Address::Write).await?;
    let read = bind(read_port, Address::Read).await?;
    let (sender, signs) = watch::channel(Signs::default());
    let door = Arc::new(Door { engines, board, signs, turn: AtomicUsize::new(0) });
    let serve = |address| {
        let door = Arc::clone(&door);
        move |client| Arc::clone(&door).serve(client, address)
    };
    let beside = store.apart();
    tokio::join!(
        follow(&store, Object::Route, |document| take_route(document, &sender)),
        follow(&beside, Object::Record, |document| take_record(document, &sender)),
        relay::accept_all(write, serve(Address::Write)),
        relay::accept_all(read, serve(Address::Read)),
    );
    Ok(())
}

/// What the store says of where clients belong.
#[derive(Clone, Debug, Default)]
struct Signs {
    /// The newest route; never taken away.
    route: Option<Route>,
    /// Who holds the record, and since which epoch.
    holder: Option<(Epoch, MemberName)>,
}

impl Signs {
    /// Whether the record has gone on to a member whose route is still to come.
    fn is_changing(&self) -> bool {
        match (&self.route, &self.holder) {
            (Some(route), Some((epoch, holder))) => {
                *epoch > route.epoch && *holder != route.primary
            }
            _ => false,
        }
    }
}

/// Gives every newer document of an object that the store has.
async fn follow(store: &Caller, object: Object, mut take: impl FnMut(Value)) {
    let mut after = Version(0);
    loop {
        match poll(store, object, after).await {
            Ok(Some(stored)) => {
                after = stored.version;
                if let Some(document) = stored.document {
                    take(document);
                }
            }
            Ok(None) => {}
            Err(error) => {
                tracing::debug!(%object, %error, "the store does not answer");
                tokio::time::sleep(POLL_AGAIN).await;
            }
        }
    }
}

fn take_route(document: Value, sender: &watch::Sender<Signs>) {
    match serde_json::from_value::<Route>(document) {
        Ok(route) => {
            tracing::info!(epoch = %route.epoch, primary = %route.primary, "route");
            sender.send_modify(|signs| signs.route = Some(route));
        }
        Err(error) => tracing::error!(%error, "the store holds a route that cannot be read"),
    }
}

fn take_record(document: Value, sender: &watch::Sender<Signs>) {
    match serde_json::from_value::<Record>(document) {
        Ok(record) => {
            let holder = record.holder.map(|holder| (record.epoch, holder.id.name));
            // Renewals change nothing here, and nobody is to wake for them.
            sender.send_if_modified(|signs| {
                let is_new = signs.holder != holder;
                signs.holder = holder;
                is_new
            });
        }
        Err(error) => tracing::error!(%error, "the store holds a record that cannot be read"),
    }
}

#[derive(Debug, thiserror::Error)]
enum PollError {
    #[error(transparent)]
    Call(#[from] HttpError),
    #[error("the store answered {0}")]
    Status(StatusCode),
    #[error("the store's answer cannot be read")]
    Body(#[from] serde_json::Error),
}

async fn poll(store: &Caller, object: Object, after: Version) -> Result<Option<Stored>, PollError> {
    let path = format!("/v1/objects/{object}?after={after}&timeout_ms={}", POLL.as_millis());
    let answer = store.call(Method::GET, &path, None, POLL + POLL_GRACE).await?;
    match answer.status {
        StatusCode::OK => Ok(Some(serde_json::from_slice(&answer.body)?)),
        StatusCode::NOT_MODIFIED => Ok(None),
        StatusCode::NOT_FOUND => {
            #[derive(serde::Deserialize)]
            struct Gone {
                version: Version,
            }
            let gone: Gone = serde_json::from_slice(&answer.body)?;
            Ok(Some(Stored { version: gone.version, document: None }))
        }
        status => Err(PollError::Status(status)),
    }
}

struct Door {
    engines: BTreeMap<MemberName, SocketAddr>,
    board: Board,
    signs: watch::Receiver<Signs>,
    turn: AtomicUsize,
}

impl Door {
    async fn serve(self: Arc<Self>, mut client: TcpStream, address: Address) {
        let mut signs = self.signs.clone();
        let reach = self.reach(&mut signs, address);
        let Ok((member, mut engine)) = tokio::time::timeout(PATIENCE, reach).await else {
            tracing::debug!(?address, "no member took a connection in time");
            return;
        };
        let mut way = self.way(&member);
        tokio::select! {
            biased;
            // Dropping both connections closes both sides at once.
            _ = signs.wait_for(|now| !self.leads_to(now.route.as_ref(), address, &member)) => {}
            () = relay::exchange(&mut client, &mut engine, &[], &mut way) => {}
        }
    }

    /// A connection to a member that the route names, however often it must be tried.
    async fn reach(
        &self,
        signs: &mut watch::Receiver<Signs>,
        address: Address,
    ) -> (MemberName, TcpStream) {
        loop {
            let now = signs.borrow_and_update().clone();
            let waits = address == Address::Write && now.is_changing();
            if let Some(route) = now.route.filter(|_| !waits)
                && let Some(member) = self.choose(&route, address)
                && let Some(engine) = self.dial(&member).await
            {
                return (member, engine);
            }
            let again = Instant::now() + REDIAL;
            // Either wakes: news from the store, or the time to try the old route again.
            if let Ok(Err(_)) = tokio::time::timeout_at(again, signs.changed()).await {
                std::future::pending::<()>().await;
            }
        }
    }

    async fn dial(&self, member: &MemberName) -> Option<TcpStream> {
        let address = *self.engines.get(member)?;
        let mut way = self.way(member);
        let dialled = async {
            way.there.until_open().await;
            way.back.until_open().await;
            TcpStream::connect(address).await
        };
        let engine = tokio::time::timeout(DIAL, dialled).await.ok()?.ok()?;
        if let Err(error) = engine.set_nodelay(true) {
            tracing::debug!(%member, %error, "a connection keeps Nagle's delay");
        }
        Some(engine)
    }

    fn way(&self, member: &MemberName) -> Way {
        self.board.way(&Party::clients(), &Party(member.0.clone()), Plane::Client)
    }

    fn choose(&self, route: &Route, address: Address) -> Option<MemberName> {
        let turn = match address {
            Address::Write => 0,
            Address::Read => self.turn.fetch_add(1, Ordering::Relaxed),
        };
        let members = self.members(route, address);
        members.get(turn % members.len().max(1)).copied().cloned()
    }

    fn leads_to(&self, route: Option<&Route>, address: Address, member: &MemberName) -> bool {
        route.is_some_and(|route| self.members(route, address).contains(&member))
    }

    fn members<'a>(&self, route: &'a Route, address: Address) -> Vec<&'a MemberName> {
        let fresh: Vec<_> = match address {
            Address::Write => Vec::new(),
            Address::Read => {
                route.replicas.iter().filter(|name| self.engines.contains_key(name)).collect()
            }
        };
        if fresh.is_empty() { vec![&route.primary] } else { fresh }
    }
}
