//! What code must not do, where clippy has no lint for it.

use std::collections::BTreeMap;

use tidy::{Findings, Text, sources, text};

/// The files that may hold `unsafe`, and why nothing safe does it.
const UNSAFE: [(&str, &str); 2] = [
    ("crates/gate/src/module.rs", "speaks the engine's C interface inside the engine's process"),
    ("crates/agent/src/supervise/spawn.rs", "sets the parent-death signal between fork and exec"),
];

/// Spelled in two parts, so that this file does not find itself.
const UNFINISHED: [(&str, &str); 4] = [
    (concat!("to", "do!("), "unfinished"),
    (concat!("unimpl", "emented!("), "unfinished"),
    (concat!("db", "g!("), "talks to whoever debugs"),
    (concat!("#[allow(clippy::too_many", "_lines)]"), "a function longer than 70 lines"),
];

#[test]
fn nothing_is_left_unfinished() {
    let mut findings = Findings::default();
    for source in sources() {
        for (number, line) in source.lines() {
            for (word, what) in UNFINISHED.iter().filter(|(word, _)| line.contains(word)) {
                findings.add(&source.path, number, &format!("{word} {what}"));
            }
        }
    }
    findings.judge("finish it, split it, or return an error that says what is not done");
}

#[test]
fn no_test_is_switched_off() {
    let mut findings = Findings::default();
    let switch = concat!("#[ig", "nore");
    // A test program that starts itself as another process needs an entry point which is no test,
    // and a survey promises nothing.
    let entry =
        [format!("{switch} = \"a process of "), format!("{switch} = \"minutes: run it by hand")];
    for source in sources() {
        for (number, line) in source.lines() {
            let line = line.trim_start();
            if line.starts_with(switch) && !entry.iter().any(|entry| line.starts_with(entry)) {
                findings.add(&source.path, number, "a test that does not run");
            }
        }
    }
    findings.judge(
        "repair it or delete it; an entry point says \"a process of …\", a survey \"minutes: …\"",
    );
}

/// Sleeps that are no synchronisation: `path | how many | why`.
fn allowed_sleeps() -> BTreeMap<String, (usize, usize)> {
    let list = text("crates/tidy/tests/sleeps.txt");
    let mut allowed = BTreeMap::new();
    for (number, line) in list.lines().filter(|(_, line)| !line.starts_with('#')) {
        let parts: Vec<_> = line.split('|').map(str::trim).collect();
        let [path, count, reason] = parts[..] else {
            panic!("{}:{number}: not `path | count | why`", list.path)
        };
        let count = count.parse().unwrap_or_else(|_| panic!("{}:{number}: no count", list.path));
        assert!(reason.len() > 15, "{}:{number}: the reason is no reason", list.path);
        assert!(!allowed.contains_key(path), "{}:{number}: named twice", list.path);
        allowed.insert(path.to_owned(), (count, number));
    }
    allowed
}

fn sleeps(source: &Text) -> Vec<usize> {
    // Tests wait in loops with a deadline, too; what they hide is found by running them often.
    if source.is_test() {
        return Vec::new();
    }
    let call = |line: &str| {
        let words = ["thread::sleep(", "time::sleep(", "time::sleep_until(", " sleep("];
        words.iter().any(|word| line.contains(word)) && !line.contains("fn sleep(")
            || line.trim_start().starts_with("sleep(")
    };
    source.code().filter(|(_, line)| call(line)).map(|(number, _)| number).collect()
}

#[test]
fn a_sleep_is_never_how_two_things_meet() {
    let mut allowed = allowed_sleeps();
    let mut findings = Findings::default();
    for source in sources() {
        let found = sleeps(&source);
        let (count, _) = allowed.remove(&source.path).unwrap_or_default();
        if found.len() > count {
            let what = format!("{} sleeps, {count} are accounted for", found.len());
            findings.add(&source.path, found[0], &what);
        } else if found.len() < count {
            findings.add(&source.path, 1, &format!("only {} of {count} sleeps", found.len()));
        }
    }
    for (path, (_, line)) in allowed {
        findings.add("crates/tidy/tests/sleeps.txt", line, &format!("{path} is gone"));
    }
    findings.judge(
        "wait for a condition with a deadline; a back-off, a poll's pause or a fault's length \
         gets a line with its reason in crates/tidy/tests/sleeps.txt",
    );
}

#[test]
fn unsafe_lives_in_two_files() {
    let mut findings = Findings::default();
    let word = concat!("uns", "afe");
    for source in sources() {
        let known = UNSAFE.iter().any(|(path, _)| *path == source.path);
        for (number, line) in source.code() {
            let marks = ["{", "fn", "impl", "extern", "trait", "("];
            let used = marks.iter().any(|mark| line.contains(&format!("{word} {mark}")))
                || line.contains(&format!("{word}_code"));
            if used && !known {
                findings.add(&source.path, number, word);
            }
        }
        if known && !source.body.contains("// SAFETY:") {
            findings.add(&source.path, 1, "does not say why it is sound (`// SAFETY:`)");
        }
    }
    findings
        .judge("nix has a safe call for most of the system; else argue for a line in this rule");
}

#[test]
fn the_brain_does_not_print_or_log() {
    let mut findings = Findings::default();
    let words = ["println!", "print!(", "eprintln!", "tracing::", "log::"];
    let pure = ["engine", "brain", "sim", "model"];
    for source in sources() {
        if !source.krate().is_some_and(|krate| pure.contains(&krate)) || source.is_test() {
            continue;
        }
        for (number, line) in source.code() {
            if words.iter().any(|word| line.contains(word)) {
                findings.add(&source.path, number, "talks below the IO line");
            }
        }
    }
    findings.judge("return the reason: whoever carries the decision out says it");
}
