//! Histories of trials, judged by the checkers of simulations.

use super::*;
use crate::journal::Write;

const MS: u64 = 1_000_000;

fn write(number: u32, invoked_ms: u64, ended_ms: u64, outcome: Outcome) -> Write {
    Write { number, invoked: At(invoked_ms * MS), ended: At(ended_ms * MS), outcome }
}

fn recorder() -> Recorder {
    let members = vec!["c-0".to_owned(), "c-1".to_owned()];
    let mut recorder = Recorder::new("cut", members, 1, true, Clock::start());
    recorder.from = At(0);
    recorder
}

fn promotion(at_ms: u64, by: Who, epoch: u64) -> Promotion {
    Promotion { at: At(at_ms * MS), by, epoch, complete: true, keys: (9, 9) }
}

/// Two members that are probed, and a client of the group.
fn sources() -> [Source; 3] {
    let source = |name, engine| Source { engine, track: Track::new(name) };
    [source("w0", None), source("probe-c-0", Some(0)), source("probe-c-1", Some(1))]
}

fn promises(recorded: &Recorded) -> Vec<&'static str> {
    recorded.broken().iter().map(|violation| violation.promise).collect()
}

#[test]
fn a_history_comes_back_from_its_file_and_is_judged_the_same() {
    let (mut recorder, sources) = (recorder(), sources());
    recorder.promotions = vec![promotion(1, 0, 1), promotion(500, 1, 2)];
    sources[0].track.note(write(0, 10, 12, Outcome::Replicated));
    sources[0].track.note(write(1, 20, 21, Outcome::Unknown));
    sources[1].track.note(write(0, 30, 31, Outcome::Acked));
    sources[2].track.note(write(0, 600, 601, Outcome::Acked));
    let held = vec![[0].into(), [0].into(), [0].into()];
    let until = At(1000 * MS);
    let part = recorder.part(Some(1), &sources, until, Some((1, 2, held)), None);
    assert_eq!(promises(&part), Vec::<&str>::new());
    let text = serde_json::to_string(&part).expect("it is JSON");
    assert!(text.contains("\"schema\":\"interrex-history/1\""), "{text}");
    let again: Recorded = serde_json::from_str(&text).expect("it is read");
    assert_eq!(again, part);
}

#[test]
fn two_primaries_that_acknowledge_are_seen() {
    let acks = |old: Write| {
        let (mut recorder, sources) = (recorder(), sources());
        recorder.promotions = vec![promotion(1, 0, 1), promotion(500, 1, 2)];
        sources[1].track.note(write(0, 10, 11, Outcome::Acked));
        sources[2].track.note(write(0, 600, 601, Outcome::Acked));
        sources[2].track.note(write(1, 900, 901, Outcome::Acked));
        sources[1].track.note(old);
        recorder.part(Some(1), &sources, At(2000 * MS), None, None)
    };
    assert_eq!(promises(&acks(write(1, 800, 801, Outcome::Acked))), ["I1"]);
    // Sent before, answered long after: a queue that was executed late.
    assert_eq!(promises(&acks(write(1, 590, 1500, Outcome::Acked))), ["I1"]);
    // It may have been given before the new one's first.
    assert!(promises(&acks(write(1, 590, 650, Outcome::Acked))).is_empty());
    assert!(promises(&acks(write(1, 800, 801, Outcome::Refused))).is_empty());
}

#[test]
fn a_member_that_leads_again_is_no_second_primary() {
    let (mut recorder, sources) = (recorder(), sources());
    recorder.promotions = vec![promotion(1, 0, 1), promotion(500, 1, 2), promotion(900, 0, 3)];
    for (n, source, ms) in [(0, 1, 10), (0, 2, 600), (1, 1, 1000)] {
        sources[source].track.note(write(n, ms, ms + 1, Outcome::Acked));
    }
    let part = recorder.part(None, &sources, At(2000 * MS), None, None);
    assert_eq!(promises(&part), Vec::<&str>::new());
    // Somebody who never led and acknowledges is one.
    recorder.promotions.truncate(1);
    recorder.from = At(0);
    let part = recorder.part(None, &sources, At(2000 * MS), None, None);
    assert_eq!(promises(&part), ["I1"]);
}

#[test]
fn a_replicated_write_that_the_next_primary_lacks_is_seen() {
    let (mut recorder, sources) = (recorder(), sources());
    recorder.promotions = vec![promotion(1, 0, 1), promotion(500, 1, 2)];
    sources[0].track.note(write(0, 10, 12, Outcome::Replicated));
    let lacks = vec![BTreeSet::new(); 3];
    let part = recorder.part(Some(1), &sources, At(700 * MS), Some((1, 2, lacks)), None);
    assert_eq!(promises(&part), ["I2"]);
    // What was before is no part of the next: nothing of it is asked for again.
    assert_eq!(recorder.numbers(&sources, At(900 * MS))[0].1, Vec::<u32>::new());
}

