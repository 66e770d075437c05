//! Waiting: always for a condition, and never longer than its deadline.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::error::Error;

/// Between two looks: one processor is shared with what is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Looks until the condition holds. `look` says what is missing.
pub(crate) async fn until<T>(
    what: &str,
    within: Duration,
    mut look: impl AsyncFnMut() -> Result<T, String>,
) -> Result<T, Error> {
    let deadline = Instant::now() + within;
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        match look().await {
            Ok(found) => return Ok(found),
            Err(missing) if Instant::now() >= deadline => {
                return Err(Error::Late { what: what.to_owned(), within, missing });
            }
            Err(_) => {}
        }
    }
}
