//! Takes one cure out of the protocol at a time, and expects the checkers to see it: in the cure's
//! own script, or in the swarm (`CURE=…` looks at one, `RUNS=…` gives each more seeds).

#![allow(clippy::print_stdout)]

#[path = "scripts/authority.rs"]
mod authority;
#[path = "scripts/cases.rs"]
#[allow(dead_code)]
mod cases;
#[path = "scripts/common.rs"]
#[allow(dead_code)]
mod common;
#[path = "scripts/data.rs"]
#[allow(dead_code)]
mod data;

use brain::Cure;
use sim::script::Ending;
use sim::trace::Keep;
use sim::{Plan, World, check};

/// A script that may be played without a cure.
type Script = fn(Option<Cure>) -> Ending;

/// Each cure with the script of its trace, which must go red without it.
const SCRIPTS: &[(Cure, &str, Script)] = &[
    (Cure::JointUntilOwnSuccess, "h1", authority::h1),
    (Cure::HigherEpochAfterGiving, "h2", authority::h2),
    (Cure::AppointedNeedsAcks, "h3", authority::h3),
    (Cure::JointFromSending, "h4", authority::h4),
    (Cure::RecreateWithAuthority, "h5", authority::h5),
    (Cure::PrimaryAdmits, "d2", data::d2),
    (Cure::SomebodyStands, "d3", data::d3),
    (Cure::ExactOnlyWhenClean, "d5", data::d5),
    (Cure::AppointedHoldsStamp, "d6", data::d6),
    (Cure::SeatFrom, "d9", data::d9),
    (Cure::RestartedAsksWitnesses, "d13", data::d13),
    (Cure::ShrinkLiftsHolder, "d12", data::d12),
    (Cure::FencedIsNotSeen, "l2", authority::l2),
    (Cure::HandoverKeepsOld, "l3", authority::l3),
    (Cure::TakeBackRelease, "l8", authority::l8),
    (Cure::Recovery, "l10", data::l10),
    (Cure::LazyReturns, "lazy", authority::lazy),
    (Cure::ShrinkWaits, "shrink_waits", data::shrink_waits),
];

/// Cures whose script ends well without them too: another cure stands in the way there.
const SHADOWED: &[(Cure, &str, Script)] = &[
    (Cure::WaitAfterRestart, "h8", authority::h8),
    (Cure::EpochAtStart, "d4", data::d4),
    (Cure::RaiseWaits, "d7", data::d7),
    (Cure::HighestLeads, "d14", data::d14),
    (Cure::BumpIsNoLineage, "d15", data::d15),
    (Cure::StandingNeedsNoExactness, "l9", data::l9),
    (Cure::DeadEndStart, "fast_empty_restart", cases::fast_empty_restart),
    (Cure::VotersProtect, "voters", data::voters),
    (Cure::Margin, "margin", authority::margin),
];

#[test]
fn every_script_goes_red_without_its_cure() {
    let only = std::env::var("SCRIPT").ok();
    let mut well = Vec::new();
    for (cure, name, script) in SCRIPTS.iter().chain(SHADOWED) {
        if only.as_ref().is_some_and(|only| only != name) {
            continue;
        }
        let ending = script(Some(*cure));
        if only.is_some() {
            println!("{}", ending.trace);
        }
        let first = ending.faults.first().map_or("ends well", String::as_str);
        println!("{name} without {cure:?}: {first}");
        if ending.is_well() && SCRIPTS.iter().any(|(_, n, _)| n == name) {
            well.push(*name);
        }
    }
    assert!(well.is_empty(), "{well:?} end well without their cures: the checkers are blind there");
}

/// The first seed in which this mutant breaks a promise of safety (or of an end, when `live`).
fn first_red(cure: Cure, seeds: u64, live: bool) -> Option<(u64, check::Violation)> {
    let check = if live { check::all } else { check::safety };
    let broken = |seed, without| {
        let mut plan = Plan::swarm(seed);
        plan.without = without;
        let mut world = World::new(plan, Keep::Hash);
        world.run();
        check(&world.history).into_iter().next()
    };
    (0..seeds).find_map(|seed| {
        let found = broken(seed, Some(cure))?;
        broken(seed, None).is_none().then_some((seed, found))
    })
}

const CURES: &[(Cure, bool)] = &[
    (Cure::JointUntilOwnSuccess, false),
    (Cure::HigherEpochAfterGiving, false),
    (Cure::AppointedNeedsAcks, false),
    (Cure::JointFromSending, false),
    (Cure::RecreateWithAuthority, false),
    (Cure::WholeIdentity, false),
    (Cure::WaitAfterRestart, false),
    (Cure::DetachBeforePromise, false),
    (Cure::PrimaryAdmits, false),
    (Cure::SomebodyStands, false),
    (Cure::EpochAtStart, false),
    (Cure::ExactOnlyWhenClean, false),
    (Cure::AppointedHoldsStamp, false),
    (Cure::RaiseWaits, false),
    (Cure::AttachOnDisk, false),
    (Cure::SeatFrom, false),
    (Cure::PromiseForElectorate, false),
    (Cure::ShrinkLifts, false),
    (Cure::ShrinkLiftsHolder, false),
    (Cure::RestartedAsksWitnesses, false),
    (Cure::HighestLeads, false),
    (Cure::BumpIsNoLineage, false),
    (Cure::FencedIsNotSeen, true),
    (Cure::HandoverKeepsOld, true),
    (Cure::TakeBackRelease, true),
    (Cure::StandingNeedsNoExactness, true),
    (Cure::Recovery, true),
    (Cure::LazyReturns, false),
    (Cure::PromiseOnDisk, false),
    (Cure::PromisesBeforeLease, false),
    (Cure::AckFromSending, false),
    (Cure::ShrinkWaits, false),
    (Cure::GrowBeforeAttach, false),
    (Cure::DeadEndStart, false),
    (Cure::VotersProtect, false),
    (Cure::Margin, false),
];

/// A survey, not a promise: which mutants the swarm alone sees. The scripts see the rest.
#[test]
#[ignore = "minutes: run it by hand when the swarm or the protocol changes"]
fn what_the_swarm_sees() {
    let runs = std::env::var("RUNS").ok().and_then(|r| r.parse().ok()).unwrap_or(300);
    let only = std::env::var("CURE").ok();
    for (cure, live) in CURES {
        if only.as_ref().is_some_and(|o| *o != format!("{cure:?}")) {
            continue;
        }
        match first_red(*cure, runs, *live) {
            Some((seed, v)) => println!("{cure:?}: seed {seed}: {v}"),
            None => println!("{cure:?}: not seen in {runs}"),
        }
    }
}
