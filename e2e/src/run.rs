//! The loop over settings and rows: a stage for each setting, load for each row, and artefacts for
//! each row that went wrong.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use crate::cluster::{Cluster, is_ready};
use crate::deeds::{self, Deed};
use crate::error::Error;
use crate::group::{Group, statuses};
use crate::operator::Operator;
use crate::rows::{Maker, Row, Setting};
use crate::stage::Stage;
use crate::tools::Tools;
use crate::verdict::{Event, Outcome, Verdict, shown};
use crate::wait::until;
use crate::{refusals, rest};

/// From the first object to a group that serves: what is longer counts as never.
const READY_WITHIN: Duration = Duration::from_secs(180);
/// What `up` of the test cluster starts its kube-proxies with.
const USUAL_PERIOD: &str = "100ms";

/// What to run.
pub(crate) struct Plan {
    /// The rows, each with how often.
    pub(crate) rows: Vec<(Row, u32)>,
    /// Whether it is the full set.
    pub(crate) is_full: bool,
    /// Where artefacts go.
    pub(crate) out: PathBuf,
    /// Namespaces are left as they are.
    pub(crate) keep: bool,
    /// What makes the namespaces of this run unlike those of another.
    pub(crate) mark: String,
}

/// Does all rows, setting by setting, in the order in which they come.
pub(crate) async fn run(plan: &Plan, cluster: &Cluster, tools: &Tools) -> Vec<Outcome> {
    let runner = Runner { plan, cluster, tools, operator: Operator::of(cluster, tools) };
    let needs_operator = |row: &Row| row.setting.maker() == Maker::Operator;
    let mut installed = None;
    if plan.rows.iter().any(|(row, _)| needs_operator(row)) {
        installed = Some(runner.operator.install().await);
    }
    let mut outcomes = Vec::new();
    for rows in plan.rows.chunk_by(|one, next| one.0.setting == next.0.setting) {
        let missing = installed.as_ref().and_then(|done| done.as_ref().err());
        match missing.filter(|_| rows.iter().any(|(row, _)| needs_operator(row))) {
            Some(error) => outcomes.extend(rows.iter().map(|(row, _)| ended(row, error))),
            None => outcomes.extend(runner.setting(rows).await),
        }
    }
    if matches!(installed, Some(Ok(()))) && !plan.keep {
        said("the operator is not removed", runner.operator.remove().await);
    }
    outcomes
}

/// Says what went wrong with something that the rows do not depend on.
pub(crate) fn said(what: &str, done: Result<(), Error>) {
    if let Err(error) = done {
        say(&format!("{what}: {}", error.chain()));
    }
}

struct Runner<'a> {
    plan: &'a Plan,
    cluster: &'a Cluster,
    tools: &'a Tools,
    operator: Operator<'a>,
}

