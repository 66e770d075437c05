//! All members are stopped; one is wiped, another gets an older copy of its own volume, and they
//! are started in another order each time. The fullest must lead, and the wiped one never.

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::sleep;

use super::empty::clear_directory;
use super::{DeedError, Done, Scene, agent_of, engine_of, process_error};
use crate::status;
use crate::target::Seat;

/// How much later than the older copy the others stop.
const OLDER_BY: Duration = Duration::from_secs(1);
/// How long a full restart may take: bounded by the recovery's own timeout of 60 s, and some for
/// the start (failover.md 2.11).
const BACK_WITHIN: Duration = Duration::from_secs(90);

/// Who gets what.
#[derive(Debug, PartialEq, Eq)]
struct Parts<'a> {
    wiped: &'a str,
    older: Option<&'a str>,
    order: Vec<String>,
}

/// Deals the parts once all are stopped. In turn a replica is wiped and (if it is not the same) the
/// one that was copied gets its older data back, so that the last primary has everything; or the
/// last primary is wiped and nobody else harmed, so that every replicated write is left on
/// somebody: with k = 1 two harmed disks may be all that a write had. The order of starting goes
/// round.
fn deal<'a>(last: &'a str, copied: &'a str, members: &[&'a str], number: u32) -> Option<Parts<'a>> {
    let others: Vec<&str> = members.iter().copied().filter(|name| *name != last).collect();
    let turn = number as usize;
    let (wiped, older) = if turn.is_multiple_of(2) {
        let spared: Vec<&str> = others.iter().copied().filter(|name| *name != copied).collect();
        match spared.get(turn / 2 % spared.len().max(1)) {
            Some(wiped) => (*wiped, (copied != last).then_some(copied)),
            None => (*others.first()?, None),
        }
    } else {
        others.first()?;
        (last, None)
    };
    let mut order: Vec<String> = members.iter().map(|name| (*name).to_owned()).collect();
    order.rotate_left(turn % members.len());
    if turn / members.len() % 2 == 1 {
        order.reverse();
    }
    Some(Parts { wiped, older, order })
}

pub(super) async fn all(scene: &Scene<'_>, moved: bool) -> Result<Done, DeedError> {
    let (primary, _) = scene.primary()?;
    let members: Vec<&str> = scene.target.seats.iter().map(|seat| seat.name.as_str()).collect();
    let seat = |name| scene.target.seat(name).ok_or(DeedError::Nobody("seat of a member"));
    let others = || scene.target.seats.iter().filter(|seat| seat.name != primary.name);
    let copied = others().nth(scene.number as usize / 2 % others().count().max(1));
    let copied = copied.ok_or(DeedError::Nobody("second member"))?;
    let copy = snapshot(scene, copied).await?;
    // So that the others have more, not a wait for anything.
    sleep(OLDER_BY).await;
    let at = scene.clock.now();
    let stopped = scene.target.hands.stop_all().await;
    // Who leads may change while a group stops: what counts is who acknowledged last.
    let last = scene.probes.last_to_ack(at).unwrap_or_else(|| primary.name.clone());
    let parts = deal(&last, &copied.name, &members, scene.number);
    let parts = parts.ok_or(DeedError::Nobody("second member"))?;
    let prepared = match &stopped {
        Ok(()) => {
            let older = parts.older.map(|name| seat(name).map(|seat| (seat, &copy))).transpose()?;
            prepare(seat(parts.wiped)?, older)
        }
        Err(_) => Ok(()),
    };
    let elsewhere =
        if moved && stopped.is_ok() { scene.target.hands.move_all().await } else { Ok(()) };
    // They are started whatever became of the rest: nobody is left stopped behind a trial.
    scene.target.hands.start(&parts.order).await?;
    stopped?;
    prepared?;
    elsewhere?;
    let mut done = Done { victim: "all".to_owned(), at, ..Done::default() };
    done.notes.push(format!(
        "{last} led last, wiped {}, older {}, started {}",
        parts.wiped,
        parts.older.unwrap_or("none"),
        parts.order.join(" ")
    ));
    let group = status::epoch_above(scene.target, scene.before.epoch(), BACK_WITHIN).await?;
    let leader = group.primary().map(|leader| leader.name.clone()).unwrap_or_default();
    if leader == parts.wiped || Some(leader.as_str()) == parts.older {
        done.violations.push(format!("{leader} leads, and had less than others"));
    }
    Ok(done)
}

