//! A load, a kill and a count on one engine.

use std::time::Duration;

use client::Connection;
use trial::bench::{BenchPlan, bench};
use trial::journal::{At, Clock, Track};
use trial::ledger;
use trial::load::{self, Load, LoadPlan};
use trial::nemesis::{Deed, Stopped};
use trial::run::{self, Options, Progress, Stop};
use trial::status;
use trial::suites::{Bars, Scenario};
use trial::verdict::Row;

use crate::keeper::Keeper;

const WITHIN: Duration = Duration::from_secs(20);
const PLAN: LoadPlan =
    LoadPlan { writers: 3, readers: 1, rate: 400, wait_every: 4, patience_ms: 500 };

#[tokio::test]
async fn what_is_taken_away_is_missed_to_the_last_write() {
    let keeper = Keeper::start(&["--save", ""]).await;
    let target = &keeper.target;
    status::healthy(target, WITHIN).await.expect("it is healthy");
    let clock = Clock::start();
    let load = Load::start(target, "r", PLAN, clock);
    while load.journal().acks_since(At(0)).len() < 300 {
        load.journal().ack_after(clock.now(), WITHIN).await.expect("writes go on");
    }
    let journal = load.stop().await;
    let count = || load::read_back(&target.write, None, "r", &journal.writers);

    let tally = count().await.expect("it can be read");
    let noted: u32 = journal.writers.iter().map(Track::next_number).sum();
    assert!(tally.acked >= 300 && tally.acked == u64::from(noted), "{tally:?}");
    assert_eq!((tally.lost(), tally.unknown, tally.refused), (0, 0, 0));

    let connection = Connection::open(&target.write, None, WITHIN).await.expect("it listens");
    let (key, bit) = ledger::place("r", "w1", 7);
    connection.call(&["SETBIT", &key, &bit.to_string(), "0"], WITHIN).await.expect("it is set");
    assert_eq!(count().await.expect("it can be read").lost(), 1);
    connection.call(&["DEL", &ledger::key("r", "w0", 0)], WITHIN).await.expect("it is deleted");
    let of_w0 = u64::from(journal.writers[0].next_number());
    assert_eq!(count().await.expect("it can be read").lost(), 1 + of_w0);
    assert_eq!(load::clear(&target.write, None, "r").await.expect("it is cleared"), 2);
    assert_eq!(count().await.expect("it can be read").lost(), tally.acked);
}

async fn killed(arguments: &'static [&'static str]) -> Row {
    done(Deed::KillEngine, 3, arguments).await
}

async fn done(deed: Deed, runs: u32, arguments: &'static [&'static str]) -> Row {
    let keeper = Keeper::start(arguments).await;
    let bars = Bars { no_late_acks: true, ..Bars::default() };
    let title = format!("{deed:?}");
    let scenario = Scenario { name: "deed", title, deed, runs, bars, members: 1 };
    let options = Options { load: PLAN, seeds: 1000, healthy_within: WITHIN, seed: 1 };
    let stop = Stop::default();
    run::run(&keeper.target, &[scenario], options, &stop, &|_| ()).await.pop().expect("one row")
}

#[tokio::test]
async fn an_interrupted_trial_ends_after_the_deed_and_counts_what_was_done() {
    let keeper = Keeper::start(&["--appendonly", "yes", "--appendfsync", "always"]).await;
    let deed = Deed::KillEngine;
    let bars = Bars::default();
    let scenario =
        Scenario { name: "deed", title: "t".to_owned(), deed, runs: 100, bars, members: 1 };
    let options = Options { load: PLAN, seeds: 1000, healthy_within: WITHIN, seed: 1 };
    let stop = Stop::default();
    let second = |progress: Progress<'_>| {
        if let Progress::Event(_, event) = progress
            && event.number == 1
        {
            stop.ask();
        }
    };
    let scenarios = [scenario.clone(), scenario];
    let rows = run::run(&keeper.target, &scenarios, options, &stop, &second).await;
    assert_eq!((rows[0].events.len(), rows[0].scenario.runs), (2, 2));
    assert!(rows[0].passed() && rows[0].tally.acked > 0, "{:?}", rows[0]);
    assert_eq!(rows[1].skipped.as_deref(), Some("interrupted"));
}

