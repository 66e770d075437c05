//! Takes one cure out of the protocol at a time, and expects the checkers to see it: in the cure's
//! own script, or in the swarm (`CURE=…` looks at one, `RUNS=…` gives each more seeds).

#![allow(clippy::print_stdout)]

#[path = "scripts/authority.rs"]
#[allow(dead_code)]
mod authority;
#[path = "scripts/common.rs"]
#[allow(dead_code)]
mod common;
#[path = "scripts/data.rs"]
#[allow(dead_code)]
mod data;
#[path = "scripts/holding.rs"]
mod holding;
#[path = "scripts/standing.rs"]
#[allow(dead_code)]
mod standing;

use brain::{Cure, Without};
use common::Cast;
use sim::script::Ending;
use sim::trace::Keep;
use sim::{Plan, World, check};

/// A script that may be played without a cure.
type Script = fn(Cast) -> Ending;

/// A mutant may be lucky with one seed: so many are tried before it counts as not seen.
const SEEDS: std::ops::RangeInclusive<u64> = 1..=12;

/// Each cure, what is broken without it (a promise, or a step of the story), and the script of its
/// trace, which must go red by that.
const SCRIPTS: &[(Cure, &str, &str, Script)] = &[
    (Cure::JointUntilOwnSuccess, "I1", "h1", authority::h1),
    (Cure::HigherEpochAfterGiving, "I1", "h2", authority::h2),
    (Cure::AppointedNeedsAcks, "I1", "h3", authority::h3),
    (Cure::JointFromSending, "I1", "h4", authority::h4),
    (Cure::RecreateWithAuthority, "I1", "h5", authority::h5),
    (Cure::WholeIdentity, "I1", "h7", holding::h7),
    (Cure::WaitAfterRestart, "I1", "h8", holding::h8),
    (Cure::StrangersTell, "I1", "strangers_tell", holding::strangers_tell),
    (
        Cure::StrangersTell,
        "I1",
        "strangers_tell_of_an_empty_one",
        holding::strangers_tell_of_an_empty_one,
    ),
    (Cure::DetachBeforePromise, "I2", "d1", standing::d1),
    (Cure::PrimaryAdmits, "I2", "d2", data::d2),
    (Cure::SomebodyStands, "I2", "d3", data::d3),
    (Cure::EpochAtStart, "I2", "d4", standing::d4),
    (Cure::ExactOnlyWhenClean, "I2", "d5", data::d5),
    (Cure::AppointedHoldsStamp, "I2", "d6", data::d6),
    (Cure::RaiseWaits, "I2", "d7", standing::d7),
    (Cure::AttachOnDisk, "I2", "d8", standing::d8),
    (Cure::AdmitAfterAck, "I2", "d16", standing::d16),
    (Cure::SeatFrom, "I2", "d9", data::d9),
    (Cure::PromiseForElectorate, "I2", "d10", standing::d10),
    (Cure::ShrinkLifts, "I2", "d11", standing::d11),
    (Cure::ShrinkLiftsHolder, "I2", "d12", data::d12),
    (Cure::RestartedAsksWitnesses, "I2", "d13", data::d13),
    (Cure::HighestLeads, "I2", "d14", standing::d14),
    (Cure::BumpIsNoLineage, "I2", "d15", data::d15),
    (Cure::FencedIsNotSeen, "another leads", "l2", authority::l2),
    (Cure::HandoverKeepsOld, "A leads again", "l3", authority::l3),
    (Cure::TakeBackRelease, "A leads again", "l8", authority::l8),
    (Cure::UnableGivesWay, "another leads", "l11", authority::l11),
    (Cure::HolderMakesWay, "another leads", "l12", authority::l12),
    (Cure::Recovery, "somebody leads", "l10", data::l10),
    (Cure::LazyReturns, "A goes on by its lease", "lazy", authority::lazy),
    (Cure::PromisesBeforeLease, "I1", "order", holding::order),
    (Cure::AckFromSending, "I1", "late_acks", holding::late_acks),
    (Cure::ShrinkWaits, "B leads with all", "shrink_waits", data::shrink_waits),
    (Cure::GrowBeforeAttach, "I2", "grow", standing::grow),
    (Cure::DeadEndStart, "I1", "dead_end", holding::dead_end),
    (Cure::VotersProtect, "I2", "voters", standing::voters),
    (Cure::Margin, "I1", "margin", holding::margin),
    (Cure::RecoveryByPods, "I1", "h7_recovery", holding::h7_recovery),
    (Cure::StampByEpoch, "I2", "stamp_by_epoch", data::stamp_by_epoch),
    (Cure::CertificateOfOneRun, "W is waited for", "older_run", holding::older_run),
    (Cure::RouteByEpoch, "route", "late_route", holding::late_route),
];

/// Cures that a second rule stands in for: the script goes red only without both, and ends well
/// without either.
const PAIRS: &[(Cure, Cure, &str, &str, Script)] = &[
    // A fenced holder sends no heartbeat that a forgetful member could ack.
    (Cure::PromiseOnDisk, Cure::FencedIsNotSeen, "I1", "promise_on_disk", holding::promise_on_disk),
    // All of {A} ∪ E answer, so the recovery election leads out of it.
    (Cure::StandingNeedsNoExactness, Cure::Recovery, "B leads again", "l9", standing::l9),
];

/// How a script ends without these.
fn played(name: &str, script: Script, without: Without, seed: u64) -> Ending {
    let ending = script(Cast { seed, without: Some(without) });
    if std::env::var("SCRIPT").is_ok_and(|only| only == name) {
        println!("{}", ending.trace);
    }
    ending
}

