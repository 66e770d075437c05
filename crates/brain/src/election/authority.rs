//! How long a primary may let its engine write: its lease or its peers' acks (failover.md 2.4,
//! 2.5).

use std::collections::BTreeMap;

use crate::identity::MemberId;
use crate::record::Electorate;
use crate::time::{Span, Tick};
use crate::timing::Timing;

use super::quorum;

/// Until when something holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Until {
    /// It never did.
    Never,
    /// Up to this instant.
    At(Tick),
    /// Nobody may succeed, so nothing can end it.
    Forever,
}

impl Until {
    fn key(self) -> u64 {
        match self {
            Until::Never => 0,
            Until::At(tick) => tick.0,
            Until::Forever => u64::MAX,
        }
    }

    /// The later of two.
    pub(crate) fn max(self, other: Until) -> Until {
        if other.key() > self.key() { other } else { self }
    }

    fn min(self, other: Until) -> Until {
        if other.key() < self.key() { other } else { self }
    }

    /// What is left of it.
    pub(crate) fn left(self, now: Tick) -> Span {
        match self {
            Until::Never => Span::ZERO,
            Until::At(tick) => tick.since(now),
            Until::Forever => Span(u64::MAX),
        }
    }

    /// This, `span` earlier.
    pub(crate) fn before(self, span: Span) -> Until {
        match self {
            Until::At(tick) => Until::At(tick.before(span)),
            other => other,
        }
    }
}

/// How the members of one electorate answer.
enum Quorum {
    /// Nobody may succeed: no acks are needed.
    Unneeded,
    /// Too few have ever acknowledged.
    Short,
    /// Enough have acknowledged the heartbeat that was sent then.
    Sent(Tick),
}

/// The authority of one holder in one epoch.
#[derive(Clone, Debug, Hash)]
pub struct Authority {
    timing: Timing,
    /// When the last successful compare-and-swap was *sent*.
    lease_sent: Option<Tick>,
    /// Per member, when the newest heartbeat that it acknowledged was sent.
    acked: BTreeMap<MemberId, Tick>,
    /// The electorates that the rule must hold under: one, or two while a change is open.
    under: Vec<Electorate>,
}

impl Authority {
    /// Nobody has acknowledged anything yet, and no compare-and-swap has succeeded.
    pub fn new(timing: Timing, electorate: Electorate) -> Self {
        Self { timing, lease_sent: None, acked: BTreeMap::new(), under: vec![electorate] }
    }

    /// A compare-and-swap sent at `sent` has succeeded, and the record now has this electorate.
    pub fn renewed(&mut self, sent: Tick, electorate: Electorate) {
        self.lease_sent = self.lease_sent.max(Some(sent));
        self.under = vec![electorate];
    }

    /// One sent at `sent` has succeeded, and a change of the electorate that was sent since may yet
    /// stand: both count as before.
    pub(crate) fn lease_renewed(&mut self, sent: Tick) {
        self.lease_sent = self.lease_sent.max(Some(sent));
    }

    /// A compare-and-swap that changes the electorate is being sent: from now on both count.
    /// Returns whether this one did not count yet.
    pub fn also_under(&mut self, electorate: Electorate) -> bool {
        let new = !self.under.contains(&electorate);
        if new {
            self.under.push(electorate);
        }
        new
    }

    /// The only compare-and-swap with this electorate was certainly not carried out.
    pub(crate) fn no_longer_under(&mut self, electorate: &Electorate) {
        self.under.retain(|e| e != electorate);
    }

    /// Whether a change of the electorate is still open.
    pub(crate) fn is_joint(&self) -> bool {
        self.under.len() > 1
    }

    /// A member acknowledged the heartbeat that was sent at `sent`.
    pub fn acknowledged(&mut self, member: &MemberId, sent: Tick) {
        let newest = self.acked.entry(member.clone()).or_insert(sent);
        *newest = (*newest).max(sent);
    }

    /// L: from the sending of the last success.
    pub(crate) fn lease(&self) -> Until {
        match self.lease_sent {
            Some(sent) => Until::At(sent + Timing::held(self.timing.lease)),
            None => Until::Never,
        }
    }

    /// P: from the sending of the heartbeat that the a-th best ack answers.
    pub(crate) fn peers(&self) -> Until {
        self.under.iter().fold(Until::Forever, |worst, e| worst.min(self.peers_under(e)))
    }

    fn peers_under(&self, electorate: &Electorate) -> Until {
        match self.quorum_sent(electorate) {
            Quorum::Unneeded => Until::Forever,
            Quorum::Short => Until::Never,
            Quorum::Sent(sent) => Until::At(sent + Timing::held(self.timing.peer)),
        }
    }

    /// The sending of the newest heartbeat that a members have acknowledged.
    fn quorum_sent(&self, electorate: &Electorate) -> Quorum {
        let need = quorum::acks(electorate.len(), electorate.copies, electorate.failsafe);
        if need == 0 {
            return Quorum::Unneeded;
        }
        let mut sent: Vec<Tick> =
            electorate.members().filter_map(|m| self.acked.get(m).copied()).collect();
        sent.sort_unstable_by(|a, b| b.cmp(a));
        sent.get(need - 1).map_or(Quorum::Short, |at| Quorum::Sent(*at))
    }

