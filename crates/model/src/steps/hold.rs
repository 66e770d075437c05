//! Holding the record: renewals, heartbeats and their acks, higher epochs (failover.md 2.4 Hold).

use brain::Cure;

use crate::action::Action;
use crate::rules::{age_of, with_age};
use crate::state::{Record, State, has, role, status};
use crate::world::{Out, World};

pub(super) fn steps(w: &World, s: &State, out: &mut Out<'_>) {
    for holder in w.slots(s) {
        let role = s.members[holder].role;
        if matches!(role, role::LEADS | role::FENCED) {
            renew(w, s, holder, out);
            read_own(w, s, holder, out);
            rewrite(w, s, holder, out);
        }
        if matches!(role, role::LEADS | role::FENCED | role::YIELDED) {
            read_back(w, s, holder, out);
            bump(w, s, holder, out);
            step_down(w, s, holder, out);
        }
        for member in w.slots(s).filter(|m| *m != holder) {
            match role {
                role::LEADS => ack(w, s, member, holder, out),
                role::FENCED => hear_fenced(w, s, member, holder, out),
                _ => {}
            }
        }
        ack_arrives(w, s, holder, out);
    }
}

/// A compare-and-swap of the holder's own has succeeded: what the record says is what counts.
pub(super) fn settle(n: &mut State, holder: usize) {
    let Record { epoch, seats, copies, version, .. } = n.record;
    // A success forgets all earlier writes: read back again they would prove nothing (H1).
    n.unheard = 0;
    let member = &mut n.members[holder];
    if member.also != member.under {
        member.expelled = 0;
        member.barrier = 0;
    }
    member.under = (seats, copies);
    member.also = (seats, copies);
    member.version = version;
    member.known = member.known.max((epoch, version));
}

fn renew(w: &World, s: &State, holder: usize, out: &mut Out<'_>) {
    if !w.is_its_own(s, holder) || !w.is_current(s, holder) || w.is_busy(s, holder) {
        return;
    }
    let mut n = *s;
    w.write(&mut n, s.record);
    settle(&mut n, holder);
    n.members[holder].lease = 0;
    // After a fence: the same epoch stands, so it goes on (failover.md 2.7 F2).
    n.members[holder].role = role::LEADS;
    out(Action::Renew(holder as u8), n);
}

/// Its own write stands in the record: done, whatever became of the answer (decision 0006).
fn read_own(w: &World, s: &State, holder: usize, out: &mut Out<'_>) {
    let its_own = usize::from(s.unheard) == holder + 1 && w.is_its_own(s, holder);
    if its_own && !w.is_busy(s, holder) {
        let mut n = *s;
        settle(&mut n, holder);
        out(Action::ReadOwn(holder as u8), n);
    }
}

/// The mutants of H1 and H2: what is read back counts as the answer.
fn read_back(w: &World, s: &State, holder: usize, out: &mut Out<'_>) {
    if !w.is_its_own(s, holder) || w.is_busy(s, holder) {
        return;
    }
    let mut n = *s;
    let member = &mut n.members[holder];
    if member.role == role::YIELDED {
        if w.config.keeps(Cure::HigherEpochAfterGiving) {
            return;
        }
        member.role = role::LEADS;
    } else if w.config.keeps(Cure::JointUntilOwnSuccess) {
        return;
    }
    member.also = member.under;
    out(Action::ReadBack(holder as u8), n);
}

/// A higher epoch for the same lead: authority only, no new line of data (D15).
fn bump(w: &World, s: &State, holder: usize, out: &mut Out<'_>) {
    if !w.is_its_own(s, holder) || !w.is_current(s, holder) || w.is_busy(s, holder) {
        return;
    }
    let member = &s.members[holder];
    let promised = w.slots(s).map(|m| s.members[m].promised);
    let in_the_way = promised.filter(|(epoch, to)| {
        *epoch > member.epoch || *epoch == member.epoch && usize::from(*to) != holder
    });
    let highest = in_the_way.map(|(epoch, _)| epoch).max();
    let freely = s.left.bumps > 0;
    if highest.is_none() && !freely && member.role != role::YIELDED {
        return;
    }
    let epoch = w.next_epoch(s, holder).max(highest.unwrap_or(0) + 1);
    if epoch > w.config.epochs || w.config.calm {
        return;
    }
    let mut n = *s;
    if highest.is_none() && member.role != role::YIELDED {
        n.left.bumps -= 1;
    }
    let mut to = Record { epoch, ..s.record };
    if !w.config.keeps(Cure::BumpIsNoLineage) {
        to = Record { version: s.record.version, ..w.new_line(s, holder, epoch, s.record.seats) };
        n.members[holder].line = (epoch, member.log.len());
    }
    w.write(&mut n, to);
    raised(&mut n, holder, epoch);
    out(Action::Bump(holder as u8, epoch), n);
}

