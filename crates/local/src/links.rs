//! The ways between the parts of a group, each of which can be cut: one listener per dialer, target
//! and plane, so that partitions are made on plain processes, by any user.
//!
//! A cut is silent, as in a network: no connection is closed, new ones are accepted and stay mute.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use crate::file::{self, FileError};
use crate::relay::{self, Taps, Valve, Way};

pub mod control;
#[cfg(test)]
mod tests;

/// What a link carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Plane {
    /// Agent to agent (failover.md 2.6).
    Peer,
    /// Engine to engine: replication.
    Engine,
    /// Agent to store.
    Store,
    /// Clients to engine, by the write and the read address.
    Client,
}

/// Who sends or receives: a member by its name, the store, or the clients.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Party(pub String);

impl Party {
    /// The record store.
    pub fn store() -> Self {
        Self("store".to_owned())
    }

    /// Everyone who comes by the write or the read address.
    pub fn clients() -> Self {
        Self("clients".to_owned())
    }
}

impl fmt::Display for Party {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Bytes in one direction: what a cut stops.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Flow {
    /// The sender.
    pub from: Party,
    /// The receiver.
    pub to: Party,
    /// What is carried.
    pub plane: Plane,
}

/// One listener: `from` dials it to reach `to`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Who dials.
    pub from: Party,
    /// Who is reached.
    pub to: Party,
    /// What is carried.
    pub plane: Plane,
    /// The loopback port that `from` dials.
    pub listen: u16,
    /// The loopback port of `to`.
    pub target: u16,
}

/// Which flows of a member a cut or a healing names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cut {
    /// The member that is cut off.
    pub member: String,
    /// From whom.
    pub from: CutFrom,
    /// Which way bytes stop.
    #[serde(default)]
    pub direction: Direction,
    /// Only this plane; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plane: Option<Plane>,
}

/// The other side of a cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CutFrom {
    /// The record store.
    Store,
    /// All other members.
    Peers,
    /// Those who come by the write and the read address; nobody else names them.
    Clients,
    /// The store and all other members. Clients are left: who still reaches an isolated primary is
    /// what the fence is for.
    Everyone,
    /// One other member.
    Member(String),
}

impl CutFrom {
    /// What a person means: `store`, `peers`, `clients`, `everyone`, or a member's name.
    pub fn from_words(words: &str) -> Self {
        match words {
            "store" => Self::Store,
            "peers" => Self::Peers,
            "clients" => Self::Clients,
            "everyone" => Self::Everyone,
            member => Self::Member(member.to_owned()),
        }
    }
}

/// Which way bytes stop, seen from the member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Neither way.
    #[default]
    Both,
    /// What is sent to the member.
    In,
    /// What the member sends.
    Out,
}

impl Cut {
    fn names(&self, flow: &Flow) -> bool {
        let out =
            self.direction != Direction::In && flow.from.0 == self.member && self.other(&flow.to);
        let inwards =
            self.direction != Direction::Out && flow.to.0 == self.member && self.other(&flow.from);
        (out || inwards) && self.plane.is_none_or(|plane| plane == flow.plane)
    }

    fn other(&self, party: &Party) -> bool {
        let (store, clients) = (*party == Party::store(), *party == Party::clients());
        match &self.from {
            CutFrom::Store => store,
            CutFrom::Clients => clients,
            CutFrom::Peers => !store && !clients,
            CutFrom::Everyone => !clients,
            CutFrom::Member(name) => party.0 == *name,
        }
    }
}

/// Why links could not be made or cut.
#[derive(Debug, thiserror::Error)]
pub enum LinksError {
    /// A listener's port is in use.
    #[error("cannot listen on port {port} for the {plane:?} link from {from} to {to}")]
    Listen {
        /// The port.
        port: u16,
        /// Who would dial it.
        from: Party,
        /// Who would be reached.
        to: Party,
        /// What it would carry.
        plane: Plane,
        /// The operating system's answer.
        source: io::Error,
    },
    /// The file that keeps the cuts over a restart could not be used.
    #[error("cannot keep the cuts")]
    Keep {
        /// What was refused.
        #[from]
        source: FileError,
    },
    /// The file that keeps the cuts is not what this program writes.
    #[error("{} holds no list of cuts", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the reader says.
        source: serde_json::Error,
    },
    /// A cut names no flow of this group.
    #[error("no link of this group is named by the cut of {member} from {from:?}")]
    NoSuchFlow {
        /// The member that was named.
        member: String,
        /// The other side that was named.
        from: CutFrom,
    },
}