#[test]
fn an_end_with_two_primaries_or_different_data_is_seen() {
    let end = |writable, held: &[u32]| {
        let end = MemberEnd { writable, linked: !writable, blocked: None };
        (end, vec![held.iter().copied().collect::<BTreeSet<u32>>()])
    };
    let ends = |members: Vec<(MemberEnd, Held)>| {
        let (mut recorder, sources) = (recorder(), sources());
        sources[0].track.note(write(0, 10, 12, Outcome::Acked));
        recorder.part(None, &sources[..1], At(700 * MS), None, Some(members))
    };
    assert!(promises(&ends(vec![end(true, &[0]), end(false, &[0])])).is_empty());
    assert_eq!(promises(&ends(vec![end(true, &[0]), end(true, &[0])])), ["L1"]);
    assert_eq!(promises(&ends(vec![end(true, &[0]), end(false, &[])])), ["L1"]);
}

#[test]
fn promotions_are_learned_from_decisions_and_from_who_leads() {
    let mut recorder = recorder();
    let now = recorder.clock.wall_ms(recorder.clock.now());
    let decision = |epoch, at_ms, rule: &str| brain::report::Decision {
        at_ms,
        member: "c-0".to_owned(),
        epoch,
        rule: rule.to_owned(),
        ..Default::default()
    };
    let decisions = vec![
        decision(1, now - 60_000, "promoted"),
        decision(2, now + 5, "promoted"),
        decision(2, now + 2, "accepted"),
        decision(2, now + 1, "followed"),
        decision(3, now + 6, "appointed"),
    ];
    let old = MemberReport { name: "c-0".into(), epoch: 2, decisions, ..Default::default() };
    let new = MemberReport {
        name: "c-1".into(),
        role: "primary".into(),
        epoch: 4,
        complete: true,
        keys: 7,
        ..Default::default()
    };
    let group = Group { members: vec![old, new], silent: Vec::new() };
    recorder.learn(&group);
    recorder.learn(&group);
    let mut known: Vec<(Who, u64)> =
        recorder.promotions.iter().map(|one| (one.by, one.epoch)).collect();
    known.sort_unstable();
    assert_eq!(known, [(0, 2), (1, 4)], "not what was before this trial");
    let at = recorder.promotions.iter().find(|one| one.by == 0).map(|one| one.at);
    assert_eq!(at, Some(recorder.clock.at_wall_ms(now + 2)), "from when it had the epoch");
    assert_eq!(
        recorder.promotions.iter().find(|one| one.by == 1).map(|one| one.keys),
        Some((7, 0))
    );
}

#[test]
fn who_led_before_everything_is_not_compared_and_who_leads_later_is() {
    let leads = |name: &str, other: &str, epoch| {
        let member = |name: &str, role: &str, keys| MemberReport {
            name: name.to_owned(),
            role: role.to_owned(),
            epoch,
            complete: true,
            keys,
            ..Default::default()
        };
        let members = vec![member(name, "primary", 0), member(other, "replica", 2000)];
        Group { members, silent: Vec::new() }
    };
    let mut recorder = recorder();
    // What was left of the scenario before has just been deleted: the replica is behind.
    recorder.learn(&leads("c-0", "c-1", 4));
    assert_eq!(promises(&recorder.part(None, &[], recorder.now(), None, None)), Vec::<&str>::new());
    recorder.learn(&leads("c-1", "c-0", 5));
    assert_eq!(promises(&recorder.part(None, &[], recorder.now(), None, None)), ["I3"]);
}

#[test]
fn an_answer_that_the_network_held_is_as_old_as_its_question() {
    let answered = |held: bool| {
        let (mut recorder, sources) = (recorder(), sources());
        recorder.promotions = vec![promotion(1, 0, 1), promotion(500, 1, 2)];
        if held {
            recorder.answers_held("c-0", At(700 * MS));
        }
        // Nothing else of the first term is in this part.
        sources[1].track.note(write(0, 300, 1500, Outcome::Acked));
        sources[2].track.note(write(0, 600, 601, Outcome::Acked));
        promises(&recorder.part(Some(2), &sources, At(2000 * MS), None, None))
    };
    assert_eq!(answered(false), ["I1"]);
    assert_eq!(answered(true), Vec::<&str>::new());
}
