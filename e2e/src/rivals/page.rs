//! The run as a part of the page that `interrex compare` writes: only this part is replaced.

use std::fmt::Write as _;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use trial::rivals::Contender;
use trial::rivals::page::{PAGE, PODS, with_pods};

use crate::error::Error;

use super::list::sentence;
use super::report::{Report, cell};

/// What a page begins with that nobody has written yet.
const EMPTY: &str = "# Side by side\n";

/// Writes the part into the page in this directory; gives the page's path. `options` are those of
/// the command that made the report, as they are typed.
pub(crate) fn write(report: &Report, directory: &Path, options: &str) -> Result<PathBuf, Error> {
    let path = directory.join(PAGE);
    let page = match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => EMPTY.to_owned(),
        read => read.map_err(|source| Error::Read { path: path.clone(), source })?,
    };
    let written = std::fs::write(&path, with_pods(&page, &part(report, options)));
    written.map_err(|source| Error::Write { path: path.clone(), source })?;
    Ok(path)
}

fn part(report: &Report, options: &str) -> String {
    let times = if report.runs == 1 { "once" } else { &format!("{} times", report.runs) };
    let mut text = format!(
        "{PODS}\n\n\
         The same load and harms of the same kind, on the test cluster: three hosts, every engine \
         with a volume,\n\
         and a client in a pod on a host that is not broken. This part is written by a run and by \
         nothing else:\n\n\
         ```sh\ne2e/run rivals{options} --write docs\n```\n\n\
         Interrex {}, profile default; engine {}; {}, for all hosts and clients; each harm \
         {times}.\n\n\
         Each cell: the median and the longest time without an acknowledged write, with *>* where \
         writes were\n\
         not back; the acknowledged writes that were lost, all runs together; how often it was \
         stuck.\n\n",
        env!("CARGO_PKG_VERSION"),
        report.engine,
        report.machine.words(),
    );
    table(&mut text, report);
    text.push_str("\nWhat is done to the primary:\n\n");
    for harm in report.harms() {
        let _ = writeln!(text, "- **{}**: {}.", harm.title(), harm.sentence());
    }
    text.push_str("\nTo whom:\n\n");
    for who in report.systems() {
        let _ = writeln!(text, "- {}: {}.", name(who), sentence(who));
    }
    text.push_str(COLUMNS);
    for row in &report.rows {
        let why = row.error.as_ref().or(row.skipped.as_ref());
        if let Some(why) = why {
            let (harm, who) = (row.harm.title(), row.rival.title());
            let _ = writeln!(text, "\nNot measured to its end: {harm}, {who}: {why}.");
        }
    }
    text
}

fn table(text: &mut String, report: &Report) {
    let harms = report.harms();
    let heads: Vec<&str> = harms.iter().map(|harm| harm.title()).collect();
    let _ = writeln!(text, "| system | {} |", heads.join(" | "));
    let _ = writeln!(text, "|{}", "---|".repeat(heads.len() + 1));
    for who in report.systems() {
        let cells = harms.iter().map(|harm| {
            let lines = report.row(*harm, who).map(cell).unwrap_or_default();
            let lines = lines
                .into_iter()
                .map(|line| if line.starts_with("stuck") { format!("**{line}**") } else { line });
            lines.collect::<Vec<_>>().join(", ")
        });
        let cells: Vec<String> = cells.collect();
        let _ = writeln!(text, "| {} | {} |", name(who), cells.join(" | "));
    }
}

fn name(who: Contender) -> String {
    match who {
        Contender::Interrex => format!("**{}**", who.title()),
        other => other.title().to_owned(),
    }
}

const COLUMNS: &str = "
Four connections write 400 times a second and give an answer 0.5 s; two of them wait for a replica
(`WAIT 1`) after every second write: *waited for* are those lost of which it had said that a replica
has them. *Older* are keys of before that were lost. *Stuck*: 120 s after the harm it had no writes,
or still lacked a primary that all agree on, a replica in sync, or a restarted engine. A system is
made anew for every column, whenever it was stuck, when a container of it was started again (the
kubelet would hold its next start back) and when two primaries of a cluster share a host. Who is cut
off has one client more on its side, which writes 50 times a second; what it loses counts.
";

#[cfg(test)]
mod tests {
    use super::super::report::tests::sample;
    use super::*;

    #[test]
    fn the_part_has_its_command_its_table_and_every_system() {
        let text = part(&sample(), " --runs 2");
        for wanted in [
            "## As pods on Kubernetes\n",
            "\ne2e/run rivals --runs 2 --write docs\n",
            "engine valkey 8.1.1; 2 cores, 16 GiB of memory, linux x86_64, for all hosts",
            "each harm 2 times.",
            "| system | engine killed | all rolled |\n|---|---|---|\n",
            "| **Interrex** | 0.12/0.18 s, lost 2 | 0.06/0.06 s, lost 0 |",
            "| >11.6/>152 s, lost ?, **stuck 1 of 2** |",
            "- Sentinel, 5 s: `e2e/rivals/sentinel.yaml`: three engines",
            "Not measured to its end: all rolled, Sentinel, 30 s (default): no volumes.",
        ] {
            assert!(text.contains(wanted), "{wanted}: {text}");
        }
        assert!(!text.lines().any(|line| line.ends_with(' ')), "{text}");
        assert!(!text.contains("\n\n\n"), "{text}");
    }

    #[test]
    fn only_this_part_of_the_page_is_replaced() {
        let mut sample = sample();
        let name = format!("interrex-e2e-page-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).expect("a directory");
        let read = || std::fs::read_to_string(directory.join(PAGE)).expect("the page");
        write(&sample, &directory, " --runs 2").expect("it is written");
        assert!(read().starts_with("# Side by side\n\n## As pods on Kubernetes\n"), "{}", read());
        std::fs::write(directory.join(PAGE), "# Other\n\nwords\n").expect("a page");
        write(&sample, &directory, " --runs 2").expect("it is written");
        sample.engine = "redis 8.0.2".to_owned();
        write(&sample, &directory, " --runs 2").expect("it is written");
        let page = read();
        std::fs::remove_dir_all(&directory).expect("it is removed");
        assert!(page.starts_with("# Other\n\nwords\n\n## As pods"), "{page}");
        assert!(page.contains("redis 8.0.2") && !page.contains("valkey 8.1.1"), "{page}");
        assert_eq!(page.matches(PODS).count(), 1, "{page}");
    }
}
