//! What this member knows of the record, and the reads that it makes.

use crate::cure::Cure;
use crate::effect::{Act, RequestId};
use crate::identity::{Ended, Incarnation, MemberName};
use crate::input::StoreOutcome;
use crate::reason::Reason;
use crate::record::{Record, Version};
use crate::time::{Span, Tick};

use super::Election;

/// The record as last seen, and since when it has stood so.
#[derive(Clone, Debug, Hash)]
pub(crate) struct StoreSide {
    seen: Option<(Version, Record)>,
    /// When a change of the version was last observed here. A challenger waits W from this.
    pub(crate) changed_at: Tick,
    /// The store has answered a read at least once.
    pub(crate) known: bool,
    /// The last call was answered.
    pub(crate) reachable: bool,
    /// Since when no call was answered.
    pub(crate) failing_since: Option<Tick>,
    /// When a call was first answered after that.
    pub(crate) back_at: Tick,
    /// The record was missing, or older than what this disk knows, at the last read.
    pub(crate) lacking: bool,
    reading: Option<(RequestId, Tick)>,
    /// The last member that was seen to hold the record.
    pub(crate) last_holder: Option<MemberName>,
    /// A read is wanted at this time.
    pub(crate) read_at: Tick,
    /// When the last read that was answered had been sent.
    pub(crate) read_sent: Option<Tick>,
}

impl StoreSide {
    pub(crate) fn new(now: Tick) -> Self {
        Self {
            seen: None,
            changed_at: now,
            known: false,
            reachable: false,
            failing_since: Some(now),
            back_at: now,
            lacking: false,
            reading: None,
            last_holder: None,
            read_at: now,
            read_sent: None,
        }
    }

    pub(crate) fn record(&self) -> Option<&Record> {
        self.seen.as_ref().map(|(_, record)| record)
    }

    /// Who holds the record; nobody while it is released.
    pub(crate) fn holder(&self) -> Option<&Incarnation> {
        self.record()?.holder.as_ref()
    }

    pub(crate) fn version(&self) -> Option<&Version> {
        self.seen.as_ref().map(|(version, _)| version)
    }

    /// Takes over what stands in the store. Returns whether the version is new here.
    pub(crate) fn learn(&mut self, version: Version, record: Record, now: Tick) -> bool {
        if self.version() == Some(&version) {
            return false;
        }
        self.seen = Some((version, record));
        self.changed_at = now;
        true
    }

    /// A call was answered, or was not.
    fn heard(&mut self, answered: bool, now: Tick) {
        self.reachable = answered;
        if !answered {
            self.failing_since.get_or_insert(now);
        } else if self.failing_since.take().is_some() {
            self.back_at = now;
        }
    }

    /// Whether `record` is older than what is known: a watch that lags.
    fn is_stale(&self, record: &Record) -> bool {
        self.record().is_some_and(|known| {
            (record.epoch, record.electorate.version) < (known.epoch, known.electorate.version)
        })
    }
}

impl Election {
    /// How long a challenger waits after it saw the record change: the longer of its own W and the
    /// one that the record was written with.
    pub(super) fn lease_wait(&self) -> Span {
        let written = self.store.record().map_or(0, |r| r.lease_ms);
        self.settings.timing.lease.max(Span::from_millis(written))
    }

    /// How many ends are kept: more than a group's pods have before the record has moved on.
    const ENDED_MAX: usize = 64;

    /// A container has ended, and with it everything that ran in it.
    pub(super) fn on_ended(&mut self, ended: Ended) {
        if let Some(holder) = self.store.holder().filter(|holder| ended.is_of(holder)) {
            let text = format!("{} has ended for certain: nobody waits for it", holder.id.name);
            self.out.note(Reason::story("certified", text));
        }
        // What it said last is no word of anybody who is there.
        for peer in self.peers.values_mut() {
            peer.report = peer.report.take().filter(|(report, _)| !ended.is_of(&report.who));
        }
        if !self.ended.contains(&ended) {
            self.ended.push(ended);
        }
        let over = self.ended.len().saturating_sub(Self::ENDED_MAX);
        self.ended.drain(..over);
    }

