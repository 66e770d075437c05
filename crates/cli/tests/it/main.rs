//! The binary against real engines: what it refuses, and a group's life.

mod bad_input;
mod life;
mod run;
