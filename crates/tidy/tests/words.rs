//! Words that have no business in the tree: paths of somebody's machine, and who wrote what where.

use tidy::{Findings, ends, texts};

/// Spelled in two parts, so that this file does not find itself.
const FOREIGN: [(&str, &str); 7] = [
    (concat!("/wo", "rk/"), "a path of one machine"),
    (concat!("/ro", "ot/"), "a path of one machine"),
    (concat!("/fa", "rm/"), "a path of one machine"),
    (concat!("sha", "red/"), "a directory beside the tree"),
    (concat!("brief", ".md"), "a page beside the tree"),
    (concat!("(issue ", "figures"), "a number without a page: name docs/SPECIFICATION.md"),
    (concat!("language", " model"), "who wrote it is not the reader's business"),
];

/// Where the engines' protocol spells the old words for a primary and a replica.
const PROTOCOL_SPELLS: [&str; 3] = ["crates/engine/", "crates/client/", "crates/gate/"];

#[test]
fn nothing_of_the_workshop_is_in_the_tree() {
    let mut findings = Findings::default();
    for text in texts() {
        for (number, line) in text.lines() {
            for (word, what) in FOREIGN.iter().filter(|(word, _)| line.contains(word)) {
                findings.add(&text.path, number, &format!("{word:?}: {what}"));
            }
        }
    }
    findings.judge("say what it means instead of where it was read");
}

#[test]
fn members_are_primaries_and_replicas() {
    let mut findings = Findings::default();
    let old = [concat!("mas", "ter"), concat!("mas", "ters"), concat!("sla", "ve")];
    let source = |path: &str| path.starts_with("crates/") && ends(path, "rs");
    for text in texts().iter().filter(|text| source(&text.path)) {
        // Tests quote whole replies of engines.
        if text.is_test() || PROTOCOL_SPELLS.iter().any(|place| text.path.starts_with(place)) {
            continue;
        }
        for (number, line) in text.lines() {
            let apart = |c: char| !c.is_alphanumeric() && c != '_' && c != '-';
            // What is quoted is what an engine says.
            let spoken = line.contains('"') || line.contains('`');
            if !spoken && line.split(apart).any(|word| old.contains(&word)) {
                findings.add(&text.path, number, "an old word for a primary or a replica");
            }
        }
    }
    findings.judge("write primary and replica; what the wire spells belongs in `engine`");
}
