//! Leading: heartbeats, renewals, promotion and every compare-and-swap of a holder (failover.md 2.4
//! to 2.7, 2.9).

use std::collections::{BTreeMap, VecDeque};

use engine::Replid;

use crate::cure::Cure;
use crate::effect::{Act, PersistId, RequestId, Route};
use crate::identity::{Epoch, MemberId, MemberName};
use crate::input::StoreOutcome;
use crate::message::{Ack, Attach, Beginning, Heartbeat, Message};
use crate::reason::Reason;
use crate::record::{Electorate, Lineage, Record, Version};
use crate::time::{Span, Tick};
use crate::timing::LAZY_RENEWAL;
use crate::topology::{Durability, Settings};

use super::Election;
use super::authority::Authority;
use super::change::Change;
use super::engine_side::Posture;
use super::handover::Handover;

/// How far the lead has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Holder, not yet allowed to promote.
    Preparing,
    /// `NO ONE` is under way.
    Promoting,
    /// The engine takes writes.
    Writable,
    /// Authority is over: the engine is (being) demoted, since this time; ended by force if `true`.
    Fenced(Tick, bool),
    /// The engine has been demoted by a handover or a release.
    Yielded,
}

/// What a holder's compare-and-swap is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CasKind {
    Renew,
    Bump,
    Electorate,
    /// The lease is given away: to a successor, or to nobody.
    Give,
}

/// A compare-and-swap of the holder, on its way or waiting for the disk.
#[derive(Debug)]
pub(crate) struct HolderCas {
    pub(crate) kind: CasKind,
    record: Box<Record>,
    why: Reason,
    after: PersistId,
    sent: Option<(RequestId, Tick)>,
}

/// This member holds the record.
#[derive(Debug)]
pub(crate) struct Leading {
    pub(crate) epoch: Epoch,
    pub(crate) lineage: Lineage,
    pub(crate) electorate: Electorate,
    pub(crate) authority: Authority,
    pub(crate) state: State,
    pub(crate) base: Record,
    beats: VecDeque<(u64, Tick)>,
    seq: u64,
    pub(crate) next_beat: Tick,
    pub(crate) next_renew: Tick,
    pub(crate) cas: Option<HolderCas>,
    own: VecDeque<(String, Tick, CasKind)>,
    pub(crate) gave: bool,
    nack: Epoch,
    ready_after: PersistId,
    pub(crate) change: Option<Change>,
    pub(crate) handover: Option<Handover>,
    pub(crate) expelled: Vec<MemberName>,
    pub(crate) via: BTreeMap<MemberName, (MemberName, MemberId)>,
    pub(crate) soft_paused: bool,
    promoted_at: Option<Tick>,
    routed: Option<Route>,
    pub(crate) began: Tick,
    wish_done: Option<String>,
}

impl Leading {
    pub(crate) fn is_fenced(&self) -> bool {
        matches!(self.state, State::Fenced(..))
    }

    /// The engine takes writes, or is about to.
    pub(crate) fn may_write(&self) -> bool {
        matches!(self.state, State::Promoting | State::Writable)
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.handover.is_some()
            || self.change.as_ref().is_some_and(Change::looks)
            || matches!(self.state, State::Promoting)
    }

    /// Whether this run wrote the record with this renewal.
    pub(crate) fn is_own(&self, renewal: &str) -> bool {
        self.own.iter().any(|(own, ..)| own == renewal)
    }

    /// Who may replicate from this engine.
    pub(crate) fn admissions(&self, settings: &Settings) -> Vec<MemberId> {
        if settings.keeps(Cure::PrimaryAdmits) {
            let seated = self.electorate.members();
            return seated.filter(|m| !self.expelled.contains(&m.name)).cloned().collect();
        }
        // The mutant: everybody whose agent believes that it may.
        self.base.electorate.members().chain(self.electorate.members()).cloned().collect()
    }

