//! Frames on the wire: a length, a signature, a body; and the handshake that makes a signature good
//! for one place in one connection only.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::PeerError;
use crate::keys::Key;

/// The longest body. A record with fifty members is a tenth of it.
pub(super) const BODY_MAX: usize = 256 * 1024;

/// How long a frame may take to be written, and an answer to a greeting to come.
pub(super) const DEADLINE: Duration = Duration::from_secs(2);

const SIGNATURE: usize = 32;

/// The first frame of whoever dials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Hello {
    /// The group's id.
    pub(super) group: String,
    /// Who dials.
    pub(super) from: String,
    /// In which of its pods: an older one may live on beside it.
    #[serde(default)]
    pub(super) pod: String,
    /// Whom it wants.
    pub(super) to: String,
    /// Never used before.
    pub(super) nonce: String,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Answer {
    /// Come in; the nonce was never used before.
    Welcome { nonce: String },
    /// Stay out, and why. Not signed: there may be no common key.
    Refused { why: String },
}

/// What a signature is for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    /// A message of the one who dialed.
    Message,
    /// The receipt for it.
    Receipt,
}

/// One connection after its handshake. Both nonces are in it, so that no frame of one connection
/// is good in another; the counter makes it good once.
#[derive(Debug, Clone)]
pub(super) struct Session {
    key: Key,
    id: [u8; 32],
}

impl Session {
    pub(super) fn new(key: &Key, hello: &[u8], answer: &[u8]) -> Self {
        Self { key: key.clone(), id: key.sign(&[b"interrex peer session 1", hello, answer]) }
    }

    pub(super) fn sign(&self, purpose: Purpose, counter: u64, body: &[u8]) -> [u8; 32] {
        self.key.sign(&[word(purpose), &self.id, &counter.to_be_bytes(), body])
    }

    pub(super) fn verify(
        &self,
        purpose: Purpose,
        counter: u64,
        frame: &Frame,
    ) -> Result<(), PeerError> {
        let parts: [&[u8]; 4] = [word(purpose), &self.id, &counter.to_be_bytes(), &frame.body];
        if self.key.verifies(&parts, &frame.signature) { Ok(()) } else { Err(PeerError::Signature) }
    }
}

fn word(purpose: Purpose) -> &'static [u8] {
    match purpose {
        Purpose::Message => b"interrex peer message 1",
        Purpose::Receipt => b"interrex peer receipt 1",
    }
}

/// The signature of a greeting.
pub(super) fn sign_hello(key: &Key, hello: &[u8]) -> [u8; 32] {
    key.sign(&[b"interrex peer hello 1", hello])
}

/// The signature of a welcome, which is good for one greeting only.
pub(super) fn sign_answer(key: &Key, hello: &[u8], answer: &[u8]) -> [u8; 32] {
    key.sign(&[b"interrex peer welcome 1", hello, answer])
}

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) signature: [u8; 32],
    pub(super) body: Vec<u8>,
}

/// Writes one frame within [`DEADLINE`].
pub(super) async fn write(
    stream: &mut (impl AsyncWrite + Unpin),
    signature: &[u8; 32],
    body: &[u8],
) -> Result<(), PeerError> {
    if body.len() > BODY_MAX {
        return Err(PeerError::TooLong(body.len()));
    }
    let length = (SIGNATURE + body.len()) as u32;
    let mut bytes = Vec::with_capacity(4 + length as usize);
    bytes.extend(length.to_be_bytes());
    bytes.extend(signature);
    bytes.extend(body);
    match timeout(DEADLINE, stream.write_all(&bytes)).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(PeerError::Silent(DEADLINE.as_millis() as u64)),
    }
}

/// Reads one frame; it must be complete `within`.
pub(super) async fn read(
    stream: &mut (impl AsyncRead + Unpin),
    within: Duration,
) -> Result<Frame, PeerError> {
    let frame = async {
        let mut length = [0; 4];
        stream.read_exact(&mut length).await?;
        let length = u32::from_be_bytes(length) as usize;
        let Some(body) = length.checked_sub(SIGNATURE) else {
            return Err(PeerError::Malformed);
        };
        if body > BODY_MAX {
            return Err(PeerError::TooLong(body));
        }
        let mut signature = [0; SIGNATURE];
        stream.read_exact(&mut signature).await?;
        let mut body = vec![0; body];
        stream.read_exact(&mut body).await?;
        Ok(Frame { signature, body })
    };
    let silent = PeerError::Silent(within.as_millis() as u64);
    timeout(within, frame).await.unwrap_or(Err(silent))
}
