//! The parts of a group that are served here: the store, and the links with the front.
//!
//! Each runs in a process of its own until a signal ends it, and has nothing to put in order first.

use std::collections::BTreeMap;
use std::io;

use brain::MemberName;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::net::TcpListener;

use crate::front::{self, Front, FrontError};
use crate::home::{Home, HomeError, Part};
use crate::http::Caller;
use crate::keeper;
use crate::links::{self, Board, LinksError, control};
use crate::process::ProcessError;
use crate::relay;
use crate::store::{FileStore, StoreError, server};

/// Why a part cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum PartError {
    /// The group's directory cannot be used.
    #[error("cannot serve the {part}")]
    Home {
        /// Which part.
        part: Part,
        /// What is in the way.
        source: HomeError,
    },
    /// The part cannot note that it is there.
    #[error("cannot note the {part}")]
    Note {
        /// Which part.
        part: Part,
        /// What is in the way.
        source: ProcessError,
    },
    /// A port is in use, or the server broke.
    #[error("cannot listen on port {port} for the {part}")]
    Listen {
        /// Which part.
        part: Part,
        /// The port.
        port: u16,
        /// The operating system's answer.
        source: io::Error,
    },
    /// The record store cannot be used.
    #[error("cannot serve the record")]
    Store {
        /// What is in the way.
        #[from]
        source: StoreError,
    },
    /// The links cannot be made.
    #[error("cannot make the links")]
    Links {
        /// What is in the way.
        #[from]
        source: LinksError,
    },
    /// The write or the read address cannot be served.
    #[error("cannot serve the group's addresses")]
    Front {
        /// What is in the way.
        #[from]
        source: FrontError,
    },
}

impl PartError {
    /// What a person can do about it, if something is known.
    pub fn hint(&self) -> Option<String> {
        let port = match self {
            Self::Home { source, .. } => return source.hint(),
            Self::Note { source, .. } => return source.hint(),
            Self::Store { source } => return source.hint(),
            Self::Links { source: LinksError::Keep { source } } => return source.hint(),
            Self::Links { source: LinksError::Listen { port, .. } }
            | Self::Front { source: FrontError::Listen { port, .. } }
            | Self::Listen { port, .. } => port,
            Self::Links { .. } => return None,
        };
        Some(format!("see who has it: `ss -ltnp 'sport = :{port}'` or `lsof -i :{port}`"))
    }
}

/// Serves the record store of the group until dropped.
pub async fn store(home: &Home) -> Result<(), PartError> {
    let part = Part::Store;
    let address = home.group().store_address();
    let port = address.port();
    let listen = |source| PartError::Listen { part: Part::Store, port, source };
    let listener = TcpListener::bind(address).await.map_err(listen)?;
    // After the port: a second one is turned away before it can overwrite the note of the first.
    note(home, &part)?;
    let token = token(home, &part)?;
    let store = FileStore::open(&home.store_directory(), &home.group().id)?;
    server::serve(store, token, listener).await.map_err(listen)
}

/// Serves the links and the write and read address of the group until dropped.
pub async fn links(home: &Home) -> Result<(), PartError> {
    let part = Part::Links;
    raise_open_files();
    let group = home.group();
    let port = group.ports.control;
    let listen = |source| PartError::Listen { part: Part::Links, port, source };
    let listener = relay::listen(port).await.map_err(listen)?;
    note(home, &part)?;
    let token = token(home, &part)?;
    let board = Board::open(home.cuts_file())?;
    let engines: BTreeMap<_, _> = group
        .members
        .iter()
        .map(|member| (MemberName(member.name.clone()), group.engine_address(member)))
        .collect();
    for name in engines.keys() {
        // So that a cut of the clients is known before the first of them has come.
        board.way(&links::Party::clients(), &links::Party(name.0.clone()), links::Plane::Client);
    }
    let front = Front {
        write_port: group.ports.write,
        read_port: group.ports.read,
        engines,
        // Not by a link: the front is the clients' side, whatever the members are cut from.
        store: Caller::new(group.store_address(), Some(token.clone())),
        board: board.clone(),
    };
    tokio::try_join!(
        async { Ok(links::run(group.links.clone(), board.clone()).await?) },
        async { Ok(front::run(front).await?) },
        async { control::serve(board.clone(), token, listener).await.map_err(listen) },
    )?;
    Ok(())
}

fn note(home: &Home, part: &Part) -> Result<(), PartError> {
    keeper::announce(home, part).map_err(|source| PartError::Note { part: part.clone(), source })
}

fn token(home: &Home, part: &Part) -> Result<String, PartError> {
    home.token().map_err(|source| PartError::Home { part: part.clone(), source })
}

/// Every connection of a client takes two files here: the usual soft limit of 1024 is soon reached.
fn raise_open_files() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        setrlimit(Resource::RLIMIT_NOFILE, hard.min(65_536).max(soft), hard)
    });
    if let Err(error) = raised {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}
