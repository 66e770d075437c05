//! The dead hand (failover.md 2.10, 2.11): a holder without a primary engine appoints the
//! successor, or leads again itself; and the records that nobody's successor writes.

use std::collections::BTreeMap;

use crate::cure::Cure;
use crate::effect::{Act, PersistId, RequestId};
use crate::identity::MemberName;
use crate::input::StoreOutcome;
use crate::message::{Message, Standing};
use crate::reason::Reason;
use crate::record::{Electorate, Fall, Lineage, Record, Seat, Version};
use crate::time::{Span, Tick};

use super::Election;
use super::quorum;
use super::rank;

/// This member holds the record and has nothing to lead with.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Succession {
    why: String,
    began: Tick,
    ask: u64,
    next_ask: Tick,
    answers: BTreeMap<MemberName, Standing>,
    cas: Option<(RequestId, Tick, Box<Record>)>,
    waiting: Option<Waiting>,
    /// The engine process that the record was written for.
    run: u64,
    retry_at: Tick,
    fall: Option<Fall>,
}

impl Succession {
    /// It has had its time: the recovery election may try.
    pub(crate) fn is_stuck(&self, now: Tick) -> bool {
        !self.is_writing() && now.since(self.began) > Self::PATIENCE
    }

    /// It has sent a record, or is about to.
    pub(crate) fn is_writing(&self) -> bool {
        self.cas.is_some() || self.waiting.is_some()
    }

    const PATIENCE: Span = Span::from_millis(1500);
}

/// A record that waits for the disk, for the version that it was decided on.
#[derive(Clone, Debug, Hash)]
struct Waiting {
    after: PersistId,
    expected: Option<Version>,
    record: Box<Record>,
    why: Reason,
}

/// A record that is written by nobody's successor.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Creation {
    record: Box<Record>,
    why: Reason,
    after: PersistId,
    expected: Option<Version>,
    sent: Option<(RequestId, Tick)>,
    began: Tick,
}

impl Election {
    /// How long the members may take to answer before those who did are judged.
    const ASK_WITHIN: Span = Span::from_millis(80);

    pub(super) fn begin_succession(&mut self, why: String, fall: Option<Fall>, now: Tick) {
        self.out.note(Reason::detail("succession", why.clone()));
        self.asks_made += 1;
        self.succession = Some(Succession {
            why,
            began: now,
            ask: self.asks_made,
            next_ask: now,
            answers: BTreeMap::new(),
            cas: None,
            waiting: None,
            run: self.engine.run,
            retry_at: now,
            fall,
        });
        self.wake_by(now);
    }

    pub(super) fn end_succession(&mut self) {
        self.succession = None;
    }

    /// The primary's engine is gone: its agent saw it at once.
    pub(super) fn lead_lost_engine(&mut self, text: &str, own_fault: bool, now: Tick) {
        let Some(leading) = self.leading.take() else { return };
        if let Some(ask) = leading.handover.as_ref().and_then(|h| h.ask) {
            self.answer(ask, Err(format!("the engine ended meanwhile: {text}")));
        }
        if leading.gave && self.settings.keeps(Cure::HigherEpochAfterGiving) {
            // The lease has been sent away: what stands in the store decides.
            self.read_now(now, "gave");
        }
        self.memory.keep_reached(leading.lineage.epoch);
        let led_ms = now.since(leading.began).as_millis();
        let fall =
            own_fault.then(|| Fall { member: self.id.name.clone(), epoch: leading.epoch, led_ms });
        self.begin_succession(text.to_owned(), fall, now);
    }

