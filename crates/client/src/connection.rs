//! One multiplexed connection: calls share it, their answers keep their order.

use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ErrorKind, RedisConnectionInfo, RedisError, ServerError};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::{ClientError, Credentials, Endpoint, Refused, Value, socket};

/// A command with its arguments, for [`Connection::pipeline`].
#[derive(Clone, PartialEq, Eq)]
pub struct Command(Vec<Vec<u8>>);

impl Command {
    /// A command with its arguments, the name first.
    ///
    /// # Panics
    /// If there is not even a name.
    pub fn new<A: AsRef<[u8]>>(words: &[A]) -> Self {
        assert!(!words.is_empty(), "a command has a name");
        Self(words.iter().map(|word| word.as_ref().to_vec()).collect())
    }

    fn name(&self) -> String {
        String::from_utf8_lossy(&self.0[0]).to_uppercase()
    }

    /// The arguments that are passwords: of `AUTH`, `HELLO … AUTH`, `ACL SETUSER` and of the
    /// directives that hold one. An engine may repeat them in its error reply.
    fn secrets(&self) -> Vec<&str> {
        let words: Vec<&str> =
            self.0.iter().filter_map(|word| std::str::from_utf8(word).ok()).collect();
        match self.name().as_str() {
            "AUTH" | "HELLO" => words[1..].to_vec(),
            "ACL" => {
                words.iter().filter_map(|word| word.strip_prefix(['>', '<', '#', '!'])).collect()
            }
            "CONFIG" => words
                .windows(2)
                .filter(|pair| {
                    let directive = pair[0].to_ascii_lowercase();
                    directive == "requirepass" || directive.ends_with("auth")
                })
                .map(|pair| pair[1])
                .collect(),
            _ => Vec::new(),
        }
    }

    fn packed(&self) -> redis::Cmd {
        let mut packed = redis::Cmd::new();
        for word in &self.0 {
            packed.arg(word.as_slice());
        }
        packed
    }
}

impl std::fmt::Debug for Command {
    /// The name only: arguments may be secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Command({})", self.name())
    }
}

/// A connection to one engine. Calls may run concurrently; a blocking command (`WAIT`, `BLPOP`)
/// holds up those behind it, so give it a connection of its own.
///
/// A call that ends in anything but a value or a refusal ends the connection: a late answer can
/// never be taken for the answer to a later call, and a socket that hangs is given up.
pub struct Connection {
    endpoint: Endpoint,
    inner: MultiplexedConnection,
    driver: AbortHandle,
    given_up: AtomicBool,
    /// Its sender lives in the driver task, so it closes with the socket.
    socket: watch::Receiver<()>,
}

impl Connection {
    /// Connects and authenticates within `deadline` altogether. Without credentials nothing is
    /// sent, so an engine that is loading can be talked to.
    pub async fn open(
        endpoint: &Endpoint,
        credentials: Option<&Credentials>,
        deadline: Duration,
    ) -> Result<Self, ClientError> {
        let begun = Instant::now();
        let stream = socket::open(endpoint, deadline).await?;
        // RESP2 and no CLIENT SETINFO: the handshake sends nothing that an old engine, a loading
        // one, or one that wants a password first would refuse.
        let settings = RedisConnectionInfo::default().set_skip_set_lib_name();
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let (inner, driver) = MultiplexedConnection::new_with_config(&settings, stream, config)
            .await
            .map_err(|error| failure(endpoint, "connect", error))?;
        let (alive, socket) = watch::channel(());
        let driver = tokio::spawn(async move {
            let _alive = alive;
            driver.await;
        });
        let connection = Self {
            endpoint: endpoint.clone(),
            inner,
            driver: driver.abort_handle(),
            given_up: AtomicBool::new(false),
            socket,
        };
        if let Some(Credentials { user, password }) = credentials {
            let left = deadline.saturating_sub(begun.elapsed());
            connection.call(&["AUTH", user.as_str(), password.reveal()], left).await?;
        }
        Ok(connection)
    }

    /// The engine at the other end.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Whether the connection ended or was given up after a failure.
    pub fn is_dead(&self) -> bool {
        self.given_up.load(Ordering::Acquire) || self.socket.has_changed().is_err()
    }

    /// Waits until the connection is dead: the engine closed it, or a call failed.
    pub async fn closed(&self) {
        let mut socket = self.socket.clone();
        // Nothing is ever sent; the channel only closes.
        while socket.changed().await.is_ok() {}
    }

    /// Sends one command (its name first) and returns its answer.
    ///
    /// # Panics
    /// If `words` is empty.
    pub async fn call<A: AsRef<[u8]>>(
        &self,
        words: &[A],
        deadline: Duration,
    ) -> Result<Value, ClientError> {
        let command = Command::new(words);
        let packed = command.packed();
        let mut inner = self.inner.clone();
        let answer = self
            .within(&command, deadline, async move { inner.send_packed_command(&packed).await });
        match answer.await? {
            redis::Value::ServerError(error) => {
                let refused = read_refusal(&error).without(&command.secrets());
                Err(self.refused(command.name(), refused))
            }
            value => self.read(&command.name(), value),
        }
    }

