//! The search: depth first over all choices, never twice from one state, with one fault more in
//! each round, so that the first violation is one with the fewest faults.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::bounds::Bounds;
use super::choice::{Choice, Path};
use super::fingerprint::{self, Print};
use super::world::{Setting, Small};
use crate::check::Violation;
use crate::{MS, SECOND};

/// A broken promise, and how to come there.
#[derive(Clone, Debug)]
pub struct Found {
    /// What was broken.
    pub violation: Violation,
    /// The choices that lead to it.
    pub path: Path,
    /// What happened on the way, with the reasons of the effects.
    pub story: Vec<String>,
}

/// What a search found and covered.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Different states at points of choice, of the last round.
    pub states: u64,
    /// Choices made, of the last round.
    pub choices: u64,
    /// Single steps, each of them a call of one election, of the store or of an engine, of all
    /// rounds.
    pub steps: u64,
    /// The most choices on one path.
    pub deepest: u64,
    /// How many faults at a time were covered completely.
    pub faults: Option<u8>,
    /// Every path within the bounds was looked at; else a violation or the limit on states came
    /// first.
    pub exhausted: bool,
    /// The highest epoch of the record, counted from the beginning of the search.
    pub epochs: u64,
    /// The most changes of the electorate on one path.
    pub changes: u64,
    /// The rules of the brain that gave reasons.
    pub rules: BTreeSet<&'static str>,
    /// The first violation.
    pub found: Option<Found>,
}

impl std::fmt::Display for Findings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { states, choices, steps, deepest, epochs, changes, .. } = self;
        let faults = self.faults.map_or("no".to_owned(), |n| n.to_string());
        let how = match (&self.found, self.exhausted) {
            (Some(_), _) => "BROKEN",
            (None, true) => "exhausted",
            (None, false) => "LIMIT REACHED",
        };
        write!(
            f,
            "{states} states, {choices} choices, {steps} steps, at most {deepest} on a path, \
             {epochs} epochs, {changes} electorates, {faults} faults at a time covered, {how}"
        )
    }
}

/// One point of choice on the way down.
struct Frame {
    /// `None` once its last option was taken.
    state: Option<Small>,
    options: Vec<Choice>,
    next: usize,
    point: u64,
}

/// The states that were visited, each with the fewest faults it was reached by.
type Visited = BTreeMap<Print, u8>;

/// The state in which a search begins.
fn root(bounds: &Bounds) -> Small {
    let mut state = Small::new(bounds);
    if !bounds.from_start {
        for m in 0..bounds.members {
            state.start(m);
        }
        settle(&mut state);
    }
    let until = state.now + bounds.horizon_ms * MS;
    let Setting { bounds, names, clocks, .. } = &*state.setting;
    state.setting = Rc::new(Setting {
        bounds: bounds.clone(),
        names: names.clone(),
        clocks: clocks.clone(),
        until,
        steps: Cell::new(0),
        met: RefCell::default(),
    });
    state.points = 0;
    state
}

/// Nobody interferes until member 0 leads, has a write, and everybody has it; and for two seconds
/// more.
fn settle(state: &mut Small) {
    let mut since = None;
    let mut written = false;
    loop {
        assert!(state.go() && state.now < 60 * SECOND, "a group that nobody disturbs settles");
        let settled = state.is_settled() && state.due.is_empty();
        match since {
            _ if !written && state.could_ack(0) => {
                written = true;
                state.client_writes(0);
            }
            None if settled => since = Some(state.now),
            Some(at) if settled && state.now >= at + 2 * SECOND => return,
            _ => {}
        }
    }
}

impl Small {
    /// Member 0 can acknowledge, and everybody else has a seat and is exact.
    fn is_settled(&self) -> bool {
        let seats = self.record().map_or(0, |r| r.electorate.len());
        let exact = self.members.iter().all(|m| m.memory.exact);
        self.could_ack(0) && seats == self.members.len() - 1 && exact
    }

    /// Goes on to the next point at which there is a choice; `None` at the end.
    fn run(&mut self) -> Option<Vec<Choice>> {
        while self.broken.is_none() {
            if self.is_point() {
                let options = self.options();
                if options.len() > 1 {
                    return Some(options);
                }
                self.pass_point();
            }
            if !self.go() {
                return None;
            }
        }
        None
    }
}

/// One round of a search.
struct Round {
    visited: Visited,
    limit: u64,
    findings: Findings,
    first: (u64, u64),
}

