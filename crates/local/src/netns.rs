//! A network of its own for each part of a group: what a trial cuts is then the kernel's packets,
//! and not a relay's bytes.
//!
//! ```text
//!  ixcN       clients, keeper, links, and the trial itself   10.98.N.1, bridge ixcbr0
//!    ├─ ixcNs   the store                                    10.98.N.2
//!    ├─ ixcNm0  a member                10.98.N.20 for the others, 10.98.N.10 for clients
//!    └─ …
//! ```
//!
//! The machine's own network is not touched: the bridge lies in the clients' namespace, and every
//! trace is gone with the namespaces.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};
use serde::{Deserialize, Serialize};

use crate::file::{self, FileError, Lock};

#[cfg(all(test, target_os = "linux"))]
mod as_root;
pub mod disk;
pub mod freezer;
pub mod rules;
#[cfg(test)]
mod tests;

/// Where `ip netns` keeps the names of namespaces.
const NAMED: &str = "/run/netns";

/// Sets of namespaces that may stand beside each other: the third byte of their addresses.
const MOST: u8 = 99;

/// Members that a set may have: their addresses lie in blocks of ten.
pub const MOST_MEMBERS: usize = 10;

/// Programs that this needs, and the package that has each.
const TOOLS: [(&str, &str); 3] =
    [("ip", "iproute2"), ("nsenter", "util-linux"), ("nft", "nftables")];

/// Why there are no namespaces.
#[derive(Debug, thiserror::Error)]
pub enum NetnsError {
    /// A command could not be started.
    #[error("cannot run {command}")]
    Start {
        /// The command line.
        command: String,
        /// The operating system's answer.
        source: io::Error,
    },
    /// A command failed.
    #[error("{command}: {said}")]
    Failed {
        /// The command line.
        command: String,
        /// What it said.
        said: String,
    },
    /// A file of the kernel's could not be used.
    #[error("cannot use {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// The place that keeps two trials apart could not be used.
    #[error("cannot reserve a set of network namespaces")]
    Reserve {
        /// What was refused.
        #[from]
        source: FileError,
    },
    /// Every number is taken.
    #[error("{MOST} trials run on this machine already")]
    Full,
    /// More members than a set has room for.
    #[error("a trial in network namespaces has at most {MOST_MEMBERS} members, not {members}")]
    Members {
        /// How many were wanted.
        members: usize,
    },
}

impl NetnsError {
    /// What a person can do about it, if something is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Reserve { source } => source.hint(),
            Self::Members { .. } => Some("ask for fewer --replicas".to_owned()),
            _ => None,
        }
    }
}

/// The namespaces of a group's parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Networks {
    /// Tells the sets of several trials apart.
    pub number: u8,
    /// Where the store is.
    pub store: Spot,
    /// Where the members are, in the order of their ordinals.
    pub members: Vec<Spot>,
}

/// A namespace with its addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spot {
    /// The name.
    pub namespace: String,
    /// Where the other parts find it.
    pub address: Ipv4Addr,
    /// Where clients and people find it: never moved.
    pub front: Ipv4Addr,
}

impl Spot {
    fn commands(&self) -> Vec<String> {
        let Self { namespace, address, front } = self;
        // The first one is where its own packets come from.
        let mut all = vec![format!("ip -n {namespace} address add {address}/24 dev eth0")];
        if front != address {
            all.push(format!("ip -n {namespace} address add {front}/24 dev eth0"));
        }
        all
    }
}

impl Networks {
    /// The names and addresses of a set.
    pub fn of(number: u8, members: usize) -> Self {
        let at = |last| Ipv4Addr::new(10, 98, number, last);
        let member = |n| Spot {
            namespace: format!("ixc{number}m{n}"),
            address: at(20 + n),
            front: at(10 + n),
        };
        Self {
            number,
            store: Spot { namespace: format!("ixc{number}s"), address: at(2), front: at(2) },
            members: (0..members as u8).map(member).collect(),
        }
    }

    /// The namespace of clients, keeper and links.
    pub fn clients(&self) -> String {
        format!("ixc{}", self.number)
    }

    /// The address of the clients.
    pub fn clients_address(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 98, self.number, 1)
    }

    /// The same set with only the first `members`.
    #[must_use]
    pub fn first(mut self, members: usize) -> Self {
        self.members.truncate(members);
        self
    }

    fn spots(&self) -> impl Iterator<Item = &Spot> {
        std::iter::once(&self.store).chain(&self.members)
    }

    /// The commands that make all of it.
    fn commands(&self) -> Vec<String> {
        let hub = self.clients();
        let mut all = vec![format!("ip netns add {hub}")];
        all.extend(self.spots().map(|spot| format!("ip netns add {}", spot.namespace)));
        all.extend([
            format!("ip -n {hub} link set lo up"),
            format!("ip -n {hub} link add ixcbr0 type bridge forward_delay 0"),
            format!("ip -n {hub} address add {}/24 dev ixcbr0", self.clients_address()),
            format!("ip -n {hub} link set ixcbr0 up"),
        ]);
        for (n, spot) in self.spots().enumerate() {
            let namespace = &spot.namespace;
            all.extend([
                format!("ip -n {hub} link add v{n} type veth peer name eth0 netns {namespace}"),
                format!("ip -n {hub} link set v{n} master ixcbr0 up"),
                format!("ip -n {namespace} link set eth0 up"),
                format!("ip -n {namespace} link set lo up"),
            ]);
            all.extend(spot.commands());
        }
        all
    }

    /// Makes all of it. What an earlier run left under this number is gone before.
    pub fn build(&self) -> Result<(), NetnsError> {
        if self.members.len() > MOST_MEMBERS {
            return Err(NetnsError::Members { members: self.members.len() });
        }
        remove(self.number)?;
        for command in self.commands() {
            run(&command)?;
        }
        Ok(())
    }

    /// Gives every member another address than it has; nobody may run there.
    pub fn move_members(&mut self) -> Result<(), NetnsError> {
        for spot in &mut self.members {
            spot.address = next(spot.address);
        }
        self.settle()
    }

    /// Gives every member the address that it has here, whatever it had; nobody may run there.
    pub fn settle(&self) -> Result<(), NetnsError> {
        for spot in &self.members {
            run(&format!("ip -n {} address flush dev eth0", spot.namespace))?;
            for command in spot.commands() {
                run(&command)?;
            }
            rules::apply(&spot.namespace, &[])?;
        }
        Ok(())
    }
}

