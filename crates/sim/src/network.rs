//! The paths between places: delays, losses and directional cuts, a plane at a time.

use std::collections::BTreeMap;

use crate::prng::Prng;

/// What travels apart from what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Plane {
    /// Agent to agent.
    Peer,
    /// Engine to engine.
    Engine,
    /// Agent to store.
    Store,
    /// Client to engine.
    Client,
}

/// The place of the store, and of the clients, in a path.
pub const OUTSIDE: usize = usize::MAX;

/// How a run's network behaves.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// A typical delay, ns.
    pub delay: u64,
    /// Peer messages lost, of a thousand.
    pub loss: u64,
    /// Peer messages delivered twice, of a thousand.
    pub twice: u64,
    /// Whether peer messages overtake each other.
    pub reorder: bool,
    /// Whether peer messages sent into a cut come through when it is mended, late.
    pub holds: bool,
}

/// The paths now.
#[derive(Clone, Debug)]
pub struct Network {
    /// How it behaves.
    pub weather: Weather,
    /// Directional cuts, counted: two faults may cut one path.
    cuts: BTreeMap<(Plane, usize, usize), u32>,
    /// When the last ordered delivery on a path is due.
    last: BTreeMap<(Plane, usize, usize), u64>,
}

impl Network {
    /// A network without cuts.
    pub fn new(weather: Weather) -> Self {
        Self { weather, cuts: BTreeMap::new(), last: BTreeMap::new() }
    }

    /// Cuts one direction once more.
    pub fn cut(&mut self, plane: Plane, from: usize, to: usize) {
        *self.cuts.entry((plane, from, to)).or_insert(0) += 1;
    }

    /// Takes one cut away; true when the path is whole again.
    pub fn mend(&mut self, plane: Plane, from: usize, to: usize) -> bool {
        match self.cuts.get_mut(&(plane, from, to)) {
            Some(n) if *n > 1 => {
                *n -= 1;
                false
            }
            Some(_) => {
                self.cuts.remove(&(plane, from, to));
                true
            }
            None => false,
        }
    }

    /// All cuts, for healing.
    pub fn all_cuts(&self) -> Vec<(Plane, usize, usize)> {
        self.cuts.keys().copied().collect()
    }

    /// Forgets every cut.
    pub fn heal(&mut self) {
        self.cuts.clear();
    }

    /// Whether this direction works.
    pub fn open(&self, plane: Plane, from: usize, to: usize) -> bool {
        !self.cuts.contains_key(&(plane, from, to))
    }

    /// Whether both directions work.
    pub fn both(&self, plane: Plane, a: usize, b: usize) -> bool {
        self.open(plane, a, b) && self.open(plane, b, a)
    }

    /// When an ordered message sent now arrives, never before an earlier one on its path.
    pub fn arrival(
        &mut self,
        rng: &mut Prng,
        now: u64,
        path: (Plane, usize, usize),
        extra: u64,
    ) -> u64 {
        let at = now + extra + rng.latency(self.weather.delay);
        let last = self.last.entry(path).or_insert(0);
        *last = at.max(*last + 1);
        *last
    }
}
