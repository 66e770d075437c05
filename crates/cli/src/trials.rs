//! A group on this machine as a trial knows it: its addresses, and hands for what is no signal.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use trial::run::{Options, Progress, Stop};
use trial::suites::Scenario;
use trial::target::{Seat, Target};
use trial::verdict::Row;

use crate::failure::Failure;
use crate::group::Group;
use crate::signals::{End, Ends};
use crate::spec;
use crate::ui::Printer;
use hands::LocalHands;

mod hands;

/// A running group as the target of a trial.
pub(crate) fn target(group: &Group) -> Result<Target, Failure> {
    let described = group.home.group();
    let spec = spec::of_text(&described.spec, "the group's own spec")?;
    let seats = group
        .members()
        .iter()
        .map(|member| {
            Ok(Seat {
                name: member.name.clone(),
                engine: Group::endpoint(&group.engine(member))?,
                http: described.http_address(member).to_string(),
                directory: group.directory(&member.name),
                data: group.home.engine_directory(&member.name),
            })
        })
        .collect::<Result<Vec<Seat>, Failure>>()?;
    Ok(Target {
        group: group.tag().to_owned(),
        write: Group::endpoint(&group.write())?,
        read: Group::endpoint(&group.read())?,
        credentials: Some(group.credentials()?),
        seats,
        copies: spec.durability().copies().min(spec.replicas()),
        wait: Duration::from_millis(spec.timing().lease.as_millis()),
        hands: Arc::new(LocalHands { group: group.clone() }),
    })
}

/// Does the scenarios on the group and says what happens with `tell`. Told to end, it mends what it
/// has broken and gives up; with `stop`, a first Ctrl-C asks for an end after the deed at hand.
pub(crate) async fn run(
    target: &Target,
    scenarios: &[Scenario],
    options: Options,
    stop: Option<&Stop>,
    printer: &mut Printer,
    tell: impl Fn(&Progress<'_>, &mut Printer) + Send + Sync,
) -> Result<Vec<Row>, Failure> {
    let shared = Mutex::new(printer);
    let listener = |progress: Progress<'_>| {
        let mut printer = shared.lock().unwrap_or_else(PoisonError::into_inner);
        tell(&progress, &mut printer);
    };
    let ended = async {
        let mut ends = Ends::listen();
        while ends.next().await == End::Interrupt {
            let Some(stop) = stop.filter(|stop| !stop.is_asked()) else { break };
            stop.ask();
            let mut printer = shared.lock().unwrap_or_else(PoisonError::into_inner);
            printer.say("   ends after this one; interrupt again to end at once");
        }
    };
    let never = Stop::default();
    let asked = stop.unwrap_or(&never);
    tokio::select! {
        rows = trial::run::run(target, scenarios, options, asked, &listener) => Ok(rows),
        () = ended => {
            trial::run::mend(target).await;
            Err(Failure::new("interrupted; what was broken is mended"))
        }
    }
}
