//! The bridge to the brain: every rule of the protocol that is a plain function there is asked
//! there, never restated here.

use std::cell::RefCell;
use std::collections::BTreeMap;

use brain::rules::{self, Authority, Offset};
use brain::topology::Failsafe;
use brain::{
    Cure, Electorate, Epoch, Incarnation, Lineage, MemberId, MemberName, Record as BrainRecord,
    Released, Seat, Span, Stamp, Standing, Tick, Timing,
};

use crate::config::{Config, Slip, WAIT};
use crate::state::{Member, Record, SLOTS, Set, State, bit, has, status};

/// What holds a primary, as the brain's own [`Authority`] is asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Held {
    lease: u8,
    acks: u8,
    under: (Set, u8),
    also: (Set, u8),
}

/// Whether it holds, and whether the peers alone suffice for a lazy lease.
type Judged = (bool, bool);

/// The rules of one world.
#[derive(Debug)]
pub struct Rules {
    config: Config,
    timing: Timing,
    /// The brain's answers so far: the same few questions come millions of times.
    judged: RefCell<BTreeMap<Held, Judged>>,
}

impl Rules {
    /// The rules as this world keeps them.
    pub fn new(config: Config) -> Self {
        let mut timing = Timing::DEFAULT;
        if !config.keeps(Cure::Margin) {
            // The holder counts as long as the challenger waits, and its fence comes after that.
            timing.lease = timing.lease.scaled(u64::from(WAIT) + 1, WAIT.into());
            timing.peer = timing.peer.scaled(u64::from(WAIT) + 1, WAIT.into());
        }
        Self { config, timing, judged: RefCell::default() }
    }

    /// One tick.
    fn tick() -> Span {
        Timing::DEFAULT.lease.scaled(1, WAIT.into())
    }

    fn failsafe(&self) -> Failsafe {
        if self.config.all { Failsafe::All } else { Failsafe::Majority }
    }

    /// The age at which whatever it counts for is certainly over.
    pub fn expired(&self) -> u8 {
        if self.config.keeps(Cure::Margin) { WAIT } else { WAIT + 1 }
    }

    /// p.
    pub fn promises(&self, seats: Set, copies: u8) -> usize {
        let n = seats.count_ones() as usize;
        if self.config.slips(Slip::HalfSuffices) {
            return (n / 2).max(1);
        }
        rules::promises(n, u32::from(copies), self.failsafe())
    }

    /// Whether this holder has authority: [`Authority::holds`].
    pub fn holds(&self, member: &Member) -> bool {
        self.judge(member).0
    }

    /// Whether its peers alone suffice: [`Authority::peers_are_fresh`].
    pub fn peers_are_fresh(&self, member: &Member) -> bool {
        self.judge(member).1
    }

    fn judge(&self, member: &Member) -> Judged {
        let Member { lease, acks, under, also, .. } = *member;
        let held = Held { lease, acks, under, also };
        if let Some(judged) = self.judged.borrow().get(&held) {
            return *judged;
        }
        let judged = self.ask_brain(held);
        self.judged.borrow_mut().insert(held, judged);
        judged
    }

    fn ask_brain(&self, held: Held) -> Judged {
        let tick = Self::tick();
        // Late enough that no age reaches back before the beginning of time.
        let now = Tick(0) + tick.scaled(8, 1);
        let sent = |age: u8| now.before(tick.scaled(u64::from(age), 1));
        let electorate = |(seats, copies)| self.electorate_that_counts(seats, copies);
        let mut authority = Authority::new(self.timing, electorate(held.under));
        if held.lease < self.expired() {
            authority.renewed(sent(held.lease), electorate(held.under));
        }
        if held.also != held.under {
            authority.also_under(electorate(held.also));
        }
        for slot in 0..SLOTS {
            let age = age_of(held.acks, slot);
            if age < self.expired() {
                authority.acknowledged(&id(slot), sent(age));
            }
        }
        (authority.holds(now), authority.peers_are_fresh(now))
    }

