//! `interrex logs`: what agents, engines and the group's other parts say.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::time::Duration;

use local::home::Part;
use tokio::time::{MissedTickBehavior, interval};

use crate::args::Logs;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::group::Group;
use crate::signals;
use crate::ui::Printer;

/// How often a followed file is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// A file that is printed.
struct Tail {
    name: String,
    path: PathBuf,
    /// How far it was printed, in bytes.
    read: u64,
    /// The beginning of a line whose end is not there yet.
    rest: String,
}

pub(super) async fn run(args: Logs, printer: &mut Printer) -> Outcome {
    let (group, member) = Group::find_with_member(args.tag.as_deref(), args.member.as_deref())?;
    let mut tails = tails(&group, member.as_deref()).await?;
    let several = tails.len() > 1;
    for tail in &mut tails {
        for line in tail.last(args.lines)? {
            printer.line(&label(&tail.name, &line, several))?;
        }
    }
    if !args.follow {
        return Ok(Exit::Healthy);
    }
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let end = signals::end();
    tokio::pin!(end);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = &mut end => return Ok(Exit::Healthy),
        }
        for tail in &mut tails {
            for line in tail.news()? {
                printer.line(&label(&tail.name, &line, several))?;
            }
        }
    }
}

fn label(name: &str, line: &str, several: bool) -> String {
    if several { format!("{name:<10} {line}") } else { line.to_owned() }
}

async fn tails(group: &Group, word: Option<&str>) -> Result<Vec<Tail>, Failure> {
    let parts = match word {
        None => group.members().iter().map(|m| Part::Agent(m.name.clone())).collect(),
        Some("keeper") => vec![Part::Keeper],
        Some("store") => vec![Part::Store],
        Some("links") => vec![Part::Links],
        Some(word @ ("primary" | "replica")) => {
            let seen = group.look().await;
            vec![Part::Agent(group.resolve(word, &seen)?.name)]
        }
        Some(name) => {
            let member = group.home.member(name);
            let member = member.map_err(|error| Failure::of(&error).hint_if(error.hint()))?;
            vec![Part::Agent(member.name.clone())]
        }
    };
    let tail = |part: Part| Tail {
        name: match &part {
            Part::Agent(name) => name.clone(),
            other => other.to_string(),
        },
        path: group.log(&part),
        read: 0,
        rest: String::new(),
    };
    Ok(parts.into_iter().map(tail).collect())
}

impl Tail {
    fn open(&self) -> Result<Option<File>, Failure> {
        match File::open(&self.path) {
            Ok(file) => Ok(Some(file)),
            // A part that has said nothing yet.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed(&error)),
        }
    }

    fn failed(&self, error: &std::io::Error) -> Failure {
        Failure::new(format!("cannot read {}", self.path.display())).because(error)
    }

    /// The last lines; what follows is news.
    fn last(&mut self, count: usize) -> Result<Vec<String>, Failure> {
        let Some(file) = self.open()? else { return Ok(Vec::new()) };
        let mut lines = VecDeque::new();
        let mut reader = BufReader::new(file);
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = reader.read_until(b'\n', &mut line).map_err(|e| self.failed(&e))?;
            if read == 0 {
                break;
            }
            self.read += read as u64;
            lines.push_back(String::from_utf8_lossy(&line).trim_end().to_owned());
            if lines.len() > count {
                lines.pop_front();
            }
        }
        Ok(lines.into())
    }

    /// The whole lines that came since.
    fn news(&mut self) -> Result<Vec<String>, Failure> {
        let Some(mut file) = self.open()? else { return Ok(Vec::new()) };
        let length = file.metadata().map_err(|e| self.failed(&e))?.len();
        if length < self.read {
            // A new file took the place of the old one.
            self.read = 0;
            self.rest.clear();
        }
        if length == self.read {
            return Ok(Vec::new());
        }
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(self.read)).map_err(|e| self.failed(&e))?;
        file.read_to_end(&mut bytes).map_err(|e| self.failed(&e))?;
        self.read += bytes.len() as u64;
        self.rest.push_str(&String::from_utf8_lossy(&bytes));
        let Some(end) = self.rest.rfind('\n') else { return Ok(Vec::new()) };
        let whole: String = self.rest.drain(..=end).collect();
        Ok(whole.lines().map(str::to_owned).collect())
    }
}
