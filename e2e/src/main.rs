//! Groups on a real Kubernetes, broken on purpose: what clients in a pod notice, held against what
//! is promised. Runs among the cluster's addresses (`e2e/cluster/enter`), with its KUBECONFIG.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Args, Parser, Subcommand};

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
mod rivals;
mod rows;
mod run;
mod stage;
mod station;
mod tools;
mod verdict;
mod wait;

/// The exit codes of the rows.
const ROWS_HELP: &str = "Exit codes: 0 as wanted, 1 a promise broken, 3 only a time missed.";
/// The exit codes of a run side by side.
const RIVALS_HELP: &str = "Exit codes: 0 as wanted, 1 not carried through, 3 ours was not faster \
                           than Sentinel or something could not be measured, 4 ours lost a write \
                           that was waited for, or two acknowledged at once.";

/// Breaks groups on a Kubernetes, and measures what their clients notice.
#[derive(Debug, Parser)]
#[command(name = "e2e", max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

/// What is to be run.
#[derive(Debug, Subcommand)]
enum Task {
    /// Minutes: every row a few times.
    #[command(after_help = ROWS_HELP)]
    Short(Rows),
    /// Hours: every row as often as the promised figures need.
    #[command(after_help = ROWS_HELP)]
    Full(Rows),
    /// Side by side: the same harms to what people run today and to a group of ours.
    #[command(after_help = RIVALS_HELP)]
    Rivals(Rivals),
}

/// Which rows, and how often.
#[derive(Args, Debug)]
struct Rows {
    /// Only this row; may be repeated.
    #[arg(long, value_name = "ROW")]
    only: Vec<String>,
    /// How often each [default: what the set says].
    #[arg(long, value_name = "N")]
    runs: Option<u32>,
    #[command(flatten)]
    common: Common,
}