    /// Whether the peers suffice so well that the lease may rest: the newest heartbeat acknowledged
    /// by a members is younger than 2 H (failover.md 2.5, lazy lease).
    pub fn peers_are_fresh(&self, now: Tick) -> bool {
        let limit = self.timing.heartbeat.scaled(2, 1);
        self.under.iter().all(|e| match self.quorum_sent(e) {
            Quorum::Unneeded => true,
            Quorum::Short => false,
            Quorum::Sent(sent) => now.since(sent) <= limit,
        })
    }

    /// When the newest heartbeat that this member acknowledged was sent.
    pub(crate) fn acked_at(&self, member: &MemberId) -> Option<Tick> {
        self.acked.get(member).copied()
    }

    /// Whether it would go on holding if this electorate counted too.
    pub(crate) fn would_hold_under(&self, electorate: &Electorate, now: Tick) -> bool {
        let peers = self.peers().min(self.peers_under(electorate));
        self.lease().max(peers).left(now) > self.timing.margin.scaled(2, 1)
    }

    /// How many members' newest ack is younger than 2 H.
    pub(crate) fn fresh_count(&self, now: Tick) -> usize {
        let limit = self.timing.heartbeat.scaled(2, 1);
        self.acked.values().filter(|sent| now.since(**sent) <= limit).count()
    }

    /// max(L, P): until then the engine may write, less the margins of the fence.
    pub(crate) fn until(&self) -> Until {
        self.lease().max(self.peers())
    }

    /// Whether it holds now, with the fence's margin to spare.
    pub fn holds(&self, now: Tick) -> bool {
        self.until().left(now) > self.timing.margin
    }

    /// What was acknowledged so far holds nothing any more: the members were told so.
    pub(crate) fn forget_acks(&mut self) {
        self.acked.clear();
    }

    /// The mutant of H1: an unanswered change counts as failed.
    pub(crate) fn settle_mutant(&mut self) {
        self.under.truncate(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::MemberName;
    use crate::record::Seat;
    use crate::topology::Failsafe;
    use engine::Offset;

    fn member(name: &str) -> MemberId {
        MemberId { name: MemberName::from(name), pod: "p".into(), state: "s".into() }
    }

    fn electorate(version: u64, names: &[&str]) -> Electorate {
        let seats =
            names.iter().map(|n| Seat { member: member(n), from: Offset(0) }).collect::<Vec<_>>();
        Electorate { version, seats, copies: 1, ..Electorate::default() }
    }

    fn ms(n: u64) -> Tick {
        Tick(n * 1_000_000)
    }

    #[test]
    fn one_ack_of_two_holds_and_none_does_not() {
        let mut a = Authority::new(Timing::DEFAULT, electorate(1, &["b", "c"]));
        assert!(!a.holds(ms(0)));
        a.acknowledged(&member("b"), ms(100));
        assert!(a.holds(ms(100)));
        assert_eq!(a.until(), Until::At(ms(100) + Span::from_millis(4990)));
        assert!(!a.holds(ms(100 + 4490)), "the margin is not to be used");
    }

    #[test]
    fn whose_acks_hold_stands_in_the_electorate() {
        let all = Electorate { failsafe: Failsafe::All, ..electorate(2, &["b", "c"]) };
        let mut a = Authority::new(Timing::DEFAULT, electorate(1, &["b", "c"]));
        a.acknowledged(&member("b"), ms(100));
        assert!(a.holds(ms(100)));
        a.also_under(all.clone());
        assert!(!a.holds(ms(100)), "while it is being changed both rules hold");
        a.acknowledged(&member("c"), ms(100));
        assert!(a.holds(ms(100)));
        a.renewed(ms(200), all);
        assert_eq!(a.until(), Until::At(ms(200) + Span::from_millis(4990)));
    }

    #[test]
    fn two_electorates_need_the_worse() {
        let mut a = Authority::new(Timing::DEFAULT, electorate(1, &["b", "c"]));
        a.acknowledged(&member("b"), ms(100));
        a.also_under(electorate(2, &["c"]));
        assert!(!a.holds(ms(100)), "b does not count for {{c}}");
        a.acknowledged(&member("c"), ms(50));
        assert_eq!(a.until(), Until::At(ms(50) + Span::from_millis(4990)));
        a.renewed(ms(200), electorate(2, &["c"]));
        assert_eq!(a.until(), Until::At(ms(200) + Span::from_millis(4990)));
    }

    #[test]
    fn an_empty_electorate_holds_for_ever_and_a_joint_one_does_not() {
        let mut a = Authority::new(Timing::DEFAULT, electorate(1, &[]));
        assert_eq!(a.until(), Until::Forever);
        a.also_under(electorate(2, &["b"]));
        assert_eq!(a.until(), Until::Never);
    }

    #[test]
    fn strangers_do_not_count() {
        let mut a = Authority::new(Timing::DEFAULT, electorate(1, &["b"]));
        let twin = MemberId { pod: "other".into(), ..member("b") };
        a.acknowledged(&twin, ms(100));
        assert!(!a.holds(ms(100)));
    }
}
