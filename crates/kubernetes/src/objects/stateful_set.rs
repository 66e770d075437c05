//! The set of members: all start at once, and none is replaced but by the operator's order.

use k8s_openapi::api::apps::v1::{
    StatefulSet, StatefulSetPersistentVolumeClaimRetentionPolicy, StatefulSetSpec,
    StatefulSetUpdateStrategy,
};

use super::frame::Frame;
use super::{pods, volumes};

/// Old templates that are kept: the one before tells what a roll changes.
const HISTORY: i32 = 2;

pub(super) fn stateful_set(frame: &Frame<'_>) -> StatefulSet {
    let claim = volumes::claim_template(frame);
    let retention = claim.is_some().then(|| StatefulSetPersistentVolumeClaimRetentionPolicy {
        when_deleted: Some(if frame.deletes_data() { "Delete" } else { "Retain" }.to_owned()),
        // A member that comes back finds its data.
        when_scaled: Some("Retain".to_owned()),
    });
    StatefulSet {
        metadata: frame.meta(frame.names.group.clone()),
        spec: Some(StatefulSetSpec {
            replicas: Some(frame.spec.members() as i32),
            selector: frame.label_selector(),
            service_name: Some(frame.names.peers()),
            pod_management_policy: Some("Parallel".to_owned()),
            update_strategy: Some(StatefulSetUpdateStrategy {
                type_: Some("OnDelete".to_owned()),
                rolling_update: None,
            }),
            revision_history_limit: Some(HISTORY),
            template: pods::template(frame),
            volume_claim_templates: claim.map(|claim| vec![claim]),
            persistent_volume_claim_retention_policy: retention,
            ..StatefulSetSpec::default()
        }),
        status: None,
    }
}
