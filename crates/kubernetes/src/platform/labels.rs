//! The route by labels, where slices may not be written (failover.md 2.13): the write Service
//! selects the pod whose role is primary; the old one loses that label first, whoever it was.

use std::time::Duration;

use brain::{Epoch, Route};
use k8s_openapi::api::core::v1::Pod as KubePod;
use kube::api::{ListParams, Patch, PatchParams};
use kube::core::PartialObjectMeta;
use kube::{Api, Client};
use platform::{Published, RouteStore, StoreError};
use serde_json::json;
use tokio::time::Instant;

use super::Pod;
use super::calls::{found_within, within};
use crate::names::{EPOCH_ANNOTATION, GROUP_LABEL, ROLE_LABEL, ROLE_NONE, ROLE_PRIMARY};

/// The route as labels on the group's pods.
pub struct LabelRoute {
    api: Api<PartialObjectMeta<KubePod>>,
    pod: Pod,
}

impl LabelRoute {
    /// The route of this group, as this pod would write it.
    pub(super) fn new(pod: &Pod, client: Client) -> Self {
        Self { api: Api::namespaced(client, &pod.namespace), pod: pod.clone() }
    }

    /// Gives one pod a role. A pod that is gone needs none.
    async fn label(
        &self,
        name: &str,
        role: &str,
        epoch: u64,
        limit: Duration,
    ) -> Result<(), StoreError> {
        let patch = json!({ "metadata": {
            "labels": { ROLE_LABEL: role },
            "annotations": { EPOCH_ANNOTATION: epoch.to_string() },
        }});
        let (parameters, patch) = (PatchParams::default(), Patch::Merge(&patch));
        found_within(limit, self.api.patch(name, &parameters, &patch)).await.map(drop)
    }
}

fn epoch_of(pod: &PartialObjectMeta<KubePod>) -> u64 {
    let annotations = pod.metadata.annotations.as_ref();
    annotations.and_then(|all| all.get(EPOCH_ANNOTATION)?.parse().ok()).unwrap_or(0)
}

impl RouteStore for LabelRoute {
    async fn publish(&self, route: &Route, limit: Duration) -> Result<Published, StoreError> {
        let end = Instant::now() + limit;
        let left = || end.saturating_duration_since(Instant::now());
        let selector = format!("{GROUP_LABEL}={},{ROLE_LABEL}={ROLE_PRIMARY}", self.pod.group);
        let leading = ListParams::default().labels(&selector);
        let leading = within(left(), self.api.list(&leading)).await?;
        let by = Epoch(leading.items.iter().map(epoch_of).max().unwrap_or(0));
        if by > route.epoch {
            return Ok(Published::Superseded { by });
        }
        for pod in leading.items {
            let name = pod.metadata.name.unwrap_or_default();
            if name != self.pod.name {
                self.label(&name, ROLE_NONE, route.epoch.0, left()).await?;
            }
        }
        self.label(&self.pod.name, ROLE_PRIMARY, route.epoch.0, left()).await?;
        Ok(Published::Done)
    }
}
