//! Everything that may happen to a world, one file a subject. A step is here if the brain would
//! take it, or if it is a fault; a guard that only makes the brain wait longer may be missing.

mod begin;
mod electorate;
mod engine;
mod faults;
mod give;
mod hold;
mod store;
mod succeed;
mod take;
mod time;

use crate::state::State;
use crate::world::{Out, World};

/// All that can follow from a state.
pub fn all(w: &World, s: &State, out: &mut Out<'_>) {
    time::steps(w, s, out);
    hold::steps(w, s, out);
    electorate::steps(w, s, out);
    give::steps(w, s, out);
    store::steps(w, s, out);
    succeed::steps(w, s, out);
    take::steps(w, s, out);
    begin::steps(w, s, out);
    engine::steps(w, s, out);
    faults::steps(w, s, out);
}
