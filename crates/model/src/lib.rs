//! A small world of the protocol, searched to its end: every order of every step, within budgets.
//! Pure: no clock, no IO. What is stated, and what is left out: docs/proof/README.md.
//!
//! Read in this order: [`state`] (what a world remembers), [`steps`] (what may happen to it),
//! [`property`] (what must never come of it), [`rules`] (which of this is the brain's own code),
//! [`config`] (which world is looked at), [`search`] (how).

pub mod action;
pub mod config;
pub mod dataset;
pub mod property;
pub mod row;
pub mod rules;
pub mod search;
pub mod show;
pub mod state;
pub mod steps;
pub mod world;

pub use action::Action;
pub use config::{Budget, Config, Mutant, Slip};
pub use property::Property;
pub use row::{Row, Verdict};
pub use state::State;
pub use world::World;
