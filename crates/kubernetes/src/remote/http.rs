//! One HTTP/1.1 exchange over any stream.

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

/// The longest answer that is read, in bytes: far above a report with all its decisions.
const LONGEST_ANSWER: usize = 4 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExchangeError {
    /// The connection broke.
    #[error("the connection broke")]
    Broken {
        /// The cause.
        #[from]
        source: hyper::Error,
    },
    /// The answer cannot be read.
    #[error("the answer cannot be read")]
    Answer {
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A question.
pub(super) fn get(path: &str) -> Result<Request<Vec<u8>>, hyper::http::Error> {
    Request::builder().method(Method::GET).uri(path).body(Vec::new())
}

/// A request that acts: it carries the group's token.
pub(super) fn post(
    path: &str,
    token: &str,
    body: Vec<u8>,
) -> Result<Request<Vec<u8>>, hyper::http::Error> {
    Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .body(body)
}

/// Sends a request and reads the whole answer. The caller has the deadline.
pub(super) async fn exchange<S>(
    stream: S,
    host: &str,
    request: Request<Vec<u8>>,
) -> Result<(StatusCode, Bytes), ExchangeError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to an agent ended");
        }
    });
    let (mut head, body) = request.into_parts();
    if let Ok(host) = header::HeaderValue::from_str(host) {
        head.headers.insert(header::HOST, host);
    }
    let request = Request::from_parts(head, Full::new(Bytes::from(body)));
    let answered = sender.send_request(request).await;
    let answer = match answered {
        Ok(response) => {
            let status = response.status();
            let body = Limited::new(response.into_body(), LONGEST_ANSWER).collect().await;
            body.map(|body| (status, body.to_bytes()))
                .map_err(|source| ExchangeError::Answer { source })
        }
        Err(source) => Err(source.into()),
    };
    driver.abort();
    answer
}
