//! Who may succeed changes with who is there (failover.md 2.4, electorate changes): away with a
//! barrier, in by the record first.

use engine::Offset;

use crate::cure::Cure;
use crate::identity::{MemberId, MemberName};
use crate::message::{Message, Standing};
use crate::reason::Reason;
use crate::record::{Electorate, Seat};
use crate::time::{Span, Tick};
use crate::topology::Durability;
use crate::topology::Failsafe;

use super::lead::{CasKind, State};
use super::{Election, Peer};

/// A change of the electorate under way.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Change {
    kind: Kind,
    stage: Stage,
    began: Tick,
}

#[derive(Debug, Clone, Hash)]
enum Kind {
    /// These leave.
    Shrink(Vec<MemberName>),
    /// This one joins.
    Grow(MemberId),
    /// k changes.
    Copies(u32),
    /// Whose acks hold changes.
    Failsafe(Failsafe),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Stage {
    /// Their users must be off before the offset is read.
    Expelling,
    /// The offset must be read after that.
    Reading(Tick),
    /// Who remains must have this offset.
    Barrier(Offset),
    /// The compare-and-swap is on its way.
    Writing,
}

impl Change {
    /// Whether it waits for a look at the engine.
    pub(crate) fn looks(&self) -> bool {
        matches!(self.stage, Stage::Reading(_) | Stage::Barrier(_) | Stage::Expelling)
    }

    /// Who is about to join.
    pub(crate) fn newcomer(&self) -> Option<&MemberId> {
        if let Kind::Grow(member) = &self.kind { Some(member) } else { None }
    }
}

impl Election {
    pub(super) fn upkeep_electorate(&mut self, now: Tick) {
        let Some(leading) = &self.leading else { return };
        let writable = leading.state == State::Writable;
        if !writable || leading.handover.is_some() || leading.gave {
            return;
        }
        if leading.change.is_some() {
            return self.step_change(now);
        }
        if self.stopping.is_some() || leading.authority.is_joint() || leading.cas.is_some() {
            return;
        }
        // Nobody is shut out for what is not to stand, nor for what could not be written.
        let begun_in_vain = now < leading.changes_after;
        if let Some(leading) = &mut self.leading {
            leading.expelled.clear();
        }
        let kind = if begun_in_vain || self.store.failing_since.is_some() || self.is_unable(now) {
            None
        } else {
            self.who_leaves(now).or_else(|| self.who_joins(now)).or_else(|| self.other_rule())
        };
        self.steer_newcomers(now);
        if let Some(kind) = kind {
            self.begin_change(kind, now);
        }
    }

    /// The settings are others than those that the electorate was made with.
    fn other_rule(&self) -> Option<Kind> {
        let leading = self.leading.as_ref()?;
        let wanted = self.settings.durability.copies();
        let failsafe = self.settings.failsafe;
        if wanted != leading.electorate.copies {
            return Some(Kind::Copies(wanted));
        }
        (failsafe != leading.electorate.failsafe).then_some(Kind::Failsafe(failsafe))
    }

    /// Members that are away too long, said goodbye, or hold nothing certain.
    fn who_leaves(&mut self, now: Tick) -> Option<Kind> {
        let leading = self.leading.as_ref()?;
        let paused = self.store.record().is_some_and(|r| r.paused);
        let since = leading.began;
        // Who waits at this engine for a snapshot that runs already says nothing of a sync itself.
        let waits_here = |member: &MemberName| {
            let view = self.engine.view.as_ref();
            view.is_some_and(|v| v.replicas.iter().any(|r| r.member == *member))
        };
        let mut gone: Vec<MemberName> = Vec::new();
        let mut soonest = None;
        for member in leading.electorate.members() {
            let Some(peer) = self.peers.get(&member.name) else { continue };
            let report = peer.report.as_ref().map(|(r, _)| r);
            let another = report.is_some_and(|r| r.who.id != *member);
            let silent_at = self.silent_at(peer, since);
            let goodbye_at = peer.goodbye.map(|at| at + Self::GOODBYE_GRACE);
            let useless = report.is_some_and(is_adrift)
                && now.since(peer.seated) > self.settings.timing.heartbeat.scaled(4, 1)
                && peer.last_ack.is_some()
                && !waits_here(&member.name);
            let due = goodbye_at.map_or(silent_at, |at| at.min(silent_at));
            if paused || another || now >= due || useless {
                gone.push(member.name.clone());
            } else {
                soonest = Some(soonest.map_or(due, |s: Tick| s.min(due)));
            }
        }
        if let Some(at) = soonest {
            self.wake_by(at);
        }
        let gone = self.keep_strict(gone, now);
        (!gone.is_empty()).then_some(Kind::Shrink(gone))
    }

