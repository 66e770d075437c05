//! Stories out of decisions in every order.

use super::*;

fn decision(at_ms: u64, member: &str, epoch: u64, rule: &str, text: &str) -> Decision {
    Decision {
        at_ms,
        member: member.into(),
        epoch,
        rule: rule.into(),
        text: text.into(),
        story: true,
    }
}

fn two_stories() -> Vec<Decision> {
    let mut all = vec![
        decision(1_000, "cart-0", 1, "bootstrap", "every member answers and none has data"),
        decision(1_050, "cart-0", 1, "promoted", "leads epoch 1"),
        decision(90_000, "cart-0", 1, "exited", "the engine was killed by signal 9"),
        decision(90_010, "cart-0", 2, "appointed", "cart-2 is appointed"),
        decision(90_030, "cart-2", 2, "promoted", "leads epoch 2"),
        decision(90_400, "cart-0", 2, "followed", "follows cart-2"),
        decision(500_000, "cart-2", 2, "shrunk", "cart-1 is out of the electorate"),
    ];
    all.reverse();
    all
}

#[test]
fn the_last_story_begins_with_its_cause() {
    let all = two_stories();
    let story = last(&all.iter().collect::<Vec<_>>(), None).expect("there are two");
    assert_eq!(story.epoch, 2);
    assert_eq!(story.cause, "the engine was killed by signal 9");
    assert_eq!(story.cause_by, "cart-0");
    let rules: Vec<&str> = story.steps.iter().map(|s| s.rule.as_str()).collect();
    assert_eq!(rules, ["exited", "appointed", "promoted", "followed"]);
    assert_eq!(story.steps[2].after_ms, 30);
    assert_eq!(story.took_ms(), 400);
}

#[test]
fn an_earlier_story_can_be_asked_for() {
    let all = two_stories();
    let all: Vec<&Decision> = all.iter().collect();
    let story = last(&all, Some(1)).expect("it is there");
    assert_eq!(story.cause, "every member answers and none has data");
    assert_eq!(story.steps.len(), 2, "{story:?}");
    assert!(last(&all, Some(7)).is_none());
    assert_eq!(epochs(&all), [2, 1]);
}

#[test]
fn two_failovers_in_a_row_are_two_stories() {
    let all = [
        decision(1_000, "a", 1, "exited", "first"),
        decision(1_010, "a", 2, "appointed", "b"),
        decision(1_020, "b", 2, "promoted", ""),
        decision(2_000, "b", 2, "exited", "second"),
        decision(2_010, "b", 3, "appointed", "c"),
        decision(2_020, "c", 3, "promoted", ""),
    ];
    let all: Vec<&Decision> = all.iter().collect();
    let story = last(&all, None).expect("the second");
    assert_eq!((story.epoch, story.cause.as_str()), (3, "second"));
    assert_eq!(story.steps.last().map(|s| s.text.as_str()), Some("promoted"));
}

#[test]
fn phases_are_measured_and_echoes_left_out() {
    let all = [
        decision(1_000, "a", 1, "exited", "the engine ended"),
        decision(1_000, "a", 1, "succession", "a: the engine ended"),
        decision(1_004, "a", 1, "appointed", "b"),
        decision(1_050, "b", 2, "promoted", ""),
        decision(1_051, "b", 2, "route", "writes go to b"),
    ];
    let story = last(&all.iter().collect::<Vec<_>>(), None).expect("one");
    let rules: Vec<&str> = story.steps.iter().map(|s| s.rule.as_str()).collect();
    assert_eq!(rules, ["exited", "appointed", "promoted", "route"]);
    let phases: Vec<(&str, u64)> = story.phases().iter().map(|p| (p.name, p.after_ms)).collect();
    assert_eq!(phases, [("decided", 4), ("promoted", 50), ("writes routed", 51)]);
}

#[test]
fn routine_and_repetition_make_no_story() {
    assert_eq!(last(&[], None), None);
    let mut routine = decision(1, "a", 1, "heartbeat", "x");
    routine.story = false;
    assert_eq!(last(&[&routine], None), None);
    let one = decision(1, "a", 1, "appointed", "x");
    let story = last(&[&one, &one], None).expect("one");
    assert_eq!(story.steps.len(), 1);
}
