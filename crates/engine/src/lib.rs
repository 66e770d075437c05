//! What a Redis or Valkey server is, as far as Interrex must know: replies, offsets, directives,
//! files. Pure: nothing here opens a socket or a file.

pub mod offset;

pub use offset::{Offset, Replid};
