//! The one connection to the engine: opened when needed, every call with a deadline, failures in
//! words.

use std::time::Duration;

use client::{ClientError, Connection, Credentials, Endpoint, Value};

/// The connection, or how to get one.
#[derive(Debug)]
pub(crate) struct EngineLink {
    endpoint: Endpoint,
    credentials: Credentials,
    connection: Option<Connection>,
}

impl EngineLink {
    /// A link that is opened by the first call.
    pub(crate) fn new(endpoint: Endpoint, credentials: Credentials) -> Self {
        Self { endpoint, credentials, connection: None }
    }

    /// Forgets the connection: the process behind it is another one.
    pub(crate) fn reset(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection.close();
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
        if self.connection.as_ref().is_none_or(Connection::is_dead) {
            let credentials = Some(&self.credentials);
            self.connection = Some(Connection::open(&self.endpoint, credentials, within).await?);
        }
        let connection = self.connection.as_ref().expect("it was opened just now");
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
