//! `interrex store`: the process that holds a group's record. Started by the keeper.

use super::keep::{open, telemetry};
use crate::args::Part;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::signals;

pub(super) async fn run(args: Part) -> Outcome {
    telemetry();
    let home = open(&args.home)?;
    tokio::select! {
        served = local::parts::store(&home) => served.map_err(|error| Failure::of(&error))?,
        () = signals::end() => {}
    }
    Ok(Exit::Healthy)
}
