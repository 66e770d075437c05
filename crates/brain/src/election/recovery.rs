//! Beginnings and new beginnings (failover.md 2.11): bootstrap, the recovery election after
//! everything stopped, and the group whose data are all gone.

use std::collections::BTreeMap;

use engine::Offset;

use crate::cure::Cure;
use crate::effect::AskId;
use crate::identity::{Epoch, Incarnation, MemberId, MemberName};
use crate::message::Standing;
use crate::reason::{BEGINS_EMPTY, Reason};
use crate::record::{Electorate, Lineage, Record, Released, Seat};
use crate::time::{Span, Tick};
use crate::topology::Durability;

use super::engine_side::Posture;
use super::{Election, Peer};

impl Election {
    /// Why nobody begins anew over files that are there and could not be read.
    const UNREADABLE: &str = "RecoveryBlocked: the files here could not be read and were moved \
                              aside: a person decides";

    /// Bootstrap, or a new beginning when nobody has anything.
    pub(super) fn step_recovery(&mut self, now: Tick) {
        if self.leading.as_ref().is_some_and(|l| !l.is_fenced())
            || self.candidate.is_some()
            || self.stopping.is_some()
            || self.wiped.is_some()
        {
            return;
        }
        if self.store.lacking {
            let text = "the record is missing or older than what this member knows";
            self.blocked = Some(format!("RecoveryBlocked: {text}"));
            return;
        }
        let Some(record) = self.store.record() else {
            if self.store.known {
                self.blocked = Some("RecoveryBlocked: there is no record of this group".into());
            }
            return;
        };
        if !self.engine.is_ready() || self.is_writing_record() || self.leading.is_some() {
            return;
        }
        let record = record.clone();
        self.explain_silence(&record, now);
        if record.initialised {
            self.consider_new_beginning(&record, now);
        } else {
            self.consider_bootstrap(&record, now);
        }
    }

    /// A group without a primary says why, to whoever asks (failover.md 2.11: never silent).
    fn explain_silence(&mut self, record: &Record, now: Tick) {
        let patience = self.settings.timing.lease.scaled(2, 1);
        if self.silence(now) < patience || self.following_is_fresh(now) {
            return;
        }
        let hollow = self.memory.stamp.hollow;
        if let Some(why) = hollow.then(|| self.who_may_hold_more(now)).flatten() {
            self.blocked = Some(format!("RecoveryBlocked: this copy is empty, and {why}"));
            return;
        }
        if self.memory.damaged && !self.memory.stamp.complete {
            self.blocked = Some(Self::UNREADABLE.to_owned());
        }
        if self.blocked.is_some() {
            return;
        }
        let all: Vec<String> =
            self.members_of_record().iter().map(|m| m.name.to_string()).collect();
        let why = if self.is_of_record(&self.id) {
            "no takeover has succeeded yet".to_owned()
        } else {
            format!(
                "only {} may lead by the record, and this member is not of them",
                all.join(", ")
            )
        };
        self.blocked =
            Some(format!("RecoveryBlocked: epoch {} has no primary: {why}", record.epoch));
    }

    /// What every other member says, as far as it is recent.
    fn recent_reports(&self, now: Tick) -> BTreeMap<MemberName, &Standing> {
        let recent = self.settings.timing.heartbeat.scaled(6, 1);
        self.peers
            .iter()
            .filter_map(|(name, p)| p.report.as_ref().map(|(r, at)| (name, r, at)))
            .filter(|(_, _, at)| now.since(**at) < recent)
            .map(|(name, r, _)| (name.clone(), r))
            .collect()
    }

    /// Before an empty copy leads, members that are silent, still loading, or hold something are
    /// waited for: a while, since nothing says that they ever will lead. One that proves nothing
    /// never goes before a fuller whole copy, nor before one that holds something which nothing
    /// vouches for, nor before who starts or loads: what that is worth, a person decides.
    pub(super) fn may_be_outdone(&self, best: &Standing, began: Tick, now: Tick) -> bool {
        if best.keys > 0 {
            return false;
        }
        let patient = now.since(began) < self.settings.timing.lease.scaled(2, 1);
        let hollow = best.stamp.hollow;
        let reports = self.recent_reports(now);
        self.settings.others().filter(|m| **m != best.who.id.name).any(|m| match reports.get(m) {
            Some(r) if hollow && !r.ready => true,
            Some(r) if hollow && r.keys > 0 && r.stamp.is_above(&best.stamp) => true,
            Some(r) if hollow && self.is_doubtful_with_data(r) => true,
            // A sync may end with data although its upstream is gone.
            Some(r) => patient && (r.keys > 0 || r.syncing || (!r.ready && !r.virgin)),
            None => patient && hollow,
        })
    }

