//! Every compare-and-swap of a holder: one at a time, on disk before it is sent, and never believed
//! to have failed (failover.md 2.4).

use crate::cure::Cure;
use crate::effect::{Act, PersistId, RequestId};
use crate::input::StoreOutcome;
use crate::reason::Reason;
use crate::record::{Record, Version};
use crate::time::Tick;

use super::super::Election;
use super::State;

/// What a holder's compare-and-swap is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum CasKind {
    Renew,
    Bump,
    Electorate,
    /// The lease is given away: to a successor, or to nobody.
    Give,
}

/// A compare-and-swap of the holder, on its way or waiting for the disk.
#[derive(Clone, Debug, Hash)]
pub(crate) struct HolderCas {
    pub(crate) kind: CasKind,
    record: Box<Record>,
    why: Reason,
    after: PersistId,
    expected: Option<Version>,
    sent: Option<(RequestId, Tick)>,
    /// Its electorate counts because of it alone.
    joined: bool,
}

impl super::Leading {
    /// Whether a change of the electorate is on its way, or waits for the disk.
    pub(in crate::election) fn changes_electorate(&self) -> bool {
        self.cas.as_ref().is_some_and(|cas| cas.kind == CasKind::Electorate)
    }

    /// What waits for the disk is not sent any more.
    pub(in crate::election) fn drop_unsent(&mut self) {
        if let Some(cas) = self.cas.take_if(|cas| cas.sent.is_none()) {
            self.was_not_carried_out(&cas);
            self.change = None;
        }
    }

    /// What a change of the electorate asked for counts no more: it does not stand, and never will.
    fn was_not_carried_out(&mut self, cas: &HolderCas) {
        if cas.joined {
            self.authority.no_longer_under(&cas.record.electorate);
        }
    }
}

impl Election {
    /// The record as this holder has it, ready to be changed.
    pub(in crate::election) fn holder_record(&self) -> Record {
        let me = self.incarnation();
        let mut record = match (self.store.record(), &self.leading) {
            (Some(seen), _) if seen.holder.as_ref() == Some(&me) && !self.store.lacking => {
                seen.clone()
            }
            (_, Some(leading)) => leading.base.clone(),
            (seen, None) => seen.cloned().unwrap_or_default(),
        };
        if let Some(leading) = &self.leading {
            record.epoch = leading.epoch;
            record.lineage = Some(leading.lineage.clone());
            record.electorate = leading.electorate.clone();
        }
        record.holder = Some(me);
        record.lease_ms = self.settings.timing.lease.as_millis();
        record
    }

    /// Every compare-and-swap of a holder goes through here, one at a time.
    pub(in crate::election) fn holder_cas(
        &mut self,
        kind: CasKind,
        mut record: Record,
        why: Reason,
        now: Tick,
    ) -> bool {
        if self.leading.as_ref().is_none_or(|l| l.cas.is_some()) {
            return false;
        }
        let seen = self.store.record().filter(|_| !self.store.lacking).map(|r| r.epoch);
        if let Some(seen) = seen.filter(|seen| record.epoch < *seen) {
            // An epoch never falls: this holder takes one above what stands there.
            self.on_newer_epoch(seen, now);
            return false;
        }
        record.renewal = self.next_renewal();
        let after = if matches!(kind, CasKind::Renew | CasKind::Give) {
            // What is given away is the other's to keep; and a disk that fails is a reason to give.
            PersistId(0)
        } else {
            // The epoch that it may lead by is on disk before it is sent (failover.md 2.1).
            self.memory.led = self.memory.led.max(record.epoch);
            self.persist("cas", now)
        };
        let expected = self.store.version().cloned();
        let Some(leading) = &mut self.leading else { return false };
        let joined = matches!(kind, CasKind::Electorate)
            && self.settings.keeps(Cure::JointFromSending)
            && leading.authority.also_under(record.electorate.clone());
        let record = Box::new(record);
        leading.cas = Some(HolderCas { kind, record, why, after, expected, sent: None, joined });
        self.send_cas(now);
        true
    }

