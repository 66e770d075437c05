//! Asking to lead: promises first, then the record (failover.md 2.4 Take, 2.11 recovery).

use brain::Cure;

use super::give::each;
use super::store::name;
use crate::action::Action;
use crate::config::{Slip, WAIT};
use crate::property::Property;
use crate::state::{Record, State, bit, has, role, status};
use crate::world::{Out, World};

pub(super) fn steps(w: &World, s: &State, out: &mut Out<'_>) {
    for slot in w.slots(s) {
        forget(w, s, slot, out);
        if s.members[slot].role == role::FOLLOWS {
            ask(w, s, slot, out);
            for member in w.slots(s).filter(|m| *m != slot) {
                promise(w, s, member, slot, out);
            }
            take(w, s, slot, out);
        }
    }
}

/// A candidate promises itself first: detached, stamped, on disk.
fn ask(w: &World, s: &State, slot: usize, out: &mut Out<'_>) {
    let member = &s.members[slot];
    let led = matches!(s.record.status, status::HELD | status::RELEASED);
    let of_record =
        has(w.of_record(s), slot) && (w.config.recovery || w.seats_of(s, bit(slot)) != 0);
    let whole = member.complete == 1 || w.config.slips(Slip::IncompleteLeads);
    if !led || !of_record || !whole || member.named.0 > 0 || !w.has_seen(s, slot) {
        return;
    }
    let denied = w.slots(s).any(|m| {
        let (epoch, to) = s.members[m].promised;
        epoch >= member.asks && usize::from(to) != slot
    });
    let epoch = w.next_epoch(s, slot);
    let again = member.asks == 0 || denied;
    let silent = w.is_silent_for(s, slot, slot);
    if !again || !silent || epoch > w.config.epochs || !w.is_current(s, slot) {
        return;
    }
    let mut n = *s;
    let asking = &mut n.members[slot];
    asking.forget_candidacy();
    asking.asks = epoch;
    promised(w, &mut n, slot, slot, epoch);
    out(Action::AskFor(slot as u8, epoch), n);
}

/// The promise is on disk, and the candidate has the word of how its giver stands.
fn promised(w: &World, n: &mut State, slot: usize, candidate: usize, epoch: u8) {
    let member = &mut n.members[slot];
    member.promised = (epoch, candidate as u8);
    if w.config.keeps(Cure::DetachBeforePromise) {
        (member.upstream, member.told) = (0, 0);
    }
    if w.config.slips(Slip::PromiseTimesOut) {
        member.acked.0 = 0;
    }
    let seat = each(n.record.seats).find(|seat| n.disk(*seat) == n.disk(slot)).unwrap_or(slot);
    let proof = w.rules.proof(n, slot, seat, n.members[candidate].proof);
    n.members[candidate].granted |= bit(slot);
    n.members[candidate].proof = proof;
}

fn promise(w: &World, s: &State, slot: usize, candidate: usize, out: &mut Out<'_>) {
    let (member, asking) = (&s.members[slot], &s.members[candidate]);
    let epoch = asking.asks;
    if epoch == 0 || has(asking.granted, slot) || !has(w.of_record(s), slot) {
        return;
    }
    let seated = w.seats_of(s, bit(slot)) != 0;
    if !seated && !w.config.recovery {
        return;
    }
    if w.config.slips(Slip::DeathIsPromise) && member.role == role::DOWN {
        let mut n = *s;
        n.members[candidate].granted |= bit(slot);
        return out(Action::Promise(slot as u8, candidate as u8), n);
    }
    let (before, to) = member.promised;
    let free = before < epoch || before == epoch && usize::from(to) == candidate;
    let knows = member.known.0 >= epoch
        || w.config.keeps(Cure::PromiseForElectorate) && !w.is_current(s, slot);
    let able = matches!(member.role, role::FOLLOWS | role::FENCED) && member.named.0 == 0;
    let fuller = w.rules.is_above(s, slot, candidate) && w.config.keeps(Cure::VotersProtect);
    if !free || knows || !able || fuller || !w.is_silent_for(s, slot, candidate) {
        return;
    }
    let mut n = *s;
    n.members[slot].forget_candidacy();
    promised(w, &mut n, slot, candidate, epoch);
    out(Action::Promise(slot as u8, candidate as u8), n);
}

