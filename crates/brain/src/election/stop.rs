//! A member that is told to stop (failover.md 2.10, SIGTERM): hand over or leave first, then end
//! the engine, then go.

use crate::effect::{Act, AskId, EngineCommand};
use crate::message::Message;
use crate::reason::Reason;
use crate::time::{Span, Tick};

use super::Election;
use super::engine_side::{Phase, Posture};
use super::lead::State;

/// How far the stop has come.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Stopping {
    ask: AskId,
    began: Tick,
    deadline: Tick,
    stage: Stage,
    /// The engine had let go of its upstream before it was told to save: what it said last is all
    /// that it has.
    still: bool,
}

impl Stopping {
    /// The engine follows nobody any more, whoever leads.
    pub(crate) fn lets_go(&self) -> bool {
        self.stage != Stage::Leaving
    }

    /// Whether nothing has reached the engine since it was last looked at.
    pub(crate) fn is_still(&self) -> bool {
        self.still
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Stage {
    /// Handing over, releasing, or leaving the electorate.
    Leaving,
    /// The engine lets go of its upstream: until then it acknowledges what no stamp knows.
    Detaching(Tick),
    /// The engine saves and ends.
    Ending(Tick),
    /// Done.
    Gone,
}

impl Election {
    /// How long a replica waits to be taken out of the electorate before it stops all the same.
    const LEAVE_WITHIN: Span = Span::from_millis(2500);
    /// How long an engine may take to let go; one that hangs is not waited for.
    const LET_GO_WITHIN: Span = Span::from_millis(500);
    /// The rest of the time belongs to the engine's save.
    const SAVE_SHARE: (u64, u64) = (1, 2);

    pub(super) fn wish_stop(&mut self, ask: AskId, within: Span, now: Tick) {
        if self.stopping.is_some() {
            return;
        }
        self.out.note(Reason::story("stop", format!("{} is told to stop", self.id.name)));
        self.stopping = Some(Stopping {
            ask,
            began: now,
            deadline: now + within,
            stage: Stage::Leaving,
            still: false,
        });
        self.candidate = None;
        self.vote = None;
        self.next_gossip = now;
        let report = Box::new(self.standing());
        let others: Vec<_> = self.settings.others().cloned().collect();
        for to in others {
            let gossip = Message::Standing { ask: 0, report: report.clone() };
            self.send(&to, gossip, Reason::routine("stopping"));
            if self.leading.is_none() {
                self.send(&to, Message::Goodbye, Reason::routine("goodbye"));
            }
        }
    }

    pub(super) fn step_stopping(&mut self, now: Tick) {
        let Some(stopping) = &self.stopping else { return };
        let (began, deadline) = (stopping.began, stopping.deadline);
        match stopping.stage {
            Stage::Leaving => {
                let (part, of) = Self::SAVE_SHARE;
                let limit = began + deadline.since(began).scaled(part, of);
                if self.has_left(began, now) || now >= limit {
                    self.end_for_good(now);
                } else {
                    self.wake_by(limit.min(now + self.settings.timing.heartbeat));
                }
            }
            Stage::Detaching(since) => self.detach_for_good(since, now),
            Stage::Ending(since) => {
                if self.engine.phase == Phase::Absent {
                    self.be_gone(now);
                } else if now >= deadline {
                    self.kill_engine(Reason::story(
                        "stop",
                        "the engine did not end in time: killed",
                    ));
                    if let Some(stopping) = &mut self.stopping {
                        stopping.deadline = now + Span::from_millis(1000);
                    }
                } else {
                    self.wake_by(deadline.max(since));
                }
            }
            Stage::Gone => {}
        }
    }

    /// Whether this member may end its engine: nobody counts on it any more.
    fn has_left(&mut self, began: Tick, now: Tick) -> bool {
        if self.leading.is_some() {
            self.leave_lead(began, now);
            return false;
        }
        if self.succession.is_some() {
            return now.since(began) >= Self::LEAVE_WITHIN;
        }
        let Some(record) = self.store.record() else { return true };
        let seated = record.electorate.seat(&self.id).is_some();
        let followed = self.following.as_ref().is_some_and(|f| {
            f.beat.electorate.version >= record.electorate.version
                && f.beat.electorate.seat(&self.id).is_none()
        });
        let out = !seated || followed;
        // A released record waits for nobody; nor does a primary that stops as well.
        let released = record.is_released();
        let everybody = self.settings.others().all(|m| {
            self.peers
                .get(m)
                .and_then(|p| p.report.as_ref())
                .is_none_or(|(r, at)| r.stopping || now.since(*at) > Span::from_millis(5000))
        });
        let handed = self.farewell.is_some();
        (!handed && (out || released || everybody) && !self.whole_group_stops(began, now))
            || now.since(began) >= Self::LEAVE_WITHIN
    }

    /// While the primary that stops too has not released yet, its replicas wait for its last bytes.
    fn whole_group_stops(&self, began: Tick, now: Tick) -> bool {
        let primary = self.primary_known().map(|h| &h.id.name);
        let stops = primary.and_then(|m| self.peers.get(m)).and_then(|p| p.report.as_ref());
        let released = self.store.record().is_some_and(crate::Record::is_released);
        stops.is_some_and(|(r, _)| r.stopping) && !released && now.since(began) < Self::LEAVE_WITHIN
    }

    /// A primary that stops: a successor that is not stopping itself, or a release.
    fn leave_lead(&mut self, began: Tick, now: Tick) {
        let Some(leading) = &self.leading else { return };
        if leading.handover.is_some() || leading.gave {
            return;
        }
        if leading.state != State::Writable {
            // Nothing was promised in this epoch by a write: the record may be left as it is.
            if now.since(began) >= self.settings.timing.heartbeat.scaled(2, 1) {
                self.step_down("told to stop before the promotion", now);
            }
            return;
        }
        // A moment, so that members that stop at the same time can say so.
        let moment = Span::from_millis(60);
        if now.since(began) < moment {
            return self.wake_by(began + moment);
        }
        if self.successor(None).is_ok() {
            return self.begin_handover(None, None, "told to stop", now);
        }
        let hope = self.settings.others().any(|m| {
            self.peers.get(m).is_some_and(|p| {
                p.link_up && p.report.as_ref().is_some_and(|(r, _)| !r.stopping && r.ready)
            })
        });
        if !hope || now.since(began) >= Self::LEAVE_WITHIN {
            self.begin_release("told to stop, and nobody can take over", now);
        }
    }

    fn end_for_good(&mut self, now: Tick) {
        if self.leading.is_some() {
            self.step_down("out of time to stop", now);
        }
        self.succession = None;
        self.engine.want = Posture::DeadEnd;
        if let Some(stopping) = &mut self.stopping {
            stopping.stage = Stage::Detaching(now);
        }
        self.detach_for_good(now, now);
    }

    /// What a replica receives after the last look at it is on its disk and in no stamp: it is
    /// detached and looked at before it saves, as before a promise (failover.md 2.4).
    fn detach_for_good(&mut self, since: Tick, now: Tick) {
        if self.engine.phase == Phase::Absent {
            return self.be_gone(now);
        }
        let still = self.engine.is_detached_since(since);
        let limit = since + Self::LET_GO_WITHIN;
        if !still && now < limit {
            self.observe_soon(now);
            return self.wake_by(limit);
        }
        if let Some(stopping) = &mut self.stopping {
            stopping.still = still;
            stopping.stage = Stage::Ending(now);
        }
        let why = Reason::story("stop", format!("{}: the engine saves and ends", self.id.name));
        self.tell_engine(EngineCommand::Shutdown, why);
        if let Some(deadline) = self.stopping.as_ref().map(|s| s.deadline) {
            self.wake_by(deadline);
        }
    }

    fn be_gone(&mut self, now: Tick) {
        let Some(stopping) = &mut self.stopping else { return };
        stopping.stage = Stage::Gone;
        let ask = stopping.ask;
        self.persist("stop", now);
        self.answer(ask, Ok("stopped".into()));
        self.out.push(Act::Leave, Reason::detail("leave", "the engine has ended"));
    }
}
