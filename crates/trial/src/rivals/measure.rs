//! One event on one rival: the load, the harm, and what is read off both afterwards.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::find::TAG;
use super::look::Look;
use super::{Event, Harm, Rival, RivalError, Wire};
use crate::gap;
use crate::journal::{At, Clock, Outcome, Track};
use crate::ledger::{self, Tally};
use crate::load::{self, Load, LoadPlan};
use crate::probe::{Ack, Probes, changes, late};
use crate::queue::Queue;

/// The load: writers only, every second one waits for a replica now and then.
pub(super) const LOAD: LoadPlan =
    LoadPlan { writers: 4, readers: 0, rate: 150, wait_every: 2, patience_ms: 500 };
/// Keys that are there before.
const SEEDS: u32 = 20_000;
/// How long a freeze lasts.
pub(super) const FREEZE: Duration = Duration::from_secs(30);
/// A cut lasts at least this long,
pub(super) const CUT_LEAST: Duration = Duration::from_secs(10);
/// and until this long after the majority's clients write again,
pub(super) const CUT_AFTER: Duration = Duration::from_secs(3);
/// and at most this long.
pub(super) const CUT_MOST: Duration = Duration::from_secs(45);
/// How long a rival may take after the harm has ended until it is healthy.
pub(super) const HEALTHY_WITHIN: Duration = Duration::from_secs(40);
/// It is healthy when nothing is missing for this long: a failover may be about to begin.
const STEADY: Duration = Duration::from_secs(1);
/// Between two looks meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long the load may take to write at all.
const WRITES_WITHIN: Duration = Duration::from_secs(20);
/// How far back from a harm the last acknowledgement before it is looked for.
const BEFORE: Duration = Duration::from_secs(2);
/// Until when a harm has certainly reached the clients.
const NOTICED_WITHIN: Duration = Duration::from_millis(50);
/// How long a planned change may take to begin: who has voted in a cluster votes no more for twice
/// its timeout, 15 s by default, and a first try may have failed after some votes.
const PLANNED_WITHIN: Duration = Duration::from_secs(75);
/// When somebody who asked for one, and sees nothing change, asks once more.
const ASKED_AGAIN: Duration = Duration::from_secs(6);

/// What goes on around the harm.
struct Stage<'a> {
    rival: &'a Rival,
    run: String,
    clock: Clock,
    load: Load,
    probes: Probes,
    before: Look,
    old: String,
}

/// A harm that was done.
struct Done {
    harm: Harm,
    at: At,
    over: At,
    queue: Option<Track>,
}

/// Does one harm to the primary, and measures.
pub(super) async fn event(
    rival: &Rival,
    harm: Harm,
    number: u32,
    wire: &Wire,
) -> Result<Event, RivalError> {
    let stage = Stage::set(rival).await.map_err(RivalError::before)?;
    let done = stage.commit(harm, wire).await;
    if done.is_err() && harm == Harm::Partition {
        // Nothing stays cut behind it; what was frozen is thawed by its guards.
        let _ = rival.heal(wire).await;
    }
    let done = done?;
    let (look, healthy) = stage.healthy(done.over).await;
    let since = stage.clock.now();
    // The watch ends with an acknowledgement, so that its end is not taken for a gap.
    let last = stage.load.journal().ack_after(since, Duration::from_secs(2)).await;
    let end = last.unwrap_or_else(|| stage.clock.now());
    stage.finish(number, &done, look, healthy, end).await
}

