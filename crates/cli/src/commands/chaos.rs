//! `interrex chaos`: breaks a group on purpose, and measures what its clients notice.

mod remote;

use std::path::PathBuf;
use std::time::Duration;

use trial::report::{Report, json, text};
use trial::run::{Options, Progress};
use trial::suites::{self, Effort, Scenario};
use trial::target::Target;
use trial::verdict::{Event, Row};

use crate::args::{Chaos, Format, Suite};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::group::Group;
use crate::spec::Wanted;
use crate::throwaway::Throwaway;
use crate::trials;
use crate::ui::Printer;
use crate::ui::style::{self, Style};

pub(super) async fn run(args: Chaos, printer: &mut Printer) -> Outcome {
    if args.cluster.is_meant() {
        return remote::run(&args, printer).await;
    }
    if args.really.is_some() {
        return Err(Failure::usage("--really is for a group on Kubernetes")
            .hint("to consent on this machine, give the tag twice"));
    }
    // Before anything is started: a word that names nothing is told at once.
    scenarios(&args, Duration::from_secs(5))?;
    let Some(group) = consented(&args.tags)? else {
        let wanted = Wanted { replicas: args.replicas, profile: args.profile, ..Wanted::default() };
        let own = Throwaway::start(&wanted, args.engine.as_deref(), false, printer).await?;
        printer.say("   its budget of takeovers is lifted: this is a trial");
        let outcome = on_group(&args, &own.group, printer).await;
        own.end(printer).await?;
        return outcome;
    };
    if args.profile.is_some() || args.replicas.is_some() || args.engine.is_some() {
        return Err(Failure::usage("a group that is there keeps its own engine and spec")
            .hint("leave --profile, --replicas and --engine out"));
    }
    on_group(&args, &group, printer).await
}

/// A group of somebody's is only broken when its tag is given twice.
fn consented(tags: &[String]) -> Result<Option<Group>, Failure> {
    match tags {
        [] => Ok(None),
        [tag] => {
            Err(Failure::not_safe(format!("chaos kills, freezes, cuts and wipes members of {tag}"))
                .hint(format!(
                    "to consent, give the tag twice: interrex chaos {tag} {tag}; without a tag a \
             throw-away group is broken instead"
                )))
        }
        [one, other, ..] if one == other => Group::find(Some(one)).map(Some),
        [one, other, ..] => Err(Failure::usage(format!("{one} and {other} are two groups"))
            .hint(format!("to consent, give one tag twice: interrex chaos {one} {one}"))),
    }
}

fn scenarios(args: &Chaos, wait: Duration) -> Result<Vec<Scenario>, Failure> {
    suites::select(suites::basic(effort(args), wait), &args.only).map_err(|error| {
        Failure::usage(error.to_string())
            .hint("--only takes one of these names, and may be repeated")
    })
}

fn effort(args: &Chaos) -> Effort {
    Effort { full: args.suite == Suite::Full, runs: args.runs }
}

async fn on_group(args: &Chaos, group: &Group, printer: &mut Printer) -> Outcome {
    let target = trials::target(group)?;
    let scenarios = scenarios(args, target.wait)?;
    let began = jiff::Timestamp::now().to_string();
    let options = Options::default();
    let style = printer.style;
    let rows = trials::run(&target, &scenarios, options, printer, tell).await?;
    let report = report(&target, group, rows, options, began, args).await;
    if args.output.output == Format::Table {
        for line in text::render(&report, style.plain).lines() {
            printer.line(line)?;
        }
    } else {
        printer.document(args.output.output, &report)?;
    }
    let path = args
        .report
        .clone()
        .unwrap_or_else(|| json::free_name(&PathBuf::from("."), &jiff::Zoned::now()));
    json::write(&report, &path)
        .map_err(|error| Failure::of(&error).hint("name another file with --report"))?;
    printer.say(&format!("report: {}", path.display()));
    // A promise about the data or the single writer is another matter than one about speed.
    Ok(match (report.passed(), report.is_safe()) {
        (true, _) => Exit::Healthy,
        (false, true) => Exit::Degraded,
        (false, false) => Exit::Unsafe,
    })
}

async fn report(
    target: &Target,
    group: &Group,
    rows: Vec<Row>,
    options: Options,
    began: String,
    args: &Chaos,
) -> Report {
    let seen = group.look().await;
    Report {
        schema: Report::SCHEMA,
        group: target.group.clone(),
        began,
        engine: seen.reports().next().map(|report| report.engine.clone()).unwrap_or_default(),
        members: target.seats.len(),
        wait: target.wait,
        effort: effort(args),
        options,
        rows,
    }
}

/// What happens, while it happens.
fn tell(progress: &Progress<'_>, printer: &mut Printer) {
    match progress {
        Progress::Begun(scenario) => {
            let times =
                if scenario.runs == 1 { String::new() } else { format!(" x{}", scenario.runs) };
            printer.say(&format!("{}{times}", Style::heading(&scenario.title)));
        }
        Progress::Event(_, event) => printer.say(&format!("   {}", event_line(event, printer))),
        Progress::Over(row) => {
            if let Some(error) = &row.error {
                printer.warn(error);
            }
        }
    }
}

/// One deed in one line.
pub(super) fn event_line(event: &Event, printer: &Printer) -> String {
    let back = if event.writes_back { "" } else { " and more" };
    let (before, after) = &event.primaries;
    let line = format!(
        "{} {before} → {after}  epoch {}  write gap {}{back}  healthy after {}",
        event.number + 1,
        event.epochs.1,
        millis(event.write_gap_ms),
        millis(event.healthy_ms),
    );
    printer.style.text(&line)
}

/// Milliseconds as a person reads them.
pub(super) fn millis(ms: f64) -> String {
    style::span(Duration::from_micros((ms.max(0.0) * 1000.0) as u64))
}
