//! Consent to faults on Kubernetes, whom they strike, and when they show.

use brain::report::MemberReport;

use super::*;
use crate::verdict::judge;

fn seen(primary: &str, pid: u32, pod: &str) -> Seen {
    let report = |name: &str| MemberReport {
        name: name.into(),
        role: if name == primary { "primary" } else { "replica" }.into(),
        engine_pid: pid,
        pod: pod.into(),
        epoch: 3,
        primary: Some(primary.into()),
        ..MemberReport::default()
    };
    let answers = ["cart-0", "cart-1"].map(|name| (name.to_owned(), Ok(report(name)))).into();
    Seen { judgement: judge(&answers), answers, place: None }
}

#[test]
fn nothing_is_broken_unless_the_namespace_is_named_twice() {
    let command = "kubectl interrex chaos cart -n shop";
    assert!(consented(Some("shop"), "shop", command).is_ok());
    let wrong = consented(Some("shpo"), "shop", command).expect_err("another one");
    assert_eq!(wrong.exit, Exit::Usage);
    let once = consented(None, "shop", command).expect_err("only once");
    assert_eq!(once.exit, Exit::Unsafe);
    let hint = once.hint.unwrap_or_default();
    assert!(hint.ends_with("kubectl interrex chaos cart -n shop --really shop"), "{hint}");
}

#[test]
fn a_deed_strikes_one_member_and_shows_in_its_next_life() {
    let before = seen("cart-0", 7, "u1");
    assert_eq!(victim(Deed::KillPrimary, &before).as_deref(), Some("cart-0"));
    assert_eq!(victim(Deed::DeleteReplica, &before).as_deref(), Some("cart-1"));
    let shows = |deed, now: &Seen| is_struck(deed, "cart-0", &before, now);
    for deed in [Deed::KillPrimary, Deed::DeletePrimary, Deed::Handover] {
        assert!(!shows(deed, &before), "{deed:?} has not been felt yet");
    }
    assert!(shows(Deed::KillPrimary, &seen("cart-0", 8, "u1")));
    assert!(shows(Deed::DeletePrimary, &seen("cart-0", 7, "u2")));
}
