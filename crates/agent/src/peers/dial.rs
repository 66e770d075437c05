//! Our way to one peer: dialed again and again, given up as soon as nothing comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use brain::{Input, MemberName};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use super::frame::{self, Answer, Hello, Purpose, Session};
use super::queue::Queue;
use super::{Identity, PeerError};
use crate::engine_port::in_words;
use crate::inbox::{Inbox, tell};
use crate::keys::random_hex;

const BACKOFF_MIN: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(1);

/// A message that has no receipt after this long went into a cut or frozen link.
const RECEIPT: Duration = Duration::from_secs(2);

/// An idle channel is tried this often; the other side gives up a silent one later than that.
pub(super) const IDLE: Duration = Duration::from_secs(2);

/// How often receipts are looked after.
const LOOK: Duration = Duration::from_millis(500);

/// One peer's dialer.
pub(super) struct Dialer {
    pub(super) identity: Identity,
    pub(super) peer: MemberName,
    pub(super) queue: Arc<Queue>,
    /// Rung when the peer has come to us: it is there, so dial at once.
    pub(super) retry: Arc<Notify>,
    pub(super) inbox: Inbox,
}

impl Dialer {
    /// Keeps the channel open for ever.
    pub(super) async fn run(self, address: impl Fn() -> Option<String>) {
        let mut backoff = BACKOFF_MIN;
        let mut said = String::new();
        loop {
            let error = match address() {
                None => "its address is not known".to_owned(),
                Some(address) => match timeout(frame::DEADLINE, self.connect(&address)).await {
                    Err(_) => format!("{address} does not answer"),
                    Ok(Err(error)) => format!("{address}: {}", in_words(&error)),
                    Ok(Ok((stream, session))) => {
                        backoff = BACKOFF_MIN;
                        said.clear();
                        tracing::debug!(peer = %self.peer, address, "channel open");
                        self.link(true).await;
                        let error = self.serve(stream, &session).await;
                        self.link(false).await;
                        tracing::info!(peer = %self.peer, error = in_words(&error), "channel lost");
                        in_words(&error)
                    }
                },
            };
            // A peer that is starting is not there for a moment: that is not worth a word.
            if error != said && backoff == BACKOFF_MAX {
                tracing::warn!(peer = %self.peer, error, "no channel to this peer");
                said = error;
            }
            // Either somebody rings, or the pause is over.
            let _ = timeout(backoff, self.retry.notified()).await;
            backoff = (backoff * 2).min(BACKOFF_MAX);
        }
    }

    async fn link(&self, up: bool) {
        tell(&self.inbox, Input::PeerLink { peer: self.peer.clone(), up }).await;
    }

    async fn connect(&self, address: &str) -> Result<(TcpStream, Session), PeerError> {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let hello = Hello {
            group: self.identity.group.to_string(),
            from: self.identity.me.0.clone(),
            pod: self.identity.pod.to_string(),
            to: self.peer.0.clone(),
            nonce: random_hex::<16>(),
        };
        let hello = serde_json::to_vec(&hello).map_err(|_| PeerError::Malformed)?;
        let keys = self.identity.keys.borrow().clone();
        let key = keys.first();
        frame::write(&mut stream, &frame::sign_hello(key, &hello), &hello).await?;
        let answer = frame::read(&mut stream, frame::DEADLINE).await?;
        match serde_json::from_slice(&answer.body).map_err(|_| PeerError::Malformed)? {
            Answer::Refused { why } => Err(PeerError::Refused(why)),
            Answer::Welcome { .. } => {
                if answer.signature != frame::sign_answer(key, &hello, &answer.body) {
                    return Err(PeerError::Signature);
                }
                Ok((stream, Session::new(key, &hello, &answer.body)))
            }
        }
    }

    async fn serve(&self, stream: TcpStream, session: &Session) -> PeerError {
        let (reader, writer) = stream.into_split();
        let received = AtomicU64::new(0);
        // Neither of the two is dropped in the middle of a frame but to end the connection.
        tokio::select! {
            error = read_receipts(reader, session, &received) => error,
            error = self.write_messages(writer, session, &received) => error,
        }
    }

    async fn write_messages(
        &self,
        mut writer: OwnedWriteHalf,
        session: &Session,
        received: &AtomicU64,
    ) -> PeerError {
        let (mut sent, mut last) = (0_u64, Instant::now());
        // When the oldest message without a receipt was sent: known when it is the only one, else
        // since the last time that a receipt came.
        let mut owed: Option<(u64, Instant)> = None;
        loop {
            let wait = if owed.is_some() { LOOK } else { IDLE };
            let message = match timeout(wait, self.queue.pop()).await {
                Ok(message) => serde_json::to_vec(&message).unwrap_or_default(),
                Err(_) => Vec::new(),
            };
            let acked = received.load(Ordering::Acquire);
            owed = match owed {
                Some((at, _)) if acked > at && acked < sent => Some((acked, Instant::now())),
                Some(_) if acked >= sent => None,
                other => other,
            };
            if owed.is_some_and(|(_, since)| since.elapsed() > RECEIPT) {
                return PeerError::Silent(RECEIPT.as_millis() as u64);
            }
            if message.is_empty() && last.elapsed() < IDLE {
                continue;
            }
            if message.len() > frame::BODY_MAX {
                tracing::error!(bytes = message.len(), "a message is too long to be sent");
                continue;
            }
            sent += 1;
            last = Instant::now();
            owed.get_or_insert((acked, last));
            let signature = session.sign(Purpose::Message, sent, &message);
            if let Err(error) = frame::write(&mut writer, &signature, &message).await {
                return error;
            }
        }
    }
}

async fn read_receipts(
    mut reader: OwnedReadHalf,
    session: &Session,
    received: &AtomicU64,
) -> PeerError {
    for counter in 1.. {
        // Silence is judged by the writer, which knows whether anything is owed.
        let frame = match frame::read(&mut reader, Duration::from_secs(3600)).await {
            Ok(frame) => frame,
            Err(error) => return error,
        };
        if let Err(error) = session.verify(Purpose::Receipt, counter, &frame) {
            return error;
        }
        received.store(counter, Ordering::Release);
    }
    PeerError::Malformed
}
