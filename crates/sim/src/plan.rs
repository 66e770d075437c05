//! The shape of one simulated world: how many members, which promises, which faults. Drawn from a
//! seed (each seed its own subset of faults), or written by hand for a script.

use std::collections::BTreeSet;

use brain::{Durability, Failsafe, Span, Timing};

use crate::faults::{Kind, Nemesis};
use crate::network::Weather;
use crate::prng::Prng;
use crate::server::{Persistence, Tuning};
use crate::store::Temper;
use crate::{MS, SECOND};

/// Everything fixed about a world.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The seed of all its randomness.
    pub seed: u64,
    /// How many members, the primary included.
    pub members: usize,
    /// The profile.
    pub timing: Timing,
    /// What a write is worth.
    pub durability: Durability,
    /// Whose acks hold authority.
    pub failsafe: Failsafe,
    /// How long a recovery election waits for everybody.
    pub recovery_timeout: Span,
    /// Takeovers an hour at the most.
    pub budget_per_hour: u32,
    /// Whether engines carry the gate.
    pub gate: bool,
    /// How engines behave.
    pub tuning: Tuning,
    /// How the network behaves.
    pub weather: Weather,
    /// How the store behaves.
    pub temper: Temper,
    /// Clocks' rates are off by at most this, in parts per billion.
    pub drift_ppb: u64,
    /// Typical time to put a state file on disk, ns.
    pub fsync: u64,
    /// How many clients write.
    pub clients: usize,
    /// A client's pause between two commands, ns.
    pub think: u64,
    /// Clients of a hundred that never leave an engine which answers.
    pub sticky_percent: u64,
    /// Ends of whole containers of a thousand that a kubelet tells of (failover.md 2.4, death
    /// certificates).
    pub certified: u64,
    /// The faults.
    pub nemesis: Nemesis,
    /// How long faults are made, ns.
    pub chaos: u64,
    /// How long after healing a primary and equal replicas are due, ns.
    pub quiesce: u64,
    /// The healing leaves as much broken as a group can do without.
    pub heals_enough: bool,
    /// Faults that are drawn and not made, by their number: for shrinking a failing seed.
    pub skips: BTreeSet<u64>,
    /// The cures that every member goes without: only in tests.
    #[cfg(feature = "mutants")]
    pub without: Option<brain::Without>,
}

impl Plan {
    /// A world without faults and with punctual parts: the start of a script.
    pub fn calm(members: usize) -> Self {
        Self {
            seed: 1,
            members,
            timing: Timing::DEFAULT,
            durability: Durability::Balanced,
            failsafe: Failsafe::Majority,
            recovery_timeout: Span::from_millis(20_000),
            budget_per_hour: 10_000,
            gate: true,
            tuning: Tuning::default(),
            weather: Weather { delay: MS / 4, loss: 0, twice: 0, reorder: false, holds: false },
            temper: Temper::default(),
            drift_ppb: 0,
            fsync: MS,
            clients: 4,
            think: 20 * MS,
            sticky_percent: 0,
            certified: 0,
            nemesis: Nemesis::default(),
            chaos: 0,
            quiesce: 60 * SECOND,
            heals_enough: false,
            skips: BTreeSet::new(),
            #[cfg(feature = "mutants")]
            without: None,
        }
    }

    /// Whether this cure is in place.
    #[cfg(feature = "mutants")]
    pub fn keeps(&self, cure: brain::Cure) -> bool {
        self.without.is_none_or(|w| !w.lacks(cure))
    }

    /// Whether this cure is in place: always, but in a test that takes it out.
    #[cfg(not(feature = "mutants"))]
    #[allow(clippy::unused_self)]
    pub fn keeps(&self, _cure: brain::Cure) -> bool {
        true
    }

    /// The world of this seed.
    pub fn swarm(seed: u64) -> Self {
        let mut rng = Prng::new(seed ^ 0x0073_7761_726d);
        let members = rng.pick(&[1, 2, 2, 3, 3, 3, 3, 4, 4, 5]);
        let timing = rng.pick(&[Timing::FAST, Timing::DEFAULT, Timing::DEFAULT, Timing::PATIENT]);
        let replicas = members as u64 - 1;
        let durability = match rng.below(6) {
            0 => Durability::Cache,
            1 if replicas > 0 => {
                Durability::Strict { copies: rng.range(1, replicas.min(2)) as u32 }
            }
            _ => Durability::Balanced,
        };
        let failsafe = match durability {
            Durability::Cache if rng.per_mille(500) => Failsafe::All,
            _ => Failsafe::Majority,
        };
        let mut plan = Self {
            seed,
            timing,
            durability,
            failsafe,
            gate: matches!(durability, Durability::Strict { .. }) || rng.per_mille(750),
            tuning: tuning(&mut rng),
            weather: weather(&mut rng),
            temper: temper(&mut rng),
            drift_ppb: rng.pick(&[0, 100_000, 1_000_000]),
            fsync: rng.pick(&[MS / 5, MS, 10 * MS, 100 * MS]),
            clients: rng.range(1, 8) as usize,
            think: rng.pick(&[10 * MS, 30 * MS, 100 * MS]),
            sticky_percent: rng.pick(&[0, 30, 100]),
            chaos: rng.range(20, 90) * SECOND,
            quiesce: 90 * SECOND,
            ..Self::calm(members)
        };
        // As it is rendered.
        plan.tuning.empty_loads_diskless = matches!(durability, Durability::Cache);
        plan.tuning.offset_after_aof = plan.tuning.counts_alone && seed % 2 == 1;
        plan.nemesis = Nemesis::swarm(&mut rng, &plan);
        plan.certified = rng.pick(&[0, 500, 1000]);
        plan
    }

