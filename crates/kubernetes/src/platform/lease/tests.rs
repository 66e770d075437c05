//! Records in Leases and back, and what of a Lease is not ours.

use std::collections::BTreeMap;

use brain::{Electorate, Epoch, MemberId};

use super::*;

fn names(all: &[&str]) -> Vec<MemberName> {
    all.iter().map(|name| MemberName::from(*name)).collect()
}

fn record() -> Record {
    let id = |name: &str| MemberId {
        name: MemberName::from(name),
        pod: format!("uid-of-{name}"),
        state: "s1".to_owned(),
    };
    Record {
        holder: Some(Incarnation { id: id("cart-0"), boot: "b1".to_owned() }),
        renewal: "b1.7".to_owned(),
        epoch: Epoch(3),
        electorate: Electorate { version: 2, copies: 1, ..Electorate::default() },
        handover: Some(HandoverWish { id: "w1".to_owned(), to: Some(MemberName::from("cart-1")) }),
        paused: true,
        initialised: true,
        ..Record::first(names(&["cart-0", "cart-1"]), 4500)
    }
}

#[test]
fn a_record_comes_back_from_its_lease_and_people_can_read_it() {
    let lease = encode(&record(), ObjectMeta::default(), Timestamp::UNIX_EPOCH);
    assert_eq!(decode(&lease).unwrap(), record());
    let spec = lease.spec.as_ref().unwrap();
    assert_eq!(spec.holder_identity.as_deref(), Some("cart-0/uid-of-cart-0/s1/b1"));
    assert_eq!((spec.lease_duration_seconds, spec.lease_transitions), (Some(5), Some(3)));
    let released = Record { holder: None, paused: false, handover: None, ..record() };
    let lease = encode(&released, lease.metadata, Timestamp::UNIX_EPOCH);
    assert_eq!(decode(&lease).unwrap(), released);
    assert_eq!(lease.spec.unwrap().holder_identity.as_deref(), Some(""));
}

#[test]
fn what_is_not_ours_stays() {
    let foreign = |text: &str| BTreeMap::from([(text.to_owned(), "theirs".to_owned())]);
    let base = ObjectMeta {
        annotations: Some(foreign("kubectl.kubernetes.io/last-applied-configuration")),
        labels: Some(foreign("team")),
        ..ObjectMeta::default()
    };
    let lease = encode(&record(), base.clone(), Timestamp::UNIX_EPOCH);
    assert_eq!(lease.metadata.labels, base.labels);
    let annotations = lease.metadata.annotations.unwrap();
    assert_eq!(annotations["kubectl.kubernetes.io/last-applied-configuration"], "theirs");
    assert!(!annotations[RECORD_ANNOTATION].contains("handover"), "an intent is written once");
}

#[test]
fn a_lease_that_no_agent_has_written_is_the_first_record() {
    let annotations = BTreeMap::from([(
        MEMBERS_ANNOTATION.to_owned(),
        r#"["cart-0","cart-1","cart-2"]"#.to_owned(),
    )]);
    let lease = Lease {
        metadata: ObjectMeta { annotations: Some(annotations), ..ObjectMeta::default() },
        spec: Some(LeaseSpec { lease_duration_seconds: Some(5), ..LeaseSpec::default() }),
    };
    let first = Record::first(names(&["cart-0", "cart-1", "cart-2"]), 5000);
    assert_eq!(decode(&lease).unwrap(), first);
}

#[test]
fn an_annotation_that_cannot_be_read_is_named() {
    let mut lease = encode(&record(), ObjectMeta::default(), Timestamp::UNIX_EPOCH);
    let annotations = lease.metadata.annotations.as_mut().unwrap();
    annotations.insert(RECORD_ANNOTATION.to_owned(), "{".to_owned());
    let error = decode(&lease).unwrap_err().to_string();
    assert!(error.contains(RECORD_ANNOTATION), "{error}");
}

#[test]
fn a_wish_that_cannot_be_read_is_none_and_goes_with_the_next_write() {
    let mut lease = encode(&record(), ObjectMeta::default(), Timestamp::UNIX_EPOCH);
    let annotations = lease.metadata.annotations.as_mut().unwrap();
    annotations.insert(HANDOVER_ANNOTATION.to_owned(), "cart-1".to_owned());
    let read = decode(&lease).unwrap();
    assert_eq!(read, Record { handover: None, ..record() });
    let next = encode(&read, lease.metadata, Timestamp::UNIX_EPOCH);
    assert!(!next.metadata.annotations.unwrap().contains_key(HANDOVER_ANNOTATION));
}
