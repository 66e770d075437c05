//! The long hunt: world after world on every processor, until the time is over.

#![allow(clippy::print_stdout)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sim::swarm::{Family, Tally, outcome};

use crate::args::Hunt;
use crate::one::small;

/// Failing worlds that are made small; there is time for no more.
const SHRUNK: usize = 5;

/// What the threads have found together.
#[derive(Debug, Default)]
struct Found {
    tally: Tally,
    failing: Vec<(Family, u64)>,
}

/// Hunts; whether nothing was broken and every story reached.
pub(crate) fn hunt(hunt: &Hunt) -> bool {
    let begun = Instant::now();
    let until = begun + Duration::from_secs(hunt.minutes * 60);
    let processors = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let threads = hunt.threads.unwrap_or(processors);
    println!("{} minutes on {threads} threads from seed {} on", hunt.minutes, hunt.first);
    let families = hunt.family.map_or(Family::ALL.to_vec(), |family| vec![family]);
    let next = AtomicU64::new(0);
    let found = Mutex::new(Found::default());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while Instant::now() < until {
                    one_more(&families, hunt.first, &next, &found);
                }
            });
        }
    });
    let found = found.into_inner().unwrap_or_default();
    for (family, seed) in found.failing.iter().take(SHRUNK) {
        if let Some(small) = small(&family.plan(*seed)) {
            println!("{}", small.words(*family, *seed));
        }
    }
    let least = if hunt.family.is_some() { 0 } else { hunt.least };
    let unseen = found.tally.unseen(least);
    for (story, worlds) in &unseen {
        println!("blind: only {worlds} worlds reach '{story}', wanted {least}");
    }
    let seconds = begun.elapsed().as_secs();
    println!("hunt: {}, in {seconds} s", found.tally);
    found.failing.is_empty() && unseen.is_empty()
}

/// Runs the next world. Seeds go through these families by turns.
fn one_more(families: &[Family], first: u64, next: &AtomicU64, found: &Mutex<Found>) {
    let number = next.fetch_add(1, Ordering::Relaxed);
    let turns = families.len() as u64;
    let family = families[(number % turns) as usize];
    let seed = first + number / turns;
    let played = catch_unwind(AssertUnwindSafe(|| outcome(family, seed)));
    let Ok(mut found) = found.lock() else { return };
    let name = family.name();
    let broken = match &played {
        Ok(outcome) => {
            found.tally.add(outcome);
            outcome.violations.first().map(ToString::to_string)
        }
        Err(_) => Some("a panic".to_owned()),
    };
    if let Some(broken) = broken {
        println!("{name} {seed}: {broken}");
        found.failing.push((family, seed));
    }
}
