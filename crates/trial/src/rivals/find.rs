//! How clients of each rival find whom to write to: by asking Sentinels, by a cluster's slot map
//! and its redirections, or by nothing but an address.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use client::raw::RawConnection;
use client::{Credentials, Endpoint, Refused, Value};
use engine::Refusal;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::load::{Find, Finding};

/// The hash tag of every key of a load, in braces: a cluster keeps all of them in one shard.
pub const TAG: &str = "compare";

/// How long a client waits for one answer before it asks somebody else: as long as for a write.
const PATIENCE: Duration = Duration::from_millis(500);

/// Between two looks of a client that is to hear of a switch.
const LISTEN_EVERY: Duration = Duration::from_millis(50);

/// Asks the Sentinels, the one that spoke last first, as clients of Sentinel do, and hears of a new
/// primary from any of them, as clients do that subscribe to `+switch-master`.
#[derive(Debug)]
pub struct BySentinel {
    shared: Arc<Sentinels>,
    _listeners: JoinSet<()>,
}

#[derive(Debug)]
struct Sentinels {
    endpoints: Vec<Endpoint>,
    group: String,
    last: AtomicUsize,
    told: Mutex<Option<Endpoint>>,
}

impl BySentinel {
    /// Asks these Sentinels for the primary of what they call `group`, and listens to each of them
    /// from now on, until it is dropped. Names are looked up at each connect.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn new(sentinels: Vec<Endpoint>, group: &str) -> Self {
        let shared = Arc::new(Sentinels {
            endpoints: sentinels,
            group: group.to_owned(),
            last: AtomicUsize::new(0),
            told: Mutex::default(),
        });
        let mut listeners = JoinSet::new();
        for number in 0..shared.endpoints.len() {
            listeners.spawn(Arc::clone(&shared).listen(number));
        }
        Self { shared, _listeners: listeners }
    }
}

impl Sentinels {
    async fn ask(&self) -> Option<Endpoint> {
        let (count, last) = (self.endpoints.len(), self.last.load(Ordering::Relaxed));
        for step in 0..count {
            let number = (last + step) % count;
            let mut fresh = None;
            if let Some(primary) = self.ask_one(number, &mut fresh).await {
                self.last.store(number, Ordering::Relaxed);
                return Some(primary);
            }
        }
        None
    }

    /// Asks over a connection that stays open as long as it answers.
    async fn ask_one(
        &self,
        number: usize,
        connection: &mut Option<RawConnection>,
    ) -> Option<Endpoint> {
        let mut open = match connection.take() {
            Some(open) => open,
            None => RawConnection::open(&self.endpoints[number], None, PATIENCE).await.ok()?,
        };
        open.queue(&["SENTINEL", "get-master-addr-by-name", &self.group]);
        let answer = open.answer(PATIENCE).await.ok()?.ok()?;
        *connection = Some(open);
        address(&answer)
    }

    /// Looks so often that clients hear of a switch about as soon as by a subscription.
    async fn listen(self: Arc<Self>, number: usize) {
        let mut looks = interval(LISTEN_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut connection, mut known) = (None, None);
        loop {
            looks.tick().await;
            let Some(primary) = self.ask_one(number, &mut connection).await else { continue };
            if known.as_ref().is_some_and(|known| *known != primary) {
                *self.told.lock().unwrap_or_else(PoisonError::into_inner) = Some(primary.clone());
                self.last.store(number, Ordering::Relaxed);
            }
            known = Some(primary);
        }
    }
}

