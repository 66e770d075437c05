//! The comparison as a page of documentation: tables that a run produced, each with its command.

use std::fmt::Write;

use super::report::{Comparison, Row, cells};
use super::{Contender, Harm};

/// The name of the page.
pub const PAGE: &str = "BENCHMARKS.md";
/// The name of the picture beside the page.
pub const PICTURE: &str = "benchmarks.svg";
/// The heading of the part of the page that another run writes: the same systems as pods.
pub const PODS: &str = "## As pods on Kubernetes";

/// The part of a page under [`PODS`], with its heading and up to the next one of that level; empty
/// when there is none.
pub fn pods(page: &str) -> &str {
    let Some(from) = heading(page, |line| line == PODS) else { return "" };
    let part = &page[from..];
    let rest = &part[PODS.len()..];
    match heading(rest, |line| line.starts_with("## ")) {
        Some(next) => &part[..PODS.len() + next],
        None => part,
    }
}

/// The page with this part in the place of the one that it has; at its end when it has none.
#[must_use]
pub fn with_pods(page: &str, part: &str) -> String {
    let old = pods(page);
    if part.is_empty() && old.is_empty() {
        return page.to_owned();
    }
    let (before, after) = match page.find(old).filter(|_| !old.is_empty()) {
        Some(at) => (&page[..at], &page[at + old.len()..]),
        None => (page, ""),
    };
    let parts = [before, part, after].map(str::trim_end);
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join("\n\n") + "\n"
}

/// Where the first such line begins that is not inside of a fence.
fn heading(text: &str, is_it: impl Fn(&str) -> bool) -> Option<usize> {
    let (mut at, mut is_fenced) = (0, false);
    for line in text.split_inclusive('\n') {
        if line.starts_with("```") {
            is_fenced = !is_fenced;
        } else if !is_fenced && is_it(line.trim_end()) {
            return Some(at);
        }
        at += line.len();
    }
    None
}

/// The page. `version` is this program's.
pub fn render(comparison: &Comparison, version: &str) -> String {
    let mut text = String::from(
        "# Side by side\n\n\
         The same load and the same faults, one system after the other, against what people use \
         today:\n\
         plain processes of the same engine on one machine, each event on a fresh start. Its \
         tables are\n\
         written by a run and by nothing else; those of pods, where there are any, by a run of \
         their own:\n\n",
    );
    let profile = match comparison.profile.as_str() {
        "default" => String::new(),
        other => format!(" --profile {other}"),
    };
    let runs = comparison.runs;
    let _ = writeln!(text, "```sh\ninterrex compare --runs {runs}{profile} --write docs\n```\n");
    let _ = writeln!(
        text,
        "Interrex {version}, profile {}; engine {}; {}.\n",
        comparison.profile,
        comparison.engine,
        comparison.machine.words()
    );
    let _ = writeln!(
        text,
        "![The median write gap of every system after every fault, on a logarithmic scale]\
         ({PICTURE})\n"
    );
    for harm in comparison.harms() {
        section(&mut text, comparison, harm, &format!(" --runs {runs}{profile}"));
    }
    systems(&mut text, comparison);
    text.push_str(COLUMNS);
    text
}

fn section(text: &mut String, comparison: &Comparison, harm: Harm, options: &str) {
    let _ = writeln!(text, "## {}\n\n{}\n", harm.title(), harm.sentence());
    let _ = writeln!(text, "```sh\ninterrex compare --only {}{options}\n```\n", harm.name());
    if let Some(why) = comparison.of(harm).find_map(|row| row.skipped.as_ref()) {
        let _ = writeln!(text, "Not measured here: {why}.\n");
        return;
    }
    text.push_str(
        "| system | runs | write gap p50 | longest | healthy again p50 | longest | writes lost \
         | of these waited for | late acks |\n|---|---|---|---|---|---|---|---|---|\n",
    );
    for row in comparison.of(harm) {
        let mut cells = cells(row);
        let keys = row.sum(|event| event.lost_seeds);
        if keys > 0 && row.is_counted() {
            let _ = write!(cells[5], ", and {keys} older keys");
        }
        let _ = writeln!(text, "| {} | {} |", name(row), cells.join(" | "));
    }
    text.push('\n');
    for row in comparison.of(harm) {
        if let Some(error) = &row.error {
            let _ = writeln!(text, "{} ended early: {error}\n", row.rival.title());
        }
    }
}

