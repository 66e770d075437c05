//! Many worlds, each from its seed: a short hunt. `make hunt` has the long one.

#![allow(clippy::print_stdout)]

use std::sync::atomic::{AtomicU64, Ordering};

use sim::swarm::{Family, Outcome, Tally, outcome, run};
use sim::trace::Keep;

/// How many worlds of each family one `cargo test` makes.
const RUNS: [(Family, u64); 5] = [
    (Family::Swarm, 1000),
    (Family::Wild, 300),
    (Family::Rough, 200),
    (Family::Stray, 100),
    (Family::Twins, 100),
];

#[test]
fn a_seed_twice_is_the_same_world() {
    for family in Family::ALL {
        for seed in 0..6 {
            let one = run(family.plan(seed), Keep::Hash).0;
            let two = run(family.plan(seed), Keep::Last(10)).0;
            assert_eq!(one.trace.hash(), two.trace.hash(), "{family:?} {seed}");
            assert_eq!(one.trace.events(), two.trace.events(), "{family:?} {seed}");
        }
    }
}

#[test]
fn the_promises_hold_in_every_world() {
    let worlds: Vec<(Family, u64)> =
        RUNS.iter().flat_map(|(family, runs)| (0..*runs).map(|seed| (*family, seed))).collect();
    let next = AtomicU64::new(0);
    let work = || {
        let mut found: Vec<Outcome> = Vec::new();
        while let Some((family, seed)) = worlds.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
            found.push(outcome(*family, *seed));
        }
        found
    };
    let found: Vec<Outcome> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|t| t.join().expect("a worker ended well")).collect()
    });
    let mut tally = Tally::default();
    for outcome in &found {
        tally.add(outcome);
        for violation in outcome.violations.iter().take(1) {
            let (family, seed) = (outcome.family.name(), outcome.seed);
            println!("{family} {seed}: {violation}\n    {}", outcome.summary.plan);
            println!("    cargo xtask sim --family {family} --seed {seed}");
        }
    }
    println!("{tally}");
    assert_eq!(tally.red(), 0, "worlds break a promise");
    let unseen = tally.unseen(1);
    assert!(unseen.is_empty(), "no world reaches {unseen:?}: these runs are blind to them");
}
