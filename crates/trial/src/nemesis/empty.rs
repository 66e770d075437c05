//! The primary's engine is killed and its data are gone before it starts again, while the size of
//! the dataset is watched on everybody else.

use std::path::Path;
use std::time::Duration;

use client::{Connection, Credentials, Endpoint};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::{DeedError, Done, Scene, agent_of, engine_of, process_error};
use crate::status;

/// Between two looks at a member's size: an empty primary wipes its replicas in 0.55 s
/// (failover.md 0).
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long one look may take.
const LOOK_WITHIN: Duration = Duration::from_millis(500);
/// How long the group may take until the emptied member is back in sync.
const BACK_WITHIN: Duration = Duration::from_secs(60);

pub(super) async fn empty(scene: &Scene<'_>) -> Result<Done, DeedError> {
    let (report, seat) = scene.primary()?;
    let (engine, agent) = (engine_of(report)?, agent_of(report)?);
    let (end, ended) = watch::channel(());
    let mut sizes = JoinSet::new();
    for other in scene.target.seats.iter().filter(|other| other.name != seat.name) {
        let credentials = scene.target.credentials.clone();
        let (name, endpoint, end) = (other.name.clone(), other.engine.clone(), ended.clone());
        sizes.spawn(async move { (name, smallest(endpoint, credentials, end).await) });
    }
    // Its agent must not start the engine again between the kill and the emptying.
    let held = agent.freeze().map_err(process_error("agent", &report.name))?;
    let at = scene.clock.now();
    engine.kill().map_err(process_error("engine", &report.name))?;
    let emptied = clear_directory(&seat.data);
    held.thaw();
    emptied?;
    let mut done = Done { victim: report.name.clone(), at, ..Done::default() };
    let again = status::epoch_above(scene.target, scene.before.epoch(), BACK_WITHIN).await;
    let leader = again.ok().and_then(|group| group.primary().map(|leader| leader.name.clone()));
    if leader.as_ref() == Some(&report.name) {
        done.violations.push(format!("{} leads although its data were gone", report.name));
    }
    let back = status::healthy(scene.target, BACK_WITHIN).await;
    end.send_replace(());
    for (name, smallest) in sizes.join_all().await {
        match smallest {
            Some(keys) if keys < u64::from(scene.seeds) => {
                done.violations.push(format!("the dataset of {name} shrank to {keys} keys"));
            }
            Some(keys) => done.notes.push(format!("{name} never below {keys} keys")),
            None => done.violations.push(format!("{name} did not say its size once")),
        }
    }
    back?;
    Ok(done)
}

/// The smallest size that an engine ever said until the end. While it cannot say it (loading, or
/// gone), nothing is noted.
async fn smallest(
    engine: Endpoint,
    credentials: Option<Credentials>,
    mut end: watch::Receiver<()>,
) -> Option<u64> {
    let mut smallest = None;
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut connection: Option<Connection> = None;
    loop {
        tokio::select! {
            _ = end.changed() => return smallest,
            _ = ticks.tick() => {}
        }
        if connection.as_ref().is_none_or(Connection::is_dead) {
            connection = Connection::open(&engine, credentials.as_ref(), LOOK_WITHIN).await.ok();
        }
        let Some(open) = &connection else { continue };
        let size = open.call(&["DBSIZE"], LOOK_WITHIN).await;
        if let Some(keys) = size.ok().and_then(|size| size.as_int()) {
            let keys = u64::try_from(keys).unwrap_or(0);
            smallest = Some(smallest.map_or(keys, |before: u64| before.min(keys)));
        }
    }
}

/// Removes everything in a directory, but not the directory itself.
pub(crate) fn clear_directory(directory: &Path) -> Result<(), DeedError> {
    let files = |source| DeedError::Files { what: "empty", path: directory.to_owned(), source };
    for entry in std::fs::read_dir(directory).map_err(files)? {
        let entry = entry.map_err(files)?;
        let path = entry.path();
        let removed = if entry.file_type().map_err(files)?.is_dir() {
            std::fs::remove_dir_all(&path)
        } else {
            std::fs::remove_file(&path)
        };
        // The engine was killed, but a child of it may still end its work there.
        match removed {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(DeedError::Files { what: "remove", path, source });
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_emptied_and_stays() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        std::fs::create_dir(directory.path().join("appendonlydir")).expect("a directory");
        std::fs::write(directory.path().join("appendonlydir/x.aof"), b"x").expect("a file");
        std::fs::write(directory.path().join("dump.rdb"), b"x").expect("a file");
        clear_directory(directory.path()).expect("it can be emptied");
        assert_eq!(std::fs::read_dir(directory.path()).expect("it stays").count(), 0);
        let gone = directory.path().join("gone");
        assert!(clear_directory(&gone).is_err());
    }
}