impl Runner<'_> {
    async fn setting(&self, rows: &[(Row, u32)]) -> Vec<Outcome> {
        let Some((first, _)) = rows.first() else { return Vec::new() };
        match first.setting {
            Setting::Fresh | Setting::Many => {
                let mut outcomes = Vec::new();
                for (row, runs) in rows {
                    outcomes.push(self.without_stage(row, *runs).await);
                }
                outcomes
            }
            Setting::SlowRoutes => {
                let slowed = self.tools.proxy("1s").await.map(drop);
                let outcomes = match slowed {
                    Ok(()) => self.on_stage(rows).await,
                    Err(error) => rows.iter().map(|(row, _)| ended(row, &error)).collect(),
                };
                said("kube-proxies stay slow", self.tools.proxy(USUAL_PERIOD).await.map(drop));
                outcomes
            }
            Setting::Unwatched => {
                let outcomes = self.on_stage(rows).await;
                said("the operator stays away", self.operator.start().await);
                outcomes
            }
            _ => self.on_stage(rows).await,
        }
    }

    async fn on_stage(&self, rows: &[(Row, u32)]) -> Vec<Outcome> {
        let Some((first, _)) = rows.first() else { return Vec::new() };
        let (name, spec) = first.setting.place();
        let namespace = self.namespace(&format!("{name}-{}", first.name));
        say(&format!("{namespace}: making a group of {spec}"));
        let mut outcomes = Vec::new();
        match self.stage(&namespace, first.setting).await {
            Ok(mut stage) => {
                for (row, runs) in rows {
                    let outcome = self.row(&mut stage, row, *runs).await;
                    outcomes.push(outcome);
                }
            }
            Err(error) => {
                self.gather(first, &namespace, None).await;
                outcomes.extend(rows.iter().map(|(row, _)| ended(row, &error)));
            }
        }
        self.clean(&namespace).await;
        outcomes
    }

    async fn stage(&self, namespace: &str, setting: Setting) -> Result<Stage, Error> {
        let stage = Stage::set(self.cluster, self.tools, namespace, setting).await?;
        if setting == Setting::Unwatched {
            self.operator.stop().await?;
        }
        Ok(stage)
    }

    async fn row(&self, stage: &mut Stage, row: &Row, runs: u32) -> Outcome {
        say(&format!("{}: {} times", row.title, runs));
        let mut outcome = Outcome::of(row);
        if let Err(error) = self.try_row(stage, row, runs, &mut outcome).await {
            note(&mut outcome, &error);
            // A load that goes on would be in the way of the next row.
            let _ = stage.client.finish().await;
        }
        outcome.judge(&row.bars);
        say(&format!("{}: {:?}", row.title, outcome.verdict));
        if outcome.verdict == Verdict::Failed {
            self.gather(row, &stage.group.namespace, Some(&stage.group)).await;
        }
        outcome
    }

    async fn try_row(
        &self,
        stage: &mut Stage,
        row: &Row,
        runs: u32,
        outcome: &mut Outcome,
    ) -> Result<(), Error> {
        let mut look = stage.begin().await?;
        for number in 0..runs {
            let done = deeds::commit(row.deed, stage, look, self.plan.is_full, number).await;
            let (event, after) = done?;
            tell(row, &event);
            outcome.events.push(event);
            look = after;
        }
        outcome.finished = stage.client.finish().await?;
        Ok(())
    }

    /// Each time in a namespace of its own.
    async fn without_stage(&self, row: &Row, runs: u32) -> Outcome {
        say(&format!("{}: {} times", row.title, runs));
        let mut outcome = Outcome::of(row);
        for number in 0..runs {
            let namespace = self.namespace(&format!("{}-{number}", row.name));
            match self.once(row, &namespace, number).await {
                Ok(event) => {
                    tell(row, &event);
                    outcome.events.push(event);
                }
                Err(error) => {
                    note(&mut outcome, &error);
                    self.gather(row, &namespace, None).await;
                }
            }
            self.clean(&namespace).await;
        }
        outcome.judge(&row.bars);
        outcome
    }

    async fn once(&self, row: &Row, namespace: &str, number: u32) -> Result<Event, Error> {
        self.cluster.make_namespace(namespace).await?;
        match row.deed {
            Deed::WrongSpecs => refusals::all(self.tools, namespace, number).await,
            Deed::Rest { short, full } => {
                let groups = if self.plan.is_full { full } else { short };
                let file = self.tools.tree.join(row.setting.place().1);
                let spec = std::fs::read_to_string(&file)
                    .map_err(|source| Error::Read { path: file, source })?;
                rest::watch(self.cluster, self.tools, namespace, &spec, groups).await
            }
            _ => self.apply(row, namespace, number).await,
        }
    }

    /// A group from nothing, as a newcomer makes one, until `kubectl wait` would end.
    async fn apply(&self, row: &Row, namespace: &str, number: u32) -> Result<Event, Error> {
        let begun = Instant::now();
        let group = Group::make(self.cluster, self.tools, namespace, row.setting).await?;
        until("the resource to be ready", READY_WITHIN, async || {
            let resource = self.cluster.resource(namespace, "cart").await;
            let resource = resource.map_err(|error| error.chain())?;
            let said = resource.status.as_ref().and_then(|status| status.message.clone());
            if is_ready(&resource) { Ok(()) } else { Err(said.unwrap_or_default()) }
        })
        .await?;
        let ready_ms = begun.elapsed().as_secs_f64() * 1000.0;
        // What it says of itself must be so.
        let look = group.ready(READY_WITHIN).await?;
        Ok(Event {
            number,
            victim: namespace.to_owned(),
            primaries: (String::new(), look.primary()),
            epochs: (0, look.group.epoch()),
            measured_ms: ready_ms,
            healthy_ms: begun.elapsed().as_secs_f64() * 1000.0,
            writes_back: true,
            ..Event::default()
        })
    }

    fn namespace(&self, name: &str) -> String {
        format!("e2e-{}-{name}", self.plan.mark)
    }

    /// Everything that helps to find the cause.
    async fn gather(&self, row: &Row, namespace: &str, group: Option<&Group>) {
        let directory = self.plan.out.join(row.name);
        if let Err(error) = self.try_gather(&directory, namespace, group).await {
            say(&format!("artefacts of {} are incomplete: {}", row.name, error.chain()));
        }
        say(&format!("artefacts: {}", directory.display()));
    }

    async fn try_gather(
        &self,
        directory: &Path,
        namespace: &str,
        group: Option<&Group>,
    ) -> Result<(), Error> {
        self.tools.collect(directory, namespace).await?;
        let Some(group) = group else { return Ok(()) };
        let path = directory.join("statuses.json");
        let failed = |source| Error::Write { path: path.clone(), source };
        let text = serde_json::to_vec_pretty(&statuses(group).await);
        let text = text.map_err(|error| failed(error.into()))?;
        std::fs::write(&path, text).map_err(failed)
    }

    async fn clean(&self, namespace: &str) {
        if self.plan.keep {
            return;
        }
        let removed = self.cluster.remove_namespace(namespace).await;
        let recycled = self.tools.recycle_volumes().await;
        for error in [removed, recycled].into_iter().filter_map(Result::err) {
            say(&format!("not cleaned up: {}", error.chain()));
        }
    }
}

fn ended(row: &Row, error: &Error) -> Outcome {
    let mut outcome = Outcome::of(row);
    note(&mut outcome, error);
    outcome.judge(&row.bars);
    outcome
}

fn note(outcome: &mut Outcome, error: &Error) {
    if error.is_not_here() {
        outcome.skipped = Some(error.chain());
    } else {
        outcome.error = Some(error.chain());
    }
}

/// One deed in one line.
fn tell(row: &Row, event: &Event) {
    let (before, after) = &event.primaries;
    let old = event.old_last_ack_ms.map(|ms| format!("  old until {}", shown(ms)));
    say(&format!(
        "{} {}: {} {before} → {after}  epoch {}  {}{}  healthy after {}{}{}",
        row.name,
        event.number + 1,
        event.victim,
        event.epochs.1,
        shown(event.measured_ms),
        old.unwrap_or_default(),
        shown(event.healthy_ms),
        event.notes.iter().fold(String::new(), |all, note| all + "  " + note),
        event.violations.iter().fold(String::new(), |all, what| all + "  × " + what),
    ));
}

/// Talk goes to stderr; the table alone to stdout.
pub(crate) fn say(text: &str) {
    // Nobody may be listening.
    let _ = writeln!(std::io::stderr(), "e2e: {text}");
}
