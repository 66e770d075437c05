//! The store: it carries a compare-and-swap out, refuses it, answers, or does not.

use brain::Cure;

use super::hold::settle;
use crate::action::Action;
use crate::config::Slip;
use crate::state::{Record, State, Swap, has, role, stage, status};
use crate::world::{Out, World};

pub(super) fn steps(w: &World, s: &State, out: &mut Out<'_>) {
    for (place, swap) in s.swaps.iter().enumerate() {
        let who = (swap.owner, place as u8);
        match swap.stage {
            stage::OPEN => out(Action::Commit(who.0, who.1), commit(w, s, place)),
            stage::STALE => {
                let mut n = *s;
                n.swaps[place].stage = stage::REFUSED;
                out(Action::Refuse(who.0, who.1), n);
            }
            stage::DONE | stage::REFUSED => {
                out(Action::Answer(who.0, who.1), answer(w, s, place));
            }
            _ => {}
        }
        if swap.stage != stage::NONE && swap.heard == 1 && s.left.silences > 0 {
            out(Action::Silence(who.0, who.1), silence(w, s, place));
        }
    }
}

fn commit(w: &World, s: &State, place: usize) -> State {
    let mut n = *s;
    let Swap { owner, heard, to, .. } = s.swaps[place];
    n.swaps[place] = Swap::default();
    w.write(&mut n, to);
    n.unheard = owner + 1;
    if heard == 1 {
        n.swaps[place] = Swap { stage: stage::DONE, ..s.swaps[place] };
    }
    for slot in w.slots(s) {
        // Never attached since this admission.
        if has(to.seats & !s.record.seats, slot) {
            n.members[slot].attached_in = 0;
        }
    }
    if to.status == status::HELD && to.holder != owner {
        name(&mut n, &to);
    }
    n
}

/// The record names a member that did not write it: it will see that, soon or late.
pub(super) fn name(n: &mut State, to: &Record) {
    let named = &mut n.members[usize::from(to.holder)];
    if named.role != role::DOWN {
        named.named = (to.epoch, to.seats);
        named.chosen = if to.appointed == 1 { to.chosen } else { (0, 0) };
    }
}

fn answer(w: &World, s: &State, place: usize) -> State {
    let mut n = *s;
    let Swap { stage: at, owner, to, .. } = s.swaps[place];
    let slot = usize::from(owner);
    n.swaps[place] = Swap::default();
    let member = &s.members[slot];
    if at == stage::DONE && member.role == role::YIELDED {
        w.follow(&mut n, slot);
        n.members[slot].known = member.known.max((to.epoch, to.version));
    } else if at == stage::DONE && member.epoch == to.epoch && w.is_its_own(s, slot) {
        settle(&mut n, slot);
    }
    n
}

/// No answer proves nothing: it may stand, it may yet come to stand, or never.
fn silence(w: &World, s: &State, place: usize) -> State {
    let mut n = *s;
    n.left.silences -= 1;
    let swap = s.swaps[place];
    n.swaps[place] = match swap.stage {
        stage::OPEN => Swap { heard: 0, ..swap },
        _ => Swap::default(),
    };
    let member = &mut n.members[usize::from(swap.owner)];
    let changes = swap.to.holder == swap.owner && swap.to.status == status::HELD;
    if !w.config.keeps(Cure::JointFromSending) && member.role == role::LEADS && changes {
        member.also = (swap.to.seats, swap.to.copies);
    }
    if w.config.slips(Slip::ExpelledReturns) {
        member.expelled = 0;
        member.barrier = 0;
    }
    n
}
