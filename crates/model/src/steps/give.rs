//! Giving the lease away, and leading because the record says so (failover.md 2.10).

use brain::Cure;

use crate::action::Action;
use crate::state::{Record, SLOTS, State, Swap, bit, has, role, stage, status};
use crate::world::{Out, World};

pub(super) fn steps(w: &World, s: &State, out: &mut Out<'_>) {
    for slot in w.slots(s) {
        if s.left.gives > 0 && may_give(w, s, slot) {
            for to in w.slots(s).filter(|m| *m != slot) {
                hand_over(w, s, slot, to, out);
            }
            release(w, s, slot, out);
        }
        accept(w, s, slot, out);
    }
}

fn may_give(w: &World, s: &State, slot: usize) -> bool {
    let member = &s.members[slot];
    let calm = member.also == member.under && member.expelled == 0 && !w.is_busy(s, slot);
    calm && w.has_authority(s, slot) && w.is_its_own(s, slot) && w.is_current(s, slot)
}

/// It demotes itself, sees the other at exactly its own offset, and sends the lease there.
fn hand_over(w: &World, s: &State, slot: usize, to: usize, out: &mut Out<'_>) {
    let (member, other) = (&s.members[slot], &s.members[to]);
    let epoch = w.next_epoch(s, slot);
    let equal = !w.config.data
        || usize::from(other.upstream) == slot + 1
            && other.complete == 1
            && other.log == member.log
            && other.line.0 == s.record.line;
    if !has(member.under.0, to) || !equal || epoch > w.config.epochs {
        return;
    }
    let seats = (member.under.0 & !bit(to)) | bit(slot);
    let record = appointment(w, s, to, epoch, seats);
    send(w, s, slot, record, Action::SendHandover(slot as u8, to as u8), out);
}

/// The record that makes `to` the holder, for the stamp that it has.
pub(super) fn appointment(w: &World, s: &State, to: usize, epoch: u8, seats: u8) -> Record {
    let other = &s.members[to];
    let chosen = if w.config.data { (other.line.0, other.log.len()) } else { (0, 0) };
    Record { appointed: u8::from(w.config.data), chosen, ..w.new_line(s, to, epoch, seats) }
}

fn release(w: &World, s: &State, slot: usize, out: &mut Out<'_>) {
    let member = &s.members[slot];
    let chosen = if w.config.data { (member.line.0, member.log.len()) } else { (0, 0) };
    let record = Record { status: status::RELEASED, appointed: 0, chosen, ..s.record };
    send(w, s, slot, record, Action::SendRelease(slot as u8), out);
}

fn send(w: &World, s: &State, slot: usize, to: Record, action: Action, out: &mut Out<'_>) {
    let Some(place) = s.swaps.iter().position(|swap| swap.stage == stage::NONE) else { return };
    let mut n = *s;
    n.left.gives -= 1;
    n.swaps[place] = Swap { stage: stage::OPEN, owner: slot as u8, heard: 1, to };
    w.drop_replicas(&mut n, slot);
    n.members[slot].role = role::YIELDED;
    out(action, n);
}

/// The record named this run. It counts its lease from nothing: acks of its epoch, or a write of
/// its own, must come first (H3).
fn accept(w: &World, s: &State, slot: usize, out: &mut Out<'_>) {
    let member = &s.members[slot];
    let (epoch, seats) = member.named;
    if epoch == 0 || member.role != role::FOLLOWS {
        return;
    }
    let held = w.rules.holds_what_it_was_chosen_for(s, slot);
    let whole = member.complete == 1 || member.virgin == 1;
    let able = whole && (held || !w.config.keeps(Cure::AppointedHoldsStamp));
    let (promised, to) = member.promised;
    let elsewhere = promised > epoch || promised == epoch && usize::from(to) != slot;
    if !able || member.known.0 > epoch {
        let mut n = *s;
        n.members[slot].named = (0, 0);
        n.members[slot].chosen = (0, 0);
        return out(Action::Decline(slot as u8), n);
    }
    let mut n = *s;
    let lease = if w.config.keeps(Cure::AppointedNeedsAcks) { w.rules.expired() } else { 0 };
    if !elsewhere {
        w.lead(&mut n, slot, epoch, seats, lease);
        n.members[slot].version = 0;
        n.members[slot].known = member.known.max((epoch, 0));
        w.begin_line(&mut n, slot, if w.config.data { epoch } else { 0 });
        return out(Action::Accept(slot as u8, epoch), n);
    }
    // It has promised more to another: only a write of a higher epoch lets it lead.
    let higher = w.next_epoch(s, slot);
    let named = usize::from(s.record.holder) == slot && s.record.epoch == epoch;
    if named && s.record.status == status::HELD && higher <= w.config.epochs {
        let to = Record { epoch: higher, ..s.record };
        w.write(&mut n, to);
        w.lead(&mut n, slot, higher, to.seats, 0);
        w.begin_line(&mut n, slot, to.line);
        out(Action::Accept(slot as u8, higher), n);
    }
}

/// Those of a set, as numbers.
pub(super) fn each(set: u8) -> impl Iterator<Item = usize> {
    (0..SLOTS).filter(move |slot| has(set, *slot))
}
