//! The table holds its width, and says what failed.

use std::time::Duration;

use super::*;
use crate::run::Options;
use crate::suites::{Effort, basic};
use crate::verdict::{Event, Phase};

fn report() -> Report {
    let wait = Duration::from_secs(5);
    let mut rows: Vec<Row> = basic(Effort::default(), wait)
        .into_iter()
        .map(|scenario| Row::new(scenario, "gate"))
        .collect();
    for row in &mut rows {
        row.tally.acked = 1_008_411;
        let phase = |n| Phase { rule: format!("rule-{n}"), member: String::new(), after_ms: 1.0 };
        let phases = (0..20).map(phase).collect();
        let event = Event { write_gap_ms: 20.5, writes_back: true, phases, ..Event::default() };
        row.events = vec![event];
        row.judge();
    }
    Report {
        schema: Report::SCHEMA,
        group: "cart".to_owned(),
        began: String::new(),
        engine: "redis 7.0.15".to_owned(),
        members: 3,
        wait,
        effort: Effort::default(),
        options: Options::default(),
        rows,
    }
}

#[test]
fn the_table_fits_in_a_hundred_columns_and_every_scenario_is_in_it() {
    let report = report();
    let text = render(&report, false);
    for line in text.lines() {
        assert!(line.chars().count() <= 100, "{} columns: {line}", line.chars().count());
    }
    for row in &report.rows {
        assert!(text.contains(&row.scenario.title), "{}", row.scenario.title);
    }
    assert!(text.contains("1 008 411") && text.contains("0.021 s"), "{text}");
    assert!(render(&report, true).is_ascii());
}

#[test]
fn what_failed_is_said_in_words() {
    let mut report = report();
    report.rows[0].events[0].violations.push("engine 7 outlived its agent".to_owned());
    report.rows[0].judge();
    report.rows[1].error = Some("not healthy within 120 s".to_owned());
    report.rows[2].skipped = Some("needs 2 members".to_owned());
    let text = render(&report, false);
    assert!(text.contains("× kill -9 primary, run 1: engine 7 outlived its agent"), "{text}");
    assert!(text.contains("× handover: ended early: not healthy within 120 s"), "{text}");
    assert!(text.contains("not tried, needs 2 members"), "{text}");
    assert!(!report.passed() && text.contains(" 2 ×"), "{text}");
}

#[test]
fn thousands_stand_apart() {
    for (number, wanted) in [(0, "0"), (999, "999"), (1000, "1 000"), (1_234_567, "1 234 567")] {
        assert_eq!(grouped(number), wanted);
    }
}
