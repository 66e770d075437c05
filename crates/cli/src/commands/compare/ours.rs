//! Groups of ours for a comparison, one at a time.

use std::path::Path;

use tokio::sync::Mutex;
use trial::rivals::{Doing, Ours};
use trial::target::{HandsError, Target};

use crate::failure::Failure;
use crate::spec::Wanted;
use crate::throwaway::{Throwaway, Ways};
use crate::trials;
use crate::ui::Printer;

/// Starts and ends them, without a word.
pub(super) struct Groups {
    wanted: Wanted,
    engine: String,
    /// Nobody wants to read the steps of every start. Held while one is under way.
    quiet: Mutex<Printer>,
    now: Mutex<Option<Throwaway>>,
}

impl Groups {
    pub(super) fn new(wanted: Wanted, engine: &Path, plain: bool) -> Self {
        Self {
            wanted,
            engine: engine.display().to_string(),
            quiet: Mutex::new(Printer::new(plain, true)),
            now: Mutex::new(None),
        }
    }

    /// Waits until no start or end is under way: each of them is to be finished, or taken back by
    /// itself, before anybody gives up.
    pub(super) async fn rest(&self) {
        drop(self.quiet.lock().await);
    }

    async fn begin(&self) -> Result<Target, Failure> {
        let mut quiet = self.quiet.lock().await;
        let engine = Some(self.engine.as_str());
        let group = Throwaway::start(&self.wanted, engine, Ways::Links, &mut quiet).await?;
        let target = trials::target(&group.group);
        *self.now.lock().await = Some(group);
        target
    }

    async fn finish(&self) -> Result<(), Failure> {
        let mut quiet = self.quiet.lock().await;
        let Some(group) = self.now.lock().await.take() else { return Ok(()) };
        group.end(&mut quiet).await
    }
}

impl Ours for Groups {
    fn start(&self) -> Doing<'_, Target> {
        Box::pin(async { self.begin().await.map_err(|failure| said("start a group", failure)) })
    }

    fn end(&self) -> Doing<'_, ()> {
        Box::pin(async { self.finish().await.map_err(|failure| said("end the group", failure)) })
    }
}

/// A failure as a cause: its sentence, and why.
fn said(deed: &str, failure: Failure) -> HandsError {
    let words: Vec<String> = std::iter::once(failure.what).chain(failure.causes).collect();
    HandsError::new(deed, words.join(": "))
}
