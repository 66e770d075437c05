//! The comparison for people at a terminal, in 100 columns.

use std::fmt::Write;

use super::report::{Comparison, Row, cells, seconds};
use super::{Event, Harm};

/// Width of everything.
const COLUMNS: usize = 100;

/// The whole comparison. `ascii` uses no sign beyond ASCII.
pub fn render(comparison: &Comparison, ascii: bool) -> String {
    let mut text = String::new();
    for harm in comparison.harms() {
        head(&mut text, harm);
        for row in comparison.of(harm) {
            line(&mut text, row);
        }
        text.push('\n');
    }
    let _ = writeln!(text, "{}, {}", comparison.engine, comparison.machine.words());
    for miss in comparison.misses() {
        let _ = writeln!(text, "× {miss}");
    }
    if !comparison.is_safe() {
        text.push_str("× ours lost a write that was waited for, or two acknowledged at once\n");
    }
    if ascii { plain(&text) } else { text }
}

fn plain(text: &str) -> String {
    text.replace('×', "x").replace('–', "-")
}

fn head(text: &mut String, harm: Harm) {
    let _ = writeln!(text, "{}", harm.title());
    let mut width = 1;
    for word in harm.sentence().split_whitespace() {
        if width == 1 || width + word.chars().count() >= COLUMNS {
            text.push_str(if width == 1 { " " } else { "\n " });
            width = 1;
        }
        text.push(' ');
        text.push_str(word);
        width += 1 + word.chars().count();
    }
    let _ = writeln!(
        text,
        "\n  {:24} {:>4} {:>8} {:>9} {:>11} {:>14} {:>6} {:>7} {:>6}",
        "RIVAL", "RUNS", "GAP P50", "LONGEST", "HEALTHY P50", "LONGEST", "LOST", "WAITED", "LATE"
    );
}

fn line(text: &mut String, row: &Row) {
    if let Some(skipped) = &row.skipped {
        let _ = writeln!(text, "  {:24} skipped: {skipped}", row.rival.title());
        return;
    }
    let [runs, gap, longest, healthy, slowest, lost, waited, late] = cells(row);
    let _ = writeln!(
        text,
        "  {:24} {runs:>4} {gap:>8} {longest:>9} {healthy:>11} {slowest:>14} {lost:>6} {waited:>7} \
         {late:>6}",
        row.rival.title(),
    );
}

/// One event in one line, while it happens.
pub fn event(event: &Event) -> String {
    let open = if event.writes_back { "" } else { " and more" };
    let healthy = event
        .healthy_ms
        .map_or("never healthy".to_owned(), |ms| format!("healthy after {}", seconds(ms)));
    let lost = if event.is_counted {
        format!("{} of {} writes lost", event.lost, event.acked)
    } else {
        "nobody leads: not counted".to_owned()
    };
    let seeds = match event.lost_seeds {
        0 => String::new(),
        keys => format!(", and {keys} older keys"),
    };
    format!(
        "{} write gap {}{open}, {healthy}, {lost}{seeds}, {} late",
        event.number + 1,
        seconds(event.write_gap_ms),
        event.late_acks
    )
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::sample;
    use super::*;

    #[test]
    fn the_tables_fit_and_say_everything() {
        let mut sample = sample();
        sample.rows[1].error = Some("no port".to_owned());
        let text = render(&sample, false);
        assert!(text.lines().all(|line| line.chars().count() <= COLUMNS), "{text}");
        for wanted in [
            "Interrex                    2  0.024 s   0.031 s     0.924 s        0.931 s      2",
            "skipped: needs root",
            "× crash, Sentinel, 5 s: ended early: no port",
            "redis 7.0.15, 2 cores, 16 GiB of memory, linux x86_64",
        ] {
            assert!(text.contains(wanted), "{wanted}: {text}");
        }
        assert!(render(&sample, true).is_ascii());
    }

    #[test]
    fn an_event_says_what_was_lost_and_whether_it_is_over() {
        let sample = sample();
        let said = event(&sample.rows[4].events[0]);
        assert!(said.contains("2160 of 10000 writes lost, 1433 late"), "{said}");
        let said = event(&sample.rows[5].events[0]);
        assert!(said.contains("20.0 s and more, never healthy"), "{said}");
        let gone = Event { lost_seeds: 20_000, ..sample.rows[4].events[0].clone() };
        assert!(event(&gone).contains("and 20000 older keys"));
    }
}
