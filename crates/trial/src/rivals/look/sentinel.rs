//! A primary, its replicas, and the Sentinels that decide who is which.

use client::{Endpoint, Value};
use engine::info::{Info, Role};

use super::super::find::address;
use super::{Look, Server, agreed, at_once, call, chain, infos};

/// Engines, and Sentinels.
const MEMBERS: usize = 3;

/// Who leads by the Sentinels' word, and what is missing by theirs and the engines'. `group` is
/// what the Sentinels call it.
pub async fn of_sentinels(servers: &[Server], sentinels: &[Endpoint], group: &str) -> Look {
    let mut look = Look::default();
    let asked = sentinels.iter().cloned().map(|sentinel| {
        let group = group.to_owned();
        async move {
            let state = call(&sentinel, &["SENTINEL", "MASTER", &group]).await;
            (sentinel, state)
        }
    });
    let mut named = Vec::new();
    for (sentinel, state) in at_once(asked).await {
        match state {
            Ok(state) => named.extend(read_state(&state, &sentinel, &mut look.ailments)),
            Err(error) => look.ailments.push(chain(&error)),
        }
    }
    let (primary, all_agree) = agreed(named);
    if !all_agree {
        look.ailments.push("the Sentinels do not agree on the primary".to_owned());
    }
    let meant = |server: &&Server| primary.as_ref().is_some_and(|it| server.is_meant(it));
    let primary = servers.iter().find(meant);
    look.primary = primary.map(|server| server.name.clone());
    of_engines(servers, primary, &mut look).await;
    look
}

/// Whom a Sentinel watches as the primary; what it lacks goes to `ailments`.
fn read_state(state: &Value, who: &Endpoint, ailments: &mut Vec<String>) -> Option<Endpoint> {
    let pairs = state.as_pairs().unwrap_or_default();
    let of = |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
    let others = |name: &str| of(name).and_then(Value::as_int).unwrap_or(0);
    let flags = of("flags").and_then(Value::as_text).unwrap_or("no flags");
    if flags != "master" {
        ailments.push(format!("Sentinel {who} sees {flags}"));
    }
    let (replicas, sentinels) = (others("num-slaves"), others("num-other-sentinels"));
    if replicas < MEMBERS as i64 - 1 || sentinels < MEMBERS as i64 - 1 {
        ailments.push(format!("Sentinel {who} knows {replicas} replicas, {sentinels} Sentinels"));
    }
    address(&Value::Array(vec![of("ip")?.clone(), of("port")?.clone()]))
}

/// What the engines lack to one primary and replicas in sync behind it.
pub(in super::super) async fn of_engines(
    servers: &[Server],
    primary: Option<&Server>,
    look: &mut Look,
) {
    let wanted = servers.len().saturating_sub(1);
    for (server, info) in infos(servers, look).await {
        look.ailments.extend(ailment(&server, primary, &info, wanted));
    }
}

/// What keeps one engine from being the primary of `wanted` replicas, or one of them.
fn ailment(
    server: &Server,
    primary: Option<&Server>,
    info: &Info,
    wanted: usize,
) -> Option<String> {
    let (name, replication) = (&server.name, &info.replication);
    let leads = primary.is_some_and(|primary| primary.name == server.name);
    // Whether they have it all is their own word: `link_up`.
    let streaming = replication.replicas.iter().filter(|line| line.state == "online").count();
    let of = replication.primary_host.clone().zip(replication.primary_port);
    let of = of.map(|(host, port)| Endpoint::tcp(host, port));
    let follows = primary.is_some_and(|primary| of.is_some_and(|of| primary.is_meant(&of)));
    match (leads, replication.role) {
        (true, Some(Role::Primary)) if streaming < wanted => {
            Some(format!("{name} has {streaming} replicas in sync"))
        }
        (true, Some(Role::Primary)) => None,
        (true, _) => Some(format!("{name} is to lead and is no primary")),
        (false, Some(Role::Replica)) if follows && replication.link_up == Some(true) => None,
        (false, Some(Role::Replica)) => Some(format!("{name} has no link")),
        (false, _) => Some(format!("{name} is a second primary")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentinel_is_well_when_it_sees_everybody_and_no_fault() {
        let text = |text: &str| Value::Bytes(text.as_bytes().to_vec());
        let read = |flags: &str, replicas: &str| {
            let pairs = [
                ("ip", "127.97.1.1"),
                ("port", "6379"),
                ("flags", flags),
                ("num-slaves", replicas),
                ("num-other-sentinels", "2"),
            ];
            let items = pairs.iter().flat_map(|(name, value)| [text(name), text(value)]).collect();
            let mut ailments = Vec::new();
            let who = Endpoint::tcp("127.97.2.1", 26_379);
            let primary = read_state(&Value::Array(items), &who, &mut ailments);
            (primary.map(|primary| primary.to_string()), ailments.len())
        };
        let primary = Some("127.97.1.1:6379".to_owned());
        assert_eq!(read("master", "2"), (primary.clone(), 0));
        assert_eq!(read("master,s_down", "2"), (primary.clone(), 1));
        assert_eq!(read("master", "1"), (primary, 1));
    }

    #[test]
    fn a_replica_follows_the_primary_by_its_name_or_its_address() {
        let server = |number: u16| Server {
            name: format!("rival-{number}"),
            at: Endpoint::tcp(format!("10.0.0.{number}"), 6379),
            known_as: Endpoint::tcp(format!("rival-{number}.rival"), 6379),
        };
        let (zero, one) = (server(0), server(1));
        let read = |text: &str| Info::parse(text).expect("an INFO");
        let replica = |host: &str, link: &str| {
            read(&format!(
                "# Replication\r\nrole:slave\r\nmaster_host:{host}\r\nmaster_port:6379\r\n\
                 master_link_status:{link}\r\n"
            ))
        };
        let of = |server: &Server, info: &Info| ailment(server, Some(&zero), info, 2);
        assert_eq!(of(&one, &replica("rival-0.rival", "up")), None);
        assert_eq!(of(&one, &replica("10.0.0.0", "up")), None);
        let alone = Some("rival-1 has no link".to_owned());
        assert_eq!(of(&one, &replica("10.0.0.9", "up")), alone);
        assert_eq!(of(&one, &replica("rival-0.rival", "down")), alone);
        let leads = read("# Replication\r\nrole:master\r\nconnected_slaves:0\r\n");
        assert_eq!(of(&zero, &leads), Some("rival-0 has 0 replicas in sync".to_owned()));
        assert_eq!(of(&one, &leads), Some("rival-1 is a second primary".to_owned()));
    }
}
