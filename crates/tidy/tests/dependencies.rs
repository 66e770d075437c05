//! What must never be in the build: the essential part of deny.toml, from the lock file alone.

use tidy::{Findings, text};

/// Names in the lock file that end the build here, and why.
const BANNED: [(&str, &str); 9] = [
    ("aws-lc-rs", "needs cmake and a C compiler: rustls runs on ring"),
    ("aws-lc-sys", "needs cmake and a C compiler: rustls runs on ring"),
    ("openssl", "needs a library of the machine: one static binary"),
    ("openssl-sys", "needs a library of the machine: one static binary"),
    ("native-tls", "needs a library of the machine: one static binary"),
    ("serde_yaml", "unmaintained: serde-saphyr reads YAML"),
    ("chrono", "jiff is the one calendar"),
    ("kube-leader-election", "acquires by patch without a version: two leaders are possible"),
    ("mockall", "no scripted mocks: a fake world or a real engine"),
];

#[test]
fn nothing_banned_is_locked() {
    let lock = text("Cargo.lock");
    let mut findings = Findings::default();
    for (number, line) in lock.lines() {
        let name = line.strip_prefix("name = \"").and_then(|rest| rest.strip_suffix('"'));
        let banned = name.and_then(|name| BANNED.iter().find(|(banned, _)| *banned == name));
        if let Some((name, reason)) = banned {
            findings.add(&lock.path, number, &format!("{name}: {reason}"));
        }
    }
    findings.judge("`cargo tree -i NAME` says who brings it; switch that feature off");
}

#[test]
fn everything_locked_comes_from_crates_io() {
    let lock = text("Cargo.lock");
    let mut findings = Findings::default();
    for (number, line) in lock.lines() {
        let source = line.strip_prefix("source = \"");
        let known = "registry+https://github.com/rust-lang/crates.io-index\"";
        if source.is_some_and(|source| source != known) {
            findings.add(&lock.path, number, line);
        }
    }
    findings.judge("use a published version: a git or path source cannot be built from the lock");
}

#[test]
fn deny_toml_says_the_same() {
    let deny = text("deny.toml");
    let mut findings = Findings::default();
    for (name, _) in BANNED {
        if !deny.body.contains(&format!("\"{name}\"")) {
            findings.add(&deny.path, 1, &format!("does not ban {name}"));
        }
    }
    findings.judge("add it under [bans] deny");
}
