//! What runs beside the judgement and tells it what it sees: the record's watch, the route, the
//! headroom, the keys, signals.

use std::sync::Arc;
use std::time::Duration;

use brain::{Input, Route, Version};
use platform::{Notices, Platform, Published, RecordStore, Roster, RouteStore};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, watch};

use crate::engine_port::{EngineHandle, Order, in_words};
use crate::http::Web;
use crate::inbox::{Inbox, tell};
use crate::keys::PeerKeys;
use crate::{Config, clock, driver};

/// How long one look at the record waits for a change.
const WATCH: Duration = Duration::from_secs(20);

/// Between two looks at a store that fails, doubled from the first to the second.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(2));

/// How often configuration and keys are looked at.
const HOUSEKEEPING: Duration = Duration::from_secs(30);

/// How long a notice may be out of date when nothing is decided.
const NOTICE: Duration = Duration::from_secs(5);

/// A change is told once it has lasted this long. A takeover passes through several roles, and
/// every change of a label makes the cluster write other routes, which the primary's own waits for.
const SETTLED: Duration = Duration::from_millis(300);

/// Tells every change of the record.
pub(crate) async fn record<P: Platform>(platform: Arc<P>, inbox: Inbox) {
    let mut told: Option<Option<Version>> = None;
    let mut backoff = BACKOFF.0;
    loop {
        let after = told.clone().flatten();
        let begun = tokio::time::Instant::now();
        let look = platform.record().changed(after.as_ref(), WATCH);
        match tokio::time::timeout(WATCH + BACKOFF.1, look).await {
            Ok(Ok(found)) => {
                backoff = BACKOFF.0;
                let version = found.as_ref().map(|(version, _)| version.clone());
                if told.as_ref() != Some(&version) {
                    told = Some(version);
                    tell(&inbox, Input::Watched(found)).await;
                } else if begun.elapsed() < BACKOFF.0 {
                    // A store that cannot wait is not asked in a circle.
                    tokio::time::sleep(BACKOFF.0).await;
                }
            }
            Ok(Err(error)) => {
                tracing::debug!(%error, "the record cannot be watched");
                tokio::time::sleep(backoff).await;
                backoff = (backoff * 2).min(BACKOFF.1);
            }
            Err(_) => {}
        }
    }
}

/// Tells of every run that has ended for certain.
pub(crate) async fn ended<P: Platform>(platform: Arc<P>, inbox: Inbox) {
    loop {
        tell(&inbox, Input::Ended(platform.roster().ended().await)).await;
    }
}

/// Publishes the newest route until it stands or a newer one does.
pub(crate) async fn route<P: Platform>(
    platform: Arc<P>,
    mut wanted: watch::Receiver<Option<Route>>,
    within: Duration,
    inbox: Inbox,
) {
    let mut backoff = BACKOFF.0;
    loop {
        tokio::select! {
            changed = wanted.changed() => if changed.is_err() { return },
            () = platform.route().disturbed() => {
                tracing::warn!("somebody has changed the route: it is published again");
            }
        }
        loop {
            let Some(route) = wanted.borrow_and_update().clone() else { break };
            let published = platform.route().publish(&route, within).await;
            match published {
                Ok(Published::Done) => tracing::debug!(?route, "published the route"),
                Ok(Published::Superseded { by }) => {
                    tracing::info!(?route, %by, "a newer route stands");
                    tell(&inbox, Input::RouteStands { epoch: by }).await;
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot publish the route, trying again");
                    // A newer route is tried at once.
                    let _ = tokio::time::timeout(backoff, wanted.changed()).await;
                    backoff = (backoff * 2).min(BACKOFF.1);
                    continue;
                }
            }
            backoff = BACKOFF.0;
            break;
        }
    }
}

/// Tells the place what this member is, whenever that has changed and settled, until it has been
/// told.
pub(crate) async fn notices<P: Platform>(
    platform: Arc<P>,
    web: Web,
    stirred: Arc<Notify>,
    within: Duration,
) {
    let mut told = None;
    let mut backoff = BACKOFF.0;
    loop {
        // Between two decisions only the engine's link changes, which the next decision sees.
        let _ = tokio::time::timeout(NOTICE, stirred.notified()).await;
        let Some(report) = web.report().await else { continue };
        if told.as_ref() == Some(&platform.notices().notice(&report)) {
            continue;
        }
        tokio::time::sleep(SETTLED).await;
        let Some(report) = web.report().await else { continue };
        let notice = platform.notices().notice(&report);
        if told.as_ref() == Some(&notice) {
            continue;
        }
        match platform.notices().tell(&notice, within).await {
            Ok(()) => {
                told = Some(notice);
                backoff = BACKOFF.0;
            }
            Err(error) => {
                tracing::debug!(%error, "this member's notice is not told yet");
                tokio::time::sleep(backoff).await;
                backoff = (backoff * 2).min(BACKOFF.1);
            }
        }
    }
}

/// Looks after what changes slowly.
pub(crate) async fn housekeeping(
    config: Arc<Config>,
    engine: Arc<EngineHandle>,
    keys: watch::Sender<PeerKeys>,
) {
    // The first look comes early: an engine has loaded small data by then.
    let mut pause = Duration::from_secs(3);
    let mut directives = config.directives.clone();
    loop {
        // Changed directives are looked after at once.
        let changed = async {
            if directives.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let _ = tokio::time::timeout(pause, changed).await;
        pause = HOUSEKEEPING;
        // A full queue belongs to an engine that has other troubles.
        let _ = engine.order(Order::CheckDrift);
        match PeerKeys::read(&config.peer_key_file) {
            Ok(read) => {
                keys.send_if_modified(|known| {
                    let changed = *known != read;
                    if changed {
                        tracing::info!(keys = read.all().len(), "the peer keys have changed");
                        *known = read;
                    }
                    changed
                });
            }
            Err(error) => tracing::warn!(error = in_words(&error), "keeping the old peer keys"),
        }
    }
}

/// The signals that end an agent.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Catches them from now on.
    pub(crate) fn catch() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// At the first signal the member is asked to stop. Returns when its time is over, or when a
    /// third signal says that nobody wants to wait.
    pub(crate) async fn handle(mut self, grace: Duration, engine: &EngineHandle, inbox: &Inbox) {
        self.next().await;
        tracing::info!(grace_s = grace.as_secs(), "told to stop");
        let by = clock::now() + clock::span(grace);
        engine.stop_by(by);
        driver::ask_to_stop(inbox, clock::span(grace)).await;
        tokio::select! {
            () = clock::sleep_until(Some(by)) => tracing::warn!("the time to stop is over"),
            () = async { self.next().await; self.next().await; } => {
                tracing::warn!("told to stop three times: stopping without waiting");
            }
        }
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
