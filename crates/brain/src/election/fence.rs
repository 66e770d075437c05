//! The fencing ladder (failover.md 2.7): soft, demote, kill, and the gate's deadline.

use crate::cure::Cure;
use crate::effect::{Act, EngineCommand, GateDeadline};
use crate::reason::Reason;
use crate::time::{Span, Tick};

use super::Election;
use super::authority::Until;
use super::lead::State;

impl Election {
    /// Judges the deadline of this member's authority, before and after everything else.
    pub(super) fn fence(&mut self, now: Tick) {
        self.judge(now);
        self.enforce_demotion(now);
        self.set_gate(now);
    }

    fn judge(&mut self, now: Tick) {
        let margin = self.margin();
        let Some(leading) = &self.leading else { return };
        if !leading.may_write() {
            return;
        }
        let until = leading.authority.until();
        let left = until.left(now);
        if left <= margin {
            return self.lapse(now);
        }
        // F1: neither lease nor peers fresh, less than 40 % left.
        let timing = &self.settings.timing;
        let soft = timing.lease.min(timing.peer).scaled(2, 5);
        let paused = leading.soft_paused;
        if left < soft && !paused && leading.handover.is_none() {
            self.soften(left);
        } else if left >= soft && paused {
            self.unsoften("authority is fresh again");
        }
        if let Until::At(deadline) = until {
            let soft_at = deadline.before(soft) + Span::from_millis(1);
            let next = if soft_at > now { soft_at } else { deadline.before(margin) };
            self.wake_by(next);
        }
    }

    /// A holder that cannot promote, for whatever reason (its disk does not keep its epoch, nobody
    /// acknowledges it), does not keep the group from having a primary: like one that is fenced it
    /// neither renews nor asks for acks, for as long as others need (failover.md 2.9).
    pub(super) fn make_way(&mut self, now: Tick) {
        let long = self.long_enough();
        let rest = self.settings.timing.lease.scaled(3, 1);
        let keeps = self.settings.keeps(Cure::HolderMakesWay);
        let Some(leading) = &mut self.leading else { return };
        // Of an empty electorate nobody else could lead.
        let alone = leading.electorate.is_empty();
        if leading.state != State::Preparing || leading.gave || alone || !keeps {
            return;
        }
        let due = leading.idle_since + long;
        if now < due {
            return self.wake_by(due);
        }
        leading.state = State::Fenced;
        leading.disown_acks();
        leading.rests_until = now + rest;
        leading.next_beat = now;
        leading.drop_unsent();
        let text = format!(
            "{} has held epoch {} for {long} and could not promote: others may lead",
            self.id.name, leading.epoch
        );
        self.out.note(Reason::story("made-way", text));
        // Who was appointed still follows the one before.
        self.demote_now(Reason::detail("made-way", "the engine waits at the dead end"), None);
        self.observe_soon(now);
    }

    fn margin(&self) -> Span {
        if self.settings.keeps(Cure::Margin) { self.settings.timing.margin } else { Span::ZERO }
    }

    fn soften(&mut self, left: Span) {
        if let Some(leading) = &mut self.leading {
            leading.soft_paused = true;
        }
        let text =
            format!("neither lease nor peers are fresh: writes wait, {left} of authority left");
        let why = Reason::story("fence-soft", text);
        self.tell_engine(EngineCommand::PauseWrites(left), why);
    }

    fn unsoften(&mut self, text: &str) {
        if let Some(leading) = &mut self.leading {
            leading.soft_paused = false;
        }
        self.tell_engine(EngineCommand::Unpause, Reason::story("unfence", text));
    }

    /// F2: authority is over but for the margin.
    fn lapse(&mut self, now: Tick) {
        let Some(leading) = &mut self.leading else { return };
        leading.state = State::Fenced;
        // Members forget their acks once they hear of the fence: so does this member.
        leading.disown_acks();
        leading.soft_paused = false;
        leading.change = None;
        leading.next_beat = now;
        let ask = leading.handover.take().and_then(|h| h.ask);
        let text = format!(
            "{} holds epoch {} by nobody's word any more: demoted",
            self.id.name, leading.epoch
        );
        let why = Reason::story("fenced", text.clone());
        self.out.note(why.clone());
        let by = now + self.settings.timing.margin.scaled(1, 2);
        self.demote_now(why, Some(by));
        self.tell_engine(EngineCommand::Unpause, Reason::routine("fenced"));
        self.tell_engine(EngineCommand::KillClients, Reason::routine("fenced"));
        if let Some(ask) = ask {
            self.answer(ask, Err(text));
        }
        self.observe_soon(now);
        self.wake_by(now + self.settings.timing.margin.scaled(1, 2));
    }

    /// The gate's deadline (failover.md 2.7 G2): after F2 and F3 had their turn, before a
    /// challenger may begin.
    pub(super) fn set_gate(&mut self, now: Tick) {
        let last_quarter = self.margin().scaled(1, 4);
        let wanted = match &self.leading {
            Some(l) if l.may_write() => match l.authority.until().before(last_quarter) {
                Until::Forever => GateDeadline::Open,
                Until::At(tick) => GateDeadline::Until(tick),
                Until::Never => GateDeadline::Until(now),
            },
            // A process that an earlier judgement left may still be a primary: its gate stays.
            _ if self.engine.run == 0 => return,
            // Open once the engine has said that it is no primary; until then as it was.
            _ if self.engine.is_demoted() || self.engine_follows() => GateDeadline::Open,
            _ => return,
        };
        if self.gate != Some(wanted) {
            self.gate = Some(wanted);
            self.out.push(Act::Gate(wanted), Reason::routine("gate"));
        }
    }

    fn engine_follows(&self) -> bool {
        matches!(self.engine.posture(), Some(super::engine_side::Posture::Follow(_)))
    }
}
