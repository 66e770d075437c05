//! The specification, the page beside it and the model name the same steps; and every cure of the
//! brain is taken out somewhere, or it is said why not here.

use std::collections::BTreeSet;
use std::path::Path;

use brain::Cure;
use model::Mutant;

fn text(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn is_step(word: &str) -> bool {
    let plain = word.chars().all(|c| c.is_ascii_alphanumeric());
    plain && word.starts_with(|c: char| c.is_ascii_uppercase())
}

/// The words that begin a line's first cell, in the table that comes after `heading`.
fn table(page: &str, heading: &str) -> BTreeSet<String> {
    let rest = page.split(heading).nth(1).expect("the page has this heading");
    let rows = rest.lines().skip_while(|line| !line.starts_with('|'));
    let cells =
        rows.take_while(|line| line.starts_with('|')).filter_map(|row| row.split('|').nth(1));
    let words = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    words.filter(|word| is_step(word)).map(str::to_owned).collect()
}

/// What `Next` chooses from.
fn steps_of_the_specification(tla: &str) -> BTreeSet<String> {
    let next = tla.split("\nNext ==").nth(1).expect("there is a Next");
    let next = next.split("\nSpec ==").next().expect("split has a first part");
    let words = next.split(|c: char| !c.is_ascii_alphanumeric());
    let steps = words.filter(|word| word.len() > 1 && is_step(word) && *word != "Members");
    steps.map(str::to_owned).collect()
}

/// The variants of the model's `Action`.
fn steps_of_the_model() -> BTreeSet<String> {
    let code = text("crates/model/src/action.rs");
    let list = code.split("pub enum Action {").nth(1).expect("there is an enum");
    let list = list.split("\n}").next().expect("split has a first part");
    let lines = list.lines().map(str::trim).filter(|line| !line.starts_with("//"));
    let names = lines.filter_map(|line| line.split(['(', ',']).next());
    names.filter(|name| is_step(name) && !name.is_empty()).map(str::to_owned).collect()
}

#[test]
fn every_step_of_the_specification_is_one_of_the_model() {
    let (page, tla) = (text("docs/proof/README.md"), text("docs/proof/Authority.tla"));
    let (spec, model) = (steps_of_the_specification(&tla), steps_of_the_model());
    assert!(spec.len() > 15 && model.len() > 30, "the lists cannot be read any more");
    assert_eq!(table(&page, "## Steps, one by one"), spec, "the page's table and Next");
    let more: BTreeSet<String> = model.difference(&spec).cloned().collect();
    assert_eq!(table(&page, "Only the model has these"), more, "the page's second table");
    let strange: Vec<_> = spec.difference(&model).collect();
    assert!(strange.is_empty(), "the model has no {strange:?}");
    for step in &spec {
        let defined = [format!("\n{step}("), format!("\n{step} ==")];
        assert!(defined.iter().any(|d| tla.contains(d)), "{step} is not defined");
    }
}

/// Cures that no row here takes out, and why.
const ELSEWHERE: [(Cure, &str); 12] = [
    (Cure::HandoverKeepsOld, "without it nobody leads: nothing here asks that somebody does"),
    (Cure::TakeBackRelease, "the same"),
    (Cure::StandingNeedsNoExactness, "the same"),
    (Cure::Recovery, "the same"),
    (Cure::FencedIsNotSeen, "the same; here it is the second of a pair"),
    (Cure::DeadEndStart, "no engine of these worlds starts as a primary"),
    (Cure::CertificateOfOneRun, "no death certificate ends a wait in these worlds"),
    (Cure::StrangersTell, "nobody without a seat hears a holder in these worlds"),
    (Cure::UnableGivesWay, "nobody's way to the store alone is cut in these worlds"),
    (Cure::HolderMakesWay, "nothing here asks that somebody leads"),
    (Cure::RouteByEpoch, "there are no routes in these worlds"),
    (Cure::HighestLeads, "the other rules stand in the way of every order of steps found"),
];

#[test]
fn every_cure_is_taken_out_or_it_is_said_why_not() {
    let code = text("crates/brain/src/cure.rs");
    let list = code.split("pub enum Cure {").nth(1).expect("there is an enum");
    let list = list.split("\n}").next().expect("split has a first part");
    let names = list.lines().map(str::trim).filter(|line| !line.starts_with("//"));
    let all: BTreeSet<String> = names.map(|line| line.trim_end_matches(',').to_owned()).collect();
    let rows = model::row::mutants().into_iter().chain(model::row::deep_mutants());
    let taken = rows.filter_map(|row| match row.config.mutants[0] {
        Some(Mutant::Without(cure)) => Some(format!("{cure:?}")),
        _ => None,
    });
    let elsewhere = ELSEWHERE.iter().map(|(cure, _)| format!("{cure:?}"));
    let known: BTreeSet<String> = taken.chain(elsewhere).chain([String::new()]).collect();
    let missing: Vec<_> = all.difference(&known).collect();
    assert!(missing.is_empty(), "no row takes out {missing:?}");
}
