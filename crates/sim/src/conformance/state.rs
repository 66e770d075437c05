//! What is seen of engines and clients, and what of it is compared.
//!
//! Compared is what decisions are made from. Left out, with reasons: bytes (offsets are compared by
//! their order within a stream, and by the writes before them, as engines and model encode writes
//! differently); the names of streams (they are drawn, so they are numbered in the order in which
//! they are seen); how far the disk is (the agent computes it from time, `observe.rs`, and the
//! scripts look at what a restart finds); seconds since something (they are never still); and what
//! a frozen process shows, as it shows nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use engine::Replid;

use super::{Client, Who};
use crate::history::Write;

/// One look at everything.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// The engines, by number.
    pub engines: Vec<Process>,
    /// What clients heard, by client and engine.
    pub talks: BTreeMap<(Client, Who), Talk>,
    /// What the last order got: `OK`, or the first word of the refusal.
    pub order: String,
    /// Whether the offset moves by itself.
    pub pings: bool,
}

/// One engine, as it is found.
#[derive(Clone, Debug)]
pub enum Process {
    /// It does not run.
    Gone,
    /// It is stopped, and says nothing.
    Frozen,
    /// What it says.
    Runs(Box<Seen>),
}

/// What an engine says of itself.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// It reads its files, or those of a full sync.
    pub loading: bool,
    /// It accepts writes.
    pub is_primary: bool,
    /// Whom it follows; `None` for the dead end.
    pub upstream: Option<Who>,
    /// Its link is up.
    pub link_up: bool,
    /// A full sync is on its way.
    pub syncing: bool,
    /// Its stream.
    pub replid: Replid,
    /// The stream that it continued.
    pub replid2: Replid,
    /// The first byte of `replid` that `replid2` does not have.
    pub second: u64,
    /// Where its data are, when that is known (engine.md 1.4).
    pub position: Option<u64>,
    /// `master_repl_offset`.
    pub offset: u64,
    /// Its replicas.
    pub copies: Vec<Copy>,
    /// The writes that it holds; `None` while it loads.
    pub writes: Option<Vec<Write>>,
    /// Full syncs that this process began to give.
    pub full: u64,
    /// Partial syncs that this process gave.
    pub partial: u64,
    /// `min-replicas-to-write`, and the replicas that count for it.
    pub guard: Option<(u32, u64)>,
    /// It cannot write its files.
    pub misconfigured: bool,
}

/// A replica as its upstream sees it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Copy {
    /// Whose.
    pub who: Who,
    /// It receives the stream.
    pub online: bool,
    /// How far it said it is.
    pub acked: u64,
}

/// The conversation of one client with one engine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Talk {
    /// Answers so far, in order.
    pub answers: Vec<String>,
    /// Commands without one.
    pub pending: usize,
}

/// What is compared: a value for a place and a field.
pub type State = BTreeMap<(String, &'static str), String>;

/// One value that is not what the model says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// `"0"` for an engine, `"client 0 at 1"`, `"order"`.
    pub place: String,
    /// Which field.
    pub field: &'static str,
    /// Of the model.
    pub model: String,
    /// Of the engine.
    pub engine: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, field, model, engine } = self;
        write!(f, "{place}: {field}: model {model:?}, engine {engine:?}")
    }
}

/// Everything in which two states differ.
pub fn differences(model: &State, engine: &State) -> Vec<Difference> {
    let keys: BTreeSet<_> = model.keys().chain(engine.keys()).collect();
    let value = |state: &State, key| state.get(key).cloned().unwrap_or_else(|| "-".to_owned());
    keys.into_iter()
        .filter(|key| model.get(*key) != engine.get(*key))
        .map(|key| Difference {
            place: key.0.clone(),
            field: key.1,
            model: value(model, key),
            engine: value(engine, key),
        })
        .collect()
}

/// The names that streams got, and where writes were in them: of one play.
#[derive(Clone, Debug, Default)]
pub struct Names {
    streams: Vec<Replid>,
    writes_at: BTreeMap<(Replid, u64), usize>,
}

impl Names {
    /// What is compared of a look; streams that are seen for the first time are named by it.
    pub fn state(&mut self, look: &Look) -> State {
        for seen in look.engines.iter().filter_map(running) {
            for replid in [&seen.replid, &seen.replid2] {
                if replid.is_known() && !self.streams.contains(replid) {
                    self.streams.push(replid.clone());
                }
            }
            if let (Some(writes), Some(position)) = (&seen.writes, seen.position) {
                self.writes_at.insert((seen.replid.clone(), position), writes.len());
            }
        }
        let mut state = State::new();
        for (who, process) in look.engines.iter().enumerate() {
            let place = who.to_string();
            let word = match process {
                Process::Gone => "gone",
                Process::Frozen => "frozen",
                Process::Runs(seen) => {
                    self.engine(&place, seen, look, &mut state);
                    "runs"
                }
            };
            state.insert((place, "process"), word.to_owned());
        }
        for ((client, at), talk) in &look.talks {
            let place = format!("client {client} at {at}");
            state.insert((place.clone(), "answers"), counted(&talk.answers));
            state.insert((place, "pending"), talk.pending.to_string());
        }
        state.insert(("order".to_owned(), "answer"), look.order.clone());
        state
    }