    /// Sends commands in one go and returns their answers in order; the deadline is for all of
    /// them. A refused command does not keep the others from being executed.
    pub async fn pipeline(
        &self,
        commands: &[Command],
        deadline: Duration,
    ) -> Result<Vec<Result<Value, Refused>>, ClientError> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        let mut packed = redis::Pipeline::with_capacity(commands.len());
        for command in commands {
            packed.add_command(command.packed());
        }
        packed.ignore_errors();
        let (mut inner, count) = (self.inner.clone(), commands.len());
        let name = commands[0].name();
        let answers = self.within(&commands[0], deadline, async move {
            inner.send_packed_commands(&packed, 0, count).await
        });
        let answers = answers.await?;
        if answers.len() != count {
            let source = io::Error::other(format!("{} answers to {count} commands", answers.len()));
            return Err(self.protocol(&name, source));
        }
        let read = |(command, answer): (&Command, _)| match answer {
            redis::Value::ServerError(error) => {
                Ok(Err(read_refusal(&error).without(&command.secrets())))
            }
            value => self.read(&name, value).map(Ok),
        };
        commands.iter().zip(answers).map(read).collect()
    }

    /// Gives the connection up; calls under way end, later ones are refused.
    pub fn close(&self) {
        self.given_up.store(true, Ordering::Release);
        self.driver.abort();
    }

    async fn within<T>(
        &self,
        command: &Command,
        deadline: Duration,
        answer: impl Future<Output = Result<T, RedisError>>,
    ) -> Result<T, ClientError> {
        if self.is_dead() {
            return Err(ClientError::Dead { endpoint: self.endpoint.clone() });
        }
        let error = match timeout(deadline, answer).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => match failure(&self.endpoint, &command.name(), error) {
                ClientError::Refused { command: name, refused, .. } => {
                    self.refused(name, refused.without(&command.secrets()))
                }
                other => other,
            },
            Err(_) => ClientError::Timeout {
                endpoint: self.endpoint.clone(),
                command: command.name(),
                deadline,
            },
        };
        if error.is_fatal() {
            self.close();
        }
        Err(error)
    }

    fn read(&self, command: &str, value: redis::Value) -> Result<Value, ClientError> {
        read_value(value).map_err(|source| self.protocol(command, source))
    }

    fn protocol(&self, command: &str, source: io::Error) -> ClientError {
        self.close();
        let command = command.to_owned();
        ClientError::Protocol { endpoint: self.endpoint.clone(), command, source }
    }

    fn refused(&self, command: String, refused: Refused) -> ClientError {
        ClientError::Refused { endpoint: self.endpoint.clone(), command, refused }
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("endpoint", &self.endpoint)
            .field("dead", &self.is_dead())
            .finish_non_exhaustive()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

fn read_refusal(error: &ServerError) -> Refused {
    words(error.code(), error.details())
}

fn words(code: &str, detail: Option<&str>) -> Refused {
    match detail {
        Some(detail) => Refused::parse(&format!("{code} {detail}")),
        None => Refused::parse(code),
    }
}

fn read_value(value: redis::Value) -> io::Result<Value> {
    Ok(match value {
        redis::Value::Nil => Value::Nil,
        redis::Value::Okay => Value::Ok,
        redis::Value::SimpleString(text) => Value::Status(text),
        redis::Value::Int(number) => Value::Int(number),
        redis::Value::BulkString(bytes) => Value::Bytes(bytes),
        redis::Value::Array(items) => {
            Value::Array(items.into_iter().map(read_value).collect::<io::Result<_>>()?)
        }
        redis::Value::ServerError(error) => Value::Refused(read_refusal(&error)),
        other => return Err(io::Error::other(format!("a RESP3 reply on RESP2: {other:?}"))),
    })
}

/// Sorts an error of the library; its own words stay in the cause.
fn failure(endpoint: &Endpoint, command: &str, error: RedisError) -> ClientError {
    let (endpoint, command) = (endpoint.clone(), command.to_owned());
    match error.kind() {
        ErrorKind::Server(_) | ErrorKind::Extension => {
            let refused = words(error.code().unwrap_or("ERR"), error.detail());
            ClientError::Refused { endpoint, command, refused }
        }
        ErrorKind::Parse | ErrorKind::UnexpectedReturnType => {
            ClientError::Protocol { endpoint, command, source: io::Error::other(error) }
        }
        _ => ClientError::Disconnected { endpoint, command, source: io::Error::other(error) },
    }
}
