//! `interrex links`: the process that carries a group's connections. Started by the keeper.

use brain::MemberName;
use local::front::{self, Front};
use local::home::Home;
use local::http::Caller;
use local::links::{self, Board, control};
use local::relay;

use super::keep::{open, telemetry};
use crate::args::Part;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::signals;

pub(super) async fn run(args: Part) -> Outcome {
    telemetry();
    let home = open(&args.home)?;
    tokio::select! {
        outcome = serve(&home) => outcome,
        () = signals::end() => Ok(Exit::Healthy),
    }
}

async fn serve(home: &Home) -> Outcome {
    let group = home.group();
    let token = home.token().map_err(|error| Failure::of(&error).hint_if(error.hint()))?;
    let board = Board::open(home.cuts_file()).map_err(|error| Failure::of(&error))?;
    let port = group.ports.control;
    let listener = relay::listen(port).await.map_err(|error| {
        Failure::new(format!("cannot listen on port {port} for the control of the links"))
            .because(&error)
    })?;
    let front = Front {
        write_port: group.ports.write,
        read_port: group.ports.read,
        engines: group.members.iter().map(|m| (MemberName(m.name.clone()), m.engine)).collect(),
        store: Caller::new(relay::loopback(group.ports.store), Some(token.clone())),
        board: board.clone(),
    };
    tokio::select! {
        ended = links::run(group.links.clone(), board.clone()) => {
            ended.map_err(|error| Failure::of(&error))?;
        }
        ended = control::serve(board.clone(), token, listener) => {
            ended.map_err(|error| Failure::new("the control of the links ended").because(&error))?;
        }
        ended = front::run(front) => ended.map_err(|error| Failure::of(&error))?,
    }
    Ok(Exit::Healthy)
}
