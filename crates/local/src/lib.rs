//! A group on one machine: processes, ports, a directory.

pub mod down;
pub mod engines;
pub mod file;
pub mod front;
pub mod home;
pub mod http;
pub mod keeper;
pub mod links;
mod logs;
pub mod netns;
pub mod observe;
pub mod parts;
pub mod platform;
pub mod ports;
pub mod process;
pub mod relay;
pub mod store;
pub mod up;
