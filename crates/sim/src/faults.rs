//! Faults as values: what can be done to a world. The deed for a simulated world is in `world`; for
//! real processes it is the business of whoever has hands there.

use crate::network::Plane;
use crate::plan::Plan;
use crate::prng::Prng;
use crate::{MS, SECOND};

/// A kind of fault, for drawing subsets and for counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Kind {
    KillEngine,
    KillAgent,
    Freeze,
    Hang,
    Cut,
    Isolate,
    StoreDown,
    Wipe,
    Recreate,
    StopAll,
    Handover,
    StopMember,
    DeleteRecord,
    LoseRoom,
    Maintenance,
    Empty,
    LoseState,
    FailSaves,
    RollBack,
    ReuseAddress,
    Twin,
}

/// What a freeze takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frozen {
    /// The engine's process.
    Engine,
    /// The agent's process.
    Agent,
    /// The container: both.
    Both,
}

/// Why an engine does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stuck {
    /// SIGSTOP or a freezer.
    Stopped,
    /// A disk.
    Disk,
    /// A slow command.
    Busy,
    /// Nobody knows.
    Idle,
}

/// One thing to do to the world. Times are true time in ns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// SIGKILL, or a crash by this signal.
    KillEngine {
        /// Whose.
        member: usize,
        /// 9: somebody's hand; 11: its own fault.
        signal: i32,
    },
    /// The agent dies, and its engine with it, or not (no PDEATHSIG).
    KillAgent {
        /// Whose.
        member: usize,
        /// The engine lives on.
        orphan: bool,
        /// It is started again after this.
        back: u64,
    },
    /// Stop what runs, and let it go on.
    Freeze {
        /// Whose.
        member: usize,
        /// What.
        what: Frozen,
        /// For how long.
        lasts: u64,
    },
    /// The engine's loop stops turning.
    Hang {
        /// Whose.
        member: usize,
        /// Why.
        why: Stuck,
        /// For how long.
        lasts: u64,
    },
    /// Paths in one direction.
    Cut {
        /// Plane, from, to; [`crate::network::OUTSIDE`] is the store or the clients.
        paths: Vec<(Plane, usize, usize)>,
        /// For how long.
        lasts: u64,
    },
    /// The store answers nobody, or no writes.
    StoreDown {
        /// Reads are answered.
        read_only: bool,
        /// For how long.
        lasts: u64,
    },
    /// The member comes back with an empty disk: a new state, a new pod.
    Wipe {
        /// Whose.
        member: usize,
        /// After this.
        back: u64,
    },
    /// A new pod on the old volume.
    Recreate {
        /// Whose.
        member: usize,
        /// After this.
        back: u64,
    },
    /// Everything stops, and comes back in this order.
    StopAll {
        /// With SIGTERM, or by losing power.
        clean: bool,
        /// Who, and after how long.
        back: Vec<(usize, u64)>,
    },
    /// A person asks for a handover, of the primary's agent.
    Handover {
        /// To whom.
        to: Option<usize>,
    },
    /// SIGTERM, and a new start.
    StopMember {
        /// Who.
        member: usize,
        /// The grace.
        within: u64,
        /// After this it is started again.
        back: u64,
    },
    /// Somebody deletes the record.
    DeleteRecord,
    /// A member's disk or memory fills up, and empties.
    LoseRoom {
        /// Whose.
        member: usize,
        /// For how long.
        lasts: u64,
    },
    /// A person's maintenance mode: the record's `paused`.
    Maintenance {
        /// For how long.
        lasts: u64,
    },
    /// The engine is killed and the whole directory emptied at once; the agent runs on.
    Empty {
        /// Whose.
        member: usize,
    },
    /// The member dies, and comes back with its data beside a state file that is gone or torn.
    LoseState {
        /// Whose.
        member: usize,
        /// After this.
        back: u64,
    },
    /// A member's disk takes no snapshot: its engine refuses writes (MISCONF) once it has tried.
    FailSaves {
        /// Whose.
        member: usize,
        /// For how long.
        lasts: u64,
    },
    /// Whoever connects to a member's engine reaches another one's: its address was given anew, and
    /// those who look it up have not heard.
    ReuseAddress {
        /// Whose address it was.
        of: usize,
        /// Who is there now.
        by: usize,
        /// For how long.
        lasts: u64,
    },
    /// The member's pod is deleted by force while its host is out of sight: it lives on, and
    /// another one of its name is made elsewhere.
    Twin {
        /// Whose.
        member: usize,
        /// The new one has the disk as it is now; else an empty one.
        keeps_disk: bool,
        /// What the old one is cut from, for the rest of its life.
        paths: Vec<(Plane, usize, usize)>,
        /// For how long it lives on.
        lasts: u64,
    },
    /// The store is restored to what it held so many writes ago, versions and all.
    RollBack {
        /// How many.
        writes: usize,
    },
}