    /// E as the authority rule sees it; one mistake is made here.
    fn electorate_that_counts(&self, seats: Set, copies: u8) -> Electorate {
        let electorate = electorate(seats, copies, [0; SLOTS]);
        let mut electorate = Electorate { failsafe: self.failsafe(), ..electorate };
        let need = rules::acks(electorate.len(), u32::from(copies), self.failsafe());
        if self.config.slips(Slip::OneAckTooFew) && need == 1 {
            // n − p = 0 acks hold: as if nobody could succeed.
            electorate.seats.clear();
        }
        electorate
    }

    /// Whether this member's word proves what it holds: [`rules::is_witness`].
    pub fn is_witness(&self, s: &State, slot: usize) -> bool {
        rules::is_witness(&self.standing(s, slot), Epoch(s.record.line.into()))
    }

    /// Whether it stands: [`rules::stands`].
    pub fn stands(&self, s: &State, slot: usize, from: u8) -> bool {
        let report = self.standing(s, slot);
        rules::stands(&report, Offset(from.into()), &lineage(&s.record))
    }

    /// Whether its copy is whole and of a known line: [`rules::is_known`].
    pub fn is_known(&self, s: &State, slot: usize) -> bool {
        rules::is_known(&self.standing(s, slot))
    }

    /// The data half of Take, for members of which only this is known: [`rules::data_suffice`].
    pub fn data_suffice(&self, record: &Record, quorum: Set, proof: (Set, Set, Set)) -> bool {
        if !self.config.data {
            return true;
        }
        let lineage = lineage(record);
        let mut electorate = electorate(record.seats, record.copies, record.from);
        if self.config.slips(Slip::NoWitnesses) {
            electorate.copies = 0;
        }
        let members = (0..SLOTS).filter(|slot| has(quorum, *slot));
        let words: Vec<(Seat, Standing)> =
            members.map(|slot| said(slot, record, proof, &lineage)).collect();
        let pairs: Vec<(&Seat, &Standing)> =
            words.iter().map(|(seat, word)| (seat, word)).collect();
        let needed = self.config.keeps(Cure::SomebodyStands);
        rules::data_suffice(&electorate, &lineage, &pairs, needed).is_ok()
    }

    /// What a candidate learns from one more promise, kept under the seat that it fills.
    pub fn proof(
        &self,
        s: &State,
        slot: usize,
        seat: usize,
        (witnesses, stand, known): (Set, Set, Set),
    ) -> (Set, Set, Set) {
        if !self.config.data {
            return (0, 0, 0);
        }
        let from = s.record.from[seat];
        let one = |is: bool| if is { bit(seat) } else { 0 };
        (
            witnesses | one(self.is_witness(s, slot)),
            stand | one(self.stands(s, slot, from)),
            known | one(self.is_known(s, slot)),
        )
    }

    /// Whether n − k + 1 of these are witnesses: [`rules::witnesses`].
    pub fn witnesses_suffice(&self, s: &State, answered: Set) -> bool {
        let n = s.record.seats.count_ones() as usize;
        let need = rules::witnesses(n, s.record.copies.into());
        let said = (0..SLOTS).filter(|m| has(answered, *m) && self.is_witness(s, *m));
        !self.config.data || said.count() >= need
    }

    /// Whether one copy is fresher than another: [`Stamp::is_above`].
    pub fn is_above(&self, s: &State, one: usize, other: usize) -> bool {
        self.config.data && self.stamp(s, one).is_above(&self.stamp(s, other))
    }

    /// The best of these: [`rules::best`].
    pub fn best(&self, s: &State, among: Set) -> Option<usize> {
        let all: Vec<Standing> = (0..SLOTS)
            .filter(|slot| has(among, *slot))
            .map(|slot| Standing { who: run(slot), ..self.standing(s, slot) })
            .collect();
        let best = rules::best(&all)?;
        (0..SLOTS).find(|slot| id(*slot) == best.who.id)
    }

