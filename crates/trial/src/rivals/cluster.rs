//! Three primaries with a replica each, under the failover that the engine itself brings along. The
//! load's keys have one hash tag, so that all of them are in one shard: the one that is broken.

use std::sync::Arc;
use std::time::Duration;

use client::{Endpoint, Value};
use engine::info::Role;

use super::RivalError;
use super::crew::{Crew, Ground, ready};
use super::find::{BySlots, TAG};
use super::look::{self, Look, SHARDS, SLOTS, Server, call, chain, faults, infos};
use super::wire::Wire;
use crate::load::Find;

/// The running rival.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) crew: Crew,
    slot: i64,
    find: Arc<BySlots>,
}

impl Cluster {
    pub(super) async fn start(ground: Ground<'_>, timeout: Duration) -> Result<Self, RivalError> {
        let mut members = Vec::new();
        for number in 0..2 * SHARDS {
            let place = Wire::place(number);
            let port = ground.wire.port(&place)?;
            let mut own = directives(timeout);
            own.push(format!("cluster-announce-ip {}", place.address));
            members.push(ground.member_at(number, port, &own)?);
        }
        let crew = Crew::new(ground, members);
        let servers = crew.servers();
        join(&servers).await?;
        let slot = look::slot(&servers[0].at, TAG).await?;
        let nodes = servers.into_iter().map(|server| server.known_as).collect();
        let rival = Self { crew, slot, find: Arc::new(BySlots::new(nodes, TAG, None)) };
        ready(|| rival.look()).await?;
        rival.crew.serving().await?;
        Ok(rival)
    }

    pub(super) fn find(&self) -> Arc<dyn Find> {
        Arc::clone(&self.find) as Arc<dyn Find>
    }

    /// Asks the replica of this primary to take over: a cluster's planned way.
    pub(super) async fn planned(&self, primary: &str) -> Result<(), RivalError> {
        let primary = self.crew.member(primary)?;
        for server in self.crew.servers() {
            let info = server.info().await.unwrap_or_default().replication;
            let follows = info.primary_host.as_deref() == Some(primary.place.address.as_str())
                && info.primary_port == Some(primary.port);
            if info.role == Some(Role::Replica) && follows {
                return call(&server.at, &["CLUSTER", "FAILOVER"]).await.map(drop);
            }
        }
        Err(RivalError::NoMember { name: format!("replica of {}", primary.name) })
    }

    pub(super) async fn look(&self) -> Look {
        look::of_cluster(&self.crew.servers(), self.slot).await
    }
}

fn directives(timeout: Duration) -> Vec<String> {
    vec![
        "cluster-enabled yes".to_owned(),
        "cluster-config-file nodes.conf".to_owned(),
        format!("cluster-node-timeout {}", timeout.as_millis()),
    ]
}

/// The slots of a shard, first and last.
fn range(shard: usize) -> (usize, usize) {
    let bound = |shard: usize| shard * SLOTS / SHARDS;
    (bound(shard), bound(shard + 1) - 1)
}

/// Makes a cluster of empty nodes once all of them answer: who meets whom, who owns what, who
/// follows whom. The first half lead, and are followed by the other half in the same order.
pub async fn join(nodes: &[Server]) -> Result<(), RivalError> {
    ready(|| answering(nodes)).await?;
    let (primaries, replicas) = nodes.split_at(nodes.len().min(SHARDS));
    for (shard, primary) in primaries.iter().enumerate() {
        let (first, last) = range(shard);
        let (first, last) = (first.to_string(), last.to_string());
        call(&primary.at, &["CLUSTER", "ADDSLOTSRANGE", &first, &last]).await?;
    }
    for (number, node) in nodes.iter().enumerate() {
        let epoch = (number + 1).to_string();
        call(&node.at, &["CLUSTER", "SET-CONFIG-EPOCH", &epoch]).await?;
    }
    let Some((first, others)) = nodes.split_first() else { return Ok(()) };
    for other in others {
        let Endpoint::Tcp(host, port) = &other.known_as else { continue };
        call(&first.at, &["CLUSTER", "MEET", host, &port.to_string()]).await?;
    }
    ready(|| acquainted(nodes)).await?;
    for (primary, replica) in primaries.iter().zip(replicas) {
        let id = call(&primary.at, &["CLUSTER", "MYID"]).await?;
        let id = id.into_text().unwrap_or_default();
        call(&replica.at, &["CLUSTER", "REPLICATE", &id]).await?;
    }
    Ok(())
}

/// Whether every node answers.
async fn answering(nodes: &[Server]) -> Look {
    let first = nodes.first().map(|node| node.name.clone());
    let mut look = Look { primary: first, ..Look::default() };
    infos(nodes, &mut look).await;
    look
}

/// Whether every node knows every other, and who owns the slots.
async fn acquainted(nodes: &[Server]) -> Look {
    let mut look = answering(nodes).await;
    for node in nodes {
        match call(&node.at, &["CLUSTER", "INFO"]).await.map(Value::into_text) {
            Ok(info) => look.ailments.extend(faults(&info.unwrap_or_default(), &node.name)),
            Err(error) => look.ailments.push(chain(&error)),
        }
    }
    look
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_belongs_to_one_shard() {
        let ranges: Vec<(usize, usize)> = (0..SHARDS).map(range).collect();
        assert_eq!(ranges[0].0, 0);
        assert_eq!(ranges[SHARDS - 1].1, SLOTS - 1);
        assert!(ranges.windows(2).all(|pair| pair[0].1 + 1 == pair[1].0), "{ranges:?}");
    }
}