/// The first luck that shows that these are missing, by what is broken.
fn killed_by(name: &str, script: Script, without: Without, what: &str) -> Option<u64> {
    SEEDS.into_iter().find(|seed| is_broken(&played(name, script, without, *seed), what))
}

/// Tells which mutants were killed, by what, after how many runs; whether all were.
fn tell(killed: &[(String, &str, &str, Option<u64>)]) -> bool {
    for (mutant, what, script, by) in killed {
        match by {
            Some(seed) => println!("killed    {mutant}: '{what}' in {script}, run {seed}"),
            None => println!("SURVIVED  {mutant}: no '{what}' in {script}, {} runs", SEEDS.end()),
        }
    }
    let dead = killed.iter().filter(|(.., by)| by.is_some()).count();
    println!("mutants: {dead} of {} killed", killed.len());
    dead == killed.len()
}

/// Whether the environment asks for another script than this.
fn is_skipped(name: &str) -> bool {
    std::env::var("SCRIPT").is_ok_and(|only| only != name)
}

/// Whether this is among what went wrong.
fn is_broken(ending: &Ending, what: &str) -> bool {
    ending.faults.iter().any(|fault| fault.contains(what))
}

#[test]
fn every_script_goes_red_without_its_cure() {
    let played = SCRIPTS.iter().filter(|(.., name, _)| !is_skipped(name));
    let killed: Vec<_> = played
        .map(|(cure, what, name, script)| {
            let by = killed_by(name, *script, Without::from(*cure), what);
            (format!("{cure:?}"), *what, *name, by)
        })
        .collect();
    assert!(tell(&killed), "mutants survive: the checkers are blind there");
}

#[test]
fn a_pair_goes_red_only_without_both() {
    let mut killed = Vec::new();
    for (one, two, what, name, script) in PAIRS.iter().filter(|(.., n, _)| !is_skipped(n)) {
        for (alone, seed) in [*one, *two].into_iter().flat_map(|c| SEEDS.map(move |s| (c, s))) {
            let ending = played(name, *script, alone.into(), seed);
            let faults = &ending.faults;
            assert!(
                ending.is_well(),
                "{name} needs no pair: {alone:?} alone breaks it: {faults:?}"
            );
        }
        let by = killed_by(name, *script, Without(*one, Some(*two)), what);
        killed.push((format!("{one:?} with {two:?}"), *what, *name, by));
    }
    assert!(tell(&killed), "mutants survive: the checkers are blind there");
}

/// The names of all cures, from where they are declared.
fn declared() -> Vec<String> {
    let source = include_str!("../../brain/src/cure.rs");
    let body = source.split("pub enum Cure {").nth(1).and_then(|rest| rest.split('}').next());
    let lines = body.unwrap_or_default().lines().map(str::trim);
    lines.filter_map(|line| line.strip_suffix(',')).map(str::to_owned).collect()
}

/// The cures of both lists. Several scripts of one stand together.
fn listed() -> Vec<Cure> {
    let mut alone: Vec<Cure> = SCRIPTS.iter().map(|(cure, ..)| *cure).collect();
    alone.dedup();
    alone.extend(PAIRS.iter().map(|(cure, ..)| *cure));
    alone
}

#[test]
fn every_cure_is_missed_by_a_script() {
    let mut listed: Vec<String> = listed().iter().map(|cure| format!("{cure:?}")).collect();
    listed.sort();
    let mut declared = declared();
    declared.sort();
    assert_eq!(listed, declared, "each cure stands in one list, and in one only");
}

/// The first seed in which this mutant breaks a promise of safety (or, of [`LIVE`], of an end).
fn first_red(cure: Cure, seeds: u64) -> Option<(u64, check::Violation)> {
    let check = if LIVE.contains(&cure) { check::all } else { check::safety };
    let broken = |seed, without: Option<Cure>| {
        // Pods that live on beside their successors are in no other family.
        let twins = cure == Cure::StrangersTell;
        let mut plan = if twins { Plan::twins(seed) } else { Plan::swarm(seed) };
        plan.without = without.map(Without::from);
        let mut world = World::new(plan, Keep::Hash);
        world.run();
        check(&world.history).into_iter().next()
    };
    (0..seeds).find_map(|seed| {
        let found = broken(seed, Some(cure))?;
        broken(seed, None).is_none().then_some((seed, found))
    })
}

/// Cures that keep a group alive rather than its data safe.
const LIVE: &[Cure] = &[
    Cure::FencedIsNotSeen,
    Cure::HandoverKeepsOld,
    Cure::TakeBackRelease,
    Cure::StandingNeedsNoExactness,
    Cure::Recovery,
    Cure::RouteByEpoch,
];

/// A survey, not a promise: which mutants the swarm alone sees. The scripts see the rest.
#[test]
#[ignore = "minutes: run it by hand when the swarm or the protocol changes"]
fn what_the_swarm_sees() {
    let runs = std::env::var("RUNS").ok().and_then(|r| r.parse().ok()).unwrap_or(300);
    let only = std::env::var("CURE").ok();
    for cure in listed() {
        if only.as_ref().is_some_and(|o| *o != format!("{cure:?}")) {
            continue;
        }
        match first_red(cure, runs) {
            Some((seed, v)) => println!("{cure:?}: seed {seed}: {v}"),
            None => println!("{cure:?}: not seen in {runs}"),
        }
    }
}
