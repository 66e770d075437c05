//! Small worlds looked at exhaustively: every placement of a few faults over the course of a few
//! members. `WORLDS=full` covers more (minutes, optimised: `make worlds`), `WORLD=…` looks at one
//! of them, and `PLAY=…` beside it goes one path of it, as a violation prints it, with its story.

#![allow(clippy::print_stdout, clippy::disallowed_methods)]

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Instant;

use brain::{Cure, Durability, Timing, Without};
use sim::exhaust::{Bounds, Budget, Findings, Net, Path, explore, replay};

/// A name, and what is covered under it.
type World = (&'static str, Bounds);

/// Nothing goes wrong.
const NONE: Budget = Budget::NONE;

/// A group with these and no other faults.
fn with(members: usize, faults: u8, budget: Budget) -> Bounds {
    Bounds { budget, faults, ..Bounds::calm(members) }
}

/// Every kind of fault, and no client's write.
fn rough(members: usize, faults: u8) -> Bounds {
    let bounds = Bounds::rough(members, faults);
    Bounds { budget: Budget { writes: 0, ..bounds.budget }, ..bounds }
}

/// A client's write, and ends of engines and members around it that lose what was not yet synced.
fn data(members: usize, faults: u8) -> Bounds {
    let budget = Budget { crashes: 2, kills: 2, cuts: 1, handovers: 1, writes: 1, ..NONE };
    Bounds { tail: true, horizon_ms: 5000, ..with(members, faults, budget) }
}

/// A client's write, the end of a member, and a cut between the two, in any order.
fn parted() -> Bounds {
    let budget = Budget { crashes: 1, cuts: 1, writes: 1, ..NONE };
    let nets = vec![Net::parted(0, 1)];
    Bounds { tail: true, nets, horizon_ms: 2000, ..with(2, 2, budget) }
}

/// What one plain run covers: seconds.
fn plain() -> Vec<World> {
    vec![
        ("two, calm", with(2, 0, Budget { writes: 2, ..NONE })),
        ("two, one fault of any kind", rough(2, 1)),
        ("two, one end beside a write", Bounds { horizon_ms: 4000, ..data(2, 1) }),
        ("two, an end and a cut beside a write", parted()),
        ("three, one cut or late call", with(3, 1, Budget { cuts: 1, late: 1, ..NONE })),
    ]
}

/// What `WORLDS=full` covers beside it.
fn full() -> Vec<World> {
    let apart = Bounds { drift_ppb: 1_000_000, ..rough(2, 1) };
    let strict = Bounds { durability: Durability::Strict { copies: 1 }, ..rough(3, 1) };
    let nothing = Bounds { from_start: true, horizon_ms: 6000, ..rough(2, 1) };
    let calls = Budget { cuts: 2, late: 1, unanswered: 1, ..NONE };
    let ends = Budget { crashes: 2, kills: 2, freezes: 1, ..NONE };
    let two = |budget| Bounds {
        horizon_ms: 6000,
        nets: vec![Net::sides(2, 0b01), Net::sides(2, 0b10)],
        ..with(2, 2, budget)
    };
    vec![
        ("two, from nothing, one fault", nothing),
        ("two, clocks apart, one fault", apart),
        ("two, every word, one fault", Bounds { chatter: true, ..rough(2, 1) }),
        ("three, one fault of any kind", rough(3, 1)),
        ("three, strict, one fault", strict),
        ("two, two of cuts and calls", two(calls)),
        ("two, two ends or freezes", two(ends)),
        ("three, one end beside a write", Bounds { horizon_ms: 4000, ..data(3, 1) }),
        ("four, one fault of any kind", rough(4, 1)),
    ]
}

/// Rules that these worlds must meet: without them they would be blind to what is wrong there.
const RULES: &[&str] = &[
    "accepted",
    "appointed",
    "bump",
    "deposed",
    "fenced",
    "followed",
    "give",
    "grow",
    "handover",
    "promised",
    "promoted",
    "reclaimed",
    "regained",
    "shrink",
    "succession",
    "takeover",
];

/// A world with fewer has not begun.
const STATES: u64 = 100;

fn is_full() -> bool {
    std::env::var("WORLDS").is_ok_and(|worlds| worlds == "full")
}

/// Whether the environment asks for another world than this. One that nobody has is an error.
fn is_skipped(name: &str) -> bool {
    let Ok(only) = std::env::var("WORLD") else { return false };
    let worlds = plain().into_iter().chain(full()).map(|(name, _)| name.to_owned());
    let mutants = mutants().into_iter().chain(deep_mutants()).map(|m| without(m.0));
    let names: Vec<String> = worlds.chain(mutants).collect();
    assert!(names.contains(&only), "WORLD={only:?} is no world; there are {names:#?}");
    only != name
}

/// What a world is called that goes without a cure.
fn without(cure: Cure) -> String {
    format!("without {cure:?}")
}

/// Looks at one world, and prints what was covered, or the story of what is broken.
fn looked_at(name: &str, bounds: &Bounds) -> Findings {
    let begun = Instant::now();
    let findings = explore(bounds);
    let seconds = begun.elapsed().as_secs_f64();
    println!("{name}: {findings}; {seconds:.1} s");
    findings
}

/// Goes one path, if the environment asks for it.
fn plays(name: &str, bounds: &Bounds) -> bool {
    let Ok(text) = std::env::var("PLAY") else { return false };
    let path = Path::parse(&text).expect("PLAY is a path as it was printed");
    let (violation, story) = replay(bounds, &path);
    println!("{}\n{name}: {violation:?}", story.join("\n"));
    assert!(violation.is_none(), "{name} is broken by {path}");
    true
}

#[test]
fn the_promises_hold_in_small_worlds() {
    let mut worlds = plain();
    if is_full() || std::env::var("WORLD").is_ok() {
        worlds.extend(full());
    }
    worlds.retain(|(name, _)| !is_skipped(name));
    worlds.reverse();
    let (worlds, met) = (Mutex::new(worlds), Mutex::new(BTreeSet::new()));
    let work = || {
        let next = || worlds.lock().expect("no thread has panicked").pop();
        while let Some((name, bounds)) = next() {
            if plays(name, &bounds) {
                continue;
            }
            let findings = looked_at(name, &bounds);
            if let Some(found) = &findings.found {
                println!("{}", found.story.join("\n"));
                panic!("{name}: {}, by PLAY=\"{}\"", found.violation, found.path);
            }
            assert!(findings.exhausted, "{name}: the limit on states came first");
            assert!(findings.states >= STATES, "{name}: so few states are no search");
            met.lock().expect("no thread has panicked").extend(findings.rules);
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        threads.into_iter().for_each(|t| t.join().expect("every promise holds"));
    });
    let met = met.into_inner().expect("no thread has panicked");
    let missed: Vec<_> = RULES.iter().filter(|rule| !met.contains(**rule)).collect();
    let all = std::env::var("WORLD").is_err();
    assert!(!all || missed.is_empty(), "no world meets {missed:?}: they are blind there");
}

/// A cure, the promise that is broken without it, and the small world that shows it.
type Mutant = (Cure, &'static str, Bounds);

/// One of them, without its cure.
fn lacking((cure, _, bounds): &Mutant) -> Bounds {
    Bounds { without: Some(Without::from(*cure)), ..bounds.clone() }
}

/// Cures whose want is seen in seconds.
fn mutants() -> Vec<Mutant> {
    let cut = || vec![Net::sides(2, 0b01)];
    let handover = Budget { handovers: 1, late: 1, ..NONE };
    let held = Budget { cuts: 1, holds: 1, ..NONE };
    let restarted = Bounds {
        nets: cut(),
        // T_p above W, which the specification refuses: else W is the longer wait anyhow. And no
        // witnesses, which a restarted member is not.
        timing: Timing::of(3000, 6000, 500, 500, 400),
        durability: Durability::Cache,
        horizon_ms: 5000,
        ..with(2, 2, Budget { cuts: 1, crashes: 1, ..NONE })
    };
    vec![
        (Cure::PromisesBeforeLease, "I1", with(3, 1, Budget { cuts: 1, ..NONE })),
        (Cure::HigherEpochAfterGiving, "I1", with(2, 2, handover)),
        (Cure::AckFromSending, "I1", Bounds { nets: cut(), chatter: true, ..with(2, 2, held) }),
        (Cure::WaitAfterRestart, "I1", restarted),
        (Cure::ExactOnlyWhenClean, "I2", data(2, 1)),
        (Cure::RestartedAsksWitnesses, "I2", parted()),
    ]
}

/// Cures whose want takes three faults to see, and minutes.
fn deep_mutants() -> Vec<Mutant> {
    let late = Budget { cuts: 2, late: 1, ..NONE };
    let nets = vec![Net::parted(0, 1), Net::sides(3, 0b011)];
    vec![(Cure::JointFromSending, "I1", Bounds { nets, ..with(3, 3, late) })]
}

#[test]
fn small_worlds_miss_a_cure_that_is_taken_out() {
    let mut all = mutants();
    if is_full() || std::env::var("WORLD").is_ok() {
        all.extend(deep_mutants());
    }
    for mutant in all {
        let (cure, promise, bounds) = &mutant;
        let name = without(*cure);
        if is_skipped(&name) || plays(&name, &lacking(&mutant)) {
            continue;
        }
        let findings = looked_at(&name, &lacking(&mutant));
        let found = findings.found.unwrap_or_else(|| panic!("{name}: nothing is broken"));
        println!("    {}, by PLAY=\"{}\"", found.violation, found.path);
        assert_eq!(found.violation.promise, *promise, "{name}: {}", found.story.join("\n"));
        // The same path once more is the same story, and with the cure it ends well.
        let again = replay(&lacking(&mutant), &found.path);
        assert_eq!(again, (Some(found.violation), found.story), "{name}");
        assert_eq!(replay(bounds, &found.path).0, None, "{name}: broken with the cure too");
    }
}
