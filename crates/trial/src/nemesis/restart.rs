//! All members are stopped; one is wiped, another gets an older copy of its own volume, and they are
//! started in another order each time. The fullest must lead, and the wiped one never.

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
/// How long a full restart may take: bounded by the recovery's own timeout of 60 s, and some for the
/// start (failover.md 2.11).
const BACK_WITHIN: Duration = Duration::from_secs(90);

/// Who gets what.
#[derive(Debug, PartialEq, Eq)]
struct Parts<'a> {
    wiped: &'a str,
    older: Option<&'a str>,
    order: Vec<String>,
}

/// Deals the parts: wiped is in turn a replica and the old primary, but the primary only when there
/// is another one left that has everything; the order of starting goes round.
fn deal<'a>(primary: &'a str, members: &[&'a str], number: u32) -> Option<Parts<'a>> {
    let others: Vec<&str> = members.iter().copied().filter(|name| *name != primary).collect();
    let turn = number as usize;
    let first = *others.get(turn / 2 % others.len().max(1))?;
    let second = others.iter().copied().find(|name| *name != first);
    let (wiped, older) = match second {
        Some(second) if !turn.is_multiple_of(2) => (primary, Some(second)),
        second => (first, second),
    };
    let mut order: Vec<String> = members.iter().map(|name| (*name).to_owned()).collect();
    order.rotate_left(turn % members.len());
    if turn / members.len() % 2 == 1 {
        order.reverse();
    }
    Some(Parts { wiped, older, order })
}

pub(super) async fn all(scene: &Scene<'_>) -> Result<Done, DeedError> {
    let (primary, _) = scene.primary()?;
    let members: Vec<&str> = scene.target.seats.iter().map(|seat| seat.name.as_str()).collect();
    let parts = deal(&primary.name, &members, scene.number);
    let parts = parts.ok_or(DeedError::Nobody("second member"))?;
    let seat = |name| scene.target.seat(name).ok_or(DeedError::Nobody("seat of a member"));
    let copy = match parts.older {
        Some(older) => Some((seat(older)?, snapshot(scene, seat(older)?).await?)),
        None => None,
    };
    // So that the others have more, not a wait for anything.
    sleep(OLDER_BY).await;
    let at = scene.clock.now();
    scene.target.hands.stop_all().await?;
    let prepared = prepare(seat(parts.wiped)?, copy.as_ref());
    // They are started whatever became of the files: nobody is left stopped behind a trial.
    scene.target.hands.start(&parts.order).await?;
    prepared?;
    let mut done = Done { victim: "all".to_owned(), at, ..Done::default() };
    let older = parts.older.unwrap_or("none");
    done.notes.push(format!(
        "wiped {}, older {older}, started {}",
        parts.wiped,
        parts.order.join(" ")
    ));
    let group = status::epoch_above(scene.target, scene.before.epoch(), BACK_WITHIN).await?;
    let leader = group.primary().map(|leader| leader.name.clone()).unwrap_or_default();
    if leader == parts.wiped || Some(leader.as_str()) == parts.older {
        done.violations.push(format!("{leader} leads, and had less than others"));
    }
    Ok(done)
}

fn prepare(wiped: &Seat, copy: Option<&(&Seat, TempDir)>) -> Result<(), DeedError> {
    clear_directory(&wiped.data)?;
    if let Some((seat, copy)) = copy {
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
    fn one_with_everything_is_always_left() {
        let three = ["c-0", "c-1", "c-2"];
        for number in 0..12 {
            for primary in three {
                let parts = deal(primary, &three, number).expect("three members");
                let full = three.iter().filter(|m| **m != parts.wiped && Some(**m) != parts.older);
                assert_eq!(full.count(), 1, "{parts:?}");
                let mut order = parts.order.clone();
                order.sort();
                assert_eq!(order, three);
            }
            let parts = deal("c-1", &["c-0", "c-1"], number).expect("two members");
            assert_eq!((parts.wiped, parts.older), ("c-0", None));
        }
        assert_eq!(deal("c-0", &["c-0"], 0), None);
    }

    #[test]
    fn the_old_primary_and_every_replica_get_wiped_in_turn() {
        let three = ["c-0", "c-1", "c-2"];
        let wiped: std::collections::BTreeSet<&str> =
            (0..6).filter_map(|n| deal("c-0", &three, n)).map(|parts| parts.wiped).collect();
        assert_eq!(wiped.len(), 3, "{wiped:?}");
        let orders: std::collections::BTreeSet<Vec<String>> =
            (0..6).filter_map(|n| deal("c-0", &three, n)).map(|parts| parts.order).collect();
        assert_eq!(orders.len(), 6, "every order of three");
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
