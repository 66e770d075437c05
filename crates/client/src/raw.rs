//! A plain connection for load and for counting: commands queue up without being read, answers
//! are read one by one, and it is known exactly which of them were acknowledged.

mod resp;

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::socket::{self, Socket};
use crate::{ClientError, Credentials, Endpoint, Refused, Value};

/// How much is read at once. Answers to a load generator are small; 64 KiB hold thousands.
const READ_BYTES: usize = 64 * 1024;

/// The answer to one command: a value, which acknowledges it, or a refusal.
pub type Answer = Result<Value, Refused>;

/// What became of the commands of one connection. `AUTH` at the opening is not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Commands handed to [`RawConnection::queue`].
    pub queued: u64,
    /// Answers that are no errors.
    pub acknowledged: u64,
    /// Error answers.
    pub refused: u64,
}

impl Counts {
    /// Commands of which nobody knows yet whether they were executed.
    pub fn unanswered(self) -> u64 {
        self.queued - self.acknowledged - self.refused
    }
}

/// One socket to one engine, RESP2, answers in the order of the commands.
///
/// Unlike with [`crate::Connection`], a timeout does not end it: whatever was not yet written or
/// read stays where it is, and the next call goes on from there. So an engine can be frozen in
/// the middle and its late answers counted. A closed socket or a broken answer ends it.
pub struct RawConnection {
    endpoint: Endpoint,
    socket: Box<dyn Socket>,
    unsent: Vec<u8>,
    sent: usize,
    received: Vec<u8>,
    read: usize,
    counts: Counts,
    dead: bool,
}

impl fmt::Debug for RawConnection {
    /// Without the buffers: they may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawConnection")
            .field("endpoint", &self.endpoint)
            .field("counts", &self.counts)
            .field("dead", &self.dead)
            .finish_non_exhaustive()
    }
}

/// Encodes one command, for [`RawConnection::queue_encoded`].
///
/// # Panics
/// If `words` is empty.
pub fn encode<A: AsRef<[u8]>>(words: &[A]) -> Vec<u8> {
    let mut encoded = Vec::new();
    resp::encode(&mut encoded, words);
    encoded
}

impl RawConnection {
    /// Connects and authenticates within `deadline` altogether.
    pub async fn open(
        endpoint: &Endpoint,
        credentials: Option<&Credentials>,
        deadline: Duration,
    ) -> Result<Self, ClientError> {
        let begun = Instant::now();
        let mut connection = Self {
            endpoint: endpoint.clone(),
            socket: socket::open(endpoint, deadline).await?,
            unsent: Vec::new(),
            sent: 0,
            received: Vec::with_capacity(READ_BYTES),
            read: 0,
            counts: Counts::default(),
            dead: false,
        };
        if let Some(Credentials { user, password }) = credentials {
            connection.queue(&["AUTH", user.as_str(), password.reveal()]);
            let answer = connection.answer(deadline.saturating_sub(begun.elapsed())).await?;
            answer.map_err(|refused| ClientError::Refused {
                endpoint: endpoint.clone(),
                command: "AUTH".to_owned(),
                refused: refused.without(&[password.reveal()]),
            })?;
            connection.counts = Counts::default();
        }
        Ok(connection)
    }

    /// The engine at the other end.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// What became of the commands so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Whether the socket ended or answered something that is not RESP.
    pub fn is_dead(&self) -> bool {
        self.dead
    }

    /// Adds a command to what the next [`flush`](Self::flush) writes. Nothing is sent yet. The
    /// queue is as long as its caller makes it.
    ///
    /// # Panics
    /// If `words` is empty.
    pub fn queue<A: AsRef<[u8]>>(&mut self, words: &[A]) {
        resp::encode(&mut self.unsent, words);
        self.counts.queued += 1;
    }

    /// Adds `commands` commands that [`encode`] wrote, one after the other.
    pub fn queue_encoded(&mut self, encoded: &[u8], commands: u64) {
        self.unsent.extend_from_slice(encoded);
        self.counts.queued += commands;
    }

