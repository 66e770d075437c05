//! The verdict on groups in every state.

use super::*;
use brain::report::AuthorityReport;

fn member(name: &str, role: &str) -> MemberReport {
    MemberReport {
        group: "cart".into(),
        name: name.into(),
        role: role.into(),
        engine_pid: 100,
        agent_pid: 99,
        epoch: 2,
        primary: Some("cart-0".into()),
        complete: true,
        link_up: role == "replica",
        authority: (role == "primary")
            .then(|| AuthorityReport { mode: "lease+peers".into(), ..Default::default() }),
        electorate: vec!["cart-1".into(), "cart-2".into()],
        copies: 1,
        electable: role == "replica",
        store_reachable: true,
        ..Default::default()
    }
}

fn healthy() -> Answers {
    [member("cart-0", "primary"), member("cart-1", "replica"), member("cart-2", "replica")]
        .into_iter()
        .map(|m| (m.name.clone(), Ok(m)))
        .collect()
}

fn change(answers: &mut Answers, name: &str, change: impl FnOnce(&mut MemberReport)) {
    change(answers.get_mut(name).expect("a member of cart").as_mut().expect("it answers"));
}

fn silence(answers: &mut Answers, name: &str) {
    answers.insert(name.into(), Err("connection refused".into()));
}

#[test]
fn three_that_agree_are_healthy() {
    let judged = judge(&healthy());
    assert_eq!(judged.verdict, Verdict::Healthy, "{:?}", judged.reasons);
    assert!(judged.can_fail_over);
    assert_eq!(judged.fail_over_reason, "2 candidates, both complete");
    assert_eq!((judged.primary.as_deref(), judged.epoch, judged.agree), (Some("cart-0"), 2, 3));
}

#[test]
fn nobody_answers_is_unknown() {
    let mut answers = healthy();
    for name in ["cart-0", "cart-1", "cart-2"] {
        silence(&mut answers, name);
    }
    let judged = judge(&answers);
    assert_eq!(judged.verdict, Verdict::Unknown);
    assert_eq!(judged.reasons, ["none of the 3 agents answers (connection refused)"]);
    assert!(!judged.can_fail_over);
}

#[test]
fn one_word_is_never_healthy() {
    let mut answers = healthy();
    silence(&mut answers, "cart-1");
    silence(&mut answers, "cart-2");
    let judged = judge(&answers);
    assert_eq!(judged.verdict, Verdict::Degraded);
    assert!(judged.reasons.iter().any(|r| r.contains("only 1 of 3 agents")), "{judged:?}");
    assert!(!judged.can_fail_over, "{judged:?}");

    // A replica alone says nothing about the group.
    let mut answers = healthy();
    silence(&mut answers, "cart-0");
    silence(&mut answers, "cart-1");
    assert_eq!(judge(&answers).verdict, Verdict::Unknown);
}

#[test]
fn each_fault_degrades_and_is_named() {
    type Fault = (&'static str, fn(&mut MemberReport), &'static str);
    let faults: [Fault; 7] = [
        ("cart-1", |m| m.link_up = false, "cart-1 has no replication link"),
        ("cart-1", |m| m.complete = false, "the dataset of cart-1 is not whole"),
        ("cart-2", |m| m.role = "syncing".into(), "cart-2 is loading"),
        ("cart-2", |m| m.role = "dead-end".into(), "cart-2 does not follow yet"),
        ("cart-2", |m| m.engine_pid = 0, "the engine of cart-2 does not run"),
        ("cart-0", |m| m.store_reachable = false, "the store does not answer cart-0"),
        ("cart-0", |m| m.blocked = Some("FailoverLoop".into()), "FailoverLoop"),
    ];
    for (name, fault, words) in faults {
        let mut answers = healthy();
        change(&mut answers, name, fault);
        let judged = judge(&answers);
        assert_eq!(judged.verdict, Verdict::Degraded, "{words}");
        assert!(judged.reasons.iter().any(|r| r.contains(words)), "{words}: {judged:?}");
    }
}

#[test]
fn a_member_without_a_seat_degrades() {
    let mut answers = healthy();
    for name in ["cart-0", "cart-1", "cart-2"] {
        change(&mut answers, name, |m| m.electorate = vec!["cart-1".into()]);
    }
    let judged = judge(&answers);
    assert_eq!(judged.verdict, Verdict::Degraded);
    assert_eq!(judged.reasons, ["cart-2 is not in the electorate yet"]);
    assert!(judged.can_fail_over, "cart-1 alone is its own majority: {judged:?}");
}