impl<'a> Stage<'a> {
    /// A healthy rival with data in it and a load on it that has been at work for a second.
    async fn set(rival: &'a Rival) -> Result<Stage<'a>, RivalError> {
        let clock = Clock::start();
        let (before, healthy) = wait_healthy(rival, clock, HEALTHY_WITHIN, Duration::ZERO).await;
        let Some(old) = before.primary.clone().filter(|_| healthy.is_some()) else {
            let missing = before.ailments;
            return Err(RivalError::NotReady { missing, within: HEALTHY_WITHIN });
        };
        let run = format!("{{{TAG}}}-{}", clock.wall_ms(clock.now()));
        let way = rival.way();
        let credentials = way.credentials.clone();
        load::seed(&rival.side(&old)?, credentials.as_ref(), &run, SEEDS).await?;
        let load = Load::through(way, &run, LOAD, clock);
        let mut probes = Probes::none(credentials, &run, clock);
        for (member, side) in rival.members() {
            probes.aim(&member, side);
        }
        let stage = Self { rival, run, clock, load, probes, before, old };
        stage.work().await?;
        Ok(stage)
    }

    async fn work(&self) -> Result<(), RivalError> {
        let (begun, wanted) = (self.clock.now(), LOAD.writers * LOAD.rate as usize);
        let journal = self.load.journal();
        while journal.acks_since(begun).len() < wanted {
            let now = self.clock.now();
            if journal.ack_after(now, WRITES_WITHIN).await.is_none() {
                let missing = vec!["nobody acknowledges a write".to_owned()];
                return Err(RivalError::NotReady { missing, within: WRITES_WITHIN });
            }
        }
        Ok(())
    }

    async fn commit(&self, harm: Harm, wire: &Wire) -> Result<Done, RivalError> {
        let at = self.clock.now();
        match harm {
            Harm::Crash => self.rival.crash(&self.old).await?,
            Harm::Emptied => self.rival.empty(&self.old).await?,
            Harm::Freeze => return self.freeze().await,
            Harm::Partition => return self.partition(wire).await,
            Harm::Planned => {
                self.rival.planned(&self.old).await?;
                self.changed().await?;
            }
        }
        Ok(Done { harm, at, over: self.clock.now(), queue: None })
    }

    /// Waits until another member leads, where there is another: some only begin when they are
    /// asked.
    async fn changed(&self) -> Result<(), RivalError> {
        if self.rival.members().len() < 2 {
            return Ok(());
        }
        let deadline = Instant::now() + PLANNED_WITHIN;
        let mut again = Instant::now() + ASKED_AGAIN;
        let mut looks = ticks();
        loop {
            looks.tick().await;
            if Instant::now() >= again {
                // A cluster's replica gives up after 5 s, and says so in its log only.
                again = Instant::now() + ASKED_AGAIN;
                let _ = self.rival.planned(&self.old).await;
            }
            let look = self.rival.look().await;
            if look.primary.is_some_and(|primary| primary != self.old) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let missing = vec![format!("{} still leads", self.old)];
                return Err(RivalError::NotReady { missing, within: PLANNED_WITHIN });
            }
        }
    }

    /// Stops every process of the primary's member with writes queued on its open connections, and
    /// lets it go on.
    async fn freeze(&self) -> Result<Done, RivalError> {
        let side = self.rival.side(&self.old)?;
        let credentials = self.rival.way().credentials;
        let mut queue =
            Queue::open(&side, credentials.as_ref(), &self.run, "queue", self.clock).await;
        let track = queue.track();
        let at = self.clock.now();
        let until = Instant::now() + FREEZE;
        let mut frozen = self.rival.freeze(&self.old).await?;
        queue.fill().await;
        // The length of the harm.
        sleep_until(until).await;
        let over = self.clock.now();
        // The engine first: nobody watches it then.
        while let Some(process) = frozen.pop() {
            process.thaw();
        }
        queue.settle().await;
        Ok(Done { harm: Harm::Freeze, at, over, queue: Some(track) })
    }

    /// Cuts the primary and the clients on its side off from everybody else.
    async fn partition(&self, wire: &Wire) -> Result<Done, RivalError> {
        let at = self.clock.now();
        let begun = Instant::now();
        self.rival.cut(&self.old, wire).await?;
        // What is acknowledged after that comes from another one.
        let cut = self.clock.now().plus(NOTICED_WITHIN);
        let back = self.load.journal().ack_after(cut, CUT_MOST).await;
        let now = Instant::now();
        let until = if back.is_some() { now + CUT_AFTER } else { now };
        // The length of the harm.
        sleep_until(until.max(begun + CUT_LEAST)).await;
        self.rival.heal(wire).await?;
        Ok(Done { harm: Harm::Partition, at, over: self.clock.now(), queue: None })
    }

    async fn healthy(&self, over: At) -> (Look, Option<At>) {
        // Agents and Sentinels may not know yet what happened when they are asked too early.
        let noticed = over.plus(NOTICED_WITHIN);
        let _ = self.load.journal().ack_after(noticed, HEALTHY_WITHIN).await;
        let spent = self.clock.now().since(over);
        wait_healthy(self.rival, self.clock, HEALTHY_WITHIN.saturating_sub(spent), STEADY).await
    }

