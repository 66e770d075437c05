//! `interrex why`: the story of the last failover, out of all members' decisions.

use std::time::Duration;

use brain::report::Decision;
use serde::Serialize;

use crate::any_group::AnyGroup;
use crate::args::{Format, Why};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::group::Seen;
use crate::story::{self, Phase, Story};
use crate::ui::Printer;
use crate::ui::style::{self, COLUMNS, Style};
use crate::ui::table::Table;

#[derive(Serialize)]
struct WhyView<'a> {
    group: &'a str,
    #[serde(flatten)]
    story: &'a Story,
    took_ms: u64,
    phases: Vec<Phase>,
    candidates: Vec<Candidate>,
}

/// A member as it stands behind the story.
#[derive(Clone, Debug, Serialize)]
struct Candidate {
    name: String,
    stamp_epoch: u64,
    offset: u64,
    complete: bool,
    electable: bool,
    verdict: String,
}

pub(super) async fn run(args: Why, printer: &mut Printer) -> Outcome {
    let group = AnyGroup::find(args.target.tag.as_deref(), &args.cluster).await?;
    let seen = group.look().await;
    if seen.reports().next().is_none() {
        let why = seen.judgement.reasons.first().cloned().unwrap_or_default();
        return Err(Failure::new(format!("nobody can tell: {why}"))
            .hint(format!("what was said is in: {}", group.logs())));
    }
    let decisions: Vec<&Decision> = seen.reports().flat_map(|r| &r.decisions).collect();
    let Some(story) = story::last(&decisions, args.epoch) else {
        return Err(nothing(&args, &decisions, &group));
    };
    let candidates = candidates(&story, &seen);
    if args.output.output != Format::Table {
        let took_ms = story.took_ms();
        let phases = story.phases();
        let view = WhyView { group: group.tag(), story: &story, took_ms, phases, candidates };
        printer.document(args.output.output, &view)?;
        return Ok(Exit::Healthy);
    }
    for line in lines(&group, &story, &candidates, &seen, printer.style) {
        printer.line(&line)?;
    }
    Ok(Exit::Healthy)
}

fn nothing(args: &Why, decisions: &[&Decision], group: &AnyGroup) -> Failure {
    let known = story::epochs(decisions);
    let Some(epoch) = args.epoch else {
        return Failure::new(format!("nothing has happened to {} yet", group.tag())).hint(
            match group {
                AnyGroup::Local(_) => "make something happen: interrex kill primary".to_owned(),
                AnyGroup::Remote(_) => {
                    format!("make something happen: {}", group.command("failover"))
                }
            },
        );
    };
    let known: Vec<String> = known.iter().map(u64::to_string).collect();
    Failure::new(format!("no member remembers epoch {epoch}")).hint(if known.is_empty() {
        "no story is remembered; agents keep the newest decisions since their start".to_owned()
    } else {
        format!("stories are remembered of the epochs {}", known.join(", "))
    })
}

fn lines(
    group: &AnyGroup,
    story: &Story,
    candidates: &[Candidate],
    seen: &Seen,
    style: Style,
) -> Vec<String> {
    let mut out = vec![format!(
        "{}  epoch {}   {} ago   {}",
        Style::heading(group.tag()),
        story.epoch,
        style::ago(story.begun_ms),
        Style::faint(&clock(story.begun_ms)),
    )];
    let cause = format!("Cause   {} ({})", story.cause, story.cause_by);
    out.extend(style::wrap(&cause, COLUMNS).iter().map(|line| style.text(line)));
    out.push(String::new());
    out.extend(steps(story, style));
    out.push(String::new());
    let head = ["MEMBER", ">STAMP", ">OFFSET", "COMPLETE", "NOW"];
    let mut table = Table::new(&head);
    for candidate in candidates {
        table.row(vec![
            candidate.name.clone(),
            format!("epoch {}", candidate.stamp_epoch),
            style::count(candidate.offset),
            if candidate.complete { "yes" } else { "no" }.to_owned(),
            candidate.verdict.clone(),
        ]);
    }
    out.extend(table.lines(style, 2));
    out.push(String::new());
    let primary = seen.judgement.primary.as_deref().unwrap_or("nobody");
    let span = |ms| style::span(Duration::from_millis(ms));
    let phases: Vec<String> =
        story.phases().iter().map(|p| format!("{} after {}", p.name, span(p.after_ms))).collect();
    let measured = if phases.is_empty() { span(story.took_ms()) } else { phases.join(", ") };
    let result = format!("Result  {primary} leads epoch {}: {measured}", seen.judgement.epoch);
    out.push(style.text(&result));
    out
}

/// The steps with their times: `  12:04:31.884  +2 ms   cart-2  …`.
pub(super) fn steps(story: &Story, style: Style) -> Vec<String> {
    let widest = story.steps.iter().map(|s| s.member.len()).max().unwrap_or(0);
    let mut out = Vec::new();
    for step in &story.steps {
        let head = format!(
            "  {}  {:>8}  {:<widest$}  ",
            clock(step.at_ms),
            format!("+{}", style::span(Duration::from_millis(step.after_ms))),
            step.member
        );
        let indent = head.chars().count();
        for (place, line) in style::wrap(&step.text, COLUMNS - indent).iter().enumerate() {
            let line = style.text(line);
            if place == 0 {
                out.push(format!("{head}{line}"));
            } else {
                out.push(format!("{:indent$}{line}", ""));
            }
        }
    }
    out
}

/// A wall clock time of day in this machine's zone, with milliseconds.
pub(super) fn clock(at_ms: u64) -> String {
    let time = i64::try_from(at_ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    time.map_or_else(
        || at_ms.to_string(),
        |time| time.to_zoned(jiff::tz::TimeZone::system()).strftime("%H:%M:%S%.3f").to_string(),
    )
}

/// How the members stand, and what the story says of them.
fn candidates(story: &Story, seen: &Seen) -> Vec<Candidate> {
    let primary = seen.judgement.primary.as_deref();
    let mut all: Vec<Candidate> = seen
        .reports()
        .map(|report| Candidate {
            name: report.name.clone(),
            stamp_epoch: report.stamp_epoch,
            offset: report.offset,
            complete: report.complete,
            electable: report.electable,
            verdict: if primary == Some(&report.name) && report.epoch == story.epoch {
                "chosen".to_owned()
            } else if primary == Some(&report.name) {
                "leads".to_owned()
            } else if let Some(why) = &report.why_not {
                why.clone()
            } else {
                format!("{}, could take over", report.role)
            },
        })
        .collect();
    all.sort_by(|one, other| {
        let rank = |c: &Candidate| (c.complete, c.stamp_epoch, c.offset);
        rank(other).cmp(&rank(one)).then_with(|| one.name.cmp(&other.name))
    });
    all
}