/// The holder's write of a higher epoch has succeeded.
fn raised(n: &mut State, holder: usize, epoch: u8) {
    n.members[holder].epoch = epoch;
    settle(n, holder);
    n.members[holder].lease = 0;
    n.members[holder].role = role::LEADS;
}

/// A record that is missing, or older than known, is written again by a holder that has authority
/// when it sends (failover.md 2.4); nobody else may (H5).
fn rewrite(w: &World, s: &State, holder: usize, out: &mut Out<'_>) {
    let member = &s.members[holder];
    let may = w.has_authority(s, holder) || !w.config.keeps(Cure::RecreateWithAuthority);
    if w.is_current(s, holder) || !may || w.is_busy(s, holder) {
        return;
    }
    let epoch = w.next_epoch(s, holder);
    if epoch > w.config.epochs || s.before.status == status::ABSENT {
        return;
    }
    let mut n = *s;
    let to = Record {
        status: status::HELD,
        holder: holder as u8,
        epoch,
        seats: member.under.0,
        copies: member.under.1,
        version: member.version,
        ..s.before
    };
    w.write(&mut n, to);
    raised(&mut n, holder, epoch);
    out(Action::Rewrite(holder as u8, epoch), n);
}

fn step_down(w: &World, s: &State, holder: usize, out: &mut Out<'_>) {
    let (record, member) = (&s.record, &s.members[holder]);
    let newer = record.epoch > member.epoch;
    let gone = record.epoch == member.epoch && !w.is_its_own(s, holder);
    if record.status == status::ABSENT || !(newer || gone) {
        return;
    }
    let mut n = *s;
    w.follow(&mut n, holder);
    let known = &mut n.members[holder].known;
    *known = (*known).max((record.epoch, record.version));
    out(Action::StepDown(holder as u8), n);
}

/// The epoch that forbids a member to follow this one, if any.
pub(super) fn stands_against(s: &State, slot: usize, holder: usize) -> bool {
    let (member, epoch) = (&s.members[slot], s.members[holder].epoch);
    let (promised, to) = member.promised;
    promised > epoch || promised == epoch && usize::from(to) != holder || member.known.0 > epoch
}

fn ack(w: &World, s: &State, slot: usize, holder: usize, out: &mut Out<'_>) {
    let (member, lead) = (&s.members[slot], &s.members[holder]);
    let seated = has(lead.under.0 | lead.also.0, slot);
    let leads_as_high = member.role != role::FOLLOWS && member.epoch >= lead.epoch;
    if !seated || !w.is_up(s, slot) || has(s.cut, slot) || leads_as_high {
        return;
    }
    if stands_against(s, slot, holder) {
        return;
    }
    let mut n = *s;
    if member.role != role::FOLLOWS {
        w.follow(&mut n, slot);
    }
    let member = &mut n.members[slot];
    member.known = member.known.max((lead.epoch, lead.version));
    member.virgin = 0;
    member.forget_candidacy();
    if member.named.0 <= lead.epoch {
        member.named = (0, 0);
        member.chosen = (0, 0);
    }
    if !w.config.keeps(Cure::BumpIsNoLineage) {
        hears_of_the_line(&mut n, slot, holder);
    }
    if w.config.clock {
        n.members[slot].acked = (0, holder as u8);
        let lead = &mut n.members[holder];
        if w.config.late_acks {
            lead.late = with_age(lead.late, slot, 1);
        } else {
            lead.acks = with_age(lead.acks, slot, 0);
        }
    }
    out(Action::Ack(slot as u8, holder as u8), n);
}

/// The mutant of D15: who hears of the bump has the new line.
fn hears_of_the_line(n: &mut State, slot: usize, holder: usize) {
    let line = n.members[holder].line;
    let member = &mut n.members[slot];
    if usize::from(member.upstream) == holder + 1 && member.complete == 1 {
        member.attached_in = line.0;
        if member.log.len() >= line.1 {
            member.line = line;
        }
    }
}

fn ack_arrives(w: &World, s: &State, holder: usize, out: &mut Out<'_>) {
    for slot in w.slots(s) {
        let late = age_of(s.members[holder].late, slot);
        if late > 0 {
            let mut n = *s;
            let lead = &mut n.members[holder];
            lead.late = with_age(lead.late, slot, 0);
            let age = age_of(lead.acks, slot).min(late - 1);
            lead.acks = with_age(lead.acks, slot, age);
            out(Action::AckArrives(slot as u8, holder as u8), n);
        }
    }
}

/// A holder without authority says so: what was acked to it holds nothing any more (L2).
fn hear_fenced(w: &World, s: &State, slot: usize, holder: usize, out: &mut Out<'_>) {
    let acked = s.members[slot].acked;
    if usize::from(acked.1) == holder && acked.0 < w.rules.expired() && w.is_up(s, slot) {
        let mut n = *s;
        n.members[slot].acked.0 = w.rules.expired();
        out(Action::HearFenced(slot as u8, holder as u8), n);
    }
}
