//! `interrex status`: the verdict first, then why, then every member.

mod list;

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::any_group::AnyGroup;
use crate::args::{Format, Status};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::group::Seen;
use crate::ui::Printer;
use crate::ui::progress::Progress;
use crate::ui::style::{self, Style};
use crate::ui::table::Table;
use crate::verdict::Verdict;
use crate::view::{AuthorityView, MemberView, StatusView};

/// Between two looks while something is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(100);

pub(super) async fn run(args: Status, printer: &mut Printer) -> Outcome {
    let tag = args.target.tag.as_deref();
    if tag.is_none() && list::is_meant(&args.cluster) {
        return list::run(&args, printer).await;
    }
    let group = AnyGroup::find(tag, &args.cluster).await?;
    let seen = if args.wait {
        until_healthy(&group, args.timeout, printer.style).await
    } else {
        group.look().await
    };
    let view = StatusView::of(&group, &seen);
    match args.output.output {
        Format::Table => table(&view, printer)?,
        format => printer.document(format, &view)?,
    }
    Ok(exit_of(view.verdict))
}

/// How a command ends that found the group like this.
pub(super) fn exit_of(verdict: Verdict) -> Exit {
    match verdict {
        Verdict::Healthy => Exit::Healthy,
        Verdict::Unknown => Exit::Error,
        Verdict::Degraded | Verdict::FailingOver | Verdict::Down | Verdict::Waiting => {
            Exit::Degraded
        }
    }
}

/// Looks until the group is healthy, or the time is over; gives what was seen last.
pub(super) async fn until_healthy(group: &AnyGroup, within: Duration, style: Style) -> Seen {
    let deadline = Instant::now() + within;
    let progress = Progress::start("Waiting until the group is healthy", style);
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let seen = group.look().await;
        if seen.judgement.verdict == Verdict::Healthy || Instant::now() >= deadline {
            return seen;
        }
        if let Some(reason) = seen.judgement.reasons.first() {
            progress.say(reason.clone());
        }
    }
}

fn table(view: &StatusView, printer: &mut Printer) -> Result<(), Failure> {
    let style = printer.style;
    for line in lines(view, style) {
        printer.line(&line)?;
    }
    Ok(())
}

/// The whole view as lines.
pub(super) fn lines(view: &StatusView, style: Style) -> Vec<String> {
    let mut out = head(view, style);
    out.push(String::new());
    out.extend(facts(view).iter().map(|line| style.text(line)));
    out.push(String::new());
    out.extend(members(&view.members, view.primary.as_deref(), style));
    for member in &view.members {
        for (name, wanted, actual) in &member.drift {
            let text = format!("{}: {name} is {actual}, rendered as {wanted}", member.name);
            out.push(format!(" {} {}", style.warn(), style.text(&text)));
        }
    }
    out.push(String::new());
    let agents = view.agents;
    let word = if agents.agree == agents.total { "agree" } else { "agree, see above" };
    out.push(style.text(&format!(
        "Agents {}/{} answer · {}/{} {word} · store reachable by {}/{}",
        agents.answered, agents.total, agents.agree, agents.total, agents.store, agents.total
    )));
    out.extend(way(view, style));
    out
}

/// By which way a group on Kubernetes was asked.
fn way(view: &StatusView, style: Style) -> Vec<String> {
    if view.via == "local" {
        return Vec::new();
    }
    let namespace = view.namespace.as_deref().unwrap_or_default();
    let context = view.context.as_deref().map(|context| format!(" of the context {context}"));
    let context = context.unwrap_or_default();
    let Some(why) = &view.via_why else {
        let line = format!("Asked through the API server{context}, namespace {namespace}");
        return vec![style.text(&line)];
    };
    let line = format!("asked the agents themselves, not through the API server{context}: {why}");
    let lines = style::wrap(&style.text(&line), style::COLUMNS - 4);
    let marked = lines.into_iter().enumerate().map(|(place, line)| {
        let mark = if place == 0 { style.warn() } else { " ".to_owned() };
        format!(" {mark} {line}")
    });
    marked.collect()
}

/// The verdict, and what keeps it from being a better one.
pub(super) fn head(view: &StatusView, style: Style) -> Vec<String> {
    let can = if view.can_fail_over { "yes" } else { "NO" };
    let reason = style.text(&format!("({})", view.can_fail_over_reason));
    let bare = format!("{}  {}   can fail over now: {can}", view.group, view.verdict);
    let shown = format!(
        "{}  {}   can fail over now: {can}",
        Style::heading(&view.group),
        Style::verdict(view.verdict)
    );
    let mut out = if bare.chars().count() + 1 + reason.chars().count() <= style::COLUMNS {
        vec![format!("{shown} {reason}")]
    } else {
        let rest = style::wrap(&reason, style::COLUMNS - 3);
        let rest = rest.into_iter().map(|line| format!("   {line}"));
        std::iter::once(shown).chain(rest).collect()
    };
    for reason in &view.reasons {
        let mark = if view.verdict == Verdict::Degraded { style.warn() } else { style.bad() };
        let lines = style::wrap(&style.text(reason), style::COLUMNS - 4);
        for (place, line) in lines.iter().enumerate() {
            let mark = if place == 0 { mark.as_str() } else { " " };
            out.push(format!(" {mark} {line}"));
        }
    }
    if view.verdict == Verdict::Unknown && view.via == "local" {
        out.push(style.text(&format!(
            "   if it was stopped, start it again: interrex up --tag {}",
            view.group
        )));
    }
    out
}

