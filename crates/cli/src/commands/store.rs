//! `interrex store`: the process that holds a group's record. Started by the keeper.

use local::relay;
use local::store::{FileStore, server};

use super::keep::{open, telemetry};
use crate::args::Part;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::signals;

pub(super) async fn run(args: Part) -> Outcome {
    telemetry();
    let home = open(&args.home)?;
    let group = home.group();
    let store = FileStore::open(&home.store_directory(), &group.id)
        .map_err(|error| Failure::of(&error).hint_if(error.hint()))?;
    let token = home.token().map_err(|error| Failure::of(&error).hint_if(error.hint()))?;
    let listener = relay::listen(group.ports.store).await.map_err(|error| {
        Failure::new(format!("cannot listen on port {} for the record store", group.ports.store))
            .because(&error)
    })?;
    tokio::select! {
        served = server::serve(store, token, listener) => {
            served.map_err(|error| Failure::new("the record store ended").because(&error))?;
        }
        () = signals::end() => {}
    }
    Ok(Exit::Healthy)
}