    /// Nobody of the electorate has answered for as long as a seat outlasts silence.
    fn electorate_is_away(&self, now: Tick) -> bool {
        let Some(leading) = &self.leading else { return false };
        let since = leading.began;
        leading.electorate.members().all(|member| {
            let peer = self.peers.get(&member.name);
            peer.is_none_or(|peer| now >= self.silent_at(peer, since))
        })
    }

    /// When a seat of who has not answered since is given up.
    fn silent_at(&self, peer: &Peer, since: Tick) -> Tick {
        peer.last_ack.unwrap_or(since).max(peer.seated) + self.settings.timing.shrink_after()
    }

    /// A leaving member stays this long: when the whole group stops, nobody is to shrink it first.
    const GOODBYE_GRACE: Span = Span::from_millis(400);

    /// `strict` never shrinks below k by itself.
    fn keep_strict(&self, mut gone: Vec<MemberName>, now: Tick) -> Vec<MemberName> {
        let (Durability::Strict { copies }, Some(l)) = (self.settings.durability, &self.leading)
        else {
            return gone;
        };
        // A seat whose pod or disk was replaced is a copy no more: it goes first, and in any case.
        let replaced = |name: &MemberName| {
            let report = self.peers.get(name).and_then(|p| p.report.as_ref());
            report.is_some_and(|(r, _)| l.electorate.seat(&r.who.id).is_none())
        };
        // Who answers may be of use again; who does not keeps everybody else waiting.
        let answers = |name: &MemberName| {
            self.peers.get(name).is_some_and(|peer| now < self.silent_at(peer, l.began))
        };
        gone.sort_by_key(|name| (!replaced(name), answers(name)));
        let certain = gone.iter().filter(|name| replaced(name)).count();
        let room = l.electorate.len().saturating_sub(copies as usize);
        gone.truncate(room.max(certain));
        gone
    }

    /// A member outside that may come in now.
    fn who_joins(&self, now: Tick) -> Option<Kind> {
        let leading = self.leading.as_ref()?;
        if self.store.record().is_some_and(|r| r.paused) {
            return None;
        }
        let recent = self.settings.timing.heartbeat.scaled(4, 1);
        let helper = self.sync_helper(now);
        self.peers.iter().find_map(|(name, peer)| {
            let (report, _) = peer.report.as_ref()?;
            // By the heartbeat's sending: an ack of an old one, late from a cut, holds nothing.
            let acked = leading.authority.acked_at(&report.who.id);
            let answered = acked.is_some_and(|at| now.since(at) < recent);
            let outside = leading.electorate.seat_named(name).is_none();
            let well = answered && peer.link_up && report.ready && !report.stopping;
            if !outside || !well {
                return None;
            }
            // Inexact, it would be no witness, and failover would wait for it.
            let synced = self.is_synced(report) && report.exact;
            // Without another replica there is nobody to sync from but the primary; one that is
            // there and has not attached yet is waited for. `strict` keeps seats of who is away.
            let alone = helper.is_none() && self.electorate_is_away(now);
            (synced || alone).then(|| Kind::Grow(report.who.id.clone()))
        })
    }

    /// Its data are on the present line and whole: a partial resync will do.
    fn is_synced(&self, report: &Standing) -> bool {
        self.leading.as_ref().is_some_and(|l| {
            report.stamp.complete && report.stamp.epoch == l.lineage.epoch && report.link_up
        })
    }

    /// A replica of the electorate that others may sync from.
    fn sync_helper(&self, now: Tick) -> Option<MemberName> {
        let leading = self.leading.as_ref()?;
        let recent = self.settings.timing.heartbeat.scaled(4, 1);
        leading.electorate.members().find_map(|m| {
            let peer = self.peers.get(&m.name)?;
            let (report, _) = peer.report.as_ref()?;
            let fresh = peer.last_ack.is_some_and(|at| now.since(at) < recent);
            let able = report.who.id == *m && self.is_synced(report) && !report.stopping;
            (fresh && able && !leading.expelled.contains(&m.name)).then(|| m.name.clone())
        })
    }