impl Round {
    /// Looks at every path from here.
    fn look(&mut self, mut root: Small) -> Option<(Violation, Path)> {
        let mut stack = Vec::new();
        self.arrive(&mut root)
            .into_iter()
            .for_each(|options| push(&mut stack, root.clone(), options));
        if let Some(violation) = root.broken {
            return Some((violation, Path::default()));
        }
        while let Some(frame) = stack.last_mut() {
            let Some(choice) = frame.options.get(frame.next).copied() else {
                stack.pop();
                continue;
            };
            frame.next += 1;
            let last = frame.next == frame.options.len();
            let state = if last { frame.state.take() } else { frame.state.clone() };
            let mut state = state.expect("only the last option takes the state");
            self.findings.choices += 1;
            let options = if state.choose(choice) { self.arrive(&mut state) } else { None };
            if let Some(violation) = state.broken {
                return Some((violation, path(&stack)));
            }
            if let Some(options) = options {
                push(&mut stack, state, options);
                self.findings.deepest = self.findings.deepest.max(stack.len() as u64);
            }
            if self.findings.states >= self.limit {
                self.findings.exhausted = false;
                return None;
            }
        }
        None
    }

    /// The options of the next point, if nobody has been there with as few faults.
    fn arrive(&mut self, state: &mut Small) -> Option<Vec<Choice>> {
        let options = state.run();
        if let Some(record) = state.record() {
            let (epoch, version) = (record.epoch.0, record.electorate.version);
            self.findings.epochs = self.findings.epochs.max(epoch.saturating_sub(self.first.0));
            let changes = version.saturating_sub(self.first.1);
            self.findings.changes = self.findings.changes.max(changes);
        }
        let options = options?;
        let faults = state.faults;
        let known = self.visited.entry(fingerprint::of(state)).or_insert(u8::MAX);
        if *known <= faults {
            return None;
        }
        if *known == u8::MAX {
            self.findings.states += 1;
        }
        *known = faults;
        Some(options)
    }
}

fn push(stack: &mut Vec<Frame>, state: Small, options: Vec<Choice>) {
    let point = state.points;
    stack.push(Frame { state: Some(state), options, next: 0, point });
}

fn path(stack: &[Frame]) -> Path {
    let chosen = stack.iter().map(|f| (f.point, f.options[f.next - 1]));
    Path(chosen.filter(|(_, choice)| *choice != Choice::Go).collect())
}

/// Looks at everything within the bounds.
pub fn explore(bounds: &Bounds) -> Findings {
    let mut all = Findings::default();
    for faults in 0..=bounds.faults {
        let bounds = Bounds { faults, ..bounds.clone() };
        let root = root(&bounds);
        let setting = Rc::clone(&root.setting);
        let first = root.record().map_or((0, 0), |r| (r.epoch.0, r.electorate.version));
        let findings = Findings { exhausted: true, ..Findings::default() };
        let visited = Visited::default();
        let mut round = Round { visited, limit: bounds.states, findings, first };
        let found = round.look(root);
        let done = round.findings.exhausted && found.is_none();
        all = Findings {
            steps: all.steps + setting.steps.get(),
            faults: if done { Some(faults) } else { all.faults },
            rules: setting.met.borrow().clone(),
            exhausted: done,
            found: found.map(|(violation, path)| {
                let story = replay(&bounds, &path).1;
                Found { violation, path, story }
            }),
            ..round.findings
        };
        if !done {
            break;
        }
    }
    all
}

/// Goes this path once more: what it breaks, and what happens on it. A choice that is not to be had
/// at its point, because the brain has come there another way, is passed over.
pub fn replay(bounds: &Bounds, path: &Path) -> (Option<Violation>, Vec<String>) {
    let mut state = root(bounds);
    state.story = Some(Vec::new());
    let mut chosen = path.0.iter();
    let mut next = chosen.next();
    while state.broken.is_none() {
        let at_point = state.is_point();
        let going = match next {
            Some((point, choice)) if at_point && *point == state.points => {
                next = chosen.next();
                let may = state.options().contains(choice);
                state.choose(if may { *choice } else { Choice::Go })
            }
            _ if at_point => state.choose(Choice::Go),
            _ => state.go(),
        };
        if !going {
            break;
        }
    }
    (state.broken, state.story.unwrap_or_default())
}
