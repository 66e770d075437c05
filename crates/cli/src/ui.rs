//! The only place that prints: data to stdout, talk to stderr, one look for both.

pub(crate) mod error;
pub(crate) mod printer;
pub(crate) mod progress;
pub(crate) mod spark;
pub(crate) mod style;
pub(crate) mod table;

pub(crate) use printer::Printer;
