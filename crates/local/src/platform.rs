//! What local mode offers an agent: the record and the route in the store over HTTP, and a roster
//! made of group.json.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use brain::{Epoch, MemberName, Record, Route, Version};
use hyper::{Method, StatusCode};
use platform::{
    Listen, NoNotices, PeerAddress, Platform, Published, RecordStore, Roster, RouteStore,
    StoreError,
};
use serde::Deserialize;
use tokio::time::Instant;

use crate::home::{Group, Home, HomeError};
use crate::http::{Answer, Caller, HttpError};
use crate::links::{Party, Plane};
use crate::relay::loopback;
use crate::store::{self, Object, Stored};

#[cfg(test)]
mod tests;

/// How much later than asked for the answer of a long-poll may come.
const POLL_GRACE: Duration = Duration::from_secs(1);

/// The place where one member of a group on this machine runs.
#[derive(Debug)]
pub struct LocalPlatform {
    record: HttpRecord,
    roster: LocalRoster,
    route: HttpRoute,
}

impl LocalPlatform {
    /// The place of this member: it reaches everything by its own links, so that it can be cut off.
    pub fn of(home: &Home, member: &str) -> Result<Self, HomeError> {
        let me = home.member(member)?.name.clone();
        let group = home.group();
        let by_link = group.link(&Party(me.clone()), &Party::store(), Plane::Store);
        let address = by_link.map_or(group.store_address(), |link| loopback(link.listen));
        let token = home.token()?;
        let caller = || Caller::new(address, Some(token.clone()));
        Ok(Self {
            record: HttpRecord::new(caller),
            route: HttpRoute { caller: caller(), known: Mutex::default() },
            roster: LocalRoster { me: MemberName(me), group: group.clone() },
        })
    }
}

impl Platform for LocalPlatform {
    type Record = HttpRecord;
    type Roster = LocalRoster;
    type Route = HttpRoute;
    type Notices = NoNotices;

    fn record(&self) -> &HttpRecord {
        &self.record
    }

    fn roster(&self) -> &LocalRoster {
        &self.roster
    }

    fn route(&self) -> &HttpRoute {
        &self.route
    }

    fn notices(&self) -> &NoNotices {
        &NoNotices
    }
}

/// The record behind the store's HTTP. Reads, writes and polls never wait behind each other.
#[derive(Debug)]
pub struct HttpRecord {
    reads: Caller,
    writes: Caller,
    polls: Caller,
    seen: Mutex<Seen>,
}

/// What the last poll saw, so that a poll without news needs no second call.
#[derive(Debug, Default)]
struct Seen {
    record: Option<(Version, Record)>,
    /// The version of the deletion, while there is no record.
    gone: store::Version,
}

impl HttpRecord {
    /// The record behind the store that `caller` makes callers of.
    pub fn new(caller: impl Fn() -> Caller) -> Self {
        Self { reads: caller(), writes: caller(), polls: caller(), seen: Mutex::default() }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        // A panic elsewhere cannot leave it half written: it is replaced as a whole.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, answer: &Answer) -> Result<Option<(Version, Record)>, StoreError> {
        let stored = stored(answer)?;
        let version = stored.version;
        let record = match stored.document {
            None => None,
            Some(document) => {
                let record = serde_json::from_value(document).map_err(|error| {
                    StoreError::Unavailable(format!("it holds a record I cannot read: {error}"))
                })?;
                Some((outer(version), record))
            }
        };
        let mut seen = self.seen();
        if record.is_none() {
            seen.gone = version;
        }
        seen.record.clone_from(&record);
        Ok(record)
    }
}

impl RecordStore for HttpRecord {
    async fn read(&self, within: Duration) -> Result<Option<(Version, Record)>, StoreError> {
        let answer = self.reads.call(Method::GET, &path(Object::Record), None, within).await;
        self.note(&answer.map_err(|error| unanswered(&error))?)
    }

    async fn replace(
        &self,
        expected: Option<&Version>,
        record: &Record,
        within: Duration,
    ) -> Result<Version, StoreError> {
        let expected = expected.map(inner).transpose()?;
        let document = serde_json::to_vec(record).map_err(|error| {
            StoreError::Unavailable(format!("this record cannot be spelled: {error}"))
        })?;
        match put(&self.writes, Object::Record, expected, document, within).await? {
            Put::Done(version) => Ok(outer(version)),
            Put::Stands(_) => Err(StoreError::Conflict),
        }
    }

    async fn changed(
        &self,
        after: Option<&Version>,
        within: Duration,
    ) -> Result<Option<(Version, Record)>, StoreError> {
        let from = match after {
            Some(version) => inner(version)?,
            None => self.seen().gone,
        };
        let path =
            format!("{}?after={from}&timeout_ms={}", path(Object::Record), within.as_millis());
        let polled = self.polls.call(Method::GET, &path, None, within + POLL_GRACE).await;
        let answer = polled.map_err(|error| unanswered(&error))?;
        if answer.status != StatusCode::NOT_MODIFIED {
            return self.note(&answer);
        }
        let Some(version) = after else { return Ok(None) };
        let known = self.seen().record.clone().filter(|(seen, _)| seen == version);
        match known {
            Some(known) => Ok(Some(known)),
            None => self.read(POLL_GRACE).await,
        }
    }
}

/// The route behind the store's HTTP.
#[derive(Debug)]
pub struct HttpRoute {
    caller: Caller,
    /// What stood there at the last look: spares a read before each write.
    known: Mutex<Option<(store::Version, Epoch)>>,
}

