//! Who acknowledges: one prober an engine writes to the engine's own port, past the proxy, so that
//! two engines that acknowledge at once, or an old one that does so late, are seen.

use std::time::Duration;

use client::raw::RawConnection;
use client::{Credentials, Endpoint};
use serde::Serialize;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::journal::{At, Clock, Track, Write};
use crate::ledger;
use crate::load::judge;
use crate::target::Target;

/// Between two writes of one prober: how exactly the end of an old primary's time is known.
const EVERY: Duration = Duration::from_millis(20);
/// A connect to a frozen engine succeeds in its kernel, but nobody answers.
const CONNECT_WITHIN: Duration = Duration::from_millis(500);
/// Longer than any freeze: what an engine answers after its thaw must be heard.
const PATIENCE: Duration = Duration::from_secs(180);
/// How much later than its answer was sent we may take note of it: the probers share the machine
/// with the load and the engines.
pub const SLACK: Duration = Duration::from_millis(100);

/// The probers of all engines. Dropped, they end.
#[derive(Debug)]
pub struct Probes {
    run: String,
    credentials: Option<Credentials>,
    clock: Clock,
    tracks: Vec<(String, Track)>,
    aims: Vec<watch::Sender<Endpoint>>,
    end: watch::Sender<()>,
    workers: JoinSet<()>,
}

impl Probes {
    /// Starts one prober a member.
    pub fn start(target: &Target, run: &str, clock: Clock) -> Self {
        let mut probes = Self::none(target.credentials.clone(), run, clock);
        for seat in &target.seats {
            probes.aim(&seat.name, seat.engine.clone());
        }
        probes
    }

    /// No prober yet: members get theirs by [`Self::aim`].
    pub fn none(credentials: Option<Credentials>, run: &str, clock: Clock) -> Self {
        Self {
            run: run.to_owned(),
            credentials,
            clock,
            tracks: Vec::new(),
            aims: Vec::new(),
            end: watch::Sender::new(()),
            workers: JoinSet::new(),
        }
    }

    /// Points this member's prober at an engine, and starts one for a member that has none. At
    /// another address than before the connection to the old one is given up at once.
    pub fn aim(&mut self, member: &str, engine: Endpoint) {
        if let Some(number) = self.engine(member) {
            self.aims[number].send_if_modified(|aim| {
                let moved = *aim != engine;
                *aim = engine;
                moved
            });
            return;
        }
        let track = Track::new(&format!("probe-{member}"));
        let aim = watch::Sender::new(engine);
        let prober = Prober {
            run: self.run.clone(),
            credentials: self.credentials.clone(),
            track: track.clone(),
            clock: self.clock,
        };
        self.workers.spawn(prober.run(aim.subscribe(), self.end.subscribe()));
        self.tracks.push((member.to_owned(), track));
        self.aims.push(aim);
    }

    /// The members, each at the number that it has in an [`Ack`].
    pub fn members(&self) -> impl Iterator<Item = &str> {
        self.tracks.iter().map(|(member, _)| member.as_str())
    }

    /// The probers' tracks, for the count at the end.
    pub fn tracks(&self) -> Vec<Track> {
        self.tracks.iter().map(|(_, track)| track.clone()).collect()
    }

    /// What every engine acknowledged since `from`.
    pub fn acks_since(&self, from: At) -> Vec<Ack> {
        let acks = self.tracks.iter().enumerate().flat_map(|(engine, (_, track))| {
            let writes = track.writes_since(from).into_iter();
            writes.filter(|write| write.outcome.is_acked()).map(move |write| Ack {
                engine,
                invoked: write.invoked,
                ended: write.ended,
            })
        });
        acks.collect()
    }

    /// The member whose engine acknowledged last, of those that did since `from`.
    pub fn last_to_ack(&self, from: At) -> Option<String> {
        let last = self.acks_since(from).into_iter().max_by_key(|ack| ack.ended)?;
        self.tracks.get(last.engine).map(|(name, _)| name.clone())
    }

    /// The number that this member has in an [`Ack`].
    pub fn engine(&self, member: &str) -> Option<usize> {
        self.tracks.iter().position(|(name, _)| name == member)
    }

    /// Ends them.
    pub async fn stop(mut self) {
        self.end.send_replace(());
        while self.workers.join_next().await.is_some() {}
    }
}

struct Prober {
    run: String,
    credentials: Option<Credentials>,
    track: Track,
    clock: Clock,
}

impl Prober {
    async fn run(self, aim: watch::Receiver<Endpoint>, mut end: watch::Receiver<()>) {
        tokio::select! {
            _ = end.changed() => {}
            () = self.probe(aim) => {}
        }
    }

    async fn probe(&self, mut aim: watch::Receiver<Endpoint>) {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut number = 0;
        loop {
            let engine = aim.borrow_and_update().clone();
            tokio::select! {
                () = self.probe_at(&engine, &mut ticks, &mut number) => {}
                moved = aim.changed() => if moved.is_err() { return },
            }
        }
    }