    /// For whom an empty copy that proves nothing waits, in words: who holds something first.
    fn who_may_hold_more(&self, now: Tick) -> Option<String> {
        let reports = self.recent_reports(now);
        if let Some(r) = reports.values().find(|r| self.is_doubtful_with_data(r)) {
            let (name, keys) = (&r.who.id.name, r.keys);
            let text = format!("{name} holds {keys} keys that nothing vouches for");
            return Some(format!("{text}: a person decides"));
        }
        let (name, _) = reports.iter().find(|(_, r)| !r.ready)?;
        let text = format!("the engine of {name} is not ready yet");
        Some(format!("{text}: when it never is, a person decides"))
    }

    /// Holds something, of which nobody can tell what it is: its state file is new, or its upstream
    /// died before the copy was known to be whole.
    fn is_doubtful_with_data(&self, report: &Standing) -> bool {
        let doubtful = !self.is_of_record(&report.who.id) || !report.stamp.complete;
        report.ready && report.keys > 0 && doubtful
    }

    /// Outside of the record, with data, where all of the record say that they have none.
    pub(super) fn may_stand_in(&self, now: Tick) -> bool {
        let reports = self.recent_reports(now);
        let silent = self.settings.others().any(|m| !reports.contains_key(m));
        if !self.memory.stamp.filled
            || (silent && (self.is_strict() || !self.patience_is_over(now)))
        {
            return false;
        }
        let members = self.members_of_record();
        let bare = |r: &Standing| r.lost || r.virgin || r.stamp.hollow;
        !members.is_empty()
            && members.iter().all(|m| {
                reports
                    .get(&m.name)
                    .is_some_and(|r| r.ready && (bare(r) || !self.is_of_record(&r.who.id)))
            })
    }

    fn is_strict(&self) -> bool {
        matches!(self.settings.durability, Durability::Strict { .. })
    }

    fn patience_is_over(&self, now: Tick) -> bool {
        let since = self.orphan_since.unwrap_or(now).max(self.born);
        now.since(since) >= self.settings.recovery_timeout
    }

    /// The first primary (failover.md 2.11): every named member answers, nobody knows an epoch.
    fn consider_bootstrap(&mut self, record: &Record, now: Tick) {
        let reports = self.recent_reports(now);
        let known = reports.values().find(|r| !r.virgin);
        if !self.is_virgin() || known.is_some() {
            let who = known.map_or(&self.id.name, |r| &r.who.id.name);
            self.blocked = Some(format!(
                "RecoveryBlocked: the record is new, yet {who} knows an epoch or holds data: this is \
                 no bootstrap, a person decides"
            ));
            return;
        }
        let named = record.members.iter().filter(|m| **m != self.id.name);
        let missing = named.clone().filter(|m| !reports.contains_key(*m)).count();
        let majority = (reports.len() + 1) * 2 > record.members.len();
        let enough = missing == 0 || (!self.is_strict() && majority && self.patience_is_over(now));
        if !enough {
            self.blocked = Some(format!("Bootstrap: waiting for {missing} members to answer"));
            return;
        }
        let lowest = reports.values().filter(|r| r.ready).map(|r| r.who.id.name.ordinal()).min();
        // What loads may hold data, whatever its agent's disk knows.
        if reports.values().any(|r| !r.ready && (r.syncing || !self.patience_is_over(now))) {
            return;
        }
        if lowest.is_some_and(|other| other < self.id.name.ordinal()) {
            return;
        }
        let others: Vec<Standing> = reports.values().map(|r| (*r).clone()).collect();
        let text = format!("{} is the first primary: nobody has led before", self.id.name);
        self.create(record, &others, Reason::story("beginning", text), now);
    }

