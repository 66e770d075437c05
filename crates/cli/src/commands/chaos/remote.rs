//! `interrex chaos` of a group on Kubernetes: faults by the API alone, and what the group's own
//! agents make of them. No client takes part, so write gaps are not measured.

use std::time::Duration;

use serde::Serialize;

use crate::any_group::AnyGroup;
use crate::args::{Chaos, Format, Suite, program};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::group::Seen;
use crate::handover::Wish;
use crate::remote::Remote;
use crate::story;
use crate::ui::Printer;
use crate::ui::progress::Progress;
use crate::ui::style::{self, Style};
use crate::ui::table::Table;
use crate::verdict::Verdict;

/// How long a group may take to be whole again: a pod is made anew, and copies a dataset.
const HEALTHY_WITHIN: Duration = Duration::from_secs(120);

/// How long a handover may take.
const HANDOVER_WITHIN: Duration = Duration::from_secs(10);

/// What can be done by the API alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    KillPrimary,
    KillReplica,
    DeletePrimary,
    DeleteReplica,
    Handover,
}

const DEEDS: [(&str, &str, Deed); 5] = [
    ("kill", "kill -9 of the primary's engine, in its pod", Deed::KillPrimary),
    ("kill-replica", "kill -9 of a replica's engine, in its pod", Deed::KillReplica),
    ("handover", "a planned handover", Deed::Handover),
    ("delete", "the primary's pod deleted", Deed::DeletePrimary),
    ("delete-replica", "a replica's pod deleted", Deed::DeleteReplica),
];

/// What was done, and what came of it.
#[derive(Serialize)]
struct RowView {
    name: &'static str,
    title: &'static str,
    member: String,
    from: Option<String>,
    to: Option<String>,
    epoch_before: u64,
    epoch: u64,
    /// By the agents' clocks, from the first decision to the writes' new way; null where the one
    /// who began is gone, or nobody else leads.
    routed_after_ms: Option<u64>,
    /// By this machine's clock, from the deed until the group was whole; null: not in time.
    healthy_after_ms: Option<u64>,
    verdict: Verdict,
    reasons: Vec<String>,
}

#[derive(Serialize)]
struct ChaosView {
    group: String,
    namespace: String,
    rows: Vec<RowView>,
}

pub(super) async fn run(args: &Chaos, printer: &mut Printer) -> Outcome {
    let deeds = chosen(args)?;
    let tag = group_of(args)?;
    let group = AnyGroup::find(tag, &args.cluster).await?;
    let AnyGroup::Remote(remote) = &group else {
        return Err(Failure::usage("this group is not on Kubernetes"));
    };
    consented(args.really.as_deref(), remote.namespace(), &remote.command("chaos"))?;
    let seen = group.look().await;
    if seen.judgement.verdict != Verdict::Healthy {
        let why = seen.judgement.reasons.first().cloned().unwrap_or_default();
        return Err(Failure::not_safe(format!("{} is not healthy: {why}", group.tag()))
            .hint(format!("nothing was broken; see {}", group.command("status"))));
    }
    let mut rows = Vec::new();
    for _ in 0..args.runs.unwrap_or(1) {
        for deed in &deeds {
            let row = one(*deed, &group, remote, printer).await?;
            let is_whole = row.healthy_after_ms.is_some();
            rows.push(row);
            if !is_whole {
                // More faults on top of one that did not heal tell nothing.
                return end(args, remote, rows, Exit::Degraded, printer);
            }
        }
    }
    end(args, remote, rows, Exit::Healthy, printer)
}

fn chosen(args: &Chaos) -> Result<Vec<(&'static str, &'static str, Deed)>, Failure> {
    let is_local = args.profile.is_some() || args.replicas.is_some() || args.engine.is_some();
    if is_local || args.suite != Suite::Basic || args.report.is_some() {
        return Err(Failure::usage("a group on Kubernetes is broken by a few faults only")
            .hint("of the options only --only, --runs and -o have a meaning there"));
    }
    let names = DEEDS.map(|(name, ..)| name).join(", ");
    if let Some(wrong) = args.only.iter().find(|only| DEEDS.iter().all(|deed| deed.0 != **only)) {
        return Err(Failure::usage(format!("there is no scenario {wrong:?} on Kubernetes"))
            .hint(format!("there are {names}")));
    }
    let is_chosen = |name: &str| args.only.is_empty() || args.only.iter().any(|only| only == name);
    Ok(DEEDS.into_iter().filter(|(name, ..)| is_chosen(name)).collect())
}

/// On Kubernetes a group is named once, and its namespace twice.
fn group_of(args: &Chaos) -> Result<Option<&str>, Failure> {
    match &args.tags[..] {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        _ => Err(Failure::usage("on Kubernetes the group is named once, its namespace twice")
            .hint(format!("{} chaos GROUP -n NAMESPACE --really NAMESPACE", program()))),
    }
}

/// A namespace is broken only when it is named twice; `command` is what was typed, with `-n`.
fn consented(really: Option<&str>, namespace: &str, command: &str) -> Result<(), Failure> {
    let again = format!("to consent, name it twice: {command} --really {namespace}");
    match really {
        Some(really) if really == namespace => Ok(()),
        Some(really) => {
            let what = format!("{namespace} and {really} are two namespaces");
            Err(Failure::usage(what).hint(again))
        }
        None => {
            let what = format!("chaos kills engines and deletes pods in the namespace {namespace}");
            Err(Failure::not_safe(what).hint(again))
        }
    }
}