/// The address of a member after it moved: up by ten and round, never one that another member has
/// or had just before.
fn next(address: Ipv4Addr) -> Ipv4Addr {
    let [a, b, c, last] = address.octets();
    Ipv4Addr::new(a, b, c, if last >= 240 { last - 220 } else { last + 10 })
}

/// A number that nobody else on this machine has until the lock is dropped.
pub fn reserve() -> Result<(u8, Lock), NetnsError> {
    let directory = std::env::temp_dir().join("interrex-chaos-locks");
    file::make_directory(&directory)?;
    for number in 1..=MOST {
        if let Some(lock) = Lock::try_take(&directory.join(number.to_string()))? {
            return Ok((number, lock));
        }
    }
    Err(NetnsError::Full)
}

/// Why this process can make no namespaces; `None` when it can.
pub fn missing() -> Option<String> {
    if !cfg!(target_os = "linux") {
        return Some("network namespaces are a thing of Linux".to_owned());
    }
    if !Uid::effective().is_root() {
        return Some("network namespaces need root: run it with sudo".to_owned());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there = |tool: &str| std::env::split_paths(&path).any(|dir| dir.join(tool).is_file());
    let (tool, package) = TOOLS.into_iter().find(|(tool, _)| !is_there(tool))?;
    Some(format!("there is no `{tool}` in the PATH: install {package}"))
}

/// The program and the arguments that run `program` in a namespace; the process stays the same.
pub fn entered(
    namespace: &str,
    program: &Path,
    arguments: Vec<OsString>,
) -> (PathBuf, Vec<OsString>) {
    // Only the network changes: mounts and control groups stay those of everybody.
    let mut all = vec![format!("--net={NAMED}/{namespace}").into(), program.into()];
    all.extend(arguments);
    ("nsenter".into(), all)
}

/// Every process in a namespace.
pub fn processes(namespace: &str) -> Result<Vec<i32>, NetnsError> {
    let path = Path::new(NAMED).join(namespace);
    let about = fs::metadata(&path).map_err(|source| NetnsError::File { path, source })?;
    let proc = Path::new("/proc");
    let entries =
        fs::read_dir(proc).map_err(|source| NetnsError::File { path: proc.to_owned(), source })?;
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    // One that ends meanwhile is in no namespace any more.
    let is_in = |pid: &i32| {
        let own = fs::metadata(proc.join(pid.to_string()).join("ns/net"));
        own.is_ok_and(|own| (own.dev(), own.ino()) == (about.dev(), about.ino()))
    };
    Ok(pids.filter(is_in).collect())
}

/// Removes every trace of a set: its processes, control groups, mounts and namespaces. For whoever
/// holds its lock: nobody else uses them.
pub fn remove(number: u8) -> Result<(), NetnsError> {
    let named: Vec<String> = names()?.into_iter().filter(|name| is_of(name, number)).collect();
    freezer::remove(number)?;
    for name in &named {
        end_all(name)?;
    }
    disk::remove(number)?;
    for name in &named {
        run(&format!("ip netns delete {name}"))?;
    }
    Ok(())
}

/// Whether a namespace's name is one of this set: `ixc1`, `ixc1s`, `ixc1m0`, and not `ixc11`.
fn is_of(name: &str, number: u8) -> bool {
    let Some(rest) = name.strip_prefix(&format!("ixc{number}")) else { return false };
    let member = rest.strip_prefix('m').is_some_and(|n| n.parse::<u8>().is_ok());
    rest.is_empty() || rest == "s" || member
}

fn names() -> Result<Vec<String>, NetnsError> {
    let path = Path::new(NAMED);
    match fs::read_dir(path) {
        Ok(entries) => {
            let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
            Ok(names.collect())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(NetnsError::File { path: path.to_owned(), source }),
    }
}

/// Kills what runs in a namespace, and what is started meanwhile.
fn end_all(namespace: &str) -> Result<(), NetnsError> {
    for _ in 0..20 {
        let mine = std::process::id().cast_signed();
        let pids = processes(namespace)?;
        let mut others = pids.into_iter().filter(|pid| *pid != mine).peekable();
        if others.peek().is_none() {
            return Ok(());
        }
        for pid in others {
            // Gone is as good as killed.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        // The kernel takes a moment to free what they held.
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    Ok(())
}

/// Runs a command line without blanks in its words; what it says is only told when it fails.
pub(crate) fn run(line: &str) -> Result<String, NetnsError> {
    let mut words = line.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words).stdin(Stdio::null());
    output(line, &mut command)
}

fn output(line: &str, command: &mut Command) -> Result<String, NetnsError> {
    let start = |source| NetnsError::Start { command: line.to_owned(), source };
    let output = command.output().map_err(start)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().next().unwrap_or_default().to_owned();
    Err(NetnsError::Failed { command: line.to_owned(), said })
}
