//! Time: what ages, who is fenced by it, and who sees the record.

use brain::Cure;

use crate::action::Action;
use crate::config::WAIT;
use crate::rules::{age_of, with_age};
use crate::state::{SLOTS, State, has, role, status};
use crate::world::{Out, World};

pub(super) fn steps(w: &World, s: &State, out: &mut Out<'_>) {
    if !w.config.clock {
        return;
    }
    if !w.config.calm || duties_are_done(w, s) {
        tick(w, s, out);
    }
    for slot in w.slots(s) {
        see(s, slot, out);
    }
}

/// A tick of the store's and everybody's clocks. The fence ends a holder's time no later than a
/// challenger's wait: within a tick, both ends are one instant.
fn tick(w: &World, s: &State, out: &mut Out<'_>) {
    let mut n = *s;
    let expired = w.rules.expired();
    for slot in w.slots(s) {
        let member = &mut n.members[slot];
        member.lease = (member.lease + 1).min(expired);
        member.acked.0 = (member.acked.0 + 1).min(expired);
        for other in 0..SLOTS {
            let age = (age_of(member.acks, other) + 1).min(expired);
            member.acks = with_age(member.acks, other, age);
            let late = age_of(member.late, other);
            if late > 0 && w.config.keeps(Cure::AckFromSending) {
                let older = if late < expired { late + 1 } else { 0 };
                member.late = with_age(member.late, other, older);
            }
        }
        if member.saw > 0 {
            member.saw = (member.saw + 1).min(WAIT + 1);
        }
    }
    for slot in w.slots(s) {
        // Without the fence's word its acks go on counting, whenever they come.
        let says_so = w.config.keeps(Cure::FencedIsNotSeen);
        if says_so && w.has_authority(s, slot) && !w.has_authority(&n, slot) {
            fence(w, &mut n, slot);
        }
    }
    if n != *s {
        out(Action::Tick, n);
    }
}

/// F2: demoted, and no ack of a heartbeat that was sent before counts any more.
fn fence(w: &World, n: &mut State, slot: usize) {
    w.drop_replicas(n, slot);
    let expired = w.rules.expired();
    let member = &mut n.members[slot];
    member.role = role::FENCED;
    member.acks = expired | expired << 2 | expired << 4 | expired << 6;
    member.late = 0;
    if member.also == member.under {
        member.expelled = 0;
        member.barrier = 0;
    }
}

/// Reading is not following: who has read a newer epoch, and has neither promised nor heard it,
/// still acknowledges the holder of the older one.
fn see(s: &State, slot: usize, out: &mut Out<'_>) {
    let member = &s.members[slot];
    let looks = member.role == role::FOLLOWS && member.saw == 0;
    if !looks || s.record.status == status::ABSENT {
        return;
    }
    let mut n = *s;
    n.members[slot].saw = 1;
    out(Action::See(slot as u8), n);
}

/// In a calm world time waits for what is due: every open link has carried its heartbeat, and a
/// holder whose peers are not fresh has renewed (failover.md 2.5, lazy lease).
fn duties_are_done(w: &World, s: &State) -> bool {
    let first = &s.members[0];
    let seats = (1..SLOTS).filter(|m| has(first.under.0, *m) && !has(s.cut, *m));
    let mut heard =
        seats.map(|m| age_of(first.acks, m) == 0 || s.members[m].promised.0 > first.epoch);
    let rests = w.rules.peers_are_fresh(first) || !w.config.keeps(Cure::LazyReturns);
    heard.all(|it| it) && (rests || first.lease == 0)
}
