//! What an agent tells Kubernetes of its member: a label that Services select by, and an annotation
//! that the operator reads. Written when the class changes, not with every byte of lag.

use std::time::Duration;

use brain::report::MemberReport;
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

/// Why this primary was sought: the last thing that was told of the story before its own part.
fn cause(report: &MemberReport) -> Option<String> {
    let ours = |rule: &str| ["promoted", "route", "accepted", "leads"].contains(&rule);
    let stories = report.decisions.iter().rev().filter(|decision| decision.story);
    let own = stories.skip_while(|decision| decision.rule != "promoted");
    own.into_iter().find(|decision| !ours(&decision.rule)).map(|decision| decision.text.clone())
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
