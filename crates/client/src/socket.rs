//! Opens the one socket of a connection.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::{ClientError, Endpoint};

/// A byte stream to an engine, whichever kind.
pub(crate) trait Socket: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin> Socket for S {}

/// Connects within `deadline`; name resolution counts.
pub(crate) async fn open(
    endpoint: &Endpoint,
    deadline: Duration,
) -> Result<Box<dyn Socket>, ClientError> {
    match timeout(deadline, connect(endpoint)).await {
        Ok(Ok(socket)) => Ok(socket),
        Ok(Err(source)) => Err(ClientError::Connect { endpoint: endpoint.clone(), source }),
        Err(_) => Err(ClientError::Timeout {
            endpoint: endpoint.clone(),
            command: "connect".to_owned(),
            deadline,
        }),
    }
}

async fn connect(endpoint: &Endpoint) -> io::Result<Box<dyn Socket>> {
    match endpoint {
        Endpoint::Unix(path) => Ok(Box::new(UnixStream::connect(path).await?)),
        Endpoint::Tcp(host, port) => {
            let stream = TcpStream::connect((host.as_str(), *port)).await?;
            // Small commands must not wait for the acknowledgement of earlier ones.
            stream.set_nodelay(true)?;
            Ok(Box::new(stream))
        }
    }
}
