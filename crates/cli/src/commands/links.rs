//! `interrex links`: the process that carries a group's connections. Started by the keeper.

use super::keep::{open, telemetry};
use crate::args::Part;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::signals;

pub(super) async fn run(args: Part) -> Outcome {
    telemetry();
    let home = open(&args.home)?;
    tokio::select! {
        served = local::parts::links(&home) => served.map_err(|error| Failure::of(&error))?,
        () = signals::end() => {}
    }
    Ok(Exit::Healthy)
}
