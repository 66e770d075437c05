//! Drawing the live view.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Modifier, Style as Look};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::model::Model;
use crate::ui::spark::spark;
use crate::ui::style::{self, Style};
use crate::verdict::Verdict;
use crate::view::{MemberView, StatusView};

const KEYS: &str = "[k] kill primary  [r] kill replica  [p] pause  [c] cut  [h] heal  \
                    [l] load  [f] failover  [q] quit";

/// The keys for a group that is not on this machine.
const REMOTE_KEYS: &str = "[f] failover  [q] quit";

/// Draws everything.
pub(super) fn draw(frame: &mut Frame<'_>, model: &Model, style: Style) {
    let members = model.view.as_ref().map_or(1, |view| view.members.len()) as u16;
    let reasons = model.view.as_ref().map_or(0, |view| view.reasons.len().min(3)) as u16;
    let [head, why, figures, topology, rule, lines, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(reasons),
        Constraint::Length(2),
        Constraint::Length(members + 1),
        Constraint::Length(1),
        Constraint::Min(3),
        Constraint::Length(2),
    ])
    .areas(frame.area());
    let Some(view) = &model.view else {
        frame.render_widget(Paragraph::new(format!(" {}  asking the agents", model.tag)), head);
        return;
    };
    frame.render_widget(title(view, style), head);
    let why_lines: Vec<Line<'_>> =
        view.reasons.iter().take(3).map(|r| text(&format!("   {r}"), style)).collect();
    frame.render_widget(Paragraph::new(why_lines), why);
    frame.render_widget(Paragraph::new(numbers(model, style)), figures);
    let rows: Vec<Line<'_>> = view.members.iter().map(|m| member(m, view, style)).collect();
    frame.render_widget(Paragraph::new(rows), topology);
    let bar = style.pick("─", "-").repeat(rule.width as usize);
    frame.render_widget(Paragraph::new(bar).style(Look::new().fg(Color::DarkGray)), rule);
    let skip = model.lines.len().saturating_sub(lines.height as usize);
    let happened: Vec<Line<'_>> =
        model.lines.iter().skip(skip).map(|line| text(&format!(" {line}"), style)).collect();
    frame.render_widget(Paragraph::new(happened), lines);
    let typed = if view.via == "local" { KEYS } else { REMOTE_KEYS };
    let wrapped: Vec<Line<'_>> =
        style::wrap(typed, (keys.width as usize).max(40).saturating_sub(2))
            .into_iter()
            .map(|line| Line::from(format!(" {line}")))
            .collect();
    frame.render_widget(Paragraph::new(wrapped).style(Look::new().fg(Color::DarkGray)), keys);
}

fn text(line: &str, style: Style) -> Line<'static> {
    Line::from(style.text(line))
}

fn title(view: &StatusView, style: Style) -> Line<'static> {
    let color = match view.verdict {
        Verdict::Healthy => Color::Green,
        Verdict::Degraded | Verdict::FailingOver | Verdict::Waiting => Color::Yellow,
        Verdict::Down | Verdict::Unknown => Color::Red,
    };
    let can = if view.can_fail_over { "can fail over" } else { "can NOT fail over" };
    let rest = format!(
        "  {} {can} {} epoch {} {} {} members {} write {}",
        style.dot(),
        style.dot(),
        view.epoch,
        style.dot(),
        view.members.len(),
        style.dot(),
        view.write
    );
    Line::from(vec![
        Span::styled(format!(" {}  ", view.group), Look::new().add_modifier(Modifier::BOLD)),
        Span::styled(view.verdict.to_string(), Look::new().fg(color).add_modifier(Modifier::BOLD)),
        Span::raw(rest),
    ])
}

