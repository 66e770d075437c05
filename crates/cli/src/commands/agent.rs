//! `interrex agent`: the process beside an engine. Started by the keeper.

use super::keep::{open, telemetry};
use crate::args::AgentPart;
use crate::exit::Exit;
use crate::failure::Outcome;

pub(super) async fn run(args: AgentPart) -> Outcome {
    telemetry();
    let _home = open(&args.home)?;
    Ok(Exit::Healthy)
}
