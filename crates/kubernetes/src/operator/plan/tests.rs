//! Groups in every state of a change, and what is done next.

use brain::spec::{Replication, Resource, Storage, Topology};
use brain::{Record, Version};
use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec, StatefulSetStatus};

use super::*;
use crate::names::{ROLE_NONE, ROLE_PRIMARY, ROLE_REPLICA};
use crate::platform::Notice;

fn spec(replicas: i64) -> ValidatedSpec {
    let mut resource = Resource::named("cart");
    let replication = Some(Replication { replicas });
    resource.spec.topology = Some(Topology { replication, cluster: None });
    resource.validate().unwrap()
}

fn pod(ordinal: u32, role: &str, revision: &str) -> PodView {
    let notice = Notice { electable: role == ROLE_REPLICA, ..Notice::default() };
    PodView {
        name: MemberName(format!("cart-{ordinal}")),
        uid: format!("uid-{ordinal}"),
        revision: revision.to_owned(),
        leaving: false,
        role: role.to_owned(),
        notice: Some(notice),
    }
}

/// A set of so many members at revision `new`, and a record that names `named` of them.
fn seen(members: i32, named: u32, pods: Vec<PodView>) -> Observation {
    let stateful_set = StatefulSet {
        spec: Some(StatefulSetSpec { replicas: Some(members), ..StatefulSetSpec::default() }),
        status: Some(StatefulSetStatus {
            update_revision: Some("new".to_owned()),
            ..StatefulSetStatus::default()
        }),
        ..StatefulSet::default()
    };
    let record = Record::first(names_of(&spec(15), named), 5000);
    Observation {
        record: Some((Version("1".to_owned()), record)),
        stateful_set: Some(stateful_set),
        pods,
        claims: Vec::new(),
    }
}

fn three(primary: u32) -> Vec<PodView> {
    let role = |n| if n == primary { ROLE_PRIMARY } else { ROLE_REPLICA };
    (0..3).map(|n| pod(n, role(n), "new")).collect()
}

#[test]
fn a_group_as_it_is_wanted_is_left_alone() {
    let plan = plan(&spec(2), &seen(3, 3, three(0)), 0);
    assert_eq!(plan, Plan { members: 3, ..Plan::default() });
}

#[test]
fn a_group_that_is_not_there_yet_gets_all_its_members() {
    let plan = plan(&spec(2), &Observation::default(), 0);
    assert_eq!(plan, Plan { members: 3, ..Plan::default() });
}

#[test]
fn growing_tells_the_agents_before_the_pods_come() {
    let plan = plan(&spec(4), &seen(3, 3, three(0)), 0);
    assert_eq!(plan.members, 5);
    assert_eq!(plan.steps, [Step::Members(names_of(&spec(4), 5))]);
    assert!(plan.progress.unwrap().contains("3 to 5"));
}

#[test]
fn shrinking_waits_for_a_handover_to_a_member_that_stays() {
    let before = seen(3, 3, three(2));
    let asked = plan(&spec(1), &before, 61);
    assert_eq!(asked.members, 3, "nobody is taken away yet");
    let wish = HandoverWish { id: "scale-2".to_owned(), to: Some(MemberName::from("cart-0")) };
    assert_eq!(asked.steps, [Step::Handover(wish.clone())]);
    let mut asked_before = before.clone();
    asked_before.record.as_mut().unwrap().1.handover = Some(wish);
    assert_eq!(plan(&spec(1), &asked_before, 75).steps, [], "the same wish is written once");
    assert_ne!(plan(&spec(1), &asked_before, 120).steps, [], "and again when it came to nothing");
    let after = plan(&spec(1), &seen(3, 3, three(0)), 0);
    assert_eq!((after.members, after.steps), (2, vec![]));
    let gone = seen(2, 3, three(0)[..2].to_vec());
    assert_eq!(plan(&spec(1), &gone, 0).steps, [Step::Members(names_of(&spec(1), 2))]);
}

#[test]
fn shrinking_without_a_primary_or_an_heir_waits() {
    let nobody = (0..3).map(|n| pod(n, ROLE_NONE, "new")).collect();
    let plan_of = |pods| plan(&spec(1), &seen(3, 3, pods), 0);
    let waits = plan_of(nobody);
    assert_eq!((waits.members, waits.steps), (3, vec![]));
    let mut no_heir = three(2);
    no_heir[0].role = ROLE_NONE.to_owned();
    no_heir[1].role = ROLE_NONE.to_owned();
    let waits = plan_of(no_heir);
    assert_eq!((waits.members, waits.steps), (3, vec![]));
    assert!(waits.progress.unwrap().contains("no member that stays"));
}

#[test]
fn a_roll_takes_replicas_first_from_the_highest_and_the_primary_last() {
    let mut pods = three(1);
    pods.iter_mut().for_each(|pod| pod.revision = "old".to_owned());
    let order: Vec<String> = (0..3)
        .map(|_| {
            let plan = plan(&spec(2), &seen(3, 3, pods.clone()), 0);
            let [Step::Replace { name, .. }] = &plan.steps[..] else { panic!("{plan:?}") };
            let replaced = pods.iter_mut().find(|pod| pod.name == *name).unwrap();
            replaced.revision = "new".to_owned();
            name.to_string()
        })
        .collect();
    assert_eq!(order, ["cart-2", "cart-0", "cart-1"]);
}

#[test]
fn a_roll_waits_while_anybody_has_no_whole_copy() {
    let mut pods = three(0);
    pods[0].revision = "old".to_owned();
    let mut syncing = pods.clone();
    syncing[2].role = ROLE_NONE.to_owned();
    let mut leaving = pods.clone();
    leaving[1].leaving = true;
    let mut missing = pods.clone();
    missing.pop();
    for pods in [syncing, leaving, missing] {
        let plan = plan(&spec(2), &seen(3, 3, pods), 0);
        assert_eq!(plan.steps, [], "{plan:?}");
        assert!(plan.progress.is_some());
    }
}

#[test]
fn claims_grow_and_never_shrink() {
    let claim = |size: &str| {
        serde_json::from_value(serde_json::json!({
            "metadata": { "name": format!("data-cart-{size}") },
            "spec": { "resources": { "requests": { "storage": size } } },
        }))
        .unwrap()
    };
    let mut resource = Resource::named("cart");
    resource.spec.storage = Some(Storage {
        size: "2Gi".to_owned(),
        class_name: None,
        on_delete: brain::spec::OnDelete::default(),
    });
    let spec = resource.validate().unwrap();
    let mut seen = seen(3, 3, three(0));
    seen.claims = vec![claim("1Gi"), claim("2Gi"), claim("3Gi")];
    let grown = Step::Grow { claim: "data-cart-1Gi".to_owned(), size: "2Gi".to_owned() };
    assert_eq!(plan(&spec, &seen, 0).steps, [grown]);
}
