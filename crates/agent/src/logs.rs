//! How events are written: one JSON object a line in pods, a readable line on a terminal.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

/// The form of a log line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    #[default]
    Json,
    /// For people; coloured on a terminal.
    Pretty,
}

/// Writes events to stderr from now on; `INTERREX_LOG` chooses which (default `info`). A program
/// that has its own subscriber keeps it.
pub fn init(format: LogFormat) {
    let filter = EnvFilter::try_from_env("INTERREX_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // An error says that there is a subscriber already.
    let _ = match format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Pretty => builder.with_ansi(std::io::stderr().is_terminal()).try_init(),
    };
}
