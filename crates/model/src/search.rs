//! The search: breadth first over every state, each kept once, so the first fault found is a
//! shortest one. Exact: states are compared whole, hashes only find them.

use std::fmt::Debug;

use crate::property::Property;

/// Something that goes from state to state.
pub trait Machine {
    /// What it is in.
    type State;
    /// What moves it on.
    type Action: Debug + Copy;
    /// How a state is kept: equal if and only if the states are.
    type Packed: Copy + Eq + AsRef<[u64]>;

    /// Where it begins.
    fn initial(&self) -> Self::State;
    /// Packs a state.
    fn pack(&self, state: &Self::State) -> Self::Packed;
    /// The same back.
    fn unpack(&self, packed: &Self::Packed) -> Self::State;
    /// Everything that one step can make of it.
    fn next(&self, state: &Self::State, out: &mut dyn FnMut(Self::Action, Self::State));
    /// What is broken in it.
    fn broken(&self, state: &Self::State) -> Option<Property>;
    /// It for people, on one line.
    fn show(&self, state: &Self::State) -> String;
}

/// One step of a counterexample.
#[derive(Clone, Debug)]
pub struct Step {
    /// What was done; empty for the beginning.
    pub action: String,
    /// What the world was after it.
    pub state: String,
}

/// What a search found.
#[derive(Clone, Debug)]
pub struct Found {
    /// Different states reached.
    pub states: usize,
    /// Steps from the beginning to the farthest of them.
    pub depth: usize,
    /// Whether that were all: false when the limit came first.
    pub complete: bool,
    /// What was broken first.
    pub broken: Option<Property>,
    /// The shortest way there.
    pub trace: Vec<Step>,
}

/// Looks at every state that can be reached, at most `limit` of them.
pub fn explore<M: Machine>(machine: &M, limit: usize) -> Found {
    let mut table = Table::new();
    table.put(machine.pack(&machine.initial()), 0);
    let mut found = Found { states: 1, depth: 0, complete: true, broken: None, trace: Vec::new() };
    let mut from = 0;
    while from < table.states.len() {
        let to = table.states.len();
        for at in from..to {
            if let Some((bad, property)) = expand(machine, &mut table, at) {
                found.broken = Some(property);
                found.depth += 1;
                found.trace = trace(machine, &table, bad);
                found.states = table.states.len();
                return found;
            }
            if table.states.len() > limit {
                found.complete = false;
                found.states = table.states.len();
                return found;
            }
        }
        from = to;
        found.depth += usize::from(from < table.states.len());
    }
    found.states = table.states.len();
    found
}

/// Keeps what follows from one state; the first of it that is broken.
fn expand<M: Machine>(
    machine: &M,
    table: &mut Table<M::Packed>,
    at: usize,
) -> Option<(usize, Property)> {
    let state = machine.unpack(&table.states[at]);
    let mut bad = None;
    machine.next(&state, &mut |_, after| {
        let (place, new) = table.put(machine.pack(&after), at);
        if new && bad.is_none() {
            bad = machine.broken(&after).map(|property| (place, property));
        }
    });
    bad
}

/// The way to a state: its parents, and which step led from each to the next.
fn trace<M: Machine>(machine: &M, table: &Table<M::Packed>, to: usize) -> Vec<Step> {
    let mut path = vec![to];
    while let Some(&at) = path.last().filter(|at| **at != 0) {
        path.push(table.parents[at] as usize);
    }
    path.reverse();
    let shown = |at: usize| machine.show(&machine.unpack(&table.states[at]));
    let mut steps = vec![Step { action: String::new(), state: shown(0) }];
    for pair in path.windows(2) {
        let mut action = None;
        machine.next(&machine.unpack(&table.states[pair[0]]), &mut |taken, after| {
            if action.is_none() && machine.pack(&after) == table.states[pair[1]] {
                action = Some(format!("{taken:?}"));
            }
        });
        steps.push(Step { action: action.unwrap_or_default(), state: shown(pair[1]) });
    }
    steps
}

/// All states so far, in the order in which they were found.
struct Table<P> {
    states: Vec<P>,
    parents: Vec<u32>,
    /// Open addressing: place in `states` plus one; 0 is free.
    slots: Vec<u32>,
}

impl<P: Copy + Eq + AsRef<[u64]>> Table<P> {
    fn new() -> Self {
        Self { states: Vec::new(), parents: Vec::new(), slots: vec![0; 1 << 12] }
    }

    /// Keeps a state; its place, and whether it is new.
    fn put(&mut self, state: P, parent: usize) -> (usize, bool) {
        if self.states.len() * 2 > self.slots.len() {
            self.grow();
        }
        let mask = self.slots.len() - 1;
        let mut at = hash(state.as_ref()) as usize & mask;
        loop {
            let place = self.slots[at] as usize;
            if place == 0 {
                self.slots[at] = self.states.len() as u32 + 1;
                self.states.push(state);
                self.parents.push(parent as u32);
                return (self.states.len() - 1, true);
            }
            if self.states[place - 1] == state {
                return (place - 1, false);
            }
            at = (at + 1) & mask;
        }
    }

    fn grow(&mut self) {
        let mask = self.slots.len() * 2 - 1;
        let mut slots = vec![0u32; mask + 1];
        for (place, state) in self.states.iter().enumerate() {
            let mut at = hash(state.as_ref()) as usize & mask;
            while slots[at] != 0 {
                at = (at + 1) & mask;
            }
            slots[at] = place as u32 + 1;
        }
        self.slots = slots;
    }
}

/// Mixes the words of a state: only where it is looked for depends on this.
fn hash(words: &[u64]) -> u64 {
    let mut all = 0x9E37_79B9_7F4A_7C15_u64;
    for word in words {
        all = (all ^ word).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
        all ^= all >> 32;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts up by 1 or 3, and must not reach a number.
    struct Counter {
        forbidden: u64,
    }

    impl Machine for Counter {
        type State = u64;
        type Action = u64;
        type Packed = [u64; 1];

        fn initial(&self) -> u64 {
            0
        }
        fn pack(&self, state: &u64) -> [u64; 1] {
            [*state]
        }
        fn unpack(&self, packed: &[u64; 1]) -> u64 {
            packed[0]
        }
        fn next(&self, state: &u64, out: &mut dyn FnMut(u64, u64)) {
            for by in [1, 3] {
                out(by, (state + by) % 10_000);
            }
        }
        fn broken(&self, state: &u64) -> Option<Property> {
            (*state == self.forbidden).then_some(Property::I1)
        }
        fn show(&self, state: &u64) -> String {
            state.to_string()
        }
    }

    #[test]
    fn every_state_is_found_once_and_the_way_to_a_fault_is_a_shortest_one() {
        let all = explore(&Counter { forbidden: 20_000 }, 1 << 20);
        assert_eq!((all.states, all.complete, all.broken), (10_000, true, None));
        let bad = explore(&Counter { forbidden: 100 }, 1 << 20);
        assert_eq!((bad.broken, bad.depth, bad.trace.len()), (Some(Property::I1), 34, 35));
        assert_eq!(bad.trace.last().map(|step| step.state.as_str()), Some("100"));
    }

    #[test]
    fn a_limit_ends_it_and_says_so() {
        let found = explore(&Counter { forbidden: 20_000 }, 100);
        assert!(!found.complete && found.states > 100 && found.broken.is_none());
    }
}
