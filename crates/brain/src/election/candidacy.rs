//! Asking to lead (failover.md 2.4 Take, 2.9): read, pre-vote, promises, then the lease.

use std::collections::{BTreeMap, BTreeSet};

use crate::cure::Cure;
use crate::effect::{Act, RequestId};
use crate::identity::{Epoch, Incarnation, MemberName};
use crate::input::StoreOutcome;
use crate::message::{Candidacy, Denial, Message, Promise, Standing};
use crate::reason::Reason;
use crate::record::{Electorate, Lineage, Record, Seat, Version};
use crate::time::{Span, Tick};

use super::Election;
use super::quorum::{self, Shortfall};

/// A candidacy under way.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Candidate {
    pub(crate) asked: Candidacy,
    version: Version,
    /// The engine process whose data it stands on.
    run: u64,
    stage: Stage,
    began: Tick,
    yes: BTreeSet<MemberName>,
    answered: BTreeSet<MemberName>,
    granted: BTreeMap<MemberName, Standing>,
    /// Who has no seat and says that the holder may still lead: nothing is decided by what the
    /// disks hold then.
    holder_lives: Option<MemberName>,
}

#[derive(Clone, Debug, Hash)]
enum Stage {
    /// One quorum read, to be sure that nothing moved.
    Reading,
    /// Would they promise?
    PreVote(Tick),
    /// Promising itself first.
    Own,
    /// Do they promise?
    Promises(Tick),
    /// The compare-and-swap is on its way.
    Taking { request: RequestId, sent: Tick, record: Box<Record> },
}

impl Election {
    /// How far apart candidates of neighbouring rank begin.
    const RANK_DELAY: Span = Span::from_millis(300);
    /// How long a round of questions may take.
    const ROUND: Span = Span::from_millis(600);

    pub(super) fn step_candidacy(&mut self, now: Tick) {
        match self.candidate.as_ref().map(|c| &c.stage) {
            None => self.consider_candidacy(now),
            Some(Stage::Reading) => self.candidate_read(now),
            Some(Stage::PreVote(deadline)) if now >= *deadline => self.close_prevote(now),
            Some(Stage::Promises(deadline)) if now >= *deadline => self.close_promises(now),
            Some(Stage::PreVote(deadline) | Stage::Promises(deadline)) => {
                let deadline = *deadline;
                self.wake_by(deadline);
            }
            Some(Stage::Own) => {}
            Some(Stage::Taking { sent, .. }) => {
                // No answer at all: the edge has lost it. A read will tell.
                let limit = *sent + self.settings.timing.lease.scaled(2, 1);
                if now >= limit {
                    self.give_up("the store has not answered the takeover", Self::RANK_DELAY, now);
                } else {
                    self.wake_by(limit);
                }
            }
        }
    }

    /// Starts a candidacy when everything that can be known alone speaks for it.
    fn consider_candidacy(&mut self, now: Tick) {
        let leaves = self.stopping.is_some() || self.wiped.is_some();
        if leaves || self.leading.is_some() || self.vote.is_some() {
            return;
        }
        let Some(due) = self.candidacy_due(now) else { return };
        if now < due {
            return self.wake_by(due);
        }
        let (Some(record), Some(version)) = (self.store.record(), self.store.version()) else {
            return;
        };
        let asked = Candidacy {
            epoch: self.epoch_known().next(),
            candidate: self.incarnation(),
            for_epoch: record.epoch,
            for_version: record.electorate.version,
            stamp: self.stamp_told(),
        };
        self.candidate = Some(Candidate {
            asked,
            version: version.clone(),
            run: self.engine.run,
            stage: Stage::Reading,
            began: now,
            yes: BTreeSet::new(),
            answered: BTreeSet::new(),
            granted: BTreeMap::new(),
            holder_lives: None,
        });
        self.read_now(now, "read-before-vote");
    }

