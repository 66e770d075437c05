//! Choosing the ports of a group: once, at its first start; they are kept in group.json.
//!
//! People's ports (write, read, engines) lie in a block of a hundred, everything else in a range
//! below those that the kernel gives to outgoing connections.

use std::collections::BTreeSet;
use std::net::TcpListener;

use nix::unistd::Uid;

use crate::file::{self, FileError, Lock};
use crate::home::{Group, Member, Ports};
use crate::links::{Link, Party, Plane};
use crate::relay::loopback;

#[cfg(test)]
mod tests;

/// The most members of a group on one machine: their links must fit into [`INNER_SPAN`].
pub const MOST_MEMBERS: u32 = 13;

const FIRST_BLOCK: u16 = 7100;
const BLOCK: u16 = 100;
const BLOCKS: u16 = 28;
const FIRST_INNER: u16 = 20_000;

/// Ports for everything but people in one group: 13 members need 353, the rest is for strangers.
const INNER_SPAN: u16 = 400;

/// Why a group gets no ports.
#[derive(Debug, thiserror::Error)]
pub enum PortsError {
    /// A port that was asked for, or that clients know, is in use.
    #[error("port {port} for {what} is taken by another process")]
    Taken {
        /// The port.
        port: u16,
        /// What it is for.
        what: String,
    },
    /// A port that was asked for belongs to a group that does not run now.
    #[error("port {port} belongs to group {tag:?}")]
    Owned {
        /// The port.
        port: u16,
        /// The other group.
        tag: String,
    },
    /// More members than one machine is made for.
    #[error("a group on one machine has 1 to {MOST_MEMBERS} members, not {members}")]
    Members {
        /// How many were wanted.
        members: u32,
    },
    /// All ranges are full.
    #[error("no free ports were found between {FIRST_BLOCK} and {}", FIRST_BLOCK + BLOCKS * BLOCK)]
    NoRoom,
    /// The choice cannot be kept apart from another one that is made now.
    #[error("cannot reserve ports")]
    Reserve {
        /// What was refused.
        #[from]
        source: FileError,
    },
}

impl PortsError {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Taken { port, .. } => format!(
                "see who has it: `ss -ltnp 'sport = :{port}'` or `lsof -i :{port}`; end that, or \
                 choose another with --port"
            ),
            Self::Owned { tag, .. } => {
                format!("choose another --port, or end that group: interrex down {tag} --wipe")
            }
            Self::Members { .. } => "ask for fewer --replicas".to_owned(),
            Self::NoRoom => "end groups that are not needed: interrex down TAG --wipe".to_owned(),
            Self::Reserve { source } => return source.hint(),
        })
    }
}

/// The ports of a new group, and the promise that no other `up` of this user takes them too.
#[derive(Debug)]
pub struct Chosen {
    /// Ports of the group.
    pub ports: Ports,
    /// The members with theirs.
    pub members: Vec<Member>,
    /// Every way between two parts.
    pub links: Vec<Link>,
    /// To be held until the group listens on its ports.
    pub reservation: Lock,
}

/// What a new group wants.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The members are `TAG-0` and so on.
    pub tag: &'a str,
    /// How many.
    pub members: u32,
    /// The write address, if it matters which.
    pub write: Option<u16>,
    /// Without links between engines.
    pub direct: bool,
}

/// Chooses ports that nobody listens on and that no group in `others` has in its description.
pub fn choose(wanted: Wanted<'_>, others: &[Group]) -> Result<Chosen, PortsError> {
    if !(1..=MOST_MEMBERS).contains(&wanted.members) {
        return Err(PortsError::Members { members: wanted.members });
    }
    let mut used = BTreeSet::new();
    for other in others {
        let owned = other.all_ports();
        if let Some(port) = wanted.write.filter(|port| owned.iter().any(|(own, _)| own == port)) {
            return Err(PortsError::Owned { port, tag: other.tag.clone() });
        }
        used.extend(owned.into_iter().map(|(port, _)| port));
    }
    if let Some(port) = wanted.write {
        if !is_free(port) {
            return Err(PortsError::Taken { port, what: "the write address".to_owned() });
        }
        used.insert(port);
    }
    for index in 0..BLOCKS {
        let block = FIRST_BLOCK + index * BLOCK;
        let Some(reservation) = reserve(block)? else { continue };
        let engines = (1..=wanted.members as u16).map(|ordinal| block + ordinal);
        let mut public = vec![block, block + BLOCK - 1];
        public.extend(engines);
        if wanted.write.is_some() {
            public.remove(0);
        }
        if public.iter().any(|port| used.contains(port) || !is_free(*port)) {
            continue;
        }
        let mut inner = Inner::new(index, &used);
        if let Some((ports, members, links)) = lay_out(wanted, block, &mut inner) {
            return Ok(Chosen { ports, members, links, reservation });
        }
    }
    Err(PortsError::NoRoom)
}

