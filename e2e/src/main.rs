//! Groups on a real Kubernetes, broken on purpose: what clients in a pod notice, held against what
//! is promised. Runs among the cluster's addresses (`e2e/cluster/enter`), with its KUBECONFIG.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Parser, ValueEnum};

use crate::cluster::Cluster;
use crate::error::Error;
use crate::report::Report;
use crate::run::{Plan, say};
use crate::tools::Tools;

mod cluster;
mod deeds;
mod error;
mod group;
mod http;
mod operator;
mod refusals;
mod report;
mod rest;
mod rows;
mod run;
mod stage;
mod station;
mod tools;
mod verdict;
mod wait;

/// Breaks groups on a Kubernetes, and measures what their clients notice.
#[derive(Debug, Parser)]
#[command(name = "e2e", max_term_width = 100)]
#[command(after_help = "Exit codes: 0 as wanted, 1 a promise broken, 3 only a time missed.")]
struct Arguments {
    /// Which rows, and how often.
    #[arg(value_enum)]
    set: Set,
    /// Only this row; may be repeated.
    #[arg(long, value_name = "ROW")]
    only: Vec<String>,
    /// How often each [default: what the set says].
    #[arg(long, value_name = "N")]
    runs: Option<u32>,
    /// The product's binary, for `render`.
    #[arg(long, env = "INTERREX", value_name = "FILE", default_value = "interrex")]
    binary: PathBuf,
    /// The product's image, which every host can get.
    #[arg(long, value_name = "IMAGE", default_value = "interrex.io/interrex:dev")]
    image: String,
    /// The root of the tree.
    #[arg(long, value_name = "DIRECTORY", default_value = ".")]
    tree: PathBuf,
    /// Leave the namespaces as they are in the end.
    #[arg(long)]
    keep: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Set {
    /// Minutes: every row a few times.
    Short,
    /// Hours: as often as the promised figures need.
    Full,
}

impl Set {
    fn name(self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::Full => "full",
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments).await {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            say(&format!("error: {}", error.chain()));
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<u8, Error> {
    let begun = SystemTime::now();
    let Some(rows) = chosen(arguments) else { return Ok(2) };
    let tree = std::path::absolute(&arguments.tree)
        .map_err(|source| Error::Write { path: arguments.tree.clone(), source })?;
    let out = tree.join("e2e/out");
    let tools = Tools {
        tree,
        binary: arguments.binary.clone(),
        image: arguments.image.clone(),
        is_foreign: std::env::var_os("E2E_KUBECONFIG").is_some(),
    };
    let cluster = Cluster::connect().await?;
    let plan = Plan {
        rows,
        is_full: arguments.set == Set::Full,
        out: out.join(arguments.set.name()),
        keep: arguments.keep,
        mark: mark(begun),
    };
    let outcomes = tokio::select! {
        outcomes = run::run(&plan, &cluster, &tools) => outcomes,
        _ = tokio::signal::ctrl_c() => {
            say("interrupted: mending what may be broken; the namespaces are left");
            tools.mend().await;
            return Ok(1);
        }
    };
    let seconds = begun.elapsed().unwrap_or(Duration::ZERO).as_secs();
    let set = arguments.set.name().to_owned();
    let report = Report { schema: 1, set, seconds, rows: outcomes };
    let path = out.join(format!("{}.json", arguments.set.name()));
    report.write(&path)?;
    show(&report, &path)?;
    Ok(report.code())
}

/// The rows of the set that were asked for; `None` when a name is no row's.
fn chosen(arguments: &Arguments) -> Option<Vec<(rows::Row, u32)>> {
    let all = rows::rows();
    for name in &arguments.only {
        if !all.iter().any(|row| row.name == name) {
            let names: Vec<&str> = all.iter().map(|row| row.name).collect();
            say(&format!("error: there is no row {name}; there are {}", names.join(", ")));
            return None;
        }
    }
    let asked = |name: &str| arguments.only.iter().any(|only| only == name);
    let rows = all.into_iter().filter(|row| arguments.only.is_empty() || asked(row.name));
    let counted = rows.map(|row| {
        let usual = if arguments.set == Set::Full { row.full } else { row.short };
        let runs = match arguments.runs {
            Some(runs) => runs,
            // Asked for by its name, it runs also where its set leaves it out.
            None if asked(row.name) => usual.max(1),
            None => usual,
        };
        (row, runs)
    });
    Some(counted.filter(|(_, runs)| *runs > 0).collect())
}

/// Four letters that change every second.
fn mark(now: SystemTime) -> String {
    let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    format!("{:04x}", seconds % 0x1_0000)
}

fn show(report: &Report, path: &Path) -> Result<(), Error> {
    let failed = |source| Error::Write { path: PathBuf::from("standard output"), source };
    let mut out = std::io::stdout().lock();
    out.write_all(report.table().as_bytes()).map_err(failed)?;
    say(&format!("report: {}", path.display()));
    out.flush().map_err(failed)
}
