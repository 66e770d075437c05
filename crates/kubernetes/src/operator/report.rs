//! What the resource's status says: a pure function of what there is, of the plan, and of what it
//! said before (for the times since when things hold).

use brain::MemberName;
use brain::spec::ValidatedSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;

use super::observe::{Observation, PodView};
use super::plan::Plan;
use crate::crd::{
    DATA_AT_RISK, DEGRADED, FAILOVER_POSSIBLE, LastDataLoss, LastFailover, LinkState, MemberRole,
    MemberStatus, PROGRESSING, READY, Status,
};
use crate::names::{GROUP_LABEL, ROLE_PRIMARY};

/// What a pass made of a group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outcome<'a> {
    /// The spec, or what is wrong with it in one sentence.
    pub(super) spec: Result<&'a ValidatedSpec, &'a str>,
    /// What there is.
    pub(super) seen: &'a Observation,
    /// What is under way.
    pub(super) plan: &'a Plan,
    /// What could not be done.
    pub(super) failed: Option<&'a str>,
}

/// The new status.
pub(super) fn status(
    group: &str,
    generation: Option<i64>,
    outcome: Outcome<'_>,
    before: &Status,
    now: Timestamp,
) -> Status {
    let Outcome { spec, seen, .. } = outcome;
    let primary = seen.primary();
    let ready = seen.pods.iter().filter(|pod| pod.is_primary() || pod.is_replica()).count();
    let mut status = Status {
        observed_generation: generation,
        topology: spec.ok().map(|spec| format!("1+{}", spec.replicas())),
        ready: spec.ok().map(|spec| format!("{ready}/{}", spec.members())),
        primary: primary.map(|pod| pod.name.to_string()),
        last_primary: primary
            .map(|pod| pod.name.to_string())
            .or_else(|| before.last_primary.clone()),
        epoch: primary.and_then(|pod| pod.notice.as_ref()).map(|notice| notice.epoch),
        replicas: seen.replicas().unwrap_or_default().saturating_sub(1),
        selector: Some(format!("{GROUP_LABEL}={group}")),
        members: seen.pods.iter().map(member).collect(),
        last_failover: last_failover(primary, &seen.pods, before, now),
        last_data_loss: last_data_loss(&seen.pods, before, now),
        ..Status::default()
    };
    let conditions = judge(outcome, ready);
    status.message = Some(message(&conditions));
    status.conditions =
        conditions.into_iter().map(|found| found.since(before, generation, now)).collect();
    status
}

fn member(pod: &PodView) -> MemberStatus {
    let notice = pod.notice.clone().unwrap_or_default();
    let role = match notice.role.as_str() {
        "primary" if pod.role == ROLE_PRIMARY => MemberRole::Primary,
        "replica" | "syncing" => MemberRole::Replica,
        _ => MemberRole::None,
    };
    let link = (role == MemberRole::Replica).then_some(match notice.role.as_str() {
        "syncing" => LinkState::Syncing,
        _ if notice.link_up => LinkState::Up,
        _ => LinkState::Down,
    });
    MemberStatus {
        name: pod.name.to_string(),
        role,
        link,
        complete: notice.complete,
        electable: notice.electable,
        why_not: notice.why_not.filter(|_| role != MemberRole::Primary),
        ready: pod.is_primary() || pod.is_replica(),
        error: notice.blocked,
        ..MemberStatus::default()
    }
}

/// The primary has another name than before: how that came, as its own agent tells.
fn last_failover(
    primary: Option<&PodView>,
    pods: &[PodView],
    before: &Status,
    now: Timestamp,
) -> Option<LastFailover> {
    let known = before.last_failover.clone();
    let Some(primary) = primary else { return known };
    let name = primary.name.to_string();
    // The first primary of a group has failed over from nobody.
    let Some(from) = before.last_primary.clone().filter(|led| *led != name) else {
        // Whoever led before may say why a little later.
        return known.map(|known| match known.from.as_deref() {
            Some(from) if known.cause == UNSAID => {
                LastFailover { cause: cause(primary, from, pods), ..known }
            }
            _ => known,
        });
    };
    Some(LastFailover {
        cause: cause(primary, &from, pods),
        at: Time(now),
        duration_ms: None,
        bytes_at_risk: None,
        from: Some(from),
        to: Some(name),
    })
}

/// The newest loss that any member tells of, kept for as long as the group exists.
fn last_data_loss(pods: &[PodView], before: &Status, now: Timestamp) -> Option<LastDataLoss> {
    let known = before.last_data_loss.clone();
    let told = pods.iter().filter_map(|pod| pod.notice.as_ref()?.began_empty.as_ref());
    match told.max_by_key(|told| told.epoch) {
        Some(told) if known.as_ref().is_none_or(|known| known.epoch < told.epoch) => {
            Some(LastDataLoss { cause: told.why.clone(), at: Time(now), epoch: told.epoch })
        }
        _ => known,
    }
}

/// What is said of a cause that nobody has told yet.
const UNSAID: &str = "its agents have not said why";

/// Why the lead has moved: in the words of whoever took it, else of whoever had it.
fn cause(primary: &PodView, from: &str, pods: &[PodView]) -> String {
    let notice = primary.notice.as_ref();
    let taken = notice.and_then(|notice| notice.cause.clone());
    let epoch = notice.map_or(0, |notice| notice.epoch);
    let left = || {
        let pod = pods.iter().find(|pod| pod.name.0 == from)?;
        let left = pod.notice.as_ref()?.left.as_ref()?;
        (left.epoch < epoch && left.epoch + 2 >= epoch).then(|| left.why.clone())
    };
    taken.or_else(left).unwrap_or_else(|| UNSAID.to_owned())
}