    /// When this member may ask; `None` when it may not at all.
    fn candidacy_due(&self, now: Tick) -> Option<Tick> {
        let record = self.store.record()?;
        let seated = self.is_of_record(&self.id) || self.may_stand_in(now);
        let succession = self.succession.as_ref().is_some_and(|s| !s.is_stuck(now));
        let busy = succession || self.creation.is_some();
        if !record.initialised || record.paused || self.store.lacking || !seated || busy {
            return None;
        }
        if !self.engine.is_ready() || !self.memory.stamp.complete {
            return None;
        }
        if self.store.failing_since.is_some() {
            // It could not take the lease, and would only be in another one's way.
            return None;
        }
        if self.following_is_fresh(now) || self.somebody_better_is_well(now) {
            return None;
        }
        if self.gives_way(now) {
            return None;
        }
        let calm = if record.is_released() {
            self.store.changed_at
        } else {
            let seen = self.primary_seen().unwrap_or(Tick(0));
            let peer = self.settings.timing.peer.max(self.memory.peer_max);
            (self.store.changed_at + self.challenge_wait()).max(seen + peer)
        };
        let rank = u64::from(self.own_rank(record));
        let begin = calm + Self::RANK_DELAY.scaled(rank, 1);
        Some(begin.max(self.candidacy_after).max(self.held_back_until()))
    }

    /// An empty copy that proves nothing does not go before others.
    fn gives_way(&self, now: Tick) -> bool {
        let since = self.orphan_since.unwrap_or(now).max(self.born);
        self.memory.stamp.hollow && self.may_be_outdone(&self.standing(), since, now)
    }

    /// How many members of the record are known to be ranked before this one.
    fn own_rank(&self, record: &Record) -> u32 {
        let me = self.standing();
        let better = self.peers.values().filter_map(|p| p.report.as_ref()).filter(|(report, _)| {
            let seated = record.electorate.seat_of_disk(&report.who.id).is_some();
            seated && report.ready && super::rank::compare(report, &me).is_lt()
        });
        better.count() as u32
    }

    /// A member with fresher data is reachable and able: it leads (failover.md 2.8). Where the
    /// store was away for everybody, the others are given time to hear from it again.
    fn somebody_better_is_well(&self, now: Tick) -> bool {
        let timing = &self.settings.timing;
        let recent = timing.heartbeat.scaled(4, 1);
        let all_back = self.store.back_at + timing.renew.scaled(2, 1) + timing.store_timeout();
        let heeds = !self.settings.keeps(Cure::UnableGivesWay);
        self.peers.values().filter_map(|p| p.report.as_ref()).any(|(report, at)| {
            now.since(*at) < recent
                && report.ready
                && !report.stopping
                && (!report.unable || *at < all_back || heeds)
                && (self.is_of_record(&report.who.id) || !self.is_of_record(&self.id))
                && report.stamp.is_above(&self.memory.stamp)
        })
    }

    fn candidate_read(&mut self, now: Tick) {
        let Some(candidate) = &self.candidate else { return };
        if self.store.read_sent.is_none_or(|sent| sent < candidate.began) {
            let limit = candidate.began + self.settings.timing.lease;
            if now >= limit {
                return self.give_up("the store does not answer", Self::RANK_DELAY, now);
            }
            self.read_now(now, "read-before-vote");
            return self.wake_by(limit);
        }
        if !self.settings.keeps(Cure::PromisesBeforeLease) {
            return self.take("the lease comes first", now);
        }
        let asked = candidate.asked.clone();
        if let Some(candidate) = &mut self.candidate {
            candidate.stage = Stage::PreVote(now + Self::ROUND);
            candidate.yes.insert(self.id.name.clone());
        }
        self.ask_all(&Message::PreVoteAsk(asked), "prevote-ask");
        self.prevote_may_close(now);
    }

    fn ask_all(&mut self, message: &Message, why: &'static str) {
        let others: Vec<MemberName> = self.settings.others().cloned().collect();
        for to in others {
            self.send(&to, message.clone(), Reason::routine(why));
        }
    }

