//! One primary, two replicas and three Sentinels, one beside each engine, as the engine's own
//! manual sets them up.

use std::sync::Arc;
use std::time::Duration;

use client::Endpoint;

use super::RivalError;
use super::crew::{Crew, Ground, Member, network, ready};
use super::find::BySentinel;
use super::look::{self, Look, Server, call};
use super::wire::at;
use crate::load::Find;

/// What the Sentinels call it.
const GROUP: &str = "rival";
/// Engines, and Sentinels.
const MEMBERS: usize = 3;
/// Sentinels that must agree.
const QUORUM: usize = 2;

/// How the Sentinels are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Waits {
    /// `down-after-milliseconds`.
    pub(super) down_after: Duration,
    /// `failover-timeout`.
    pub(super) failover_timeout: Duration,
}

/// The running rival.
#[derive(Debug)]
pub(super) struct Sentinel {
    pub(super) crew: Crew,
    sentinels: Vec<Endpoint>,
    find: Arc<BySentinel>,
}

impl Sentinel {
    pub(super) async fn start(ground: Ground<'_>, waits: Waits) -> Result<Self, RivalError> {
        let mut members = vec![ground.member(0, &[])?];
        let (host, port) = (members[0].place.address.clone(), members[0].port);
        for number in 1..MEMBERS {
            members.push(ground.member(number, &[format!("replicaof {host} {port}")])?);
        }
        // Sentinel learns of replicas from the primary and looks only every 10 s: they come first.
        ready(|| replicas_attached(&members)).await?;
        let (mut inside, mut outside) = (Vec::new(), Vec::new());
        for member in &mut members {
            let own = ground.wire.port(&member.place)?;
            let mut lines = network(&member.place, own);
            lines.push(format!("dir {}", ground.directory.path().display()));
            lines.extend(monitor(&member.place.address, &host, port, waits));
            let name = format!("sentinel-{}", member.name);
            let directory = ground.directory.path().to_owned();
            let process = ground.process(&name, &lines, &directory, Some("--sentinel"))?;
            member.beside.push(process);
            inside.push(at(&member.place.side, own));
            outside.push(at(&member.place.address, own));
        }
        let find = Arc::new(BySentinel::new(outside, GROUP));
        let rival = Self { crew: Crew::new(ground, members), sentinels: inside, find };
        ready(|| rival.look()).await?;
        rival.crew.serving().await?;
        Ok(rival)
    }

    pub(super) fn find(&self) -> Arc<dyn Find> {
        Arc::clone(&self.find) as Arc<dyn Find>
    }

    /// Asks the Sentinels for a failover: their planned way.
    pub(super) async fn planned(&self) -> Result<(), RivalError> {
        call(&self.sentinels[0], &["SENTINEL", "FAILOVER", GROUP]).await.map(drop)
    }

    pub(super) async fn look(&self) -> Look {
        look::of_sentinels(&self.crew.servers(), &self.sentinels, GROUP).await
    }
}

/// The lines of a Sentinel's configuration that say whom it watches, and how.
fn monitor(own: &str, host: &str, port: u16, waits: Waits) -> Vec<String> {
    vec![
        format!("sentinel announce-ip {own}"),
        format!("sentinel monitor {GROUP} {host} {port} {QUORUM}"),
        format!("sentinel down-after-milliseconds {GROUP} {}", waits.down_after.as_millis()),
        format!("sentinel failover-timeout {GROUP} {}", waits.failover_timeout.as_millis()),
        format!("sentinel parallel-syncs {GROUP} 1"),
    ]
}

/// Whether all others follow the first one.
async fn replicas_attached(members: &[Member]) -> Look {
    let servers: Vec<Server> = members.iter().map(Member::server).collect();
    let first = servers.first();
    let mut look = Look { primary: first.map(|server| server.name.clone()), ..Look::default() };
    look::of_engines(&servers, first, &mut look).await;
    look
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentinel_is_set_as_it_was_asked_for() {
        let waits =
            Waits { down_after: Duration::from_secs(5), failover_timeout: Duration::from_secs(60) };
        let lines = monitor("127.97.1.2", "127.97.1.1", 6379, waits).join("\n");
        for wanted in [
            "sentinel monitor rival 127.97.1.1 6379 2",
            "sentinel down-after-milliseconds rival 5000",
            "sentinel failover-timeout rival 60000",
            "sentinel announce-ip 127.97.1.2",
        ] {
            assert!(lines.contains(wanted), "{wanted}: {lines}");
        }
    }
}
