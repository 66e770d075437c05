//! How files look: their length, their width, their first line, their names.

use tidy::{Findings, ends, sources, texts};

/// The hard limit of a file, tests included; 400 are wished.
const LINES: usize = 700;

/// The widest line, in characters.
const COLUMNS: usize = 100;

/// The longest docs/ARCHITECTURE.md that somebody still reads in one sitting.
const ARCHITECTURE_LINES: usize = 300;

#[test]
fn no_file_is_longer_than_700_lines() {
    let mut findings = Findings::default();
    for source in sources() {
        let lines = source.lines().count();
        if lines > LINES {
            findings.add(&source.path, LINES + 1, &format!("{lines} lines"));
        }
    }
    findings.judge("move a part to `foo/part.rs`, or its tests to `foo/tests.rs`");
}

/// Whether rustfmt leaves a line as it is: an attribute, or a string that it does not break.
fn is_left_by_rustfmt(line: &str) -> bool {
    let line = line.trim_start();
    !line.starts_with("//") && (line.starts_with("#[") || line.contains('"'))
}

#[test]
fn no_line_is_wider_than_100_columns() {
    let mut findings = Findings::default();
    let code = |path: &str| ends(path, "rs") || ends(path, "sh") || path.ends_with("/run");
    for text in texts().iter().filter(|text| code(&text.path)) {
        for (number, line) in text.lines() {
            let width = line.chars().count();
            if width > COLUMNS && !(ends(&text.path, "rs") && is_left_by_rustfmt(line)) {
                findings.add(&text.path, number, &format!("{width} columns"));
            }
        }
    }
    findings.judge("move the comment's last word to the next line; cargo fmt breaks code");
}

#[test]
fn no_file_is_named_mod_rs() {
    let mut findings = Findings::default();
    // A test program's own helpers may lie in `tests/<program>/main.rs`, never in a `mod.rs`.
    for source in sources().iter().filter(|source| source.path.ends_with("/mod.rs")) {
        findings.add(&source.path, 1, "named mod.rs");
    }
    findings.judge("name it `foo.rs` beside the folder `foo/`");
}

#[test]
fn every_file_opens_with_what_lives_there() {
    let mut findings = Findings::default();
    for source in sources() {
        let first = source.body.lines().next().unwrap_or_default();
        if first.strip_prefix("//! ").is_none_or(|words| words.trim().len() < 10) {
            findings.add(&source.path, 1, "does not open with a `//!` sentence");
        }
    }
    findings.judge("say in one sentence what lives here, and if useful what does not");
}

#[test]
fn no_file_has_trailing_blanks_or_tabs() {
    let mut findings = Findings::default();
    let exact = |path: &str| ends(path, "txt") || ends(path, "snap");
    for text in texts().iter().filter(|text| !exact(&text.path)) {
        for (number, line) in text.lines() {
            // A Makefile's recipes begin with a tab; nothing else has one.
            let tab = line.contains('\t') && !text.path.ends_with("Makefile");
            if tab || line.ends_with([' ', '\t']) {
                findings.add(&text.path, number, "a tab, or blanks at the end");
            }
        }
    }
    findings.judge("remove them");
}

#[test]
fn the_architecture_is_short() {
    let mut findings = Findings::default();
    let page = tidy::text("docs/ARCHITECTURE.md");
    let lines = page.lines().count();
    if lines >= ARCHITECTURE_LINES {
        findings.add(&page.path, ARCHITECTURE_LINES, &format!("{lines} lines"));
    }
    findings.judge("move what only one room needs to that room's own comment");
}
