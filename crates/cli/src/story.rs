//! The story of one failover or handover, out of what all members decided, merged by time. Pure.

use std::collections::BTreeSet;

use brain::report::Decision;
use serde::Serialize;

#[cfg(test)]
mod tests;

/// Decisions that are further apart than this belong to two stories: longer than any wait of the
/// patient profile (W is 15 s).
const APART_MS: u64 = 20_000;

/// How a group came to its epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Story {
    /// The epoch that it led to.
    pub(crate) epoch: u64,
    /// What set it off: the first decision's sentence.
    pub(crate) cause: String,
    /// Who said so.
    pub(crate) cause_by: String,
    /// Wall clock of the first decision, milliseconds since 1970.
    pub(crate) begun_ms: u64,
    /// Everything that was decided, oldest first.
    pub(crate) steps: Vec<Step>,
}

/// One decision in a story.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Step {
    /// Wall clock, milliseconds since 1970.
    pub(crate) at_ms: u64,
    /// Milliseconds since the story began.
    pub(crate) after_ms: u64,
    /// Who decided.
    pub(crate) member: String,
    /// In which epoch.
    pub(crate) epoch: u64,
    /// By which rule.
    pub(crate) rule: String,
    /// The sentence.
    pub(crate) text: String,
}

impl Story {
    /// From the first decision to the last, in milliseconds.
    pub(crate) fn took_ms(&self) -> u64 {
        self.steps.last().map_or(0, |step| step.after_ms)
    }

    /// The phases that there were, in order, each with when it was reached after the beginning.
    pub(crate) fn phases(&self) -> Vec<Phase> {
        let reached = |name, rules: &[&str]| {
            let of_epoch = |step: &&Step| rules.contains(&step.rule.as_str());
            let step = self.steps.iter().find(of_epoch)?;
            Some(Phase { name, by: step.member.clone(), after_ms: step.after_ms })
        };
        let phases = [
            reached("decided", &["appointed", "takeover", "give", "reclaimed", "bump", "forced"]),
            reached("promoted", &["promoted"]),
            reached("writes routed", &["route"]),
        ];
        phases.into_iter().flatten().collect()
    }
}

/// A milestone of a story.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Phase {
    /// `decided`, `promoted`, `writes routed`.
    pub(crate) name: &'static str,
    /// By whom.
    pub(crate) by: String,
    /// Milliseconds since the story began.
    pub(crate) after_ms: u64,
}

/// All that belongs to stories, each once, oldest first.
fn merged<'a>(decisions: &[&'a Decision]) -> Vec<&'a Decision> {
    let mut seen = BTreeSet::new();
    let mut all: Vec<&Decision> = decisions
        .iter()
        .copied()
        .filter(|d| d.story)
        .filter(|d| seen.insert((d.at_ms, &d.member, &d.rule, &d.text)))
        .collect();
    all.sort_by_key(|d| (d.at_ms, d.epoch));
    all
}

/// The story that led to this epoch; without one, the newest that changed who leads.
pub(crate) fn last(decisions: &[&Decision], epoch: Option<u64>) -> Option<Story> {
    let all = merged(decisions);
    let newest = all.iter().map(|d| d.epoch).max()?;
    let epoch = epoch.unwrap_or(newest);
    let first = all.iter().position(|d| d.epoch == epoch)?;
    // What happened just before the first decision of an epoch is its cause.
    let near = |one: &Decision, next: &Decision| next.at_ms.saturating_sub(one.at_ms) <= APART_MS;
    let mut begin = first;
    while begin > 0 && all[begin - 1].epoch + 1 >= epoch && near(all[begin - 1], all[begin]) {
        // The end of the story before this one is not the cause of this one.
        if ends(&all[begin - 1].rule) {
            break;
        }
        begin -= 1;
    }
    let mut chosen = vec![all[begin]];
    for next in &all[begin + 1..] {
        let newest = chosen.last().expect("the first is there");
        if next.epoch > epoch || !near(newest, next) {
            break;
        }
        chosen.push(next);
    }
    let begun_ms = chosen[0].at_ms;
    Some(Story {
        epoch,
        cause: chosen[0].text.clone(),
        cause_by: chosen[0].member.clone(),
        begun_ms,
        steps: without_echoes(chosen)
            .into_iter()
            .map(|d| Step {
                at_ms: d.at_ms,
                after_ms: d.at_ms.saturating_sub(begun_ms),
                member: d.member.clone(),
                epoch: d.epoch,
                rule: d.rule.clone(),
                text: if d.text.is_empty() { d.rule.clone() } else { d.text.clone() },
            })
            .collect(),
    })
}

/// A decision that only repeats the one before it, said by the same member in the same moment,
/// tells nothing.
fn without_echoes(decisions: Vec<&Decision>) -> Vec<&Decision> {
    let mut kept: Vec<&Decision> = Vec::new();
    for decision in decisions {
        let is_echo = kept.last().is_some_and(|before| {
            before.member == decision.member
                && before.at_ms == decision.at_ms
                && !before.text.is_empty()
                && decision.text.ends_with(&before.text)
        });
        if !is_echo {
            kept.push(decision);
        }
    }
    kept
}

/// Whether a decision by this rule is the end of a story, or of no story at all.
fn ends(rule: &str) -> bool {
    matches!(
        rule,
        "promoted"
            | "route"
            | "followed"
            | "grow"
            | "diverged"
            | "regained"
            | "accepted"
            | "shrink"
    )
}

/// All stories' epochs, newest first.
pub(crate) fn epochs(decisions: &[&Decision]) -> Vec<u64> {
    let all: BTreeSet<u64> = merged(decisions).iter().map(|d| d.epoch).collect();
    all.into_iter().rev().collect()
}
