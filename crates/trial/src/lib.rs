//! Load, faults and measurements against a running group.
//!
//! A trial knows a group as a client and an operator do: by its addresses, by what its agents say
//! of themselves over HTTP, and by the ids of its processes. It shares no code with the agents, so
//! that what it measures is what a user would.

pub mod bench;
pub mod gap;
pub mod history;
pub mod journal;
pub mod ledger;
pub mod load;
pub mod nemesis;
pub mod partition;
pub mod probe;
pub mod process;
pub mod queue;
pub mod report;
pub mod rivals;
pub mod run;
pub mod station;
pub mod status;
pub mod suites;
pub mod target;
pub mod verdict;
