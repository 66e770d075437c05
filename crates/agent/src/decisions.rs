//! The newest decisions with their reasons, for `status` and `why`, and each of them as a log
//! event.

use std::collections::VecDeque;

use brain::Reason;
use brain::report::Decision;

/// Enough for several failovers' stories; about 40 KiB at the most.
const KEPT: usize = 200;

/// The ring of decisions. Routine without a text repeats twice a second: it is only logged.
#[derive(Debug, Default)]
pub(crate) struct Decisions(VecDeque<Decision>);

impl Decisions {
    /// Notes one decision. Stories and details with text are kept, pure routine is only logged.
    pub(crate) fn note(&mut self, member: &str, epoch: u64, what: &str, why: &Reason) {
        let rule = why.rule;
        let same = self
            .0
            .back()
            .is_some_and(|last| last.rule == rule && last.text == why.text && last.epoch == epoch);
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
        self.0.iter().cloned().collect()
    }

    fn add(&mut self, decision: Decision) {
        if self.0.len() == KEPT {
            // Details make room before stories do.
            let oldest = self.0.iter().position(|kept| !kept.story).unwrap_or(0);
            self.0.remove(oldest);
        }
        self.0.push_back(decision);
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
}
