//! A small HTTP/1.1 caller: one kept connection, one deadline a call, and a plain word on whether
//! the request can have been carried out.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// The longest answer that is read, in bytes: a record of a thousand members is far below it.
const LONGEST_ANSWER: usize = 4 << 20;

/// A call without an answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// No connection: the request was not sent.
    #[error("cannot connect to {address}")]
    Connect {
        /// Who was called.
        address: SocketAddr,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// No connection within the deadline: the request was not sent.
    #[error("no connection to {address} within {}", Millis(*within))]
    ConnectTimeout {
        /// Who was called.
        address: SocketAddr,
        /// The deadline.
        within: Duration,
    },
    /// The request may have been carried out: it was sent and nothing came back in time.
    #[error("{address} did not answer within {}", Millis(*within))]
    Unanswered {
        /// Who was called.
        address: SocketAddr,
        /// The deadline.
        within: Duration,
    },
    /// The request may have been carried out: the connection broke before the whole answer came.
    #[error("{address} hung up before it had answered")]
    Broken {
        /// Who was called.
        address: SocketAddr,
        /// What the protocol says.
        source: hyper::Error,
    },
    /// The request may have been carried out: its answer cannot be used.
    #[error("{address} gave an answer that cannot be used: {what}")]
    Garbled {
        /// Who was called.
        address: SocketAddr,
        /// What is wrong with the answer.
        what: String,
    },
    /// The request cannot be spelled; it was not sent.
    #[error("cannot make a request for {path}")]
    Unspeakable {
        /// The path that was asked for.
        path: String,
        /// What the protocol says.
        source: hyper::http::Error,
    },
}

impl HttpError {
    /// True when the other side can have carried the request out.
    pub fn was_sent(&self) -> bool {
        matches!(self, Self::Unanswered { .. } | Self::Broken { .. } | Self::Garbled { .. })
    }
}

struct Millis(Duration);

impl fmt::Display for Millis {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ms", self.0.as_millis())
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status of the answer.
    pub status: StatusCode,
    /// The body of the answer.
    pub body: Bytes,
}

/// One kept connection to one address; calls queue up behind each other.
///
/// Whoever must not wait behind another call has a caller of its own (failover.md 2.5: renewals
/// and takeovers on their own connection, fresh on error).
pub struct Caller {
    address: SocketAddr,
    token: Option<String>,
    line: Mutex<Option<Line>>,
}

impl fmt::Debug for Caller {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Caller").field("address", &self.address).finish_non_exhaustive()
    }
}

struct Line {
    sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

enum Failure {
    /// Provably not sent, on a connection that was kept for too long.
    Stale,
    Failed(HttpError),
}

impl Caller {
    /// A caller of `address`; connects at the first call. The token goes into every request.
    pub fn new(address: SocketAddr, token: Option<String>) -> Self {
        Self { address, token, line: Mutex::new(None) }
    }

    /// A caller of the same address that waits behind none of this one's calls.
    pub fn apart(&self) -> Self {
        Self::new(self.address, self.token.clone())
    }

    /// Sends a request and reads the whole answer, all within `within`.
    ///
    /// A call that is dropped halfway, and any failure, closes the connection.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
        within: Duration,
    ) -> Result<Answer, HttpError> {
        let end = Instant::now() + within;
        let body = Bytes::from(body.unwrap_or_default());
        let connect_timeout = || HttpError::ConnectTimeout { address: self.address, within };
        let mut kept =
            tokio::time::timeout_at(end, self.line.lock()).await.map_err(|_| connect_timeout())?;
        loop {
            let request = self.request(&method, path, body.clone())?;
            let reused = kept.take().filter(|line| line.sender.is_ready());
            let was_reused = reused.is_some();
            let mut line = match reused {
                Some(line) => line,
                None => tokio::time::timeout_at(end, self.connect())
                    .await
                    .map_err(|_| connect_timeout())??,
            };
            let exchange = self.exchange(&mut line, request, was_reused);
            match tokio::time::timeout_at(end, exchange).await {
                Ok(Ok(answer)) => {
                    *kept = Some(line);
                    return Ok(answer);
                }
                Ok(Err(Failure::Stale)) => {}
                Ok(Err(Failure::Failed(error))) => return Err(error),
                Err(_) => return Err(HttpError::Unanswered { address: self.address, within }),
            }
        }
    }

    fn request(
        &self,
        method: &Method,
        path: &str,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, HttpError> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.address.to_string())
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        request
            .body(Full::new(body))
            .map_err(|source| HttpError::Unspeakable { path: path.to_owned(), source })
    }

    async fn connect(&self) -> Result<Line, HttpError> {
        let address = self.address;
        let failed = |source| HttpError::Connect { address, source };
        let stream = TcpStream::connect(address).await.map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| failed(std::io::Error::other(error)))?;
        // Ends when the sender is dropped, and is aborted with the line that owns it.
        let driver = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%address, %error, "a connection ended");
            }
        });
        Ok(Line { sender, driver })
    }

    async fn exchange(
        &self,
        line: &mut Line,
        request: Request<Full<Bytes>>,
        was_reused: bool,
    ) -> Result<Answer, Failure> {
        let address = self.address;
        let broken = |source: hyper::Error| {
            if was_reused && source.is_canceled() {
                Failure::Stale
            } else {
                Failure::Failed(HttpError::Broken { address, source })
            }
        };
        let response = line.sender.send_request(request).await.map_err(broken)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), LONGEST_ANSWER)
            .collect()
            .await
            .map_err(|error| {
                Failure::Failed(HttpError::Garbled { address, what: error.to_string() })
            })?
            .to_bytes();
        Ok(Answer { status, body })
    }
}
