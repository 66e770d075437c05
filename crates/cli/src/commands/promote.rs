//! `interrex promote`: the last resort when nobody can lead without loss. Shows what every member
//! holds, and makes one of them lead when a person accepts what that loses (failover.md 2.11).

use std::cmp::Reverse;
use std::time::Duration;

use brain::report::MemberReport;
use serde::Serialize;

use crate::any_group::AnyGroup;
use crate::args::{Format, Promote};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::group::Seen;
use crate::handover::HandoverError;
use crate::ui::Printer;
use crate::ui::progress::Progress;
use crate::ui::style::{self, Style};
use crate::ui::table::Table;

/// What a member holds.
#[derive(Serialize)]
struct Holding {
    name: String,
    /// The epoch that its newest data was written in.
    epoch: u64,
    offset: u64,
    keys: u64,
    complete: bool,
    replid: String,
    /// Why it does not lead by itself, or why it does not answer.
    why_not: Option<String>,
    answers: bool,
}

#[derive(Serialize)]
struct PromoteView {
    group: String,
    /// Fullest first.
    members: Vec<Holding>,
    /// Who leads now; absent when nothing was asked for, or when it does not lead yet.
    promoted: Option<String>,
    epoch: u64,
    result: Option<String>,
}

pub(super) async fn run(args: Promote, printer: &mut Printer) -> Outcome {
    let (tag, member) = (args.tag.as_deref(), args.member.as_deref());
    let (group, member) = AnyGroup::find_with_member(tag, member, &args.cluster).await?;
    let seen = group.look().await;
    let member = member.map(|name| group.member(&name, &seen)).transpose()?;
    refuse_a_led_group(&group, &seen)?;
    let mut view = view(&group, &seen);
    if args.output.output == Format::Table {
        show(&view, printer)?;
    }
    let fullest = view.members.first().filter(|m| m.answers).map(|m| m.name.clone());
    let Some(member) = consented(&group, member, args.accept_data_loss, fullest.as_deref())? else {
        if args.output.output != Format::Table {
            printer.document(args.output.output, &view)?;
        }
        return Ok(Exit::Healthy);
    };
    let progress = Progress::start(format!("Promoting {member}"), printer.style);
    let result = group.promote(&member, args.timeout).await;
    let result = result.map_err(|error| refused(&group, &member, &error))?;
    let after = leads(&group, &member, args.timeout).await;
    drop(progress);
    view.result = Some(result.clone());
    view.epoch = after.judgement.epoch;
    view.promoted = after.judgement.primary.clone().filter(|name| *name == member);
    let promoted = view.promoted.is_some();
    if args.output.output == Format::Table {
        if promoted {
            let done = printer.style.done();
            let text = printer.style.text(&result);
            printer.line(&format!("{done} {member} leads   epoch {}   {text}", view.epoch))?;
        }
    } else {
        printer.document(args.output.output, &view)?;
    }
    if promoted {
        return Ok(Exit::Healthy);
    }
    let within = style::span(args.timeout);
    Err(Failure::new(format!("{member} was told to lead, and does not after {within}"))
        .hint(format!("see {}; {}", group.command("status"), group.logs())))
}

/// Where somebody leads nothing has to be lost.
fn refuse_a_led_group(group: &AnyGroup, seen: &Seen) -> Result<(), Failure> {
    let leads = |name: &String| seen.report(name).is_some_and(|report| report.role == "primary");
    match seen.judgement.primary.as_ref().filter(|name| leads(name)) {
        Some(name) => Err(Failure::not_safe(format!("{name} leads {}", group.tag()))
            .hint(format!("to move the role without loss: {}", group.command("failover")))),
        None => Ok(()),
    }
}

/// Whom to promote; `None` when only the holdings were asked for.
fn consented(
    group: &AnyGroup,
    member: Option<String>,
    accepts: bool,
    fullest: Option<&str>,
) -> Result<Option<String>, Failure> {
    let fullest = fullest.unwrap_or("MEMBER");
    let command = |name: &str| format!("{} {name} --accept-data-loss", group.command("promote"));
    match (member, accepts) {
        (None, false) => Ok(None),
        (None, true) => Err(Failure::usage("which member is to lead is not said")
            .hint(format!("the fullest copy that answers: {}", command(fullest)))),
        (Some(member), false) => {
            let what = format!("{member} would lead without what only others hold");
            Err(Failure::not_safe(what).hint(format!(
                "nothing was changed; bring the others back if they can come back; to accept the \
                 loss: {}",
                command(&member)
            )))
        }
        (Some(member), true) => Ok(Some(member)),
    }
}

fn view(group: &AnyGroup, seen: &Seen) -> PromoteView {
    let mut members: Vec<Holding> = seen
        .answers
        .iter()
        .map(|(name, answer)| match answer {
            Ok(report) => Holding::of(report),
            Err(why) => Holding::silent(name, why),
        })
        .collect();
    members.sort_by_key(|m| Reverse((m.answers, m.complete, m.epoch, m.offset, m.keys)));
    let (group, epoch) = (group.tag().to_owned(), seen.judgement.epoch);
    PromoteView { group, members, promoted: None, epoch, result: None }
}

impl Holding {
    fn of(report: &MemberReport) -> Self {
        Self {
            name: report.name.clone(),
            epoch: report.stamp_epoch,
            offset: report.offset,
            keys: report.keys,
            complete: report.complete,
            replid: report.replid.clone(),
            why_not: report.why_not.clone().or_else(|| report.blocked.clone()),
            answers: true,
        }
    }

    fn silent(name: &str, why: &str) -> Self {
        Self {
            name: name.to_owned(),
            epoch: 0,
            offset: 0,
            keys: 0,
            complete: false,
            replid: String::new(),
            why_not: Some(format!("does not answer: {why}")),
            answers: false,
        }
    }
}

fn show(view: &PromoteView, printer: &mut Printer) -> Result<(), Failure> {
    let mut table = Table::new(&["MEMBER", ">EPOCH", ">OFFSET", ">KEYS", "WHOLE", "WHY NOT"]);
    for member in &view.members {
        let cell = |text: String| if member.answers { text } else { "?".to_owned() };
        table.row(vec![
            member.name.clone(),
            cell(member.epoch.to_string()),
            cell(member.offset.to_string()),
            cell(style::count(member.keys)),
            cell(if member.complete { "yes" } else { "no" }.to_owned()),
            member.why_not.clone().unwrap_or_default(),
        ]);
    }
    printer.line(&Style::heading(&format!("{}, fullest copy first", view.group)))?;
    for line in table.lines(printer.style, 2) {
        printer.line(&line)?;
    }
    Ok(())
}

fn refused(group: &AnyGroup, member: &str, error: &HandoverError) -> Failure {
    match error {
        HandoverError::Refused { reason } => {
            Failure::not_safe(format!("{member} refuses to lead: {reason}"))
                .hint(format!("nothing was changed; see {}", group.command("status")))
        }
        other => group.failed(other).hint_if(Some(format!("see {}", group.command("status")))),
    }
}

async fn leads(group: &AnyGroup, member: &str, within: Duration) -> Seen {
    let is_led = |seen: &Seen| {
        let role = seen.report(member).map(|report| report.role.as_str());
        role == Some("primary") && seen.judgement.primary.as_deref() == Some(member)
    };
    group.look_until(within, is_led).await
}