    /// Newcomers sync from a replica before they are admitted: the primary's WAIT must not count
    /// them, and failover must not wait for them (protocol-traces L7).
    fn steer_newcomers(&mut self, now: Tick) {
        let helper = self.sync_helper(now);
        let Some(leading) = &self.leading else { return };
        let mut via = std::collections::BTreeMap::new();
        for (name, peer) in &self.peers {
            let Some((report, _)) = &peer.report else { continue };
            if leading.electorate.seat_named(name).is_some() || report.stopping {
                continue;
            }
            if let Some(helper) = helper.clone().filter(|h| h != name) {
                // Whom it began with it goes on with, while that one is able.
                via.insert(name.clone(), (helper, report.who.id.clone()));
            }
        }
        if let Some(leading) = &mut self.leading
            && leading.via != via
        {
            leading.via = via;
            leading.next_beat = now;
            self.wake_by(now);
        }
    }

    fn begin_change(&mut self, kind: Kind, now: Tick) {
        let stage = match &kind {
            Kind::Shrink(gone) => {
                let text = format!("leaving the electorate: {}", names(gone));
                self.out.note(Reason::story("shrink", text));
                if let Some(leading) = &mut self.leading {
                    leading.expelled.clone_from(gone);
                }
                Stage::Expelling
            }
            Kind::Grow(_) | Kind::Failsafe(_) => Stage::Writing,
            Kind::Copies(k) => {
                let old = self.leading.as_ref().map_or(0, |l| l.electorate.copies);
                if *k > old && self.settings.keeps(Cure::RaiseWaits) {
                    Stage::Reading(now)
                } else {
                    Stage::Writing
                }
            }
        };
        if let Some(leading) = &mut self.leading {
            leading.change = Some(Change { kind, stage, began: now });
        }
        self.observe_soon(now);
        if stage == Stage::Writing {
            self.write_change(None, now);
        } else {
            self.step_change(now);
        }
    }

    fn step_change(&mut self, now: Tick) {
        let Some(leading) = &self.leading else { return };
        let Some(change) = &leading.change else { return };
        let (stage, writing) = (change.stage, leading.cas.is_some());
        let limit = change.began + self.settings.timing.shrink_after().scaled(2, 1);
        if now >= limit && stage != Stage::Writing {
            // Somebody else has gone meanwhile: begin again with what is true now.
            return self.drop_change(now);
        }
        self.wake_by(limit);
        match stage {
            Stage::Expelling => {
                let wanted = self.wanted_admissions();
                if self.engine.has_admitted(&wanted) {
                    self.set_stage(Stage::Reading(now), now);
                }
            }
            Stage::Reading(since) => {
                let looked = self.engine.asked >= since;
                if let (true, Some(offset)) = (looked, self.engine.offset()) {
                    self.set_stage(Stage::Barrier(offset), now);
                    self.ask_remaining(offset);
                    self.change_hears(now);
                }
            }
            Stage::Barrier(_) => self.change_hears(now),
            Stage::Writing => {
                if !writing {
                    // It failed: see what is true now.
                    self.drop_change(now);
                }
            }
        }
    }

    fn set_stage(&mut self, stage: Stage, now: Tick) {
        if let Some(change) = self.leading.as_mut().and_then(|l| l.change.as_mut()) {
            change.stage = stage;
        }
        self.observe_soon(now);
        self.wake_by(now);
    }

    fn drop_change(&mut self, now: Tick) {
        if let Some(leading) = &mut self.leading {
            leading.change = None;
            // While the shrink may yet stand, who was to leave stays out.
            if !leading.authority.is_joint() {
                leading.expelled.clear();
            }
        }
        self.wake_by(now + self.settings.timing.heartbeat);
    }

    fn remaining(&self) -> Vec<MemberId> {
        let Some(leading) = &self.leading else { return Vec::new() };
        let all = leading.electorate.members();
        all.filter(|m| !leading.expelled.contains(&m.name)).cloned().collect()
    }

    fn ask_remaining(&mut self, offset: Offset) {
        let within = self.settings.timing.shrink_after();
        for member in self.remaining() {
            let ask = Message::StampAsk { ask: 0, until: Some(offset), within };
            self.send(&member.name, ask, Reason::routine("barrier"));
        }
    }