    /// Every member lost everything: a new line, said aloud (failover.md 2.11).
    fn consider_new_beginning(&mut self, record: &Record, now: Tick) {
        let held = record.holder.is_some();
        let wait = self.lease_wait().max(self.challenge_wait());
        let still = now.since(self.store.changed_at) >= wait;
        let me_empty = !self.memory.stamp.complete && self.engine.is_detached();
        if !me_empty || self.following_is_fresh(now) || (held && !still) {
            if held && me_empty && !still {
                self.wake_by(self.store.changed_at + wait);
            }
            return;
        }
        if self.memory.damaged {
            self.blocked = Some(Self::UNREADABLE.to_owned());
            return;
        }
        let reports = self.recent_reports(now);
        let everybody = self.settings.others().all(|m| reports.contains_key(m));
        let nothing = |r: &Standing| r.ready && (r.lost || r.virgin) && !r.holder_may_live;
        let nobody_has = reports.values().all(|r| nothing(r)) && !self.holder_may_live(now);
        // A last holder that is silent may still lead where nobody hears it, for ever if its
        // electorate is empty (failover.md 2.4 Hold): another pod of its name is not it.
        let pod_heard = |last: &Incarnation| {
            let pods = reports.values().map(|r| &r.who.id).chain([&self.id]);
            self.has_ended(last) || pods.into_iter().any(|p| p.same_pod(&last.id))
        };
        let last_heard = record.holder.as_ref().is_none_or(pod_heard);
        // Who is back has not said yet what it holds; and `strict` gives nobody up by itself.
        let back = |(name, peer): (&MemberName, &Peer)| peer.link_up && !reports.contains_key(name);
        let without = !self.settings.persistent
            && !self.is_strict()
            && last_heard
            && !self.peers.iter().any(back)
            && !self.somebody_held(now)
            && self.patience_is_over(now);
        let allowed = everybody || without;
        if !nobody_has || !allowed {
            if nobody_has {
                self.blocked =
                    Some("RecoveryBlocked: this member has no data, others are silent".into());
            }
            return;
        }
        let lowest = reports.values().map(|r| r.who.id.name.ordinal()).min();
        if lowest.is_some_and(|other| other < self.id.name.ordinal()) {
            return;
        }
        // One that hangs would be promoted when it thaws, whoever has come back with data by then.
        if now.since(self.engine.asked) > self.settings.timing.heartbeat {
            return self.observe_soon(now);
        }
        let others: Vec<Standing> = reports.values().map(|r| (*r).clone()).collect();
        let text = format!(
            "every member of the group has lost its data: {} begins anew, EMPTY",
            self.id.name
        );
        self.create(record, &others, Reason::story(BEGINS_EMPTY, text), now);
    }

    /// Who believes in a primary speaks seldom, and who is cut off may be back at any moment: a
    /// last word stands for longer.
    fn somebody_held(&self, now: Tick) -> bool {
        let holds = |(report, at): &(Standing, Tick)| {
            report.keys > 0 && now.since(*at) < self.settings.recovery_timeout
        };
        self.peers.values().any(|p| p.report.as_ref().is_some_and(holds))
    }

    /// Writes the record of a line of data that begins with nothing.
    fn create(&mut self, old: &Record, others: &[Standing], why: Reason, now: Tick) {
        let epoch = self.epoch_known().max(old.epoch).next();
        let start = self.own_line_offset();
        let seats = others.iter().map(|r| Seat { member: r.who.id.clone(), from: start }).collect();
        let mut record = old.clone();
        record.holder = Some(self.incarnation());
        record.epoch = epoch;
        record.initialised = true;
        record.released = None;
        record.electorate = Electorate {
            version: old.electorate.version + 1,
            seats,
            holder_from: start,
            copies: self.settings.durability.copies(),
            failsafe: self.settings.failsafe,
        };
        record.lease_ms = self.settings.timing.lease.as_millis();
        let begun_by = self.settings.boot.clone();
        let parent_start = start;
        record.lineage =
            Some(Lineage { epoch, start, parent_start, begun_by, ..Lineage::default() });
        record.renewal = self.next_renewal();
        self.replace_alone(record, why, now);
    }

    /// Whether a recovery election could be decided by those who answered the pre-vote.
    pub(super) fn recovery_might_do(&self, answered: &[MemberName], now: Tick) -> bool {
        if !self.settings.keeps(Cure::Recovery) {
            return false;
        }
        let members = self.members_of_record();
        let others = members.iter().filter(|m| m.name != self.id.name);
        let silent = others.filter(|m| !answered.contains(&m.name)).count();
        silent == 0 || self.patience_is_over(now)
    }

    /// The recovery election (failover.md 2.11): all of {A} ∪ E have answered, or patience is over
    /// and enough have. The highest stamp leads: voters refuse a lower one.
    pub(super) fn recovery_verdict(
        &self,
        granted: &BTreeMap<MemberName, Standing>,
        answered: &[MemberName],
        now: Tick,
    ) -> Result<String, String> {
        if !self.settings.keeps(Cure::Recovery) {
            return Err("no recovery".into());
        }
        let members = self.members_of_record();
        // A member promised, or came back with another disk: that is an answer too.
        let reports = self.recent_reports(now);
        let is_lost = |name: &MemberName| {
            answered.contains(name)
                && reports
                    .get(name)
                    .is_some_and(|r| r.lost || r.virgin || !self.is_of_record(&r.who.id))
        };
        let silent: Vec<String> = members
            .iter()
            .filter(|m| m.name != self.id.name)
            .filter(|m| !granted.contains_key(&m.name) && !is_lost(&m.name))
            .map(|m| m.name.to_string())
            .collect();
        let holds_more =
            |r: &&&Standing| self.is_doubtful_with_data(r) && r.stamp.is_above(&self.memory.stamp);
        if let Some(fuller) = reports.values().find(holds_more)
            && self.memory.keys == 0
        {
            let name = &fuller.who.id.name;
            return Err(format!("{name}, outside of the electorate, holds more: a person decides"));
        }
        if silent.is_empty() {
            return Ok("recovery: all have answered, this copy is the fullest \
                 (waited writes rest on the disks)"
                .into());
        }
        if !self.patience_is_over(now) {
            return Err(format!("waiting for {}", silent.join(", ")));
        }
        if self.is_strict() {
            return Err(format!("strict waits for {} or a person", silent.join(", ")));
        }
        if self.memory.stamp.epoch == Epoch(0) {
            return Err(format!("its data may be of any age without {}", silent.join(", ")));
        }
        if self.recovery_quorum(granted) {
            return Ok(format!(
                "recovery without {}: the fullest of who answered",
                silent.join(", ")
            ));
        }
        Err(format!("too few without {}", silent.join(", ")))
    }

