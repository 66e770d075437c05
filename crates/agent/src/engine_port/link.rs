//! The one connection to the engine: opened when needed, every call with a deadline, failures in
//! words.

use std::sync::Arc;
use std::time::Duration;

use brain::Tick;
use client::{ClientError, Connection, Credentials, Endpoint, Value};
use tokio::task::JoinHandle;

use crate::clock;

/// For how long the answer to a question is waited for before its connection is given up: longer
/// than any engine is given that does not answer (failover.md 2.12).
const LATE: Duration = Duration::from_secs(60);

/// The connection, or how to get one.
#[derive(Debug)]
pub(crate) struct EngineLink {
    endpoint: Endpoint,
    credentials: Credentials,
    connection: Option<Arc<Connection>>,
    /// A question that was not answered in time, and when it was asked.
    late: Option<(Tick, JoinHandle<Result<Value, ClientError>>)>,
}

impl EngineLink {
    /// A link that is opened by the first call.
    pub(crate) fn new(endpoint: Endpoint, credentials: Credentials) -> Self {
        Self { endpoint, credentials, connection: None, late: None }
    }

    /// Forgets the connection: the process behind it is another one.
    pub(crate) fn reset(&mut self) {
        self.late = None;
        if let Some(connection) = self.connection.take() {
            connection.close();
        }
    }

    /// Asks something, and asks no second time while the first answer is on its way: an engine that
    /// is busy for a moment must not cost the connection, as one with all its clients would not let
    /// its agent in again. With the instant at which it was asked; `None`: no answer yet.
    pub(crate) async fn ask(
        &mut self,
        words: &'static [&'static str],
        within: Duration,
    ) -> (Tick, Option<Result<Value, ClientError>>) {
        let now = clock::now();
        let (asked, mut answer) = match self.late.take() {
            Some(late) => late,
            None => match self.open(within).await {
                Ok(connection) => {
                    (now, tokio::spawn(async move { connection.call(words, LATE).await }))
                }
                Err(error) => return (now, Some(Err(error))),
            },
        };
        let in_time = tokio::time::timeout(within, &mut answer).await;
        if in_time.is_err() {
            self.late = Some((asked, answer));
        }
        (asked, in_time.ok().and_then(Result::ok))
    }

    async fn open(&mut self, within: Duration) -> Result<Arc<Connection>, ClientError> {
        match &self.connection {
            Some(connection) if !connection.is_dead() => Ok(Arc::clone(connection)),
            _ => {
                let credentials = Some(&self.credentials);
                let opened = Connection::open(&self.endpoint, credentials, within).await?;
                Ok(Arc::clone(self.connection.insert(Arc::new(opened))))
            }
        }
    }

    /// Sends one command. A failure that is no refusal ends the connection, so that a late answer
    /// is never taken for a later one's.
    pub(crate) async fn call<A: AsRef<[u8]>>(
        &mut self,
        words: &[A],
        within: Duration,
    ) -> Result<Value, ClientError> {
        let begun = tokio::time::Instant::now();
        let connection = self.open(within).await?;
        connection.call(words, within.saturating_sub(begun.elapsed())).await
    }

    /// Sends one command whose answer is of no interest but for a failure.
    pub(crate) async fn command<A: AsRef<[u8]>>(
        &mut self,
        words: &[A],
        within: Duration,
    ) -> Result<(), String> {
        self.call(words, within).await.map(|_| ()).map_err(|error| in_words(&error))
    }
}

/// An error with all its causes, for people.
pub(crate) fn in_words(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