    async fn probe_at(&self, engine: &Endpoint, ticks: &mut Interval, number: &mut u32) {
        let mut connection: Option<RawConnection> = None;
        loop {
            ticks.tick().await;
            if connection.is_none() {
                let credentials = self.credentials.as_ref();
                connection = RawConnection::open(engine, credentials, CONNECT_WITHIN).await.ok();
            }
            let Some(open) = connection.as_mut() else { continue };
            // Taken before it is sent: a write that is given up on the way has used its number up.
            let mine = *number;
            *number += 1;
            let (key, bit) = ledger::place(&self.run, self.track.name(), mine);
            open.queue(&["SETBIT", &key, &bit.to_string(), "1"]);
            let invoked = self.clock.now();
            let outcome = judge(&open.answer(PATIENCE).await);
            self.track.note(Write { number: mine, invoked, ended: self.clock.now(), outcome });
            connection =
                connection.filter(|open| !open.is_dead() && open.counts().unanswered() == 0);
        }
    }
}

/// One acknowledgement of one engine: it was given somewhen between the two times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Ack {
    /// The engine, by its number among the members.
    pub engine: usize,
    /// When the write was sent.
    pub invoked: At,
    /// When its answer came.
    pub ended: At,
}

/// How often leadership certainly changed hands: the longest chain of acknowledgements, each sent
/// after the one before it had come, in which neighbours come from different engines, less one.
/// More changes than epochs mean that an engine acknowledged outside of its time.
pub fn changes(acks: &[Ack]) -> usize {
    let engines = acks.iter().map(|ack| ack.engine + 1).max().unwrap_or(0);
    let mut longest = vec![0_usize; engines];
    let mut chains = vec![0_usize; acks.len()];
    // At one moment answers count after sendings, so that a chain goes strictly forward.
    let mut moments: Vec<(At, bool, usize)> = (0..)
        .zip(acks)
        .flat_map(|(n, ack)| [(ack.invoked, false, n), (ack.ended, true, n)])
        .collect();
    moments.sort_unstable();
    for (_, ended, n) in moments {
        let engine = acks[n].engine;
        if ended {
            longest[engine] = longest[engine].max(chains[n]);
        } else {
            let others = (0..engines).filter(|other| *other != engine);
            chains[n] = 1 + others.map(|other| longest[other]).max().unwrap_or(0);
        }
    }
    longest.into_iter().max().unwrap_or(0).saturating_sub(1)
}

/// Acknowledgements of others than `leader` after the leader's first one: sent after it, or come
/// more than [`SLACK`] after it.
pub fn late(acks: &[Ack], leader: usize) -> Vec<Ack> {
    let first = acks.iter().filter(|ack| ack.engine == leader).map(|ack| ack.ended).min();
    let Some(first) = first else { return Vec::new() };
    let others = acks.iter().filter(|ack| ack.engine != leader);
    others.filter(|ack| ack.invoked > first || ack.ended > first.plus(SLACK)).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ack(engine: usize, invoked: u64, ended: u64) -> Ack {
        Ack { engine, invoked: At(invoked), ended: At(ended) }
    }

    #[test]
    fn leadership_changes_as_often_as_it_must_have() {
        let table: [(&str, Vec<Ack>, usize); 7] = [
            ("nobody", vec![], 0),
            ("one engine", vec![ack(0, 1, 2), ack(0, 3, 4)], 0),
            ("handed over", vec![ack(0, 1, 2), ack(1, 3, 4), ack(1, 5, 6)], 1),
            ("back again", vec![ack(0, 1, 2), ack(1, 3, 4), ack(0, 5, 6)], 2),
            ("may have been before", vec![ack(0, 1, 2), ack(1, 3, 4), ack(0, 3, 6)], 1),
            (
                "both at once, each over and over",
                { vec![ack(0, 1, 2), ack(1, 3, 4), ack(0, 5, 6), ack(1, 7, 8), ack(0, 9, 10)] },
                4,
            ),
            ("through a third", vec![ack(2, 1, 2), ack(0, 3, 4), ack(1, 5, 6)], 2),
        ];
        for (what, acks, wanted) in table {
            assert_eq!(changes(&acks), wanted, "{what}");
        }
    }

    #[test]
    fn overlapping_acknowledgements_prove_nothing() {
        assert_eq!(changes(&[ack(0, 1, 10), ack(1, 2, 9), ack(0, 3, 8)]), 0);
        // The same moment is not after.
        assert_eq!(changes(&[ack(0, 1, 2), ack(1, 2, 3)]), 0);
    }

    #[test]
    fn an_old_primary_is_late_after_the_first_of_the_new() {
        let slack = SLACK.as_nanos() as u64;
        let new = ack(1, 90, 100);
        assert_eq!(late(&[ack(0, 80, 99), new], 1), []);
        // Sent before, answered a little after: it may have been acknowledged before.
        assert_eq!(late(&[ack(0, 80, 100 + slack), new], 1), []);
        let queued = ack(0, 80, 101 + slack);
        let fresh = ack(0, 101, 102);
        assert_eq!(late(&[queued, fresh, new, ack(1, 200, 201)], 1), [queued, fresh]);
        // With no new leader nobody is late.
        assert_eq!(late(&[queued, fresh], 1), []);
    }
}
