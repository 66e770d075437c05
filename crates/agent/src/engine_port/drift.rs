//! Where the running engine's configuration differs from the rendered one: set live where that is
//! possible, shown where it needs a restart.

use std::collections::BTreeMap;
use std::time::Duration;

use platform::Platform;

use super::{EnginePort, in_words, lock};

const DEADLINE: Duration = Duration::from_secs(2);

impl<P: Platform> EnginePort<P> {
    /// Compares once.
    pub(super) async fn check_drift(&mut self) {
        if self.owes_keys {
            self.take_new_keys().await;
        }
        let Some(facts) = &self.facts else { return };
        if facts.aof_pending || self.silent_since.is_some() {
            return;
        }
        let Ok(answer) = self.link.call(&["CONFIG", "GET", "*"], DEADLINE).await else {
            return;
        };
        let actual: BTreeMap<String, String> = answer
            .as_pairs()
            .unwrap_or_default()
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value.as_text()?.to_owned())))
            .collect();
        let rendered = match self.render_anew() {
            Ok(rendered) => rendered,
            Err(error) => {
                // A change that this engine does not take: what it was started with stands.
                tracing::error!(error = in_words(&error), "cannot use the changed directives");
                facts.rendered.clone()
            }
        };
        let mut left = rendered.diff(&actual);
        let mut unset = Vec::new();
        for drift in left.drain(..) {
            if !drift.live {
                unset.push(drift);
                continue;
            }
            let words = ["CONFIG", "SET", &drift.name, &drift.wanted];
            match self.link.command(&words, DEADLINE).await {
                Ok(()) => tracing::info!(
                    directive = drift.name,
                    was = drift.actual,
                    now = drift.wanted,
                    "set a directive that was another one than wanted"
                ),
                Err(error) => {
                    tracing::warn!(directive = drift.name, error, "cannot set a directive");
                    unset.push(drift);
                }
            }
        }
        lock(&self.handle.facts).drift = unset;
    }
}
