//! Who is who: a member is known by its name, its pod and the state on its disk, never by an
//! address (failover.md 2.1).

use std::fmt;

use serde::{Deserialize, Serialize};

/// The name of a member, `<group>-<ordinal>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MemberName(pub String);

impl MemberName {
    /// The number after the last dash; the largest number when there is none, so that an odd name
    /// comes last.
    pub fn ordinal(&self) -> u32 {
        self.0.rsplit('-').next().and_then(|n| n.parse().ok()).unwrap_or(u32::MAX)
    }
}

impl fmt::Display for MemberName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for MemberName {
    fn from(name: &str) -> Self {
        Self(name.to_owned())
    }
}

/// A member as the electorate names it: acks and promises count only for all three together, so
/// that a re-created pod or a new volume is a stranger (protocol-traces H7).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MemberId {
    /// The member's name.
    pub name: MemberName,
    /// The pod's UID; in local mode an id kept in the member's directory.
    pub pod: String,
    /// The random id in the agent's state file, bound to its volume.
    pub state: String,
}

impl MemberId {
    /// Whether both are the same member on the same disk, whatever the pod: what released records
    /// and the recovery election go by (failover.md 2.11, re-created pods).
    pub fn same_disk(&self, other: &MemberId) -> bool {
        self.name == other.name && self.state == other.state
    }

    /// Whether both are the same member in the same pod, whatever its disk: once the one runs, the
    /// other does no more.
    pub fn same_pod(&self, other: &MemberId) -> bool {
        self.name == other.name && self.pod == other.pod
    }
}

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.name, self.pod, self.state)
    }
}

/// One run of a member's agent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Incarnation {
    /// Whose agent.
    pub id: MemberId,
    /// Drawn at each start of the agent.
    pub boot: String,
}

/// A death certificate: this run's container has ended, by the word of the kubelet that ran it
/// (failover.md 2.4). A pod that was deleted, a host that is silent and a connection that broke
/// certify nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ended {
    /// The pod that the container was of.
    pub pod: String,
    /// The boot id of the agent in it.
    pub boot: String,
}

impl Ended {
    /// Whether it is about this run.
    pub fn is_of(&self, run: &Incarnation) -> bool {
        (&self.pod, &self.boot) == (&run.id.pod, &run.boot)
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.id, self.boot)
    }
}

impl Incarnation {
    /// Reads back what `Display` writes: `member/podUID/stateId/bootId`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/').map(str::to_owned);
        let id =
            MemberId { name: MemberName(parts.next()?), pod: parts.next()?, state: parts.next()? };
        let boot = parts.next()?;
        parts.next().is_none().then_some(Self { id, boot })
    }
}

/// A number that strictly grows with every change of the holder (failover.md 2.3 I6).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl Epoch {
    /// The epoch after this one.
    pub fn next(self) -> Epoch {
        Epoch(self.0 + 1)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