    /// Sends the waiting compare-and-swap once its memory is on disk.
    fn send_cas(&mut self, now: Tick) {
        let persisted = self.out.persisted;
        let missing = self.store.lacking || self.store.version().is_none();
        let keeps = self.settings.keeps(Cure::RecreateWithAuthority);
        let Some(leading) = &mut self.leading else { return };
        let Some(cas) = &mut leading.cas else { return };
        if cas.sent.is_some() || persisted < cas.after {
            return;
        }
        let may = matches!(cas.kind, CasKind::Bump) && leading.authority.holds(now);
        if missing && keeps && !may {
            // A renewal would write the lost record as it was: only a higher epoch may, and only
            // with authority at this moment (failover.md 2.4; protocol-traces H5).
            let Some(cas) = leading.cas.take() else { return };
            leading.was_not_carried_out(&cas);
            leading.changes_after = now + self.settings.timing.lease;
            self.cas_failed(&cas.kind, "the record is missing or older than this epoch", now);
            // Only a read that finds it so has it written again.
            return self.read_now(now, "missing");
        }
        let request = self.out.request();
        cas.sent = Some((request, now));
        leading.own.push_back((cas.record.renewal.clone(), now, cas.kind.clone()));
        while leading.own.len() > 16 {
            leading.own.pop_front();
        }
        leading.gave |= matches!(cas.kind, CasKind::Give);
        // The version that it was decided on: what was written since is not overwritten unseen.
        let expected = cas.expected.clone();
        let act = Act::Replace { request, expected, record: cas.record.clone() };
        let why = cas.why.clone();
        self.out.push(act, why);
    }

    pub(in crate::election) fn lead_persisted(&mut self, now: Tick) {
        self.send_cas(now);
        self.succession_persisted(now);
    }

    /// The answer to any compare-and-swap.
    pub(in crate::election) fn on_replace(
        &mut self,
        request: RequestId,
        outcome: StoreOutcome,
        now: Tick,
    ) {
        if self.candidate_replaced(request, &outcome, now)
            || self.succession_replaced(request, &outcome, now)
            || self.creation_replaced(request, &outcome, now)
        {
            return;
        }
        let Some(leading) = &mut self.leading else { return };
        let ours = leading.cas.as_ref().and_then(|c| c.sent).is_some_and(|(r, _)| r == request);
        if !ours {
            return;
        }
        let Some(cas) = leading.cas.take() else { return };
        let sent = cas.sent.map_or(now, |(_, at)| at);
        match outcome {
            StoreOutcome::Replaced(version) => {
                self.store.learn(version, (*cas.record).clone(), now);
                self.holder_succeeded(&cas.kind, &cas.record, sent, now);
            }
            StoreOutcome::Conflict => {
                self.cas_failed(&cas.kind, "the record changed meanwhile", now);
                self.read_now(now, "conflict");
            }
            StoreOutcome::Unavailable(error) => {
                // Certainly not carried out: what was to be given away is this member's still, and
                // who was to leave comes back in.
                leading.was_not_carried_out(&cas);
                if matches!(cas.kind, CasKind::Electorate) {
                    leading.changes_after = now + self.settings.timing.lease;
                }
                if matches!(cas.kind, CasKind::Give) {
                    leading.gave = false;
                }
                self.cas_failed(&cas.kind, &error, now);
            }
            StoreOutcome::Unanswered | StoreOutcome::Read(_) => {
                if !self.settings.keeps(Cure::JointUntilOwnSuccess)
                    && let Some(l) = &mut self.leading
                {
                    l.authority.settle_mutant();
                }
                self.cas_failed(&cas.kind, "the store has not answered", now);
                self.read_now(now, "unanswered");
            }
        }
        // An earlier one may have been seen to stand while this was under way.
        if let Some(seen) = self.store.record().cloned() {
            self.heed_own(&seen, now);
        }
    }

