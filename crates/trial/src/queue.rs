//! Writes that wait on the open connections of an engine that is frozen: what it does with them
//! after the thaw, before anybody can stop it from outside, shows whether it is fenced (failover.md
//! 0).

use std::time::Duration;

use client::raw::RawConnection;
use client::{Credentials, Endpoint};
use tokio::task::JoinSet;

use crate::journal::{Clock, Outcome, Track, Write};
use crate::ledger;
use crate::load::judge;

/// Connections that hold queued writes.
const CONNECTIONS: u32 = 64;
/// Writes queued on each.
const WRITES_EACH: u32 = 5;
/// How long opening or filling one of them may take.
const OPEN_WITHIN: Duration = Duration::from_secs(5);
/// How long after the thaw answers are waited for: an engine that lives answers in milliseconds,
/// one that ended closes its connections.
const ANSWERS_WITHIN: Duration = Duration::from_secs(3);

/// Open connections to one engine, each with writes that nobody reads yet.
#[derive(Debug)]
pub struct Queue {
    run: String,
    track: Track,
    clock: Clock,
    connections: Vec<RawConnection>,
}

impl Queue {
    /// Opens the connections, to an engine that still answers. `name` must be new in this run; the
    /// writes are noted in [`Self::track`].
    pub async fn open(
        engine: &Endpoint,
        credentials: Option<&Credentials>,
        run: &str,
        name: &str,
        clock: Clock,
    ) -> Self {
        let mut opening = JoinSet::new();
        for _ in 0..CONNECTIONS {
            let (engine, credentials) = (engine.clone(), credentials.cloned());
            opening.spawn(async move {
                RawConnection::open(&engine, credentials.as_ref(), OPEN_WITHIN).await
            });
        }
        let connections = opening.join_all().await.into_iter().filter_map(Result::ok).collect();
        Self { run: run.to_owned(), track: Track::new(name), clock, connections }
    }

    /// What becomes of its writes.
    pub fn track(&self) -> Track {
        self.track.clone()
    }

    /// Sends the writes into the connections; gives how many.
    pub async fn fill(&mut self) -> u64 {
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
    pub async fn settle(self) -> u64 {
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
