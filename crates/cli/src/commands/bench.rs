//! `interrex bench`: throughput at a member's own engine against the same engine bare.

use std::sync::{Mutex, PoisonError};

use trial::bench::{self, BenchError, BenchPlan, text};

use crate::args::{Bench, Format};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::group::Group;
use crate::signals;
use crate::spec::Wanted;
use crate::throwaway::{Throwaway, Ways};
use crate::trials;
use crate::ui::Printer;
use crate::ui::progress::Progress;

pub(super) async fn run(args: Bench, printer: &mut Printer) -> Outcome {
    let wanted = Wanted { replicas: Some(args.replicas), ..Wanted::default() };
    // Direct: the bare engine's replicas have no link between either.
    let own = Throwaway::start(&wanted, args.engine.as_deref(), Ways::Direct, printer).await?;
    let outcome = on_group(&args, &own.group, printer).await;
    own.end(printer).await?;
    outcome
}

async fn on_group(args: &Bench, group: &Group, printer: &mut Printer) -> Outcome {
    let target = trials::target(group)?;
    let plan = BenchPlan {
        rounds: args.rounds as usize,
        length: args.span,
        program: Some(group.home.group().engine.clone()),
        ..BenchPlan::default()
    };
    let style = printer.style;
    let progress = Mutex::new(Progress::start("Starting a bare engine beside it", style));
    let listener = |round: usize, rounds: usize| {
        let progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
        progress.say(format!("Measuring in turns: round {} of {rounds}", round + 1));
    };
    let report = tokio::select! {
        report = bench::bench(&target, plan, &listener) => report,
        () = signals::end() => return Err(Failure::new("interrupted")),
    };
    drop(progress);
    let report = report.map_err(|error| failed(&error))?;
    if args.output.output == Format::Table {
        for line in text::render(&report, style.plain).lines() {
            printer.line(line)?;
        }
    } else {
        printer.document(args.output.output, &report)?;
    }
    Ok(if report.passed() { Exit::Healthy } else { Exit::Degraded })
}

fn failed(error: &BenchError) -> Failure {
    let failure = Failure::of(error);
    match error {
        BenchError::NotReady { .. } | BenchError::Spawn { .. } => {
            failure.hint("is the machine busy? end what else runs, then try again")
        }
        _ => failure,
    }
}
