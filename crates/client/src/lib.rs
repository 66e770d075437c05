//! One connection to one engine, with a deadline on every call.