    pub(super) fn step_succession(&mut self, now: Tick) {
        let Some(succession) = &self.succession else { return };
        if self.stopping.is_some() && !self.engine.is_demoted() {
            return;
        }
        if self.is_taking() || self.creation.is_some() {
            // Another record of its own is on its way beside it, and may be seen before it is
            // answered: what comes of that is known first.
            return;
        }
        if let Some((_, sent, _)) = succession.cas {
            let limit = sent + self.settings.timing.lease;
            if now < limit {
                return self.wake_by(limit);
            }
            self.retry_succession(now);
        }
        if self.succession.as_ref().is_some_and(|s| s.waiting.is_some()) {
            return;
        }
        self.ask_for_stamps(now);
        let retry_at = self.succession.as_ref().map_or(now, |s| s.retry_at);
        if now < retry_at {
            return self.wake_by(retry_at);
        }
        self.settle_succession(now);
    }

    /// A record of its own is on its way, or about to be: there is one at a time.
    pub(super) fn is_writing_record(&self) -> bool {
        let succession = self.succession.as_ref().is_some_and(Succession::is_writing);
        succession || self.is_taking() || self.creation.is_some()
    }

    fn ask_for_stamps(&mut self, now: Tick) {
        let every = self.settings.timing.heartbeat.scaled(1, 2);
        let Some(succession) = &mut self.succession else { return };
        if now < succession.next_ask {
            let next = succession.next_ask;
            return self.wake_by(next);
        }
        succession.next_ask = now + every;
        let ask = succession.ask;
        let close = succession.began + Self::ASK_WITHIN;
        self.wake_by(now + every);
        if close > now {
            self.wake_by(close);
        }
        let seated = self.seated();
        for to in seated {
            let message = Message::StampAsk { ask, until: None, within: Span::ZERO };
            self.send(&to, message, Reason::routine("stamp-ask"));
        }
    }

    fn seated(&self) -> Vec<MemberName> {
        let Some(record) = self.store.record() else { return Vec::new() };
        record.electorate.members().map(|m| m.name.clone()).collect()
    }

    pub(super) fn succession_hears(
        &mut self,
        from: &MemberName,
        ask: u64,
        report: &Standing,
        now: Tick,
    ) {
        let Some(succession) = &mut self.succession else { return };
        if ask == succession.ask {
            succession.answers.insert(from.clone(), report.clone());
            self.wake_by(now);
        }
    }

    /// Decides who leads next, as soon as it can be decided.
    fn settle_succession(&mut self, now: Tick) {
        let (Some(succession), Some(record)) = (&self.succession, self.store.record()) else {
            return;
        };
        if self.store.lacking {
            return;
        }
        if self.may_take_back(record) {
            return self.reclaim("it takes its own release back", now);
        }
        if record.holder.as_ref().is_none_or(|h| h.id != self.id) {
            return;
        }
        let Some(lineage) = record.lineage.clone() else { return };
        let e = record.electorate.clone();
        let mine = self.own_candidacy();
        if self.leads_again_at_once(&e, record, mine.as_ref()) {
            return self.reclaim("its own data are exact", now);
        }
        let answers: Vec<(&Seat, &Standing)> =
            succession.answers.values().filter_map(|r| e.seat(&r.who.id).map(|s| (s, r))).collect();
        let all = answers.len() == e.len();
        let closed = now.since(succession.began) >= Self::ASK_WITHIN;
        if !all && !closed {
            return;
        }
        let standing_needed = self.settings.keeps(Cure::SomebodyStands);
        let mut quorum = answers.clone();
        let holder_seat = Seat { member: self.id.clone(), from: e.holder_from };
        let own_report = self.standing();
        let certain = own_report.exact || self.settings.keeps(Cure::StandingNeedsNoExactness);
        let i_stand =
            mine.is_some() && certain && quorum::stands(&own_report, e.holder_from, &lineage);
        let witnesses = quorum::witnesses(e.len(), e.copies);
        let have = answers.iter().filter(|(_, r)| quorum::is_witness(r, lineage.epoch)).count();
        if mine.is_some() {
            quorum.push((&holder_seat, &own_report));
        }
        let stood = i_stand
            || quorum::data_suffice(&e, &lineage, &answers, standing_needed).is_ok()
            || (e.copies == 0 && quorum.iter().any(|(_, r)| quorum::is_known(r)));
        let keeps = self.settings.keeps(Cure::RestartedAsksWitnesses);
        if keeps && (have < witnesses || !stood) {
            self.blocked = Some(format!(
                "RecoveryBlocked: {have} of {witnesses} exact witnesses of the last epoch"
            ));
            return;
        }
        let highest = self.settings.keeps(Cure::HighestLeads);
        let able = quorum
            .iter()
            .filter(|(seat, r)| highest || quorum::stands(r, seat.from, &lineage))
            .map(|(_, r)| *r)
            .filter(|r| r.ready && r.stamp.complete && (!r.stopping || r.who.id == self.id));
        let best = rank::best(able).cloned();
        self.install(best, mine.is_some(), &own_report, now);
    }

