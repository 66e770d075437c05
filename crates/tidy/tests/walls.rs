//! Who may name whom: the walls of docs/ARCHITECTURE.md, read from the manifests.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;
use tidy::{Findings, sources, text};

/// What a crate of the house may name of the house. A new edge needs a line here and a reason.
const EDGES: [(&str, &[&str]); 15] = [
    ("engine", &[]),
    ("brain", &["engine"]),
    ("sim", &["engine", "brain"]),
    // It searches the rules and nothing else: it must not need an engine, nor the simulator.
    ("model", &["brain"]),
    ("platform", &["engine", "brain"]),
    ("client", &["engine"]),
    ("gate", &[]),
    // PID 1 knows neither the laptop nor Kubernetes: it knows `platform`.
    ("agent", &["engine", "brain", "platform", "client", "gate"]),
    ("local", &["engine", "brain", "platform", "client"]),
    // Objects and the API's side of a group; it speaks to no engine and knows no process.
    ("kubernetes", &["engine", "brain", "platform"]),
    ("trial", &["engine", "brain", "sim", "platform", "client"]),
    (
        "cli",
        &["engine", "brain", "platform", "client", "gate", "agent", "local", "kubernetes", "trial"],
    ),
    // Tests, not a part of the product: it asks clusters, pods and agents as their users do.
    ("e2e", &["brain", "client", "kubernetes", "trial"]),
    // A tool of the house: it runs what is below the IO line for as long as one likes.
    ("hunt", &["sim"]),
    ("tidy", &[]),
];

/// Where `[dependencies]` is an allow-list of its own. The first four are below the IO line.
const ONLY: [(&str, &[&str]); 7] = [
    ("engine", &["serde", "thiserror"]),
    ("brain", &["serde", "thiserror"]),
    ("sim", &["serde", "thiserror"]),
    ("model", &[]),
    ("platform", &["thiserror"]),
    ("gate", &["thiserror"]),
    ("tidy", &[]),
];

/// Libraries that belong to one place, and what they must not reach.
const PLACES: [(&str, &[&str], &str); 10] = [
    ("redis", &["client"], "how an engine is spoken to is one crate's business"),
    ("clap", &["cli", "e2e", "hunt"], "only the command line parses words"),
    ("anstream", &["cli"], "only the command line prints"),
    ("anyhow", &["cli"], "errors are enums that name the operation everywhere else"),
    ("comfy-table", &["cli"], "only the command line prints"),
    ("indicatif", &["cli"], "only the command line prints"),
    ("owo-colors", &["cli"], "only the command line prints"),
    ("ratatui", &["cli"], "only the command line prints"),
    ("serde-saphyr", &["cli", "kubernetes"], "YAML is read and written at the edges only"),
    ("hmac", &["agent"], "the group's key is used on the peer channel only"),
];

struct Krate {
    name: String,
    /// Manifest key → (package name, kind) of everything it names.
    dependencies: Vec<(String, String)>,
}

/// The crates of the house with what they name, as cargo understands their manifests.
fn crates() -> Vec<Krate> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(tidy::root())
        .output()
        .expect("cargo, which runs this test, can be started");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo metadata failed: {words}");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    let packages = metadata["packages"].as_array().expect("cargo lists packages");
    packages.iter().map(krate).collect()
}

fn krate(package: &Value) -> Krate {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let dependencies = package["dependencies"].as_array().expect("a package lists dependencies");
    Krate {
        name: short(&word(&package["name"])).to_owned(),
        dependencies: dependencies
            .iter()
            .map(|dependency| (word(&dependency["name"]), word(&dependency["kind"])))
            .collect(),
    }
}

/// The folder's name of a crate of the house; any other name as it is.
fn short(package: &str) -> &str {
    package.strip_prefix("interrex-").unwrap_or(package)
}

fn manifest(krate: &str) -> String {
    if krate == "e2e" { "e2e/Cargo.toml".into() } else { format!("crates/{krate}/Cargo.toml") }
}

/// The line of a manifest that names a dependency; 1 when it cannot be told.
fn line_of(krate: &str, dependency: &str) -> usize {
    let manifest = text(&manifest(krate));
    let key = short(dependency);
    manifest.lines().find(|(_, line)| line.starts_with(key)).map_or(1, |(number, _)| number)
}

