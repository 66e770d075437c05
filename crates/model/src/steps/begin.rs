//! The first primary of a group (failover.md 2.11, bootstrap).

use crate::action::Action;
use crate::state::{State, bit, has, role, status};
use crate::world::{Out, World};

use super::give::each;
use super::store::name;

/// Enough have answered, nobody knows an epoch, and the lowest of them takes the record.
pub(super) fn steps(w: &World, s: &State, out: &mut Out<'_>) {
    if s.record.status != status::FIRST {
        return;
    }
    let all = w.slots(s).count() as u32;
    let new = |m: &usize| s.members[*m].virgin == 1 && s.members[*m].role == role::FOLLOWS;
    let here = w.slots(s).filter(new).fold(0, |set, m| set | bit(m));
    for answered in (1..=here).filter(|set| set & !here == 0) {
        let Some(slot) = each(answered).next() else { continue };
        // A majority, once patience is over.
        if answered.count_ones() * 2 <= all || !w.has_seen(s, slot) {
            continue;
        }
        let to = w.new_line(s, slot, w.next_epoch(s, slot), answered & !bit(slot));
        let mut n = *s;
        w.write(&mut n, to);
        n.members[slot].complete = 1;
        w.lead(&mut n, slot, to.epoch, to.seats, 0);
        w.begin_line(&mut n, slot, to.line);
        out(Action::Begin(slot as u8, answered), n);
        if s.left.silences > 0 {
            let mut n = *s;
            n.left.silences -= 1;
            w.write(&mut n, to);
            name(&mut n, &to);
            debug_assert!(has(answered, slot));
            out(Action::Begin(slot as u8, answered), n);
        }
    }
}
