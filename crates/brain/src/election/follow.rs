//! A member under a primary: acknowledging its heartbeats and doing with the engine what it says
//! (failover.md 2.4 Hold, 2.6).

use crate::cure::Cure;
use crate::effect::EngineCommand;
use crate::identity::{Epoch, Incarnation, MemberId, MemberName};
use crate::memory::Memory;
use crate::message::{Ack, Attach, Beginning, Heartbeat, Message};
use crate::reason::Reason;
use crate::time::Tick;

use super::engine_side::Posture;
use super::outbox::Deferred;
use super::{Election, GivenAck};

/// The primary that this member acknowledges.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Following {
    /// Its newest heartbeat.
    pub(crate) beat: Heartbeat,
    /// When that came; `None` after it said that it is fenced.
    pub(crate) seen: Option<Tick>,
    /// When any word of it came last.
    pub(crate) heard: Tick,
}

impl Election {
    pub(super) fn on_heartbeat(&mut self, from: &MemberName, beat: Heartbeat, now: Tick) {
        if beat.holder.id.name != *from {
            return;
        }
        if let Some(stands) = self.stands_against(&beat) {
            let report = Box::new(self.standing());
            let ack = Ack {
                epoch: beat.epoch,
                version: beat.electorate.version,
                seq: beat.seq,
                nack: Some(stands),
                report,
            };
            let text =
                format!("{from} leads epoch {}, epoch {stands} stands against it", beat.epoch);
            return self.send(from, Message::Ack(ack), Reason::detail("nack", text));
        }
        self.yield_to(&beat, now);
        let changed = self.remember_beat(&beat);
        if let Some(following) = self.following.as_mut().filter(|f| f.beat.is_after(&beat)) {
            // Overtaken on its way: what it says of the stream was said better since.
            following.heard = now;
            return self.acknowledge(&beat, changed, now);
        }
        let newly = self.following.as_ref().is_none_or(|f| f.beat.holder != beat.holder);
        let replid = beat.replid.is_known();
        if newly {
            let text = format!("{from} leads epoch {}: followed", beat.epoch);
            self.out.note(Reason::story("followed", text));
            self.next_gossip = now;
        }
        self.acknowledge(&beat, changed, now);
        if !self.memory.exact && beat.link_seen == self.engine.link_run {
            self.observe_soon(now);
        }
        self.following = Some(Following { beat, seen: Some(now), heard: now });
        self.orphan_since = None;
        self.blocked = None;
        if replid && self.farewell.take().is_some() {
            self.bid_farewell();
        }
        self.take_posture();
    }

    /// The epoch that forbids to acknowledge this heartbeat, if any.
    fn stands_against(&self, beat: &Heartbeat) -> Option<Epoch> {
        if let Some((promised, candidate)) = &self.memory.promised {
            let other = *promised == beat.epoch && *candidate != beat.holder.id;
            if *promised > beat.epoch || other {
                return Some(*promised);
            }
        }
        let known = self.memory.led.max(self.memory.followed);
        if known > beat.epoch {
            return Some(known);
        }
        // One epoch has one holder; the same one may be met again in a later run only by a new
        // epoch.
        let another = self
            .following
            .as_ref()
            .is_some_and(|f| f.beat.epoch == beat.epoch && f.beat.holder.id != beat.holder.id);
        (another || self.memory.led == beat.epoch).then_some(known)
    }

    /// A newer epoch has a primary: whatever this member was about is over.
    fn yield_to(&mut self, beat: &Heartbeat, now: Tick) {
        if self.leading.is_some() {
            self.step_down(&format!("{} leads epoch {}", beat.holder.id.name, beat.epoch), now);
        }
        self.end_succession();
        self.drop_unsent_creation();
        self.drop_candidacy();
        self.vote = None;
    }

