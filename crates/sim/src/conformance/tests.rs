//! The scripts on the model alone, and that the comparison sees.

use std::collections::BTreeSet;

use ::engine::{Capabilities, Engine, Flavor};

use super::*;

fn can(flavor: Flavor, version: &str) -> Capabilities {
    Engine::new(flavor, version.parse().unwrap()).unwrap().capabilities()
}

#[test]
fn every_expectation_of_every_script_holds_in_the_model_of_every_version() {
    for (flavor, version) in [
        (Flavor::Redis, "6.2.16"),
        (Flavor::Redis, "7.0.15"),
        (Flavor::Redis, "8.0.6"),
        (Flavor::Valkey, "8.1.1"),
    ] {
        let wrong: Vec<String> = scripts::all()
            .iter()
            .filter_map(|script| play(script, &can(flavor, version)).err())
            .collect();
        assert!(wrong.is_empty(), "{flavor} {version}:\n{}", wrong.join("\n"));
    }
}

#[test]
fn every_script_has_its_own_name_and_expects_something() {
    let mut names = BTreeSet::new();
    for script in scripts::all() {
        assert!(names.insert(script.name), "{} is there twice", script.name);
        let expects = script.steps.iter().any(|step| matches!(step, Step::Expect(..)));
        assert!(expects, "{} expects nothing", script.name);
    }
}

/// The states of a script whose engines are set up as `change` says, its expectations left out.
fn changed(name: &str, change: impl Fn(&mut Script)) -> (Vec<State>, Vec<State>) {
    let mut script = scripts::all().into_iter().find(|script| script.name == name).unwrap();
    script.steps.retain(|step| !matches!(step, Step::Expect(..)));
    let can = can(Flavor::Redis, "7.0.15");
    let before = play(&script, &can).unwrap();
    change(&mut script);
    (before, play(&script, &can).unwrap())
}

fn put(script: &mut Script, old: &Step, new: Step) {
    let place = script.steps.iter().position(|step| step == old).unwrap();
    script.steps[place] = new;
}

#[test]
fn an_engine_that_behaves_otherwise_is_seen_with_place_and_field() {
    type Change = fn(&mut Script);
    let cases: [(&str, Change, &str, &str); 5] = [
        ("broken-transfer", |s| put(s, &Step::SlowTransfer(2), Step::Hold), "1", "writes"),
        ("backlog", |s| s.setup.small_backlog = false, "0", "full syncs given"),
        ("restart-rdb", |s| s.setup = Setup::of(2), "1", "position"),
        ("restart-nothing", |s| s.setup.empty_loads_diskless = true, "0", "writes"),
        ("stop", |s| s.setup.persistence = Persistence::None, "0", "position"),
    ];
    for (name, change, place, field) in cases {
        let (model, other) = changed(name, change);
        let all: Vec<_> = model.iter().zip(&other).flat_map(|(m, o)| differences(m, o)).collect();
        let seen = all.iter().any(|found| found.place == place && found.field == field);
        assert!(seen, "{name}: {all:?}");
    }
}