    /// The world of this seed with more: faults that a swarm does without, and in every other seed
    /// a healing that leaves broken what is not needed.
    pub fn wild(seed: u64) -> Self {
        let mut plan = Self::swarm(seed);
        let mut rng = Prng::new(seed ^ 0x0077_696c_6400);
        plan.nemesis.add_later_kinds(&mut rng);
        plan.heals_enough = rng.per_mille(500);
        plan
    }

    /// The wild world of this seed with faults that came later still: disks that take no snapshot,
    /// more often with engines that write some, and a store that is restored to an older state.
    pub fn rough(seed: u64) -> Self {
        let mut plan = Self::wild(seed);
        let mut rng = Prng::new(seed ^ 0x0072_6f75_6768);
        if rng.per_mille(500) {
            plan.tuning.persistence = Persistence::Rdb;
        }
        plan.nemesis.add_latest_kinds(&mut rng);
        plan
    }

    /// The wild world of this seed in which addresses lead to the wrong engine for a while.
    pub fn stray(seed: u64) -> Self {
        let mut plan = Self::wild(seed ^ 0x0073_7472_6179);
        plan.seed = seed;
        plan.nemesis.add_stray_kinds();
        plan
    }

    /// The wild world of this seed in which pods are deleted by force and live on beside the new
    /// ones of their names.
    pub fn twins(seed: u64) -> Self {
        let mut plan = Self::wild(seed ^ 0x0074_7769_6e73);
        plan.seed = seed;
        plan.nemesis.add_twin_kinds();
        plan
    }

    /// Whether a kind of fault is ever made here.
    pub fn makes(&self, kind: Kind) -> bool {
        self.nemesis.kinds.contains(&kind)
    }

    /// One line for a report of a failing seed.
    pub fn summary(&self) -> String {
        format!(
            "seed {} members {} {:?} {:?} W {} gate {} {:?} loses_tail {} flush_first {} \
             drift {} ppb faults {:?} every {} ms for {} s",
            self.seed,
            self.members,
            self.durability,
            self.failsafe,
            self.timing.lease,
            self.gate,
            self.tuning.persistence,
            self.tuning.loses_tail,
            self.tuning.flush_first,
            self.drift_ppb,
            self.nemesis.kinds,
            self.nemesis.every / MS,
            self.chaos / SECOND,
        )
    }
}

fn tuning(rng: &mut Prng) -> Tuning {
    let persistence = match rng.below(8) {
        0 => Persistence::None,
        1 | 2 => Persistence::Rdb,
        3 => Persistence::Aof { always: true },
        _ => Persistence::Aof { always: false },
    };
    let loses_tail = rng.per_mille(500);
    let backlog_bytes = rng.pick(&[2_000, 20_000, 1 << 20]);
    let transfer = (rng.range(1, 2000) * MS, 10_000);
    let load = (rng.range(1, 1000) * MS, 10_000);
    Tuning {
        persistence,
        loses_tail,
        backlog_bytes,
        transfer,
        load,
        // No draw of its own: kept seeds stay the worlds that they were.
        rewrite: load,
        flush_first: rng.per_mille(300),
        empty_loads_diskless: false,
        offset_after_aof: false,
        counts_alone: rng.per_mille(500),
        repl_timeout: rng.range(3, 10) * SECOND,
        ping: rng.range(1, 10) * SECOND,
        max_lag: 3 * SECOND,
        save_every: rng.range(3, 30) * SECOND,
    }
}

fn weather(rng: &mut Prng) -> Weather {
    Weather {
        delay: rng.pick(&[MS / 5, MS, 5 * MS]),
        loss: rng.pick(&[0, 0, 10, 100]),
        twice: rng.pick(&[0, 0, 20]),
        reorder: rng.per_mille(300),
        holds: rng.per_mille(300),
    }
}

fn temper(rng: &mut Prng) -> Temper {
    Temper {
        latency: rng.pick(&[MS, 5 * MS, 50 * MS]),
        slow: rng.pick(&[0, 0, 10, 50]),
        lost_answer: rng.pick(&[0, 0, 10, 50]),
        lost_call: rng.pick(&[0, 0, 10, 50]),
        watch: rng.pick(&[2 * MS, 20 * MS, 500 * MS]),
        watch_drops: rng.pick(&[0, 0, 100]),
    }
}
