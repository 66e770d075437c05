//! Primaries with a replica each, under the failover that the engine itself brings along.

use client::Endpoint;
use engine::info::Role;

use super::super::RivalError;
use super::super::find::owner;
use super::{Look, Server, agreed, at_once, call, chain, infos};

/// Primaries; as many replicas.
pub const SHARDS: usize = 3;
/// Slots of every cluster.
pub(in super::super) const SLOTS: usize = 16_384;

/// The slot of every key with this hash tag, by a node's word.
pub async fn slot(node: &Endpoint, tag: &str) -> Result<i64, RivalError> {
    let answer = call(node, &["CLUSTER", "KEYSLOT", tag]).await?;
    answer.as_int().ok_or_else(|| RivalError::NoSlot { node: node.to_string(), answer })
}

/// Who leads the shard of a slot by the nodes' word, and what the whole cluster lacks.
pub async fn of_cluster(servers: &[Server], slot: i64) -> Look {
    let mut look = Look::default();
    for (server, info) in infos(servers, &mut look).await {
        let replication = info.replication;
        if replication.role == Some(Role::Replica) && replication.link_up != Some(true) {
            look.ailments.push(format!("{} has no link", server.name));
        }
    }
    let asked = servers.iter().cloned().map(|server| async move { ask(&server, slot).await });
    let mut owners = Vec::new();
    for answer in at_once(asked).await {
        match answer {
            Ok((faults, owner)) => {
                look.ailments.extend(faults);
                owners.extend(owner);
            }
            Err(error) => look.ailments.push(error),
        }
    }
    if look.primaries.len() != SHARDS {
        look.ailments.push(format!("{} nodes are primaries", look.primaries.len()));
    }
    let (owner, all_agree) = agreed(owners);
    if !all_agree {
        look.ailments.push("the nodes do not agree on the shard's primary".to_owned());
    }
    let meant = |server: &&Server| owner.as_ref().is_some_and(|it| server.is_meant(it));
    look.primary = servers.iter().find(meant).map(|server| server.name.clone());
    look
}

/// What a node says that the cluster lacks, and whom it holds for the owner of the slot.
async fn ask(server: &Server, slot: i64) -> Result<(Vec<String>, Option<Endpoint>), String> {
    let silent = |error: RivalError| format!("{}: {}", server.name, chain(&error));
    let state = call(&server.at, &["CLUSTER", "INFO"]).await.map_err(silent)?;
    let slots = call(&server.at, &["CLUSTER", "SLOTS"]).await.map_err(silent)?;
    let faults = faults(&state.into_text().unwrap_or_default(), &server.name);
    Ok((faults, owner(&slots, slot)))
}

/// What keeps a node's `CLUSTER INFO` from being that of a whole cluster.
pub(in super::super) fn faults(info: &str, name: &str) -> Vec<String> {
    let of = |field: &str| {
        let mut lines = info.lines().filter_map(|line| line.trim_end().split_once(':'));
        lines.find(|(key, _)| *key == field).map(|(_, value)| value)
    };
    let (nodes, slots) = ((2 * SHARDS).to_string(), SLOTS.to_string());
    let wanted = [
        ("cluster_state", "ok"),
        ("cluster_known_nodes", nodes.as_str()),
        ("cluster_slots_ok", slots.as_str()),
    ];
    let wrong = wanted.into_iter().filter(|(field, value)| of(field) != Some(value));
    wrong
        .map(|(field, _)| format!("{name}: {field} is {}", of(field).unwrap_or("not told")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_is_whole_when_all_nodes_are_known_and_all_slots_served() {
        let info = |state: &str, nodes: &str| {
            format!(
                "cluster_state:{state}\r\ncluster_slots_ok:16384\r\ncluster_known_nodes:{nodes}\r\n"
            )
        };
        assert_eq!(faults(&info("ok", "6"), "n"), Vec::<String>::new());
        assert_eq!(faults(&info("fail", "6"), "n"), ["n: cluster_state is fail"]);
        assert_eq!(faults(&info("ok", "7"), "n"), ["n: cluster_known_nodes is 7"]);
        assert_eq!(faults("", "n").len(), 3);
    }
}
