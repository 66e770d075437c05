//! One run of a station: its load, its probers, its queue of writes, and the count at the end.

use std::time::Duration;

use client::Endpoint;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::census::Census;
use super::{Acked, Begin, Finished, Members, Noticed, Settled};
use crate::gap;
use crate::journal::{At, Clock, Track};
use crate::ledger;
use crate::load::{self, Load, LoadError, Way};
use crate::probe::{Probes, changes, late};
use crate::queue::Queue;
use crate::rivals::find::TAG;

/// How far back from an event the last acknowledgement before it is looked for.
const BEFORE: Duration = Duration::from_secs(2);
/// How long counting may be tried again: the route may just be moving.
const COUNT_WITHIN: Duration = Duration::from_secs(30);
/// How long replicas may take to have the last writes, once nobody writes any more.
const EQUAL_WITHIN: Duration = Duration::from_secs(10);
/// Between two tries of either.
const AGAIN: Duration = Duration::from_millis(200);

/// A run under way.
pub(super) struct Session {
    pub(super) load: Load,
    way: Way,
    clock: Clock,
    seeds: u32,
    members: Members,
    compare: bool,
    probes: Probes,
    census: Census,
    queue: Option<(Queue, u64)>,
    queues: Vec<Track>,
}

impl Session {
    pub(super) async fn begin(way: Way, clock: Clock, begin: Begin) -> Result<Self, LoadError> {
        let way = Way { copies: begin.copies, ..way };
        let run = format!("{{{TAG}}}-s{}", clock.wall_ms(clock.now()));
        load::seed(&way.primary().await?, way.credentials.as_ref(), &run, begin.seeds).await?;
        let mut session = Self {
            load: Load::through(way.clone(), &run, begin.plan, clock),
            clock,
            seeds: begin.seeds,
            members: Members::new(),
            compare: begin.compare,
            probes: Probes::none(way.credentials.clone(), &run, clock),
            census: Census::start(way.clone()),
            queue: None,
            queues: Vec::new(),
            way,
        };
        session.aim(begin.members);
        Ok(session)
    }

    /// Points the probers at the members' addresses; an address that cannot be read is left out.
    /// Who is not named is no member any more: it is not asked for its data in the end.
    pub(super) fn aim(&mut self, members: Members) {
        self.members.retain(|member, _| members.contains_key(member));
        for (member, address) in members {
            match address.parse::<Endpoint>() {
                Ok(engine) => {
                    self.probes.aim(&member, engine);
                    self.members.insert(member, address);
                }
                Err(error) => tracing::warn!(%error, %member, "not probed"),
            }
        }
    }

    /// What clients and probers noticed from `from` until `until`.
    pub(super) fn noticed(&self, from: At, until: At, leader: Option<&str>) -> Noticed {
        let journal = self.load.journal();
        let writes = gap::around(&journal.acks_since(from.minus(BEFORE)), from, until);
        let reads = gap::around(&journal.reads_since(from.minus(BEFORE)), from, until);
        let acks = self.probes.acks_since(from);
        let members = self.probes.members().enumerate().filter_map(|(engine, member)| {
            let ended = acks.iter().filter(|ack| ack.engine == engine).map(|ack| ack.ended);
            let (first, last) = (ended.clone().min()?, ended.clone().max()?);
            let since = |at: At| in_ms(at.since(from));
            let acked =
                Acked { first_ms: since(first), last_ms: since(last), count: ended.count() as u64 };
            Some((member.to_owned(), acked))
        });
        let leader = leader.and_then(|leader| self.probes.engine(leader));
        Noticed {
            write_gap_ms: in_ms(writes.length()),
            writes_back: writes.closed,
            gap_from_ms: in_ms(writes.from.since(from)),
            read_gap_ms: in_ms(reads.length()),
            members: members.collect(),
            changes: changes(&acks) as u64,
            late: leader.map_or(0, |leader| late(&acks, leader).len() as u64),
        }
    }

    /// Opens connections to this member's engine, for writes that are to wait there; false when
    /// its address is not known.
    pub(super) async fn open_queue(&mut self, member: &str) -> bool {
        let address = self.members.get(member).and_then(|address| address.parse().ok());
        let Some(engine) = address else { return false };
        let name = format!("queue-{}-{member}", self.queues.len());
        let credentials = self.way.credentials.as_ref();
        let queue = Queue::open(&engine, credentials, self.load.run(), &name, self.clock).await;
        self.queues.push(queue.track());
        self.queue = Some((queue, 0));
        true
    }