    /// Appoints the best, or leads again; waits when a fuller copy is not able yet.
    fn install(&mut self, best: Option<Standing>, able: bool, own: &Standing, now: Tick) {
        let Some(best) = best else { return };
        let fuller = self.settings.keeps(Cure::HighestLeads)
            && self
                .succession
                .as_ref()
                .is_some_and(|s| s.answers.values().any(|r| r.stamp.is_above(&best.stamp)));
        // This member's own copy is fuller, but its engine is still loading.
        let own_fuller = !able && own.stamp.is_above(&best.stamp) && own.exact;
        // An older line of data is no match for one's own that is still being loaded.
        let older = !able && own.stamp.complete && best.stamp.epoch < own.stamp.epoch;
        let empty = !able && own.stamp.complete && best.keys == 0 && self.memory.keys > 0;
        let lesser = empty || (older && !self.stands_by_record(&best));
        let hopeful = (lesser || best.unable) && self.may_still_load(now);
        let began = self.succession.as_ref().map_or(now, |s| s.began);
        let premature = self.may_be_outdone(&best, began, now);
        if fuller || own_fuller || hopeful || premature {
            return;
        }
        if best.who.id == self.id {
            if self.stopping.is_none() {
                self.reclaim("no member of the electorate holds more", now);
            }
        } else if self.would_hold_in_vain(&best) {
            let text =
                format!("RecoveryBlocked: {} holds more, and could not lead", best.who.id.name);
            self.blocked = Some(text);
        } else {
            self.appoint(&best, now);
        }
    }

    /// Whose disk keeps no epoch cannot promote; appointed with nobody beside it in E, it would
    /// hold the record for ever (protocol-traces L12).
    fn would_hold_in_vain(&self, best: &Standing) -> bool {
        let others = self.store.record().is_some_and(|record| {
            record.electorate.members().any(|m| *m != best.who.id && *m != self.id)
        });
        best.unable && !others
    }

    /// Whether this member's data reach its seat in the record.
    fn stands_by_record(&self, report: &Standing) -> bool {
        self.store.record().is_some_and(|record| {
            let seat = record.electorate.seat(&report.who.id);
            let lineage = record.lineage.as_ref();
            seat.zip(lineage).is_some_and(|(seat, l)| quorum::stands(report, seat.from, l))
        })
    }

    /// Whether this member's own engine may still come up with its data.
    fn may_still_load(&self, now: Tick) -> bool {
        let patience = self.settings.timing.lease.scaled(2, 1);
        !self.engine.is_ready()
            && self.succession.as_ref().is_some_and(|s| now.since(s.began) < patience)
    }

    /// This member as a candidate for its own succession, once its engine has loaded.
    fn own_candidacy(&self) -> Option<Standing> {
        let able = self.engine.is_ready() && self.engine.is_demoted() && self.memory.stamp.complete;
        (able && self.stopping.is_none() && self.wiped.is_none()).then(|| self.standing())
    }