    fn sent_at(&self, seq: u64) -> Option<Tick> {
        self.beats.iter().find(|(s, _)| *s == seq).map(|(_, at)| *at)
    }
}

impl Election {
    /// Marks every write of this run: what it reads back as its own.
    pub(super) fn next_renewal(&mut self) -> String {
        self.renewals += 1;
        format!("{}.{}", self.settings.boot, self.renewals)
    }

    /// This run holds the record now (failover.md 2.9 step 4). `lease_sent`: when the successful
    /// compare-and-swap was sent, if it was this run's own.
    pub(super) fn begin_lead(
        &mut self,
        record: &Record,
        version: Version,
        lease_sent: Option<Tick>,
        now: Tick,
    ) {
        let Some(lineage) = record.lineage.clone() else { return };
        let electorate = record.electorate.clone();
        let (timing, failsafe) = (self.settings.timing, self.settings.failsafe);
        let mut authority = Authority::new(timing, failsafe, electorate.clone());
        if let Some(sent) = lease_sent {
            authority.renewed(sent, electorate.clone());
        } else if !self.settings.keeps(Cure::AppointedNeedsAcks) {
            authority.renewed(now, electorate.clone());
        }
        self.memory.led = record.epoch;
        self.memory.electorate = Some((record.epoch, electorate.clone()));
        self.memory.attached_in = None;
        self.memory.remember_beginning(&beginning_of(&lineage));
        let ready_after = self.persist("lead", now);
        let promised = self.memory.promised.as_ref().filter(|(_, to)| *to != self.id);
        let nack = promised.map_or(Epoch(0), |(epoch, _)| *epoch);
        self.following = None;
        self.candidate = None;
        self.vote = None;
        self.end_succession();
        self.creation = None;
        self.orphan_since = None;
        self.blocked = None;
        for peer in self.peers.values_mut() {
            peer.last_ack = None;
            peer.seated = now;
        }
        self.leading = Some(Box::new(Leading {
            epoch: record.epoch,
            lineage,
            electorate,
            authority,
            state: State::Preparing,
            base: record.clone(),
            beats: VecDeque::new(),
            seq: 0,
            next_beat: now,
            next_renew: if lease_sent.is_some() { now + timing.renew } else { now + timing.heartbeat },
            cas: None,
            own: VecDeque::new(),
            gave: false,
            nack,
            ready_after,
            change: None,
            handover: None,
            expelled: Vec::new(),
            via: BTreeMap::new(),
            soft_paused: false,
            promoted_at: None,
            routed: None,
            began: now,
            wish_done: record.handover.as_ref().map(|w| w.id.clone()),
        }));
        self.tell_written(record, version);
    }

    /// Spares the others their watch.
    pub(super) fn tell_written(&mut self, record: &Record, version: Version) {
        let message = Message::Written { version, record: Box::new(record.clone()) };
        let others: Vec<MemberName> = self.settings.others().cloned().collect();
        for to in others {
            self.send(&to, message.clone(), Reason::routine("written"));
        }
    }

    pub(super) fn step_leading(&mut self, now: Tick) {
        if self.leading.is_none() {
            return self.step_creation(now);
        }
        self.beat(now);
        self.renew(now);
        self.regain(now);
        self.promote(now);
        self.upkeep_electorate(now);
        self.step_handover(now);
        self.write_guard(now);
        self.publish_route();
    }

    /// Heartbeats to everybody; a holder without authority says that instead.
    fn beat(&mut self, now: Tick) {
        let heartbeat = self.settings.timing.heartbeat;
        let Some(leading) = &mut self.leading else { return };
        if now < leading.next_beat {
            let next = leading.next_beat;
            return self.wake_by(next);
        }
        leading.next_beat = now + heartbeat;
        self.wake_by(now + heartbeat);
        if self.leading.as_ref().is_some_and(|l| l.gave) {
            return;
        }
        let others: Vec<MemberName> = self.settings.others().cloned().collect();
        let Some(leading) = &mut self.leading else { return };
        if leading.is_fenced() && self.settings.keeps(Cure::FencedIsNotSeen) {
            let message = Message::Fenced { epoch: leading.epoch };
            for to in others {
                self.send(&to, message.clone(), Reason::routine("fenced"));
            }
            return;
        }
        leading.seq += 1;
        leading.beats.push_back((leading.seq, now));
        while leading.beats.len() > 64 {
            leading.beats.pop_front();
        }
        for to in others {
            if let Some(beat) = self.beat_for(&to) {
                self.send(&to, Message::Heartbeat(Box::new(beat)), Reason::routine("heartbeat"));
            }
        }
    }