/// Which faults a run makes, and how often.
#[derive(Clone, Debug, Default)]
pub struct Nemesis {
    /// The kinds that this run draws from.
    pub kinds: Vec<Kind>,
    /// Typical time between two faults, ns; 0 for none.
    pub every: u64,
    /// The longest that one lasts, ns.
    pub longest: u64,
}

const KINDS: [Kind; 13] = [
    Kind::KillEngine,
    Kind::KillAgent,
    Kind::Freeze,
    Kind::Hang,
    Kind::Cut,
    Kind::Isolate,
    Kind::StoreDown,
    Kind::Wipe,
    Kind::Recreate,
    Kind::StopAll,
    Kind::Handover,
    Kind::StopMember,
    Kind::LoseRoom,
];

/// Kinds that came later: worlds of [`Plan::swarm`] do without them, so that their seeds stay what
/// they were.
const LATER: [Kind; 2] = [Kind::Empty, Kind::LoseState];

/// Kinds that came later still, for [`Plan::rough`].
const LATEST: [Kind; 2] = [Kind::FailSaves, Kind::RollBack];

impl Nemesis {
    /// Adds the kind that only stray worlds have, twice: it is to be drawn often.
    pub fn add_stray_kinds(&mut self) {
        self.kinds.extend([Kind::ReuseAddress, Kind::ReuseAddress]);
    }

    /// Adds the kind that only worlds of twins have, as often.
    pub fn add_twin_kinds(&mut self) {
        self.kinds.extend([Kind::Twin, Kind::Twin]);
    }

    /// Adds kinds that a swarm does without.
    pub fn add_later_kinds(&mut self, rng: &mut Prng) {
        self.kinds.extend(LATER.into_iter().filter(|_| rng.per_mille(500)));
    }

    /// Adds kinds that only rough worlds have: each is there in every other one, and never none.
    pub fn add_latest_kinds(&mut self, rng: &mut Prng) {
        let first = rng.pick(&LATEST);
        self.kinds.extend(LATEST.into_iter().filter(|kind| *kind == first || rng.per_mille(300)));
    }

    /// This seed's own subset and rate.
    pub fn swarm(rng: &mut Prng, _plan: &Plan) -> Self {
        let mut kinds: Vec<Kind> = KINDS.into_iter().filter(|_| rng.per_mille(400)).collect();
        if rng.per_mille(60) {
            kinds.push(Kind::DeleteRecord);
        }
        if rng.per_mille(100) {
            kinds.push(Kind::Maintenance);
        }
        if kinds.is_empty() {
            kinds.push(Kind::KillEngine);
        }
        let every = rng.pick(&[SECOND, 3 * SECOND, 8 * SECOND, 20 * SECOND]);
        Self { kinds, every, longest: rng.pick(&[2, 8, 30]) * SECOND }
    }

    /// The time to the next fault.
    pub fn pause(&self, rng: &mut Prng) -> u64 {
        rng.range(self.every / 10, self.every * 2)
    }