    /// Whether a member still holds what it was appointed for: [`Stamp::is_above`].
    pub fn holds_what_it_was_chosen_for(&self, s: &State, slot: usize) -> bool {
        let (line, offset) = s.members[slot].chosen;
        let chosen = stamp_of(line, offset, true);
        let own = self.stamp(s, slot);
        line == 0 || (own.complete && !chosen.is_above(&own))
    }

    /// Whether the record's own holder may lead again by itself: [`rules::leads_again`].
    pub fn leads_again(&self, s: &State, slot: usize) -> bool {
        let record = &s.record;
        let electorate = electorate(record.seats, record.copies, record.from);
        let electorate = Electorate { holder_from: Offset(record.from[slot].into()), ..electorate };
        !self.config.data
            || rules::leads_again(&self.standing(s, slot), &electorate, &lineage(record))
    }

    /// Whether those who promised suffice for a recovery election when its patience is over:
    /// [`rules::recovery_quorum`].
    pub fn recovery_quorum(&self, s: &State, granted: Set) -> bool {
        let disk = |slot: usize| disk_id(s, slot);
        let record = &s.record;
        let mut asked = BrainRecord {
            electorate: electorate(record.seats, record.copies, record.from),
            ..BrainRecord::default()
        };
        for seat in &mut asked.electorate.seats {
            let slot = (0..SLOTS).find(|slot| id(*slot) == seat.member).unwrap_or_default();
            seat.member = disk(slot);
        }
        let last = disk(record.holder.into());
        if record.status == status::RELEASED || !self.config.keeps(Cure::RecoveryByPods) {
            let none = String::new();
            let offset = Offset(0);
            asked.released = Some(Released { by: last, offset, reason: none, in_sync: vec![] });
        } else {
            asked.holder = Some(Incarnation { id: last, boot: String::new() });
        }
        let ids: Vec<MemberId> = (0..SLOTS).filter(|m| has(granted, *m)).map(disk).collect();
        let ids: Vec<&MemberId> = ids.iter().collect();
        rules::recovery_quorum(&asked, &ids)
    }

    /// How a member's data stand, as it would report them.
    fn standing(&self, s: &State, slot: usize) -> Standing {
        let member = &s.members[slot];
        let exact = member.exact == 1 || !self.config.keeps(Cure::ExactOnlyWhenClean);
        let attached_in = (member.attached_in > 0).then(|| Epoch(member.attached_in.into()));
        standing(self.stamp(s, slot), exact, attached_in)
    }

    fn stamp(&self, s: &State, slot: usize) -> Stamp {
        let member = &s.members[slot];
        let across = !self.config.keeps(Cure::StampByEpoch);
        let line = if across { 1 } else { member.line.0 };
        let half = self.config.slips(Slip::IncompleteLeads);
        stamp_of(line, member.log.len(), member.complete == 1 || half)
    }
}

/// The ticks since this slot's newest ack.
pub fn age_of(acks: u8, slot: usize) -> u8 {
    (acks >> (2 * slot)) & 3
}

/// The same ages with another one for this slot.
pub fn with_age(acks: u8, slot: usize, age: u8) -> u8 {
    (acks & !(3 << (2 * slot))) | (age << (2 * slot))
}

/// A slot as the brain names it: its ordinal orders equals.
fn id(slot: usize) -> MemberId {
    MemberId { name: MemberName(format!("m-{slot}")), pod: slot.to_string(), state: String::new() }
}

fn run(slot: usize) -> Incarnation {
    Incarnation { id: id(slot), boot: String::new() }
}

/// The same with the name of its disk: a re-created pod has the name of the old one.
fn disk_id(s: &State, slot: usize) -> MemberId {
    MemberId { pod: slot.to_string(), ..id(s.disk(slot)) }
}

