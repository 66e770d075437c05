//! Why: the sentence that the log, `why`, `status` and the simulator's trace all show.

use std::fmt;

/// A rule's name and the facts it was applied to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reason {
    /// A stable word for the rule, such as `appointed` or `heartbeat`.
    pub rule: &'static str,
    /// Whether people want to read it: part of a story, as opposed to routine.
    pub story: bool,
    /// The facts, as a sentence; empty for pure routine.
    pub text: String,
}

/// The rule by which a group that has lost everything begins anew: the one that nobody may miss.
pub const BEGINS_EMPTY: &str = "begins-empty";

impl Reason {
    /// A routine step.
    pub fn routine(rule: &'static str) -> Self {
        Self { rule, story: false, text: String::new() }
    }

    /// A routine step with facts worth keeping in a trace.
    pub fn detail(rule: &'static str, text: impl Into<String>) -> Self {
        Self { rule, story: false, text: text.into() }
    }

    /// A step of a story.
    pub fn story(rule: &'static str, text: impl Into<String>) -> Self {
        Self { rule, story: true, text: text.into() }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.text.is_empty() { f.write_str(self.rule) } else { f.write_str(&self.text) }
    }
}
