//! Changes of E and k: away with a barrier, in by the record first (failover.md 2.4).

use brain::Cure;

use crate::action::Action;
use crate::state::{Record, SLOTS, Set, State, Swap, bit, has, role, stage};
use crate::world::{Out, World};

pub(super) fn steps(w: &World, s: &State, out: &mut Out<'_>) {
    for holder in w.slots(s) {
        let member = &s.members[holder];
        let calm = member.also == member.under && !w.is_busy(s, holder);
        let leads = member.role == role::LEADS && w.has_authority(s, holder);
        if !leads || !calm || !w.is_its_own(s, holder) || !w.is_current(s, holder) {
            continue;
        }
        for slot in w.slots(s).filter(|m| *m != holder) {
            if w.config.data {
                cut_off(s, holder, slot, out);
            } else {
                shrink_at_once(w, s, holder, slot, out);
            }
            grow(w, s, holder, slot, out);
        }
        shrink(w, s, holder, out);
        raise(w, s, holder, out);
    }
}

/// The expelled one's user is off, its link killed, and then the offset is read.
fn cut_off(s: &State, holder: usize, slot: usize, out: &mut Out<'_>) {
    let member = &s.members[holder];
    if !has(member.under.0, slot) || member.expelled > 0 || s.left.changes == 0 {
        return;
    }
    let mut n = *s;
    n.left.changes -= 1;
    n.members[holder].expelled = slot as u8 + 1;
    n.members[holder].barrier = member.log.len();
    if usize::from(n.members[slot].upstream) == holder + 1 {
        n.members[slot].upstream = 0;
    }
    out(Action::CutOff(holder as u8, slot as u8), n);
}

/// Whether all of these replicate from the holder, in its line, and have this offset.
fn all_have(s: &State, holder: usize, seats: Set, offset: u8) -> bool {
    (0..SLOTS).filter(|m| has(seats, *m)).all(|m| {
        let member = &s.members[m];
        usize::from(member.upstream) == holder + 1
            && member.complete == 1
            && member.line.0 == s.record.line
            && member.log.len() >= offset
    })
}

fn shrink(w: &World, s: &State, holder: usize, out: &mut Out<'_>) {
    let member = &s.members[holder];
    let Some(slot) = usize::from(member.expelled).checked_sub(1) else { return };
    let seats = member.under.0 & !bit(slot);
    let waited = all_have(s, holder, seats, member.barrier);
    if !waited && w.config.keeps(Cure::ShrinkWaits) {
        return;
    }
    let mut to = changed(s, holder, seats);
    lift(w, &mut to, holder, member.barrier);
    send(w, s, holder, to, Action::SendShrink(holder as u8, slot as u8), out);
}

fn shrink_at_once(w: &World, s: &State, holder: usize, slot: usize, out: &mut Out<'_>) {
    let member = &s.members[holder];
    if has(member.under.0, slot) && s.left.changes > 0 {
        let mut n = *s;
        n.left.changes -= 1;
        let to = changed(s, holder, member.under.0 & !bit(slot));
        send(w, &n, holder, to, Action::SendShrink(holder as u8, slot as u8), out);
    }
}

/// A shrink, and a higher k, lift every seat that remains to the offset that was waited for.
fn lift(w: &World, to: &mut Record, holder: usize, offset: u8) {
    for slot in 0..SLOTS {
        let of_holder = slot == holder && w.config.keeps(Cure::ShrinkLiftsHolder);
        let of_seat = has(to.seats, slot) && w.config.keeps(Cure::ShrinkLifts);
        if of_holder || of_seat {
            to.from[slot] = to.from[slot].max(offset);
        }
    }
}

fn grow(w: &World, s: &State, holder: usize, slot: usize, out: &mut Out<'_>) {
    let member = &s.members[holder];
    let named = (0..SLOTS).any(|m| has(member.under.0, m) && s.disk(m) == s.disk(slot));
    let itself = s.disk(slot) == s.disk(holder);
    if named || itself || !w.is_up(s, slot) || s.left.changes == 0 || member.expelled > 0 {
        return;
    }
    let mut n = *s;
    n.left.changes -= 1;
    let mut to = changed(s, holder, member.under.0 | bit(slot));
    let admitted_at = if w.config.keeps(Cure::SeatFrom) { member.log.len() } else { 0 };
    to.from[slot] = admitted_at;
    send(w, &n, holder, to, Action::SendGrow(holder as u8, slot as u8), out);
}

fn raise(w: &World, s: &State, holder: usize, out: &mut Out<'_>) {
    let member = &s.members[holder];
    let copies = s.record.copies + 1;
    if s.left.raises == 0 || copies > 3 || member.expelled > 0 {
        return;
    }
    let (seats, offset) = (member.under.0, member.log.len());
    let mut n = *s;
    n.left.raises -= 1;
    let mut to = Record { copies, ..changed(s, holder, seats) };
    if w.config.keeps(Cure::RaiseWaits) {
        if !all_have(s, holder, seats, offset) {
            return;
        }
        lift(w, &mut to, holder, offset);
    }
    send(w, &n, holder, to, Action::SendRaise(holder as u8, copies), out);
}

fn changed(s: &State, holder: usize, seats: Set) -> Record {
    let version = s.members[holder].version + 1;
    Record { seats, version, ..s.record }
}

/// Sends it: from now on both electorates count (H4), and both must hold.
fn send(w: &World, s: &State, holder: usize, to: Record, action: Action, out: &mut Out<'_>) {
    let Some(place) = s.swaps.iter().position(|swap| swap.stage == stage::NONE) else { return };
    let mut n = *s;
    n.swaps[place] = Swap { stage: stage::OPEN, owner: holder as u8, heard: 1, to };
    if w.config.keeps(Cure::JointFromSending) {
        n.members[holder].also = (to.seats, to.copies);
    }
    if w.has_authority(&n, holder) {
        out(action, n);
    }
}
