//! The planned change of the primary, and the release (failover.md 2.10): pause, equal, demote,
//! give.

use engine::Offset;

use crate::cure::Cure;
use crate::effect::{AskId, EngineCommand};
use crate::identity::MemberName;
use crate::message::{Message, Standing};
use crate::reason::Reason;
use crate::record::{Record, Released, Seat};
use crate::time::{Span, Tick};

use super::Election;
use super::engine_side::Posture;
use super::lead::{CasKind, State};
use super::rank;

/// A handover (or a release) under way.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Handover {
    /// To whom; `None`: to nobody, a release.
    to: Option<Standing>,
    pub(crate) ask: Option<AskId>,
    why: String,
    stage: Stage,
    began: Tick,
    /// The question that the answers must repeat.
    question: u64,
    /// Who has the offset that was asked about.
    reached: Vec<MemberName>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Stage {
    /// The store must answer: nothing is paused or demoted for what could not be written.
    Asking,
    /// Writers are being paused.
    Pausing,
    /// The offset must be read after that.
    Measuring(Tick),
    /// The successor must reach it.
    Catching(Offset, Tick),
    /// The engine is being demoted.
    Demoting(Tick),
    /// The successor must stand at the final offset.
    Verifying(Offset, Tick),
    /// The lease is being given away.
    Giving(Offset),
    /// It is not known whether it was: only a higher epoch leads on.
    Undecided,
}

impl Election {
    /// How long writers may be held: the pause ends by itself then, and the handover must be over.
    const PAUSE: Span = Span::from_millis(3000);
    /// How long the successor may take to reach the offset.
    const CATCH_UP: Span = Span::from_millis(1000);
    /// More bytes behind than this, and the pause would be felt.
    const LAG_MAX: u64 = 32 * 1024 * 1024;
    pub(super) const NO_STORE: &str = "the store does not answer: nothing can be given";

    pub(super) fn wish_handover(
        &mut self,
        ask: AskId,
        to: Option<&MemberName>,
        dry_run: bool,
        now: Tick,
    ) {
        let Some(leading) = &self.leading else {
            let who = self.primary_known().map_or("nobody".into(), |h| h.id.name.to_string());
            return self.answer(ask, Err(format!("not the primary: {who} leads")));
        };
        if leading.state != State::Writable || leading.handover.is_some() || leading.gave {
            return self.answer(ask, Err("another change of the primary is under way".into()));
        }
        match self.successor(to) {
            Err(error) => self.answer(ask, Err(error)),
            Ok(best) if dry_run => {
                let text = format!("{} would lead: {}", best.who.id.name, best.stamp);
                self.answer(ask, Ok(text));
            }
            Ok(best) => {
                let to = best.who.id.name;
                self.begin_handover(Some(&to), Some(ask), "asked for", now);
            }
        }
    }

    /// The member that a handover would go to, or why there is none.
    pub(super) fn successor(&self, to: Option<&MemberName>) -> Result<Standing, String> {
        if self.store.failing_since.is_some() && self.stopping.is_none() {
            return Err(Self::NO_STORE.into());
        }
        if let Some(name) = to {
            return self.fit_to_lead(name);
        }
        self.best_fit(|_| true).ok_or_else(|| "no member could take over now".into())
    }

    /// The best of those that have room: a handover waits for the last byte, so that one which is
    /// behind is as good as any.
    pub(super) fn successor_with_room(&self) -> Option<Standing> {
        self.best_fit(|standing| standing.roomy)
    }

    fn best_fit(&self, wanted: impl Fn(&Standing) -> bool) -> Option<Standing> {
        let all = self.settings.others().filter_map(|m| self.fit_to_lead(m).ok());
        let all: Vec<Standing> = all.filter(wanted).collect();
        rank::best(&all).cloned()
    }