fn name(row: &Row) -> String {
    match row.rival {
        Contender::Interrex => format!("**{}**", row.rival.title()),
        other => other.title().to_owned(),
    }
}

fn systems(text: &mut String, comparison: &Comparison) {
    text.push_str("## The systems\n\n");
    let mut seen: Vec<Contender> = Vec::new();
    for row in &comparison.rows {
        if !seen.contains(&row.rival) {
            seen.push(row.rival);
            let _ = writeln!(text, "- {}: {}.", name(row), row.rival.sentence());
        }
    }
    text.push_str(
        "\nEvery engine has an append-only file and otherwise its own defaults; a process of a \
         rival that ends\nis started again after 1 s. Clients of Sentinel ask the Sentinels \
         before each connect and hear of a\nswitch within 0.05 s, clients of the cluster follow \
         its slot map and redirections, clients of Interrex\nknow one address. What has waits \
         of its own default is done half as often, rounded up.\n\n",
    );
}

const COLUMNS: &str = "\
## The columns

Four connections write 600 times a second and give an answer 0.5 s; two of them wait for a replica
(`WAIT 1`) after every second write. Where the primary is frozen, 320 writes more wait on 64 open
connections; where it is cut off, one client more is on its side and writes 50 times a second.

- **write gap**: the longest time without an acknowledged write of the four. With *>* writes were
  not back while they were watched.
- **healthy again**: from the fault on, until every member is there and in sync and stays so for a
  second.
- **writes lost**: each acknowledged write is looked for at the end on whoever is primary then;
  the sum over all runs. Redis replication is asynchronous: writes that nobody waited for may be
  lost by a sudden death in every one of these systems.
- **of these waited for**: those of which `WAIT` had said that a replica has them.
- **late acks**: acknowledgements of the old primary after the new one gave its first, heard by a
  client that asks it 50 times a second at its own address, and by those whose writes wait there.
";

#[cfg(test)]
mod tests {
    use super::super::report::tests::sample;
    use super::*;

    #[test]
    fn the_part_about_pods_is_kept_and_replaced_and_nothing_else_is() {
        let page = render(&sample(), "0.1.0");
        assert_eq!(pods(&page), "");
        assert_eq!(with_pods(&page, ""), page, "none before, none after");
        let part = format!("{PODS}\n\n```sh\n## no heading\n```\n\nold\n");
        let with = with_pods(&page, &part);
        assert_eq!(with, format!("{page}\n{part}"));
        assert_eq!(pods(&with), part);
        // A page that is written anew keeps it.
        assert_eq!(with_pods(&page, pods(&with)), with);
        let newer = format!("{PODS}\n\nnew\n");
        assert_eq!(with_pods(&with, &newer), format!("{page}\n{newer}"));
        let amid = format!("# Page\n\n{part}\n## More\n\nof it\n");
        assert_eq!(pods(&amid), format!("{part}\n"));
        let wanted = format!("# Page\n\n{newer}\n## More\n\nof it\n");
        assert_eq!(with_pods(&amid, &newer), wanted);
        assert_eq!(with_pods(&amid, ""), "# Page\n\n## More\n\nof it\n");
    }

    #[test]
    fn every_table_has_its_command_and_nothing_names_a_day_or_a_host() {
        let mut sample = sample();
        sample.rows[4].events[0].lost_seeds = 20_000;
        let page = render(&sample, "0.1.0");
        for harm in sample.harms() {
            let command = format!("interrex compare --only {} --runs 2\n", harm.name());
            assert!(page.contains(&command), "{command}: {page}");
        }
        for wanted in [
            "| **Interrex** | 2 | 0.024 s | 0.031 s | 0.924 s | 0.931 s | 2 | 0 | 0 |",
            "| 2160, and 20000 older keys | 321 | 1433 |",
            "Not measured here: needs root.",
            "Interrex 0.1.0, profile default; engine redis 7.0.15; 2 cores",
            "](benchmarks.svg)",
        ] {
            assert!(page.contains(wanted), "{wanted}: {page}");
        }
        let columns = page.matches("|---|---|---|---|---|---|---|---|---|").count();
        assert_eq!(columns, 2, "one table for each harm that was tried");
        assert!(!page.contains("202"), "a year: {page}");
        assert!(!page.lines().any(|line| line.ends_with(' ')), "{page}");
    }
}
