//! What a world remembers between two steps. Every field is a small number, so that a state packs
//! into a few words; [`State::visit`] is the one place that says how many bits each needs.

use crate::dataset::Log;

/// Processes at the most: the members, and the last place for a re-created pod.
pub const SLOTS: usize = 4;

/// No slot.
pub const NOBODY: u8 = 7;

/// A set of slots, one bit each.
pub type Set = u8;

/// The set of one slot.
pub fn bit(slot: usize) -> Set {
    1 << slot
}

/// Whether a slot is in a set.
pub fn has(set: Set, slot: usize) -> bool {
    set & bit(slot) != 0
}

/// What the store says of the record.
pub mod status {
    /// There is none.
    pub const ABSENT: u8 = 0;
    /// Led by nobody yet.
    pub const FIRST: u8 = 1;
    /// Somebody holds it.
    pub const HELD: u8 = 2;
    /// Its last holder has said goodbye.
    pub const RELEASED: u8 = 3;
}

/// The record, or what somebody wants to write there (failover.md 2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// One of [`status`].
    pub status: u8,
    /// Who holds it, or who held it last.
    pub holder: u8,
    /// Its epoch.
    pub epoch: u8,
    /// E.
    pub seats: Set,
    /// v: changes of E or k in this epoch.
    pub version: u8,
    /// k.
    pub copies: u8,
    /// The offset from which each seat, and the holder, stands.
    pub from: [u8; SLOTS],
    /// The epoch in which the line of data began.
    pub line: u8,
    /// What the line began with.
    pub start: Log,
    /// The epoch of the line it came from.
    pub parent: u8,
    /// Whether its holder was appointed for the stamp below.
    pub appointed: u8,
    /// The stamp an appointed holder was chosen for; of a released record the final offset.
    pub chosen: (u8, u8),
}

/// How far a compare-and-swap with a content has come.
pub mod stage {
    /// There is none.
    pub const NONE: u8 = 0;
    /// The store would carry it out.
    pub const OPEN: u8 = 1;
    /// The record has another version: the store will refuse it.
    pub const STALE: u8 = 2;
    /// Carried out, the answer is on its way.
    pub const DONE: u8 = 3;
    /// Refused, the answer is on its way.
    pub const REFUSED: u8 = 4;
}

/// A compare-and-swap of a holder that changes more than the renewal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swap {
    /// One of [`stage`].
    pub stage: u8,
    /// Who sent it.
    pub owner: u8,
    /// Whether the sender still waits for the answer.
    pub heard: u8,
    /// What it writes.
    pub to: Record,
}

/// What a process is doing.
pub mod role {
    /// Nothing, or following.
    pub const FOLLOWS: u8 = 0;
    /// Holder; it writes while it has authority.
    pub const LEADS: u8 = 1;
    /// Its authority is over, and it says so.
    pub const FENCED: u8 = 2;
    /// It demoted itself: the lease is being given away.
    pub const YIELDED: u8 = 3;
    /// Its engine has died under it.
    pub const WIDOWED: u8 = 4;
    /// It does not run.
    pub const DOWN: u8 = 5;
}

