//! Many worlds, each from its seed. `SEED=7` replays one with its whole trace, `RUNS=…` makes more.

#![allow(clippy::print_stdout, clippy::disallowed_methods)]

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use sim::trace::Keep;
use sim::{Plan, World, check};

/// How many runs one `cargo test` makes.
const RUNS: u64 = 1000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs one seed; the broken promises, with the story.
fn run(seed: u64, keep: Keep) -> (World, Vec<check::Violation>) {
    let mut world = World::new(Plan::swarm(seed), keep);
    world.run();
    let violations = check::all(&world.history);
    (world, violations)
}

#[test]
fn a_seed_twice_is_the_same_world() {
    for seed in 0..10 {
        let (one, two) = (run(seed, Keep::Hash).0, run(seed, Keep::Last(10)).0);
        assert_eq!(one.trace.hash(), two.trace.hash(), "seed {seed}");
        assert_eq!(one.trace.events(), two.trace.events(), "seed {seed}");
    }
}

#[test]
fn the_promises_hold_in_every_world() {
    if let Some(seed) = number("SEED") {
        let (world, violations) = run(seed, Keep::All);
        println!("{}\n{}", world.trace.text(), world.plan.summary());
        println!("acked {} rules {:?}", world.history.acked(), world.rules);
        for v in &violations {
            println!("BROKEN {v}");
        }
        assert!(violations.is_empty(), "seed {seed} breaks a promise");
        return;
    }
    let (first, runs) = (number("FIRST").unwrap_or(0), number("RUNS").unwrap_or(RUNS));
    let next = AtomicU64::new(first);
    let begun = Instant::now();
    let work = || {
        let mut found = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + runs {
                return found;
            }
            let result = std::panic::catch_unwind(|| run(seed, Keep::Hash));
            match result {
                Ok((world, violations)) => found.push((seed, world.summary(), violations)),
                Err(_) => println!("seed {seed} panicked"),
            }
        }
    };
    let results: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|t| t.join().expect("a worker ended well")).collect()
    });
    let seconds = begun.elapsed().as_secs_f64();
    report(&results, runs, seconds);
    let bad = results.iter().filter(|(_, _, v)| !v.is_empty()).count();
    assert!(bad == 0 && results.len() as u64 == runs, "{bad} of {runs} seeds break a promise");
    if runs >= RUNS {
        sees_every_rule(&results);
    }
}

/// The rules that a swarm must meet: one that none of its worlds reaches is not tested by it. Not
/// among them is `copies`: no world changes k, the script `d7` does.
const RULES: &[&str] = &[
    "accepted",
    "appointed",
    "attach",
    "barrier",
    "beginning",
    "begins-empty",
    "bump",
    "certified",
    "conflict",
    "creation",
    "denied",
    "deposed",
    "diverged",
    "emptied",
    "exited",
    "farewell",
    "fence-kill",
    "fence-soft",
    "fenced",
    "followed",
    "forced",
    "give",
    "goodbye",
    "grow",
    "guard",
    "handover",
    "hang",
    "nack",
    "no-room",
    "promised",
    "promoted",
    "reclaimed",
    "regained",
    "release",
    "shrink",
    "stop",
    "succession",
    "takeover",
    "unanswered",
    "unfence",
];

/// A swarm that never meets a rule is blind to what is wrong with it.
fn sees_every_rule(results: &[(u64, sim::world::Summary, Vec<check::Violation>)]) {
    let mut met = std::collections::BTreeMap::new();
    for (_, summary, _) in results {
        for (rule, times) in &summary.rules {
            let (worlds, sum) = met.entry(*rule).or_insert((0u64, 0u64));
            *worlds += 1;
            *sum += times;
        }
    }
    println!("rules, in how many worlds and how often: {met:?}");
    let missed: Vec<_> = RULES.iter().filter(|rule| !met.contains_key(**rule)).collect();
    assert!(missed.is_empty(), "no world of this swarm meets {missed:?}: it is blind to them");
}

fn report(results: &[(u64, sim::world::Summary, Vec<check::Violation>)], runs: u64, seconds: f64) {
    let mut kinds = std::collections::BTreeMap::new();
    for (seed, summary, violations) in results {
        for v in violations.iter().take(1) {
            println!("seed {seed}: {v}\n    {}", summary.plan);
            *kinds.entry(v.promise).or_insert(0) += 1;
        }
    }
    let sum =
        |f: fn(&sim::world::Summary) -> u64| results.iter().map(|(_, s, _)| f(s)).sum::<u64>();
    println!(
        "{runs} runs in {seconds:.1} s ({:.0} a second), {:.1} simulated hours, {} events, \
         {} writes acknowledged, {} waited, {} promotions, {} unwaited writes lost, broken: {kinds:?}",
        runs as f64 / seconds,
        sum(|s| s.seconds) as f64 / 3600.0,
        sum(|s| s.events),
        sum(|s| s.acked),
        sum(|s| s.waited),
        sum(|s| s.promotions),
        sum(|s| s.lost_unwaited),
    );
}
