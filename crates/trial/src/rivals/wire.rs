//! Where the processes of a rival listen, and how one member is cut off from all others: each has
//! an address of its own on the loopback, and packets between addresses are dropped.

use std::net::TcpListener;
use std::process::Stdio;
use std::sync::atomic::{AtomicU16, Ordering};

use client::Endpoint;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::RivalError;

/// The first port that is tried. A cluster's bus has the port 10000 above, and both must be below
/// those that a system gives to outgoing connections (32768 on).
const FIRST_PORT: u16 = 20_379;
/// The last one.
const LAST_PORT: u16 = 22_700;
/// How far above its port a cluster member's bus is.
const BUS: u16 = 10_000;
/// The table of our packet filter.
const TABLE: &str = "inet interrex_compare";

/// The network of one comparison.
#[derive(Debug)]
pub struct Wire {
    is_private: bool,
    next: AtomicU16,
}

/// A member's two addresses. They differ where a system has more than one on its loopback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Where other members and the clients of the majority reach it; what a cut takes away.
    pub(super) address: String,
    /// Where clients on its own side reach it.
    pub(super) side: String,
}

impl Wire {
    /// The network of this process. `is_private`: it is a network namespace of its own, with the
    /// right to filter packets, so that members can be cut off without harm to anybody else.
    pub fn new(is_private: bool) -> Self {
        Self { is_private, next: AtomicU16::new(FIRST_PORT) }
    }

    /// Whether members can be cut off here.
    pub fn can_cut(&self) -> bool {
        self.is_private
    }

    /// The place of a member.
    pub(super) fn place(number: usize) -> Place {
        // Elsewhere than on Linux only the one address is there.
        if cfg!(target_os = "linux") {
            let of = |net: u8| format!("127.97.{net}.{}", number + 1);
            Place { address: of(1), side: of(2) }
        } else {
            Place { address: "127.0.0.1".to_owned(), side: "127.0.0.1".to_owned() }
        }
    }

    /// A free port of a place, with a free one for a cluster's bus above it.
    pub(super) fn port(&self, place: &Place) -> Result<u16, RivalError> {
        for _ in FIRST_PORT..=LAST_PORT {
            let port = self.next.fetch_add(1, Ordering::Relaxed);
            if port >= LAST_PORT {
                self.next.store(FIRST_PORT, Ordering::Relaxed);
            }
            let is_free = |port| TcpListener::bind((place.address.as_str(), port)).is_ok();
            if is_free(port) && is_free(port + BUS) {
                return Ok(port);
            }
        }
        Err(RivalError::NoPort { address: place.address.clone() })
    }

    /// Drops every packet between a place and all others, silently.
    pub(super) async fn cut(&self, place: &Place) -> Result<(), RivalError> {
        self.filter(&cutting(place)).await
    }

    /// Lets every packet pass again.
    pub(super) async fn heal(&self) -> Result<(), RivalError> {
        self.filter(&healing()).await
    }

    async fn filter(&self, script: &str) -> Result<(), RivalError> {
        if !self.is_private {
            return Err(RivalError::NotPrivate);
        }
        let failed = |words: String| RivalError::Filter { words };
        let mut command = Command::new("nft");
        command.args(["-f", "-"]).stdin(Stdio::piped()).kill_on_drop(true);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
        if let Some(mut stdin) = child.stdin.take() {
            let written = stdin.write_all(script.as_bytes()).await;
            written.map_err(|error| failed(error.to_string()))?;
        }
        let output = child.wait_with_output().await.map_err(|error| failed(error.to_string()))?;
        if output.status.success() {
            return Ok(());
        }
        Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
    }
}

fn cutting(place: &Place) -> String {
    let address = &place.address;
    // On the way in, so that whoever sends is told nothing.
    format!(
        "{}add table {TABLE}\n\
         add chain {TABLE} cut {{ type filter hook input priority 0; }}\n\
         add rule {TABLE} cut ip saddr {address} ip daddr != {address} drop\n\
         add rule {TABLE} cut ip daddr {address} ip saddr != {address} drop\n",
        healing()
    )
}

/// Adding first makes removing never fail.
fn healing() -> String {
    format!("add table {TABLE}\ndelete table {TABLE}\n")
}

/// The endpoint of a port at one of a place's addresses.
pub(super) fn at(address: &str, port: u16) -> Endpoint {
    Endpoint::tcp(address, port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_is_of_one_address_both_ways_and_not_of_the_side_door() {
        let place = Place { address: "127.97.1.2".to_owned(), side: "127.97.2.2".to_owned() };
        let script = cutting(&place);
        assert_eq!(script.matches("drop").count(), 2, "{script}");
        assert!(script.contains("saddr 127.97.1.2 ip daddr != 127.97.1.2 drop"), "{script}");
        assert!(script.contains("daddr 127.97.1.2 ip saddr != 127.97.1.2 drop"), "{script}");
        assert!(!script.contains(&place.side), "{script}");
        assert!(script.starts_with(&healing()), "what was cut before is forgotten");
    }

    #[test]
    fn ports_are_free_and_differ() {
        let wire = Wire::new(false);
        let place = Wire::place(0);
        let first = wire.port(&place).expect("a free port");
        let second = wire.port(&place).expect("another one");
        assert_ne!(first, second);
        let taken = TcpListener::bind((place.address.as_str(), second + 1)).map(|_| second + 1);
        assert!(taken.is_ok_and(|port| port < LAST_PORT), "nobody is left on a port");
    }

    #[tokio::test]
    async fn nobody_is_cut_in_a_network_that_others_use() {
        let refused = Wire::new(false).cut(&Wire::place(0)).await;
        assert!(matches!(refused, Err(RivalError::NotPrivate)), "{refused:?}");
    }
}