#[tokio::test]
async fn an_engine_that_keeps_everything_passes_and_its_gap_is_seen() {
    let row = killed(&["--appendonly", "yes", "--appendfsync", "always"]).await;
    assert!(row.passed(), "{:?} {:?} {:?}", row.error, row.broken, row.checks);
    assert_eq!(row.events.len(), 3);
    assert!(row.tally.acked > 0 && row.tally.lost() == 0, "{:?}", row.tally);
    for (n, event) in (1..).zip(&row.events) {
        assert_eq!(event.epochs, (n, n + 1), "one start an event");
        // An engine cannot start in less than the time between two writes of this load.
        assert!(event.writes_back && event.write_gap_ms > 1.0, "{event:?}");
        assert!(event.first_write_ms <= Some(event.healthy_ms), "{event:?}");
        assert_eq!((event.dual_acks, event.late_acks), (0, 0));
    }
    let gap = row.write_gap.expect("three gaps");
    assert!(gap.p50_ms <= gap.max_ms && gap.count == 3);
}

#[tokio::test]
async fn an_engine_that_forgets_is_found_out() {
    let row = killed(&["--save", "", "--appendonly", "no"]).await;
    assert!(row.error.is_none(), "{:?}", row.error);
    assert!(row.tally.lost() > 0 && row.tally.lost() < row.tally.acked, "{:?}", row.tally);
    let last = row.events.last().expect("three events");
    assert_eq!(row.tally.lost_at.len() as u64, row.tally.lost());
    assert!(last.writes_back, "{last:?}");
}

#[tokio::test]
async fn what_a_thawed_engine_acknowledges_late_is_counted() {
    let length = Duration::from_millis(300);
    let deed = Deed::Freeze { stopped: Stopped::Engine, length, idle: false };
    let row = done(deed, 2, &["--save", ""]).await;
    // Nothing keeps a plain engine from it (failover.md 0), and it says so: its fence is no gate.
    assert!(row.passed(), "{:?} {:?} {:?}", row.error, row.broken, row.checks);
    for event in &row.events {
        assert_eq!((event.queued, event.late_acks), (320, 320), "{event:?}");
        // Answers that were on their way when it stopped come a little after.
        assert!(event.writes_back && event.write_gap_ms >= 250.0, "{event:?}");
    }
    // Nobody else led meanwhile, so nothing of it is lost.
    assert_eq!(row.tally.lost(), 0);
}

#[tokio::test]
async fn an_engine_is_as_fast_as_itself() {
    let keeper = Keeper::start(&["--appendonly", "yes", "--hz", "50"]).await;
    let plan = BenchPlan {
        rounds: 1,
        length: Duration::from_millis(160),
        connections: 4,
        rest: Duration::from_millis(1),
        ..BenchPlan::default()
    };
    let report = bench(&keeper.target, plan, &|_, _| ()).await.expect("it can be measured");
    assert_eq!((report.rows.len(), report.replicas), (4, 0));
    // What can be set is set, also what an engine refuses to change while it runs.
    assert_eq!(report.different, []);
    for row in &report.rows {
        assert_eq!((row.group.len(), row.bare.len()), (1, 1));
        assert!(row.group.iter().chain(&row.bare).all(|turn| turn.per_s > 100.0), "{row:?}");
        // Only that it is a ratio of like things: short turns on a busy machine say no more.
        assert!(row.ratio > 0.2 && row.ratio < 5.0, "{row:?}");
    }
    let left = Connection::open(&keeper.target.write, None, WITHIN).await.expect("it listens");
    let size = left.call(&["DBSIZE"], WITHIN).await.expect("it answers");
    assert_eq!(size.as_int(), Some(0), "the bench leaves no keys");
}