/// One condition as it is found.
#[derive(Clone, Debug)]
struct Found {
    kind: &'static str,
    holds: bool,
    reason: &'static str,
    message: String,
}

impl Found {
    fn since(self, before: &Status, generation: Option<i64>, now: Timestamp) -> Condition {
        let status = if self.holds { "True" } else { "False" }.to_owned();
        let known = before.conditions.iter().find(|known| known.type_ == self.kind);
        let since = known.filter(|known| known.status == status);
        Condition {
            type_: self.kind.to_owned(),
            last_transition_time: since
                .map_or(Time(now), |known| known.last_transition_time.clone()),
            status,
            reason: self.reason.to_owned(),
            message: self.message,
            observed_generation: generation,
        }
    }
}

fn judge(outcome: Outcome<'_>, ready: usize) -> Vec<Found> {
    let seen = outcome.seen;
    let found = |kind, holds, reason, message: String| Found { kind, holds, reason, message };
    let spec = match outcome.spec {
        Ok(spec) => spec,
        Err(wrong) => {
            return vec![found(READY, false, "InvalidSpec", wrong.to_owned())];
        }
    };
    let members = spec.members() as usize;
    let blocked = seen.pods.iter().find_map(|pod| pod.notice.as_ref()?.blocked.clone());
    let leads = seen.primary().map(|pod| pod.name.clone());
    let whole = seen.unsettled();
    let ready = match (&leads, &whole) {
        (None, _) => {
            let why = blocked.clone().unwrap_or_else(|| "nobody leads yet".to_owned());
            found(READY, false, "NoPrimary", why)
        }
        (Some(primary), Some(why)) if ready < members => {
            let text = format!("{primary} leads, {ready} of {members} members serve: {why}");
            found(READY, false, "MembersMissing", text)
        }
        (Some(primary), _) => {
            found(READY, true, "Serving", format!("{primary} leads, {ready} members serve"))
        }
    };
    let degraded = match (&leads, &whole) {
        (Some(_), Some(why)) => found(DEGRADED, true, "NotWhole", why.clone()),
        (None, _) => found(DEGRADED, true, "NoPrimary", ready.message.clone()),
        (Some(_), None) => found(DEGRADED, false, "Whole", "every member follows".to_owned()),
    };
    let progressing = match (outcome.failed, &outcome.plan.progress) {
        (Some(failed), _) => found(PROGRESSING, false, "Failed", failed.to_owned()),
        (None, Some(progress)) => found(PROGRESSING, true, "Changing", progress.clone()),
        (None, None) => found(PROGRESSING, false, "Done", "as it is wanted".to_owned()),
    };
    vec![ready, failover(spec, seen, leads.as_ref()), progressing, degraded, risk(spec, seen)]
}

/// Whether somebody could take over now; with the reason when not.
fn failover(spec: &ValidatedSpec, seen: &Observation, leads: Option<&MemberName>) -> Found {
    let found = |holds, reason, message| Found { kind: FAILOVER_POSSIBLE, holds, reason, message };
    if spec.replicas() == 0 {
        let text = "there are no replicas: the primary alone has the data";
        return found(false, "NoReplicas", text.to_owned());
    }
    if leads.is_none() {
        return found(false, "NoPrimary", "nobody leads, so nobody can be followed".to_owned());
    }
    let heirs: Vec<String> =
        seen.pods.iter().filter(|pod| pod.is_electable()).map(|p| p.name.to_string()).collect();
    if heirs.is_empty() {
        let why = seen.pods.iter().find_map(|pod| pod.notice.as_ref()?.why_not.clone());
        let why = why.unwrap_or_else(|| "no replica has caught up".to_owned());
        return found(false, "NoHeir", why);
    }
    found(true, "Ready", format!("{} could take over", heirs.join(", ")))
}

/// Whether acknowledged data are on one member only.
fn risk(spec: &ValidatedSpec, seen: &Observation) -> Found {
    let found =
        |holds, reason, message: String| Found { kind: DATA_AT_RISK, holds, reason, message };
    let copies = seen
        .pods
        .iter()
        .filter(|pod| pod.is_primary() || pod.is_replica())
        .filter(|pod| pod.notice.as_ref().is_some_and(|notice| notice.complete))
        .count();
    let memory = if spec.storage_bytes().is_none() {
        " in memory only: data do not outlive all members at once"
    } else {
        ""
    };
    match copies {
        0 => found(true, "NoCopy", "no member that serves has a whole copy".to_owned()),
        1 => found(true, "OneCopy", format!("one whole copy{memory}")),
        n => found(false, "Copies", format!("{n} whole copies{memory}")),
    }
}

/// The sentence that matters most.
fn message(conditions: &[Found]) -> String {
    let holds = |kind: &str| conditions.iter().find(|found| found.kind == kind);
    let ready = holds(READY).map(|found| (found.holds, found.message.clone()));
    match ready {
        Some((true, text)) => match holds(PROGRESSING).filter(|found| found.holds) {
            Some(progress) => format!("{text}; {}", progress.message),
            None => text,
        },
        Some((false, text)) => text,
        None => String::new(),
    }
}

#[cfg(test)]
mod tests;