    /// Draws one fault for the members in these places; `primary` is hit more often than others.
    pub fn draw(&self, rng: &mut Prng, places: &[usize], primary: Option<usize>) -> Fault {
        let n = places.len();
        let member = match primary {
            Some(p) if rng.per_mille(500) => p,
            _ => places[rng.below(n as u64) as usize],
        };
        let lasts = rng.range(50 * MS, self.longest);
        let back = rng.range(100 * MS, self.longest.min(10 * SECOND));
        match rng.pick(&self.kinds) {
            Kind::KillEngine => Fault::KillEngine { member, signal: rng.pick(&[9, 9, 11]) },
            Kind::KillAgent => Fault::KillAgent { member, orphan: rng.per_mille(200), back },
            Kind::Freeze => {
                let what = rng.pick(&[Frozen::Engine, Frozen::Agent, Frozen::Both, Frozen::Both]);
                Fault::Freeze { member, what, lasts }
            }
            Kind::Hang => {
                let why = rng.pick(&[Stuck::Disk, Stuck::Busy, Stuck::Idle]);
                Fault::Hang { member, why, lasts }
            }
            Kind::Cut => Fault::Cut { paths: some_paths(rng, places, member), lasts },
            Kind::Isolate => Fault::Cut { paths: isolation(places, member), lasts },
            Kind::StoreDown => Fault::StoreDown { read_only: rng.per_mille(300), lasts },
            Kind::Wipe => Fault::Wipe { member, back },
            Kind::Recreate => Fault::Recreate { member, back },
            Kind::StopAll => {
                let back = places.iter().map(|m| (*m, rng.range(100 * MS, self.longest))).collect();
                Fault::StopAll { clean: rng.per_mille(500), back }
            }
            Kind::Handover => {
                let to = rng.per_mille(500).then(|| places[rng.below(n as u64) as usize]);
                Fault::Handover { to }
            }
            Kind::StopMember => {
                let within = rng.pick(&[2 * SECOND, 10 * SECOND, 30 * SECOND]);
                Fault::StopMember { member, within, back }
            }
            Kind::DeleteRecord => Fault::DeleteRecord,
            Kind::LoseRoom => Fault::LoseRoom { member, lasts },
            Kind::Maintenance => Fault::Maintenance { lasts },
            Kind::Empty => Fault::Empty { member },
            Kind::LoseState => Fault::LoseState { member, back },
            Kind::FailSaves => Fault::FailSaves { member, lasts },
            Kind::ReuseAddress => {
                let at = places.iter().position(|place| *place == member).unwrap_or_default();
                let by = places[(at + rng.range(1, n.max(2) as u64 - 1) as usize) % n];
                Fault::ReuseAddress { of: member, by, lasts }
            }
            Kind::Twin => {
                let paths = match rng.below(4) {
                    0 => Vec::new(),
                    1 => some_paths(rng, places, member),
                    2 => store_paths(member).into(),
                    _ => isolation(places, member),
                };
                Fault::Twin { member, keeps_disk: rng.per_mille(500), paths, lasts }
            }
            Kind::RollBack => Fault::RollBack { writes: rng.range(1, 20) as usize },
        }
    }
}

/// All that a member can be cut from: agents, engines, store; clients stay.
pub fn isolation(places: &[usize], member: usize) -> Vec<(Plane, usize, usize)> {
    let mut paths = Vec::from(store_paths(member));
    for other in places.iter().copied().filter(|o| *o != member) {
        for plane in [Plane::Peer, Plane::Engine] {
            paths.push((plane, member, other));
            paths.push((plane, other, member));
        }
    }
    paths
}

/// Both ways between a member and the store.
pub(crate) fn store_paths(member: usize) -> [(Plane, usize, usize); 2] {
    let outside = crate::network::OUTSIDE;
    [(Plane::Store, member, outside), (Plane::Store, outside, member)]
}

fn some_paths(rng: &mut Prng, places: &[usize], member: usize) -> Vec<(Plane, usize, usize)> {
    let mut all = isolation(places, member);
    all.push((Plane::Client, crate::network::OUTSIDE, member));
    let share = rng.pick(&[200, 500, 800]);
    all.retain(|_| rng.per_mille(share));
    let planes = rng.below(4);
    all.retain(|(plane, _, _)| match planes {
        0 => *plane == Plane::Peer,
        1 => *plane == Plane::Store,
        2 => *plane == Plane::Engine,
        _ => true,
    });
    all
}
