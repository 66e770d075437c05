//! `interrex keep`: the process that keeps a group's other processes running. Started by `up`.

use std::path::Path;

use local::home::Home;
use local::keeper;
use tracing_subscriber::EnvFilter;

use crate::args::Part;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::parts::parts;
use crate::signals;

pub(super) async fn run(args: Part) -> Outcome {
    telemetry();
    let home = open(&args.home)?;
    // The parts outlive their keeper: what ends the keeper ends nothing else.
    tokio::select! {
        kept = keeper::run(home, parts()?) => kept.map_err(|error| Failure::of(&error))?,
        () = signals::end() => {}
    }
    Ok(Exit::Healthy)
}

/// The group in this directory.
pub(super) fn open(directory: &Path) -> Result<Home, Failure> {
    Home::open(directory).map_err(|error| Failure::of(&error).hint_if(error.hint()))
}

/// One line an event on stderr, which the keeper leads into the part's log.
pub(super) fn telemetry() {
    let filter = EnvFilter::try_from_env("INTERREX_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    // Only a second call in one process can fail, and then the first one holds.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(std::io::stderr)
        .try_init();
}
