//! What goes wrong: processes, pods, the record, links.

use brain::Cure;

use crate::action::Action;
use crate::config::Slip;
use crate::dataset::Log;
use crate::state::{Member, NOBODY, Record, SLOTS, State, Swap, bit, has, role, stage, status};
use crate::world::{Out, World};

/// What an end leaves: all of the file, all but its last write, nothing, all and the agent knows.
const ENDS: [u8; 4] = [0, 1, 2, 3];

pub(super) fn steps(w: &World, s: &State, out: &mut Out<'_>) {
    for slot in w.slots(s) {
        if w.is_up(s, slot) && s.left.crashes > 0 {
            for how in ENDS {
                crash(w, s, slot, how, out);
            }
        }
        if !w.is_up(s, slot) && usize::from(s.recreated) != slot + 1 {
            let mut n = *s;
            restart(w, &mut n, slot);
            out(Action::Restart(slot as u8), n);
        }
        if s.left.pods > 0 && s.recreated == 0 && w.is_up(s, slot) {
            recreate(w, s, slot, out);
        }
        links(s, slot, out);
    }
    the_record(w, s, out);
}

fn crash(w: &World, s: &State, slot: usize, how: u8, out: &mut Out<'_>) {
    let member = &s.members[slot];
    let nothing_to_lose = how == 1 && member.log.is_empty();
    let counts = if w.config.data { w.config.losses || how == 0 } else { how == 0 };
    if !counts || nothing_to_lose {
        return;
    }
    let mut n = *s;
    n.left.crashes -= 1;
    stop(w, &mut n, slot);
    let keeps = w.config.slips(Slip::CutKeepsEpoch);
    let left = &mut n.members[slot];
    // A clean stop proves nothing new: what was not exact before it is not exact after it.
    left.exact = if how == 3 { left.exact } else { 0 };
    match how {
        1 => left.lose(member.log.cut(member.log.len() - 1), keeps),
        2 => {
            left.lose(Log::default(), keeps);
            left.complete = 0;
        }
        _ => {}
    }
    if !w.config.clock {
        restart(w, &mut n, slot);
    }
    out(Action::Crash(slot as u8, how), n);
}

/// What is in memory is gone; what it has sent may still be carried out, and nobody hears of it.
fn stop(w: &World, n: &mut State, slot: usize) {
    w.follow(n, slot);
    let member = &mut n.members[slot];
    member.role = role::DOWN;
    (member.upstream, member.told) = (0, 0);
    member.saw = 0;
    if !w.config.keeps(Cure::PromiseOnDisk) {
        member.promised = (0, 0);
        member.known = (1, 0);
    }
    if !w.config.keeps(Cure::AttachOnDisk) {
        member.attached_in = 0;
    }
    for swap in &mut n.swaps {
        if usize::from(swap.owner) == slot {
            let open = swap.stage == stage::OPEN;
            *swap = if open { Swap { heard: 0, ..*swap } } else { Swap::default() };
        }
    }
}

/// What it had acked before is not known: it waits T_p before its first promise (H8).
fn restart(w: &World, n: &mut State, slot: usize) {
    let waits = w.config.keeps(Cure::WaitAfterRestart) && w.config.clock;
    let member = &mut n.members[slot];
    member.role = role::FOLLOWS;
    member.acked = (if waits { 0 } else { w.rules.expired() }, NOBODY);
}

/// A pod is made again, on the same disk; the old one has gone, or lives on where nobody sees it.
fn recreate(w: &World, s: &State, slot: usize, out: &mut Out<'_>) {
    for lives in [0u8, 1] {
        let mut n = *s;
        n.left.pods -= 1;
        n.recreated = slot as u8 + 1;
        if lives == 0 {
            stop(w, &mut n, slot);
        }
        let old = &s.members[slot];
        let fresh = &mut n.members[SLOTS - 1];
        fresh.stop_leading(w.rules.expired());
        *fresh = Member {
            promised: old.promised,
            known: old.known,
            log: old.log,
            line: old.line,
            complete: old.complete,
            exact: 0,
            attached_in: old.attached_in,
            virgin: old.virgin,
            saw: 0,
            upstream: 0,
            told: 0,
            ..*fresh
        };
        restart(w, &mut n, SLOTS - 1);
        out(Action::Recreate(slot as u8, lives), n);
    }
}

fn the_record(w: &World, s: &State, out: &mut Out<'_>) {
    if s.left.deletions > 0 && s.record.status != status::ABSENT {
        let mut n = *s;
        n.left.deletions -= 1;
        let copies = s.record.copies;
        w.write(&mut n, Record { status: status::ABSENT, copies, ..Record::default() });
        n.before = s.record;
        out(Action::Delete, n);
    }
    if s.left.rollbacks > 0 && s.before.status != status::ABSENT && s.before != s.record {
        let mut n = *s;
        n.left.rollbacks -= 1;
        w.write(&mut n, s.before);
        n.before = s.record;
        out(Action::RollBack, n);
    }
}

fn links(s: &State, slot: usize, out: &mut Out<'_>) {
    if slot > 0 && has(s.cut, slot) {
        let mut n = *s;
        n.cut &= !bit(slot);
        out(Action::HealLink(slot as u8), n);
    } else if slot > 0 && s.left.cuts > 0 {
        let mut n = *s;
        n.left.cuts -= 1;
        n.cut |= bit(slot);
        out(Action::CutLink(slot as u8), n);
    }
}
