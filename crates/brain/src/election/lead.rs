//! Leading: heartbeats, renewals and promotion (failover.md 2.4 to 2.7, 2.9). The holder's writes
//! of the record are in `lead/write.rs`.

mod write;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use engine::Replid;

use crate::cure::Cure;
use crate::effect::{Act, PersistId, Route};
use crate::identity::{Epoch, MemberId, MemberName};
use crate::input::{EngineView, ReplicaView, Shortage};
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
pub(crate) use write::{CasKind, HolderCas};

/// How far the lead has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum State {
    /// Holder, not yet allowed to promote.
    Preparing,
    /// `NO ONE` is under way.
    Promoting,
    /// The engine takes writes.
    Writable,
    /// Authority is over: the engine is (being) demoted.
    Fenced,
    /// The engine has been demoted by a handover or a release.
    Yielded,
}

/// This member holds the record.
#[derive(Clone, Debug, Hash)]
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
    /// The lease is to be renewed though the peers suffice: they will not under another electorate.
    pub(crate) renew_now: bool,
    pub(crate) cas: Option<HolderCas>,
    own: VecDeque<(String, Tick, CasKind)>,
    pub(crate) gave: bool,
    nack: Epoch,
    ready_after: PersistId,
    pub(crate) change: Option<Change>,
    pub(crate) handover: Option<Handover>,
    pub(crate) expelled: Vec<MemberName>,
    /// The store has refused to write a change of the electorate: none before this.
    pub(crate) changes_after: Tick,
    /// The first heartbeat that named this lead's stream.
    named: Option<u64>,
    /// Who has acknowledged that one or a later one: they know the stream, and their disks know
    /// that they may be attached in it.
    acknowledged: BTreeSet<MemberId>,
    /// Whose users this lead has switched on.
    pub(crate) let_in: BTreeSet<MemberId>,
    pub(crate) via: BTreeMap<MemberName, (MemberName, MemberId)>,
    pub(crate) soft_paused: bool,
    promoted_at: Option<Tick>,
    /// The stream before the promotion: what is not that is the new one.
    stream_before: Replid,
    /// A member waits for a fresh offset.
    pub(crate) tell_offset: bool,
    routed: Option<Route>,
    pub(crate) began: Tick,
    /// Since when it may promote, but for what is still to come before that.
    pub(super) idle_since: Tick,
    /// It makes way for others until then.
    pub(super) rests_until: Tick,
    wish_done: Option<String>,
}