    pub(super) fn on_prevote(
        &mut self,
        from: &MemberName,
        of: (Epoch, &Incarnation),
        denied: Option<Denial>,
        now: Tick,
    ) {
        let Some(candidate) = &mut self.candidate else { return };
        let mine = (candidate.asked.epoch, &candidate.asked.candidate) == of;
        if !mine || !matches!(candidate.stage, Stage::PreVote(_)) {
            return;
        }
        candidate.answered.insert(from.clone());
        match denied {
            None => {
                candidate.yes.insert(from.clone());
            }
            Some(Denial::NoSeat | Denial::Busy) => {}
            Some(Denial::HolderLives) => candidate.holder_lives = Some(from.clone()),
            Some(denial) => return self.denied(from, &denial, now),
        }
        self.prevote_may_close(now);
    }

    /// Somebody has a reason against it.
    fn denied(&mut self, from: &MemberName, denial: &Denial, now: Tick) {
        let (text, wait) = match denial {
            Denial::Epoch(epoch) => {
                let rank = u64::from(self.store.record().map_or(0, |r| self.own_rank(r)));
                let wait = Self::RANK_DELAY.scaled(rank + 1, 1);
                (format!("{from} has promised epoch {epoch} elsewhere"), wait)
            }
            Denial::Fresher(stamp) => {
                (format!("{from} holds more ({stamp})"), Span::from_millis(1500))
            }
            Denial::Electorate(v) => {
                (format!("{from} knows electorate {v}"), Span::from_millis(100))
            }
            Denial::TooEarly => (format!("{from} has seen a primary"), Span::from_millis(500)),
            Denial::NoSeat | Denial::HolderLives | Denial::Busy => {
                (format!("{from} cannot promise now"), Self::ROUND)
            }
        };
        let higher = if let Denial::Epoch(epoch) = denial { Some(*epoch) } else { None };
        self.give_up(&text, wait, now);
        if let (Some(epoch), Some(peer)) = (higher, self.peers.get_mut(from))
            && let Some((report, _)) = &mut peer.report
        {
            report.epoch = report.epoch.max(epoch);
        }
    }

    /// Everybody has answered: no need to wait for the end of the round.
    fn prevote_may_close(&mut self, now: Tick) {
        let Some(candidate) = &self.candidate else { return };
        let Some(record) = self.store.record() else { return };
        let e = &record.electorate;
        let need = quorum::promises(e.len(), e.copies, e.failsafe);
        let yes = candidate.yes.iter().filter(|m| e.seat_named(m).is_some()).count();
        if yes >= need || candidate.answered.len() >= self.peers.len() {
            self.close_prevote(now);
        }
    }

    fn close_prevote(&mut self, now: Tick) {
        let Some(candidate) = &self.candidate else { return };
        let Some(record) = self.store.record() else { return };
        let e = &record.electorate;
        let need = quorum::promises(e.len(), e.copies, e.failsafe);
        let yes = candidate.yes.iter().filter(|m| e.seat_named(m).is_some()).count();
        let heard: Vec<MemberName> = candidate.answered.iter().cloned().collect();
        let lives = candidate.holder_lives.clone();
        if yes < need && (lives.is_some() || !self.recovery_might_do(&heard, now)) {
            let also = lives.map_or(String::new(), |by| format!(", and {by} has seen a primary"));
            let text = format!("{yes} of {need} members would promise{also}");
            self.blocked = Some(format!("RecoveryBlocked: {text}"));
            return self.give_up(&text, Span::from_millis(1000), now);
        }
        let asked = candidate.asked.clone();
        if let Some(candidate) = &mut self.candidate {
            candidate.stage = Stage::Own;
        }
        self.begin_vote(asked, now);
    }

