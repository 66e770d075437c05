//! The arithmetic of the authority rule: a, p, witnesses, who stands (failover.md 2.4).

use engine::Offset;

use crate::identity::{Epoch, MemberId};
use crate::message::Standing;
use crate::record::{Electorate, Lineage, Record, Seat};
use crate::topology::Failsafe;

/// p: promises that a takeover needs, the candidate's own counted, of n members and k copies.
pub fn promises(n: usize, copies: u32, failsafe: Failsafe) -> usize {
    let base = match failsafe {
        Failsafe::Majority => n / 2 + 1,
        Failsafe::All => 1,
    };
    if copies >= 1 && failsafe == Failsafe::Majority {
        base.max(witnesses(n, copies))
    } else {
        base
    }
}

/// a: acks that hold a primary's authority, so that a + p > n.
pub fn acks(n: usize, copies: u32, failsafe: Failsafe) -> usize {
    if n == 0 { 0 } else { n + 1 - promises(n, copies, failsafe).min(n) }
}

/// n − k + 1: data witnesses that a takeover needs; none for k = 0 or k > n.
pub fn witnesses(n: usize, copies: u32) -> usize {
    if copies == 0 { 0 } else { (n + 1).saturating_sub(copies as usize) }
}

/// Whether a member's word proves what it holds of data epoch `epoch`.
pub fn is_witness(report: &Standing, epoch: Epoch) -> bool {
    (report.stamp.complete && report.exact) || report.attached_in != Some(epoch)
}

/// Whether data of this stamp reach `from` in the lineage.
pub fn stands(report: &Standing, from: Offset, lineage: &Lineage) -> bool {
    let stamp = &report.stamp;
    if !stamp.complete {
        return false;
    }
    let on_line = stamp.epoch == lineage.epoch && stamp.offset >= from;
    // Who was in E when the epoch began stands by the parent's line too, as long as its seat was
    // not lifted since.
    let at_birth = from <= lineage.start
        && stamp.epoch == lineage.parent_epoch
        && stamp.epoch < lineage.epoch
        && stamp.offset >= lineage.parent_start;
    on_line || at_birth
}

/// Whether a copy is whole and of a line that it can tell.
pub fn is_known(report: &Standing) -> bool {
    report.stamp.complete && report.stamp.epoch > Epoch(0)
}

/// What is missing for a takeover.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Shortfall {
    /// Too few promises: have, need.
    Promises(usize, usize),
    /// Too few witnesses: have, need.
    Witnesses(usize, usize),
    /// Nobody of the quorum reaches its seat's offset.
    NobodyStands,
}

impl std::fmt::Display for Shortfall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Shortfall::Promises(have, need) => write!(f, "{have} of {need} promises"),
            Shortfall::Witnesses(have, need) => write!(f, "{have} of {need} exact witnesses"),
            Shortfall::NobodyStands => f.write_str("nobody reachable has all of the epoch's data"),
        }
    }
}

/// The data half of Take: witnesses and somebody who stands, among these members.
pub fn data_suffice(
    electorate: &Electorate,
    lineage: &Lineage,
    quorum: &[(&Seat, &Standing)],
    standing_needed: bool,
) -> Result<(), Shortfall> {
    let need = witnesses(electorate.len(), electorate.copies);
    let have = quorum.iter().filter(|(_, r)| is_witness(r, lineage.epoch)).count();
    if have < need {
        return Err(Shortfall::Witnesses(have, need));
    }
    let one_complete = quorum.iter().any(|(_, r)| is_known(r));
    let one_stands = quorum.iter().any(|(seat, r)| stands(r, seat.from, lineage));
    // k = 0: no witnesses, one complete member.
    let enough = if electorate.copies == 0 || !standing_needed { one_complete } else { one_stands };
    if enough { Ok(()) } else { Err(Shortfall::NobodyStands) }
}

/// A and one of E, or p of E: enough for a recovery election once its patience is over
/// (failover.md 2.11). `granted`: who has promised.
///
/// While somebody holds the record its acks may still come from pods that were replaced and live on
/// where nobody sees them: a pod that was made anew on an old disk answers for the data and not for
/// the authority, so it counts only of a record that was released.
pub fn recovery_quorum(record: &Record, granted: &[&MemberId]) -> bool {
    let e = &record.electorate;
    let (held, released) = (record.holder.as_ref(), record.released.as_ref());
    let is_seated = |id: &MemberId| match held {
        Some(_) => e.seat(id).is_some(),
        None => e.seat_of_disk(id).is_some(),
    };
    let is_last = |id: &MemberId| match held {
        Some(holder) => holder.id == *id,
        None => released.is_some_and(|r| r.by.same_disk(id)),
    };
    let seated = granted.iter().filter(|id| is_seated(id)).count();
    let with_last = granted.iter().any(|id| is_last(id));
    let need = promises(e.len(), e.copies, e.failsafe);
    (with_last && (seated >= 1 || e.is_empty())) || (seated >= need && !e.is_empty())
}

/// Whether the record's own holder may lead again without asking anybody: exact data (or nobody who
/// may have more) that reach its own `from`, and what it was appointed for.
pub fn leads_again(me: &Standing, e: &Electorate, lineage: &Lineage) -> bool {
    if let Some(appointed) = &lineage.appointed
        && (!me.stamp.complete || appointed.is_above(&me.stamp))
    {
        return false;
    }
    let reaches = stands(me, e.holder_from, lineage) && !me.stamp.hollow;
    reaches && (me.exact || e.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_the_table() {
        // n, k, p, a: the table of failover.md 2.4
        for (n, k, p, a) in [
            (1, 0, 1, 1),
            (1, 1, 1, 1),
            (2, 0, 2, 1),
            (2, 1, 2, 1),
            (2, 2, 2, 1),
            (3, 1, 3, 1),
            (3, 0, 2, 2),
            (3, 2, 2, 2),
            (3, 3, 2, 2),
            (4, 0, 3, 2),
            (4, 2, 3, 2),
        ] {
            assert_eq!(promises(n, k, Failsafe::Majority), p, "p of n={n} k={k}");
            assert_eq!(acks(n, k, Failsafe::Majority), a, "a of n={n} k={k}");
        }
        assert_eq!(acks(0, 1, Failsafe::Majority), 0);
        assert_eq!(acks(3, 3, Failsafe::All), 3);
        assert_eq!(promises(3, 3, Failsafe::All), 1);
    }

    #[test]
    fn two_quorums_always_meet() {
        for n in 1..8usize {
            for k in 0..8u32 {
                for failsafe in [Failsafe::Majority, Failsafe::All] {
                    let (p, a) = (promises(n, k, failsafe), acks(n, k, failsafe));
                    assert!(a + p > n, "n={n} k={k} {failsafe:?}: a={a} p={p}");
                    assert!(p <= n && a <= n && a >= 1);
                    if k >= 1 && (k as usize) <= n && failsafe == Failsafe::Majority {
                        assert!(k as usize + p > n, "n={n} k={k}: a waited write could be missed");
                    }
                }
            }
        }
    }
}