    /// What must be on disk before the ack; whether that is anything new.
    fn remember_beat(&mut self, beat: &Heartbeat) -> bool {
        let before = (
            self.memory.followed,
            self.memory.peer_max,
            self.memory.electorate.as_ref().map(|(e, el)| (*e, el.version)),
            self.memory.attached_in,
            self.memory.history.len(),
        );
        let seated = beat.electorate.seat(&self.id).is_some();
        let was_seated =
            self.memory.electorate.as_ref().is_some_and(|(_, e)| e.seat(&self.id).is_some());
        if seated && !was_seated {
            // Never attached since this admission.
            self.memory.attached_in = None;
        }
        let (holder, epoch) = (&beat.holder.id.name, beat.lineage.epoch);
        if self.engine.may_follow(holder) && self.settings.keeps(Cure::AdmitAfterAck) {
            // As soon as it is let in its engine connects again by itself (protocol-traces D16).
            self.memory.attached_in = Some(epoch);
        }
        self.memory.followed = self.memory.followed.max(beat.epoch);
        self.memory.peer_max = self.memory.peer_max.max(beat.peer);
        let known = self.memory.electorate.as_ref().map(|(e, el)| (*e, el.version));
        if known.is_none_or(|known| known < (beat.epoch, beat.electorate.version)) {
            self.memory.electorate = Some((beat.epoch, beat.electorate.clone()));
        }
        if beat.history.iter().any(|begun| self.memory.contradicts(begun)) {
            // A restored store gave an epoch twice: what is here is of a line that nobody named.
            self.memory.stamp.epoch = Epoch(0);
        }
        for beginning in beat.history.iter().rev() {
            self.memory.remember_beginning(beginning);
        }
        let after = (
            self.memory.followed,
            self.memory.peer_max,
            self.memory.electorate.as_ref().map(|(e, el)| (*e, el.version)),
            self.memory.attached_in,
            self.memory.history.len(),
        );
        before != after
    }

    fn acknowledge(&mut self, beat: &Heartbeat, changed: bool, now: Tick) {
        self.last_ack = Some(GivenAck { to: beat.holder.clone(), epoch: beat.epoch, at: now });
        let ack = Ack {
            epoch: beat.epoch,
            version: beat.electorate.version,
            seq: beat.seq,
            nack: None,
            report: Box::new(self.standing()),
        };
        let (to, message) = (beat.holder.id.name.clone(), Message::Ack(ack));
        let why = Reason::routine("ack");
        if changed {
            let id = self.persist("beat", now);
            self.beat_persist = id;
            return self.out.after(id, Deferred::Send(to, message, why));
        }
        // An earlier change may still be on its way to the disk.
        if self.out.persisted < self.beat_persist {
            return self.out.after(self.beat_persist, Deferred::Send(to, message, why));
        }
        self.send(&to, message, why);
    }

    /// A holder without authority: not seen, and its acks count no longer (protocol-traces L2).
    pub(super) fn on_fenced(&mut self, from: &MemberName, epoch: Epoch, seq: u64) {
        if !self.settings.keeps(Cure::FencedIsNotSeen) {
            return;
        }
        if let Some(following) = &mut self.following
            && following.beat.holder.id.name == *from
            && following.beat.epoch == epoch
        {
            if following.beat.seq > seq {
                // It was overtaken: its authority is back, and this member's ack holds it.
                return;
            }
            following.seen = None;
        }
        if self.last_ack.as_ref().is_some_and(|a| a.to.id.name == *from && a.epoch == epoch) {
            self.last_ack = None;
        }
    }

    /// What the newest heartbeat asks of the engine.
    pub(super) fn take_posture(&mut self) {
        let leaves = self.stopping.as_ref().is_some_and(super::stop::Stopping::lets_go);
        if self.vote.is_some() || self.leading.is_some() || self.succession.is_some() || leaves {
            return;
        }
        let Some(following) = &self.following else { return };
        let holder = &following.beat.holder.id.name;
        self.engine.want = match &following.beat.attach {
            _ if self.is_promised_elsewhere(following.beat.epoch, &following.beat.holder.id) => {
                Posture::DeadEnd
            }
            Attach::Primary if following.beat.replid.is_known() => Posture::Follow(holder.clone()),
            Attach::Via(replica) if *replica != self.id.name => Posture::Follow(replica.clone()),
            // Not promoted yet: it would answer NOMASTERLINK; what is attached stays attached.
            Attach::Primary | Attach::Soon => return,
            _ => Posture::DeadEnd,
        };
    }

