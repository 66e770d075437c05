//! The load generator: one thread of its own, prepared bytes, answers counted and not looked at. It
//! must cost less for a command than the engine does, or it would be what is measured.

use std::time::{Duration, Instant};

use client::raw::{self, RawConnection};
use client::{Credentials, Endpoint};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::{BenchError, BenchPlan, Verb, Workload, call_error};
use crate::ledger;

/// The part of its keys that tells them from those of trials.
pub(super) const RUN: &str = "bench";
/// Prepared batches of each connection, used in turn: enough to touch many keys, few enough to stay
/// in the processor's cache.
const BATCHES: usize = 64;
/// Before the clock starts, so that connections, caches and the processor's speed are warm.
const WARM_UP: Duration = Duration::from_millis(50);
/// How long one batch may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// What was done.
#[derive(Default)]
pub(super) struct Work {
    /// Commands answered while the clock ran.
    pub(super) counted: u64,
    /// All commands, those of the warm-up too: what the engine's processor time went to.
    pub(super) all: u64,
    /// How long the clock ran.
    pub(super) took: Duration,
}

/// Loads an engine for one turn.
pub(super) async fn run(
    engine: Endpoint,
    credentials: Option<Credentials>,
    workload: Workload,
    plan: BenchPlan,
) -> Result<Work, BenchError> {
    let (tell, told) = oneshot::channel();
    // A thread of its own: the trial's other tasks must not take turns with it.
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let work = match runtime {
            Ok(runtime) => runtime.block_on(turn(engine, credentials, workload, plan)),
            Err(_) => Err(BenchError::Generator),
        };
        // Nobody listens any more when the bench was ended.
        let _ = tell.send(work);
    });
    told.await.map_err(|_| BenchError::Generator)?
}

async fn turn(
    engine: Endpoint,
    credentials: Option<Credentials>,
    workload: Workload,
    plan: BenchPlan,
) -> Result<Work, BenchError> {
    let mut connections = Vec::new();
    for _ in 0..plan.connections {
        let open = RawConnection::open(&engine, credentials.as_ref(), ANSWER_WITHIN).await;
        connections.push(open.map_err(call_error("connect the load generator"))?);
    }
    let begin = Instant::now() + WARM_UP;
    let end = begin + plan.length;
    let mut loops = JoinSet::new();
    for (n, connection) in connections.into_iter().enumerate() {
        let batches = prepare(workload, &plan, n);
        loops.spawn(keep_busy(connection, batches, workload.pipeline as u64, begin, end));
    }
    let mut work = Work { took: plan.length, ..Work::default() };
    while let Some(done) = loops.join_next().await {
        let (counted, all) = done.map_err(|_| BenchError::Generator)??;
        work.counted += counted;
        work.all += all;
    }
    Ok(work)
}

/// The bytes of the batches of one connection.
fn prepare(workload: Workload, plan: &BenchPlan, connection: usize) -> Vec<Vec<u8>> {
    let value = vec![b'x'; plan.value_bytes];
    let mut number = connection as u32 * 7919;
    let mut batch = || {
        let mut bytes = Vec::new();
        for _ in 0..workload.pipeline {
            // A step that shares no factor with the usual numbers of keys goes through all of them.
            number = (number + 7907) % plan.keys.max(1);
            let key = ledger::key(RUN, "k", number);
            let command = match workload.command {
                Verb::Set => raw::encode(&[b"SET".as_slice(), key.as_bytes(), &value]),
                Verb::Get => raw::encode(&[b"GET".as_slice(), key.as_bytes()]),
            };
            bytes.extend(command);
        }
        bytes
    };
    (0..BATCHES).map(|_| batch()).collect()
}

/// Sends batch after batch; gives how many commands were answered between `begin` and `end`, and
/// how many altogether.
async fn keep_busy(
    mut connection: RawConnection,
    batches: Vec<Vec<u8>>,
    each: u64,
    begin: Instant,
    end: Instant,
) -> Result<(u64, u64), BenchError> {
    let (mut counted, mut all) = (0, 0);
    for batch in batches.iter().cycle() {
        connection.queue_encoded(batch, each);
        for _ in 0..each {
            let answer = connection.answer(ANSWER_WITHIN).await;
            let answer = answer.map_err(call_error("load the engine"))?;
            // A refusal is cheaper than a command; it must not pass for one.
            if let Err(refused) = answer {
                tracing::warn!(%refused, "the engine refuses the load");
                return Err(BenchError::Generator);
            }
        }
        all += each;
        let now = Instant::now();
        if now >= end {
            break;
        }
        if now >= begin {
            counted += each;
        }
    }
    Ok((counted, all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_hold_as_many_commands_as_the_pipeline_is_long() {
        let plan = BenchPlan { keys: 100, value_bytes: 8, ..BenchPlan::default() };
        let workload = Workload { command: Verb::Set, pipeline: 16 };
        let batches = prepare(workload, &plan, 3);
        assert_eq!(batches.len(), BATCHES);
        for batch in &batches {
            let text = String::from_utf8_lossy(batch);
            assert_eq!(text.matches("*3\r\n$3\r\nSET\r\n").count(), 16);
        }
        let keys: std::collections::BTreeSet<String> = batches
            .iter()
            .flat_map(|batch| {
                String::from_utf8_lossy(batch)
                    .into_owned()
                    .lines()
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            })
            .filter(|line| line.contains(ledger::PREFIX))
            .collect();
        assert_eq!(keys.len(), 100, "every key is used");
    }
}