    fn beat_for(&self, to: &MemberName) -> Option<Heartbeat> {
        let leading = self.leading.as_ref()?;
        let view = self.engine.view.as_ref();
        // The stream has a new id after the promotion: only a look since then knows it.
        let known = view.filter(|v| {
            v.is_primary && leading.promoted_at.is_some_and(|at| self.engine.asked >= at)
        });
        let peer = self.peers.get(to)?;
        let (link_run, heard) = peer.link_seen;
        let link_seen = if self.engine.asked > heard { link_run } else { 0 };
        let serve = leading.via.values().filter(|(by, _)| by == to).map(|(_, id)| id.clone());
        Some(Heartbeat {
            holder: self.incarnation(),
            epoch: leading.epoch,
            electorate: leading.electorate.clone(),
            seq: leading.seq,
            lineage: leading.lineage.clone(),
            history: self.memory.history.clone(),
            replid: known.map_or(Replid::default(), |v| v.replid.clone()),
            offset: view.and_then(|v| v.offset).unwrap_or(leading.lineage.start),
            peer: self.settings.timing.peer,
            lease: self.settings.timing.lease,
            attach: self.attach_for(to),
            serve: serve.collect(),
            link_seen,
        })
    }

    fn attach_for(&self, to: &MemberName) -> Attach {
        let Some(leading) = &self.leading else { return Attach::Wait };
        let id = self.peers.get(to).and_then(|p| p.report.as_ref()).map(|(r, _)| &r.who.id);
        let seated = match id {
            Some(id) => leading.electorate.seat(id).is_some(),
            None => leading.electorate.seat_named(to).is_some(),
        };
        if seated && !leading.expelled.contains(to) {
            return Attach::Primary;
        }
        match leading.via.get(to) {
            Some((replica, _)) => Attach::Via(replica.clone()),
            None => Attach::Wait,
        }
    }

    pub(super) fn on_ack(&mut self, from: &MemberName, ack: Ack, now: Tick) {
        self.learn_standing(from, &ack.report, now);
        let Some(leading) = &mut self.leading else { return };
        if let Some(stands) = ack.nack {
            leading.nack = leading.nack.max(stands);
            return;
        }
        if ack.epoch != leading.epoch {
            return;
        }
        let Some(sent) = leading.sent_at(ack.seq) else { return };
        let counted = if self.settings.keeps(Cure::AckFromSending) { sent } else { now };
        leading.authority.acknowledged(&ack.report.who.id, counted);
        if let Some(peer) = self.peers.get_mut(from) {
            peer.last_ack = Some(now);
            if !ack.report.stopping {
                peer.goodbye = None;
            }
        }
    }

    /// Renews the lease: every R, or lazily while the peers suffice (failover.md 2.5).
    fn renew(&mut self, now: Tick) {
        let timing = self.settings.timing;
        let lazy_ok = self.peers_suffice(now);
        let Some(leading) = &mut self.leading else { return };
        if leading.gave || leading.cas.is_some() {
            return;
        }
        let bump = leading.nack > Epoch(0) && leading.nack >= leading.epoch;
        let last = leading.next_renew;
        let due = if bump {
            now
        } else if lazy_ok && !leading.authority.is_joint() && leading.may_write() {
            last + LAZY_RENEWAL.less(timing.renew)
        } else {
            last
        };
        if now < due {
            return self.wake_by(due);
        }
        leading.next_renew = now + timing.renew;
        if bump {
            return self.bump("a member has promised a newer epoch", now);
        }
        let record = self.holder_record();
        self.holder_cas(CasKind::Renew, record, Reason::detail("renew", "the lease is renewed"), now);
    }

