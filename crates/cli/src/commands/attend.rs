//! Staying with a group that `up` has started, until a person ends it: then it is taken down.

use std::collections::BTreeSet;
use std::time::Duration;

use brain::report::Decision;
use local::down;
use local::up::Started;
use tokio::time::{MissedTickBehavior, interval};

use super::why::clock;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::group::Group;
use crate::signals::Ends;
use crate::ui::Printer;
use crate::verdict::Verdict;

/// How often the agents are asked for news.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Shows the group until `q`, Ctrl-C or a signal, then ends it.
pub(super) async fn until_end(
    group: &Group,
    started: Started,
    ends: &mut Ends,
    printer: &mut Printer,
) -> Outcome {
    let shown = if Printer::is_terminal() && !printer.style.plain {
        super::watch::show(&group.clone().into(), ends, printer.style).await
    } else {
        tell(group, ends, printer).await
    };
    printer.say("Ending the group");
    let ended = down::down(&started.home, false).await;
    drop(started.lock);
    let ended = ended.map_err(|error| Failure::of(&error).hint_if(error.hint()))?;
    // What kept the view from going on is told after the group is down.
    shown?;
    super::down::say(group, &ended, printer);
    Ok(Exit::Healthy)
}

/// What happens, one line each.
async fn tell(group: &Group, ends: &mut Ends, printer: &mut Printer) -> Result<(), Failure> {
    let mut said: BTreeSet<(u64, String, String)> = BTreeSet::new();
    let mut verdict: Option<Verdict> = None;
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = ends.next() => return Ok(()),
        }
        let seen = group.look().await;
        let mut new: Vec<&Decision> = seen
            .reports()
            .flat_map(|report| &report.decisions)
            .filter(|d| d.story)
            .filter(|d| said.insert((d.at_ms, d.member.clone(), d.text.clone())))
            .collect();
        new.sort_by_key(|d| (d.at_ms, d.epoch));
        for decision in new {
            let text = if decision.text.is_empty() { &decision.rule } else { &decision.text };
            let line = format!("{}  {}: {text}", clock(decision.at_ms), decision.member);
            printer.line(&printer.style.text(&line))?;
        }
        if verdict != Some(seen.judgement.verdict) {
            verdict = Some(seen.judgement.verdict);
            for line in super::up::verdict_lines(group, printer.style).await {
                printer.line(&line)?;
            }
        }
    }
}