    /// Who remains has told how far it is.
    pub(super) fn change_hears(&mut self, now: Tick) {
        let Some(leading) = &self.leading else { return };
        let Some(Change { stage: Stage::Barrier(offset), .. }) = leading.change else { return };
        let epoch = leading.lineage.epoch;
        let have = self.remaining().iter().all(|m| {
            self.peers.get(&m.name).and_then(|p| p.report.as_ref()).is_some_and(|(r, _)| {
                r.who.id == *m && r.stamp.epoch == epoch && r.stamp.offset >= offset && r.link_up
            })
        });
        if have || !self.settings.keeps(Cure::ShrinkWaits) {
            self.set_stage(Stage::Writing, now);
            self.write_change(Some(offset), now);
        }
    }

    /// The compare-and-swap of the change. `lift`: the offset that all who remain have.
    fn write_change(&mut self, lift: Option<Offset>, now: Tick) {
        let Some(leading) = &self.leading else { return };
        let Some(change) = &leading.change else { return };
        let old = &leading.electorate;
        let mut new = Electorate { version: old.version + 1, ..old.clone() };
        let (rule, text) = match &change.kind {
            Kind::Shrink(gone) => {
                new.seats.retain(|s| !gone.contains(&s.member.name));
                ("shrink", format!("without {}", names(gone)))
            }
            Kind::Grow(member) => {
                let from = if self.settings.keeps(Cure::SeatFrom) {
                    self.engine.offset().unwrap_or(leading.lineage.start)
                } else {
                    Offset(0)
                };
                new.seats.push(Seat { member: member.clone(), from });
                new.seats.sort_by(|a, b| a.member.name.cmp(&b.member.name));
                ("grow", format!("{} may succeed again from offset {from}", member.name))
            }
            Kind::Copies(k) => {
                new.copies = *k;
                ("copies", format!("a waited write needs {k} replicas"))
            }
            Kind::Failsafe(failsafe) => {
                new.failsafe = *failsafe;
                let whose = match failsafe {
                    Failsafe::Majority => "a majority",
                    Failsafe::All => "all",
                };
                ("failsafe", format!("the acks of {whose} hold the primary's authority"))
            }
        };
        if let Some(offset) = lift {
            if self.settings.keeps(Cure::ShrinkLifts) {
                new.seats.iter_mut().for_each(|s| s.from = s.from.max(offset));
            }
            if self.settings.keeps(Cure::ShrinkLiftsHolder) {
                new.holder_from = new.holder_from.max(offset);
            }
        }
        if !leading.authority.would_hold_under(&new, now) {
            // The lease first: the new electorate's acks alone do not hold yet.
            if let Some(leading) = &mut self.leading {
                leading.next_renew = leading.next_renew.min(now);
                leading.renew_now = true;
            }
            return self.drop_change(now);
        }
        let seated: Vec<String> = new.members().map(|m| m.name.to_string()).collect();
        let text = format!("{text}; may succeed: {}", seated.join(", "));
        let mut record = self.holder_record();
        record.electorate = new;
        if !self.holder_cas(CasKind::Electorate, record, Reason::story(rule, text), now) {
            self.drop_change(now);
        }
    }

    /// A compare-and-swap of this holder has succeeded: the change may be done.
    pub(super) fn change_committed(&mut self, now: Tick) {
        let Some(leading) = &mut self.leading else { return };
        if leading.change.as_ref().is_some_and(|c| c.stage == Stage::Writing)
            && let Some(Change { kind: Kind::Grow(member), .. }) = leading.change.take()
            && let Some(peer) = self.peers.get_mut(&member.name)
        {
            peer.seated = now;
        }
        if leading.change.is_none() {
            leading.expelled.clear();
        }
        self.observe_soon(now);
    }

    pub(super) fn on_goodbye(&mut self, from: &MemberName, now: Tick) {
        if let Some(peer) = self.peers.get_mut(from) {
            peer.goodbye.get_or_insert(now);
        }
        self.wake_by(now + Self::GOODBYE_GRACE);
    }
}

/// Inexact and unattached, and not on its way to either.
fn is_adrift(report: &Standing) -> bool {
    report.ready && !report.exact && !report.link_up && !report.syncing && !report.stopping
}

fn names(members: &[MemberName]) -> String {
    members.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