impl Leading {
    pub(crate) fn is_fenced(&self) -> bool {
        self.state == State::Fenced
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
            let seated = self.electorate.members().chain(self.too_soon(settings));
            let anybody = !settings.keeps(Cure::AdmitAfterAck);
            return seated
                .filter(|m| !self.expelled.contains(&m.name))
                .filter(|m| anybody || self.acknowledged.contains(m))
                .cloned()
                .collect();
        }
        // The mutant: everybody whose agent believes that it may.
        self.base.electorate.members().chain(self.electorate.members()).cloned().collect()
    }

    /// The mutant that admits a newcomer before the record has it.
    fn too_soon(&self, settings: &Settings) -> Option<&MemberId> {
        let joins = self.change.as_ref().and_then(Change::newcomer);
        joins.filter(|_| !settings.keeps(Cure::GrowBeforeAttach))
    }

    /// No ack of a heartbeat that was sent before now counts any more.
    pub(crate) fn disown_acks(&mut self) {
        self.beats.clear();
        self.authority.forget_acks();
    }

    /// Whether it has led before and may not say so now: members are to look for another.
    fn is_silenced(&self, now: Tick) -> bool {
        let waiting = self.state == State::Preparing && self.promoted_at.is_some();
        self.is_fenced() || (waiting && !self.authority.holds(now))
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
        let timing = self.settings.timing;
        let mut authority = Authority::new(timing, electorate.clone());
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
            next_renew: if nack >= record.epoch {
                now
            } else if lease_sent.is_some() {
                now + timing.renew
            } else {
                now + timing.heartbeat
            },
            renew_now: false,
            cas: None,
            own: VecDeque::new(),
            gave: false,
            nack,
            ready_after,
            change: None,
            handover: None,
            expelled: Vec::new(),
            changes_after: now,
            named: None,
            acknowledged: BTreeSet::new(),
            let_in: BTreeSet::new(),
            via: BTreeMap::new(),
            soft_paused: false,
            promoted_at: None,
            stream_before: Replid::default(),
            tell_offset: false,
            routed: None,
            began: now,
            idle_since: now,
            rests_until: now,
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
        self.make_way(now);
        self.beat(now);
        self.renew(now);
        self.regain(now);
        self.promote(now);
        self.upkeep_electorate(now);
        self.step_handover(now);
        self.write_guard(now);
        self.publish_route();
        self.seek_relief(now);
    }

    /// How long a primary in need waits before it tries again to hand over.
    const RELIEF_AGAIN: Span = Span::from_millis(10_000);

    /// A primary whose disk or memory is short hands over to a member that has room; without one it
    /// stays and says so (failover.md 2.12, disk full).
    fn seek_relief(&mut self, now: Tick) {
        let refuses = self.refuses_writes();
        let what = match self.short {
            _ if refuses => "its disk fails: it refuses writes",
            Some(Shortage::Disk) => "its disk is short",
            Some(Shortage::Memory) => "its memory is short",
            None => {
                self.alarm = None;
                return;
            }
        };
        let free = self
            .leading
            .as_ref()
            .is_some_and(|l| l.state == State::Writable && l.handover.is_none() && !l.gave);
        if !free || self.stopping.is_some() {
            return;
        }
        if now < self.relief_after {
            let again = self.relief_after;
            return self.wake_by(again);
        }
        let away = self.store.failing_since.is_some();
        let room = self.successor_with_room().map(|best| best.who.id.name);
        if let (Some(to), false) = (&room, away) {
            self.relief_after = now + Self::RELIEF_AGAIN;
            self.alarm = None;
            return self.begin_handover(Some(to), None, what, now);
        }
        // Who has just been promoted has nobody yet: it looks again at every heartbeat.
        let but = room.map_or("no member with room can take over", |_| Self::NO_STORE);
        let text = format!("{}: {what}, and {but}", self.id.name);
        if self.alarm.as_ref() != Some(&text) {
            self.out.note(Reason::story("no-room", text.clone()));
            self.alarm = Some(text);
        }
    }

    /// Its engine cannot save: as a primary it refuses writes, now or once it has tried.
    pub(super) fn refuses_writes(&self) -> bool {
        self.engine.view.as_ref().is_some_and(|view| view.misconfigured)
    }

    /// How soon a fenced holder looks again whether its engine has let go.
    const FENCED_AGAIN: Span = Span::from_millis(20);

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
        let let_go = self.engine.is_demoted();
        let Some(leading) = &mut self.leading else { return };
        if leading.is_silenced(now) && self.settings.keeps(Cure::FencedIsNotSeen) {
            // Not before the engine has let go: whoever hears it may promise at once.
            if !let_go {
                leading.next_beat = now + Self::FENCED_AGAIN;
                return self.wake_by(now + Self::FENCED_AGAIN);
            }
            // They forget their acks when they hear it: so does this member (protocol-traces L2).
            leading.disown_acks();
            let message = Message::Fenced { epoch: leading.epoch, seq: leading.seq };
            for to in others {
                self.send(&to, message.clone(), Reason::routine("fenced"));
            }
            return;
        }
        leading.seq += 1;
        let names = self.own_stream().is_some();
        let Some(leading) = &mut self.leading else { return };
        if names {
            leading.named.get_or_insert(leading.seq);
        }
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

    /// What the engine says of the stream of this lead. It has a new id after the promotion: only a
    /// look since then knows it.
    fn own_stream(&self) -> Option<&EngineView> {
        let leading = self.leading.as_ref()?;
        self.engine.view.as_ref().filter(|v| {
            let fresh = leading.promoted_at.is_some_and(|at| self.engine.asked >= at);
            v.is_primary && (fresh || v.replid != leading.stream_before)
        })
    }

    fn beat_for(&self, to: &MemberName) -> Option<Heartbeat> {
        let leading = self.leading.as_ref()?;
        let (view, known) = (self.engine.view.as_ref(), self.own_stream());
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
        let seated = seated || leading.too_soon(&self.settings).is_some_and(|m| m.name == *to);
        if seated && !leading.expelled.contains(to) {
            // Its engine would be refused, and try again a second later.
            let is_let_in = leading.let_in.iter().any(|m| m.name == *to);
            return if is_let_in { Attach::Primary } else { Attach::Soon };
        }
        match leading.via.get(to) {
            Some((replica, _)) => Attach::Via(replica.clone()),
            None => Attach::Wait,
        }
    }

    /// A member has promised this epoch, or clients are sent by it, which a store that was restored
    /// or made anew does not know. Who holds the record takes a newer one; who holds it no more
    /// learns that then.
    pub(super) fn on_newer_epoch(&mut self, stands: Epoch, now: Tick) {
        let Some(leading) = &mut self.leading else { return };
        let worse = stands > leading.nack && stands >= leading.epoch;
        leading.nack = leading.nack.max(stands);
        if worse {
            leading.next_renew = now;
        }
    }

    pub(super) fn on_ack(&mut self, from: &MemberName, ack: &Ack, now: Tick) {
        self.learn_standing(from, &ack.report, now);
        let Some(leading) = &mut self.leading else { return };
        if ack.epoch != leading.epoch {
            // Of an earlier heartbeat, or of one from another pod of this name.
            return;
        }
        if let Some(stands) = ack.nack {
            return self.on_newer_epoch(stands, now);
        }
        if leading.named.is_some_and(|named| ack.seq >= named) {
            leading.acknowledged.insert(ack.report.who.id.clone());
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
        let unable = self.is_unable(now);
        let Some(leading) = &mut self.leading else { return };
        if unable && now >= leading.next_renew && leading.changes_electorate() {
            // A renewal waits for no disk, nor for what does.
            leading.drop_unsent();
        }
        if leading.gave || leading.cas.is_some() {
            return;
        }
        if now < leading.rests_until {
            let until = leading.rests_until;
            return self.wake_by(until);
        }
        let bump = leading.nack > Epoch(0) && leading.nack >= leading.epoch;
        let last = leading.next_renew;
        let rests = !bump && !leading.renew_now && lazy_ok && leading.may_write();
        // A record that stands still tells a new pod on an old disk that its holder is gone: who
        // needs nobody's acks shows that it lives.
        let pause = if leading.electorate.is_empty() && self.settings.keeps(Cure::StrangersTell) {
            timing.lease.scaled(1, 2).max(timing.renew)
        } else {
            LAZY_RENEWAL
        };
        let due = if rests && !leading.authority.is_joint() {
            last + pause.less(timing.renew)
        } else {
            last
        };
        if now < due {
            return self.wake_by(due);
        }
        leading.next_renew = now + timing.renew;
        leading.renew_now = false;
        if bump {
            return self.bump("a newer epoch was promised, or clients are sent by one", now);
        }
        let record = self.holder_record();
        self.holder_cas(
            CasKind::Renew,
            record,
            Reason::detail("renew", "the lease is renewed"),
            now,
        );
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
        let stands = self.leading.as_ref().map_or(Epoch(0), |leading| leading.nack);
        let epoch = self.epoch_known().max(stands).next();
        let mut record = self.holder_record();
        record.epoch = epoch;
        if !self.settings.keeps(Cure::BumpIsNoLineage) {
            record.lineage = Some(self.lineage_from_here(epoch));
        }
        let why = Reason::story("bump", format!("epoch {epoch}: {why}"));
        self.holder_cas(CasKind::Bump, record, why, now);
    }

    /// Authority is back after a fence: the same epoch stands, so it goes on (failover.md 2.7 F2).
    fn regain(&mut self, now: Tick) {
        let Some(leading) = &mut self.leading else { return };
        if !leading.is_fenced() || leading.gave || !leading.authority.holds(now) {
            return;
        }
        if now < leading.rests_until {
            return;
        }
        if self.engine.is_ready() && self.engine.is_demoted() {
            leading.state = State::Preparing;
            leading.idle_since = now;
            // Another may have led meanwhile, of whom a restored store knows nothing: his route
            // may stand there.
            leading.routed = None;
            let text = format!("epoch {} still stands: authority is back", leading.epoch);
            self.out.note(Reason::story("regained", text));
        }
    }

    /// `NO ONE`, once everything that must come before it has come.
    fn promote(&mut self, now: Tick) {
        let persisted = self.out.persisted;
        let ready = self.engine.is_ready();
        // Whoever is outside has been shut out, for certain.
        let doors_fit = self.engine.has_admitted(&self.wanted_admissions());
        let Some(leading) = &self.leading else { return };
        let bumped = leading.nack < leading.epoch;
        // A line that goes on from data is not led without them.
        let born = !leading.lineage.parent_replid.is_known();
        let whole = self.memory.stamp.complete || born || leading.lineage.is_forced();
        if leading.state != State::Preparing || !ready || persisted < leading.ready_after {
            return;
        }
        if leading.gave || !bumped || !whole || !leading.authority.holds(now) || !doors_fit {
            return;
        }
        let guard = self.strict_copies().unwrap_or(0);
        if guard > 0 && !self.engine.has_guard(guard) {
            return self.guard(guard);
        }
        let Some(leading) = &mut self.leading else { return };
        leading.state = State::Promoting;
        leading.stream_before =
            self.engine.view.as_ref().map(|v| v.replid.clone()).unwrap_or_default();
        self.engine.want = Posture::Primary;
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
        self.out.note(Reason::story("promoted", text));
        self.observe_soon(now);
        self.publish_route();
    }

    /// Sends clients here, and reads to the fresh replicas. Begun with the promotion, not after it:
    /// the record names this member alone already, and a route takes longer than a promotion
    /// (failover.md 2.13).
    pub(super) fn publish_route(&mut self) {
        let Some(leading) = &self.leading else { return };
        let leads = matches!(leading.state, State::Preparing | State::Promoting | State::Writable);
        if !leads || leading.gave {
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

    /// How many replicas must have every write of a `strict` group, of those that there are.
    fn strict_copies(&self) -> Option<u32> {
        let Durability::Strict { copies } = self.settings.durability else { return None };
        Some(copies.min(self.settings.members.len() as u32 - 1))
    }

    /// The engine's own write guard, the second line (failover.md 2.7 F5).
    fn write_guard(&mut self, now: Tick) {
        let Some(leading) = &self.leading else { return };
        if leading.state != State::Writable {
            return;
        }
        // Not after the engine has refused the first write: one that falls silent counts no more.
        let counted = |r: &&ReplicaView| r.online && r.acks;
        let online = self.engine.view.iter().flat_map(|v| &v.replicas).filter(counted).count();
        let n = match self.settings.durability {
            Durability::Cache => 0,
            Durability::Strict { .. } => self.strict_copies().unwrap_or(0),
            Durability::Balanced => {
                // By the lease alone writes go on: silent replicas must not make the engine refuse.
                let by_lease = leading.authority.lease().left(now) > self.settings.timing.margin;
                let by_peers = leading.authority.peers_are_fresh(now) || !by_lease;
                u32::from(leading.electorate.len() >= 2 && online >= 1 && by_peers)
            }
        };
        self.guard(n);
    }

    /// The lead is over without a word from this member.
    pub(super) fn step_down(&mut self, text: &str, now: Tick) {
        let Some(leading) = self.leading.take() else { return };
        let why = Reason::story("deposed", text);
        self.demote_now(why.clone(), Some(now + self.settings.timing.margin.scaled(1, 2)));
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
        begun_by: lineage.begun_by.clone(),
        start: lineage.start,
        parent_start: lineage.parent_start,
        parent_epoch: lineage.parent_epoch,
    }
}
