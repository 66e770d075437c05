//! One connection to one engine, with a deadline on every call.
//!
//! No reconnect, no redirect, no hidden retry: whoever calls decides what a failure means. After
//! a failure of the connection it is dead and says so; a new one is opened on purpose.
//!
//! [`Connection`] is for talking to an engine; [`raw::RawConnection`] for loading one and for
//! counting exactly what it acknowledged. Nothing outside this crate names the `redis` crate.

mod connection;
mod endpoint;
mod error;
pub mod raw;
mod socket;
mod value;

pub use connection::{Command, Connection};
pub use endpoint::{BadEndpoint, Credentials, Endpoint, Secret};
pub use error::{ClientError, Refused};
pub use value::Value;