    fn is_promised_elsewhere(&self, epoch: Epoch, holder: &MemberId) -> bool {
        self.memory
            .promised
            .as_ref()
            .is_some_and(|(e, to)| *e > epoch || (*e == epoch && to != holder))
    }

    pub(super) fn step_following(&mut self, now: Tick) {
        if let Some(deadline) = self.farewell {
            if now >= deadline {
                self.farewell = None;
                self.bid_farewell();
            } else {
                self.wake_by(deadline);
            }
        }
        self.leave_the_dead(now);
        self.take_posture();
        if self.orphan_since.is_none() && !self.following_is_fresh(now) && self.leading.is_none() {
            self.orphan_since = Some(now);
        }
        if let Some(seen) = self.following.as_ref().and_then(|f| f.seen) {
            let stale = seen + self.settings.timing.peer;
            if stale > now {
                self.wake_by(stale);
            }
        }
    }

    /// A member without whole data does not wait for ever at a primary that has gone: at the dead
    /// end it can say that it has nothing.
    fn leave_the_dead(&mut self, now: Tick) {
        let patience = self.settings.timing.peer.max(self.memory.peer_max).scaled(2, 1);
        let gone = self.following.as_ref().is_some_and(|f| now.since(f.heard) >= patience);
        if gone && !self.memory.stamp.complete && self.vote.is_none() {
            self.following = None;
            self.engine.want = Posture::DeadEnd;
        }
    }

    /// An unfenced heartbeat came within T_p (failover.md 2.4, pre-vote).
    pub(super) fn following_is_fresh(&self, now: Tick) -> bool {
        let limit = self.settings.timing.peer.max(self.memory.peer_max);
        self.primary_seen().is_some_and(|seen| now.since(seen) < limit)
    }

    /// When the last unfenced heartbeat came of a primary that has not ended for certain.
    pub(super) fn primary_seen(&self) -> Option<Tick> {
        self.following.as_ref().filter(|f| !self.has_ended(&f.beat.holder))?.seen
    }

    /// Who this member believes to lead.
    pub(super) fn primary_known(&self) -> Option<&Incarnation> {
        self.following.as_ref().map(|f| &f.beat.holder)
    }

    /// Demoted clients must look for the new primary (failover.md 2.10).
    fn bid_farewell(&mut self) {
        let why = Reason::detail("farewell", "the new primary is writable: clients are sent there");
        self.tell_engine(EngineCommand::Unpause, why.clone());
        self.tell_engine(EngineCommand::KillClients, why);
    }

    /// Which members outside the electorate this member lets sync from it: a replica those that its
    /// primary names, a primary its electorate.
    pub(super) fn wanted_admissions(&self) -> Vec<MemberId> {
        if let Some(leading) = &self.leading {
            return leading.admissions(&self.settings);
        }
        let posture_fits = matches!(self.engine.want, Posture::Follow(_));
        match &self.following {
            Some(following) if posture_fits => following.beat.serve.clone(),
            _ => Vec::new(),
        }
    }
}

impl Memory {
    /// Keeps the beginning of a line of data, newest first.
    pub(crate) fn remember_beginning(&mut self, beginning: &Beginning) {
        match self.history.iter_mut().find(|b| b.epoch == beginning.epoch) {
            Some(known) => known.clone_from(beginning),
            None => self.history.push(beginning.clone()),
        }
        self.history.sort_by_key(|b| std::cmp::Reverse(b.epoch));
        self.history.truncate(Self::HISTORY_MAX);
    }

    /// Whether the data here come from another line of that epoch than this one.
    fn contradicts(&self, begun: &Beginning) -> bool {
        let mine = self.history.iter().find(|b| b.epoch == begun.epoch);
        begun.epoch <= self.stamp.epoch && mine.is_some_and(|b| b != begun)
    }
}
