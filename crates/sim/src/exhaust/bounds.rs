//! What a search covers: the group, what may go wrong in it, how often, and for how long.

use std::fmt;

use brain::{Durability, Timing};

/// Which paths are cut. Bits are members.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Net {
    /// Of each member, whom its messages and its engine's stream do not reach.
    pub deaf: [u8; 4],
    /// Who does not reach the store.
    pub storeless: u8,
}

impl Net {
    /// These on one side, without the store; all others on the other side, with it.
    pub fn sides(members: usize, without: u8) -> Self {
        let all = (1u8 << members) - 1;
        let mut net = Self { deaf: [0; 4], storeless: without };
        for m in 0..members {
            let bit = 1u8 << m;
            net.deaf[m] = if without & bit == 0 { without } else { all & !without };
        }
        net
    }

    /// These two do not hear each other; everything else is whole.
    pub fn parted(a: usize, b: usize) -> Self {
        let mut net = Self::default();
        net.deaf[a] |= 1 << b;
        net.deaf[b] |= 1 << a;
        net
    }

    /// Every way to cut the group in two with the store on one side, to cut one member from the
    /// store alone, and to part two members.
    pub fn all(members: usize) -> Vec<Self> {
        let mut all: Vec<Self> =
            (1..1u8 << members).map(|without| Self::sides(members, without)).collect();
        let alone = (0..members).map(|m| Self { deaf: [0; 4], storeless: 1 << m });
        all.extend(alone);
        for a in 0..members {
            all.extend((a + 1..members).map(|b| Self::parted(a, b)));
        }
        all.sort_by_key(|net| (net.deaf, net.storeless));
        all.dedup();
        all
    }

    /// Whether what `from` sends reaches `to`.
    pub(crate) fn carries(self, from: usize, to: usize) -> bool {
        self.deaf[from] & 1 << to == 0
    }

    /// Whether both hear each other.
    pub(crate) fn joins(self, a: usize, b: usize) -> bool {
        self.carries(a, b) && self.carries(b, a)
    }

    /// Whether this member reaches the store.
    pub(crate) fn has_store(self, m: usize) -> bool {
        self.storeless & 1 << m == 0
    }
}

impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = Vec::new();
        for (from, deaf) in self.deaf.iter().enumerate() {
            let to: Vec<String> =
                (0..4).filter(|to| deaf & 1 << to != 0).map(|to: usize| to.to_string()).collect();
            if !to.is_empty() {
                words.push(format!("{from} not to {}", to.join(", ")));
            }
        }
        for m in (0..4).filter(|m| !self.has_store(*m)) {
            words.push(format!("{m} without the store"));
        }
        if words.is_empty() { f.write_str("whole") } else { f.write_str(&words.join("; ")) }
    }
}

/// How often each thing may happen along one path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Budget {
    /// Changes of the network to one of [`Bounds::nets`]. Mending all is free.
    pub cuts: u8,
    /// Ends of a whole member, agent and engine. Its start is free.
    pub crashes: u8,
    /// SIGKILLs of an engine.
    pub kills: u8,
    /// Freezes of a whole member; its clock goes on. Its thaw is free.
    pub freezes: u8,
    /// Messages, watch events and calls to the store that are lost.
    pub losses: u8,
    /// Messages and watch events that come late. That they come is free.
    pub holds: u8,
    /// Writes of the record, and answers to them, that come late. That they come is free.
    pub late: u8,
    /// Writes of the record that are carried out and never answered.
    pub unanswered: u8,
    /// The record is deleted.
    pub deletions: u8,
    /// The record is put back as it was one write ago.
    pub rollbacks: u8,
    /// A person asks the primary for a handover.
    pub handovers: u8,
    /// SIGTERM to a member. Its start is free.
    pub stops: u8,
    /// Writes of clients, each with a WAIT for k copies. They are no faults.
    pub writes: u8,
}

impl Budget {
    /// Nothing happens.
    pub const NONE: Self = Self {
        cuts: 0,
        crashes: 0,
        kills: 0,
        freezes: 0,
        losses: 0,
        holds: 0,
        late: 0,
        unanswered: 0,
        deletions: 0,
        rollbacks: 0,
        handovers: 0,
        stops: 0,
        writes: 0,
    };
}

/// What a search covers.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// How many members, the primary included; 1 to 4.
    pub members: usize,
    /// Their profile.
    pub timing: Timing,
    /// What a write is worth.
    pub durability: Durability,
    /// How often each thing may happen.
    pub budget: Budget,
    /// How many of these together, writes not counted.
    pub faults: u8,
    /// What the network may be cut to.
    pub nets: Vec<Net>,
    /// Whether faults come between the steps of one instant too, and not only before time goes on.
    pub fine: bool,
    /// Whether heartbeats and acks can be lost and held one by one, and not only by cuts.
    pub chatter: bool,
    /// Whether an engine that is ended loses what was written in its last second.
    pub tail: bool,
    /// Whether the search begins with a group that nobody has led yet.
    pub from_start: bool,
    /// Member 0's clock is this much too slow and all others as much too fast, parts per billion.
    pub drift_ppb: i64,
    /// True time that is covered, in milliseconds from the beginning of the search.
    pub horizon_ms: u64,
    /// The search gives up beyond this many states.
    pub states: u64,
    /// What every member goes without: only in tests.
    #[cfg(feature = "mutants")]
    pub without: Option<brain::Without>,
}

impl Bounds {
    /// Short times, so that a takeover is few steps away: W = T_p = 3 s, R = H = 0.5 s.
    pub const TIMING: Timing = Timing::of(3000, 3000, 500, 500, 400);

    /// A group of this many members in which nothing goes wrong.
    pub fn calm(members: usize) -> Self {
        Self {
            members,
            timing: Self::TIMING,
            durability: Durability::Balanced,
            budget: Budget::NONE,
            faults: 0,
            nets: Net::all(members),
            fine: true,
            chatter: false,
            tail: false,
            from_start: false,
            drift_ppb: 0,
            horizon_ms: 8000,
            states: 1_000_000,
            #[cfg(feature = "mutants")]
            without: None,
        }
    }

    /// The same group, with everything that can go wrong, up to `faults` at a time.
    pub fn rough(members: usize, faults: u8) -> Self {
        let budget = Budget {
            cuts: 2,
            crashes: 2,
            kills: 2,
            freezes: 1,
            losses: 1,
            holds: 1,
            late: 1,
            unanswered: 1,
            deletions: 1,
            rollbacks: 0,
            handovers: 1,
            stops: 1,
            writes: 1,
        };
        Self { budget, faults, ..Self::calm(members) }
    }

    #[cfg(feature = "mutants")]
    pub(crate) fn taken_out(&self) -> Option<brain::Without> {
        self.without
    }

    #[cfg(not(feature = "mutants"))]
    #[allow(clippy::unused_self)]
    pub(crate) fn taken_out(&self) -> Option<brain::Without> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_members_have_thirteen_ways_to_be_cut() {
        let all = Net::all(3);
        // 7 sides without the store, 3 members without it alone, 3 pairs.
        assert_eq!(all.len(), 13);
        let alone = Net::sides(3, 0b001);
        assert!(all.contains(&alone));
        assert!(!alone.carries(0, 1) && !alone.joins(2, 0) && alone.joins(1, 2));
        assert!(!alone.has_store(0) && alone.has_store(1));
        assert_eq!(alone.to_string(), "0 not to 1, 2; 1 not to 0; 2 not to 0; 0 without the store");
    }
}
