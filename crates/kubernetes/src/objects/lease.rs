//! The record's Lease as it is before any agent has written it: the members' names and W. Nothing
//! that agents write is here, so applying it again changes nothing.

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use serde_json::Value;

use super::frame::Frame;
use crate::names;

pub(super) fn lease(frame: &Frame<'_>) -> Lease {
    let Frame { spec, names, .. } = frame;
    let members: Value = (0..spec.members()).map(|ordinal| names.member(ordinal)).collect();
    let mut metadata = frame.meta(names.group.clone());
    metadata
        .annotations
        .get_or_insert_default()
        .insert(names::MEMBERS_ANNOTATION.to_owned(), members.to_string());
    Lease {
        metadata,
        spec: Some(LeaseSpec {
            lease_duration_seconds: Some((spec.timing().lease.as_millis() / 1000) as i32),
            ..LeaseSpec::default()
        }),
    }
}
