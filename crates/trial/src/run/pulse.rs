//! Whether the trial itself runs: on a machine that is paused or overloaded it does not, and then
//! what it measures is the machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// Between two beats.
const EVERY: Duration = Duration::from_millis(50);

/// A task that beats, and how late the latest of its beats was. Dropped, it ends.
#[derive(Debug)]
pub(super) struct Pulse {
    latest_ms: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Pulse {
    /// Begins to beat.
    pub(super) fn start() -> Self {
        let latest_ms = Arc::new(AtomicU64::new(0));
        let noted = Arc::clone(&latest_ms);
        let task = tokio::spawn(async move {
            let mut beats = interval(EVERY);
            beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut last = Instant::now();
            loop {
                beats.tick().await;
                let late = last.elapsed().saturating_sub(EVERY);
                noted.fetch_max(late.as_millis() as u64, Ordering::Relaxed);
                last = Instant::now();
            }
        });
        Self { latest_ms, task }
    }

    /// The longest time without a beat since it was asked last.
    pub(super) fn take(&self) -> Duration {
        Duration::from_millis(self.latest_ms.swap(0, Ordering::Relaxed))
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::STOOD_STILL as WORTH_TELLING;

    #[tokio::test]
    async fn a_thread_that_is_held_up_is_noticed() {
        let pulse = Pulse::start();
        tokio::time::sleep(EVERY * 2).await;
        pulse.take();
        let held = Instant::now();
        // The only thread does something else, as if it had been stopped.
        while held.elapsed() < WORTH_TELLING {
            std::hint::spin_loop();
        }
        tokio::time::sleep(EVERY * 2).await;
        assert!(pulse.take() >= WORTH_TELLING.saturating_sub(EVERY * 2));
        tokio::time::sleep(EVERY).await;
        assert!(pulse.take() < WORTH_TELLING);
    }
}
