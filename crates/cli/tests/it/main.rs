//! The binary against real engines: what it refuses, and a group's life.

mod bad_input;
#[cfg(target_os = "linux")]
mod disk;
mod life;
mod promote;
mod render;
mod run;
mod trial;
