//! One world: told, or made small.

#![allow(clippy::print_stdout)]

use std::panic::{AssertUnwindSafe, catch_unwind};

use sim::Plan;
use sim::shrink::{Trim, shrink};
use sim::swarm::{Family, run};
use sim::trace::Keep;

use crate::args::Which;

/// What a line of the trace is made of.
const LEGEND: &str = "\
# seconds.micros  who        what
#   who   a member's number and its agent's life (1.0), fault, script, person
#   < …   what its election is told          > …  what its election wants  [rule] why
#   anything else is what happened to its engine, its process or the store
# Lines that only repeat what was said are left out.";

/// Tells one world; whether it kept every promise.
pub(crate) fn tell(which: &Which) -> bool {
    let (world, violations) = run(which.plan(), Keep::All);
    println!("{LEGEND}\n{}", world.trace.text());
    println!("{}\n{}", world.plan.summary(), world.describe());
    let hash = world.trace.hash();
    for violation in &violations {
        println!("BROKEN {violation}");
    }
    let (events, acked) = (world.trace.events(), world.history.acked());
    let faults = world.faults_drawn;
    println!(
        "{} {}: {events} events, {faults} faults, {acked} writes acknowledged, hash {hash:016x}, \
         {} promises broken",
        which.family.name(),
        which.seed,
        violations.len()
    );
    violations.is_empty()
}

/// Makes one world small; whether there was anything to do.
pub(crate) fn make_small(which: &Which) -> bool {
    let plan = which.plan();
    let Some(small) = small(&plan) else {
        println!("{} {} keeps every promise: nothing to shrink", which.family.name(), which.seed);
        return false;
    };
    println!("{}", small.words(which.family, which.seed));
    true
}

/// A failing world that was made small.
#[derive(Debug)]
pub(crate) struct Small {
    trim: Trim,
    promise: String,
    worlds: u64,
    faults: u64,
}

impl Small {
    /// In a few lines, with the command that replays it.
    pub(crate) fn words(&self, family: Family, seed: u64) -> String {
        let left = self.faults - self.trim.skips.len() as u64;
        format!(
            "{} {seed} breaks {} with {left} of {} faults ({} worlds to find that)\n    \
             cargo xtask sim --family {} --seed {seed} {}",
            family.name(),
            self.promise,
            self.faults,
            self.worlds,
            family.name(),
            self.trim
        )
    }
}

/// The first promise that a plan breaks, a panic included, and how many faults it drew.
pub(crate) fn first_broken(plan: &Plan) -> (Option<String>, u64) {
    let played = catch_unwind(AssertUnwindSafe(|| run(plan.clone(), Keep::Hash)));
    match played {
        Ok((world, violations)) => {
            (violations.first().map(|v| v.promise.to_owned()), world.faults_drawn)
        }
        Err(_) => (Some("panic".to_owned()), 0),
    }
}

/// Makes a failing plan small.
pub(crate) fn small(plan: &Plan) -> Option<Small> {
    let (promise, faults) = first_broken(plan);
    let promise = promise?;
    let faults = faults.max(plan.chaos / sim::SECOND);
    let same = |plan: &Plan| first_broken(plan).0.as_deref() == Some(promise.as_str());
    let (trim, worlds) = shrink(plan, faults, same);
    Some(Small { trim, promise, worlds, faults })
}
