//! What can go wrong with a call, and what that says about the connection.

use std::io;
use std::time::Duration;

use engine::Refusal;

use crate::Endpoint;

/// An error reply of the engine: its meaning, and its own words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Refused {
    /// What it means (engine.md 1.7).
    pub refusal: Refusal,
    /// The reply as it came, without the leading `-`.
    pub text: String,
}

impl Refused {
    /// Reads an error reply, with or without its leading `-`.
    pub fn parse(reply: &str) -> Self {
        let text = reply.strip_prefix('-').unwrap_or(reply).trim_end().to_owned();
        Self { refusal: Refusal::parse(&text), text }
    }

    /// The first word of the reply: `READONLY`, `ERR`.
    pub fn prefix(&self) -> &str {
        self.text.split(' ').next().unwrap_or_default()
    }

    /// The same with every secret cut out, and without the arguments that an engine repeats when
    /// it does not know a command: an error must be fit for a log.
    pub(crate) fn without(mut self, secrets: &[&str]) -> Self {
        if let Some((known, _)) = self.text.split_once(", with args beginning with") {
            self.text = known.to_owned();
        }
        for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
            if self.text.contains(secret) {
                self.text = self.text.replace(secret, "…");
            }
        }
        self
    }

    /// The reply without its first word.
    pub fn rest(&self) -> &str {
        self.text.split_once(' ').map_or("", |(_, rest)| rest)
    }
}

/// Why a call brought no value. Only [`ClientError::Refused`] leaves the connection usable.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens there, or not for us.
    #[error("cannot connect to {endpoint}")]
    Connect {
        /// The engine.
        endpoint: Endpoint,
        /// The cause.
        source: io::Error,
    },
    /// The engine answered with an error. It is alive, and the connection goes on.
    #[error("{endpoint} refused {command}")]
    Refused {
        /// The engine.
        endpoint: Endpoint,
        /// The first word of the command; never its arguments.
        command: String,
        /// What it said.
        #[source]
        refused: Refused,
    },
    /// No answer within the deadline. Whether the command was executed is not known.
    #[error("{endpoint} did not answer {command} within {} ms", deadline.as_millis())]
    Timeout {
        /// The engine.
        endpoint: Endpoint,
        /// The first word of the command, or `connect`.
        command: String,
        /// The deadline of the call.
        deadline: Duration,
    },
    /// The connection ended before the answer. Whether the command was executed is not known.
    #[error("the connection to {endpoint} ended during {command}")]
    Disconnected {
        /// The engine.
        endpoint: Endpoint,
        /// The first word of the command.
        command: String,
        /// The cause.
        source: io::Error,
    },
    /// What came back is not the engine's protocol.
    #[error("{endpoint} answered {command} with something that is not RESP")]
    Protocol {
        /// The engine.
        endpoint: Endpoint,
        /// The first word of the command.
        command: String,
        /// The cause.
        source: io::Error,
    },
    /// The connection had failed before; nothing was sent.
    #[error("the connection to {endpoint} is dead")]
    Dead {
        /// The engine.
        endpoint: Endpoint,
    },
}

impl ClientError {
    /// The engine's error reply, if that is what it was.
    pub fn refused(&self) -> Option<&Refused> {
        match self {
            Self::Refused { refused, .. } => Some(refused),
            _ => None,
        }
    }

    /// Whether the connection cannot be used any more.
    pub fn is_fatal(&self) -> bool {
        self.refused().is_none()
    }
}
