//! Ending the engine so that its data are on the disk, and never worse ones over better ones
//! (engine.md 0, 10; 4.3).

use std::fs;
use std::sync::atomic::Ordering;
use std::time::Duration;

use client::ClientError;
use engine::Info;
use platform::Platform;

use super::link::in_words;
use super::start::clean_stop_mark;
use super::{EnginePort, lock};
use crate::clock;

/// How long a stop may take when nobody set a deadline: a gigabyte is saved in a few seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// Kept back from the deadline for the forced end.
const LAST_MOMENT: Duration = Duration::from_secs(2);

/// Between two requests to an engine that refused the first.
const AGAIN: Duration = Duration::from_millis(300);

impl<P: Platform> EnginePort<P> {
    /// Saves and stops the engine; at the deadline it is ended without.
    pub(super) async fn shut_down(&mut self) -> Result<(), String> {
        let by = *lock(&self.handle.stop_by);
        let all = by.map_or(PATIENCE, |by| clock::duration(by.since(clock::now())));
        let until = tokio::time::Instant::now() + all.saturating_sub(LAST_MOMENT).max(AGAIN);
        self.handle.asked_to_stop.store(true, Ordering::Release);
        let save = self.parts.config.persistence.is_persistent() && self.is_worth_saving().await;
        let mut trouble = String::new();
        while tokio::time::Instant::now() < until {
            if self.handle.supervisor.running().is_none() {
                return Ok(());
            }
            let left = until - tokio::time::Instant::now();
            match self.ask_to_stop(save, left).await {
                Ok(()) if self.handle.supervisor.wait_gone(left).await => {
                    if save {
                        self.mark_clean_stop();
                    }
                    return Ok(());
                }
                Ok(()) => break,
                Err(refusal) => trouble = refusal,
            }
            tokio::time::sleep(AGAIN).await;
        }
        tracing::warn!(trouble, "the engine does not stop by itself: ending it");
        let force = ["SHUTDOWN", "NOSAVE", "NOW", "FORCE"];
        // Whatever it answers, it is gone or killed below.
        let _ = self.link.command(&force, LAST_MOMENT / 4).await;
        if !self.handle.supervisor.wait_gone(LAST_MOMENT / 4).await {
            self.handle.kill();
        }
        Err(format!("ended without saving: {trouble}"))
    }

    /// One request. An engine that obeys closes the connection and says nothing.
    async fn ask_to_stop(&mut self, save: bool, within: Duration) -> Result<(), String> {
        let mode = if save { "SAVE" } else { "NOSAVE" };
        let mut words = vec!["SHUTDOWN", mode];
        if self.parts.engine.capabilities().shutdown_now {
            words.push("NOW");
        }
        match self.link.call(&words, within).await {
            Ok(_) | Err(ClientError::Disconnected { .. }) => Ok(()),
            Err(ClientError::Refused { refused, .. }) => Err(refused.text),
            Err(error) if self.handle.supervisor.running().is_some() => Err(in_words(&error)),
            Err(_) => Ok(()),
        }
    }

    /// A dataset that is being replaced or was never loaded is not written over what the disk has;
    /// nor is an empty one without a place in a stream: that is what a failed sync leaves
    /// (engine.md 1.4).
    async fn is_worth_saving(&mut self) -> bool {
        let answer = self.link.call(&["INFO"], Duration::from_secs(2)).await;
        let text = answer.ok().and_then(client::Value::into_text);
        let info = text.and_then(|text| Info::parse(&text).ok());
        info.is_some_and(|info| {
            let replaced = info.is_loading() || info.replication.sync_in_progress == Some(true);
            !replaced && (info.position().is_some() || info.keys.is_some_and(|keys| keys > 0))
        })
    }

    fn mark_clean_stop(&self) {
        // Without the mark the next start reads the append-only file: slower to rejoin, not wrong.
        if let Err(error) = fs::write(clean_stop_mark(&self.parts.config.data), b"") {
            tracing::warn!(%error, "cannot mark the clean stop: the next start syncs in full");
        }
    }
}
