//! The record's own holder without an engine to lead with: it leads again, or names a successor
//! (failover.md 2.10, 2.11).

use brain::Cure;

use super::give::{appointment, each};
use super::store::name;
use crate::action::Action;
use crate::state::{Set, State, bit, role, status};
use crate::world::{Out, World};

pub(super) fn steps(w: &World, s: &State, out: &mut Out<'_>) {
    for slot in w.slots(s) {
        if s.members[slot].role == role::WIDOWED {
            let mut n = *s;
            n.members[slot].role = role::FOLLOWS;
            out(Action::Reload(slot as u8), n);
        }
        take_back(w, s, slot, out);
        if is_holder_without_lead(w, s, slot) {
            lead_again(w, s, slot, out);
            appoint(w, s, slot, out);
        }
    }
}

fn is_holder_without_lead(w: &World, s: &State, slot: usize) -> bool {
    let member = &s.members[slot];
    s.record.status == status::HELD
        && usize::from(s.record.holder) == slot
        && matches!(member.role, role::FOLLOWS | role::WIDOWED)
        && member.named.0 == 0
        && w.is_current(s, slot)
        && !w.config.calm
}

/// Every set of seats that may have answered, with what is known of them by that.
fn answers(w: &World, s: &State) -> impl Iterator<Item = (Set, bool)> {
    let able = |m: &usize| s.members[*m].role == role::FOLLOWS;
    let here = each(s.record.seats).filter(able).fold(0, |set, m| set | bit(m));
    let all: Vec<(Set, bool)> = (0..=here)
        .filter(|set| set & !here == 0)
        .map(|set| (set, w.rules.witnesses_suffice(s, set)))
        .collect();
    all.into_iter()
}

/// Whether these answers, with the holder's own copy if it is loaded, prove enough.
fn proves(w: &World, s: &State, slot: usize, loaded: bool, (set, witnessed): (Set, bool)) -> bool {
    let itself = loaded && s.members[slot].complete == 1;
    let from = s.record.from[slot];
    let stands = itself && w.rules.stands(s, slot, from);
    let proof = each(set).fold((0, 0, 0), |p, m| w.rules.proof(s, m, m, p));
    let one = s.record.copies == 0 && itself && w.rules.is_known(s, slot);
    witnessed && (stands || one || w.rules.data_suffice(&s.record, set, proof))
}

fn lead_again(w: &World, s: &State, slot: usize, out: &mut Out<'_>) {
    let (member, epoch) = (&s.members[slot], w.next_epoch(s, slot));
    let loaded = member.role == role::FOLLOWS && member.complete == 1;
    if !loaded || epoch > w.config.epochs {
        return;
    }
    let alone = w.rules.leads_again(s, slot) || !w.config.keeps(Cure::RestartedAsksWitnesses);
    let asked = || {
        answers(w, s).any(|(set, witnessed)| {
            proves(w, s, slot, true, (set, witnessed))
                && w.rules.best(s, set | bit(slot)) == Some(slot)
                && each(set).all(|m| !w.rules.is_above(s, m, slot))
        })
    };
    if alone || asked() {
        reclaim(w, s, slot, epoch, Action::LeadAgain(slot as u8, epoch), out);
    }
}

/// Leads again, in a new epoch with a new line of data.
fn reclaim(w: &World, s: &State, slot: usize, epoch: u8, action: Action, out: &mut Out<'_>) {
    let mut n = *s;
    let to = w.new_line(s, slot, epoch, s.record.seats);
    w.write(&mut n, to);
    w.lead(&mut n, slot, epoch, to.seats, 0);
    w.begin_line(&mut n, slot, to.line);
    out(action, n);
}

/// Gives the lease to the best of those who answered.
fn appoint(w: &World, s: &State, slot: usize, out: &mut Out<'_>) {
    let (member, epoch) = (&s.members[slot], w.next_epoch(s, slot));
    if epoch > w.config.epochs {
        return;
    }
    let loaded = member.role == role::FOLLOWS && member.complete == 1;
    let itself = if loaded { bit(slot) } else { 0 };
    let mut chosen: Set = 0;
    for (set, witnessed) in answers(w, s) {
        if !proves(w, s, slot, loaded, (set, witnessed)) {
            continue;
        }
        let highest = w.config.keeps(Cure::HighestLeads);
        let standing = |m: &usize| highest || w.rules.stands(s, *m, s.record.from[*m]);
        let whole = |m: &usize| s.members[*m].complete == 1;
        let able = each(set | itself).filter(whole).filter(standing).fold(0, |e, m| e | bit(m));
        let Some(best) = w.rules.best(s, able).filter(|best| *best != slot) else { continue };
        let fuller = highest && each(set).any(|m| w.rules.is_above(s, m, best));
        if !fuller && chosen & bit(best) == 0 {
            chosen |= bit(best);
            let mut n = *s;
            let to = appointment(w, s, best, epoch, s.record.seats & !bit(best));
            w.write(&mut n, to);
            name(&mut n, &to);
            w.follow(&mut n, slot);
            n.members[slot].known = member.known.max((epoch, 0));
            out(Action::Appoint(slot as u8, best as u8), n);
        }
    }
}

/// The last holder takes its own release back, if its data reach its final offset (L8).
fn take_back(w: &World, s: &State, slot: usize, out: &mut Out<'_>) {
    let (record, member) = (&s.record, &s.members[slot]);
    let its_own = record.status == status::RELEASED && s.disk(slot) == s.disk(record.holder.into());
    let epoch = w.next_epoch(s, slot);
    let (line, offset) = record.chosen;
    let reaches = member.line.0 == line && member.log.len() >= offset;
    let whole = !w.config.data || member.complete == 1 && reaches;
    let able = member.role == role::FOLLOWS && w.is_current(s, slot);
    if its_own && able && whole && epoch <= w.config.epochs {
        reclaim(w, s, slot, epoch, Action::TakeBack(slot as u8, epoch), out);
    }
}
