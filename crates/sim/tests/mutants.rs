//! Takes one cure out of the protocol at a time, and expects the checkers to see it in the swarm.
//! `CURE=…` looks at one, `RUNS=…` gives each more seeds.

use brain::Cure;
use sim::trace::Keep;
use sim::{Plan, World, check};

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
