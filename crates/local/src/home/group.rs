//! What group.json says.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{HomeError, Part};
use crate::links::{Link, Party, Plane};
use crate::netns::{Networks, Spot};
use crate::relay::loopback;

/// The form of group.json that this program writes, and the newest that it reads.
pub const FORMAT: u32 = 1;

/// A group on one machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The form of this description.
    pub format: u32,
    /// Drawn when the group was made: tells it from every other, also from one of the same tag.
    pub id: String,
    /// The name of the group and of its directory.
    pub tag: String,
    /// True when the data is to stay after `down`: a person gave the tag.
    pub kept: bool,
    /// When the group was made, for people.
    pub created: String,
    /// The spec as given.
    pub spec: String,
    /// The engine's program.
    pub engine: PathBuf,
    /// True when engines dial each other without a link between: such ways cannot be cut.
    pub direct: bool,
    /// The ports of the whole group.
    pub ports: Ports,
    /// The members in the order of their ordinals.
    pub members: Vec<Member>,
    /// Every way between two parts.
    pub links: Vec<Link>,
    /// A network namespace for each part, in trials; all on the loopback address of one network
    /// when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub networks: Option<Box<Networks>>,
}

/// Ports of a group that belong to no member; all on the loopback address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ports {
    /// Always leads to the primary.
    pub write: u16,
    /// Leads to a fresh replica.
    pub read: u16,
    /// The record store itself; agents reach it by their links.
    pub store: u16,
    /// The control of the links.
    pub control: u16,
}

/// A member and its ports, all on the loopback address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// `TAG-ORDINAL`.
    pub name: String,
    /// The engine.
    pub engine: u16,
    /// The agent's `/live`, `/ready`, `/metrics`, `/v1/status`.
    pub http: u16,
    /// The agent's peer channel.
    pub peer: u16,
}

#[derive(Deserialize)]
struct Form {
    format: u32,
}

impl Group {
    /// Reads group.json; `path` is for the message.
    pub fn parse(path: &Path, content: &[u8]) -> Result<Self, HomeError> {
        let unreadable = |source| HomeError::Unreadable { path: path.to_owned(), source };
        let form: Form = serde_json::from_slice(content).map_err(unreadable)?;
        if form.format > FORMAT {
            return Err(HomeError::Newer { path: path.to_owned(), found: form.format });
        }
        serde_json::from_slice(content).map_err(unreadable)
    }

    /// The link that `from` dials to reach `to`, if there is one.
    pub fn link(&self, from: &Party, to: &Party, plane: Plane) -> Option<&Link> {
        self.links.iter().find(|link| link.from == *from && link.to == *to && link.plane == plane)
    }

    /// Where the store listens.
    pub fn store_address(&self) -> SocketAddr {
        let host = self.networks.as_ref().map(|networks| networks.store.address);
        at(host, self.ports.store)
    }

    /// The address at which the other members find a member.
    pub fn host(&self, member: &Member) -> IpAddr {
        at(self.spot(&member.name).map(|spot| spot.address), member.engine).ip()
    }

    /// The address at which clients and people find a member.
    pub fn front(&self, member: &Member) -> IpAddr {
        at(self.spot(&member.name).map(|spot| spot.front), member.engine).ip()
    }

    /// Where clients reach a member's engine.
    pub fn engine_address(&self, member: &Member) -> SocketAddr {
        (self.front(member), member.engine).into()
    }

    /// Where a member's agent answers people.
    pub fn http_address(&self, member: &Member) -> SocketAddr {
        (self.front(member), member.http).into()
    }

    /// Where a member's agent listens to its peers.
    pub fn peer_address(&self, member: &Member) -> SocketAddr {
        (self.host(member), member.peer).into()
    }

    /// The namespace of a member, where it has one of its own.
    pub fn spot(&self, member: &str) -> Option<&Spot> {
        let number = self.members.iter().position(|other| other.name == member)?;
        self.networks.as_deref()?.members.get(number)
    }

    /// The namespace in which a part runs, where it is not that of who starts it.
    pub fn namespace(&self, part: &Part) -> Option<&str> {
        let spot = match part {
            Part::Keeper | Part::Links => None,
            Part::Store => self.networks.as_ref().map(|networks| &networks.store),
            Part::Agent(name) => self.spot(name),
        };
        spot.map(|spot| spot.namespace.as_str())
    }

    /// Every port of the group, with what it is for.
    pub fn all_ports(&self) -> Vec<(u16, String)> {
        let Ports { write, read, store, control } = self.ports;
        let mut all = vec![
            (write, "the write address".to_owned()),
            (read, "the read address".to_owned()),
            (store, "the record store".to_owned()),
            (control, "the control of the links".to_owned()),
        ];
        for Member { name, engine, http, peer } in &self.members {
            all.push((*engine, format!("the engine of {name}")));
            all.push((*http, format!("the status of {name}")));
            all.push((*peer, format!("the peer channel of {name}")));
        }
        for Link { from, to, plane, listen, .. } in &self.links {
            all.push((*listen, format!("the {plane:?} link from {from} to {to}")));
        }
        all
    }
}

fn at(host: Option<Ipv4Addr>, port: u16) -> SocketAddr {
    host.map_or_else(|| loopback(port), |host| (host, port).into())
}
