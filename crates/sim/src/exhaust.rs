//! Small worlds, looked at exhaustively: the production election of a few members, and every way in
//! which a few faults can be laid over its course.
//!
//! A world goes its ordinary course by itself: what is due is done in the order in which it became
//! due, and when nothing is due, time goes on to the next instant at which anybody wants anything.
//! At every point of choice ([`Choice`]) something else may happen instead: a message, a watch
//! event or a call to the store is lost or comes late, a write of the record is carried out and not
//! answered, paths are cut, members end, stand still and come back, the record is deleted. Every
//! placement of up to [`Bounds::faults`] of these is tried, and what ends a fault (the late message
//! comes, the path is mended, the member starts) at every point after it. A search that ends
//! *exhausted* has looked at all of them.
//!
//! This is a bound on deviations, not on depth: an interleaving is an ordinary course with some
//! steps held back, and each step held back counts. With the number of faults the covered
//! interleavings grow towards all of them.
//!
//! The promises are judged by [`crate::check`], as those of every other world. The engine is a tiny
//! model, and replication takes no time: [`crate::World`] has the rest.

mod bounds;
mod choice;
mod engine;
mod fingerprint;
mod judge;
mod search;
mod world;

pub use bounds::{Bounds, Budget, Net};
pub use choice::{Choice, Path};
pub use search::{Findings, Found, explore, replay};