impl HttpRoute {
    fn known(&self) -> MutexGuard<'_, Option<(store::Version, Epoch)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RouteStore for HttpRoute {
    async fn publish(&self, route: &Route, within: Duration) -> Result<Published, StoreError> {
        let end = Instant::now() + within;
        let document = serde_json::to_vec(route).map_err(|error| {
            StoreError::Unavailable(format!("this route cannot be spelled: {error}"))
        })?;
        loop {
            let known = *self.known();
            if let Some((_, by)) = known.filter(|(_, epoch)| *epoch > route.epoch) {
                return Ok(Published::Superseded { by });
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(StoreError::Unavailable("others kept changing the route".to_owned()));
            }
            let expected = known.map(|(version, _)| version);
            match put(&self.caller, Object::Route, expected, document.clone(), left).await? {
                Put::Done(version) => {
                    *self.known() = Some((version, route.epoch));
                    return Ok(Published::Done);
                }
                Put::Stands(stored) => *self.known() = epoch_of(&stored),
            }
        }
    }
}

/// A route that cannot be read has no epoch that could be respected: it may be replaced.
fn epoch_of(stored: &Stored) -> Option<(store::Version, Epoch)> {
    let document = stored.document.as_ref()?;
    let epoch = Route::deserialize(document).map_or(Epoch(0), |route| route.epoch);
    Some((stored.version, epoch))
}

/// Who the members of a group on this machine are, as one of them reaches them.
#[derive(Debug)]
pub struct LocalRoster {
    me: MemberName,
    group: Group,
}

impl Roster for LocalRoster {
    fn me(&self) -> Listen {
        let me = self.group.members.iter().find(|member| member.name == self.me.0);
        let me = me.expect("a roster is only made for a member of its group");
        Listen {
            name: self.me.clone(),
            peer: self.group.peer_address(me).to_string(),
            http: self.group.http_address(me).to_string(),
            engine_host: self.group.host(me).to_string(),
            engine_port: me.engine,
        }
    }

    fn peer(&self, member: &MemberName) -> Option<PeerAddress> {
        let other = self.group.members.iter().find(|other| other.name == member.0)?;
        let (from, to) = (Party(self.me.0.clone()), Party(member.0.clone()));
        let by_link = |plane, own| {
            self.group.link(&from, &to, plane).map_or(own, |link| loopback(link.listen))
        };
        let engine = by_link(Plane::Engine, (self.group.host(other), other.engine).into());
        Some(PeerAddress {
            peer: by_link(Plane::Peer, self.group.peer_address(other)).to_string(),
            engine_host: engine.ip().to_string(),
            engine_port: engine.port(),
            // A replica tells its primary the port that it listens on, not the one it dialled from.
            announced: (self.group.host(other).to_string(), other.engine),
        })
    }

    fn members(&self) -> Vec<MemberName> {
        self.group.members.iter().map(|member| MemberName(member.name.clone())).collect()
    }
}

fn path(object: Object) -> String {
    format!("/v1/objects/{object}")
}

fn outer(version: store::Version) -> Version {
    Version(version.to_string())
}

fn inner(version: &Version) -> Result<store::Version, StoreError> {
    version
        .0
        .parse()
        .map(store::Version)
        .map_err(|_| StoreError::Unavailable(format!("it never gave the version {:?}", version.0)))
}

fn unanswered(error: &HttpError) -> StoreError {
    if error.was_sent() {
        StoreError::Unanswered(error.to_string())
    } else {
        StoreError::Unavailable(error.to_string())
    }
}

enum Put {
    Done(store::Version),
    Stands(Stored),
}

async fn put(
    caller: &Caller,
    object: Object,
    expected: Option<store::Version>,
    document: Vec<u8>,
    within: Duration,
) -> Result<Put, StoreError> {
    let path = match expected {
        Some(version) => format!("{}?expect={version}", path(object)),
        None => path(object),
    };
    let answer = caller.call(Method::PUT, &path, Some(document), within).await;
    let answer = answer.map_err(|error| unanswered(&error))?;
    match answer.status {
        // An answer of success that cannot be read is no proof of anything else.
        StatusCode::OK => read_version(&answer)
            .map(Put::Done)
            .ok_or_else(|| StoreError::Unanswered("its answer cannot be read".to_owned())),
        StatusCode::CONFLICT | StatusCode::NOT_FOUND => stored(&answer).map(Put::Stands),
        _ => Err(refused(&answer)),
    }
}

fn read_version(answer: &Answer) -> Option<store::Version> {
    #[derive(Deserialize)]
    struct Only {
        version: store::Version,
    }
    serde_json::from_slice::<Only>(&answer.body).ok().map(|only| only.version)
}

fn stored(answer: &Answer) -> Result<Stored, StoreError> {
    let unreadable = || StoreError::Unavailable("its answer cannot be read".to_owned());
    match answer.status {
        StatusCode::OK | StatusCode::CONFLICT => {
            serde_json::from_slice(&answer.body).map_err(|_| unreadable())
        }
        StatusCode::NOT_FOUND => {
            let version = read_version(answer).ok_or_else(unreadable)?;
            Ok(Stored { version, document: None })
        }
        _ => Err(refused(answer)),
    }
}

/// Statuses that the store gives only when it has changed nothing are refusals; after any other the
/// write may have happened.
fn refused(answer: &Answer) -> StoreError {
    let words = format!("{}: {}", answer.status, String::from_utf8_lossy(&answer.body));
    match answer.status {
        StatusCode::BAD_REQUEST
        | StatusCode::UNAUTHORIZED
        | StatusCode::FORBIDDEN
        | StatusCode::TOO_MANY_REQUESTS
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::INSUFFICIENT_STORAGE => StoreError::Unavailable(words),
        _ => StoreError::Unanswered(words),
    }
}