    /// The last holder may take its own released record back, if its data reach its final offset
    /// (protocol-traces L8).
    fn may_take_back(&self, record: &Record) -> bool {
        let (Some(released), None) = (&record.released, &record.holder) else { return false };
        let mine = released.by.same_disk(&self.id) && self.settings.keeps(Cure::TakeBackRelease);
        mine && self.own_candidacy().is_some_and(|me| {
            let whole = me.stamp.epoch == record.data_epoch() && !me.stamp.hollow;
            whole && me.stamp.offset >= released.offset
        })
    }

    /// Exact data that reach its own `from`, or the mutant that asks nobody.
    fn leads_again_at_once(&self, e: &Electorate, record: &Record, me: Option<&Standing>) -> bool {
        let (Some(me), Some(lineage)) = (me, &record.lineage) else { return false };
        if !self.settings.keeps(Cure::RestartedAsksWitnesses) {
            return true;
        }
        quorum::leads_again(me, e, lineage)
    }

    /// Leads again, in a new epoch with a new line of data.
    fn reclaim(&mut self, why: &str, now: Tick) {
        let Some(old) = self.store.record().cloned() else { return };
        let epoch = self.epoch_known().max(old.epoch).next();
        let start = self.own_line_offset();
        let mut record = old.clone();
        record.holder = Some(self.incarnation());
        record.epoch = epoch;
        record.lease_ms = self.settings.timing.lease.as_millis();
        record.electorate.version += 1;
        record.electorate.holder_from = start;
        record.electorate.seats.iter_mut().for_each(|s| s.from = start);
        record.lineage = Some(self.lineage_from_here(epoch));
        record.released = None;
        let text = format!("{} leads again as epoch {epoch}: {why}", self.id.name);
        self.succession_cas(record, Reason::story("reclaimed", text), now);
    }

    /// Gives the lease to the best (failover.md 2.10).
    fn appoint(&mut self, best: &Standing, now: Tick) {
        let Some(old) = self.store.record().cloned() else { return };
        if self.is_failover_loop(&old) {
            self.blocked =
                Some("FailoverLoop: two primaries died alike soon after promotion".into());
            return;
        }
        let held_back = self.held_back_until();
        if self.succession.as_ref().is_some_and(|s| s.fall.is_some()) && now < held_back {
            let text = "FailoverBudget: the engine died of its own fault too soon again";
            self.blocked = Some(text.to_owned());
            return self.wake_by(held_back);
        }
        let epoch = self.epoch_known().max(old.epoch).next();
        let record = self.appointment(&old, best, epoch, None);
        let text = format!(
            "{} appointed, epoch {epoch}: {} is the fullest copy that answered ({})",
            best.who.id.name,
            best.stamp,
            self.succession.as_ref().map_or("", |s| s.why.as_str()),
        );
        self.succession_cas(record, Reason::story("appointed", text), now);
    }

    /// The record that gives the lease to `best`; `stays`: this member with its seat, after a
    /// handover (protocol-traces L3).
    pub(super) fn appointment(
        &self,
        old: &Record,
        best: &Standing,
        epoch: crate::Epoch,
        stays: Option<Seat>,
    ) -> Record {
        let start = best.stamp.offset;
        let mut record = old.clone();
        record.holder = Some(best.who.clone());
        record.epoch = epoch;
        let mut seats = old.electorate.seats.clone();
        seats.retain(|s| s.member != best.who.id);
        seats.iter_mut().for_each(|s| s.from = start);
        seats.extend(stays.map(|s| Seat { from: start, ..s }));
        seats.sort_by(|a, b| a.member.name.cmp(&b.member.name));
        record.electorate = Electorate {
            version: old.electorate.version + 1,
            seats,
            holder_from: start,
            ..old.electorate.clone()
        };
        record.lineage = Some(crate::Lineage {
            epoch,
            start,
            parent_start: start,
            parent_epoch: best.stamp.epoch,
            parent_replid: best.stamp.replid.clone(),
            begun_by: self.settings.boot.clone(),
            appointed: Some(best.stamp.clone()),
        });
        record.released = None;
        if let Some(fall) = self.succession.as_ref().and_then(|s| s.fall.clone()) {
            record.falls.push(fall);
            let excess = record.falls.len().saturating_sub(Record::FALLS_MAX);
            record.falls.drain(..excess);
        }
        record
    }

