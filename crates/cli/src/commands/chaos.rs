//! `interrex chaos`: breaks a group on purpose, and measures what its clients notice.

mod apart;
mod remote;

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use trial::load::LoadPlan;
use trial::report::{Report, json, text};
use trial::run::{Options, Progress, Stop};
use trial::suites::{self, Effort, Scenario};
use trial::target::{Need, Target};
use trial::verdict::{Event, Row};

use crate::args::{Chaos, Format, Suite};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::group::Group;
use crate::spec::Wanted;
use crate::throwaway::{Throwaway, Ways};
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
        return match apart::place(&args) {
            apart::Place::Make => apart::around(&args, printer).await,
            apart::Place::Inside(number) => stages(&args, Some(number), printer).await,
            apart::Place::None => stages(&args, None, printer).await,
            apart::Place::Impossible(why) => {
                printer.warn(&format!("cuts are made by links, and some scenarios skipped: {why}"));
                stages(&args, None, printer).await
            }
        };
    };
    if args.profile.is_some() || args.replicas.is_some() || args.engine.is_some() {
        return Err(Failure::usage("a group that is there keeps its own engine and spec")
            .hint("leave --profile, --replicas and --engine out"));
    }
    let mut trial = Trial::begin(&args)?;
    trial.on_group(&group, |_| true, "", printer).await?;
    trial.end(printer)
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
    suites::select(suites::of(effort(args), wait), &args.only).map_err(|error| {
        Failure::usage(error.to_string())
            .hint("--only takes one of these names, and may be repeated; some are of --suite full")
    })
}

fn effort(args: &Chaos) -> Effort {
    Effort { full: args.suite == Suite::Full, runs: args.runs }
}

/// What a throw-away group is made for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Everything that needs nothing special.
    Plain,
    /// What needs disks that can be full.
    SmallDisks,
    /// Two members: everything once more.
    Two,
}

impl Stage {
    fn takes(self, scenario: &Scenario) -> bool {
        let small = scenario.deed.needs().contains(&Need::SmallDisk);
        match self {
            Self::Plain => !small,
            Self::SmallDisks => small,
            Self::Two => !small && scenario.members <= 2,
        }
    }
}

/// The trial on throw-away groups, one for each stage that has something to do. A group that does
/// not start ends the trial, but not what was measured before.
async fn stages(args: &Chaos, number: Option<u8>, printer: &mut Printer) -> Outcome {
    let mut trial = Trial::begin(args)?;
    let mut stages = vec![Stage::Plain, Stage::SmallDisks];
    if args.suite == Suite::Full && args.replicas.is_none() {
        stages.push(Stage::Two);
    }
    for stage in stages {
        if trial.stop.is_asked() {
            break;
        }
        if let Err(failure) = one_stage(&mut trial, stage, number, printer).await {
            if trial.report.is_some() {
                trial.end(printer)?;
            }
            return Err(failure);
        }
    }
    trial.end(printer)
}

async fn one_stage(
    trial: &mut Trial<'_>,
    stage: Stage,
    number: Option<u8>,
    printer: &mut Printer,
) -> Result<(), Failure> {
    let args = trial.args;
    // Without namespaces there are no small disks: the first group says so.
    let takes = |scenario: &Scenario| match (number, stage) {
        (None, Stage::Plain) => true,
        (None, Stage::SmallDisks) => false,
        _ => stage.takes(scenario),
    };
    if !scenarios(args, Duration::from_secs(5))?.iter().any(takes) {
        return Ok(());
    }
    let members = if stage == Stage::Two { 2 } else { apart::members(args) };
    let replicas = if stage == Stage::Two { Some(1) } else { args.replicas };
    let wanted = Wanted { replicas, profile: args.profile, ..Wanted::default() };
    let ways = match number {
        Some(number) => Ways::Apart(apart::ready(number, members, stage == Stage::SmallDisks)?),
        None => Ways::Links,
    };
    let own = Throwaway::start(&wanted, args.engine.as_deref(), ways, printer).await?;
    printer.say("   its budget of takeovers is lifted: this is a trial");
    let title = if stage == Stage::Two { "2: " } else { "" };
    let outcome = trial.on_group(&own.group, takes, title, printer).await;
    own.end(printer).await?;
    outcome
}

