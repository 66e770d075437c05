//! The one clock of decisions: CLOCK_BOOTTIME as [`brain::Tick`], and waiting by it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use brain::{Span, Tick};
use nix::time::{ClockId, clock_gettime};

/// The longest nap before the clock is read again. Timers count CLOCK_MONOTONIC, which stands still
/// while a machine is suspended; so a deadline that passed meanwhile is noticed this late at most.
const NAP_MAX: Duration = Duration::from_secs(1);

/// Nanoseconds since the machine booted, time asleep included (failover.md 2.5).
pub(crate) fn now() -> Tick {
    // macOS: its CLOCK_MONOTONIC goes on while the machine sleeps, as Linux's CLOCK_BOOTTIME does.
    #[cfg(target_os = "linux")]
    const CLOCK: ClockId = ClockId::CLOCK_BOOTTIME;
    #[cfg(not(target_os = "linux"))]
    const CLOCK: ClockId = ClockId::CLOCK_MONOTONIC;
    let time = clock_gettime(CLOCK).expect("every supported kernel has this clock");
    Tick(Duration::from(time).as_nanos() as u64)
}

/// Waits until `deadline` by [`now`]; for ever when there is none.
pub(crate) async fn sleep_until(deadline: Option<Tick>) {
    let Some(deadline) = deadline else {
        return std::future::pending().await;
    };
    loop {
        let left = deadline.since(now());
        if left == Span::ZERO {
            return;
        }
        tokio::time::sleep(duration(left).min(NAP_MAX)).await;
    }
}

/// A span as the standard library's duration.
pub(crate) fn duration(span: Span) -> Duration {
    Duration::from_nanos(span.0)
}

/// The standard library's duration as a span.
pub(crate) fn span(duration: Duration) -> Span {
    Span(duration.as_nanos() as u64)
}

/// Wall clock in milliseconds since 1970: for people only, nothing is decided by it.
pub(crate) fn wall_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wait_ends_after_its_deadline_and_not_before() {
        let deadline = now() + Span::from_millis(30);
        sleep_until(Some(deadline)).await;
        assert!(now() >= deadline);
        sleep_until(Some(Tick(0))).await;
    }
}