fn numbers(model: &Model, style: Style) -> Vec<Line<'static>> {
    if let Some(view) = model.view.as_ref().filter(|view| view.via != "local") {
        return way(view, style);
    }
    let rate = model.rates.back().copied().unwrap_or(0);
    let bars = spark(model.rates.iter().copied(), style);
    let mut spans = vec![Span::raw(format!(" {:>8} ops/s  {bars}", style::count(rate)))];
    match &model.noticed {
        None => spans.push(Span::raw("   load off")),
        Some(noticed) => {
            let silent = noticed.silent.as_millis();
            let is_gap = silent >= 100;
            let color = if is_gap { Color::Red } else { Color::Green };
            let now = if is_gap { format!("GAP {silent} ms") } else { "writable".to_owned() };
            spans.push(Span::raw("   load on  "));
            spans.push(Span::styled(now, Look::new().fg(color).add_modifier(Modifier::BOLD)));
            spans.push(Span::raw(format!(
                "  longest gap {} ms  acked {}",
                noticed.worst.as_millis(),
                style::count(noticed.acked)
            )));
        }
    }
    vec![Line::from(spans), Line::default()]
}

/// By which way a group on Kubernetes is asked: its engines are out of reach for more.
fn way(view: &StatusView, style: Style) -> Vec<Line<'static>> {
    let namespace = view.namespace.as_deref().unwrap_or_default();
    let line = match &view.via_why {
        None => text(&format!(" through the API server, namespace {namespace}"), style),
        Some(why) => {
            let line = text(&format!(" the agents themselves, {why}"), style);
            line.style(Look::new().fg(Color::Yellow))
        }
    };
    vec![line, Line::default()]
}

fn member(member: &MemberView, view: &StatusView, style: Style) -> Line<'static> {
    let is_primary = view.primary.as_ref() == Some(&member.name);
    let mark = if is_primary { "+" } else { "|" };
    let port = member.address.rsplit(':').next().unwrap_or_default();
    let lag = match member.lag {
        Some(lag) if !is_primary => format!("lag {}", style::bytes(lag)),
        _ => String::new(),
    };
    let state = match (&member.error, &member.why_not) {
        (Some(error), _) => error.clone(),
        (None, _) if member.engine_pid == 0 => "engine not running".to_owned(),
        (None, Some(why)) if member.role == "replica" => why.clone(),
        (None, _) if is_primary => String::new(),
        (None, _) => if member.link_up { "link up" } else { "link down" }.to_owned(),
    };
    let line = format!(
        " {mark} {:<12} {:<10} {port:<6} keys {:<10} {:<8} {lag:<12} {}",
        member.name,
        member.role,
        style::count(member.keys),
        style::bytes(member.memory_bytes),
        style.text(&state)
    );
    let color = match (is_primary, member.error.is_some() || member.engine_pid == 0) {
        (_, true) => Color::Red,
        (true, false) => Color::Cyan,
        (false, false) => Color::Reset,
    };
    Line::styled(line, Look::new().fg(color))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::tests::sample;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    fn drawn(model: &Model, plain: bool) -> String {
        let mut terminal = Terminal::new(TestBackend::new(100, 16)).expect("a screen");
        terminal.draw(|frame| draw(frame, model, Style { plain })).expect("it is drawn");
        terminal.backend().to_string()
    }

    #[test]
    fn a_group_elsewhere_has_no_keys_that_break_it() {
        let mut model = Model::new("cart");
        let mut view = sample();
        (view.namespace, view.via) = (Some("shop".into()), "api-server");
        model.view = Some(view);
        let screen = drawn(&model, false);
        assert!(screen.contains("[f] failover [q] quit"), "{screen}");
        assert!(screen.contains("through the API server, namespace shop"), "{screen}");
        for words in ["[k] kill", "[l] load", "ops/s"] {
            assert!(!screen.contains(words), "{words:?} in\n{screen}");
        }
    }

    #[test]
    fn the_screen_shows_the_group_its_news_and_its_keys() {
        let mut model = Model::new("cart");
        assert!(drawn(&model, false).contains("asking the agents"));
        model.view = Some(sample());
        model.rates.extend([10, 20, 8214]);
        model.say("something happened");
        for plain in [false, true] {
            let screen = drawn(&model, plain);
            for words in [
                "cart  HEALTHY",
                "8 214 ops/s",
                "+ cart-0",
                "| cart-1",
                "lag 1.5 K",
                "load off",
                "something happened",
                "[q] quit",
            ] {
                assert!(screen.contains(words), "no {words:?} in\n{screen}");
            }
            let own = |c: char| c.is_ascii() || c == '\u{201c}' || c == '\u{201d}';
            assert!(!plain || screen.chars().all(own), "{screen}");
        }
    }
}