/// One process with its disk and its engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// One of [`role`].
    pub role: u8,
    /// The epoch it leads in.
    pub epoch: u8,
    /// The electorate that its own last success wrote, and its k.
    pub under: (Set, u8),
    /// The one that counts too while a change is open; else the same.
    pub also: (Set, u8),
    /// v of its own last success.
    pub version: u8,
    /// Ticks since its last own success was sent.
    pub lease: u8,
    /// Ticks since the sending of what each slot acked last, two bits each.
    pub acks: u8,
    /// Acks on their way: 1 + ticks since the sending, two bits each; 0 none.
    pub late: u8,
    /// Who has been cut off for a shrink, plus one; 0 nobody.
    pub expelled: u8,
    /// The offset that a shrink waits for.
    pub barrier: u8,
    /// The highest promise, on disk, and to whom.
    pub promised: (u8, u8),
    /// The newest epoch and version of E that it followed, led or read, on disk.
    pub known: (u8, u8),
    /// Ticks since its last ack, and to whom; after a restart [`NOBODY`], for nobody knows.
    pub acked: (u8, u8),
    /// What it saw of the record as it stands: 0 nothing, else 1 + ticks since.
    pub saw: u8,
    /// The epoch it asks for; 0 none.
    pub asks: u8,
    /// Who has promised it.
    pub granted: Set,
    /// Who of them is a witness, stands, holds a whole copy of a known line.
    pub proof: (Set, Set, Set),
    /// An appointment (or a takeover without an answer) on its way to it: epoch and E.
    pub named: (u8, Set),
    /// The stamp it was chosen for; (0, 0) none.
    pub chosen: (u8, u8),
    /// The engine's data.
    pub log: Log,
    /// The stamp's epoch, and the offset at which that line began.
    pub line: (u8, u8),
    /// The dataset is whole.
    pub complete: u8,
    /// Exact (failover.md 2.4).
    pub exact: u8,
    /// The data epoch in which it was attached since its admission; 0 none.
    pub attached_in: u8,
    /// Whom its engine replicates from, plus one; 0 nobody.
    pub upstream: u8,
    /// Whom its engine connects to by itself, plus one, where nobody waits for its word (D16).
    pub told: u8,
    /// It is exact again at this offset.
    pub target: u8,
    /// It has never known an epoch, and holds nothing.
    pub virgin: u8,
}

/// What may still be done to a world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// Changes of E.
    pub changes: u8,
    /// Compare-and-swaps without an answer.
    pub silences: u8,
    /// Deletions of the record.
    pub deletions: u8,
    /// Restorations of an older record.
    pub rollbacks: u8,
    /// Crashes.
    pub crashes: u8,
    /// Handovers and releases.
    pub gives: u8,
    /// Deaths of an engine beside its agent.
    pub deaths: u8,
    /// Raises of k.
    pub raises: u8,
    /// Cut links.
    pub cuts: u8,
    /// Pods that are made again while the old one may live on.
    pub pods: u8,
    /// Bumps that nobody asked for.
    pub bumps: u8,
}

/// One state of the world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// What stands in the store.
    pub record: Record,
    /// What stood there before: for a restoration, and for who writes a lost one again.
    pub before: Record,
    /// Compare-and-swaps on their way.
    pub swaps: [Swap; 2],
    /// Whose unanswered write stands in the record, plus one; 0 nobody's.
    pub unheard: u8,
    /// The processes.
    pub members: [Member; SLOTS],
    /// The slot whose disk the last slot goes on with, plus one; 0 none.
    pub recreated: u8,
    /// Cut links to the first primary.
    pub cut: Set,
    /// Writes made so far.
    pub writes: u8,
    /// Per write, the epoch in which WAIT answered for it; 0 not.
    pub waited: [u8; 3],
    /// The highest epoch that ever had authority.
    pub top: u8,
    /// What was broken, as a [`crate::Property`]; 0 nothing.
    pub fault: u8,
    /// Budgets.
    pub left: Left,
}

/// A state as it is kept: equal bytes, equal states.
pub type Packed = [u64; 12];

impl State {
    /// Packs it. Two states are equal if and only if their packed forms are.
    pub fn pack(&self) -> Packed {
        let (mut words, mut at) = ([0u64; 12], 0usize);
        let mut copy = *self;
        copy.visit(&mut |value: &mut u8, bits: usize| {
            debug_assert!(u32::from(*value) < 1 << bits, "{value} needs more than {bits} bits");
            let (word, shift) = (at / 64, at % 64);
            words[word] |= u64::from(*value) << shift;
            if shift + bits > 64 {
                words[word + 1] |= u64::from(*value) >> (64 - shift);
            }
            at += bits;
        });
        words
    }