    /// Two different members died of their own fault within five minutes of their promotion.
    fn is_failover_loop(&self, record: &Record) -> bool {
        let soon = 300_000;
        let Some(now) = self.succession.as_ref().and_then(|s| s.fall.as_ref()) else {
            return false;
        };
        record.falls.last().is_some_and(|last| {
            last.member != now.member
                && last.led_ms < soon
                && now.led_ms < soon
                && last.epoch.next() == now.epoch
        })
    }

    fn succession_cas(&mut self, mut record: Record, why: Reason, now: Tick) {
        record.renewal = self.next_renewal();
        let after = if record.holder.as_ref().is_some_and(|h| h.id == self.id) {
            self.memory.led = record.epoch;
            self.persist("reclaim", now)
        } else {
            PersistId(0)
        };
        let expected = self.store.version().cloned();
        let run = self.engine.run;
        if let Some(succession) = &mut self.succession {
            succession.run = run;
            succession.waiting = Some(Waiting { after, expected, record: Box::new(record), why });
        }
        self.succession_persisted(now);
    }

    pub(super) fn succession_persisted(&mut self, now: Tick) {
        let persisted = self.out.persisted;
        if let Some(succession) = &mut self.succession
            && succession.waiting.as_ref().is_some_and(|w| persisted >= w.after)
            && let Some(Waiting { expected, record, why, .. }) = succession.waiting.take()
        {
            let request = self.out.request();
            succession.cas = Some((request, now, record.clone()));
            self.out.push(Act::Replace { request, expected, record }, why);
        }
        self.creation_persisted(now);
    }

    pub(super) fn succession_replaced(
        &mut self,
        request: RequestId,
        outcome: &StoreOutcome,
        now: Tick,
    ) -> bool {
        let Some(succession) = &self.succession else { return false };
        let Some((r, sent, record)) = &succession.cas else { return false };
        if *r != request {
            return false;
        }
        let (sent, record, run) = (*sent, record.clone(), succession.run);
        if let StoreOutcome::Replaced(version) = outcome {
            self.store.learn(version.clone(), (*record).clone(), now);
            self.succession = None;
            if record.holder.as_ref() == Some(&self.incarnation()) {
                self.lead_with_run(run, &record, version.clone(), Some(sent), now);
            } else {
                self.tell_written(&record, version.clone());
            }
        } else {
            self.retry_succession(now);
            self.read_now(now, "succession");
        }
        true
    }

    fn retry_succession(&mut self, now: Tick) {
        let pause = self.settings.timing.heartbeat.scaled(1, 2);
        if let Some(succession) = &mut self.succession {
            succession.cas = None;
            succession.retry_at = now + pause;
        }
        self.wake_by(now + pause);
    }

