//! On which hosts members are: apart from each other, as far as the spec asks for it.

use brain::spec::{AntiAffinity, SpreadBy};
use k8s_openapi::api::core::v1::{
    Affinity, PodAffinityTerm, PodAntiAffinity, TopologySpreadConstraint, WeightedPodAffinityTerm,
};

use crate::objects::frame::Frame;

const HOST: &str = "kubernetes.io/hostname";
const ZONE: &str = "topology.kubernetes.io/zone";
/// The most that one wish can weigh.
const WEIGHT: i32 = 100;

pub(super) fn affinity(frame: &Frame<'_>) -> Option<Affinity> {
    let term = PodAffinityTerm {
        label_selector: Some(frame.label_selector()),
        topology_key: HOST.to_owned(),
        ..PodAffinityTerm::default()
    };
    let apart = match frame.fields().pods.anti_affinity {
        AntiAffinity::None => return None,
        AntiAffinity::Required => PodAntiAffinity {
            required_during_scheduling_ignored_during_execution: Some(vec![term]),
            ..PodAntiAffinity::default()
        },
        AntiAffinity::Preferred => PodAntiAffinity {
            preferred_during_scheduling_ignored_during_execution: Some(vec![
                WeightedPodAffinityTerm { pod_affinity_term: term, weight: WEIGHT },
            ]),
            ..PodAntiAffinity::default()
        },
    };
    Some(Affinity { pod_anti_affinity: Some(apart), ..Affinity::default() })
}

/// A wish in every case: a member in the wrong zone is better than none.
pub(super) fn spread(frame: &Frame<'_>) -> Vec<TopologySpreadConstraint> {
    let asked = &frame.fields().pods.spread_by;
    let mut over =
        if asked.is_empty() { vec![SpreadBy::Host, SpreadBy::Zone] } else { asked.clone() };
    // Kubernetes refuses the same constraint twice.
    over.sort_unstable();
    over.dedup();
    let constraint = |by: &SpreadBy| TopologySpreadConstraint {
        label_selector: Some(frame.label_selector()),
        max_skew: 1,
        topology_key: match by {
            SpreadBy::Host => HOST.to_owned(),
            SpreadBy::Zone => ZONE.to_owned(),
        },
        when_unsatisfiable: "ScheduleAnyway".to_owned(),
        ..TopologySpreadConstraint::default()
    };
    over.iter().map(constraint).collect()
}