impl Find for BySentinel {
    fn primary(&self) -> Finding<'_> {
        Box::pin(self.shared.ask())
    }

    fn told(&self) -> Option<Endpoint> {
        self.shared.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Follows a cluster's redirections, and asks the nodes in turn for their slot map whenever there
/// is none to follow.
#[derive(Debug)]
pub struct BySlots {
    nodes: Vec<Endpoint>,
    tag: String,
    credentials: Option<Credentials>,
    slot: OnceLock<i64>,
    next: AtomicUsize,
    redirected: Mutex<Option<Endpoint>>,
}

impl BySlots {
    /// Looks for the primary of all keys with this hash tag, by the word of these nodes.
    /// `credentials`: as whom the nodes are asked; `None` when they ask for no password.
    pub fn new(nodes: Vec<Endpoint>, tag: &str, credentials: Option<Credentials>) -> Self {
        Self {
            nodes,
            tag: tag.to_owned(),
            credentials,
            slot: OnceLock::new(),
            next: AtomicUsize::new(0),
            redirected: Mutex::default(),
        }
    }

    async fn ask(&self) -> Option<Endpoint> {
        if let Some(there) = self.redirected().take() {
            return Some(there);
        }
        for _ in &self.nodes {
            // Another one each time: the map of a node that is cut off is an old one.
            let number = self.next.fetch_add(1, Ordering::Relaxed) % self.nodes.len();
            if let Some(owner) = self.ask_one(&self.nodes[number]).await {
                return Some(owner);
            }
        }
        None
    }

    async fn ask_one(&self, node: &Endpoint) -> Option<Endpoint> {
        let credentials = self.credentials.as_ref();
        let mut open = RawConnection::open(node, credentials, PATIENCE).await.ok()?;
        let slot = if let Some(slot) = self.slot.get() {
            *slot
        } else {
            open.queue(&["CLUSTER", "KEYSLOT", &self.tag]);
            let slot = open.answer(PATIENCE).await.ok()?.ok()?.as_int()?;
            *self.slot.get_or_init(|| slot)
        };
        open.queue(&["CLUSTER", "SLOTS"]);
        owner(&open.answer(PATIENCE).await.ok()?.ok()?, slot)
    }

    fn redirected(&self) -> std::sync::MutexGuard<'_, Option<Endpoint>> {
        self.redirected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Find for BySlots {
    fn primary(&self) -> Finding<'_> {
        Box::pin(self.ask())
    }

    fn refused(&self, refused: &Refused) {
        if let Refusal::Moved { to, .. } = &refused.refusal {
            *self.redirected() = to.parse().ok();
        }
    }
}

/// Host and port from a list that begins with them.
pub(super) fn address(value: &Value) -> Option<Endpoint> {
    let items = value.as_array()?;
    let port = u16::try_from(items.get(1)?.as_int()?).ok()?;
    Some(Endpoint::tcp(items.first()?.as_text().filter(|host| !host.is_empty())?, port))
}

/// The primary of a slot in an answer to `CLUSTER SLOTS`.
pub(super) fn owner(map: &Value, slot: i64) -> Option<Endpoint> {
    let ranges = map.as_array()?.iter().filter_map(Value::as_array);
    let mut holding = ranges.filter(|range| {
        let bound = |at: usize| range.get(at).and_then(Value::as_int);
        bound(0).is_some_and(|first| first <= slot) && bound(1).is_some_and(|last| slot <= last)
    });
    address(holding.next()?.get(2)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::Bytes(text.as_bytes().to_vec())
    }

    fn node(port: i64) -> Value {
        Value::Array(vec![text("127.97.1.1"), Value::Int(port), text("id")])
    }

    #[test]
    fn the_owner_of_a_slot_is_the_first_node_of_its_range() {
        let range = |first, last, port| {
            Value::Array(vec![Value::Int(first), Value::Int(last), node(port), node(9)])
        };
        let map = Value::Array(vec![range(0, 99, 7001), range(100, 16_383, 7002)]);
        let owner = |slot| owner(&map, slot).map(|owner| owner.to_string());
        assert_eq!(owner(99).as_deref(), Some("127.97.1.1:7001"));
        assert_eq!(owner(100).as_deref(), Some("127.97.1.1:7002"));
        assert_eq!(owner(16_384), None);
        assert_eq!(super::owner(&Value::Nil, 0), None);
    }

    #[test]
    fn an_address_without_a_host_is_none() {
        let list = |host, port| Value::Array(vec![text(host), text(port)]);
        let found = address(&list("127.0.0.1", "6379")).map(|found| found.to_string());
        assert_eq!(found.as_deref(), Some("127.0.0.1:6379"));
        for wrong in [list("", "6379"), list("h", "x"), list("h", "70000"), Value::Nil] {
            assert_eq!(address(&wrong), None, "{wrong:?}");
        }
    }

    #[tokio::test]
    async fn a_redirection_is_followed_once() {
        let find = BySlots::new(Vec::new(), TAG, None);
        find.refused(&Refused::parse("-MOVED 866 127.97.1.2:7002"));
        assert_eq!(find.primary().await, Some(Endpoint::tcp("127.97.1.2", 7002)));
        assert_eq!(find.primary().await, None, "then the nodes are asked, of which there are none");
        find.refused(&Refused::parse("-READONLY You can't write"));
        assert_eq!(find.primary().await, None);
    }
}
