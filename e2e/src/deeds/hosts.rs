//! Harms to the primary's host. The client is on another one, and whatever was broken is mended
//! again, also when something went wrong in between.

use std::time::Duration;

use tokio::time::sleep_until;
use trial::journal::At;

use crate::error::Error;
use crate::group::Look;
use crate::stage::{Renewed, Stage};
use crate::station::Station;
use crate::wait::until;

use super::Done;

/// A silent loss is taken over within seconds; this is when it counts as never.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(60);
/// How much later than its answer was sent we may take note of it, with two clocks read one after
/// the other.
const SLACK_MS: f64 = 200.0;

pub(super) async fn drain(stage: &Stage, before: Look) -> Result<Done, Error> {
    let before = stage.apart(before).await?;
    let primary = before.primary();
    let host = before.host(&primary);
    let mut done = Done::beginning(stage, before, &primary).await?;
    done.renewed = Renewed::of(&done.before, &[&primary]);
    let drained = stage.tools.fault(&["drain", &host]).await;
    // The evicted member may find no other host: it needs this one again to be healthy.
    stage.tools.fault(&["undrain", &host]).await?;
    drained?;
    Ok(done)
}

pub(super) async fn freeze(stage: &Stage, before: Look, length: Duration) -> Result<Done, Error> {
    let before = stage.apart(before).await?;
    let primary = before.primary();
    let host = before.host(&primary);
    stage.client.open_queue(&primary).await?;
    let mut done = Done::beginning(stage, before, &primary).await?;
    let frozen = stage.tools.fault(&["freeze", &host]).await;
    let lasted = match frozen {
        Ok(_) => frozen_for(stage, &mut done, length).await,
        Err(error) => Err(error),
    };
    stage.tools.fault(&["thaw", &host]).await?;
    lasted?;
    let settled = stage.client.settle_queue().await?;
    done.event.late = settled.acked;
    done.event.notes.push(format!("{} of {} queued acked", settled.acked, settled.queued));
    done.renewed.above = Some(done.before.group.epoch());
    Ok(done)
}

async fn frozen_for(stage: &Stage, done: &mut Done, length: Duration) -> Result<(), Error> {
    done.event.queued = stage.client.fill_queue().await?;
    taken_over(stage, done).await?;
    // The length of the harm, not a wait for anything.
    sleep_until(done.begun + length).await;
    Ok(())
}

pub(super) async fn cut(stage: &mut Stage, before: Look, length: Duration) -> Result<Done, Error> {
    stage.call_witnesses(&before).await?;
    let before = stage.apart(before).await?;
    let primary = before.primary();
    let host = before.host(&primary);
    let mut beside = before.members();
    beside.retain(|member, _| *member == primary);
    let witness = stage.witnesses.iter().find(|witness| witness.host == host);
    if let Some(witness) = witness {
        witness.begin_probing(beside).await?;
    }
    let since = match witness {
        Some(witness) => Some((witness, witness.now().await?.at)),
        None => None,
    };
    let mut done = Done::beginning(stage, before, &primary).await?;
    let cut = stage.tools.fault(&["cut", &host]).await;
    let lasted = match cut {
        Ok(_) => cut_for(stage, &done, length).await,
        Err(error) => Err(error),
    };
    stage.tools.fault(&["heal", &host]).await?;
    lasted?;
    done.renewed.above = Some(done.before.group.epoch());
    if let Some((witness, from)) = since {
        ask_witness(stage, witness, from, &mut done).await?;
    }
    Ok(done)
}

async fn cut_for(stage: &Stage, done: &Done, length: Duration) -> Result<(), Error> {
    taken_over(stage, done).await?;
    // The length of the harm, not a wait for anything.
    sleep_until(done.begun + length).await;
    Ok(())
}

/// What the old primary acknowledged to a client on its own side of the cut.
async fn ask_witness(
    stage: &Stage,
    witness: &Station,
    from: At,
    done: &mut Done,
) -> Result<(), Error> {
    let heard = until("the witness to answer", TAKEN_OVER_WITHIN, async || {
        let noticed = witness.noticed(from, "", Duration::from_millis(1)).await;
        noticed.map_err(|error| error.chain())
    })
    .await?;
    let last = heard.members.get(&done.victim).map(|acked| acked.last_ms);
    done.event.old_last_ack_ms = last;
    let look = stage.healthy(&done.renewed).await?;
    let seen = stage.noticed(done.from, &look).await?;
    let first = seen.members.get(&look.primary()).map(|acked| acked.first_ms);
    if let (Some(last), Some(first)) = (last, first)
        && look.primary() != done.victim
        && last > first + SLACK_MS
    {
        done.event.violations.push(format!(
            "{} acknowledged until {last:.0} ms, {} from {first:.0} ms on",
            done.victim,
            look.primary()
        ));
    }
    // What it wrote on the wrong side of the cut may be lost: nobody waited for it.
    witness.finish().await.map(drop)
}

/// Waits until the others have a primary of a later epoch.
async fn taken_over(stage: &Stage, done: &Done) -> Result<(), Error> {
    let epoch = done.before.group.epoch();
    until("the others to take over", TAKEN_OVER_WITHIN, async || {
        let look = stage.group.look().await;
        let newer = look.group.primary().is_some_and(|primary| primary.epoch > epoch);
        if newer { Ok(()) } else { Err(format!("nobody leads in an epoch above {epoch}")) }
    })
    .await
}