    /// This member has promised itself: detached, stamped, on disk. Now the others.
    pub(super) fn own_promise_given(&mut self, asked: &Candidacy, now: Tick) {
        let report = self.standing();
        let stamp = self.stamp_told();
        let me = self.id.name.clone();
        let Some(candidate) = &mut self.candidate else { return };
        if candidate.asked.epoch != asked.epoch {
            return;
        }
        candidate.answered.clear();
        candidate.granted.insert(me, report);
        candidate.asked.stamp = stamp;
        candidate.stage = Stage::Promises(now + Self::ROUND);
        let asked = candidate.asked.clone();
        self.ask_all(&Message::PromiseAsk(asked), "promise-ask");
        self.promises_may_close(now);
    }

    pub(super) fn own_promise_denied(&mut self) {
        self.candidate = None;
        self.candidacy_after = self.clock + Self::RANK_DELAY;
    }

    pub(super) fn on_promise(&mut self, from: &MemberName, promise: Promise, now: Tick) {
        self.learn_standing(from, &promise.report, now);
        let keeps = self.settings.keeps(Cure::PromiseForElectorate);
        let Some(candidate) = &mut self.candidate else { return };
        let asked = &candidate.asked;
        let same = (promise.epoch, &promise.candidate) == (asked.epoch, &asked.candidate)
            && (!keeps
                || (promise.for_epoch, promise.for_version)
                    == (asked.for_epoch, asked.for_version));
        if !same || !matches!(candidate.stage, Stage::Promises(_)) {
            return;
        }
        candidate.answered.insert(from.clone());
        match promise.denied {
            None => {
                candidate.granted.insert(from.clone(), *promise.report);
            }
            Some(Denial::NoSeat | Denial::Busy) => {}
            Some(Denial::HolderLives) => candidate.holder_lives = Some(from.clone()),
            Some(denial) => return self.denied(from, &denial, now),
        }
        self.promises_may_close(now);
    }

    fn promises_may_close(&mut self, now: Tick) {
        let Some(candidate) = &self.candidate else { return };
        let all = candidate.answered.len() >= self.peers.len();
        if all || self.take_shortfall().is_none() {
            self.close_promises(now);
        }
    }

    /// What is missing for Take, by what was granted so far.
    fn take_shortfall(&self) -> Option<Shortfall> {
        let (candidate, record) = (self.candidate.as_ref()?, self.store.record()?);
        let Some(lineage) = &record.lineage else { return Some(Shortfall::NobodyStands) };
        let e = &record.electorate;
        // A held record asks for the very pods that may have acked; a released one for the disks.
        let by_disk = record.is_released() || !self.settings.keeps(Cure::WholeIdentity);
        let seat_of = |id| if by_disk { e.seat_of_disk(id) } else { e.seat(id) };
        let quorum: Vec<(&Seat, &Standing)> =
            candidate.granted.values().filter_map(|r| seat_of(&r.who.id).map(|s| (s, r))).collect();
        let need = quorum::promises(e.len(), e.copies, e.failsafe);
        if quorum.len() < need || e.is_empty() {
            return Some(Shortfall::Promises(quorum.len(), need.max(1)));
        }
        if seat_of(&self.id).is_none() {
            return Some(Shortfall::Promises(0, need));
        }
        let standing_needed = self.settings.keeps(Cure::SomebodyStands);
        if !self.settings.keeps(Cure::StandingNeedsNoExactness)
            && !quorum.iter().any(|(s, r)| r.exact && quorum::stands(r, s.from, lineage))
        {
            return Some(Shortfall::NobodyStands);
        }
        quorum::data_suffice(e, lineage, &quorum, standing_needed).err()
    }

