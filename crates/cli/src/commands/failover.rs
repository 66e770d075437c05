//! `interrex failover`: asks the primary to hand its role over, and says what came of it.

use std::time::Duration;

use serde::Serialize;

use super::status::{exit_of, until_healthy};
use crate::any_group::AnyGroup;
use crate::args::{Failover, Format};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::group::Seen;
use crate::handover::{self, Wish};
use crate::story;
use crate::ui::progress::Progress;
use crate::ui::{Printer, style};
use crate::verdict::Verdict;

#[derive(Serialize)]
struct FailoverView {
    group: String,
    from: String,
    to: Option<String>,
    dry_run: bool,
    result: String,
    epoch: u64,
    verdict: Verdict,
    story: Option<story::Story>,
}

pub(super) async fn run(args: Failover, printer: &mut Printer) -> Outcome {
    let group = AnyGroup::find(args.target.tag.as_deref(), &args.cluster).await?;
    // A member that has just come into the electorate connects to the primary anew: a moment.
    let connects = |seen: &Seen| {
        let target = args.to.as_ref().and_then(|to| seen.report(to));
        target.is_some_and(|report| report.electable && report.complete && !report.link_up)
    };
    let before = group.look_until(Duration::from_secs(2), |seen| !connects(seen)).await;
    let from = before.judgement.primary.clone().ok_or_else(|| {
        let why = before.judgement.reasons.first().cloned().unwrap_or_default();
        Failure::not_safe(format!("{} has no primary to hand over from: {why}", group.tag()))
            .hint(format!("see {}", group.command("status")))
    })?;
    if let Some(to) = &args.to {
        check_target(&group, &before, &from, to)?;
    }
    if args.output.output == Format::Table {
        plan(&before, &from, args.to.as_deref(), printer);
    }
    let wish = Wish { to: args.to.clone(), dry_run: args.dry_run };
    let progress = Progress::start("Handing over", printer.style);
    let result = group.hand_over(&before, &from, &wish, args.timeout).await;
    drop(progress);
    let result = result.map_err(|error| refused(&group, &error))?;
    let after = if args.wait && !args.dry_run {
        until_healthy(&group, args.timeout, printer.style).await
    } else {
        moved(&group, &before, args.dry_run).await
    };
    let decisions: Vec<_> = after.reports().flat_map(|r| &r.decisions).collect();
    let view = FailoverView {
        group: group.tag().to_owned(),
        to: after.judgement.primary.clone().filter(|_| !args.dry_run).or(args.to),
        from,
        dry_run: args.dry_run,
        result,
        epoch: after.judgement.epoch,
        verdict: after.judgement.verdict,
        story: story::last(&decisions, None).filter(|_| !args.dry_run),
    };
    show(&view, args.output.output, printer)?;
    Ok(if args.wait { exit_of(view.verdict) } else { Exit::Healthy })
}

/// What can be refused without asking anybody; the primary refuses the rest.
fn check_target(group: &AnyGroup, seen: &Seen, from: &str, to: &str) -> Result<(), Failure> {
    group.member(to, seen).map_err(|failure| failure.exit(Exit::Usage))?;
    if to == from {
        return Err(Failure::usage(format!("{to} is the primary already"))
            .hint("name another member, or leave --to out: the primary chooses"));
    }
    let hint =
        format!("leave --to out, or wait until it is ready: {} --wait", group.command("status"));
    let Some(report) = seen.report(to) else {
        return Err(Failure::not_safe(format!("the agent of {to} does not answer")).hint(hint));
    };
    if !report.electable || !report.complete || !report.link_up {
        let lag = report.lag.map(|lag| format!(", {} behind", style::bytes(lag)));
        let why = report.why_not.clone().unwrap_or_else(|| {
            if report.complete { "it has no replication link" } else { "its dataset is not whole" }
                .to_owned()
        });
        let lag = lag.unwrap_or_default();
        return Err(Failure::not_safe(format!("{to} cannot lead now: {why}{lag}")).hint(hint));
    }
    Ok(())
}

fn refused(group: &AnyGroup, error: &handover::HandoverError) -> Failure {
    match error {
        handover::HandoverError::Refused { reason } => {
            Failure::not_safe(format!("the handover was refused: {reason}")).hint(format!(
                "nothing was changed; who can lead and why not: {}",
                group.command("status")
            ))
        }
        other => group.failed(other).hint_if(Some(format!(
            "how the group is now: {}; what came of it: {}",
            group.command("status"),
            group.command("why")
        ))),
    }
}

fn plan(seen: &Seen, from: &str, to: Option<&str>, printer: &mut Printer) {
    let style = printer.style;
    let lag = to.and_then(|to| seen.report(to)).and_then(|report| report.lag);
    let lag = lag.map(|lag| format!("   lag {}", style::bytes(lag))).unwrap_or_default();
    let to = to.unwrap_or("whom the primary chooses");
    printer.say(&format!("Plan   {from} (primary) {} {to}{lag}", style.arrow()));
}

/// Agents learn of a new primary within a heartbeat.
async fn moved(group: &AnyGroup, before: &Seen, dry_run: bool) -> Seen {
    if dry_run {
        return group.look().await;
    }
    let is_led = |seen: &Seen| {
        let is_newer = seen.judgement.epoch > before.judgement.epoch;
        let leader = seen.judgement.primary.as_deref().and_then(|name| seen.report(name));
        is_newer && leader.is_some_and(|report| report.role == "primary")
    };
    group.look_until(Duration::from_secs(2), is_led).await
}

fn show(view: &FailoverView, format: Format, printer: &mut Printer) -> Result<(), Failure> {
    if format != Format::Table {
        return printer.document(format, view);
    }
    if let Some(story) = &view.story {
        for line in super::why::steps(story, printer.style) {
            printer.line(&line)?;
        }
    }
    let style = printer.style;
    let result = style.text(&view.result);
    if view.dry_run {
        return printer.line(&format!("Dry run: {result}"));
    }
    let to = view.to.as_deref().unwrap_or("nobody");
    printer.line(&format!(
        "{} {} {} {to}   epoch {}   {result}",
        style.done(),
        view.from,
        style.arrow(),
        view.epoch
    ))
}
