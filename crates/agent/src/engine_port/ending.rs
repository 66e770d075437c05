//! What happens when an engine process has ended, and what is kept of its files.

use std::path::Path;
use std::time::Duration;

use brain::{EngineNews, Exit};
use engine::files::StartFailure;
use platform::Platform;

use super::{EnginePort, in_words};
use crate::damage;
use crate::supervise::{Ending, Gone, oom_kills};

/// The last lines are in the pipe when the process is gone; only a child that outlived it could
/// keep the pipe open.
const LAST_LINES: Duration = Duration::from_millis(200);

impl<P: Platform> EnginePort<P> {
    /// Explains the end of a process and tells it.
    pub(super) async fn ended(&mut self, gone: Gone) {
        self.link.reset();
        self.silent_since = None;
        let (mut oom, mut log) = (false, String::new());
        if let Some(facts) = &mut self.facts {
            if let Some(reader) = facts.reader.take() {
                let _ = tokio::time::timeout(LAST_LINES, reader).await;
            }
            oom = oom_kills() > facts.oom_kills;
            log = facts.log.text();
        }
        let asked = self.handle.is_asked_to_stop();
        let failure = damage::why_not_started(&log);
        let damaged = failure.as_ref().is_some_and(|f| damage::is_cured_aside(f, self.data()));
        let exit = match (Ending { status: gone.status, asked, oom, damaged }.exit()) {
            Exit::Clean => self.judge_clean_end(),
            other => other,
        };
        if let (Some(failure), Exit::Code(_)) = (&failure, exit) {
            self.judge_start_failure(failure).await;
        }
        tracing::info!(process = gone.run, ?exit, "the engine has ended");
        match failure {
            Some(failure) if exit == Exit::BadData => self.quarantine(&failure),
            Some(failure) if matches!(exit, Exit::Code(_)) => {
                tracing::error!("the engine did not start: {failure}");
            }
            _ => {}
        }
        self.news(EngineNews::Exited { run: self.run, exit }).await;
    }

    /// Damaged files go aside, so that the next start is an empty one that a peer fills.
    fn quarantine(&self, failure: &StartFailure) {
        match damage::move_aside(self.data()) {
            Ok(Some(to)) => tracing::error!(
                kept = %to.display(),
                "the engine did not start: {failure}; its data files are kept aside, and this \
                 member will sync from another one"
            ),
            Ok(None) => {}
            Err(error) => tracing::error!(
                error = in_words(&error),
                "the engine did not start: {failure}; and its data files cannot be moved away"
            ),
        }
    }

    fn data(&self) -> &Path {
        &self.parts.config.data
    }

    /// Keeps a copy of the data files before a sync replaces them (failover.md 2.3 I8).
    pub(super) async fn set_aside(&mut self) -> Result<(), String> {
        let data = self.parts.config.data.clone();
        let kept = tokio::task::spawn_blocking(move || damage::link_aside(&data)).await;
        let kept = kept.map_err(|error| error.to_string())?;
        if let Some(to) = kept.map_err(|error| in_words(&error))? {
            tracing::warn!(kept = %to.display(), "kept a copy of the data files");
        }
        Ok(())
    }
}
