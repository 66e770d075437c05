//! Ending the engine so that its data are on the disk, and never worse ones over better ones
//! (engine.md 0, 10; 4.3).

use std::sync::atomic::Ordering;
use std::time::Duration;

use brain::Exit;
use client::ClientError;
use engine::{Info, Role};
use platform::Platform;

use super::link::in_words;
use super::{EnginePort, lock, observe};
use crate::clean_stop::{self, Snapshot};
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
        let mut save = (!self.parts.config.persistence.is_persistent()).then_some(false);
        let mut trouble = String::new();
        while tokio::time::Instant::now() < until {
            if self.handle.supervisor.running().is_none() {
                return Ok(());
            }
            if save.is_none() {
                save = self.is_worth_saving().await;
            }
            let left = until.saturating_duration_since(tokio::time::Instant::now());
            match save {
                // An engine that is busy is not ended without its data while there is time.
                None => "it does not say how it stands".clone_into(&mut trouble),
                Some(save) => match self.ask_to_stop(save, left).await {
                    Ok(()) if self.handle.supervisor.wait_gone(left).await => return Ok(()),
                    Ok(()) => break,
                    Err(refusal) => trouble = refusal,
                },
            }
            tokio::time::sleep(AGAIN).await;
        }
        self.save_asked = None;
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
        let before = clean_stop::snapshot(&self.parts.config.data);
        self.save_asked = save.then_some(SaveAsked { before });
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
    /// (engine.md 1.4). `None`: it does not answer.
    async fn is_worth_saving(&mut self) -> Option<bool> {
        let answer = self.link.call(&["INFO"], Duration::from_secs(2)).await;
        let text = answer.ok().and_then(client::Value::into_text)?;
        let info = Info::parse(&text).ok()?;
        let replaced = info.is_loading() || info.replication.sync_in_progress == Some(true);
        let stands = info.replication.role == Some(Role::Primary)
            || info.position().is_some()
            || observe::kept(&info, &self.context).is_some();
        Some(!replaced && (stands || info.keys.is_some_and(|keys| keys > 0)))
    }

    /// What an end with 0 after a request of ours is worth: clean only if everything is certainly
    /// on the disk, and the next start certainly reads it. Code 0 alone proves neither: an engine
    /// that is forced, or told by somebody else, ends with it too (protocol-traces D5).
    pub(super) fn judge_clean_end(&mut self) -> Exit {
        let asked = self.save_asked.take();
        let config = &self.parts.config;
        if !config.persistence.is_persistent() {
            return Exit::Clean;
        }
        let now = clean_stop::snapshot(&config.data);
        if !asked.is_some_and(|asked| now.is_some() && now != asked.before) {
            return Exit::Unsaved;
        }
        match clean_stop::mark(&config.data) {
            Ok(()) => Exit::Clean,
            Err(error) if config.persistence.has_aof() => {
                // The next start reads the append-only file, and an engine ends with 0 although it
                // could not write the last of that.
                tracing::warn!(%error, "cannot mark the clean stop: it counts as an unclean one");
                Exit::Unsaved
            }
            Err(error) => {
                tracing::debug!(%error, "cannot mark the clean stop; there is only the snapshot");
                Exit::Clean
            }
        }
    }
}

/// The engine was asked to save and stop.
#[derive(Debug, Clone, Copy)]
pub(super) struct SaveAsked {
    /// What stood there: an engine that has saved has replaced it.
    before: Option<Snapshot>,
}
