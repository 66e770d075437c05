//! What is read off the journal, the probes and the agents' reports after a deed.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

use super::calm::Calm;
use crate::gap;
use crate::journal::At;
use crate::load::{self, Dataset, LoadError};
use crate::nemesis::{Done, Scene};
use crate::partition::Price;
use crate::probe::{Ack, SLACK, changes, late};
use crate::status::{self, Group};
use crate::suites::writable_within;
use crate::target::Target;
use crate::verdict::{Event, Phase, Resources};

/// How far back from a deed the last acknowledgement before it is looked for: longer than a
/// client's patience, so that a group that writes at all has one.
const BEFORE: Duration = Duration::from_secs(2);
/// Until when the harm has certainly reached the clients: a kill is seen in milliseconds.
pub(super) const NOTICED_WITHIN: Duration = Duration::from_millis(50);
/// How long replicas may take to have the last writes, once nobody writes any more.
const EQUAL_WITHIN: Duration = Duration::from_secs(10);
/// Between two comparisons.
const COMPARE_EVERY: Duration = Duration::from_millis(200);

/// When what was seen.
#[derive(Clone, Copy)]
pub(super) struct Watch {
    /// The group was healthy again.
    pub(super) healthy: At,
    /// The watch over reads and writes ended.
    pub(super) end: At,
}

/// Everything about one deed.
pub(super) fn event(
    scene: &Scene<'_>,
    done: Done,
    after: &Group,
    watch: Watch,
    calm: &Calm,
) -> Event {
    let journal = scene.load.journal();
    let from = done.gap_from.unwrap_or(done.at);
    let window = from.minus(BEFORE);
    let mut acks = journal.acks_since(window);
    if done.gap_from.is_some() {
        // What was before the store came back is no part of this gap.
        acks.retain(|ack| *ack > from);
    }
    let writes = gap::around(&acks, from, watch.end);
    let reads = gap::around(&journal.reads_since(done.at.minus(BEFORE)), done.at, watch.end);
    let names = |group: &Group| group.primary().map(|p| p.name.clone()).unwrap_or_default();
    let mut event = Event {
        number: scene.number,
        at_wall_ms: scene.clock.wall_ms(done.at),
        epochs: (scene.before.epoch(), after.epoch()),
        primaries: (names(scene.before), names(after)),
        write_gap_ms: in_ms(writes.length()),
        writes_back: writes.closed,
        read_gap_ms: in_ms(reads.length()),
        first_write_ms: writes.closed.then(|| in_ms(writes.to.since(done.at))),
        phases: phases(scene, done.at, after),
        healthy_ms: in_ms(watch.healthy.since(done.at)),
        resources: resources(after),
        late_acks: done.late_acks,
        answers_held: done.answers_held,
        queued: done.queued,
        victim: done.victim,
        violations: done.violations,
        notes: done.notes,
        ..Event::default()
    };
    if let Some(price) = done.price {
        hold_against(scene, price, (done.at, watch.end), calm, &mut event);
    }
    if event.epochs.1 < event.epochs.0 {
        let (before, after) = event.epochs;
        event.violations.push(format!("the epoch fell from {before} to {after}"));
    }
    engines(scene, done.at, &mut event);
    event
}

/// Notes for how long the trial itself did not run.
pub(super) fn still(event: &mut Event, longest: Duration) {
    event.stood_still_ms = in_ms(longest);
    if event.stood_still() {
        event.own_bar_ms = None;
        let ms = longest.as_millis();
        event.notes.push(format!("the trial itself did not run for {ms} ms: no time counts"));
    }
}

/// What the agents hold; nothing where the system does not tell.
fn resources(after: &Group) -> Vec<Resources> {
    after
        .members
        .iter()
        .filter_map(|report| Resources::of(&report.name, report.agent_pid))
        .collect()
}

