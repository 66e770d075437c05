//! One request to a pod: HTTP/1.0 by hand, so that the answer is whole when the other side closes.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::error::Error;

/// Longer than any answer that is waited for.
const LONGEST_BODY: u64 = 16 << 20;

/// Asks, and reads the JSON that comes back.
pub(crate) async fn ask<T: DeserializeOwned>(
    address: &str,
    method: &str,
    path: &str,
    body: Option<&impl Serialize>,
    within: Duration,
) -> Result<T, Error> {
    let text = call(address, method, path, body, within).await?;
    let who = || format!("{address}{path}");
    serde_json::from_str(&text).map_err(|source| Error::Answer { who: who(), source })
}

/// Asks, and gives back the text that comes.
pub(crate) async fn text(address: &str, path: &str, within: Duration) -> Result<String, Error> {
    call(address, "GET", path, None::<&()>, within).await
}

async fn call(
    address: &str,
    method: &str,
    path: &str,
    body: Option<&impl Serialize>,
    within: Duration,
) -> Result<String, Error> {
    let body = body.map(serde_json::to_string).transpose();
    let body = body.map_err(|source| Error::Answer { who: path.to_owned(), source })?;
    let exchange = timeout(within, exchange(address, method, path, body.as_deref())).await;
    let answer = exchange.unwrap_or_else(|late| Err(late.into())).map_err(|source| {
        Error::Call { address: address.to_owned(), path: path.to_owned(), source }
    })?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.lines().next().unwrap_or_default();
    if status.split(' ').nth(1) == Some("200") {
        return Ok(body.to_owned());
    }
    Err(Error::Refused {
        address: address.to_owned(),
        path: path.to_owned(),
        status: status.to_owned(),
        body: body.trim().to_owned(),
    })
}

async fn exchange(
    address: &str,
    method: &str,
    path: &str,
    body: Option<&str>,
) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let body = body.unwrap_or_default();
    let request = format!(
        "{method} {path} HTTP/1.0\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.take(LONGEST_BODY).read_to_string(&mut answer).await?;
    Ok(answer)
}
