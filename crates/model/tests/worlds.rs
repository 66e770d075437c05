//! Searches worlds to their end: the short ones always, the big ones with `MODEL=full`.

#![allow(clippy::print_stdout)]

use model::Row;

/// States, of about 110 bytes each. Reaching it is a failure, not a pass.
const LIMIT: usize = 40_000_000;

/// `LIMIT=…` ends a search sooner.
fn limit() -> usize {
    std::env::var("LIMIT").ok().and_then(|limit| limit.parse().ok()).unwrap_or(LIMIT)
}

/// `ONLY=…` looks at the rows that have this in their name, and tells the story of each.
fn wanted(row: &Row) -> bool {
    std::env::var("ONLY").map_or(true, |only| row.name.contains(&only))
}

/// Runs rows; those that came out otherwise than expected, each with its story.
fn unexpected(rows: Vec<Row>) -> Vec<String> {
    let mut all = Vec::new();
    for row in rows.into_iter().filter(wanted) {
        let verdict = row.run(limit());
        println!("{verdict}");
        if std::env::var("ONLY").is_ok() {
            println!("{}", verdict.story());
        }
        if !verdict.is_as_expected() {
            all.push(format!("{verdict}\n{}", verdict.story()));
        }
    }
    all
}

#[test]
fn every_property_holds_in_the_short_worlds() {
    let wrong = unexpected(model::row::short());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_big_worlds_come_out_as_expected() {
    if std::env::var("MODEL").is_ok_and(|wish| wish == "full") {
        let mut wrong = unexpected(model::row::full());
        wrong.extend(unexpected(model::row::deep_mutants()));
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

#[test]
fn every_mutant_breaks_what_it_must() {
    let wrong = unexpected(model::row::mutants());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