/// What comes of a trial, over all of its groups.
struct Trial<'a> {
    args: &'a Chaos,
    options: Options,
    history: Option<Mutex<File>>,
    report: Option<Report>,
    stop: Stop,
}

impl<'a> Trial<'a> {
    fn begin(args: &'a Chaos) -> Result<Self, Failure> {
        let history = args.history.as_ref().map(|path| {
            File::create_new(path).map(Mutex::new).map_err(|error| {
                Failure::new(format!("cannot write the histories to {}", path.display()))
                    .because(&error)
                    .hint("name another file with --history")
            })
        });
        let drawn = || jiff::Timestamp::now().as_microsecond().unsigned_abs() % 1_000_000;
        let seed = args.seed.unwrap_or_else(drawn);
        let load = LoadPlan { rate: args.rate, ..LoadPlan::default() };
        let options = Options { seed, load, ..Options::default() };
        Ok(Self {
            args,
            options,
            history: history.transpose()?,
            report: None,
            stop: Stop::default(),
        })
    }

    /// Does the scenarios that this group is for.
    async fn on_group(
        &mut self,
        group: &Group,
        takes: impl Fn(&Scenario) -> bool,
        title: &str,
        printer: &mut Printer,
    ) -> Result<(), Failure> {
        let target = trials::target(group)?;
        let mut scenarios = scenarios(self.args, target.wait)?;
        scenarios.retain(&takes);
        for scenario in &mut scenarios {
            scenario.title.insert_str(0, title);
        }
        let began = jiff::Timestamp::now().to_string();
        printer.say(&format!("   seed {}", self.options.seed));
        let history = self.history.as_ref();
        let tell =
            |progress: &Progress<'_>, printer: &mut Printer| tell(progress, history, printer);
        let rows =
            trials::run(&target, &scenarios, self.options, Some(&self.stop), printer, tell).await?;
        if let Some(report) = &mut self.report {
            report.rows.extend(rows);
        } else {
            let report = report(&target, group, rows, self.options, began, self.args).await;
            self.report = Some(report);
        }
        Ok(())
    }

    /// Shows the table, writes the report, and says how it ended.
    fn end(self, printer: &mut Printer) -> Outcome {
        let Some(report) = self.report else { return Err(Failure::new("nothing was tried")) };
        let args = self.args;
        if args.output.output == Format::Table {
            for line in text::render(&report, printer.style.plain).lines() {
                printer.line(line)?;
            }
        } else {
            printer.document(args.output.output, &report)?;
        }
        printer.say(&format!("seed: {}", self.options.seed));
        let path = args
            .report
            .clone()
            .unwrap_or_else(|| json::free_name(&PathBuf::from("."), &jiff::Zoned::now()));
        json::write(&report, &path)
            .map_err(|error| Failure::of(&error).hint("name another file with --report"))?;
        printer.say(&format!("report: {}", path.display()));
        if self.stop.is_asked() {
            let text = "interrupted: the report holds what was done until then";
            return Err(Failure::new(text));
        }
        // A promise about the data or the single writer is another matter than one about speed.
        Ok(match (report.passed(), report.is_safe()) {
            (true, _) => Exit::Healthy,
            (false, true) => Exit::Degraded,
            (false, false) => Exit::Unsafe,
        })
    }
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
fn tell(progress: &Progress<'_>, history: Option<&Mutex<File>>, printer: &mut Printer) {
    match progress {
        Progress::Begun(scenario) => {
            let times =
                if scenario.runs == 1 { String::new() } else { format!(" x{}", scenario.runs) };
            printer.say(&format!("{}{times}", Style::heading(&scenario.title)));
        }
        Progress::Event(_, event) => {
            printer.say(&format!("   {}", event_line(event, printer)));
            for note in &event.notes {
                printer.say(&format!("       {}", printer.style.text(note)));
            }
        }
        Progress::History(recorded) => {
            let Some(history) = history else { return };
            let mut file = history.lock().unwrap_or_else(PoisonError::into_inner);
            let line = serde_json::to_string(recorded).unwrap_or_default();
            if let Err(error) = writeln!(file, "{line}") {
                printer.warn(&format!("a history is not written: {error}"));
            }
        }
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
