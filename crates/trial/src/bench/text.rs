//! The bench's table for people, in 100 columns.

use std::fmt::Write;

use super::rest::{CPU_PERCENT, RSS_MIB};
use super::{BenchReport, BenchRow, MUST, Turn, WANTED};
use crate::verdict::median;

/// The whole report. `ascii` uses no sign beyond ASCII.
pub fn render(report: &BenchReport, ascii: bool) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{}, fence {}, {} replicas on both sides, {} connections, {} turns of {:.1} s each",
        report.engine,
        report.fence,
        report.replicas,
        report.plan.connections,
        report.plan.rounds,
        report.plan.length.as_secs_f64(),
    );
    let _ = writeln!(
        text,
        "  {:6} {:>9} {:>11} {:>11} {:>7} {:>16} {:>9} {:>7} {:>7}",
        "", "PIPELINE", "GROUP/S", "BARE/S", "RATIO", "SPREAD", "CPU RATIO", "WANTED", "MUST"
    );
    for row in &report.rows {
        line(&mut text, row);
    }
    for (name, wanted, actual) in &report.different {
        let _ = writeln!(text, "‼ the bare engine has {name} {actual:?} instead of {wanted:?}");
    }
    if report.agents.is_empty() {
        let _ = writeln!(text, "  agents at rest: not measured on this system");
    }
    for agent in &report.agents {
        let sign = if agent.passed() { "√" } else { "×" };
        let _ = writeln!(
            text,
            "{sign} agent of {} at rest: {:.1} MiB (≤ {RSS_MIB}), {:.2} % of a core (≤ {CPU_PERCENT})",
            agent.member, agent.rss_mib, agent.cpu_percent
        );
    }
    if ascii {
        text = text.replace('√', "ok").replace('×', "x").replace('‼', "!").replace('≤', "<=");
        text = text.replace('–', "-").replace('≥', ">=");
    }
    text
}

fn line(text: &mut String, row: &BenchRow) {
    let sign = match row.ratio {
        ratio if ratio >= WANTED => "√",
        ratio if ratio >= MUST => "‼",
        _ => "×",
    };
    let per_s = |turns: &[Turn]| median(turns.iter().map(|turn| turn.per_s).collect());
    let pairs: Vec<f64> =
        row.group.iter().zip(&row.bare).map(|(group, bare)| group.per_s / bare.per_s).collect();
    let least = pairs.iter().copied().fold(f64::INFINITY, f64::min);
    let most = pairs.iter().copied().fold(0.0, f64::max);
    let command = format!("{:?}", row.workload.command).to_uppercase();
    let _ = writeln!(
        text,
        "{sign} {command:6} {:>9} {:>11.0} {:>11.0} {:>7.3} {:>16} {:>9.3} {:>7} {:>7}",
        row.workload.pipeline,
        per_s(&row.group),
        per_s(&row.bare),
        row.ratio,
        format!("{least:.3}–{most:.3}"),
        row.cpu_ratio,
        format!("≥ {WANTED}"),
        format!("≥ {MUST}"),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{AgentAtRest, BenchPlan, WORKLOADS};

    #[test]
    fn the_table_shows_ratios_and_fits() {
        let row = |ratio: f64| BenchRow {
            workload: WORKLOADS[2],
            group: vec![Turn { per_s: 1_000_000.0 * ratio, cpu_us: 1.0 }],
            bare: vec![Turn { per_s: 1_000_000.0, cpu_us: 1.0 }],
            ratio,
            cpu_ratio: 1.0,
        };
        let agent = AgentAtRest { member: "cart-0".to_owned(), rss_mib: 13.0, cpu_percent: 0.1 };
        let report = BenchReport {
            schema: "interrex-bench/1",
            group: "cart".to_owned(),
            engine: "redis 7.0.15".to_owned(),
            fence: "gate".to_owned(),
            replicas: 2,
            different: vec![("save".to_owned(), "900 1".to_owned(), String::new())],
            plan: BenchPlan::default(),
            rows: vec![row(0.99), row(0.96), row(0.5)],
            agents: vec![agent],
        };
        let text = render(&report, false);
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
        for wanted in ["√ SET", "‼ SET", "× SET", "0.960", "× agent of cart-0 at rest: 13.0 MiB"]
        {
            assert!(text.contains(wanted), "{wanted}: {text}");
        }
        assert!(render(&report, true).is_ascii() && !report.passed());
    }
}