    /// The record names this run, and it was not its own write: it was appointed (or its takeover
    /// was never answered). It leads if it still holds what it was chosen for.
    pub(super) fn accept_appointment(&mut self, record: &Record, now: Tick) {
        let (Some(lineage), Some(version)) = (&record.lineage, self.store.version().cloned())
        else {
            return;
        };
        let stamp = &self.memory.stamp;
        let holds = match &lineage.appointed {
            Some(appointed) => stamp.complete && !appointed.is_above(stamp),
            // A line that began with nothing asks for nothing.
            None if !lineage.parent_replid.is_known() => !stamp.complete,
            None => stamp.complete && stamp.offset >= lineage.parent_start,
        };
        let able = holds && self.engine.is_ready() && self.stopping.is_none();
        // Whoever appointed could not know that this engine counts anew: the line's start would be
        // out of everybody's reach. It leads again from where it counts.
        let anew = self.engine.view.as_ref().is_some_and(|view| !self.continues_stamp(view));
        if able && anew && (lineage.appointed.is_some() || self.counts_below(lineage)) {
            self.following = None;
            return self.begin_succession("its engine counts anew".into(), None, now);
        }
        if able || !self.settings.keeps(Cure::AppointedHoldsStamp) {
            let text = format!("{} is the holder of epoch {}", self.id.name, record.epoch);
            self.out.note(Reason::story("accepted", text));
            self.begin_lead(record, version, None, now);
        } else {
            let why =
                format!("{} was appointed and no longer holds {}", self.id.name, lineage.start);
            self.following = None;
            self.begin_succession(why, None, now);
        }
    }

    /// Whether this engine counts from below the start of a line: another process of it began that.
    fn counts_below(&self, lineage: &Lineage) -> bool {
        self.own_line_offset() < lineage.start
    }

    /// Writes a record as nobody's successor.
    pub(super) fn replace_alone(&mut self, record: Record, why: Reason, now: Tick) {
        // The epoch goes to the disk once the record stands: a bootstrap that failed must leave
        // this member as new as it was.
        let after = self.persist("creation", now);
        let expected = self.store.version().cloned();
        let record = Box::new(record);
        self.creation = Some(Creation { record, why, after, expected, sent: None, began: now });
        self.creation_persisted(now);
    }

    fn creation_persisted(&mut self, now: Tick) {
        let persisted = self.out.persisted;
        let Some(creation) = &mut self.creation else { return };
        if creation.sent.is_none() && persisted >= creation.after {
            let request = self.out.request();
            creation.sent = Some((request, now));
            let expected = creation.expected.clone();
            let act = Act::Replace { request, expected, record: creation.record.clone() };
            let why = creation.why.clone();
            self.out.push(act, why);
        }
    }

    /// Somebody leads: what was decided without anybody is void, unless it was sent.
    pub(super) fn drop_unsent_creation(&mut self) {
        if self.creation.as_ref().is_some_and(|c| c.sent.is_none()) {
            self.creation = None;
        }
    }

    pub(super) fn step_creation(&mut self, now: Tick) {
        let Some(creation) = &self.creation else { return };
        let limit = creation.began + self.settings.timing.lease.scaled(2, 1);
        if now >= limit {
            self.creation = None;
            self.heed_own_creation(now);
        } else {
            self.wake_by(limit);
        }
    }

    pub(super) fn creation_replaced(
        &mut self,
        request: RequestId,
        outcome: &StoreOutcome,
        now: Tick,
    ) -> bool {
        let Some(creation) = &self.creation else { return false };
        let Some((r, sent)) = creation.sent else { return false };
        if r != request {
            return false;
        }
        let record = creation.record.clone();
        self.creation = None;
        if let StoreOutcome::Replaced(version) = outcome {
            self.store.learn(version.clone(), (*record).clone(), now);
            if record.lineage.as_ref().is_some_and(|lineage| self.counts_below(lineage)) {
                // Another engine process since it was written, which counts anew.
                self.begin_succession("its engine counts anew".into(), None, now);
            } else {
                self.begin_lead(&record, version.clone(), Some(sent), now);
            }
        } else {
            self.read_now(now, "creation");
            self.heed_own_creation(now);
        }
        true
    }

    /// It may have been seen to stand before its answer was given up: then it is taken up now.
    fn heed_own_creation(&mut self, now: Tick) {
        let me = self.incarnation();
        let seen = self.store.record().filter(|record| record.holder.as_ref() == Some(&me));
        if let Some(record) = seen.cloned().filter(|_| !self.store.lacking) {
            self.holder_is_me(&record, now);
        }
    }
}