fn facts(view: &StatusView) -> Vec<String> {
    let replicas = view.members.len().saturating_sub(1);
    let engine = view.engine.as_deref().unwrap_or("unknown");
    let mut out = vec![format!(
        "Topology    replication 1+{replicas}   Engine {engine}   Epoch {}",
        view.epoch
    )];
    out.push(format!(
        "Primary     {}   write address {}   read address {}",
        view.primary.as_deref().unwrap_or("none"),
        view.write,
        view.read
    ));
    if let Some(authority) = &view.authority {
        let fence = view.fence.as_deref().unwrap_or("unknown");
        out.push(format!("Authority   {} · fence {fence}", authority_words(authority)));
        if let Some(why) = &view.fence_why {
            out.push(format!("            the fence is weaker than it could be: {why}"));
        }
    }
    if let Some(last) = &view.last_failover {
        let words = format!("epoch {}, {} ago: {}", last.epoch, style::ago(last.at_ms), last.cause);
        out.push(format!("Last change {}", style::clip(&words, style::COLUMNS - 12)));
    }
    match (&view.password_file, &view.password_secret) {
        (Some(file), _) => out.push(format!("Password    in {}", file.display())),
        (None, Some(secret)) => out.push(format!("Password    in the Secret {secret}")),
        (None, None) => {}
    }
    out
}

fn authority_words(authority: &AuthorityView) -> String {
    let seconds = |ms: u64| format!("{:.1} s", ms as f64 / 1000.0);
    let peers = match authority.peers_left_ms {
        _ if authority.peers_total == 0 => "alone, nobody may succeed".to_owned(),
        Some(left) => format!(
            "peers {}/{}, {} left",
            authority.peers_fresh,
            authority.peers_total,
            seconds(left)
        ),
        None => format!("peers {}/{}", authority.peers_fresh, authority.peers_total),
    };
    let lease = if authority.lazy {
        "lease at rest".to_owned()
    } else {
        format!("lease {} left", seconds(authority.lease_left_ms))
    };
    format!("{peers} · {lease}")
}

/// The members as a table, `+` before the primary and `|` before the replicas.
pub(super) fn members(members: &[MemberView], primary: Option<&str>, style: Style) -> Vec<String> {
    let mut head = vec!["", "MEMBER", "ROLE", "LINK", ">LAG", ">KEYS", ">MEMORY", "ADDRESS"];
    let has_hosts = members.iter().any(|member| member.host.is_some());
    head.extend(has_hosts.then_some("HOST"));
    head.push("STATE");
    let mut table = Table::new(&head);
    for member in members {
        let is_primary = primary == Some(&member.name);
        let mut row = vec![
            if is_primary { "+" } else { "|" }.to_owned(),
            member.name.clone(),
            member.role.clone(),
            match (is_primary, member.link_up) {
                (true, _) => "-",
                (false, true) => "up",
                (false, false) => "down",
            }
            .to_owned(),
            match member.lag {
                Some(lag) if !is_primary => style::bytes(lag),
                _ => "-".to_owned(),
            },
            style::count(member.keys),
            memory(member),
            member.address.clone(),
        ];
        row.extend(has_hosts.then(|| member.host.clone().unwrap_or_else(|| "-".to_owned())));
        row.push(state(member));
        table.row(row);
    }
    table.lines(style, 1)
}

fn memory(member: &MemberView) -> String {
    let used = style::bytes(member.memory_bytes);
    match member.memory_max_bytes {
        0 => used,
        most => format!("{used} of {}", style::bytes(most)),
    }
}

fn state(member: &MemberView) -> String {
    if let Some(error) = &member.error {
        return error.clone();
    }
    if member.engine_pid == 0 {
        return "engine not running".to_owned();
    }
    if !member.complete {
        return "dataset not whole".to_owned();
    }
    match (&member.why_not, member.role.as_str()) {
        (Some(why), "replica") => why.clone(),
        _ => "ok".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::tests::sample;

    fn text(view: &StatusView, plain: bool) -> Vec<String> {
        let style = Style { plain };
        let strip = |line: &String| anstream::adapter::strip_str(line).to_string();
        lines(view, style).iter().map(strip).collect()
    }

    #[test]
    fn the_verdict_comes_first() {
        let healthy = text(&sample(), false);
        assert_eq!(healthy[0], "cart  HEALTHY   can fail over now: yes (1 candidate, complete)");
        assert!(healthy.iter().any(|l| l.contains("peers 1/1, 4.4 s left · lease at rest")));
        assert!(healthy.iter().any(|l| l.starts_with(" +") && l.contains("cart-0")), "{healthy:?}");
        assert!(healthy.iter().any(|l| l.starts_with(" |") && l.contains("1.5 K")), "{healthy:?}");
    }

    #[test]
    fn nothing_is_wider_than_100_columns_and_plain_is_ascii() {
        let mut view = sample();
        view.verdict = Verdict::Degraded;
        view.reasons = vec!["cart-1 has no replication link".into(), "and so on ".repeat(20)];
        view.can_fail_over_reason = "cart-1: it has not reached this epoch's data yet; ".repeat(3);
        for plain in [false, true] {
            for line in text(&view, plain) {
                assert!(line.chars().count() <= style::COLUMNS, "{line}");
                assert!(!plain || line.is_ascii(), "{line}");
            }
        }
        let plain = text(&view, true);
        assert!(plain.iter().any(|line| line.contains("!! cart-1 has no")), "{plain:#?}");
    }
}
