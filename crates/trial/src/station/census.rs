//! How many keys the primary holds, over and over: a load only ever adds keys, so a dataset that
//! shrinks was lost, even if only for a moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use client::{Command, Connection, Value};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::load::Way;

/// Between two counts.
const EVERY: Duration = Duration::from_millis(100);
/// A count that takes longer is not a count.
const WITHIN: Duration = Duration::from_millis(500);

/// The census of one run. Dropped, it ends.
#[derive(Debug)]
pub(super) struct Census {
    shrank: Arc<AtomicU64>,
    _worker: JoinSet<()>,
}

impl Census {
    pub(super) fn start(way: Way) -> Self {
        let shrank = Arc::new(AtomicU64::new(0));
        let mut worker = JoinSet::new();
        worker.spawn(count(way, Arc::clone(&shrank)));
        Self { shrank, _worker: worker }
    }

    /// How often fewer keys were counted than before.
    pub(super) fn shrank(&self) -> u64 {
        self.shrank.load(Ordering::Relaxed)
    }
}

async fn count(way: Way, shrank: Arc<AtomicU64>) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut connection = None;
    let mut before = 0;
    loop {
        ticks.tick().await;
        if connection.is_none()
            && let Ok(primary) = way.primary().await
        {
            let opened = Connection::open(&primary, way.credentials.as_ref(), WITHIN).await;
            connection = opened.ok();
        }
        let Some(open) = &connection else { continue };
        match keys(open).await {
            Some(keys) => {
                shrank.fetch_add(u64::from(keys < before), Ordering::Relaxed);
                before = keys;
            }
            None => connection = None,
        }
    }
}

/// The keys of a primary; `None` of anybody else: a replica may have nothing for a while.
async fn keys(connection: &Connection) -> Option<i64> {
    let commands = [Command::new(&["DBSIZE"]), Command::new(&["ROLE"])];
    let answers = connection.pipeline(&commands, WITHIN).await.ok()?;
    let mut answers = answers.into_iter().flatten();
    let Some(Value::Int(keys)) = answers.next() else { return None };
    let Some(Value::Array(role)) = answers.next() else { return None };
    (role.first().and_then(Value::as_text) == Some("master")).then_some(keys)
}
