//! A failover is told once, a loss for ever: what the status keeps of both.

use super::*;
use crate::platform::{Notice, Told};

fn pod(name: &str, notice: Notice) -> PodView {
    PodView {
        name: name.into(),
        uid: format!("uid-of-{name}"),
        revision: "1".into(),
        leaving: false,
        role: if notice.role == "primary" { ROLE_PRIMARY } else { "none" }.into(),
        notice: Some(notice),
    }
}

fn leads(name: &str, epoch: u64) -> PodView {
    pod(name, Notice { role: "primary".into(), epoch, ..Notice::default() })
}

fn left(name: &str, epoch: u64, why: &str) -> PodView {
    let left = Some(Told { epoch, why: why.into() });
    pod(name, Notice { role: "replica".into(), left, ..Notice::default() })
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

/// What is known after these pods were seen, beside what was known before.
fn after(pods: &[PodView], before: &Status, seconds: i64) -> Status {
    let primary = pods.iter().find(|pod| pod.is_primary());
    Status {
        last_primary: primary.map(|pod| pod.name.to_string()).or(before.last_primary.clone()),
        last_failover: last_failover(primary, pods, before, at(seconds)),
        last_data_loss: last_data_loss(pods, before, at(seconds)),
        ..Status::default()
    }
}

#[test]
fn a_failover_is_told_once_and_in_the_words_of_whoever_led() {
    let first = after(&[leads("cart-0", 1)], &Status::default(), 1);
    assert_eq!(first.last_failover, None, "nobody led before");
    let silent = after(&[leads("cart-1", 2)], &first, 2);
    let told = silent.last_failover.clone().unwrap();
    assert_eq!((told.cause.as_str(), told.from.as_deref()), (UNSAID, Some("cart-0")));
    let pods = [left("cart-0", 1, "the engine was killed"), leads("cart-1", 2)];
    let said = after(&pods, &silent, 3).last_failover.unwrap();
    assert_eq!(said.cause, "the engine was killed");
    assert_eq!(said.at, told.at, "it is the same failover, said a little later");
    let later = after(&[left("cart-0", 1, "another word"), leads("cart-1", 2)], &silent, 3);
    let kept = after(&[leads("cart-1", 2)], &later, 4).last_failover;
    assert_eq!(kept, later.last_failover, "what was said stays");
}

#[test]
fn an_old_end_is_no_cause_of_a_later_failover() {
    let before = Status { last_primary: Some("cart-0".into()), ..Status::default() };
    let pods = [left("cart-0", 3, "long ago"), leads("cart-1", 9)];
    assert_eq!(after(&pods, &before, 1).last_failover.unwrap().cause, UNSAID);
}

#[test]
fn a_loss_of_everything_is_known_for_ever_and_told_once() {
    let empty = |epoch| {
        let began_empty = Some(Told { epoch, why: "every member has lost its data".into() });
        pod("cart-0", Notice { role: "primary".into(), epoch, began_empty, ..Notice::default() })
    };
    let first = after(&[empty(4)], &Status::default(), 1);
    assert_eq!(first.last_data_loss.as_ref().map(|loss| loss.epoch), Some(4));
    let again = after(&[empty(4)], &first, 2);
    assert_eq!(again.last_data_loss, first.last_data_loss);
    let gone = after(&[], &again, 3);
    assert_eq!(gone.last_data_loss, first.last_data_loss, "its agent has begun anew since");
    let second = after(&[empty(9)], &gone, 4).last_data_loss.unwrap();
    assert_eq!((second.epoch, second.at), (9, Time(at(4))));
}
