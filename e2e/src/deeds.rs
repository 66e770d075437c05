//! The deeds: what is done to a group, and what is read off its client and its agents afterwards.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use tokio::time::Instant;
use trial::journal::At;
use trial::station::Noticed;
use trial::verdict::Phase;

use crate::error::Error;
use crate::group::Look;
use crate::stage::{Renewed, Stage};
use crate::verdict::Event;

mod api;
mod changes;
mod hosts;
mod pods;

/// A harm, done to the primary unless it says something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "deed")]
pub(crate) enum Deed {
    /// A group is made from nothing: no harm, and no stage.
    Apply,
    /// SIGKILL to the engine.
    KillEngine,
    /// SIGKILL to everything in the engine's container, the agent included.
    KillContainer {
        /// On a container that was started again before: the kubelet holds the next start back.
        held_back: bool,
    },
    /// Its pod is deleted, with its grace period.
    DeletePod,
    /// All pods are deleted in one call.
    DeleteAll {
        /// Whether the data must be there afterwards.
        keeps: bool,
    },
    /// Its pod and its pod's claim are deleted.
    DeleteWithClaim,
    /// Its host is drained, and opened again when the group has dealt with it.
    Drain,
    /// Its host is frozen, with writes queued on open connections, and thawed.
    Freeze {
        /// How long.
        length: Duration,
    },
    /// Its host loses the network, and gets it back.
    Cut {
        /// How long.
        length: Duration,
    },
    /// The API server is stopped, and started again.
    StopApi {
        /// How long in the short set.
        short: Duration,
        /// How long in the full set.
        full: Duration,
    },
    /// The resource asks for more members, then for fewer, with the primary among those that go.
    Scale,
    /// The resource asks for something that every pod must be made anew for.
    Roll {
        /// What.
        what: Change,
    },
    /// The API server was away, and the operator has to notice what is asked for afterwards.
    ApiReturns,
    /// The operator, which was away, starts.
    OperatorBack,
    /// Resources that make no sense are given to the API server: no harm, and no stage.
    WrongSpecs,
    /// Many groups are left alone: no harm, and no stage.
    Rest {
        /// How many groups in the short set.
        short: u32,
        /// How many in the full set.
        full: u32,
    },
}

/// What is rolled out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Change {
    /// Another version of the engine.
    Image,
    /// A directive that takes effect only at a start.
    Directive,
}

/// A deed that was done.
#[derive(Debug)]
pub(crate) struct Done {
    /// To whom.
    victim: String,
    /// Just before it, by the client's clock.
    from: At,
    /// Just before it, by ours.
    begun: Instant,
    /// The same as milliseconds since 1970: agents note their decisions so.
    begun_wall_ms: u64,
    /// The group just before it.
    before: Look,
    /// What must have changed before the group counts as healthy again.
    renewed: Renewed,
    /// What is known already.
    event: Event,
}

impl Done {
    /// The moment before a deed is done to this member.
    async fn beginning(stage: &Stage, before: Look, victim: &str) -> Result<Self, Error> {
        let from = stage.client.now().await?.at;
        Ok(Self {
            victim: victim.to_owned(),
            from,
            begun: Instant::now(),
            begun_wall_ms: wall_ms(),
            before,
            renewed: Renewed::default(),
            event: Event::default(),
        })
    }
}

/// Does it on a healthy group under load, waits until the group is healthy again, and measures.
pub(crate) async fn commit(
    deed: Deed,
    stage: &mut Stage,
    before: Look,
    is_full: bool,
    number: u32,
) -> Result<(Event, Look), Error> {
    let done = match deed {
        // They need no stage: see `run`.
        Deed::Apply | Deed::WrongSpecs | Deed::Rest { .. } => {
            Done::beginning(stage, before, "").await?
        }
        Deed::KillEngine => pods::kill_engine(stage, before).await?,
        Deed::KillContainer { held_back } => pods::kill_container(stage, before, held_back).await?,
        Deed::DeletePod => pods::delete(stage, before).await?,
        Deed::DeleteAll { .. } => pods::delete_all(stage, before).await?,
        Deed::DeleteWithClaim => pods::delete_with_claim(stage, before).await?,
        Deed::Drain => hosts::drain(stage, before).await?,
        Deed::Freeze { length } => hosts::freeze(stage, before, length).await?,
        Deed::Cut { length } => hosts::cut(stage, before, length).await?,
        Deed::StopApi { short, full } => {
            api::stop(stage, before, if is_full { full } else { short }).await?
        }
        Deed::Scale => changes::scale(stage).await?,
        Deed::Roll { what } => changes::roll(stage, before, what, number).await?,
        Deed::ApiReturns => changes::api_returns(stage, before).await?,
        Deed::OperatorBack => changes::operator_back(stage, before).await?,
    };
    let after = stage.healthy(&done.renewed).await?;
    let noticed = stage.noticed(done.from, &after).await?;
    let mut event = read_off(done, &after, &noticed, number);
    if deed == (Deed::DeleteAll { keeps: false }) {
        pods::judge_loudness(stage, &after, &mut event).await?;
    }
    Ok((event, after))
}

/// Everything about one deed.
fn read_off(done: Done, after: &Look, noticed: &Noticed, number: u32) -> Event {
    let (old, new) = (done.before.primary(), after.primary());
    let epochs = (done.before.group.epoch(), after.group.epoch());
    let apart = epochs.1.saturating_sub(epochs.0);
    let mut event = Event {
        number,
        victim: done.victim,
        epochs,
        measured_ms: noticed.write_gap_ms,
        gap_from_ms: noticed.gap_from_ms,
        writes_back: noticed.writes_back,
        read_gap_ms: noticed.read_gap_ms,
        healthy_ms: done.begun.elapsed().as_secs_f64() * 1000.0,
        dual: noticed.changes.saturating_sub(apart),
        phases: phases(after, done.begun_wall_ms),
        ..done.event
    };
    if old != new {
        let of = |member: &str| noticed.members.get(member).copied();
        event.old_last_ack_ms = event.old_last_ack_ms.or(of(&old).map(|acked| acked.last_ms));
        event.new_first_ack_ms = of(&new).map(|acked| acked.first_ms);
        // With more than one change an engine may have led twice, and only `dual` can tell.
        if apart == 1 {
            event.late += noticed.late;
        }
    }
    event.primaries = (old, new);
    event
}

fn wall_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.as_millis() as u64
}

/// What the agents decided since the deed was begun, by their own word. Good as long as the clocks
/// of the hosts and ours agree.
fn phases(after: &Look, begun_ms: u64) -> Vec<Phase> {
    let decisions = after.group.members.iter().flat_map(|member| &member.decisions);
    let story = decisions.filter(|decision| decision.story && decision.at_ms >= begun_ms);
    let mut phases: Vec<Phase> = story
        .map(|decision| Phase {
            rule: decision.rule.clone(),
            member: decision.member.clone(),
            after_ms: (decision.at_ms - begun_ms) as f64,
        })
        .collect();
    phases.sort_by(|one, next| one.after_ms.total_cmp(&next.after_ms));
    phases
}