    /// A and one of E, or p of E.
    fn recovery_quorum(&self, granted: &BTreeMap<MemberName, Standing>) -> bool {
        let Some(record) = self.store.record() else { return false };
        let by_disks;
        let record = if self.settings.keeps(Cure::RecoveryByPods) {
            record
        } else {
            by_disks = as_if_released(record);
            &by_disks
        };
        let granted: Vec<&MemberId> = granted.values().map(|r| &r.who.id).collect();
        super::quorum::recovery_quorum(record, &granted)
    }

    /// A person accepts what is lost (failover.md 2.11): a new generation of epochs.
    pub(super) fn wish_promote(&mut self, ask: AskId, now: Tick) {
        if self.leading.as_ref().is_some_and(|l| l.may_write()) {
            return self.answer(ask, Err("this member leads already".into()));
        }
        if self.is_writing_record() {
            let text = "a record of its own is on its way: ask again when it is known to stand";
            return self.answer(ask, Err(text.into()));
        }
        if self.leading.is_some() {
            self.step_down("a person begins anew here", now);
        }
        if self.following_is_fresh(now) {
            let who = self.primary_known().map_or("another".into(), |h| h.id.name.to_string());
            return self.answer(ask, Err(format!("{who} leads: use `failover --to` instead")));
        }
        let Some(view) = self.engine.view.as_ref().filter(|_| self.engine.is_ready()) else {
            return self.answer(ask, Err("the engine does not answer, or is loading".into()));
        };
        if view.sync_in_progress {
            return self.answer(ask, Err("the engine is syncing: what it had is gone".into()));
        }
        // An engine that points at a primary which closed its link is as good as one at the dead
        // end; a machine that has lost its power closes nothing.
        if view.link_up {
            self.following = None;
            self.engine.want = Posture::DeadEnd;
            if let Some(earlier) = self.letting_go.replace(ask) {
                self.answer(earlier, Err("it was asked again meanwhile".into()));
            }
            return self.observe_soon(now);
        }
        let old = self.store.record().cloned().unwrap_or_default();
        let known = self.epoch_known().max(old.epoch).0;
        let generation = (known / Lineage::GENERATION + 1) * Lineage::GENERATION;
        let start = self.own_line_offset();
        let mut record = old.clone();
        record.holder = Some(self.incarnation());
        record.epoch = Epoch(generation);
        record.initialised = true;
        record.released = None;
        record.electorate = Electorate {
            version: old.electorate.version + 1,
            seats: Vec::new(),
            holder_from: Offset(start.0),
            copies: self.settings.durability.copies(),
            failsafe: self.settings.failsafe,
        };
        record.lease_ms = self.settings.timing.lease.as_millis();
        record.lineage = Some(self.lineage_from_here(Epoch(generation)));
        record.renewal = self.next_renewal();
        let text = format!("a person made {} lead, accepting what is lost", self.id.name);
        self.replace_alone(record, Reason::story("forced", text.clone()), now);
        self.answer(ask, Ok(text));
    }

    /// The engine has let go of a primary that nobody hears, or it is heard again after all.
    pub(super) fn promote_sees_engine(&mut self, now: Tick) {
        let decided =
            self.engine.is_detached() || self.following_is_fresh(now) || self.leading.is_some();
        if let Some(ask) = self.letting_go.take_if(|_| decided) {
            self.wish_promote(ask, now);
        }
    }

    /// How long after its start a member without a primary says so.
    pub(super) fn silence(&self, now: Tick) -> Span {
        self.orphan_since.map_or(Span::ZERO, |since| now.since(since))
    }
}

/// The mutant's view of a held record: nobody's pods count, only disks do.
fn as_if_released(record: &Record) -> Record {
    let by = record.holder.as_ref().map(|holder| holder.id.clone());
    let released =
        by.map(|by| Released { by, offset: Offset(0), reason: String::new(), in_sync: Vec::new() });
    let released = released.or_else(|| record.released.clone());
    Record { holder: None, released, ..record.clone() }
}