    /// Unpacks what [`State::pack`] made.
    pub fn unpack(words: &Packed) -> State {
        let (mut state, mut at) = (State::default(), 0usize);
        state.visit(&mut |value: &mut u8, bits: usize| {
            let (word, shift) = (at / 64, at % 64);
            let mut all = words[word] >> shift;
            if shift + bits > 64 {
                all |= words[word + 1] << (64 - shift);
            }
            *value = (all & ((1 << bits) - 1)) as u8;
            at += bits;
        });
        state
    }

    /// Shows every field, with its bits, in one fixed order.
    fn visit(&mut self, f: &mut impl FnMut(&mut u8, usize)) {
        self.record.visit(f);
        self.before.visit(f);
        for swap in &mut self.swaps {
            f(&mut swap.stage, 3);
            f(&mut swap.owner, 2);
            f(&mut swap.heard, 1);
            swap.to.visit(f);
        }
        f(&mut self.unheard, 3);
        for member in &mut self.members {
            member.visit(f);
        }
        f(&mut self.recreated, 3);
        f(&mut self.cut, 4);
        f(&mut self.writes, 2);
        for waited in &mut self.waited {
            f(waited, 3);
        }
        f(&mut self.top, 3);
        f(&mut self.fault, 3);
        let Left { changes, silences, deletions, rollbacks, crashes, gives, .. } = &mut self.left;
        for budget in [changes, silences, deletions, rollbacks, crashes, gives] {
            f(budget, 2);
        }
        let Left { deaths, raises, cuts, pods, bumps, .. } = &mut self.left;
        for budget in [deaths, raises, cuts, pods, bumps] {
            f(budget, 2);
        }
    }
}

impl Record {
    fn visit(&mut self, f: &mut impl FnMut(&mut u8, usize)) {
        f(&mut self.status, 2);
        f(&mut self.holder, 2);
        f(&mut self.epoch, 3);
        f(&mut self.seats, 4);
        f(&mut self.version, 3);
        f(&mut self.copies, 2);
        for from in &mut self.from {
            f(from, 2);
        }
        f(&mut self.line, 3);
        f(&mut self.start.0, 8);
        f(&mut self.parent, 3);
        f(&mut self.appointed, 1);
        f(&mut self.chosen.0, 3);
        f(&mut self.chosen.1, 2);
    }
}

impl Member {
    fn visit(&mut self, f: &mut impl FnMut(&mut u8, usize)) {
        for pair in [&mut self.under, &mut self.also] {
            f(&mut pair.0, 4);
            f(&mut pair.1, 2);
        }
        for pair in [&mut self.known, &mut self.chosen, &mut self.promised] {
            f(&mut pair.0, 3);
            f(&mut pair.1, 3);
        }
        f(&mut self.acks, 8);
        f(&mut self.late, 8);
        f(&mut self.log.0, 8);
        for set in [&mut self.granted, &mut self.proof.0, &mut self.proof.1, &mut self.proof.2] {
            f(set, 4);
        }
        f(&mut self.named.0, 3);
        f(&mut self.named.1, 4);
        for small in [&mut self.role, &mut self.epoch, &mut self.version, &mut self.expelled] {
            f(small, 3);
        }
        for small in [&mut self.asks, &mut self.attached_in, &mut self.upstream, &mut self.line.0] {
            f(small, 3);
        }
        for small in [&mut self.lease, &mut self.barrier, &mut self.saw, &mut self.target] {
            f(small, 2);
        }
        f(&mut self.told, 3);
        f(&mut self.acked.0, 2);
        f(&mut self.acked.1, 3);
        f(&mut self.line.1, 2);
        for flag in [&mut self.complete, &mut self.exact, &mut self.virgin] {
            f(flag, 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked() {
        let (mut state, mut next) = (State::default(), 0u8);
        state.visit(&mut |value, bits| {
            next = next.wrapping_add(37);
            *value = next & ((1u16 << bits) - 1) as u8;
        });
        assert_eq!(State::unpack(&state.pack()), state);
        assert_ne!(state.pack(), State::default().pack());
    }
}
