//! What a trial has shown: one value for the table and for the JSON file.

use std::time::Duration;

use serde::Serialize;

use crate::run::Options;
use crate::suites::Effort;
use crate::verdict::Row;

pub mod json;
pub mod text;

/// A whole trial.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// `interrex-chaos/1`: fields are added, never renamed.
    pub schema: &'static str,
    /// The group's tag.
    pub group: String,
    /// When it began, RFC 3339, UTC.
    pub began: String,
    /// The engine, as its agent names it.
    pub engine: String,
    /// Members of the group.
    pub members: usize,
    /// W of its profile.
    pub wait: Duration,
    /// How often each deed was done, and how long.
    pub effort: Effort,
    /// The load and the deadlines.
    pub options: Options,
    /// One row a scenario.
    pub rows: Vec<Row>,
}

impl Report {
    /// The schema's name.
    pub const SCHEMA: &'static str = "interrex-chaos/1";

    /// Whether every row passed.
    pub fn passed(&self) -> bool {
        self.rows.iter().all(Row::passed)
    }

    /// Whether nothing is broken but how fast it was.
    pub fn is_safe(&self) -> bool {
        self.rows.iter().all(Row::is_safe)
    }
}
