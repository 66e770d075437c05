//! What an agent tells Kubernetes of its member: a label that Services select by, and an annotation
//! that the operator reads. Written when the class changes, not with every byte of lag.

use std::time::Duration;

use brain::BEGINS_EMPTY;
use brain::report::{Decision, MemberReport};
use k8s_openapi::api::core::v1::Pod as KubePod;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use platform::{Notices, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Pod;
use super::calls::within;
use crate::names::{MEMBER_ANNOTATION, ROLE_LABEL, ROLE_NONE, ROLE_PRIMARY, ROLE_REPLICA};

/// A member as its pod's annotation has it. Fields are added, never renamed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Notice {
    /// As in the report: `primary`, `replica`, `syncing`, …
    pub role: String,
    /// The epoch that this member knows.
    pub epoch: u64,
    /// Who leads, as it knows.
    pub primary: Option<String>,
    /// Whether its link to its upstream is up.
    pub link_up: bool,
    /// Whether its dataset is whole.
    pub complete: bool,
    /// Whether it could take over.
    pub electable: bool,
    /// Why it could not.
    pub why_not: Option<String>,
    /// What stands in the way of a primary.
    pub blocked: Option<String>,
    /// `gate` or `process`.
    pub fence: String,
    /// Members that may succeed, as it knows.
    pub electorate: Vec<String>,
    /// The engine, such as `valkey 8.1.1`.
    pub engine: String,
    /// Of a primary: how it came to lead, in the words of the last decision of that story.
    pub cause: Option<String>,
    /// Of a member that led and does no more: why.
    pub left: Option<Told>,
    /// Of a member by whose word the whole group lost its data and began anew: how.
    pub began_empty: Option<Told>,
}

/// What was decided in an epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Told {
    /// The epoch.
    pub epoch: u64,
    /// Why, in the words of whoever decided.
    pub why: String,
}

impl Notice {
    /// What of a report is told.
    pub fn of(report: &MemberReport) -> Self {
        Self {
            role: report.role.clone(),
            epoch: report.epoch,
            primary: report.primary.clone(),
            link_up: report.link_up,
            complete: report.complete,
            electable: report.electable,
            why_not: report.why_not.clone(),
            blocked: report.blocked.clone(),
            fence: report.fence.clone(),
            electorate: report.electorate.clone(),
            engine: report.engine.clone(),
            cause: (report.role == "primary").then(|| cause(report)).flatten(),
            left: (report.role != "primary").then(|| left(report)).flatten(),
            began_empty: began_empty(report),
        }
    }

    /// The value of the role label: what a Service may send here.
    pub fn label(&self) -> &'static str {
        match self.role.as_str() {
            "primary" => ROLE_PRIMARY,
            "replica" if self.link_up && self.complete => ROLE_REPLICA,
            _ => ROLE_NONE,
        }
    }
}

/// Decisions that say why a primary was sought, as its successor tells it: nobody handed over.
const TAKEN: [&str; 4] = ["takeover", "forced", "reclaimed", BEGINS_EMPTY];

/// Decisions by which a primary ends its lead, or learns that it has ended.
const ENDED: [&str; 7] = ["stop", "exited", "hang", "handover", "no-room", "wiped", "fenced"];

/// Why this primary leads, where it took the lead by itself: part of the newest story.
fn cause(report: &MemberReport) -> Option<String> {
    let stories = report.decisions.iter().rev().filter(|decision| decision.story);
    let mut of_epoch = stories.take_while(|decision| decision.epoch + 1 >= report.epoch);
    let taken = of_epoch.find(|decision| TAKEN.contains(&decision.rule.as_str()));
    taken.map(|decision| decision.text.clone())
}

/// The first of what ended the newest lead of this member: what follows is how it was ended.
fn left(report: &MemberReport) -> Option<Told> {
    let ends = |rule: &str| ENDED.contains(&rule);
    let own = |decision: &&Decision| {
        decision.story && decision.member == report.name && ends(&decision.rule)
    };
    let newest = report.decisions.iter().rev().find(own)?.epoch;
    let first = report.decisions.iter().filter(own).find(|decision| decision.epoch == newest)?;
    Some(Told { epoch: first.epoch, why: first.text.clone() })
}

/// It decides in the epoch before the one that it begins.
fn began_empty(report: &MemberReport) -> Option<Told> {
    let said = report.decisions.iter().rev().find(|decision| decision.rule == BEGINS_EMPTY)?;
    Some(Told { epoch: said.epoch, why: said.text.clone() })
}

/// Notices on this agent's pod.
pub struct PodNotices {
    api: Api<KubePod>,
    pod: Pod,
}

impl PodNotices {
    /// Notices on this pod.
    pub(super) fn new(pod: &Pod, client: Client) -> Self {
        Self { api: Api::namespaced(client, &pod.namespace), pod: pod.clone() }
    }
}

impl Notices for PodNotices {
    type Notice = Notice;

    fn notice(&self, report: &MemberReport) -> Notice {
        Notice::of(report)
    }

    async fn tell(&self, notice: &Notice, limit: Duration) -> Result<(), StoreError> {
        let text = serde_json::to_string(notice).expect("a notice has string keys");
        let patch = json!({ "metadata": {
            // A twin of this name is another pod.
            "uid": self.pod.uid,
            "labels": { ROLE_LABEL: notice.label() },
            "annotations": { MEMBER_ANNOTATION: text },
        }});
        let patch = Patch::Merge(&patch);
        let parameters = PatchParams::default();
        within(limit, self.api.patch(&self.pod.name, &parameters, &patch)).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(rule: &str, epoch: u64, text: &str) -> Decision {
        let (rule, text) = (rule.to_owned(), text.to_owned());
        Decision { member: "cart-0".into(), epoch, rule, text, story: true, ..Default::default() }
    }

    #[test]
    fn why_a_lead_ended_is_told_by_who_had_it() {
        let decisions = vec![
            decided("stop", 3, "an older end"),
            decided("exited", 7, "the engine was killed"),
            decided("hang", 7, "it hangs"),
            decided("followed", 8, "cart-1 leads"),
        ];
        let mut report = MemberReport { name: "cart-0".into(), epoch: 8, ..Default::default() };
        report.decisions.clone_from(&decisions);
        report.role = "replica".into();
        let left = Some(Told { epoch: 7, why: "the engine was killed".into() });
        assert_eq!(Notice::of(&report).left, left);
        report.role = "primary".into();
        assert_eq!(Notice::of(&report).left, None, "it leads again");
        assert_eq!(Notice::of(&report).cause, None, "it was appointed");
        report.decisions.push(decided("takeover", 8, "cart-1 was silent"));
        assert_eq!(Notice::of(&report).cause.as_deref(), Some("cart-1 was silent"));
    }

    #[test]
    fn only_a_linked_and_whole_replica_is_read_from() {
        let report = |role: &str, link_up, complete| MemberReport {
            role: role.to_owned(),
            link_up,
            complete,
            ..MemberReport::default()
        };
        let label = |report| Notice::of(&report).label();
        assert_eq!(label(report("primary", false, true)), ROLE_PRIMARY);
        assert_eq!(label(report("replica", true, true)), ROLE_REPLICA);
        assert_eq!(label(report("replica", false, true)), ROLE_NONE);
        assert_eq!(label(report("replica", true, false)), ROLE_NONE);
        assert_eq!(label(report("dead-end", true, true)), ROLE_NONE);
    }
}
