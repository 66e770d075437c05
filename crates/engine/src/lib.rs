//! What a Redis or Valkey server is, as far as Interrex must know: replies, offsets, directives,
//! files. Pure: nothing here opens a socket or a file.

pub mod config;
pub mod directive;
pub mod files;
pub mod flavor;
pub mod info;
pub mod offset;
pub mod refusal;

pub use flavor::{Capabilities, Engine, Flavor, Version};
pub use info::{Info, Position, Role};
pub use offset::{Offset, Replid};
pub use refusal::Refusal;