    fn engine(&self, place: &str, seen: &Seen, look: &Look, state: &mut State) {
        let mut set = |field, value: String| state.insert((place.to_owned(), field), value);
        let upstream = match seen.upstream {
            _ if seen.is_primary => "primary".to_owned(),
            None => "replica of nobody".to_owned(),
            Some(who) => format!("replica of {who}"),
        };
        set("role", upstream);
        set("loading", seen.loading.to_string());
        set("link", if seen.link_up { "up" } else { "down" }.to_owned());
        set("full sync", if seen.syncing { "on its way" } else { "no" }.to_owned());
        set("stream", self.stream(&seen.replid));
        set("old stream", self.stream(&seen.replid2));
        set("position", position(seen, look));
        if seen.replid2.is_known() {
            set("branches after", self.branches_after(seen));
        }
        set("writes", seen.writes.as_ref().map_or("unknown".to_owned(), |w| ranges(w)));
        set("replicas", copies(seen, look.pings));
        set("full syncs given", seen.full.to_string());
        set("partial syncs given", seen.partial.to_string());
        if let Some((wanted, good)) = seen.guard {
            set("min-replicas", format!("{good} of {wanted}"));
        }
        set("cannot save", seen.misconfigured.to_string());
    }

    fn stream(&self, replid: &Replid) -> String {
        match self.streams.iter().position(|known| known == replid) {
            Some(number) => format!("r{}", number + 1),
            None => "none".to_owned(),
        }
    }

    /// How many writes the old stream had where this one leaves it.
    fn branches_after(&self, seen: &Seen) -> String {
        let at = (seen.replid2.clone(), seen.second.saturating_sub(1));
        match self.writes_at.get(&at) {
            Some(writes) => format!("{writes} writes"),
            None => "a place that nobody was seen at".to_owned(),
        }
    }
}

fn running(process: &Process) -> Option<&Seen> {
    match process {
        Process::Runs(seen) => Some(seen),
        _ => None,
    }
}

/// The rank of a position among those of the same stream, the furthest last.
fn position(seen: &Seen, look: &Look) -> String {
    let Some(position) = seen.position else { return "none".to_owned() };
    let others = look.engines.iter().filter_map(running);
    let others = others.filter(|other| other.replid == seen.replid);
    let all: BTreeSet<u64> = others.filter_map(|other| other.position).collect();
    let rank = all.range(..=position).count();
    format!("{rank} of {}", all.len())
}

fn copies(seen: &Seen, pings: bool) -> String {
    let mut copies = seen.copies.clone();
    copies.sort();
    let copies = copies.iter().map(|copy| {
        let online = if copy.online { "online" } else { "syncing" };
        let level = if pings || !copy.online {
            ""
        } else if copy.acked >= seen.offset {
            ", has all"
        } else {
            ", behind"
        };
        format!("{} {online}{level}", copy.who)
    });
    let copies: Vec<_> = copies.collect();
    if copies.is_empty() { "none".to_owned() } else { copies.join("; ") }
}

/// `1-3 5` for 1, 2, 3 and 5.
fn ranges(writes: &[Write]) -> String {
    let mut sorted = writes.to_vec();
    sorted.sort_unstable();
    let mut runs: Vec<(Write, Write)> = Vec::new();
    for write in sorted {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == write => *last = write,
            _ => runs.push((write, write)),
        }
    }
    let runs =
        runs.iter().map(
            |(first, last)| {
                if first == last { first.to_string() } else { format!("{first}-{last}") }
            },
        );
    let runs: Vec<_> = runs.collect();
    if runs.is_empty() { "none".to_owned() } else { runs.join(" ") }
}

/// `OK×3 READONLY` for three times OK and one READONLY.
fn counted(answers: &[String]) -> String {
    let mut runs: Vec<(&str, usize)> = Vec::new();
    for answer in answers {
        match runs.last_mut() {
            Some((same, times)) if same == answer => *times += 1,
            _ => runs.push((answer, 1)),
        }
    }
    let runs = runs.iter().map(|(answer, times)| match times {
        1 => (*answer).to_owned(),
        _ => format!("{answer}×{times}"),
    });
    runs.collect::<Vec<_>>().join(" ")
}