    /// Whether this run acts no more, by a death certificate (failover.md 2.4).
    pub(super) fn has_ended(&self, run: &Incarnation) -> bool {
        let whole = self.settings.keeps(Cure::CertificateOfOneRun);
        self.ended.iter().any(|ended| ended.is_of(run) || (!whole && ended.pod == run.id.pod))
    }

    /// How long a challenger waits: not at all for a holder that has ended for certain.
    pub(super) fn challenge_wait(&self) -> Span {
        let Some(holder) = self.store.holder() else { return self.lease_wait() };
        if self.has_ended(holder) {
            return Span::ZERO;
        }
        // Who needs nobody's acks shows by the record alone that it lives, every W/2: one write of
        // it may be lost.
        let alone = self.store.record().is_some_and(|record| record.electorate.is_empty());
        let other = alone && holder.id != self.id;
        self.lease_wait().scaled(if other { 2 } else { 1 }, 1)
    }

    /// How often the record is read when no watch brings it: often enough that a lost watch is not
    /// noticed, seldom enough to cost nothing.
    const READ_AGAIN: Span = Span::from_millis(15_000);

    pub(super) fn step_store(&mut self, now: Tick) {
        if let Some((_, sent)) = self.store.reading {
            let limit = sent + self.settings.timing.lease.scaled(2, 1);
            if now < limit {
                return self.wake_by(limit);
            }
            self.store.reading = None;
        }
        if now >= self.store.read_at {
            self.read_now(now, "read");
        } else {
            self.wake_by(self.store.read_at);
        }
    }

    /// Reads the record now, unless a read is under way.
    pub(super) fn read_now(&mut self, now: Tick, why: &'static str) {
        if self.store.reading.is_none() {
            let request = self.out.request();
            self.store.reading = Some((request, now));
            self.out.push(Act::Read { request }, Reason::routine(why));
        }
    }

    pub(super) fn on_store(&mut self, request: RequestId, outcome: StoreOutcome, now: Tick) {
        let answered = !matches!(outcome, StoreOutcome::Unavailable(_) | StoreOutcome::Unanswered);
        self.store.heard(answered, now);
        if !answered {
            // Whether it answers again is known soon, also where nothing else is asked of it.
            self.store.read_at = self.store.read_at.min(now + self.settings.timing.renew);
        }
        match self.store.reading {
            Some((reading, sent)) if reading == request => {
                self.store.reading = None;
                self.on_read(outcome, sent, now);
            }
            _ => self.on_replace(request, outcome, now),
        }
    }

    fn on_read(&mut self, outcome: StoreOutcome, sent: Tick, now: Tick) {
        self.store.read_at = now + Self::READ_AGAIN;
        match outcome {
            // A read that was on its way while a newer record was learned may show the one before.
            StoreOutcome::Read(Some((_, ref record)))
                if sent < self.store.changed_at && self.store.is_stale(record) =>
            {
                self.store.read_at = now;
            }
            StoreOutcome::Read(found) => {
                self.store.known = true;
                self.store.read_sent = Some(sent);
                self.on_found(found, true, now);
                self.handover_hears_store(now);
            }
            _ => self.store.read_at = now + self.settings.timing.renew,
        }
    }

    /// A watch brought the record: faster than a read, and it may lag.
    pub(super) fn on_watched(&mut self, seen: Option<(Version, Record)>, now: Tick) {
        match seen {
            Some((_, ref record)) if self.store.is_stale(record) => {}
            None => self.read_now(now, "watched-nothing"),
            found => self.on_found(found, false, now),
        }
    }

    /// A peer says what it has just written: as good as a watch.
    pub(super) fn on_written(&mut self, version: Version, record: Record, now: Tick) {
        if !self.store.is_stale(&record) {
            self.on_found(Some((version, record)), false, now);
        }
    }

