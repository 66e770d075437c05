//! The channel between agents: one TCP connection each way and peer, every frame signed with the
//! group's key (failover.md 2.6).

mod accept;
mod dial;
mod frame;
mod queue;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use brain::{MemberName, Message};
use platform::{Platform, Roster};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::inbox::Inbox;
use crate::keys::PeerKeys;
use queue::Queue;

/// Who we are on the channel, and what we sign with.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    /// The group's id: peers of another group are refused.
    pub(crate) group: Arc<str>,
    /// This member.
    pub(crate) me: MemberName,
    /// The keys; two while they rotate.
    pub(crate) keys: watch::Receiver<PeerKeys>,
}

/// Why a connection to or from a peer ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PeerError {
    /// Reading or writing failed.
    #[error("the connection failed")]
    Io(#[from] io::Error),
    /// Nothing came for too long.
    #[error("nothing was heard within {0} ms")]
    Silent(u64),
    /// A frame that is too long.
    #[error("a frame of {0} bytes is too long")]
    TooLong(usize),
    /// A signature that does not fit.
    #[error("a frame is not signed with this group's key")]
    Signature,
    /// Something that is no frame of ours.
    #[error("a frame cannot be read")]
    Malformed,
    /// The other side does not want us.
    #[error("refused by the peer: {0}")]
    Refused(String),
    /// We do not want the other side.
    #[error("refused: {0}")]
    Unwanted(String),
}

/// The ways to the other members.
#[derive(Debug)]
pub(crate) struct Peers {
    queues: BTreeMap<MemberName, Arc<Queue>>,
    /// Dialers and the acceptor; they end with this.
    _tasks: JoinSet<()>,
}

impl Peers {
    /// Listens for the others and dials each of them from now on.
    pub(crate) fn start<P: Platform>(
        identity: &Identity,
        platform: &Arc<P>,
        members: &[MemberName],
        listener: TcpListener,
        inbox: &Inbox,
    ) -> Self {
        let mut tasks = JoinSet::new();
        let mut queues = BTreeMap::new();
        let mut awake = BTreeMap::new();
        for peer in members.iter().filter(|member| **member != identity.me) {
            let (queue, retry) = (Arc::new(Queue::default()), Arc::new(Notify::new()));
            queues.insert(peer.clone(), Arc::clone(&queue));
            awake.insert(peer.clone(), Arc::clone(&retry));
            let platform = Arc::clone(platform);
            let name = peer.clone();
            let address = move || platform.roster().peer(&name).map(|at| at.peer);
            let dialer = dial::Dialer {
                identity: identity.clone(),
                peer: peer.clone(),
                queue,
                retry,
                inbox: inbox.clone(),
            };
            tasks.spawn(dialer.run(address));
        }
        tasks.spawn(accept::run(listener, identity.clone(), awake, inbox.clone()));
        Self { queues, _tasks: tasks }
    }

    /// Puts a message on its way. It may be lost; it never waits.
    pub(crate) fn send(&self, to: &MemberName, message: Message) {
        if let Some(queue) = self.queues.get(to) {
            queue.push(message);
        }
    }
}

#[cfg(test)]
mod tests;
