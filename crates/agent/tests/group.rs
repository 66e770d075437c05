//! A whole group of real engines under agents, in one process and with a record in memory.
#![cfg(target_os = "linux")]

#[path = "support/place.rs"]
mod place;

use std::time::{Duration, Instant};

use brain::MemberName;
use engine::config::Persistence;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use place::{Group, PATIENCE};

async fn engine_pid(group: &Group, member: &MemberName) -> Pid {
    Pid::from_raw(group.status(member).await.expect("a report").engine_pid as i32)
}

/// Looks again every few milliseconds until the write is accepted by whoever leads.
async fn write(group: &Group, key: &str) -> MemberName {
    let until = Instant::now() + PATIENCE;
    loop {
        let holder = group.record().holder.map(|holder| holder.id.name);
        if let Some(holder) = holder {
            let reply = group.client(&holder, &format!("SET {key} 1")).await;
            if reply.is_ok_and(|reply| reply == "+OK") {
                return holder;
            }
        }
        assert!(Instant::now() < until, "nobody accepted a write: {:#?}", group.record());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn three_members_elect_replicate_and_survive_a_killed_engine() {
    let mut group = Group::new(3, Persistence::AofEverysec);
    group.start_all();
    let first = group.healthy().await;
    assert_eq!(first, MemberName::from("cart-0"));
    assert_eq!(write(&group, "before").await, first);
    for member in group.ports.keys().filter(|member| **member != first) {
        let reply = group.client(member, "SET x 1").await.expect("a reply");
        assert!(reply.starts_with("-READONLY"), "{reply}");
    }
    let begun = Instant::now();
    kill(engine_pid(&group, &first).await, Signal::SIGKILL).expect("the engine runs");
    let second = write(&group, "after").await;
    println!("writable again after {} ms", begun.elapsed().as_millis());
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    group.healthy().await;
    assert_ne!(second, first);
    for member in group.ports.keys() {
        assert_eq!(group.client(member, "GET before").await.expect("a reply"), "1", "{member}");
    }
}

/// Asks the primary's agent for a handover, with the token that the peer key gives.
async fn hand_over(group: &Group, primary: &MemberName, body: &str) -> (u16, String) {
    let keys = agent::PeerKeys::read(&group.config(primary).peer_key_file).expect("the key");
    let token = keys.first().bearer_token("group-id-1");
    let headers = format!("Authorization: Bearer {token}\r\nContent-Type: application/json\r\n");
    let port = group.ports[primary].http;
    place::http(port, "POST", "/v1/handover", &headers, body).await.expect("an answer")
}

#[tokio::test]
async fn a_handover_moves_the_primary_and_costs_partial_resyncs_only() {
    let mut group = Group::new(3, Persistence::AofEverysec);
    group.start_all();
    let first = group.healthy().await;
    for key in 0..20 {
        write(&group, &format!("key{key}")).await;
    }
    let to = MemberName::from("cart-2");
    let (code, body) = hand_over(&group, &first, r#"{"to":"cart-2","dryRun":true}"#).await;
    assert_eq!(code, 200, "{body}");
    assert_eq!(group.healthy().await, first, "a dry run changes nothing");
    let (code, body) = hand_over(&group, &first, r#"{"to":"cart-2"}"#).await;
    assert_eq!(code, 200, "{body}");
    assert_eq!(write(&group, "after").await, to);
    assert_eq!(group.healthy().await, to);
    let port = group.ports[&to].http;
    let metrics = place::http(port, "GET", "/metrics", "", "").await.expect("an answer").1;
    let full = metrics.lines().find(|line| line.starts_with("redis_replica_resyncs_full "));
    assert_eq!(full, Some("redis_replica_resyncs_full 0.0"), "{metrics}");
    let (code, body) = hand_over(&group, &to, r#"{"to":"nobody"}"#).await;
    assert_eq!(code, 409, "{body}");
    let (code, body) = hand_over(&group, &to, r#"{"whom":"cart-0"}"#).await;
    assert_eq!(code, 422, "{body}");
}

#[tokio::test]
async fn a_frozen_engine_is_ended_and_another_member_leads() {
    let mut group = Group::new(3, Persistence::None);
    group.start_all();
    let first = group.healthy().await;
    write(&group, "before").await;
    let begun = Instant::now();
    kill(engine_pid(&group, &first).await, Signal::SIGSTOP).expect("the engine runs");
    let until = Instant::now() + PATIENCE;
    loop {
        let holder = group.record().holder.map(|holder| holder.id.name);
        if holder.is_some_and(|holder| holder != first) {
            break;
        }
        assert!(Instant::now() < until, "nobody took over: {:#?}", group.record());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let second = write(&group, "after").await;
    println!("writable again after {} ms", begun.elapsed().as_millis());
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    assert_eq!(group.healthy().await, second);
    assert_eq!(group.client(&second, "GET before").await.expect("a reply"), "1");
}