/// All flows of a group, and which of them are cut. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub struct Board {
    taps: Arc<Mutex<Taps<Flow>>>,
    /// Where the cuts outlive the process: a link that is restarted heals nothing.
    file: PathBuf,
}

impl Board {
    /// The board whose cuts are kept in `file`; those that are noted there are in force.
    pub fn open(file: PathBuf) -> Result<Self, LinksError> {
        let mut taps = Taps::default();
        if let Some(content) = file::read(&file)? {
            let cuts: BTreeSet<Flow> = serde_json::from_slice(&content)
                .map_err(|source| LinksError::Unreadable { path: file.clone(), source })?;
            for flow in cuts {
                taps.valve(&flow);
                for (_, tap) in taps.iter().filter(|(known, _)| **known == flow) {
                    tap.set(false);
                }
            }
        }
        Ok(Self { taps: Arc::new(Mutex::new(taps)), file })
    }

    /// The two directions between a dialer and a target.
    pub fn way(&self, dialer: &Party, target: &Party, plane: Plane) -> Way {
        Way { there: self.valve(dialer, target, plane), back: self.valve(target, dialer, plane) }
    }

    fn valve(&self, from: &Party, to: &Party, plane: Plane) -> Valve {
        self.locked().valve(&Flow { from: from.clone(), to: to.clone(), plane })
    }

    /// Cuts or heals what `cut` names; gives all cuts now in force.
    pub fn turn(&self, cut: &Cut, open: bool) -> Result<Vec<Flow>, LinksError> {
        let taps = self.locked();
        let mut named = false;
        for (_, tap) in taps.iter().filter(|(flow, _)| cut.names(flow)) {
            named = true;
            tap.set(open);
        }
        if !named {
            let (member, from) = (cut.member.clone(), cut.from.clone());
            return Err(LinksError::NoSuchFlow { member, from });
        }
        self.keep(&taps)
    }

    /// Heals everything.
    pub fn heal_all(&self) -> Result<Vec<Flow>, LinksError> {
        let taps = self.locked();
        for (_, tap) in taps.iter() {
            tap.set(true);
        }
        self.keep(&taps)
    }

    /// The cuts in force.
    pub fn cuts(&self) -> Vec<Flow> {
        shut(&self.locked())
    }

    fn keep(&self, taps: &Taps<Flow>) -> Result<Vec<Flow>, LinksError> {
        let cuts = shut(taps);
        let content = serde_json::to_vec(&cuts).expect("a list of flows has no odd keys");
        file::replace(&self.file, &content, file::OWNER_ONLY)?;
        Ok(cuts)
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Taps<Flow>> {
        // A panic elsewhere cannot leave a tap half turned.
        self.taps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shut(taps: &Taps<Flow>) -> Vec<Flow> {
    taps.iter().filter(|(_, tap)| !tap.is_open()).map(|(flow, _)| flow.clone()).collect()
}

/// Binds all links and carries bytes until dropped.
pub async fn run(links: Vec<Link>, board: Board) -> Result<(), LinksError> {
    let mut listeners = Vec::new();
    for link in links {
        let listener = relay::listen(link.listen).await.map_err(|source| LinksError::Listen {
            port: link.listen,
            from: link.from.clone(),
            to: link.to.clone(),
            plane: link.plane,
            source,
        })?;
        listeners.push((link, listener));
    }
    let mut running = JoinSet::new();
    for (link, listener) in listeners {
        let way = board.way(&link.from, &link.to, link.plane);
        let target = relay::loopback(link.target);
        running.spawn(relay::accept_all(listener, move |dialer| {
            relay::carry(dialer, target, way.clone())
        }));
    }
    while running.join_next().await.is_some() {}
    Ok(())
}
