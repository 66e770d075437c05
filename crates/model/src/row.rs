//! The worlds that are looked at, each with what must come of it.

mod holds;
mod mutants;

use std::fmt;

use crate::config::Config;
use crate::property::Property;
use crate::search::{self, Found};
use crate::world::World;

pub use holds::{full, short};
pub use mutants::{deep_mutants, mutants};

/// One world and what is expected of it.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// What it is called.
    pub name: &'static str,
    /// The world.
    pub config: Config,
    /// `None`: everything holds. Else the property that its mutant (or its fault) breaks.
    pub breaks: Option<Property>,
}

/// What came of a row.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Which.
    pub row: Row,
    /// What the search found.
    pub found: Found,
}

impl Row {
    /// Searches it, at most `limit` states.
    pub fn run(&self, limit: usize) -> Verdict {
        Verdict { row: *self, found: search::explore(&World::new(self.config), limit) }
    }
}

impl Verdict {
    /// Whether it is what was expected; a search that was cut short is not.
    pub fn is_as_expected(&self) -> bool {
        self.found.complete && self.found.broken == self.row.breaks
    }

    /// The shortest way to what is broken, a step a line.
    pub fn story(&self) -> String {
        let line = |(at, step): (usize, &search::Step)| {
            format!("  {at:2} {:24} {}\n", step.action, step.state)
        };
        self.found.trace.iter().enumerate().map(line).collect()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Found { states, depth, complete, broken, .. } = &self.found;
        let said = match broken {
            Some(property) => format!("{property}, in {depth} steps"),
            None if *complete => "holds".to_owned(),
            None => "nothing up to the limit".to_owned(),
        };
        let mark = if self.is_as_expected() { "  " } else { "!!" };
        write!(f, "{mark}{:44} states {states:>9} depth {depth:>3}  {said}", self.row.name)
    }
}
