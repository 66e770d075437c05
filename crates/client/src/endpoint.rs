//! Where an engine listens, and as whom to speak to it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where an engine listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// A unix socket.
    Unix(PathBuf),
    /// A host name or address without brackets, and a port.
    Tcp(String, u16),
}

impl Endpoint {
    /// A TCP endpoint.
    pub fn tcp(host: impl Into<String>, port: u16) -> Self {
        Self::Tcp(host.into(), port)
    }

    /// A unix socket.
    pub fn unix(path: impl Into<PathBuf>) -> Self {
        Self::Unix(path.into())
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp(host, port) => write!(f, "{host}:{port}"),
        }
    }
}

/// A text that is neither an absolute path nor `host:port`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is not an address: write host:port, [v6]:port or the path of a unix socket")]
pub struct BadEndpoint {
    /// What was given.
    pub given: String,
}

impl FromStr for Endpoint {
    type Err = BadEndpoint;

    fn from_str(given: &str) -> Result<Self, BadEndpoint> {
        let bad = || BadEndpoint { given: given.to_owned() };
        if given.starts_with('/') {
            return Ok(Self::unix(given));
        }
        let (host, port) = given.rsplit_once(':').ok_or_else(bad)?;
        let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(bad)?;
        let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(inner) => inner,
            None if host.contains(':') => return Err(bad()),
            None => host,
        };
        if host.is_empty() { Err(bad()) } else { Ok(Self::tcp(host, port)) }
    }
}

/// A password. It shows itself to nobody; it is read only where it is sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a password into custody.
    pub fn new(password: impl Into<String>) -> Self {
        Self(password.into())
    }

    /// The password itself, for the one who sends or stores it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// As whom to speak: an ACL user of the engine and its password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The ACL user; `default` is the engine's own.
    pub user: String,
    /// Its password.
    pub password: Secret,
}

impl Credentials {
    /// Credentials of an ACL user.
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self { user: user.into(), password: Secret::new(password) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_read_as_it_is_shown() {
        for text in ["127.0.0.1:6379", "[::1]:6379", "cart-0.cart.svc:6379", "/run/engine.sock"] {
            let endpoint: Endpoint = text.parse().expect(text);
            assert_eq!(endpoint.to_string(), text);
        }
        for text in ["", "6379", ":6379", "host:", "host:0", "host:65536", "::1:6379"] {
            assert_eq!(text.parse::<Endpoint>(), Err(BadEndpoint { given: text.to_owned() }));
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        let credentials = Credentials::new("default", "hunter2");
        let shown = format!("{credentials:?} {credentials:#?}");
        assert!(!shown.contains("hunter2") && shown.contains("default"), "{shown}");
    }
}
