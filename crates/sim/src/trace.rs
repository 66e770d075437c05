//! What happened in a simulated world, one line an event, and a hash of all of it.
//!
//! Legend of a line: `seconds.micros  who  what`. `who` is a member's number with its agent's life
//! (`1.0`), `store`, `net`, `client 3` or `fault`. A line of an effect ends with the rule and the
//! sentence that the brain gave for it.

use std::collections::VecDeque;
use std::fmt::Write as _;

/// How much of a trace is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// The hash alone: the fastest.
    Hash,
    /// The last so many lines.
    Last(usize),
    /// All.
    All,
}

/// A trace under way.
#[derive(Clone, Debug)]
pub struct Trace {
    keep: Keep,
    lines: VecDeque<String>,
    hash: u64,
    events: u64,
}

impl Trace {
    /// An empty trace.
    pub fn new(keep: Keep) -> Self {
        Self { keep, lines: VecDeque::new(), hash: 0xcbf2_9ce4_8422_2325, events: 0 }
    }

    /// Mixes a number into the hash (FNV-1a over 64 bits).
    pub fn mix(&mut self, number: u64) {
        self.hash = (self.hash ^ number).wrapping_mul(0x0100_0000_01b3).rotate_left(5);
    }

    /// Counts and mixes one event of the world's queue.
    pub fn event(&mut self, at: u64, kind: u64, who: u64) {
        self.events += 1;
        self.mix(at);
        self.mix(kind << 32 | who);
    }

    /// Whether anybody wants the lines: formatting is skipped otherwise.
    pub fn wanted(&self) -> bool {
        self.keep != Keep::Hash
    }

    /// Adds a line, when lines are wanted.
    pub fn line(&mut self, at: u64, who: &str, what: impl FnOnce() -> String) {
        if !self.wanted() {
            return;
        }
        let mut line = String::new();
        let us = at / 1000;
        let _ = write!(line, "{:>5}.{:06}  {who:<9} {}", us / 1_000_000, us % 1_000_000, what());
        self.lines.push_back(line);
        if let Keep::Last(n) = self.keep
            && self.lines.len() > n
        {
            self.lines.pop_front();
        }
    }

    /// The hash of everything so far.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// How many events the world has handled.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// The kept lines.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for line in &self.lines {
            text.push_str(line);
            text.push('\n');
        }
        text
    }
}