    async fn finish(
        self,
        number: u32,
        done: &Done,
        look: Look,
        healthy: Option<At>,
        end: At,
    ) -> Result<Event, RivalError> {
        let new = look.primary.clone().unwrap_or_default();
        let acks = self.acks(done);
        let took_over = new != self.old && !new.is_empty();
        let expected = match (self.before.epoch, look.epoch) {
            (Some(before), Some(after)) => after.saturating_sub(before),
            _ => u64::from(took_over),
        };
        let leader = self.probes.engine(&new).filter(|_| took_over);
        let late_acks = leader.map_or(0, |leader| late(&acks, leader).len() as u64);
        let clients = self.clients(done);
        let Self { rival, run, load, probes, old, before, .. } = self;
        probes.stop().await;
        let journal = load.stop().await;
        let gap = gap::around(&journal.acks_since(done.at.minus(BEFORE)), done.at, end);
        let writers = [journal.writers.clone(), clients].concat();
        let counted = count(rival, &new, &run, &writers).await;
        let (tally, lost_seeds) = counted.unwrap_or_default();
        Ok(Event {
            number,
            primaries: (old, new),
            write_gap_ms: in_ms(gap.length()),
            writes_back: gap.closed,
            healthy_ms: healthy.map(|healthy| in_ms(healthy.since(done.at))),
            harm_ms: in_ms(done.over.since(done.at)),
            acked: tally.acked,
            lost: tally.lost(),
            lost_waited: tally.lost_replicated,
            lost_seeds,
            is_counted: tally.acked > 0,
            late_acks,
            two_at_once: (changes(&acks) as u64).saturating_sub(expected),
            is_fenced: before.is_fenced,
            ailments: if healthy.is_none() { look.ailments } else { Vec::new() },
        })
    }

    /// Whose writes count beside the load's: those that waited on a frozen engine's connections,
    /// and those of the client on the side of who was cut off. The other probers know one address
    /// whatever happens, as no client of these systems does.
    fn clients(&self, done: &Done) -> Vec<Track> {
        let mut clients: Vec<Track> = done.queue.iter().cloned().collect();
        if done.harm == Harm::Partition {
            let number = self.probes.engine(&self.old);
            clients.extend(number.and_then(|number| self.probes.tracks().get(number).cloned()));
        }
        clients
    }

    /// Who acknowledged what from the harm on, those that were queued on a frozen engine included.
    fn acks(&self, done: &Done) -> Vec<Ack> {
        let mut acks = self.probes.acks_since(done.at);
        let engine = self.probes.engine(&self.old);
        if let (Some(engine), Some(track)) = (engine, &done.queue) {
            let writes = track.writes().into_iter();
            let acked = writes.filter(|write| write.outcome == Outcome::Acked);
            acks.extend(acked.map(|write| Ack {
                engine,
                invoked: write.invoked,
                ended: write.ended,
            }));
        }
        acks
    }
}

/// Counts every write on whoever is primary, and the seeds that are not there.
async fn count(
    rival: &Rival,
    primary: &str,
    run: &str,
    writers: &[Track],
) -> Result<(Tally, u64), RivalError> {
    let side = rival.side(primary)?;
    let credentials = rival.way().credentials;
    let tally = load::read_back(&side, credentials.as_ref(), run, writers).await?;
    let held = load::dataset(&side, credentials.as_ref(), run).await?;
    let seed = ledger::key(run, "seed", 0);
    let prefix = seed.trim_end_matches('0').as_bytes();
    let there = held.keys().filter(|key| key.starts_with(prefix)).count() as u64;
    Ok((tally, u64::from(SEEDS).saturating_sub(there)))
}

/// Looks until nothing was missing for `steady`; gives the last look, and since when, if ever.
async fn wait_healthy(
    rival: &Rival,
    clock: Clock,
    within: Duration,
    steady: Duration,
) -> (Look, Option<At>) {
    let deadline = Instant::now() + within;
    let mut looks = ticks();
    let mut since: Option<At> = None;
    loop {
        looks.tick().await;
        let asked = clock.now();
        let look = rival.look().await;
        since = look.is_healthy().then(|| since.unwrap_or(asked));
        if since.is_some_and(|since| clock.now().since(since) >= steady) {
            return (look, since);
        }
        if since.is_none() && Instant::now() >= deadline {
            return (look, None);
        }
    }
}

fn ticks() -> tokio::time::Interval {
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    looks
}

fn in_ms(length: Duration) -> f64 {
    length.as_micros() as f64 / 1000.0
}