    fn fit_to_lead(&self, name: &MemberName) -> Result<Standing, String> {
        let Some(leading) = &self.leading else { return Err("not the primary".into()) };
        if *name == self.id.name {
            return Err(format!("{name} is the primary already"));
        }
        let Some(peer) = self.peers.get(name) else {
            let all: Vec<String> = self.settings.members.iter().map(ToString::to_string).collect();
            return Err(format!("{name} is no member of this group: {}", all.join(", ")));
        };
        let Some((report, _)) = &peer.report else {
            return Err(format!("{name} has not been heard of"));
        };
        if leading.electorate.seat(&report.who.id).is_none() {
            return Err(format!("{name} is not in the electorate: it is still syncing or away"));
        }
        if !report.ready || !report.stamp.complete || report.stamp.epoch != leading.lineage.epoch {
            return Err(format!("{name} has not all of this epoch's data ({})", report.stamp));
        }
        if report.unable {
            return Err(format!("{name} could not lead: its store or its disk does not answer"));
        }
        if report.stopping || !report.link_up || !peer.link_up {
            return Err(format!("{name} is stopping or not linked"));
        }
        let offset = self.engine.offset().unwrap_or_default();
        let lag = offset.ahead_of(report.stamp.offset);
        if lag > Self::LAG_MAX {
            return Err(format!("{name} is {lag} B behind: wait until it has caught up"));
        }
        Ok(report.clone())
    }

    /// Hands over to `to`, or to the best.
    pub(super) fn begin_handover(
        &mut self,
        to: Option<&MemberName>,
        ask: Option<AskId>,
        why: &str,
        now: Tick,
    ) {
        match self.successor(to) {
            Ok(best) => {
                let text = format!("{} hands over to {}: {why}", self.id.name, best.who.id.name);
                self.out.note(Reason::story("handover", text));
                self.open_handover(Some(best), ask, why, now);
            }
            Err(error) => {
                self.out.note(Reason::story("handover", format!("no handover: {error}")));
                if let Some(ask) = ask {
                    self.answer(ask, Err(error));
                }
            }
        }
    }

    /// Gives the lease to nobody: no successor is there, or the whole group stops.
    pub(super) fn begin_release(&mut self, why: &str, now: Tick) {
        self.out.note(Reason::story("release", format!("{} releases: {why}", self.id.name)));
        self.open_handover(None, None, why, now);
    }

    fn open_handover(&mut self, to: Option<Standing>, ask: Option<AskId>, why: &str, now: Tick) {
        self.asks_made += 1;
        let question = self.asks_made;
        let Some(leading) = &mut self.leading else { return };
        leading.change = None;
        leading.handover = Some(Handover {
            to,
            ask,
            why: why.to_owned(),
            stage: Stage::Asking,
            began: now,
            question,
            reached: Vec::new(),
        });
        if self.stopping.is_some() {
            // It ends whether the store answers or not.
            return self.pause_for_handover(now);
        }
        // Who leads by its members' acks hears of the store seldom.
        self.read_now(now, "handover");
    }

    /// The store has answered a read.
    pub(super) fn handover_hears_store(&mut self, now: Tick) {
        if self.handover().is_some_and(|h| h.stage == Stage::Asking) {
            self.pause_for_handover(now);
        }
    }

    fn pause_for_handover(&mut self, now: Tick) {
        let Some(handover) = self.handover() else { return };
        handover.stage = Stage::Pausing;
        handover.began = now;
        let why = Reason::detail("pause", "writers wait while the successor catches up");
        self.handover_command(EngineCommand::PauseWrites(Self::PAUSE), why);
    }

    pub(super) fn handover_paused(&mut self, result: Result<(), String>, now: Tick) {
        let Some(handover) = self.handover() else { return };
        if handover.stage != Stage::Pausing {
            return;
        }
        match result {
            Ok(()) => self.set_handover_stage(Stage::Measuring(now), now),
            Err(error) => self.back_out(&format!("writers were not paused: {error}"), now),
        }
    }

    fn handover(&mut self) -> Option<&mut Handover> {
        self.leading.as_mut().and_then(|l| l.handover.as_mut())
    }

    fn set_handover_stage(&mut self, stage: Stage, now: Tick) {
        if let Some(handover) = self.handover() {
            handover.stage = stage;
        }
        self.engine.observe_at = now;
        self.wake_by(now);
    }

    /// A look at the engine that was asked for at `asked`.
    pub(super) fn handover_sees_engine(&mut self, asked: Tick, now: Tick) {
        let demoted = self.engine.is_detached();
        let offset = self.engine.offset();
        let Some(handover) = self.handover() else { return };
        match (handover.stage, offset) {
            (Stage::Measuring(since), Some(offset)) if asked >= since => {
                self.ask_to_reach(Stage::Catching(offset, now), offset, now);
            }
            (Stage::Demoting(since), Some(offset)) if asked >= since && demoted => {
                self.ask_to_reach(Stage::Verifying(offset, now), offset, now);
            }
            _ => {}
        }
    }