/// The mutant: a promise is good for T_p only.
fn forget(w: &World, s: &State, slot: usize, out: &mut Out<'_>) {
    let member = &s.members[slot];
    let follows = member.role == role::FOLLOWS && member.asks == 0;
    let old = member.promised.0 > member.known.0 && member.acked.0 >= w.rules.expired();
    if w.config.slips(Slip::PromiseTimesOut) && follows && old {
        let mut n = *s;
        n.members[slot].promised = (0, 0);
        out(Action::Forget(slot as u8), n);
    }
}

/// The compare-and-swap, when everything that it needs is there.
fn take(w: &World, s: &State, slot: usize, out: &mut Out<'_>) {
    let member = &s.members[slot];
    let epoch = member.asks;
    let asked = epoch > s.record.epoch && member.promised == (epoch, slot as u8);
    let led = matches!(s.record.status, status::HELD | status::RELEASED);
    if !asked || !led || member.known.0 >= epoch || !w.is_current(s, slot) {
        return;
    }
    let released = s.record.status == status::RELEASED;
    let still = member.saw > WAIT || released && member.saw > 0;
    let impatient = w.config.slips(Slip::ImpatientTake) && member.saw > 0;
    if w.config.clock && !still && !impatient {
        return;
    }
    let mut n = *s;
    if may_take(w, s, slot) {
        taken(w, &mut n, slot);
        out(Action::TakeOver(slot as u8, epoch), n);
        unheard(w, s, slot, out);
    } else if w.config.recovery && may_recover(w, s, slot) {
        // As good as the disks, and said so: what is missing now is nobody's promise any more.
        for write in 1..=s.writes {
            if !member.log.has(write) {
                n.waited[usize::from(write) - 1] = 0;
            }
        }
        taken(w, &mut n, slot);
        out(Action::Recover(slot as u8, epoch), n);
    }
}

/// p promises of E, its own among them, n − k + 1 witnesses, somebody who stands.
fn may_take(w: &World, s: &State, slot: usize) -> bool {
    let (record, member) = (&s.record, &s.members[slot]);
    let quorum = w.seats_of(s, member.granted);
    let seated = w.seats_of(s, bit(slot)) != 0;
    let need = w.rules.promises(record.seats, record.copies);
    let enough =
        quorum.count_ones() as usize >= need && w.rules.data_suffice(record, quorum, member.proof);
    seated && (enough || !w.config.keeps(Cure::PromisesBeforeLease))
}

/// All of {A} ∪ E have promised, or patience is over and enough have.
fn may_recover(w: &World, s: &State, slot: usize) -> bool {
    let member = &s.members[slot];
    let disks = |set| each(set).fold(0, |all, m| all | bit(s.disk(m)));
    let named = disks(s.record.seats | bit(s.record.holder.into()));
    let silent = named & !disks(member.granted);
    let strict = s.record.copies > 1;
    let dated = !w.config.data || member.line.0 > 0;
    silent == 0 || !strict && dated && w.rules.recovery_quorum(s, member.granted)
}

/// The record as the takeover writes it: E′ are the promisers, the line begins with its data.
fn takeover(w: &World, s: &State, slot: usize) -> Record {
    let member = &s.members[slot];
    w.new_line(s, slot, member.asks, member.granted & !bit(slot))
}

fn taken(w: &World, n: &mut State, slot: usize) {
    let to = takeover(w, n, slot);
    let fuller = each(n.members[slot].granted).any(|m| w.rules.is_above(n, m, slot));
    w.write(n, to);
    w.lead(n, slot, to.epoch, to.seats, 0);
    w.begin_line(n, slot, to.line);
    if fuller && n.fault == 0 {
        n.fault = Property::I3 as u8;
    }
}

/// The same, and the answer is lost: the record names it, and it will read that.
fn unheard(w: &World, s: &State, slot: usize, out: &mut Out<'_>) {
    if s.left.silences > 0 {
        let mut n = *s;
        n.left.silences -= 1;
        let to = takeover(w, s, slot);
        w.write(&mut n, to);
        n.members[slot].forget_candidacy();
        name(&mut n, &to);
        out(Action::TakeOverUnheard(slot as u8, to.epoch), n);
    }
}