    fn close_promises(&mut self, now: Tick) {
        let shortfall = self.take_shortfall();
        if self.gives_way(now) {
            return self.give_up("this copy is empty, another may not be", Self::RANK_DELAY, now);
        }
        let Some(candidate) = &self.candidate else { return };
        let granted = candidate.granted.clone();
        let answered: Vec<MemberName> = candidate.answered.iter().cloned().collect();
        let lives = candidate.holder_lives.clone();
        match shortfall {
            None => {
                let names: Vec<String> = granted.keys().map(ToString::to_string).collect();
                let why = format!("promised by {}", names.join(", "));
                self.take(&why, now);
            }
            Some(shortfall) => match lives.map_or_else(
                || self.recovery_verdict(&granted, &answered, now),
                |by| Err(format!("{by} has seen a primary")),
            ) {
                Ok(why) => self.take(&why, now),
                Err(missing) => {
                    let text = format!("{shortfall}; {missing}");
                    self.blocked = Some(format!("RecoveryBlocked: {text}"));
                    self.give_up(&text, Span::from_millis(1000), now);
                }
            },
        }
    }

    /// The compare-and-swap that makes this member the holder (failover.md 2.9 step 3).
    fn take(&mut self, why: &str, now: Tick) {
        if self.is_writing_record() {
            return self.give_up("a record of its own is on its way", Self::RANK_DELAY, now);
        }
        let renewal = self.next_renewal();
        let Some(candidate) = &self.candidate else { return };
        let Some(old) = self.store.record() else { return };
        let start = self.own_line_offset();
        let seats: Vec<Seat> = candidate
            .granted
            .values()
            .filter(|r| r.who.id != self.id)
            .map(|r| Seat { member: r.who.id.clone(), from: start })
            .collect();
        let silent = old.holder.as_ref().map_or("nobody".to_owned(), |h| h.id.name.to_string());
        let text = format!(
            "{} takes over as epoch {} from {silent}: {why}; {}",
            self.id.name, candidate.asked.epoch, self.memory.stamp
        );
        let mut record = old.clone();
        record.holder = Some(self.incarnation());
        record.epoch = candidate.asked.epoch;
        record.electorate = Electorate {
            version: old.electorate.version + 1,
            seats,
            holder_from: start,
            ..old.electorate.clone()
        };
        record.lease_ms = self.settings.timing.lease.as_millis();
        record.lineage = Some(self.lineage_from_here(candidate.asked.epoch));
        record.released = None;
        record.renewal = renewal;
        let request = self.out.request();
        let version = candidate.version.clone();
        let act =
            Act::Replace { request, expected: Some(version), record: Box::new(record.clone()) };
        self.out.push(act, Reason::story("takeover", text));
        if let Some(candidate) = &mut self.candidate {
            candidate.stage = Stage::Taking { request, sent: now, record: Box::new(record) };
        }
    }

    /// Where this member's next line of data begins, on its own line: what its engine counts.
    pub(super) fn own_line_offset(&self) -> engine::Offset {
        let Some(view) = &self.engine.view else { return self.memory.stamp.offset };
        // After a restart from an append-only file the engine counts anew, from 0.
        let anew = !self.continues_stamp(view);
        view.offset.unwrap_or(if anew { engine::Offset(0) } else { self.memory.stamp.offset })
    }

    /// A line of data that goes on from this member's copy.
    pub(super) fn lineage_from_here(&self, epoch: Epoch) -> Lineage {
        Lineage {
            epoch,
            start: self.own_line_offset(),
            parent_start: self.memory.stamp.offset,
            parent_epoch: self.memory.stamp.epoch,
            parent_replid: self.memory.stamp.replid.clone(),
            begun_by: self.settings.boot.clone(),
            appointed: None,
        }
    }

