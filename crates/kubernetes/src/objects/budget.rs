//! How many members may be evicted at once: one, whatever their number.

use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::frame::Frame;

pub(super) fn budget(frame: &Frame<'_>) -> PodDisruptionBudget {
    PodDisruptionBudget {
        metadata: frame.meta(frame.names.group.clone()),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            selector: Some(frame.label_selector()),
            ..PodDisruptionBudgetSpec::default()
        }),
        status: None,
    }
}