#[test]
fn two_primaries_are_not_healthy() {
    let mut answers = healthy();
    change(&mut answers, "cart-1", |m| {
        m.role = "primary".into();
        m.primary = Some("cart-1".into());
    });
    let judged = judge(&answers);
    assert_eq!(judged.verdict, Verdict::Degraded);
    assert!(judged.reasons.iter().any(|r| r.contains("beside")), "{judged:?}");
}

#[test]
fn a_primary_without_authority_does_not_lead() {
    let mut answers = healthy();
    change(&mut answers, "cart-0", |m| {
        m.authority = Some(AuthorityReport { mode: "none".into(), ..Default::default() });
    });
    let judged = judge(&answers);
    assert_eq!(judged.verdict, Verdict::FailingOver);
    assert!(!judged.can_fail_over);
}

#[test]
fn without_a_primary_it_says_what_is_going_on() {
    let mut answers = healthy();
    change(&mut answers, "cart-0", |m| m.role = "fenced".into());
    change(&mut answers, "cart-2", |m| m.role = "candidate".into());
    let judged = judge(&answers);
    assert_eq!(judged.verdict, Verdict::FailingOver);
    assert!(judged.reasons[0].contains("cart-2 asks"), "{judged:?}");

    let mut answers = healthy();
    for name in ["cart-0", "cart-1", "cart-2"] {
        change(&mut answers, name, |m| {
            m.role = "dead-end".into();
            m.epoch = 0;
            m.primary = None;
        });
    }
    assert_eq!(judge(&answers).verdict, Verdict::Waiting);

    let mut answers = healthy();
    change(&mut answers, "cart-0", |m| m.role = "dead-end".into());
    for name in ["cart-1", "cart-2"] {
        change(&mut answers, name, |m| {
            m.electable = false;
            m.why_not = Some("its dataset is not whole".into());
        });
    }
    let judged = judge(&answers);
    assert_eq!(judged.verdict, Verdict::Down);
    assert!(judged.reasons[0].contains("not whole"), "{judged:?}");

    change(&mut answers, "cart-1", |m| m.blocked = Some("RecoveryBlocked: …".into()));
    let judged = judge(&answers);
    assert_eq!((judged.verdict, judged.reasons[0].as_str()), (Verdict::Down, "RecoveryBlocked: …"));
}

#[test]
fn an_old_view_counts_for_nothing() {
    // cart-2 still names the primary of an older epoch: two of three name the new one.
    let mut answers = healthy();
    for name in ["cart-0", "cart-1"] {
        change(&mut answers, name, |m| {
            m.epoch = 3;
            m.primary = Some("cart-1".into());
        });
    }
    change(&mut answers, "cart-1", |m| {
        m.role = "primary".into();
        m.electorate = vec!["cart-0".into(), "cart-2".into()];
        m.authority = Some(AuthorityReport { mode: "lease".into(), ..Default::default() });
    });
    change(&mut answers, "cart-0", |m| {
        m.role = "replica".into();
        m.link_up = true;
        m.electable = true;
        m.electorate = vec!["cart-0".into(), "cart-2".into()];
    });
    let judged = judge(&answers);
    assert_eq!(judged.primary.as_deref(), Some("cart-1"));
    assert_eq!(judged.agree, 2);
    assert_eq!(judged.verdict, Verdict::Healthy, "{judged:?}");
}

#[test]
fn failover_needs_as_many_promises_as_the_protocol() {
    assert_eq!(promises_needed(1, 1), 1);
    assert_eq!(promises_needed(2, 0), 2);
    assert_eq!(promises_needed(2, 1), 2);
    assert_eq!(promises_needed(3, 1), 3);
    assert_eq!(promises_needed(3, 2), 2);
    assert_eq!(promises_needed(4, 2), 3);
    let mut answers = healthy();
    silence(&mut answers, "cart-2");
    let judged = judge(&answers);
    assert!(!judged.can_fail_over);
    assert!(judged.fail_over_reason.contains("needs 2 of 2"), "{judged:?}");
}
