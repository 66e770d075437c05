//! The model of an engine held against real engines: the same scripts, compared after each step.
//!
//! The engine is that of the PATH, or those that `INTERREX_TEST_ENGINES` names, separated by
//! colons; with `ENGINES=all` those of `scripts/engines.sh` as well. `SCRIPT=…` plays one script.
// The clock is the deadline of a real process, not an input of a decision.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods)]

mod process;
mod real;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::time::Instant;

use engine::{Engine, Flavor};
use sim::conformance::{Script, play, scripts};

use process::Program;
use real::Verdict;

/// How many scripts are played at once: they wait most of the time.
const AT_ONCE: usize = 24;

/// The engines to play on, each once.
fn programs() -> Vec<Program> {
    let named = std::env::var("INTERREX_TEST_ENGINES").unwrap_or_default();
    let mut paths: Vec<PathBuf> = if named.is_empty() {
        [Flavor::Redis, Flavor::Valkey].map(|flavor| flavor.program().into()).to_vec()
    } else {
        named.split(':').filter(|name| !name.is_empty()).map(PathBuf::from).collect()
    };
    if std::env::var("ENGINES").is_ok_and(|engines| engines == "all") {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/engines.sh");
        let output = Command::new(script).output().expect("scripts/engines.sh can be started");
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "scripts/engines.sh failed: {words}");
        paths.extend(String::from_utf8_lossy(&output.stdout).lines().map(PathBuf::from));
    }
    let mut programs: Vec<Program> = Vec::new();
    for path in paths {
        let Ok(output) = Command::new(&path).arg("--version").output() else { continue };
        let engine = Engine::from_version_output(&String::from_utf8_lossy(&output.stdout));
        let engine = engine.expect("an installed engine says its version");
        if programs.iter().all(|known| known.engine != engine) {
            programs.push(Program { path, engine });
        }
    }
    programs
}

#[test]
fn the_model_shows_what_real_engines_show() {
    let programs = programs();
    if programs.is_empty() {
        println!("no engine is installed: nothing is compared here");
        return;
    }
    let only = std::env::var("SCRIPT").ok();
    let scripts = scripts::all().into_iter();
    let scripts: Vec<Script> =
        scripts.filter(|s| only.as_ref().is_none_or(|only| s.name == only)).collect();
    assert!(!scripts.is_empty(), "no script is called {only:?}");
    let begun = Instant::now();
    let verdicts = play_all(&programs, &scripts);
    print!("{}", table(&programs, &scripts, &verdicts));
    println!("{} s", begun.elapsed().as_secs());
    let wrong: Vec<String> = verdicts.values().flat_map(|verdict| verdict.wrong.clone()).collect();
    assert!(wrong.is_empty(), "model and engines differ:\n{}", wrong.join("\n"));
}

/// Plays every script on every engine, several at a time.
fn play_all(programs: &[Program], scripts: &[Script]) -> BTreeMap<(usize, &'static str), Verdict> {
    let work: Vec<(usize, &Script)> = (0..programs.len())
        .flat_map(|program| scripts.iter().map(move |script| (program, script)))
        .collect();
    let work = Mutex::new(work);
    let verdicts = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some((number, script)) = work.lock().unwrap().pop() else { return };
                    let program = &programs[number];
                    let states = play(script, &program.engine.capabilities());
                    let verdict = match states {
                        Ok(states) => real::play(script, program, &states),
                        Err(wrong) => Verdict { steps: 0, wrong: vec![wrong] },
                    };
                    verdicts.lock().unwrap().insert((number, script.name), verdict);
                }
            });
        }
    });
    verdicts.into_inner().unwrap()
}

/// Engine × script: steps and differences; `-` where the engine cannot play it.
fn table(
    programs: &[Program],
    scripts: &[Script],
    verdicts: &BTreeMap<(usize, &'static str), Verdict>,
) -> String {
    let mut text = format!("{:24}", "steps/differences");
    for program in programs {
        let _ = write!(text, "{:>16}", program.engine.to_string());
    }
    text.push('\n');
    for script in scripts {
        let _ = write!(text, "{:24}", script.name);
        for number in 0..programs.len() {
            let cell = match verdicts.get(&(number, script.name)) {
                Some(verdict) => format!("{}/{}", verdict.steps, verdict.wrong.len()),
                None => "-".to_owned(),
            };
            let _ = write!(text, "{cell:>16}");
        }
        text.push('\n');
    }
    text
}
