//! The parts of a scenario as histories, judged by the simulator's checkers.

use std::time::Duration;

use super::{Listener, Progress, RunError};
use crate::history::{Held, MemberEnd, Recorded, Recorder, Source};
use crate::load;
use crate::status::{self, Group};
use crate::target::Target;
use crate::verdict::Row;

/// How long a group may take to be whole once nobody writes any more.
const LINKED_WITHIN: Duration = Duration::from_secs(30);

/// The part that ends with a healthy group: what its primary holds of it is looked at.
pub(super) async fn part(
    target: &Target,
    recorder: &mut Recorder,
    run: &str,
    sources: &[Source],
    (number, after): (u32, &Group),
) -> Result<Recorded, RunError> {
    let until = recorder.now();
    let numbers = recorder.numbers(sources, until);
    let mut holding = None;
    if let Some(primary) = after.primary()
        && let Some(seat) = target.seat(&primary.name)
        && let Some(who) = recorder.who(&primary.name)
    {
        let credentials = target.credentials.as_ref();
        let held: Held = load::held(&seat.engine, credentials, run, &numbers).await?;
        holding = Some((who, primary.epoch, held));
    }
    Ok(recorder.part(Some(number + 1), sources, until, holding, None))
}

/// The last part: nobody writes any more, and all members are looked at.
pub(super) async fn end(
    target: &Target,
    recorder: &mut Recorder,
    run: &str,
    sources: &[Source],
) -> Result<Recorded, RunError> {
    let until = recorder.now();
    let numbers = recorder.numbers(sources, until);
    // A link may just be coming back; what is still not well then is judged as it is.
    let group = match status::healthy(target, LINKED_WITHIN).await {
        Ok(group) => group,
        Err(_) => Group::ask(target).await,
    };
    recorder.learn(&group);
    let mut members = Vec::new();
    for seat in &target.seats {
        let credentials = target.credentials.as_ref();
        let held = load::held(&seat.engine, credentials, run, &numbers).await?;
        members.push((MemberEnd::of(group.member(&seat.name)), held));
    }
    Ok(recorder.part(None, sources, until, None, Some(members)))
}

/// Tells of a part, and keeps what is broken in it.
pub(super) fn note(row: &mut Row, part: &Recorded, listener: Listener<'_>) {
    listener(Progress::History(part));
    let when = part.run.map_or_else(|| "the end".to_owned(), |run| format!("run {run}"));
    row.broken.extend(part.broken().iter().map(|violation| format!("{when}: {violation}")));
}