fn electorate(seats: Set, copies: u8, from: [u8; SLOTS]) -> Electorate {
    let seat = |slot: usize| Seat { member: id(slot), from: Offset(from[slot].into()) };
    Electorate {
        version: 0,
        seats: (0..SLOTS).filter(|slot| has(seats, *slot)).map(seat).collect(),
        copies: copies.into(),
        ..Electorate::default()
    }
}

fn lineage(record: &Record) -> Lineage {
    let start = Offset(record.start.len().into());
    let (line, offset) = record.chosen;
    Lineage {
        epoch: Epoch(record.line.into()),
        start,
        parent_start: start,
        parent_epoch: Epoch(record.parent.into()),
        appointed: (record.appointed == 1).then(|| stamp_of(line, offset, true)),
        ..Lineage::default()
    }
}

fn stamp_of(line: u8, offset: u8, complete: bool) -> Stamp {
    let offset = Offset(offset.into());
    let epoch = Epoch(line.into());
    Stamp { epoch, offset, durable: offset, complete, filled: true, ..Stamp::default() }
}

/// The word of one promiser, as far as it was judged when it was given.
fn said(
    slot: usize,
    record: &Record,
    (witnesses, stand, known): (Set, Set, Set),
    lineage: &Lineage,
) -> (Seat, Standing) {
    let from = Offset(record.from[slot].into());
    let mut stamp = Stamp { complete: has(known, slot), ..Stamp::default() };
    stamp.epoch = Epoch(u64::from(has(known, slot)));
    if has(stand, slot) {
        stamp = Stamp { epoch: lineage.epoch, offset: from, complete: true, ..stamp };
    }
    let attached_in = (!has(witnesses, slot)).then_some(lineage.epoch);
    let seat = Seat { member: id(slot), from };
    (seat, standing(stamp, false, attached_in))
}

fn standing(stamp: Stamp, exact: bool, attached_in: Option<Epoch>) -> Standing {
    let id = MemberId { name: MemberName(String::new()), pod: String::new(), state: String::new() };
    Standing {
        who: Incarnation { id, boot: String::new() },
        stamp,
        exact,
        attached_in,
        epoch: Epoch(0),
        virgin: false,
        lost: false,
        ready: true,
        keys: 1,
        link_up: false,
        syncing: false,
        link_run: 0,
        stopping: false,
        quarantined: false,
        roomy: true,
        holder_may_live: false,
        unable: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use brain::timing::RATE_BOUND_PER_MILLE;

    /// What a tick folds into one instant: the holder's time, on the slowest clock, is over when
    /// the challenger's wait ends on the fastest.
    #[test]
    fn in_every_profile_the_holder_stops_before_the_challenger_may_begin() {
        for timing in [Timing::FAST, Timing::DEFAULT, Timing::PATIENT] {
            for wait in [timing.lease, timing.peer] {
                let held = Timing::held(wait).0 * (1000 + RATE_BOUND_PER_MILLE);
                assert!(held <= wait.0 * (1000 - RATE_BOUND_PER_MILLE), "{timing:?}: {wait}");
                assert!(timing.margin > Span::ZERO && timing.margin < wait, "{timing:?}");
            }
        }
    }

    #[test]
    fn a_holder_is_judged_by_the_brain_at_every_age() {
        let rules = Rules::new(Config::AUTHORITY);
        let mut holder = Member::default();
        holder.stop_leading(rules.expired());
        holder.under = (0b110, 1);
        holder.also = holder.under;
        assert!(!rules.holds(&holder));
        for (age, holds) in [(0, true), (1, true), (2, false)] {
            holder.acks = with_age(holder.acks, 1, age);
            assert_eq!(rules.holds(&holder), holds, "one ack of two, {age} ticks old");
        }
        holder.acks = with_age(holder.acks, 1, 0);
        holder.also = (0b100, 1);
        assert!(!rules.holds(&holder), "the other electorate has not acked");
        holder.lease = 1;
        assert!(rules.holds(&holder), "the lease alone holds");
    }
}