/// Holds a deed against what this very one may cost.
fn hold_against(
    scene: &Scene<'_>,
    price: Price,
    (from, until): (At, At),
    calm: &Calm,
    event: &mut Event,
) {
    let takeover = writable_within(scene.target.wait);
    event.own_bar_ms = match price {
        Price::Takeover => Some((in_ms(takeover), event.write_gap_ms)),
        Price::Nothing => calm
            .worst(scene.load.journal(), from, until)
            .map(|(allowed, pause)| (in_ms(allowed), in_ms(pause))),
        Price::Unbounded => None,
    };
}

/// What the engines themselves acknowledged.
fn engines(scene: &Scene<'_>, at: At, event: &mut Event) {
    // Not from before: an engine that leads again led in an earlier event as well.
    let mut acks = scene.probes.acks_since(at);
    let before = scene.held.iter().map(|(seat, until)| (&scene.target.seats[*seat].name, *until));
    let now = event.answers_held.map(|until| (&event.victim, until));
    for (member, until) in before.chain(now) {
        let of = scene.probes.engine(member);
        // A slow answer to what was sent before the network let go may have been given long ago.
        let held = |ack: &Ack| ack.invoked <= until && ack.ended.since(ack.invoked) > SLACK;
        acks.retain(|ack| Some(ack.engine) != of || !held(ack));
    }
    let epochs = event.epochs.1.saturating_sub(event.epochs.0);
    event.dual_acks = (changes(&acks) as u64).saturating_sub(epochs);
    let (old, new) = &event.primaries;
    let (old, new) = (scene.probes.engine(old), scene.probes.engine(new));
    let (Some(old), Some(new)) = (old, new) else { return };
    if old == new {
        return;
    }
    let since = |ack: At| in_ms(ack.since(at));
    let of = |engine| acks.iter().filter(move |ack| ack.engine == engine);
    event.old_last_ack_ms = of(old).map(|ack| ack.ended).max().map(since);
    event.new_first_ack_ms = of(new).map(|ack| ack.ended).min().map(since);
    // With more than one change an engine may have led twice, and only `changes` can tell.
    if epochs == 1 {
        event.late_acks += late(&acks, new).len() as u64;
    }
}

/// What the agents decided from the deed on, by their own word; in milliseconds, which is as exact
/// as they note it.
fn phases(scene: &Scene<'_>, at: At, after: &Group) -> Vec<Phase> {
    let begun = scene.clock.wall_ms(at);
    let mut phases: Vec<Phase> = after
        .members
        .iter()
        .flat_map(|member| &member.decisions)
        .filter(|decision| decision.story && decision.at_ms >= begun)
        .map(|decision| Phase {
            rule: decision.rule.clone(),
            member: decision.member.clone(),
            after_ms: (decision.at_ms - begun) as f64,
        })
        .collect();
    phases.sort_by(|left, right| left.after_ms.total_cmp(&right.after_ms));
    phases
}

/// Full resyncs that all engines have served since their starts. An engine that does not say counts
/// as none.
pub(super) async fn full_resyncs(target: &Target) -> u64 {
    let mut sum = 0;
    for seat in &target.seats {
        let info = status::info(target, seat).await.ok();
        sum += info.and_then(|info| info.stats.sync_full).unwrap_or(0);
    }
    sum
}

/// How many of the trial's keys differ between the writable engine and any other, once the replicas
/// had time to get the last writes.
pub(super) async fn different_keys(target: &Target, run: &str) -> Result<usize, LoadError> {
    let deadline = Instant::now() + EQUAL_WITHIN;
    let mut looks = interval(COMPARE_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        // A member that has just been broken may end a connection once more: looked at again.
        let different = compare(target, run).await;
        if matches!(different, Ok(0)) || Instant::now() >= deadline {
            return different;
        }
    }
}

async fn compare(target: &Target, run: &str) -> Result<usize, LoadError> {
    let credentials = target.credentials.as_ref();
    let wanted = load::dataset(&target.write, credentials, run).await?;
    let mut different = 0;
    for seat in &target.seats {
        let held: Dataset = load::dataset(&seat.engine, credentials, run).await?;
        different += load::differences(&wanted, &held);
    }
    Ok(different)
}

fn in_ms(length: Duration) -> f64 {
    // Microseconds are as exact as any of this is.
    length.as_micros() as f64 / 1000.0
}