    /// The newest heartbeat that a members acknowledged is younger than 2 H, and no link is broken.
    pub(super) fn peers_suffice(&self, now: Tick) -> bool {
        if !self.settings.keeps(Cure::LazyReturns) {
            return true;
        }
        let Some(leading) = &self.leading else { return false };
        let linked = leading
            .electorate
            .seats
            .iter()
            .all(|s| self.peers.get(&s.member.name).is_some_and(|p| p.link_up));
        linked && leading.authority.peers_are_fresh(now)
    }

    /// A higher epoch for the same lead: authority only, no new line of data (protocol-traces D15).
    fn bump(&mut self, why: &str, now: Tick) {
        let epoch = self.epoch_known().next();
        let mut record = self.holder_record();
        record.epoch = epoch;
        if !self.settings.keeps(Cure::BumpIsNoLineage) {
            record.lineage = Some(self.lineage_from_here(epoch));
        }
        let why = Reason::story("bump", format!("epoch {epoch}: {why}"));
        self.holder_cas(CasKind::Bump, record, why, now);
    }

    /// The record as this holder has it, ready to be changed.
    pub(super) fn holder_record(&self) -> Record {
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
    pub(super) fn holder_cas(
        &mut self,
        kind: CasKind,
        mut record: Record,
        why: Reason,
        now: Tick,
    ) -> bool {
        if self.leading.as_ref().is_none_or(|l| l.cas.is_some()) {
            return false;
        }
        record.renewal = self.next_renewal();
        let after = if matches!(kind, CasKind::Renew) {
            PersistId(0)
        } else {
            // A new epoch or electorate is on disk before it is sent (failover.md 2.1).
            if !matches!(kind, CasKind::Give) {
                self.memory.led = self.memory.led.max(record.epoch);
            }
            self.persist("cas", now)
        };
        let Some(leading) = &mut self.leading else { return false };
        if matches!(kind, CasKind::Electorate) && self.settings.keeps(Cure::JointFromSending) {
            leading.authority.also_under(record.electorate.clone());
        }
        leading.cas = Some(HolderCas { kind, record: Box::new(record), why, after, sent: None });
        self.send_cas(now);
        true
    }

    /// Sends the waiting compare-and-swap once its memory is on disk.
    fn send_cas(&mut self, now: Tick) {
        let expected = self.store.version().cloned();
        let persisted = self.out.persisted;
        let Some(leading) = &mut self.leading else { return };
        let Some(cas) = &mut leading.cas else { return };
        if cas.sent.is_some() || persisted < cas.after {
            return;
        }
        let request = self.out.request();
        cas.sent = Some((request, now));
        leading.own.push_back((cas.record.renewal.clone(), now, cas.kind.clone()));
        while leading.own.len() > 16 {
            leading.own.pop_front();
        }
        leading.gave |= matches!(cas.kind, CasKind::Give);
        let act = Act::Replace { request, expected, record: cas.record.clone() };
        let why = cas.why.clone();
        self.out.push(act, why);
    }

    pub(super) fn lead_persisted(&mut self, now: Tick) {
        self.send_cas(now);
        self.succession_persisted(now);
    }

    /// The answer to any compare-and-swap.
    pub(super) fn on_replace(&mut self, request: RequestId, outcome: StoreOutcome, now: Tick) {
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
                // Certainly not carried out: what was to be given away is this member's still.
                if matches!(cas.kind, CasKind::Give) {
                    leading.gave = false;
                }
                self.cas_failed(&cas.kind, &error, now);
            }
            StoreOutcome::Unanswered | StoreOutcome::Read(_) => {
                if !self.settings.keeps(Cure::JointUntilOwnSuccess) {
                    if let Some(l) = &mut self.leading {
                        l.authority.settle_mutant();
                    }
                }
                self.cas_failed(&cas.kind, "the store has not answered", now);
                self.read_now(now, "unanswered");
            }
        }
    }

    fn cas_failed(&mut self, kind: &CasKind, error: &str, now: Tick) {
        let renew = self.settings.timing.renew;
        if let Some(leading) = &mut self.leading {
            leading.next_renew = now + renew.scaled(1, 2);
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
        leading.authority.renewed(sent, record.electorate.clone());
        leading.epoch = record.epoch;
        leading.electorate = record.electorate.clone();
        leading.base = record.clone();
        leading.next_renew = now + renew;
        self.memory.electorate = Some((record.epoch, record.electorate.clone()));
        self.dirty = true;
        leading.own.retain(|(renewal, ..)| *renewal == record.renewal);
        let overruled = leading.gave && matches!(kind, CasKind::Bump);
        if matches!(kind, CasKind::Electorate | CasKind::Bump) {
            leading.next_beat = now;
            if overruled {
                self.handover_overruled(now);
            }
            self.beat(now);
        }
        self.change_committed(now);
    }

    /// The record was read or watched while leading: an unanswered write may turn out done, a person
    /// may have a wish.
    pub(super) fn lead_with_record(&mut self, now: Tick) {
        let Some(record) = self.store.record().cloned() else { return };
        let Some(leading) = &mut self.leading else { return };
        if let Some(at) = leading.own.iter().position(|(own, ..)| *own == record.renewal) {
            let under_way = leading.cas.as_ref().map(|c| c.record.renewal == record.renewal);
            if under_way != Some(false) {
                leading.cas = None;
                let (_, sent, kind) = leading.own.remove(at).expect("position was just found");
                self.holder_succeeded(&kind, &record, sent, now);
            }
        }
        self.heed_wish(&record, now);
    }

    /// A wish that stands in the record (failover.md 2.1, `handover`).
    fn heed_wish(&mut self, record: &Record, now: Tick) {
        let Some(wish) = &record.handover else { return };
        let Some(leading) = &mut self.leading else { return };
        if leading.wish_done.as_ref() == Some(&wish.id) || leading.state != State::Writable {
            return;
        }
        leading.wish_done = Some(wish.id.clone());
        self.begin_handover(wish.to.clone(), None, "wished for in the record", now);
    }

    /// The record is gone, or an older one stands there: a holder with authority writes it again,
    /// with a higher epoch (failover.md 2.4); nobody else may.
    pub(super) fn lead_without_record(&mut self, now: Tick) {
        let keeps = self.settings.keeps(Cure::RecreateWithAuthority);
        let Some(leading) = &self.leading else { return };
        if leading.gave || leading.cas.is_some() || (keeps && !leading.authority.holds(now)) {
            return;
        }
        self.bump("the record was missing or older than what this holder knows", now);
    }

    /// Authority is back after a fence: the same epoch stands, so it goes on (failover.md 2.7 F2).
    fn regain(&mut self, now: Tick) {
        let Some(leading) = &mut self.leading else { return };
        if !leading.is_fenced() || leading.gave || !leading.authority.holds(now) {
            return;
        }
        if self.engine.is_ready() && self.engine.is_demoted() {
            leading.state = State::Preparing;
            let text = format!("epoch {} still stands: authority is back", leading.epoch);
            self.out.note(Reason::story("regained", text));
        }
    }

    /// `NO ONE`, once everything that must come before it has come.
    fn promote(&mut self, now: Tick) {
        let persisted = self.out.persisted;
        let ready = self.engine.is_ready();
        let Some(leading) = &mut self.leading else { return };
        let bumped = leading.nack < leading.epoch;
        if leading.state != State::Preparing || !ready || persisted < leading.ready_after {
            return;
        }
        if leading.gave || !bumped || !leading.authority.holds(now) {
            return;
        }
        leading.state = State::Promoting;
        self.engine.want = Posture::Primary;
        let guard = match self.settings.durability {
            Durability::Strict { copies } => copies.min(self.settings.members.len() as u32 - 1),
            _ => 0,
        };
        self.set_gate(now);
        self.guard(guard);
        self.observe_soon(now);
    }

    /// The engine has answered `NO ONE`.
    pub(super) fn on_promoted(&mut self, now: Tick) {
        let Some(leading) = &mut self.leading else { return };
        if leading.state != State::Promoting {
            return;
        }
        leading.state = State::Writable;
        leading.promoted_at = Some(now);
        leading.next_beat = now;
        let text = format!("{} promoted, epoch {}", self.id.name, leading.epoch);
        let _ = self.engine.observe_at;
        self.out.note(Reason::story("promoted", text));
        self.observe_soon(now);
        self.publish_route();
    }

    /// Sends clients here, and reads to the fresh replicas.
    pub(super) fn publish_route(&mut self) {
        let Some(leading) = &self.leading else { return };
        if leading.state != State::Writable {
            return;
        }
        let mut replicas: Vec<MemberName> = self
            .engine
            .view
            .iter()
            .flat_map(|v| v.replicas.iter())
            .filter(|r| r.online && leading.electorate.seat_named(&r.member).is_some())
            .map(|r| r.member.clone())
            .collect();
        replicas.sort();
        let route = Route { epoch: leading.epoch, primary: self.id.name.clone(), replicas };
        if leading.routed.as_ref() == Some(&route) {
            return;
        }
        let first = leading.routed.as_ref().is_none_or(|r| r.epoch != route.epoch);
        let text = format!("writes go to {}", self.id.name);
        let why = if first { Reason::story("route", text) } else { Reason::detail("route", text) };
        if let Some(leading) = &mut self.leading {
            leading.routed = Some(route.clone());
        }
        self.out.push(Act::Route(route), why);
    }

    /// The engine's own write guard, the second line (failover.md 2.7 F5).
    fn write_guard(&mut self, now: Tick) {
        let Some(leading) = &self.leading else { return };
        if leading.state != State::Writable {
            return;
        }
        let online = self.engine.view.iter().flat_map(|v| &v.replicas).filter(|r| r.online).count();
        let n = match self.settings.durability {
            Durability::Cache => 0,
            Durability::Strict { copies } => copies.min(self.settings.members.len() as u32 - 1),
            Durability::Balanced => {
                let by_peers = leading.authority.has_peers(now);
                u32::from(leading.electorate.len() >= 2 && online >= 1 && by_peers)
            }
        };
        self.guard(n);
    }

    /// The lead is over without a word from this member.
    pub(super) fn step_down(&mut self, text: String, now: Tick) {
        let Some(leading) = self.leading.take() else { return };
        let why = Reason::story("deposed", text.clone());
        self.demote_now(why.clone());
        self.out.note(why.clone());
        self.tell_engine(crate::effect::EngineCommand::Unpause, Reason::routine("deposed"));
        self.tell_engine(crate::effect::EngineCommand::KillClients, why);
        if let Some(ask) = leading.handover.and_then(|h| h.ask) {
            self.answer(ask, Err(format!("no longer the primary: {text}")));
        }
        self.candidacy_after = now + Span::from_millis(500);
        self.observe_soon(now);
    }

    /// A wish is answered.
    pub(super) fn answer(&mut self, ask: crate::AskId, result: Result<String, String>) {
        let text = match &result {
            Ok(text) | Err(text) => text.clone(),
        };
        self.out.push(Act::Answer { ask, result }, Reason::detail("answer", text));
    }
}

/// A line's beginning, as members keep it.
pub(super) fn beginning_of(lineage: &Lineage) -> Beginning {
    Beginning {
        epoch: lineage.epoch,
        replid: lineage.replids.last().cloned().unwrap_or_default(),
        start: lineage.start,
        parent_start: lineage.parent_start,
        parent_epoch: lineage.parent_epoch,
    }
}