    fn on_found(&mut self, found: Option<(Version, Record)>, read: bool, now: Tick) {
        let Some((version, record)) = found else {
            self.store.lacking = self.memory.epoch_max().0 > 0;
            self.store.seen = None;
            self.store.changed_at = now;
            self.candidate_sees_change(now);
            return self.lead_without_record(now);
        };
        let known = self.memory.electorate.as_ref().map(|(e, el)| (*e, el.version));
        let older = known.is_some_and(|known| (record.epoch, record.electorate.version) < known);
        if read || !older {
            self.store.lacking = older;
        }
        if self.store.learn(version, record, now) {
            self.heed_members();
            self.on_record(now);
        } else if read {
            self.lead_with_record(now);
        }
        if self.store.lacking {
            self.lead_without_record(now);
        }
    }

    /// The record has another version than before: it may name a new holder.
    fn on_record(&mut self, now: Tick) {
        let Some(record) = self.store.record().cloned() else { return };
        self.candidate_sees_change(now);
        if self.leading.as_ref().is_some_and(|l| l.is_own(&record.renewal)) {
            // Its own write, seen before its answer came.
            return self.lead_with_record(now);
        }
        self.count_change(&record, now);
        let me = self.incarnation();
        match &record.holder {
            Some(holder) if *holder == me => self.holder_is_me(&record, now),
            Some(holder) if holder.id == self.id => self.holder_was_me(&record, now),
            None if record.released.as_ref().is_some_and(|r| r.by.same_disk(&self.id)) => {
                self.holder_was_me(&record, now);
            }
            _ => self.holder_is_another(&record, now),
        }
        self.lead_with_record(now);
    }

    /// Takeovers an hour are limited (failover.md 2.3 L2): what every member counts for itself.
    fn count_change(&mut self, record: &Record, now: Tick) {
        let holder = record.holder.as_ref().map(|h| h.id.name.clone());
        if holder.is_some() && holder != self.store.last_holder {
            if self.store.last_holder.is_some() {
                self.changes.push(now);
            }
            self.store.last_holder = holder;
        }
        let hour = Span::from_millis(3_600_000);
        self.changes.retain(|at| now.since(*at) < hour);
    }

    /// Until when no failover may happen by itself: the hour's budget is spent, or the last one was
    /// less than W ago. A handover, a SIGTERM and a kill by hand are never held back.
    pub(super) fn held_back_until(&self) -> Tick {
        let budget = self.settings.budget_per_hour as usize;
        let spent = self.changes.len().checked_sub(budget).and_then(|i| self.changes.get(i));
        let hour = spent.map_or(Tick(0), |at| *at + Span::from_millis(3_600_000));
        let pause = self.changes.last().map_or(Tick(0), |at| *at + self.settings.timing.lease);
        hour.max(pause)
    }

    /// The record names this very run: as its own write says, or because it was appointed.
    pub(super) fn holder_is_me(&mut self, record: &Record, now: Tick) {
        if let Some(leading) = &self.leading
            && leading.epoch >= record.epoch
        {
            return;
        }
        if self.leading.is_some() || self.succession.is_some() || self.creation.is_some() {
            return;
        }
        if record.epoch > self.memory.led {
            self.accept_appointment(record, now);
        } else {
            // Its own write, never answered: the lead begins in an epoch of which that is known.
            self.begin_succession("its last write was never answered".into(), None, now);
        }
    }

    /// The record names an earlier run of this member.
    fn holder_was_me(&mut self, record: &Record, now: Tick) {
        if self.leading.is_none() && self.succession.is_none() && self.stopping.is_none() {
            let verb = if record.holder.is_some() { "holds" } else { "released" };
            let why = format!("this member {verb} epoch {} from an earlier run", record.epoch);
            self.begin_succession(why, None, now);
        }
    }

    fn holder_is_another(&mut self, record: &Record, now: Tick) {
        let deposed = self.leading.as_ref().is_some_and(|l| {
            record.epoch > l.epoch || (record.holder.is_some() && record.epoch == l.epoch)
        });
        if deposed {
            let holder = record.holder.as_ref().map_or("nobody".into(), |h| h.id.name.to_string());
            self.step_down(&format!("epoch {} is held by {holder}", record.epoch), now);
        }
        if self.succession.is_some() {
            self.end_succession();
        }
        self.drop_unsent_creation();
    }
}