    /// Sends the writes into the connections that were opened.
    pub(super) async fn fill_queue(&mut self) -> u64 {
        let Some((queue, queued)) = &mut self.queue else { return 0 };
        *queued = queue.fill().await;
        *queued
    }

    /// Waits for their answers, which is a few seconds at most.
    pub(super) async fn settle_queue(&mut self) -> Settled {
        let Some((queue, queued)) = self.queue.take() else { return Settled::default() };
        Settled { queued, acked: queue.settle().await }
    }

    /// Ends the load, and counts what is there.
    pub(super) async fn finish(self) -> Result<Finished, LoadError> {
        let run = self.load.run().to_owned();
        let probes = self.probes.tracks();
        self.probes.stop().await;
        let shrank = self.census.shrank();
        let journal = self.load.stop().await;
        let is_probing_only = journal.writers.is_empty();
        let clients = [journal.writers, self.queues].concat();
        // Who is not compared need not be there.
        let members = if self.compare { self.members } else { Members::new() };
        let (way, seeds) = (self.way, self.seeds);
        let counting = Counting { is_probing_only, way, run, seeds, members, clients, probes };
        let mut finished = counting.count().await?;
        finished.shrank = shrank;
        Ok(finished)
    }
}

/// What is left of a run when its load has ended.
struct Counting {
    is_probing_only: bool,
    way: Way,
    run: String,
    seeds: u32,
    members: Members,
    clients: Vec<Track>,
    probes: Vec<Track>,
}

impl Counting {
    async fn count(&self) -> Result<Finished, LoadError> {
        let deadline = Instant::now() + COUNT_WITHIN;
        let mut tries = interval(AGAIN);
        tries.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tries.tick().await;
            match self.try_count().await {
                Err(error) if Instant::now() < deadline => {
                    tracing::info!(error = %error, "counting again");
                }
                counted => return counted,
            }
        }
    }

    async fn try_count(&self) -> Result<Finished, LoadError> {
        let primary = self.way.primary().await?;
        let credentials = self.way.credentials.as_ref();
        let clients = load::read_back(&primary, credentials, &self.run, &self.clients).await?;
        let probes = load::read_back(&primary, credentials, &self.run, &self.probes).await?;
        let (there, different_keys) = self.compare(&primary).await?;
        // A run that only probes leaves its one key: it ends amid another run, whose census must
        // not see keys go.
        if !self.is_probing_only {
            load::clear(&primary, credentials, &self.run).await?;
        }
        Ok(Finished {
            acked: clients.acked + probes.acked,
            replicated: clients.replicated + probes.replicated,
            refused: clients.refused + probes.refused,
            unknown: clients.unknown + probes.unknown,
            lost_acked: clients.lost_acked + probes.lost_acked,
            lost_replicated: clients.lost_replicated + probes.lost_replicated,
            refused_but_there: clients.refused_but_there + probes.refused_but_there,
            lost_seeds: u64::from(self.seeds).saturating_sub(there),
            shrank: 0,
            different_keys,
            acked_probes: probes.acked,
            lost_probes: probes.lost(),
        })
    }

    /// How many seeds are there, and how many keys differ between the primary and any member once
    /// the members had time.
    async fn compare(&self, primary: &Endpoint) -> Result<(u64, u64), LoadError> {
        let credentials = self.way.credentials.as_ref();
        let deadline = Instant::now() + EQUAL_WITHIN;
        let seed = ledger::key(&self.run, "seed", 0);
        let seed = seed.trim_end_matches('0').as_bytes();
        let mut looks = interval(AGAIN);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            let wanted = load::dataset(primary, credentials, &self.run).await?;
            let mut different = 0;
            for engine in self.members.values().filter_map(|address| address.parse().ok()) {
                let held = load::dataset(&engine, credentials, &self.run).await?;
                different += load::differences(&wanted, &held) as u64;
            }
            if different == 0 || Instant::now() >= deadline {
                let seeds = wanted.keys().filter(|key| key.starts_with(seed)).count();
                return Ok((seeds as u64, different));
            }
        }
    }
}

fn in_ms(length: Duration) -> f64 {
    // Microseconds are as exact as any of this is.
    length.as_micros() as f64 / 1000.0
}