async fn one(
    (name, title, deed): (&'static str, &'static str, Deed),
    group: &AnyGroup,
    remote: &Remote,
    printer: &mut Printer,
) -> Result<RowView, Failure> {
    printer.say(&Style::heading(title));
    let before = group.look().await;
    let member = victim(deed, &before)
        .ok_or_else(|| Failure::new(format!("{} has nobody for that now", group.tag())))?;
    let began = tokio::time::Instant::now();
    let progress =
        Progress::start(format!("{member}: waiting until the group is whole"), printer.style);
    match deed {
        Deed::KillPrimary | Deed::KillReplica => remote.kill_engine(&member, &before).await?,
        Deed::DeletePrimary | Deed::DeleteReplica => remote.delete_pod(&member, &before).await?,
        Deed::Handover => {
            let asked = group.hand_over(&before, &member, &Wish::default(), HANDOVER_WITHIN).await;
            asked.map_err(|error| group.failed(&error))?;
        }
    }
    // The old report of a member that has just been struck is no proof of health.
    let is_whole = |seen: &Seen| {
        seen.judgement.verdict == Verdict::Healthy && is_struck(deed, &member, &before, seen)
    };
    let after = group.look_until(HEALTHY_WITHIN, is_whole).await;
    drop(progress);
    let decisions: Vec<_> = after.reports().flat_map(|report| &report.decisions).collect();
    let has_moved = after.judgement.epoch > before.judgement.epoch;
    // A deleted pod takes its part of the story with it: the beginning.
    let is_told = has_moved && deed != Deed::DeletePrimary;
    let story = story::last(&decisions, None).filter(|_| is_told);
    let routed = story.as_ref().and_then(|story| {
        let phases = story.phases();
        phases.iter().find(|phase| phase.name == "writes routed").map(|phase| phase.after_ms)
    });
    let healthy_after_ms = is_whole(&after).then(|| began.elapsed().as_millis() as u64);
    let row = RowView {
        name,
        title,
        member,
        from: before.judgement.primary.clone(),
        to: after.judgement.primary.clone(),
        epoch_before: before.judgement.epoch,
        epoch: after.judgement.epoch,
        routed_after_ms: routed,
        healthy_after_ms,
        verdict: after.judgement.verdict,
        reasons: after.judgement.reasons.clone(),
    };
    printer.say(&printer.style.text(&told(&row)));
    Ok(row)
}

/// Whom the deed strikes.
fn victim(deed: Deed, seen: &Seen) -> Option<String> {
    let primary = seen.judgement.primary.clone();
    match deed {
        Deed::KillPrimary | Deed::DeletePrimary | Deed::Handover => primary,
        Deed::KillReplica | Deed::DeleteReplica => {
            let mut replicas =
                seen.reports().filter(|report| Some(&report.name) != primary.as_ref());
            replicas.next().map(|report| report.name.clone())
        }
    }
}

/// Whether the deed shows: another engine, another pod, another epoch.
fn is_struck(deed: Deed, member: &str, before: &Seen, now: &Seen) -> bool {
    let (Some(old), Some(new)) = (before.report(member), now.report(member)) else { return false };
    match deed {
        Deed::KillPrimary | Deed::KillReplica => old.engine_pid != new.engine_pid,
        Deed::DeletePrimary | Deed::DeleteReplica => old.pod != new.pod,
        Deed::Handover => now.judgement.epoch > before.judgement.epoch,
    }
}

fn told(row: &RowView) -> String {
    let span = |ms| style::span(Duration::from_millis(ms));
    let name = |name: &Option<String>| name.clone().unwrap_or_else(|| "nobody".to_owned());
    let routed = row.routed_after_ms.map(|ms| format!("  writes routed after {}", span(ms)));
    let healthy = match row.healthy_after_ms {
        Some(ms) => format!("healthy after {}", span(ms)),
        None => format!("NOT healthy after {}", style::span(HEALTHY_WITHIN)),
    };
    let (from, to, routed) = (name(&row.from), name(&row.to), routed.unwrap_or_default());
    format!("   {}: {from} → {to}  epoch {}{routed}  {healthy}", row.member, row.epoch)
}

fn end(
    args: &Chaos,
    remote: &Remote,
    rows: Vec<RowView>,
    exit: Exit,
    printer: &mut Printer,
) -> Outcome {
    let (group, namespace) = (remote.name().to_owned(), remote.namespace().to_owned());
    let view = ChaosView { group, namespace, rows };
    if args.output.output != Format::Table {
        printer.document(args.output.output, &view)?;
        return Ok(exit);
    }
    let head = ["SCENARIO", "MEMBER", "PRIMARY", ">EPOCH", ">ROUTED AFTER", ">HEALTHY AFTER"];
    let mut table = Table::new(&head);
    let span = |ms: Option<u64>| match ms {
        Some(ms) => style::span(Duration::from_millis(ms)),
        None => "-".to_owned(),
    };
    for row in &view.rows {
        table.row(vec![
            row.title.to_owned(),
            row.member.clone(),
            row.to.clone().unwrap_or_else(|| "nobody".to_owned()),
            row.epoch.to_string(),
            span(row.routed_after_ms),
            span(row.healthy_after_ms),
        ]);
    }
    for line in table.lines(printer.style, 0) {
        printer.line(&line)?;
    }
    for reason in view.rows.last().filter(|_| exit != Exit::Healthy).iter().flat_map(|r| &r.reasons)
    {
        printer.warn(reason);
    }
    Ok(exit)
}

#[cfg(test)]
mod tests;