/// Which harms, to whom, and how often.
#[derive(Args, Debug)]
struct Rivals {
    /// How often each harm is done to each system.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 3,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    runs: u32,
    /// Only this harm: engine-kill, pod-delete, host-freeze, host-cut or planned; may be repeated.
    #[arg(long, value_name = "HARM")]
    only: Vec<String>,
    /// Only this system: interrex, sentinel-5, sentinel-30, cluster-5, bare, or cluster-15, which
    /// is there only when it is asked for; `sentinel` and `cluster` name both; may be repeated.
    #[arg(long, value_name = "NAME")]
    rival: Vec<String>,
    /// Write the table into BENCHMARKS.md in this directory, in the place of the one that is there.
    #[arg(long, value_name = "DIRECTORY")]
    write: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

/// What every task needs.
#[derive(Args, Debug)]
struct Common {
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

impl Common {
    fn tools(&self) -> Result<Tools, Error> {
        let tree = std::path::absolute(&self.tree)
            .map_err(|source| Error::Write { path: self.tree.clone(), source })?;
        Ok(Tools {
            tree,
            binary: self.binary.clone(),
            image: self.image.clone(),
            is_foreign: std::env::var_os("E2E_KUBECONFIG").is_some(),
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    Short,
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
    match &arguments.task {
        Task::Short(rows) => run_rows(rows, Set::Short).await,
        Task::Full(rows) => run_rows(rows, Set::Full).await,
        Task::Rivals(rivals) => run_rivals(rivals).await,
    }
}

async fn run_rows(arguments: &Rows, set: Set) -> Result<u8, Error> {
    let begun = SystemTime::now();
    let Some(rows) = chosen(arguments, set) else { return Ok(2) };
    let tools = arguments.common.tools()?;
    let out = tools.tree.join("e2e/out");
    let cluster = Cluster::connect().await?;
    let plan = Plan {
        rows,
        is_full: set == Set::Full,
        out: out.join(set.name()),
        keep: arguments.common.keep,
        mark: mark(begun),
    };
    let outcomes = tokio::select! {
        outcomes = run::run(&plan, &cluster, &tools) => outcomes,
        () = interrupted(&tools) => return Ok(1),
    };
    let seconds = begun.elapsed().unwrap_or(Duration::ZERO).as_secs();
    let report = Report { schema: 1, set: set.name().to_owned(), seconds, rows: outcomes };
    let path = out.join(format!("{}.json", set.name()));
    report.write(&path)?;
    show(&report.table(), &path)?;
    Ok(report.code())
}

async fn run_rivals(arguments: &Rivals) -> Result<u8, Error> {
    let named = rivals::Harm::named(&arguments.only);
    let (harms, systems) = match (named, rivals::systems(&arguments.rival)) {
        (Ok(harms), Ok(systems)) => (harms, systems),
        (Err(error), _) | (_, Err(error)) => {
            say(&format!("error: {error}"));
            return Ok(2);
        }
    };
    if let Some(directory) = arguments.write.as_ref().filter(|directory| !directory.is_dir()) {
        say(&format!("error: --write: {} is no directory", directory.display()));
        return Ok(2);
    }
    let tools = arguments.common.tools()?;
    let out = tools.tree.join("e2e/out");
    let cluster = Cluster::connect().await?;
    let plan = rivals::Plan {
        harms,
        systems,
        runs: arguments.runs,
        out: out.join("rivals"),
        keep: arguments.common.keep,
        mark: mark(SystemTime::now()),
    };
    let report = tokio::select! {
        report = rivals::run(&plan, &cluster, &tools) => report?,
        () = interrupted(&tools) => return Ok(1),
    };
    let path = out.join("rivals.json");
    report.write(&path)?;
    show(&report.table(), &path)?;
    if let Some(directory) = &arguments.write {
        let page = rivals::write(&report, directory, &options(arguments))?;
        say(&format!("written: {}", page.display()));
    }
    Ok(report.code())
}

/// What was chosen, as it is typed.
fn options(arguments: &Rivals) -> String {
    let only = arguments.only.iter().map(|harm| format!(" --only {harm}"));
    let rival = arguments.rival.iter().map(|name| format!(" --rival {name}"));
    format!(" --runs {}{}", arguments.runs, only.chain(rival).collect::<String>())
}

/// Ends when somebody interrupts: nothing stays broken, all else is left to be looked at.
async fn interrupted(tools: &Tools) {
    let heard = tokio::signal::ctrl_c().await;
    if heard.is_err() {
        // Nobody can interrupt then.
        std::future::pending::<()>().await;
    }
    say("interrupted: mending what may be broken; the namespaces are left");
    tools.mend().await;
}

/// The rows of the set that were asked for; `None` when a name is no row's.
fn chosen(arguments: &Rows, set: Set) -> Option<Vec<(rows::Row, u32)>> {
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
        let usual = if set == Set::Full { row.full } else { row.short };
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

fn show(table: &str, path: &Path) -> Result<(), Error> {
    let failed = |source| Error::Write { path: PathBuf::from("standard output"), source };
    let mut out = std::io::stdout().lock();
    out.write_all(table.as_bytes()).map_err(failed)?;
    say(&format!("report: {}", path.display()));
    out.flush().map_err(failed)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed_and_typed_as_it_is_written_down() {
        Arguments::command().debug_assert();
        let words = "e2e rivals --runs 2 --only pod-delete --rival interrex --rival sentinel-5";
        let read = |words: &str| match Arguments::try_parse_from(words.split(' ')) {
            Ok(Arguments { task: Task::Rivals(rivals) }) => rivals,
            other => panic!("{words}: {other:?}"),
        };
        let written = format!("e2e rivals{}", options(&read(words)));
        assert_eq!(written, words);
        assert_eq!(options(&read("e2e rivals")), " --runs 3");
        assert!(Arguments::try_parse_from(["e2e", "rivals", "--runs", "0"]).is_err());
        assert!(Arguments::try_parse_from(["e2e", "short", "--rival", "bare"]).is_err());
    }
}
