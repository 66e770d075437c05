//! The others' ways to us: who is not of this group or does not know its key is refused, and why is
//! said to both sides.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use brain::{Input, MemberName, Message};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;

use super::dial::IDLE;
use super::frame::{self, Answer, Hello, Purpose, Session};
use super::{Awake, Identity, PeerError};
use crate::engine_port::{in_words, lock};
use crate::inbox::{Inbox, tell};
use crate::keys::random_hex;

/// Connections at once: far more than members, far less than open files. Strangers wait outside.
const CONNECTIONS: usize = 64;

/// A peer that says nothing for so long has another connection by now, or none.
const SILENCE: Duration = Duration::from_secs(5 * IDLE.as_secs());

/// How the newest connection of a peer's pod is ended.
type Known = Arc<Mutex<BTreeMap<(MemberName, String), Arc<Notify>>>>;

/// Accepts for ever.
pub(super) async fn run(listener: TcpListener, identity: Identity, awake: Awake, inbox: Inbox) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    // The newest connection of each peer's pod, and how it is ended. Two pods of one name do not
    // end each other's: one was deleted by force and lives on.
    let known = Known::default();
    let mut tasks = JoinSet::new();
    let mut refusals = String::new();
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        let (stream, from) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a peer");
                    // Out of files: others must close some first.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
            Some(ended) = tasks.join_next() => {
                if let Ok(Err(PeerError::Unwanted(why))) = ended && why != refusals {
                    // A refused peer dials every second: its reason is said when it changes.
                    tracing::warn!(why, "refused a peer");
                    refusals = why;
                }
                continue;
            }
        };
        let (identity, awake) = (identity.clone(), Arc::clone(&awake));
        let (inbox, known) = (inbox.clone(), Arc::clone(&known));
        tasks.spawn(async move {
            let _permit = permit;
            let (stream, session, peer, pod) = greet(stream, &identity, &awake).await?;
            tracing::debug!(%peer, %from, "a peer has come");
            if let Some(retry) = lock(&awake).get(&peer) {
                retry.notify_one();
            }
            let replaced = Arc::new(Notify::new());
            if let Some(old) = lock(&known).insert((peer.clone(), pod), Arc::clone(&replaced)) {
                // Its newest connection is the one that it uses.
                old.notify_one();
            }
            let error = tokio::select! {
                error = serve(stream, session, peer.clone(), inbox) => error,
                () = replaced.notified() => return Ok(()),
            };
            tracing::debug!(%peer, error = in_words(&error), "a peer has gone");
            Err(error)
        });
    }
}

/// Reads a greeting and answers it.
async fn greet(
    mut stream: TcpStream,
    identity: &Identity,
    members: &Awake,
) -> Result<(TcpStream, Session, MemberName, String), PeerError> {
    stream.set_nodelay(true)?;
    let greeting = frame::read(&mut stream, frame::DEADLINE).await?;
    let hello: Hello = serde_json::from_slice(&greeting.body).map_err(|_| PeerError::Malformed)?;
    let peer = MemberName(hello.from.clone());
    let keys = identity.keys.borrow().clone();
    let key = keys
        .all()
        .iter()
        .find(|key| key.verifies(&[b"interrex peer hello 1", &greeting.body], &greeting.signature));
    let why = if hello.group != *identity.group {
        format!("{peer} is of group {}, this is {}", hello.group, identity.group)
    } else if key.is_none() {
        format!("{peer} does not know the key of group {}", identity.group)
    } else if hello.to != identity.me.0 {
        format!("{peer} looks for {}, this is {}", hello.to, identity.me)
    } else if !lock(members).contains_key(&peer) {
        format!("{peer} is no other member of group {}", identity.group)
    } else {
        String::new()
    };
    let Some(key) = key.filter(|_| why.is_empty()) else {
        let answer = Answer::Refused { why: why.clone() };
        let answer = serde_json::to_vec(&answer).map_err(|_| PeerError::Malformed)?;
        frame::write(&mut stream, &[0; 32], &answer).await?;
        return Err(PeerError::Unwanted(why));
    };
    let answer = Answer::Welcome { nonce: random_hex::<16>() };
    let answer = serde_json::to_vec(&answer).map_err(|_| PeerError::Malformed)?;
    let signature = frame::sign_answer(key, &greeting.body, &answer);
    frame::write(&mut stream, &signature, &answer).await?;
    Ok((stream, Session::new(key, &greeting.body, &answer), peer, hello.pod))
}

/// Takes messages and gives receipts until something is wrong.
async fn serve(
    mut stream: TcpStream,
    session: Session,
    peer: MemberName,
    inbox: Inbox,
) -> PeerError {
    for counter in 1.. {
        let frame = match frame::read(&mut stream, SILENCE).await {
            Ok(frame) => frame,
            Err(error) => return error,
        };
        if let Err(error) = session.verify(Purpose::Message, counter, &frame) {
            return error;
        }
        if !frame.body.is_empty() {
            let Ok(message) = serde_json::from_slice::<Message>(&frame.body) else {
                // A newer agent may know messages that this one does not.
                tracing::debug!(%peer, "a message of an unknown kind");
                continue_receipt(&mut stream, &session, counter).await;
                continue;
            };
            tell(&inbox, Input::Peer { from: peer.clone(), message }).await;
        }
        let signature = session.sign(Purpose::Receipt, counter, &[]);
        if let Err(error) = frame::write(&mut stream, &signature, &[]).await {
            return error;
        }
    }
    PeerError::Malformed
}

async fn continue_receipt(stream: &mut TcpStream, session: &Session, counter: u64) {
    let signature = session.sign(Purpose::Receipt, counter, &[]);
    // A failure shows again at the next frame.
    let _ = frame::write(stream, &signature, &[]).await;
}