    fn cas_failed(&mut self, kind: &CasKind, error: &str, now: Tick) {
        let renew = self.settings.timing.renew;
        if let Some(leading) = &mut self.leading {
            leading.next_renew = now + renew.scaled(1, 2);
            // However seldom it rests to be written: this time it was due.
            let alone = leading.electorate.is_empty();
            leading.renew_now |= alone && matches!(kind, CasKind::Renew);
        }
        let text = format!("the record was not written ({kind:?}): {error}");
        self.out.note(Reason::detail("store", text.clone()));
        if matches!(kind, CasKind::Give) {
            self.give_failed(&text, now);
        }
    }

    /// A compare-and-swap of this holder stands in the store.
    fn holder_succeeded(&mut self, kind: &CasKind, record: &Record, sent: Tick, now: Tick) {
        if matches!(kind, CasKind::Give) {
            return self.given(record, now);
        }
        let renew = self.settings.timing.renew;
        let Some(leading) = &mut self.leading else { return };
        // A success counts once: read back again it would prove nothing (protocol-traces H1). What
        // was sent since may still turn out done.
        let counted = leading.own.iter().position(|(own, ..)| *own == record.renewal);
        leading.own.drain(..counted.map_or(0, |at| at + 1));
        let open = leading.own.iter().any(|(.., kind)| *kind == CasKind::Electorate);
        if open {
            leading.authority.lease_renewed(sent);
        } else {
            leading.authority.renewed(sent, record.electorate.clone());
        }
        leading.epoch = record.epoch;
        leading.electorate = record.electorate.clone();
        leading.base = record.clone();
        if !self.settings.keeps(Cure::BumpIsNoLineage) {
            leading.lineage = record.lineage.clone().unwrap_or_default();
        }
        leading.next_renew = now + renew;
        self.memory.electorate = Some((record.epoch, record.electorate.clone()));
        self.dirty = true;
        let overruled = leading.gave && matches!(kind, CasKind::Bump);
        if matches!(kind, CasKind::Electorate | CasKind::Bump) {
            leading.next_beat = now;
            if overruled {
                self.handover_overruled(now);
            }
            self.beat(now);
        }
        if !open {
            self.change_committed(now);
        }
    }

    /// The record was read or watched while leading: an unanswered write may turn out done, a
    /// person may have a wish.
    pub(in crate::election) fn lead_with_record(&mut self, now: Tick) {
        let Some(record) = self.store.record().cloned() else { return };
        self.heed_own(&record, now);
        self.heed_wish(&record, now);
    }

    /// A write of its own stands there, answered or not: what it said is what this holder has. With
    /// another one under way the answer to that comes first.
    fn heed_own(&mut self, record: &Record, now: Tick) {
        let Some(leading) = &mut self.leading else { return };
        let is_it = |own: &_| *own == record.renewal;
        let found = leading.own.iter().find(|(own, ..)| is_it(own));
        let Some((_, sent, kind)) = found.cloned() else { return };
        if leading.cas.as_ref().is_none_or(|cas| is_it(&cas.record.renewal)) {
            leading.cas = None;
            self.holder_succeeded(&kind, record, sent, now);
        }
    }

    /// A wish that stands in the record (failover.md 2.1, `handover`).
    fn heed_wish(&mut self, record: &Record, now: Tick) {
        let Some(wish) = &record.handover else { return };
        let Some(leading) = &mut self.leading else { return };
        if leading.wish_done.as_ref() == Some(&wish.id) || leading.state != State::Writable {
            return;
        }
        leading.wish_done = Some(wish.id.clone());
        self.begin_handover(wish.to.as_ref(), None, "wished for in the record", now);
    }

    /// The record is gone, or an older one stands there: a holder with authority writes it again,
    /// with a higher epoch (failover.md 2.4); nobody else may.
    pub(in crate::election) fn lead_without_record(&mut self, now: Tick) {
        let keeps = self.settings.keeps(Cure::RecreateWithAuthority);
        let Some(leading) = &self.leading else { return };
        if leading.gave || leading.cas.is_some() || (keeps && !leading.authority.holds(now)) {
            return;
        }
        self.bump("the record was missing or older than what this holder knows", now);
    }
}