    /// Asks the successor (or, for a release, all) to say when they have this offset.
    fn ask_to_reach(&mut self, stage: Stage, offset: Offset, now: Tick) {
        self.asks_made += 1;
        let question = self.asks_made;
        let Some(leading) = &mut self.leading else { return };
        let seated: Vec<MemberName> =
            leading.electorate.members().map(|m| m.name.clone()).collect();
        let Some(handover) = &mut leading.handover else { return };
        handover.stage = stage;
        handover.question = question;
        handover.reached.clear();
        let to = match &handover.to {
            Some(best) => vec![best.who.id.name.clone()],
            None => seated,
        };
        let message =
            Message::StampAsk { ask: question, until: Some(offset), within: Self::CATCH_UP };
        for member in to {
            self.send(&member, message.clone(), Reason::routine("reach"));
        }
        self.wake_by(now + Self::CATCH_UP);
    }

    /// A member says how far it is.
    pub(super) fn handover_hears(
        &mut self,
        from: &MemberName,
        ask: u64,
        report: &Standing,
        now: Tick,
    ) {
        let Some(handover) = self.handover() else { return };
        if handover.question != ask {
            return;
        }
        let (Stage::Catching(offset, _) | Stage::Verifying(offset, _)) = handover.stage else {
            return;
        };
        if report.stamp.complete && report.stamp.offset >= offset {
            handover.reached.push(from.clone());
        }
        if let Some(to) = &mut handover.to
            && to.who.id == report.who.id
        {
            *to = report.clone();
        }
        self.wake_by(now);
        self.step_handover(now);
    }

    pub(super) fn step_handover(&mut self, now: Tick) {
        let seats = self.leading.as_ref().map_or(0, |l| l.electorate.len());
        let failing = self.store.failing_since.is_some();
        let Some(handover) = self.handover() else { return };
        let release = handover.to.is_none();
        let needed = if release { seats } else { 1 };
        let reached = handover.reached.len() >= needed;
        let began = handover.began;
        let over = now.since(began) >= Self::PAUSE.scaled(4, 5);
        match handover.stage {
            Stage::Asking if failing || over => self.back_out(Self::NO_STORE, now),
            Stage::Pausing | Stage::Measuring(_) if over => self.back_out("it took too long", now),
            Stage::Asking | Stage::Pausing | Stage::Measuring(_) | Stage::Giving(_) => {}
            Stage::Catching(_, since) => {
                let late = now.since(since) >= Self::CATCH_UP;
                if reached || (release && late) {
                    self.demote_for_handover(now);
                } else if late || over {
                    self.back_out("the successor did not catch up", now);
                }
            }
            Stage::Demoting(since) => {
                if now.since(since) >= Self::CATCH_UP {
                    handover.stage = Stage::Demoting(now);
                    self.kill_engine(Reason::story("handover", "the engine did not demote: ended"));
                }
            }
            Stage::Verifying(offset, since) => {
                let late = now.since(since) >= Self::CATCH_UP;
                let exact = release || self.successor_stands_at(offset);
                if (reached && exact) || (release && late) {
                    self.give(offset, now);
                } else if late || reached {
                    self.back_out("the final offsets differ: the pause had ended", now);
                }
            }
            Stage::Undecided => self.lead_on_higher(now),
        }
        if self.handover().is_some() {
            self.wake_by(now + Span::from_millis(100));
        }
    }

    fn successor_stands_at(&mut self, offset: Offset) -> bool {
        self.handover()
            .and_then(|h| h.to.as_ref())
            .is_some_and(|to| to.stamp.complete && to.stamp.offset == offset)
    }

    fn demote_for_handover(&mut self, now: Tick) {
        if let Some(leading) = &mut self.leading {
            leading.state = State::Yielded;
        }
        self.engine.want = Posture::DeadEnd;
        self.demote_now(Reason::detail("demote", "the successor has every byte"), None);
        self.set_handover_stage(Stage::Demoting(now), now);
    }

