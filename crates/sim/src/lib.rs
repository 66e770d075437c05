//! The world a group lives in, simulated from a seed: hosts with clocks, engines, a store, a
//! network, clients and faults around the production election. Pure: one thread, no clock, no IO.

pub mod check;
pub mod conformance;
pub mod exhaust;
pub mod faults;
pub mod history;
pub mod network;
pub mod plan;
pub mod prng;
pub mod script;
pub mod server;
pub mod shrink;
pub mod store;
pub mod swarm;
pub mod trace;
pub mod workload;
pub mod world;

pub use history::{Happening, History};
pub use plan::Plan;
pub use prng::Prng;
pub use world::World;

/// One millisecond in nanoseconds, the unit of true time.
pub const MS: u64 = 1_000_000;

/// One second in nanoseconds.
pub const SECOND: u64 = 1_000 * MS;