#[test]
fn every_crate_names_only_what_lies_below_it() {
    let allowed: BTreeMap<_, _> = EDGES.into_iter().collect();
    let mut findings = Findings::default();
    for krate in crates() {
        let Some(below) = allowed.get(krate.name.as_str()) else {
            findings.add(&manifest(&krate.name), 1, "a crate that no wall knows");
            continue;
        };
        for (package, _) in &krate.dependencies {
            let name = short(package);
            // A crate names itself in [dev-dependencies] to switch its own features on for tests.
            if name == package || name == krate.name || below.contains(&name) {
                continue;
            }
            let what = format!("{} must not know {name}", krate.name);
            findings.add(&manifest(&krate.name), line_of(&krate.name, package), &what);
        }
    }
    findings.judge("move the code to a crate that may know both, or argue for a line in EDGES");
}

#[test]
fn below_the_io_line_dependencies_are_an_allow_list() {
    let allowed: BTreeMap<_, _> = ONLY.into_iter().collect();
    let mut findings = Findings::default();
    for krate in crates() {
        let Some(list) = allowed.get(krate.name.as_str()) else { continue };
        let foreign = krate.dependencies.iter().filter(|(package, kind)| {
            kind != "dev" && short(package) == package && !list.contains(&package.as_str())
        });
        for (package, _) in foreign {
            let what = format!("{} may use only {list:?}, not {package}", krate.name);
            findings.add(&manifest(&krate.name), line_of(&krate.name, package), &what);
        }
    }
    findings.judge("do without it, or do it above the IO line and pass the result in");
}

#[test]
fn a_library_stays_in_its_place() {
    let mut findings = Findings::default();
    for krate in crates() {
        for (package, kind) in &krate.dependencies {
            let place = PLACES.iter().find(|(library, _, _)| library == package);
            let Some((_, places, reason)) = place else { continue };
            if kind != "dev" && !places.contains(&krate.name.as_str()) {
                let what = format!("{package} is not for {}: {reason}", krate.name);
                findings.add(&manifest(&krate.name), line_of(&krate.name, package), &what);
            }
        }
    }
    findings.judge("use the crate of the house that wraps it");
}

#[test]
fn nothing_outside_client_names_the_redis_crate() {
    let mut findings = Findings::default();
    let outside = |krate: Option<&str>| krate != Some("client") && krate != Some("tidy");
    for source in sources().iter().filter(|source| outside(source.krate())) {
        for (number, line) in source.code() {
            let words = line.trim_start();
            if words.starts_with("use redis::") || words.contains("<redis::") {
                findings.add(&source.path, number, "names the redis crate");
            }
        }
    }
    findings.judge("speak to engines through `client`");
}

#[test]
fn every_pure_crate_bans_clocks_and_random_order() {
    let mut findings = Findings::default();
    let bans = [
        "std::time::Instant::now",
        "std::time::SystemTime::now",
        "std::thread::sleep",
        "std::collections::HashMap",
        "std::collections::HashSet",
    ];
    for krate in ["engine", "brain", "sim", "model"] {
        let path = format!("crates/{krate}/clippy.toml");
        let body = std::fs::read_to_string(tidy::root().join(&path)).unwrap_or_default();
        for ban in bans.iter().filter(|ban| !body.contains(&format!("\"{ban}\""))) {
            findings.add(&path, 1, &format!("does not ban {ban}"));
        }
        if !body.contains("too-many-lines-threshold = 70") {
            findings.add(&path, 1, "hides the workspace's limit of 70 lines a function");
        }
    }
    findings
        .judge("copy crates/engine/clippy.toml: below the IO line nothing waits or has a clock");
}

#[test]
fn every_crate_obeys_the_lints_of_the_workspace() {
    let mut findings = Findings::default();
    for krate in crates() {
        let path = manifest(&krate.name);
        let manifest = text(&path).body;
        for needed in ["[lints]\nworkspace = true", "license.workspace = true"] {
            if !manifest.contains(needed) {
                findings.add(&path, 1, &format!("lacks {needed:?}"));
            }
        }
    }
    findings.judge("copy the head of any other crate's Cargo.toml");
}
