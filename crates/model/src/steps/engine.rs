//! Engines: writes, attachments, what a replica applies, and when WAIT answers.

use brain::Cure;

use super::hold::stands_against;
use crate::action::Action;
use crate::config::Slip;
use crate::dataset::Log;
use crate::property::Property;
use crate::state::{SLOTS, State, has, role, status};
use crate::world::{Out, World};

pub(super) fn steps(w: &World, s: &State, out: &mut Out<'_>) {
    if !w.config.data {
        return;
    }
    for primary in w.slots(s) {
        if w.has_authority(s, primary) {
            write(w, s, primary, out);
            for slot in w.slots(s).filter(|m| *m != primary) {
                if s.members[slot].role == role::FOLLOWS {
                    attach(w, s, slot, primary, out);
                    replicate(w, s, slot, primary, out);
                }
            }
        }
        if s.left.deaths > 0 && s.members[primary].role == role::LEADS {
            dies(w, s, primary, out);
        }
        if s.left.deaths > 0 && s.members[primary].role == role::FOLLOWS {
            restarts(w, s, primary, out);
        }
    }
    for slot in w.slots(s) {
        if s.members[slot].upstream > 0 {
            let mut n = *s;
            n.members[slot].upstream = 0;
            out(Action::Detach(slot as u8), n);
        }
    }
}

fn write(w: &World, s: &State, primary: usize, out: &mut Out<'_>) {
    if s.writes < w.config.writes {
        let mut n = *s;
        n.writes += 1;
        n.members[primary].log = s.members[primary].log.with(n.writes);
        wait_answers(w, &mut n, primary);
        out(Action::Write(primary as u8, n.writes), n);
    }
}

/// Whether the primary lets this member replicate: its user is on only while it has a seat.
fn is_admitted(w: &World, s: &State, slot: usize, primary: usize) -> bool {
    let (member, lead) = (&s.members[slot], &s.members[primary]);
    let seated = has(lead.under.0, slot) && usize::from(lead.expelled) != slot + 1;
    let too_soon = has(lead.also.0, slot) && !w.config.keeps(Cure::GrowBeforeAttach);
    let by_itself = !w.config.keeps(Cure::PrimaryAdmits) && member.known.0 == lead.epoch;
    seated || too_soon || by_itself
}

fn attach(w: &World, s: &State, slot: usize, primary: usize, out: &mut Out<'_>) {
    let (member, lead) = (&s.members[slot], &s.members[primary]);
    let elsewhere = usize::from(member.upstream) != primary + 1;
    let free = member.named.0 == 0 && !stands_against(s, slot, primary);
    if !elsewhere || !free || !is_admitted(w, s, slot, primary) {
        return;
    }
    let mut n = *s;
    let member = &mut n.members[slot];
    member.forget_candidacy();
    member.virgin = 0;
    member.upstream = primary as u8 + 1;
    if usize::from(member.told) != primary + 1 {
        // On disk before the engine attaches (D8).
        member.known = member.known.max((lead.epoch, lead.version));
        member.attached_in = lead.line.0;
    }
    if !w.config.keeps(Cure::AdmitAfterAck) {
        member.told = primary as u8 + 1;
    }
    member.target = if w.config.slips(Slip::ExactAtLinkUp) { 0 } else { lead.log.len() };
    if member.complete == 1 && member.log.begins(lead.log) {
        earn(w, &mut n, slot, primary);
        wait_answers(w, &mut n, primary);
    } else {
        member.complete = 0;
        member.log = Log::default();
    }
    out(Action::Attach(slot as u8, primary as u8), n);
}

/// An epoch is earned at its start; exactness where the primary was when the link came up.
fn earn(w: &World, n: &mut State, slot: usize, primary: usize) {
    let lead = n.members[primary];
    let member = &mut n.members[slot];
    let offset = member.log.len();
    let started = offset >= lead.line.1 || !w.config.keeps(Cure::EpochAtStart);
    let caught_up = offset >= member.target;
    let knows = member.known.0 >= lead.epoch || w.config.keeps(Cure::BumpIsNoLineage);
    if started && knows && (caught_up || !w.config.slips(Slip::EarnedLate)) {
        member.line = lead.line;
    }
    if started && caught_up {
        member.exact = 1;
    }
}

fn replicate(w: &World, s: &State, slot: usize, primary: usize, out: &mut Out<'_>) {
    let (member, lead) = (&s.members[slot], &s.members[primary]);
    if usize::from(member.upstream) != primary + 1 {
        return;
    }
    let mut n = *s;
    let member = &mut n.members[slot];
    if member.complete == 0 {
        member.complete = 1;
        member.exact = 1;
        member.log = lead.log;
        member.line = lead.line;
        wait_answers(w, &mut n, primary);
        out(Action::Load(slot as u8, primary as u8), n);
    } else if member.log.len() < lead.log.len() {
        member.log = lead.log.cut(member.log.len() + 1);
        earn(w, &mut n, slot, primary);
        wait_answers(w, &mut n, primary);
        out(Action::Apply(slot as u8, primary as u8), n);
    }
}

/// WAIT answers for every write that k attached replicas have. A primary that is one no more must
/// not say so for a write that its successor began without.
fn wait_answers(w: &World, n: &mut State, primary: usize) {
    let lead = n.members[primary];
    let copies = lead.also.1;
    if copies == 0 {
        return;
    }
    for place in 0..lead.log.len() {
        let write = lead.log.at(place);
        if n.waited[usize::from(write) - 1] != 0 {
            continue;
        }
        let has_it = |m: &usize| {
            let member = &n.members[*m];
            let linked = usize::from(member.upstream) == primary + 1 && member.complete == 1;
            linked && member.log.len() > place
        };
        if (0..SLOTS).filter(has_it).count() >= usize::from(copies) {
            n.waited[usize::from(write) - 1] = lead.epoch;
            let led = matches!(n.record.status, status::HELD | status::RELEASED);
            let moved_on = led && n.record.line > lead.line.0 && !n.record.start.has(write);
            if moved_on && w.config.budget.rollbacks == 0 {
                n.fault = Property::I2 as u8;
            }
        }
    }
}

/// The engine ends under its agent, which sees that at once.
fn dies(w: &World, s: &State, primary: usize, out: &mut Out<'_>) {
    let mut n = *s;
    n.left.deaths -= 1;
    w.follow(&mut n, primary);
    n.members[primary].role = role::WIDOWED;
    n.members[primary].exact = 0;
    out(Action::EngineDies(primary as u8), n);
}

/// A replica's engine ends and starts again beside its agent, perhaps without its last write.
fn restarts(w: &World, s: &State, slot: usize, out: &mut Out<'_>) {
    let keeps = w.config.slips(Slip::CutKeepsEpoch);
    let log = s.members[slot].log;
    let whole = log.len();
    let least = if w.config.losses { whole.saturating_sub(1) } else { whole };
    for offset in least..=whole {
        let mut n = *s;
        n.left.deaths -= 1;
        let member = &mut n.members[slot];
        member.forget_candidacy();
        (member.upstream, member.told) = (0, 0);
        member.exact = 0;
        member.lose(log.cut(offset), keeps);
        out(Action::EngineRestarts(slot as u8, offset), n);
    }
}
