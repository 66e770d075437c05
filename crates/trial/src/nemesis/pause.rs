//! Freezes: the primary's processes are stopped with writes queued on open connections, and thawed.
//! A thawed engine executes what was queued before anybody can stop it from outside (failover.md
//! 0).

use std::time::Duration;

use client::raw::RawConnection;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until};

use super::{DeedError, Done, Scene, Stopped, agent_of, engine_of, process_error};
use crate::journal::{Clock, Outcome, Track, Write};
use crate::ledger;
use crate::load::judge;
use crate::target::Seat;

/// Connections that hold queued writes.
const CONNECTIONS: u32 = 64;
/// Writes queued on each.
const WRITES_EACH: u32 = 5;
/// How long opening or filling one of them may take.
const OPEN_WITHIN: Duration = Duration::from_secs(5);
/// How long after the thaw answers are waited for: an engine that lives answers in milliseconds,
/// one that ended closes its connections.
const ANSWERS_WITHIN: Duration = Duration::from_secs(3);
/// Writes per second of a writer while idle: enough to see the gap end.
const IDLE_RATE: u32 = 10;

pub(super) async fn freeze(
    scene: &Scene<'_>,
    stopped: Stopped,
    length: Duration,
    idle: bool,
) -> Result<Done, DeedError> {
    let (report, seat) = scene.primary()?;
    let (engine, agent) = (engine_of(report)?, agent_of(report)?);
    let mut queue = Queue::open(scene, seat).await;
    if idle {
        scene.load.set_rate(IDLE_RATE);
        // So that the last of the full load has been answered before the freeze.
        sleep(Duration::from_secs(1) / IDLE_RATE).await;
    }
    let at = scene.clock.now();
    let until = tokio::time::Instant::now() + length;
    let mut frozen = Vec::new();
    if stopped != Stopped::Engine {
        frozen.push(agent.freeze().map_err(process_error("agent", &report.name))?);
    }
    if stopped != Stopped::Agent {
        frozen.push(engine.freeze().map_err(process_error("engine", &report.name))?);
    }
    let mut done = Done { victim: report.name.clone(), at, ..Done::default() };
    if stopped != Stopped::Agent {
        done.queued = queue.fill().await;
    }
    // The length of the harm, not a wait for anything.
    sleep_until(until).await;
    let before_thaw = scene.clock.now();
    // The engine first: the worst case, nobody watches it.
    while let Some(process) = frozen.pop() {
        process.thaw();
    }
    if idle {
        scene.load.set_rate(scene.load.plan_rate());
    }
    let acked = queue.settle().await;
    done.late_acks = acked;
    let waited = scene.clock.now().since(before_thaw).as_millis();
    done.notes.push(format!("{acked} of {} queued acknowledged in {waited} ms", done.queued));
    Ok(done)
}

/// Open connections to one engine, each with writes that nobody reads yet.
struct Queue {
    run: String,
    track: Track,
    clock: Clock,
    connections: Vec<RawConnection>,
}

impl Queue {
    async fn open(scene: &Scene<'_>, seat: &Seat) -> Self {
        let track = Track::new(&format!("queue-{}-{}", scene.number, seat.name));
        scene.keep(track.clone());
        let mut opening = JoinSet::new();
        for _ in 0..CONNECTIONS {
            let (engine, credentials) = (seat.engine.clone(), scene.target.credentials.clone());
            opening.spawn(async move {
                RawConnection::open(&engine, credentials.as_ref(), OPEN_WITHIN).await
            });
        }
        let connections = opening.join_all().await.into_iter().filter_map(Result::ok).collect();
        Self { run: scene.load.run().to_owned(), track, clock: scene.clock, connections }
    }

    /// Sends the writes into the connections; gives how many.
    async fn fill(&mut self) -> u64 {
        let mut number = 0;
        for connection in &mut self.connections {
            for _ in 0..WRITES_EACH {
                let (key, bit) = ledger::place(&self.run, self.track.name(), number);
                connection.queue(&["SETBIT", &key, &bit.to_string(), "1"]);
                number += 1;
            }
            // Into the kernel's buffers: nobody reads at the other end. What does not go in is
            // never acknowledged, and stays unknown.
            if let Err(error) = connection.flush(OPEN_WITHIN).await {
                tracing::warn!(%error, "a queued write was not sent");
            }
        }
        u64::from(number)
    }

    /// Reads every answer that comes, notes what became of each write, and counts the acknowledged.
    async fn settle(self) -> u64 {
        let mut settling = JoinSet::new();
        let deadline = tokio::time::Instant::now() + ANSWERS_WITHIN;
        for (n, mut connection) in (0..).zip(self.connections) {
            let clock = self.clock;
            settling.spawn(async move {
                let mut writes = Vec::new();
                let queued = connection.counts().queued as u32;
                for each in 0..queued {
                    let invoked = clock.now();
                    let left = deadline.saturating_duration_since(tokio::time::Instant::now());
                    let outcome = judge(&connection.answer(left).await);
                    let number = n * WRITES_EACH + each;
                    writes.push(Write { number, invoked, ended: clock.now(), outcome });
                }
                writes
            });
        }
        let mut writes: Vec<Write> = settling.join_all().await.into_iter().flatten().collect();
        writes.sort_unstable_by_key(|write| write.number);
        let acked = writes.iter().filter(|write| write.outcome == Outcome::Acked).count();
        for write in writes {
            self.track.note(write);
        }
        acked as u64
    }
}
