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
