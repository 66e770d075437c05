//! A group on this machine as a trial knows it: its addresses, and hands for what is no signal.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::Method;
use local::home::{Home, Part};
use local::http::Caller;
use local::keeper;
use local::links::{Cut, CutFrom as From, Direction};
use local::process::Process;
use local::relay::loopback;
use local::store::fault::Faults;
use tokio::task::JoinSet;
use trial::run::{Options, Progress};
use trial::suites::Scenario;
use trial::target::{CutFrom, Doing, Hands, HandsError, Seat, StoreState, Target};
use trial::verdict::Row;

use crate::failure::Failure;
use crate::group::Group;
use crate::handover::{self, Wish};
use crate::hands;
use crate::parts::parts;
use crate::signals;
use crate::spec;
use crate::ui::Printer;

/// How long a handover may take before it counts as failed.
const HANDOVER_WITHIN: Duration = Duration::from_secs(10);

/// How long the store may take to change its faults.
const STORE_WITHIN: Duration = Duration::from_secs(5);

/// How long an agent may take to stop its engine: longer than an engine's own shutdown timeout of
/// 10 s (engine.md 1.5).
const STOP_WITHIN: Duration = Duration::from_secs(20);

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
                engine: Group::endpoint(&Group::engine(member))?,
                http: loopback(member.http).to_string(),
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

/// Does the scenarios on the group and says what happens with `tell`. Interrupted, it mends what it
/// has broken before it gives up.
pub(crate) async fn run(
    target: &Target,
    scenarios: &[Scenario],
    options: Options,
    printer: &mut Printer,
    tell: impl Fn(&Progress<'_>, &mut Printer) + Send + Sync,
) -> Result<Vec<Row>, Failure> {
    let shared = Mutex::new(printer);
    let listener = |progress: Progress<'_>| {
        let mut printer = shared.lock().unwrap_or_else(PoisonError::into_inner);
        tell(&progress, &mut printer);
    };
    tokio::select! {
        rows = trial::run::run(target, scenarios, options, &listener) => Ok(rows),
        () = signals::end() => {
            trial::run::mend(target).await;
            Err(Failure::new("interrupted; what was broken is mended"))
        }
    }
}

/// The hands of a group on this machine.
struct LocalHands {
    group: Group,
}

type Problem = Box<dyn std::error::Error + Send + Sync>;

impl LocalHands {
    async fn do_cut(&self, member: &str, from: CutFrom) -> Result<(), Problem> {
        let from = match from {
            CutFrom::Store => From::Store,
            CutFrom::Peers => From::Peers,
            CutFrom::Everyone => From::Everyone,
        };
        let cut = Cut { member: member.to_owned(), from, direction: Direction::Both, plane: None };
        hands::control(&self.group).map_err(words)?.cut(&cut).await?;
        Ok(())
    }

    async fn do_heal(&self) -> Result<(), Problem> {
        hands::control(&self.group).map_err(words)?.heal_all().await?;
        Ok(())
    }

    async fn do_handover(&self, to: Option<&str>) -> Result<(), Problem> {
        let seen = self.group.look().await;
        let primary = self.group.resolve("primary", &seen).map_err(words)?;
        let wish = Wish { to: to.map(str::to_owned), dry_run: false };
        handover::ask(&self.group, &primary, &wish, HANDOVER_WITHIN).await?;
        Ok(())
    }

    async fn do_store(&self, state: StoreState) -> Result<(), Problem> {
        let faults = match state {
            StoreState::Up => Faults::default(),
            StoreState::Down => Faults { down: true, ..Faults::default() },
            StoreState::Slow(delay) => {
                Faults { delay_ms: delay.as_millis() as u64, ..Faults::default() }
            }
        };
        let home = &self.group.home;
        let caller = Caller::new(loopback(home.group().ports.store), Some(home.token()?));
        let body = serde_json::to_vec(&faults)?;
        let answer = caller.call(Method::PUT, "/control", Some(body), STORE_WITHIN).await?;
        if answer.status.is_success() {
            return Ok(());
        }
        Err(format!("the store answers {}", answer.status).into())
    }

    /// The keeper first: it would start again what ends.
    async fn do_stop_all(&self) -> Result<(), Problem> {
        let home = &self.group.home;
        end(home, &Part::Keeper).await?;
        let agents: Vec<Part> =
            home.parts().into_iter().filter(|part| matches!(part, Part::Agent(_))).collect();
        let mut ending = JoinSet::new();
        for agent in agents {
            let home = home.clone();
            ending.spawn(async move { end(&home, &agent).await });
        }
        while let Some(ended) = ending.join_next().await {
            ended??;
        }
        Ok(())
    }

    fn do_start(&self, members: &[String]) -> Result<(), Problem> {
        let home = &self.group.home;
        let parts = parts().map_err(words)?;
        for name in members {
            // The child is not waited for: whoever started the trial may end before it does.
            drop(keeper::start(home, &parts, &Part::Agent(name.clone()))?);
        }
        let all_run = home.parts().iter().all(|part| runs(home, part));
        if all_run && !runs(home, &Part::Keeper) {
            drop(keeper::start(home, &parts, &Part::Keeper)?);
        }
        Ok(())
    }
}

fn runs(home: &Home, part: &Part) -> bool {
    let noted = Process::read(&home.pid_file(part)).ok().flatten();
    noted.is_some_and(|process| process.is_running())
}

async fn end(home: &Home, part: &Part) -> Result<(), Problem> {
    if let Some(process) = Process::read(&home.pid_file(part))? {
        process.end(STOP_WITHIN).await?;
    }
    Ok(())
}

fn words(failure: Failure) -> Problem {
    failure.what.into()
}

impl Hands for LocalHands {
    fn cut<'a>(&'a self, member: &'a str, from: CutFrom) -> Doing<'a> {
        Box::pin(async move {
            let done = self.do_cut(member, from).await;
            done.map_err(|error| HandsError::new(format!("cut {member} from the {from}"), error))
        })
    }

    fn heal_all(&self) -> Doing<'_> {
        Box::pin(async move {
            self.do_heal().await.map_err(|error| HandsError::new("heal the links", error))
        })
    }

    fn handover<'a>(&'a self, to: Option<&'a str>) -> Doing<'a> {
        Box::pin(async move {
            let done = self.do_handover(to).await;
            let whom = to.unwrap_or("the best");
            done.map_err(|error| HandsError::new(format!("hand over to {whom}"), error))
        })
    }

    fn store(&self, state: StoreState) -> Doing<'_> {
        Box::pin(async move {
            let done = self.do_store(state).await;
            done.map_err(|error| HandsError::new(format!("make the store {state:?}"), error))
        })
    }

    fn stop_all(&self) -> Doing<'_> {
        Box::pin(async move {
            self.do_stop_all().await.map_err(|error| HandsError::new("stop all members", error))
        })
    }

    fn start<'a>(&'a self, members: &'a [String]) -> Doing<'a> {
        Box::pin(async move {
            self.do_start(members).map_err(|error| HandsError::new("start members", error))
        })
    }
}
