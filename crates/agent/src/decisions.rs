//! The newest decisions with their reasons, for `status` and `why`, those of an earlier agent on
//! this disk included; and each of them as a log event.

mod journal;

use std::collections::VecDeque;
use std::path::Path;

use brain::Reason;
use brain::report::Decision;
use journal::Journal;

/// Enough for several failovers' stories; about 40 KiB at the most.
const KEPT: usize = 200;

/// The ring of decisions. Routine without a text repeats twice a second: it is only logged.
#[derive(Debug, Default)]
pub(crate) struct Decisions {
    kept: VecDeque<Decision>,
    /// The last ones are this agent's, and not an earlier one's.
    own: bool,
    journal: Option<Journal>,
}

impl Decisions {
    /// What earlier agents decided here, and from now on this one.
    pub(crate) fn open(directory: &Path) -> Self {
        let kept = journal::read(directory).into();
        let journal = Journal::start(directory)
            .inspect_err(|error| {
                tracing::warn!(%error, "decisions are not written down: a restart forgets them");
            })
            .ok();
        Self { kept, own: false, journal }
    }

    /// Notes one decision. Stories and details with text are kept, pure routine is only logged.
    pub(crate) fn note(&mut self, member: &str, epoch: u64, what: &str, why: &Reason) {
        let rule = why.rule;
        let same =
            self.kept.back().filter(|_| self.own).is_some_and(|last| {
                last.rule == rule && last.text == why.text && last.epoch == epoch
            });
        if why.story && !same {
            tracing::info!(target: "decision", member, epoch, rule, what, "{why}");
        } else {
            tracing::debug!(target: "decision", member, epoch, rule, what, "{why}");
        }
        // Several effects of one decision carry one reason.
        if same || (!why.story && why.text.is_empty()) {
            return;
        }
        self.add(Decision {
            at_ms: crate::clock::wall_ms(),
            member: member.to_owned(),
            epoch,
            rule: rule.to_owned(),
            text: why.text.clone(),
            story: why.story,
        });
    }

    /// All that are kept, oldest first.
    pub(crate) fn all(&self) -> Vec<Decision> {
        self.kept.iter().cloned().collect()
    }

    fn add(&mut self, decision: Decision) {
        if let Some(journal) = &self.journal {
            journal.add(&decision);
        }
        if self.kept.len() == KEPT {
            // Details make room before stories do.
            let oldest = self.kept.iter().position(|kept| !kept.story).unwrap_or(0);
            self.kept.remove(oldest);
        }
        self.kept.push_back(decision);
        self.own = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_reason_of_several_effects_is_kept_once_and_routine_not_at_all() {
        let mut decisions = Decisions::default();
        let why = Reason::story("appointed", "cart-1 is freshest");
        decisions.note("cart-0", 2, "Send", &why);
        decisions.note("cart-0", 2, "Replace", &why);
        decisions.note("cart-0", 2, "Send", &Reason::routine("heartbeat"));
        assert_eq!(decisions.all().len(), 1);
        for epoch in 0..2 * KEPT as u64 {
            decisions.note("cart-0", epoch, "Note", &why);
        }
        assert_eq!(decisions.all().len(), KEPT);
    }

    #[test]
    fn the_next_agent_begins_with_what_the_last_one_decided() {
        let dir = tempfile::tempdir().unwrap();
        let why = Reason::story("appointed", "cart-1 is freshest");
        let mut first = Decisions::open(dir.path());
        first.note("cart-0", 2, "Send", &why);
        let kept = first.all();
        drop(first);
        let mut second = Decisions::open(dir.path());
        assert_eq!(second.all(), kept);
        // The same again, by another agent, is another decision.
        second.note("cart-0", 2, "Send", &why);
        assert_eq!(second.all().len(), 2);
    }
}
