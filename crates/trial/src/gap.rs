//! Gaps: the longest time without an acknowledged write (or an answered read) around an event, and
//! how they are spread over many events.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::journal::At;

/// The longest interval without an acknowledgement around an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The last acknowledgement before it.
    pub from: At,
    /// The first one after it; the end of the watch when there was none.
    pub to: At,
    /// Whether there was one after it: an open gap is only a lower bound.
    pub closed: bool,
}

impl Gap {
    /// How long.
    pub fn length(&self) -> Duration {
        self.to.since(self.from)
    }
}

/// The longest gap among those that end after `event` and begin before `until`. `acks` are in order
/// and begin before the event; with none before it the gap counts from the event.
pub fn around(acks: &[At], event: At, until: At) -> Gap {
    let first = acks.partition_point(|ack| *ack <= event);
    let mut from = first.checked_sub(1).map_or(event, |before| acks[before]);
    let mut longest = Gap { from, to: from, closed: true };
    for ack in acks[first..].iter().take_while(|ack| **ack <= until) {
        if ack.since(from) > longest.length() {
            longest = Gap { from, to: *ack, closed: true };
        }
        from = *ack;
    }
    // A watch that ends between two acknowledgements has seen the rest of the interval only when
    // nothing came until its end.
    if until.since(from) > longest.length() {
        longest = Gap { from, to: until, closed: false };
    }
    longest
}

/// How lengths are spread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Spread {
    /// How many.
    pub count: u64,
    /// The median, in milliseconds.
    pub p50_ms: f64,
    /// 99 of 100 are at most this long, in milliseconds. With fewer than 100 it is the longest.
    pub p99_ms: f64,
    /// The longest, in milliseconds.
    pub max_ms: f64,
}

/// Longest length that a histogram holds: a trial's event is given up long before.
const LONGEST_US: u64 = 24 * 3600 * 1_000_000;

/// The spread of these lengths; `None` of none.
pub fn spread(lengths: impl IntoIterator<Item = Duration>) -> Option<Spread> {
    let mut histogram = Histogram::<u64>::new_with_bounds(1, LONGEST_US, 3)
        .expect("1 µs to a day in three digits is a valid histogram");
    for length in lengths {
        histogram.saturating_record(length.as_micros() as u64);
    }
    let ms = |us: u64| us as f64 / 1000.0;
    (!histogram.is_empty()).then(|| Spread {
        count: histogram.len(),
        p50_ms: ms(histogram.value_at_quantile(0.5)),
        p99_ms: ms(histogram.value_at_quantile(0.99)),
        max_ms: ms(histogram.max()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(acks: &[u64]) -> Vec<At> {
        acks.iter().map(|ack| At(*ack)).collect()
    }

    #[test]
    fn the_longest_interval_after_the_event_counts() {
        // (acknowledgements, event, until) -> (from, to, closed)
        type Case<'a> = (&'a [u64], u64, u64, (u64, u64, bool));
        let table: [Case<'_>; 8] = [
            // An interval before the event is not its doing.
            (&[0, 50, 60, 70, 80], 55, 85, (50, 60, true)),
            // The one that the event falls into counts from its beginning.
            (&[0, 10, 40, 45], 12, 46, (10, 40, true)),
            // A longer one later on is the event's as well.
            (&[0, 10, 15, 70, 71], 12, 72, (15, 70, true)),
            // Nothing ever comes back: open.
            (&[0, 10], 12, 500, (10, 500, false)),
            // It comes back, then falls silent for longer: open.
            (&[0, 10, 20], 12, 500, (20, 500, false)),
            // Nothing before the event.
            (&[30, 31], 12, 32, (12, 30, true)),
            // Nothing at all.
            (&[], 12, 40, (12, 40, false)),
            // An acknowledgement at the very event belongs to what was before.
            (&[12, 20], 12, 20, (12, 20, true)),
        ];
        for (acks, event, until, (from, to, closed)) in table {
            let gap = around(&at(acks), At(event), At(until));
            assert_eq!(gap, Gap { from: At(from), to: At(to), closed }, "{acks:?} {event} {until}");
        }
    }

    #[test]
    fn a_spread_names_median_tail_and_longest() {
        assert_eq!(spread([]), None);
        let spread = spread((1..=200).map(Duration::from_millis)).expect("200 lengths");
        assert_eq!(spread.count, 200);
        assert!((spread.p50_ms - 100.0).abs() < 1.0, "{spread:?}");
        assert!((spread.p99_ms - 198.0).abs() < 1.0, "{spread:?}");
        assert!((spread.max_ms - 200.0).abs() < 1.0, "{spread:?}");
    }

    #[test]
    fn one_outlier_among_few_is_the_tail() {
        let lengths = [Duration::from_millis(5); 9].into_iter().chain([Duration::from_secs(3)]);
        let spread = spread(lengths).expect("ten lengths");
        assert!(spread.p50_ms < 6.0 && spread.p99_ms > 2900.0, "{spread:?}");
    }
}
