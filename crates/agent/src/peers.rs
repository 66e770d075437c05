//! The channel between agents: one TCP connection each way and peer, every frame signed with the
//! group's key (failover.md 2.6).

mod accept;
mod dial;
mod frame;
mod queue;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use brain::{MemberName, Message};
use platform::{Platform, Roster};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::{AbortHandle, JoinSet};

use crate::engine_port::lock;
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
    /// Its pod.
    pub(crate) pod: Arc<str>,
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

/// The members that may come to us, and whom to ring when one has come.
type Awake = Arc<Mutex<BTreeMap<MemberName, Arc<Notify>>>>;

/// Makes the dialer of one member.
type Dialing = dyn Fn(MemberName, Arc<Queue>, Arc<Notify>) -> Dial + Send + Sync;

/// Dials one member for ever.
type Dial = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The ways to the other members.
pub(crate) struct Peers {
    me: MemberName,
    queues: BTreeMap<MemberName, (Arc<Queue>, AbortHandle)>,
    awake: Awake,
    dialing: Box<Dialing>,
    /// Dialers and the acceptor; they end with this.
    tasks: JoinSet<()>,
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
        let awake = Awake::default();
        tasks.spawn(accept::run(listener, identity.clone(), Arc::clone(&awake), inbox.clone()));
        let (platform, inbox, who) = (Arc::clone(platform), inbox.clone(), identity.clone());
        let dialing = move |peer: MemberName, queue, retry| {
            let (platform, name) = (Arc::clone(&platform), peer.clone());
            let address = move || platform.roster().peer(&name).map(|at| at.peer);
            let (identity, inbox) = (who.clone(), inbox.clone());
            let dialer = dial::Dialer { identity, peer, queue, retry, inbox };
            Box::pin(dialer.run(address)) as Dial
        };
        let queues = BTreeMap::new();
        let me = identity.me.clone();
        let mut peers = Self { me, queues, awake, dialing: Box::new(dialing), tasks };
        peers.set(members);
        peers
    }

    /// These are the members from now on: whoever is new is dialed, who is gone is refused.
    pub(crate) fn set(&mut self, members: &[MemberName]) {
        let others: BTreeSet<_> = members.iter().filter(|name| **name != self.me).collect();
        let mut awake = lock(&self.awake);
        awake.retain(|name, _| others.contains(name));
        self.queues.retain(|name, (_, dialer)| {
            let stays = others.contains(name);
            if !stays {
                dialer.abort();
            }
            stays
        });
        for peer in others {
            if self.queues.contains_key(peer) {
                continue;
            }
            let (queue, retry) = (Arc::new(Queue::default()), Arc::new(Notify::new()));
            awake.insert(peer.clone(), Arc::clone(&retry));
            let dialer = (self.dialing)(peer.clone(), Arc::clone(&queue), retry);
            self.queues.insert(peer.clone(), (queue, self.tasks.spawn(dialer)));
        }
    }

    /// Puts a message on its way. It may be lost; it never waits.
    pub(crate) fn send(&self, to: &MemberName, message: Message) {
        if let Some((queue, _)) = self.queues.get(to) {
            queue.push(message);
        }
    }
}

#[cfg(test)]
mod tests;
