//! What is to be done next for a group: a pure function of its spec and of what there is. At most
//! one step that a member feels is under way at a time.

use brain::spec::ValidatedSpec;
use brain::{HandoverWish, MemberName};

use super::observe::{Observation, PodView};
use crate::names::Names;

/// One thing that the operator does beside applying objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Tell the agents who the members are, in the record.
    Members(Vec<MemberName>),
    /// Ask the primary to hand over, in the record.
    Handover(HandoverWish),
    /// Replace a pod: its agent leaves in good order, and the set makes a new one.
    Replace {
        /// The pod.
        name: MemberName,
        /// Exactly this one.
        uid: String,
        /// Why, for people.
        why: String,
    },
    /// Ask for a larger volume.
    Grow {
        /// The claim.
        claim: String,
        /// To so many bytes, as the spec spells them.
        size: String,
    },
}

/// The plan of one pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// How many members the set is to have now.
    pub(super) members: u32,
    /// What else is done now.
    pub(super) steps: Vec<Step>,
    /// What is under way and what it waits for; `None` when everything is as it is wanted.
    pub(super) progress: Option<String>,
}

/// What is to be done now. `now_s` tells one attempt at a handover from the next: seconds.
pub(super) fn plan(spec: &ValidatedSpec, seen: &Observation, now_s: i64) -> Plan {
    let mut plan = Plan { members: spec.members(), ..Plan::default() };
    scale(spec, seen, now_s, &mut plan);
    grow(spec, seen, &mut plan);
    if plan.progress.is_none() {
        roll(seen, &mut plan);
    }
    plan
}

/// How long a handover that was asked for may take before it is asked for again, in seconds.
const ASK_AGAIN_S: i64 = 30;

fn names_of(spec: &ValidatedSpec, members: u32) -> Vec<MemberName> {
    let names = Names::of(spec.name());
    (0..members).map(|ordinal| MemberName(names.member(ordinal))).collect()
}

fn scale(spec: &ValidatedSpec, seen: &Observation, now_s: i64, plan: &mut Plan) {
    let (wanted, Some(current)) = (spec.members(), seen.replicas()) else { return };
    let known = seen.record().map(|record| record.members.clone()).unwrap_or_default();
    if wanted >= current {
        let names = names_of(spec, wanted);
        let gone = seen.pods.iter().all(|pod| pod.name.ordinal() < wanted);
        if known != names && gone && seen.record.is_some() {
            plan.steps.push(Step::Members(names));
        }
        if wanted > current {
            plan.progress = Some(format!("growing from {current} to {wanted} members"));
        } else if !gone {
            plan.progress = Some(format!("shrinking to {wanted} members: waiting for pods to end"));
        }
        return;
    }
    let shrinking = format!("shrinking from {current} to {wanted} members");
    match seen.primary() {
        Some(primary) if primary.name.ordinal() >= wanted => {
            plan.members = current;
            plan.progress = Some(hand_down(seen, primary, wanted, now_s, plan, &shrinking));
        }
        Some(_) => plan.progress = Some(shrinking),
        None => {
            plan.members = current;
            plan.progress = Some(format!("{shrinking}: waiting for a primary"));
        }
    }
}

/// Has the primary hand over to a member that stays, and says what is waited for.
fn hand_down(
    seen: &Observation,
    primary: &PodView,
    wanted: u32,
    now_s: i64,
    plan: &mut Plan,
    shrinking: &str,
) -> String {
    let stays = |pod: &&PodView| pod.name.ordinal() < wanted && pod.is_electable();
    let Some(heir) = seen.pods.iter().find(stays) else {
        return format!("{shrinking}: no member that stays could take over yet");
    };
    let id = format!("scale-{}", now_s / ASK_AGAIN_S);
    let asked = seen.record().and_then(|record| record.handover.as_ref());
    if asked.is_none_or(|wish| wish.id != id) {
        plan.steps.push(Step::Handover(HandoverWish { id, to: Some(heir.name.clone()) }));
    }
    format!("{shrinking}: {} hands over to {}", primary.name, heir.name)
}

/// Claims that are smaller than the spec says. A volume never shrinks.
fn grow(spec: &ValidatedSpec, seen: &Observation, plan: &mut Plan) {
    let Some(bytes) = spec.storage_bytes() else { return };
    let Some(storage) = &spec.resource().spec.storage else { return };
    for claim in &seen.claims {
        let resources = claim.spec.as_ref().and_then(|spec| spec.resources.as_ref());
        let requests = resources.and_then(|resources| resources.requests.as_ref());
        let has = requests.and_then(|requests| requests.get("storage"));
        let has = has.and_then(|size| brain::spec::parse_quantity_bytes(&size.0));
        let name = claim.metadata.name.clone().unwrap_or_default();
        if has.is_some_and(|has| has < bytes) {
            plan.steps.push(Step::Grow { claim: name, size: storage.size.clone() });
        }
    }
}

/// Pods of an older template are replaced one by one, replicas first, the primary last, and each
/// only when every other member has a whole copy.
fn roll(seen: &Observation, plan: &mut Plan) {
    let Some(revision) = seen.revision() else { return };
    let mut old: Vec<&PodView> = seen.pods.iter().filter(|pod| pod.revision != revision).collect();
    if old.is_empty() {
        return;
    }
    let left = old.len();
    if let Some(waits) = seen.unsettled() {
        plan.progress = Some(format!("replacing {left} pods: {waits}"));
        return;
    }
    old.sort_by_key(|pod| (pod.is_primary(), std::cmp::Reverse(pod.name.ordinal())));
    let next = old[0];
    let why = format!("its template is not the newest one any more; {left} to be replaced");
    plan.steps.push(Step::Replace { name: next.name.clone(), uid: next.uid.clone(), why });
    plan.progress = Some(format!("replacing {left} pods: now {}", next.name));
}

#[cfg(test)]
mod tests;