fn lay_out(
    wanted: Wanted<'_>,
    block: u16,
    inner: &mut Inner<'_>,
) -> Option<(Ports, Vec<Member>, Vec<Link>)> {
    let ports = Ports {
        write: wanted.write.unwrap_or(block),
        read: block + BLOCK - 1,
        store: inner.next()?,
        control: inner.next()?,
    };
    let mut members = Vec::new();
    for ordinal in 0..wanted.members as u16 {
        members.push(Member {
            name: format!("{}-{ordinal}", wanted.tag),
            engine: block + 1 + ordinal,
            http: inner.next()?,
            peer: inner.next()?,
        });
    }
    let links = connect(ports, &members, wanted.direct, inner)?;
    Some((ports, members, links))
}

/// Every way between two parts of a group.
fn connect(
    ports: Ports,
    members: &[Member],
    direct: bool,
    inner: &mut Inner<'_>,
) -> Option<Vec<Link>> {
    let mut links = Vec::new();
    for from in members {
        let mut link = |to: Party, plane, target| {
            let listen = inner.next()?;
            links.push(Link { from: Party(from.name.clone()), to, plane, listen, target });
            Some(())
        };
        link(Party::store(), Plane::Store, ports.store)?;
        for to in members.iter().filter(|to| to.name != from.name) {
            link(Party(to.name.clone()), Plane::Peer, to.peer)?;
            if !direct {
                link(Party(to.name.clone()), Plane::Engine, to.engine)?;
            }
        }
    }
    Some(links)
}

/// Makes the ports of a group that starts again usable: those that clients know must be free, the
/// others are replaced when somebody took them. True when something was replaced.
pub fn renew(group: &mut Group, others: &[Group]) -> Result<bool, PortsError> {
    let known = |port, what: String| {
        if is_free(port) { Ok(()) } else { Err(PortsError::Taken { port, what }) }
    };
    known(group.ports.write, "the write address".to_owned())?;
    known(group.ports.read, "the read address".to_owned())?;
    for member in &group.members {
        known(member.engine, format!("the engine of {}", member.name))?;
    }
    let own: BTreeSet<u16> = group.all_ports().into_iter().map(|(port, _)| port).collect();
    let public: BTreeSet<u16> = [group.ports.write, group.ports.read]
        .into_iter()
        .chain(group.members.iter().map(|member| member.engine))
        .collect();
    if own.difference(&public).all(|port| is_free(*port)) {
        return Ok(false);
    }
    let mut used: BTreeSet<u16> =
        others.iter().flat_map(Group::all_ports).map(|(port, _)| port).collect();
    used.extend(public);
    let index = group.ports.read.saturating_sub(FIRST_BLOCK) / BLOCK;
    let mut inner = Inner::new(index.min(BLOCKS - 1), &used);
    renumber(group, &mut inner).ok_or(PortsError::NoRoom)?;
    Ok(true)
}

fn renumber(group: &mut Group, inner: &mut Inner<'_>) -> Option<()> {
    group.ports.store = inner.next()?;
    group.ports.control = inner.next()?;
    for member in &mut group.members {
        member.http = inner.next()?;
        member.peer = inner.next()?;
    }
    if group.networks.is_none() {
        group.links = connect(group.ports, &group.members, group.direct, inner)?;
    }
    Some(())
}

/// Free ports of one group's range, in order.
struct Inner<'a> {
    next: u16,
    end: u16,
    used: &'a BTreeSet<u16>,
}

impl<'a> Inner<'a> {
    fn new(index: u16, used: &'a BTreeSet<u16>) -> Self {
        let next = FIRST_INNER + index * INNER_SPAN;
        Self { next, end: next + INNER_SPAN, used }
    }

    fn next(&mut self) -> Option<u16> {
        while self.next < self.end {
            let port = self.next;
            self.next += 1;
            if !self.used.contains(&port) && is_free(port) {
                return Some(port);
            }
        }
        None
    }
}

/// True when nobody listens on this loopback port.
pub fn is_free(port: u16) -> bool {
    if TcpListener::bind(loopback(port)).is_err() {
        return false;
    }
    // There a listener on all addresses does not keep us from binding one of them.
    cfg!(target_os = "linux") || std::net::TcpStream::connect(loopback(port)).is_err()
}

/// Keeps a block from everyone else who chooses: one file a user and block, in a place that all
/// homes of the user share. `None` when somebody has it.
pub(crate) fn reserve(block: u16) -> Result<Option<Lock>, FileError> {
    let directory = std::env::temp_dir().join(format!("interrex-ports-{}", Uid::current()));
    file::make_directory(&directory)?;
    Lock::try_take(&directory.join(block.to_string()))
}
