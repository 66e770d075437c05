//! The processes of a group.

use std::fmt;

/// One process of a group on one machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Starts and restarts the others.
    Keeper,
    /// Serves the record and the route.
    Store,
    /// Carries bytes between the parts, and clients to members.
    Links,
    /// One member: an agent with its engine.
    Agent(String),
}

impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keeper => formatter.write_str("keeper"),
            Self::Store => formatter.write_str("store"),
            Self::Links => formatter.write_str("links"),
            Self::Agent(name) => write!(formatter, "agent-{name}"),
        }
    }
}