    /// Writes everything that is queued, without waiting for any answer.
    pub async fn flush(&mut self, deadline: Duration) -> Result<(), ClientError> {
        self.alive()?;
        match timeout(deadline, self.write_out()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(source)) => Err(self.disconnected("write", source)),
            Err(_) => Err(self.timed_out("write", deadline)),
        }
    }

    /// Reads the answer to the oldest unanswered command; writes what is still queued first.
    ///
    /// # Panics
    /// If every command has its answer: there is nothing to wait for.
    pub async fn answer(&mut self, deadline: Duration) -> Result<Answer, ClientError> {
        assert!(self.counts.unanswered() > 0, "nothing is unanswered: {:?}", self.counts);
        if let Some(answer) = self.arrived()? {
            return Ok(answer);
        }
        self.alive()?;
        match timeout(deadline, self.wait_for_answer()).await {
            Ok(answer) => answer,
            Err(_) => Err(self.timed_out("read", deadline)),
        }
    }

    /// The next answer if it has been received already; never waits.
    pub fn arrived(&mut self) -> Result<Option<Answer>, ClientError> {
        if self.read == self.received.len() {
            return Ok(None);
        }
        match resp::parse(&self.received[self.read..]) {
            Ok(None) => Ok(None),
            Ok(Some((answer, length))) => {
                self.read += length;
                if self.read == self.received.len() {
                    self.received.clear();
                    self.read = 0;
                }
                self.count(&answer)?;
                Ok(Some(answer))
            }
            Err(source) => Err(self.broken(source)),
        }
    }

    /// Reads answers until every command has one, the connection ends, or `deadline` is over,
    /// and says what became of them. An end of the connection is no error here.
    pub async fn settle(&mut self, deadline: Duration) -> Counts {
        let until = Instant::now() + deadline;
        while self.counts.unanswered() > 0 {
            let left = until.saturating_duration_since(Instant::now());
            if self.answer(left).await.is_err() {
                break;
            }
        }
        self.counts
    }

    async fn wait_for_answer(&mut self) -> Result<Answer, ClientError> {
        // A write that fails does not hide the answers that came before the connection ended.
        let written = self.write_out().await;
        loop {
            self.received.drain(..self.read);
            self.read = 0;
            self.received.reserve(READ_BYTES);
            match self.socket.read_buf(&mut self.received).await {
                Ok(0) => {
                    let end = written.err().unwrap_or(io::ErrorKind::UnexpectedEof.into());
                    return Err(self.disconnected("read", end));
                }
                Ok(_) => {}
                Err(source) => return Err(self.disconnected("read", source)),
            }
            if let Some(answer) = self.arrived()? {
                return Ok(answer);
            }
        }
    }

    /// Can be dropped at any await: `sent` counts what the kernel took.
    async fn write_out(&mut self) -> io::Result<()> {
        while self.sent < self.unsent.len() {
            match self.socket.write(&self.unsent[self.sent..]).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                count => self.sent += count,
            }
        }
        self.unsent.clear();
        self.sent = 0;
        Ok(())
    }

    fn count(&mut self, answer: &Answer) -> Result<(), ClientError> {
        if self.counts.unanswered() == 0 {
            return Err(self.broken(io::Error::other("an answer to no command")));
        }
        match answer {
            Ok(_) => self.counts.acknowledged += 1,
            Err(_) => self.counts.refused += 1,
        }
        Ok(())
    }

    fn alive(&self) -> Result<(), ClientError> {
        if self.dead {
            return Err(ClientError::Dead { endpoint: self.endpoint.clone() });
        }
        Ok(())
    }

    fn broken(&mut self, source: io::Error) -> ClientError {
        self.dead = true;
        let command = "queued commands".to_owned();
        ClientError::Protocol { endpoint: self.endpoint.clone(), command, source }
    }

    fn disconnected(&mut self, during: &str, source: io::Error) -> ClientError {
        self.dead = true;
        let command = during.to_owned();
        ClientError::Disconnected { endpoint: self.endpoint.clone(), command, source }
    }

    fn timed_out(&self, during: &str, deadline: Duration) -> ClientError {
        let command = during.to_owned();
        ClientError::Timeout { endpoint: self.endpoint.clone(), command, deadline }
    }
}