    /// The compare-and-swap that gives the lease away.
    fn give(&mut self, offset: Offset, now: Tick) {
        // A renewal may be on its way: its answer brings this step again. What waits for a disk
        // waits no longer: the disk may be why it gives.
        if let Some(leading) = &mut self.leading {
            leading.drop_unsent();
        }
        if self.leading.as_ref().is_none_or(|l| l.cas.is_some()) {
            return;
        }
        let Some(handover) = self.handover() else { return };
        let (to, why) = (handover.to.clone(), handover.why.clone());
        let reached = handover.reached.clone();
        let old = self.holder_record();
        let (record, reason) = match to {
            Some(best) => {
                let epoch = self.epoch_known().max(old.epoch).next();
                let me = Seat { member: self.id.clone(), from: offset };
                let stays = self.settings.keeps(Cure::HandoverKeepsOld).then_some(me);
                let record = self.appointment(&old, &best, epoch, stays);
                let name = best.who.id.name;
                (
                    record,
                    format!("{name} takes over as epoch {epoch}: {why}, offset {offset} on both"),
                )
            }
            None => (self.released(old, offset, &why, reached), format!("released: {why}")),
        };
        self.set_handover_stage(Stage::Giving(offset), now);
        self.engine.observe_at = now + self.settings.timing.heartbeat;
        if !self.holder_cas(CasKind::Give, record, Reason::story("give", reason), now) {
            self.back_out("a newer epoch stands in the record", now);
        }
    }

    fn released(&self, old: Record, offset: Offset, why: &str, in_sync: Vec<MemberName>) -> Record {
        Record {
            holder: None,
            released: Some(Released { by: self.id.clone(), offset, reason: why.into(), in_sync }),
            ..old
        }
    }

    /// The lease is with somebody else (or nobody) now.
    pub(super) fn given(&mut self, record: &Record, now: Tick) {
        let Some(leading) = self.leading.take() else { return };
        if let Some(version) = self.store.version().cloned() {
            self.tell_written(record, version);
        }
        let handover = leading.handover;
        if let Some(to) = record.holder.as_ref() {
            self.farewell = Some(now + Span::from_millis(1500));
            let took = handover.as_ref().map_or(Span::ZERO, |h| now.since(h.began));
            let text = format!("{} leads epoch {}, given in {took}", to.id.name, record.epoch);
            if let Some(ask) = handover.and_then(|h| h.ask) {
                self.answer(ask, Ok(text));
            }
        } else {
            self.farewell = Some(now);
        }
        self.orphan_since = Some(now);
        self.candidacy_after = now + self.settings.timing.heartbeat.scaled(4, 1);
        self.memory.keep_reached(leading.lineage.epoch);
        self.dirty = true;
    }

    /// The giving compare-and-swap gave no success.
    pub(super) fn give_failed(&mut self, text: &str, now: Tick) {
        self.out.note(Reason::story("handover", format!("not given: {text}")));
        let mutant = !self.settings.keeps(Cure::HigherEpochAfterGiving);
        if let Some(leading) = &mut self.leading {
            leading.gave &= !mutant;
            if !leading.gave {
                return self.back_out(text, now);
            }
        }
        self.set_handover_stage(Stage::Undecided, now);
    }

    /// After the lease may have been given away only a higher epoch leads on (protocol-traces H2).
    fn lead_on_higher(&mut self, now: Tick) {
        let pause = self.settings.timing.renew;
        let Some(leading) = &mut self.leading else { return };
        if leading.cas.is_some() {
            return;
        }
        let due = leading.next_renew;
        if now < due {
            return self.wake_by(due);
        }
        leading.next_renew = now + pause;
        let epoch = self.epoch_known().next();
        let mut record = self.holder_record();
        record.epoch = epoch;
        let text = format!("epoch {epoch}: the handover may or may not have been written");
        self.holder_cas(CasKind::Bump, record, Reason::story("bump", text), now);
    }

    /// Nothing was given away: back to the lead, if authority still holds.
    pub(super) fn back_out(&mut self, text: &str, now: Tick) {
        let Some(leading) = &mut self.leading else { return };
        let Some(handover) = leading.handover.take() else { return };
        if leading.state == State::Yielded {
            leading.state = State::Preparing;
            leading.idle_since = now;
        }
        leading.next_beat = now;
        let text = format!("handover called off: {text}");
        self.out.note(Reason::story("handover", text.clone()));
        self.tell_engine(EngineCommand::Unpause, Reason::detail("unpause", "writers go on"));
        if let Some(ask) = handover.ask {
            self.answer(ask, Err(text));
        }
        self.wake_by(now);
    }

    /// A bump has succeeded after an undecided handover: the lead is this member's again.
    pub(super) fn handover_overruled(&mut self, now: Tick) {
        if let Some(leading) = &mut self.leading {
            leading.gave = false;
        }
        self.back_out("its writing was never answered; a higher epoch leads on", now);
    }
}
