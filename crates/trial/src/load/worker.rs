//! One writer and one reader: their loop, their pace, and what they note.

use std::time::Duration;

use client::raw::RawConnection;
use client::{ClientError, Endpoint, Value};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::{Shared, Way};
use crate::journal::{Outcome, Track, Write};
use crate::ledger;

/// After a refusal or a failed connect: a client that comes again at once, but does not eat the
/// processor that the promotion needs.
const REST: Duration = Duration::from_millis(2);
/// The same for a client that asks where to write first: it has more to do each time.
const REST_ASKING: Duration = Duration::from_millis(10);
/// What the `WAIT` of a write allows, in milliseconds; the client's patience must be longer.
const WAIT_MS: u64 = 300;

/// Paces a worker: so many turns a second, and the end when the load is dropped.
struct Pace {
    rate: watch::Receiver<u32>,
    next: Instant,
}

impl Pace {
    fn new(rate: watch::Receiver<u32>) -> Self {
        Self { rate, next: Instant::now() }
    }

    /// Waits for the next turn; false when there is none.
    async fn turn(&mut self) -> bool {
        loop {
            tokio::select! {
                biased;
                changed = self.rate.changed() => match changed {
                    Ok(()) => self.next = Instant::now(),
                    Err(_) => return false,
                },
                () = sleep_until(self.next) => break,
            }
        }
        let period = Duration::from_secs(1) / (*self.rate.borrow()).max(1);
        // Turns that were missed in a gap are not made up for: that would be another load.
        self.next = (self.next + period).max(Instant::now());
        true
    }

    fn rest(&mut self, way: &Way) {
        let rest = if way.find.is_some() { REST_ASKING } else { REST };
        self.next = self.next.max(Instant::now() + rest);
    }
}

/// Writes until the load ends.
pub(super) async fn write(shared: Shared, track: Track, waits: bool, rate: watch::Receiver<u32>) {
    let mut pace = Pace::new(rate);
    let mut connection = None;
    let mut number = track.next_number();
    while pace.turn().await {
        let Some(open) = writing(&shared, &mut connection).await else {
            pace.rest(&shared.way);
            continue;
        };
        let outcome = write_once(&shared, &track, open, number).await;
        number += 1;
        match outcome {
            Outcome::Acked if waits && number.is_multiple_of(shared.plan.wait_every.max(1)) => {
                match wait(&shared, open).await {
                    Some(true) => track.newest_is_replicated(),
                    Some(false) => {}
                    // A late answer would be taken for the answer to the next write.
                    None => connection = None,
                }
            }
            Outcome::Acked | Outcome::Replicated => {}
            Outcome::Refused | Outcome::Unknown => {
                connection = None;
                pace.rest(&shared.way);
            }
        }
        connection = connection.filter(|open| !open.is_dead());
    }
}

/// A connection to who takes writes, as the way says.
async fn writing<'a>(
    shared: &Shared,
    connection: &'a mut Option<RawConnection>,
) -> Option<&'a mut RawConnection> {
    let told = shared.way.find.as_ref().and_then(|find| find.told());
    if let (Some(told), Some(open)) = (told, &connection)
        && told != *open.endpoint()
    {
        *connection = None;
    }
    match &shared.way.find {
        Some(find) if connection.is_none() => {
            let primary = find.primary().await?;
            connected(shared, &primary, connection).await
        }
        _ => connected(shared, &shared.way.write, connection).await,
    }
}

/// A connection to who answers reads, as the way says.
async fn reading<'a>(
    shared: &Shared,
    connection: &'a mut Option<RawConnection>,
) -> Option<&'a mut RawConnection> {
    match &shared.way.read {
        Some(read) => connected(shared, read, connection).await,
        None => writing(shared, connection).await,
    }
}

async fn connected<'a>(
    shared: &Shared,
    endpoint: &Endpoint,
    connection: &'a mut Option<RawConnection>,
) -> Option<&'a mut RawConnection> {
    if connection.is_none() {
        let patience = Duration::from_millis(shared.plan.patience_ms);
        let opened = RawConnection::open(endpoint, shared.way.credentials.as_ref(), patience).await;
        *connection = opened.ok();
    }
    connection.as_mut()
}

async fn write_once(
    shared: &Shared,
    track: &Track,
    connection: &mut RawConnection,
    number: u32,
) -> Outcome {
    let (key, bit) = ledger::place(&shared.run, track.name(), number);
    connection.queue(&["SETBIT", &key, &bit.to_string(), "1"]);
    let invoked = shared.clock.now();
    let answer = connection.answer(Duration::from_millis(shared.plan.patience_ms)).await;
    let outcome = judge(&answer);
    track.note(Write { number, invoked, ended: shared.clock.now(), outcome });
    if let (Ok(Err(refused)), Some(find)) = (&answer, &shared.way.find) {
        find.refused(refused);
    }
    outcome
}

/// What an answer says about its write.
pub(crate) fn judge(answer: &Result<client::raw::Answer, ClientError>) -> Outcome {
    match answer {
        Ok(Ok(_)) => Outcome::Acked,
        Ok(Err(refused)) if refused.refusal.is_before_execution() => Outcome::Refused,
        Ok(Err(_)) | Err(_) => Outcome::Unknown,
    }
}

/// Whether enough replicas have all that this connection has written; `None` when the answer is
/// still to come or never will.
async fn wait(shared: &Shared, connection: &mut RawConnection) -> Option<bool> {
    if shared.way.copies == 0 {
        return Some(false);
    }
    connection.queue(&["WAIT", &shared.way.copies.to_string(), &WAIT_MS.to_string()]);
    match connection.answer(Duration::from_millis(shared.plan.patience_ms)).await {
        Ok(Ok(Value::Int(copies))) => Some(copies >= i64::from(shared.way.copies)),
        Ok(_) => Some(false),
        Err(_) => None,
    }
}

/// Reads until the load ends.
pub(super) async fn read(shared: Shared, track: Track, rate: watch::Receiver<u32>) {
    let mut pace = Pace::new(rate);
    let mut connection = None;
    let mut number = 0;
    let patience = Duration::from_millis(shared.plan.patience_ms);
    let key = ledger::key(&shared.run, "w0", 0);
    while pace.turn().await {
        let Some(open) = reading(&shared, &mut connection).await else {
            pace.rest(&shared.way);
            continue;
        };
        open.queue(&["GETBIT", key.as_str(), "0"]);
        let invoked = shared.clock.now();
        let outcome = judge(&open.answer(patience).await);
        track.note(Write { number, invoked, ended: shared.clock.now(), outcome });
        number += 1;
        if !outcome.is_acked() {
            connection = None;
            pace.rest(&shared.way);
        }
    }
}
