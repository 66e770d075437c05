//! `interrex demo`: a group under load whose primary is killed three times, each time in another
//! way, and what its clients noticed.

use std::time::Duration;

use serde::Serialize;
use trial::load::LoadPlan;
use trial::nemesis::{Deed, Stopped};
use trial::run::{Options, Progress};
use trial::suites::{Bars, Scenario};
use trial::verdict::Row;

use super::chaos::{event_line, millis};
use super::status;
use crate::args::{Demo, Format};
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::group::Group;
use crate::spec::Wanted;
use crate::throwaway::{Throwaway, Ways};
use crate::trials;
use crate::ui::Printer;
use crate::ui::style::{self, Style};
use crate::verdict::Verdict;
use crate::view::StatusView;

/// How long the frozen primary stays frozen: longer than the others wait (5 s), so that it thaws
/// into a world with another primary.
const FROZEN: Duration = Duration::from_secs(7);

/// How long the group may take to be healthy after each deed.
const HEALTHY_WITHIN: Duration = Duration::from_secs(30);

#[derive(Serialize)]
struct DemoView {
    verdict: Verdict,
    acknowledged: u64,
    lost: u64,
    deeds: Vec<DeedView>,
}

#[derive(Serialize)]
struct DeedView {
    deed: String,
    from: String,
    to: String,
    epoch: u64,
    write_gap_ms: f64,
    acknowledged: u64,
    lost: u64,
    late_acknowledgements: u64,
    error: Option<String>,
}

pub(super) async fn run(args: Demo, printer: &mut Printer) -> Outcome {
    printer.say("A group of three on this machine, and writers that never stop.");
    let own =
        Throwaway::start(&Wanted::default(), args.engine.as_deref(), Ways::Links, printer).await?;
    let outcome = on_group(&args, &own.group, printer).await;
    own.end(printer).await?;
    outcome
}

fn deeds() -> Vec<Scenario> {
    let scenario = |name, title: &str, deed| Scenario {
        name,
        title: title.to_owned(),
        deed,
        runs: 1,
        bars: Bars::default(),
        members: 2,
    };
    let freeze = Deed::Freeze { stopped: Stopped::Both, length: FROZEN, idle: false };
    vec![
        scenario("kill", "kill -9 of the primary's engine", Deed::KillEngine),
        scenario("agent", "kill -9 of the primary's agent, PID 1 beside it", Deed::KillAgent),
        scenario("pause", "the whole primary frozen for 7 s (its machine hangs)", freeze),
        scenario("handover", "a planned handover, as an upgrade would do", Deed::Handover),
    ]
}

async fn on_group(args: &Demo, group: &Group, printer: &mut Printer) -> Outcome {
    let target = trials::target(group)?;
    let load = LoadPlan { writers: 4, readers: 1, rate: 200, ..LoadPlan::default() };
    let options = Options { load, seeds: 2000, healthy_within: HEALTHY_WITHIN, seed: 1 };
    let scenarios = deeds();
    let rows = trials::run(&target, &scenarios, options, None, printer, tell).await?;
    let group = group.clone().into();
    let seen = status::until_healthy(&group, HEALTHY_WITHIN, printer.style).await;
    let view = view(&rows, seen.judgement.verdict);
    if args.output.output == Format::Table {
        printer.line("")?;
        for line in status::lines(&StatusView::of(&group, &seen), printer.style) {
            printer.line(&line)?;
        }
        printer.line("")?;
        printer.line(&printer.style.text(&summary(&view)))?;
    } else {
        printer.document(args.output.output, &view)?;
    }
    let is_clean = view.lost == 0 && view.deeds.iter().all(|deed| deed.error.is_none());
    Ok(match (is_clean, view.verdict) {
        (true, Verdict::Healthy) => Exit::Healthy,
        _ => Exit::Degraded,
    })
}

fn view(rows: &[Row], verdict: Verdict) -> DemoView {
    let deeds: Vec<DeedView> = rows
        .iter()
        .map(|row| {
            let event = row.events.last().cloned().unwrap_or_default();
            DeedView {
                deed: row.scenario.title.clone(),
                from: event.primaries.0,
                to: event.primaries.1,
                epoch: event.epochs.1,
                write_gap_ms: event.write_gap_ms,
                acknowledged: row.tally.acked,
                lost: row.tally.lost_replicated,
                late_acknowledgements: event.late_acks,
                error: row.error.clone().or_else(|| event.violations.first().cloned()),
            }
        })
        .collect();
    DemoView {
        verdict,
        acknowledged: deeds.iter().map(|deed| deed.acknowledged).sum(),
        lost: deeds.iter().map(|deed| deed.lost).sum(),
        deeds,
    }
}

fn summary(view: &DemoView) -> String {
    let longest = view.deeds.iter().map(|deed| deed.write_gap_ms).fold(0.0, f64::max);
    format!(
        "{} writes acknowledged, {} replicated ones lost, longest write gap {}; the group is {}.",
        style::count(view.acknowledged),
        view.lost,
        millis(longest),
        view.verdict
    )
}

fn tell(progress: &Progress<'_>, printer: &mut Printer) {
    let style = printer.style;
    match progress {
        Progress::Begun(scenario) => {
            printer.say("");
            printer.say(&Style::heading(&style.text(&scenario.title)));
        }
        Progress::Event(_, event) => {
            let line = event_line(event, printer);
            printer.say(&format!("   {}", line.trim_start_matches("1 ")));
            for phase in &event.phases {
                let line = format!(
                    "     {:>9}  {:<14} {}",
                    format!("+{}", millis(phase.after_ms)),
                    phase.member,
                    phase.rule
                );
                printer.say(&Style::faint(&line));
            }
        }
        Progress::History(_) => {}
        Progress::Over(row) => {
            let tally = &row.tally;
            let mark =
                if row.error.is_none() && tally.lost() == 0 { style.done() } else { style.warn() };
            let line = format!(
                "lost {} of {} acknowledged writes ({} of them known to be on a replica: lost {})",
                tally.lost(),
                style::count(tally.acked),
                style::count(tally.replicated),
                tally.lost_replicated
            );
            printer.say(&format!("   {mark} {}", style.text(&line)));
            if let Some(error) = &row.error {
                printer.warn(error);
            }
        }
    }
}