fn prepare(wiped: &Seat, older: Option<(&Seat, &TempDir)>) -> Result<(), DeedError> {
    clear_directory(&wiped.data)?;
    if let Some((seat, copy)) = older {
        clear_directory(&seat.directory)?;
        copy_directory(copy.path(), &seat.directory)?;
    }
    Ok(())
}

/// A copy of a member's volume as a crash would leave it: nobody writes to it meanwhile.
async fn snapshot(scene: &Scene<'_>, seat: &Seat) -> Result<TempDir, DeedError> {
    let report = scene.before.member(&seat.name).ok_or(DeedError::Nobody("report of a member"))?;
    let (engine, agent) = (engine_of(report)?, agent_of(report)?);
    let files = |source| DeedError::Files { what: "copy", path: seat.directory.clone(), source };
    let copy = tempfile::tempdir().map_err(files)?;
    let _agent = agent.freeze().map_err(process_error("agent", &seat.name))?;
    let _engine = engine.freeze().map_err(process_error("engine", &seat.name))?;
    let (from, to) = (seat.directory.clone(), copy.path().to_owned());
    tokio::task::spawn_blocking(move || copy_directory(&from, &to)).await??;
    Ok(copy)
}

/// Copies files and directories with their modes; sockets and the like are made anew at a start.
fn copy_directory(from: &Path, to: &Path) -> Result<(), DeedError> {
    let files = |source| DeedError::Files { what: "copy", path: from.to_owned(), source };
    for entry in std::fs::read_dir(from).map_err(files)? {
        let entry = entry.map_err(files)?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().map_err(files)?;
        if kind.is_dir() {
            std::fs::create_dir_all(&target).map_err(files)?;
            let mode = entry.metadata().map_err(files)?.permissions();
            std::fs::set_permissions(&target, mode).map_err(files)?;
            copy_directory(&source, &target)?;
        } else if kind.is_file() {
            std::fs::copy(&source, &target).map_err(files)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_replicated_write_is_taken_from_everybody() {
        let three = ["c-0", "c-1", "c-2"];
        for number in 0..12 {
            for last in three {
                for copied in three {
                    let parts = deal(last, copied, &three, number).expect("three members");
                    // Either the last primary has everything, or only one disk is harmed.
                    let spared = parts.wiped != last && parts.older != Some(last);
                    assert!(spared || parts.older.is_none(), "{last} {copied}: {parts:?}");
                    assert_ne!(Some(parts.wiped), parts.older);
                    let mut order = parts.order.clone();
                    order.sort();
                    assert_eq!(order, three);
                }
            }
            for copied in ["c-0", "c-1"] {
                let parts = deal("c-1", copied, &["c-0", "c-1"], number).expect("two members");
                assert_eq!(parts.older, None, "{parts:?}");
            }
        }
        assert_eq!(deal("c-0", "c-0", &["c-0"], 0), None);
        assert_eq!(deal("c-0", "c-0", &["c-0"], 1), None);
    }

    #[test]
    fn a_replica_and_the_last_primary_are_wiped_in_turn_and_every_order_comes() {
        let three = ["c-0", "c-1", "c-2"];
        let dealt = |n| deal("c-0", "c-2", &three, n).expect("three members");
        assert_eq!((dealt(0).wiped, dealt(0).older), ("c-1", Some("c-2")));
        assert_eq!((dealt(1).wiped, dealt(1).older), ("c-0", None));
        let orders: std::collections::BTreeSet<Vec<String>> =
            (0..6).map(|n| dealt(n).order).collect();
        assert_eq!(orders.len(), 6, "every order of three");
        // The one that was copied led last: its data stay.
        assert_eq!(deal("c-2", "c-2", &three, 0).and_then(|parts| parts.older), None);
    }

    #[test]
    fn a_copy_holds_all_files_and_no_sockets() {
        let (from, to) = (tempfile::tempdir().expect("from"), tempfile::tempdir().expect("to"));
        std::fs::create_dir(from.path().join("aof")).expect("a directory");
        std::fs::write(from.path().join("aof/1"), b"one").expect("a file");
        std::os::unix::net::UnixListener::bind(from.path().join("sock")).expect("a socket");
        copy_directory(from.path(), to.path()).expect("it can be copied");
        assert_eq!(std::fs::read(to.path().join("aof/1")).expect("it is there"), b"one");
        assert!(!to.path().join("sock").exists());
    }
}