    /// The answer to the takeover's compare-and-swap. Returns whether the request was that.
    pub(super) fn candidate_replaced(
        &mut self,
        request: RequestId,
        outcome: &StoreOutcome,
        now: Tick,
    ) -> bool {
        let Some(candidate) = &self.candidate else { return false };
        let Stage::Taking { request: taking, sent, record } = &candidate.stage else {
            return false;
        };
        if *taking != request {
            return false;
        }
        let (sent, record, run) = (*sent, record.clone(), candidate.run);
        match outcome {
            StoreOutcome::Replaced(version) => {
                self.candidate = None;
                self.store.learn(version.clone(), (*record).clone(), now);
                self.lead_with_run(run, &record, version.clone(), Some(sent), now);
            }
            StoreOutcome::Conflict => {
                self.give_up("the record changed meanwhile", Self::RANK_DELAY, now);
                self.read_now(now, "conflict");
            }
            // It may have been carried out: then the record names this run, and the lease counts
            // from a compare-and-swap of its own.
            _ => {
                self.give_up("the store did not answer the takeover", Self::RANK_DELAY, now);
                self.read_now(now, "unanswered");
            }
        }
        true
    }

    /// The record moved: what was asked for is for another version.
    pub(super) fn candidate_sees_change(&mut self, now: Tick) {
        let Some(candidate) = &self.candidate else { return };
        if matches!(candidate.stage, Stage::Taking { .. }) {
            return;
        }
        if !self.settings.keeps(Cure::PromiseForElectorate) {
            return self.candidate_follows_change();
        }
        if self.store.version() != Some(&candidate.version) {
            self.give_up("the record changed meanwhile", Self::RANK_DELAY, now);
        }
    }

    /// The mutant that keeps its promises over a change of the electorate (protocol-traces D10).
    fn candidate_follows_change(&mut self) {
        if let (Some(candidate), Some(version)) = (&mut self.candidate, self.store.version()) {
            candidate.version = version.clone();
        }
    }

    /// Two candidates do not duel: the one with the lesser copy (or, of equals, the higher ordinal)
    /// makes way.
    pub(super) fn yield_to_better(&mut self, other: &Candidacy, now: Tick) {
        let Some(candidate) = &self.candidate else { return };
        if matches!(candidate.stage, Stage::Taking { .. }) {
            return;
        }
        let mine = (self.memory.stamp.rank(), std::cmp::Reverse(self.id.name.ordinal()));
        let name = &other.candidate.id.name;
        if (other.stamp.rank(), std::cmp::Reverse(name.ordinal())) > mine {
            self.give_up(&format!("{name} asks too, and goes first"), Self::YIELD, now);
        }
    }

    /// How long who made way leaves the field to the other.
    const YIELD: Span = Span::from_millis(1500);

    /// Leads with the engine process that was chosen for; another one must be judged anew.
    pub(super) fn lead_with_run(
        &mut self,
        run: u64,
        record: &Record,
        version: Version,
        sent: Option<Tick>,
        now: Tick,
    ) {
        if run == self.engine.run && self.engine.is_ready() {
            return self.begin_lead(record, version, sent, now);
        }
        self.memory.led = self.memory.led.max(record.epoch);
        self.persist("lead", now);
        self.following = None;
        self.begin_succession("its engine ended during the takeover".into(), None, now);
    }

    /// Its compare-and-swap is on its way.
    pub(super) fn is_taking(&self) -> bool {
        self.candidate.as_ref().is_some_and(|c| matches!(c.stage, Stage::Taking { .. }))
    }

    /// The engine is gone: only a compare-and-swap that was sent cannot be called back.
    pub(super) fn drop_unsent_candidacy(&mut self) {
        if !self.is_taking() {
            self.candidate = None;
        }
    }

    pub(super) fn drop_candidacy(&mut self) {
        self.candidate = None;
    }

    fn give_up(&mut self, text: &str, wait: Span, now: Tick) {
        if let Some(candidate) = self.candidate.take() {
            let own = self.incarnation();
            if self.vote.as_ref().is_some_and(|v| v.candidacy.candidate == own) {
                self.vote = None;
            }
            self.candidacy_after = now + wait;
            let text = format!("no epoch {} yet: {text}", candidate.asked.epoch);
            self.out.note(Reason::detail("denied", text));
        }
    }
}
