//! A member whose state file is taken away while its agent runs (failover.md 2.12): it can never
//! lead again, but the lease that it holds is still its own to give.

use crate::effect::Act;
use crate::reason::Reason;
use crate::time::{Span, Tick};

use super::Election;
use super::engine_side::Phase;

/// How far the leaving of such a member has come.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Wiped {
    /// It holds the lease, or did until a moment ago.
    held: bool,
    leave_by: Tick,
    gone: bool,
}

impl Election {
    /// How long it tries to appoint a successor; after that the others lead as after any silence.
    const APPOINT_WITHIN: Span = Span::from_millis(1500);
    /// How long the word of an appointment may take to get out.
    const WORD_WITHIN: Span = Span::from_millis(100);

    pub(super) fn on_wiped(&mut self, now: Tick) {
        if self.wiped.is_some() {
            return;
        }
        let text = "the state file is gone: this member leaves, and comes back as a newcomer";
        self.out.note(Reason::story("wiped", text));
        // Nothing that it says from now on can be kept: no promise, no candidacy, no new line.
        self.vote = None;
        self.drop_candidacy();
        self.creation = None;
        self.stamp_lost();
        if self.engine.phase == Phase::Up {
            self.kill_engine(Reason::detail("wiped", "its files are gone: ended"));
        }
        let held = self.leading.is_some() || self.succession.is_some();
        let leave_by = if held { now + Self::APPOINT_WITHIN } else { now };
        self.wiped = Some(Wiped { held, leave_by, gone: false });
    }

    pub(super) fn step_wiped(&mut self, now: Tick) {
        let holds = self.leading.is_some() || self.succession.is_some();
        let Some(wiped) = &mut self.wiped else { return };
        if wiped.held && !holds {
            wiped.held = false;
            wiped.leave_by = wiped.leave_by.min(now + Self::WORD_WITHIN);
        }
        let leave_by = wiped.leave_by;
        if now < leave_by {
            self.wake_by(leave_by);
        } else if !std::mem::replace(&mut wiped.gone, true) {
            self.out.push(Act::StartAnew, Reason::detail("leave", "as a newcomer"));
        }
    }
}
