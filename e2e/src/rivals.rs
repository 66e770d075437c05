//! Side by side as pods: the same load and the same harms against what people run today and against
//! a group of ours, one system after the other, in one run.

use std::path::PathBuf;

use kubernetes::names::ENGINE_CONTAINER;
use serde_json::Value;
use tokio::time::Instant;
use trial::rivals::{Contender, Event, Machine, Row, seconds};

use crate::cluster::Cluster;
use crate::error::Error;
use crate::operator::Operator;
use crate::rows::Setting;
use crate::run::{said, say};
use crate::tools::Tools;

mod harm;
mod list;
mod page;
mod report;
mod scene;
mod system;

pub(crate) use list::{Harm, systems};
pub(crate) use page::write;
pub(crate) use report::Report;

use scene::{Outcome, Scene};
use system::Ground;

/// What to run.
pub(crate) struct Plan {
    /// What is done.
    pub(crate) harms: Vec<Harm>,
    /// To whom.
    pub(crate) systems: Vec<Contender>,
    /// How often each harm is done to each.
    pub(crate) runs: u32,
    /// Where artefacts go.
    pub(crate) out: PathBuf,
    /// Namespaces are left as they are.
    pub(crate) keep: bool,
    /// What makes the namespaces of this run unlike those of another.
    pub(crate) mark: String,
}

/// Does every harm of the plan to every system of it. What goes wrong there is in the rows.
pub(crate) async fn run(plan: &Plan, cluster: &Cluster, tools: &Tools) -> Result<Report, Error> {
    let begun = Instant::now();
    let image = image(tools).await?;
    say(&format!(
        "{} systems of {image}, {} harms, {} times each",
        plan.systems.len(),
        plan.harms.len(),
        plan.runs
    ));
    let operator = Operator::of(cluster, tools);
    let has_ours = plan.systems.contains(&Contender::Interrex);
    let installed = if has_ours { operator.install().await } else { Ok(()) };
    let runner = Runner { plan, ground: Ground { cluster, tools, image: &image } };
    let (mut rows, mut engine) = (Vec::new(), None);
    for harm in &plan.harms {
        for who in &plan.systems {
            let mut row = Row::new(*harm, *who);
            let missing = installed.as_ref().err().filter(|_| *who == Contender::Interrex);
            if let Some(error) = missing {
                note(&mut row, error);
            } else {
                let told = runner.fill(&mut row).await;
                engine = engine.or(told);
            }
            rows.push(row);
        }
    }
    if has_ours && installed.is_ok() && !plan.keep {
        said("the operator is not removed", operator.remove().await);
    }
    let engine = engine.unwrap_or_else(|| format!("of {image}"));
    let seconds = begun.elapsed().as_secs();
    Ok(Report::new(engine, Machine::this(), plan.runs, seconds, rows))
}

/// The image that the pods of our group have for their engine: by the product's own word.
async fn image(tools: &Tools) -> Result<String, Error> {
    let file = tools.tree.join(Setting::Beside.place().1);
    let file = file.to_string_lossy();
    let objects = tools.interrex(&["render", "--quiet", "-f", &file, "-o", "json"]).await?;
    let who = || "interrex render".to_owned();
    let objects: Value =
        serde_json::from_str(&objects).map_err(|source| Error::Answer { who: who(), source })?;
    image_in(&objects).ok_or_else(|| {
        let why = format!("{} names no image for its container {ENGINE_CONTAINER}", who());
        Error::NotHere { why }
    })
}

fn image_in(objects: &Value) -> Option<String> {
    let items = objects["items"].as_array()?.iter();
    let mut containers = items
        .filter(|object| object["kind"] == "StatefulSet")
        .filter_map(|object| object["spec"]["template"]["spec"]["containers"].as_array())
        .flatten();
    let engine = containers.find(|container| container["name"] == ENGINE_CONTAINER)?;
    engine["image"].as_str().map(str::to_owned)
}

fn note(row: &mut Row<Harm>, error: &Error) {
    if error.is_not_here() {
        row.skipped = Some(error.chain());
    } else {
        row.error = Some(error.chain());
    }
}

struct Runner<'a> {
    plan: &'a Plan,
    ground: Ground<'a>,
}

impl<'a> Runner<'a> {
    /// Does the row's harm as often as it is to be done; gives what the engines are. The system is
    /// made anew when what came before would be measured again.
    async fn fill(&self, row: &mut Row<Harm>) -> Option<String> {
        say(&format!("{}: {}", row.harm.title(), row.rival.title()));
        let mut scene: Option<Scene<'a>> = None;
        let mut engine = None;
        for number in 0..self.plan.runs {
            let fresh = || self.namespace(row, number);
            let namespace = scene.as_ref().map_or_else(fresh, |scene| scene.namespace.clone());
            let done = self.once(&mut scene, row, &namespace, number).await;
            let is_last = number + 1 == self.plan.runs;
            let is_over = match done {
                Ok(Outcome { event, engine: told, wear }) => {
                    tell(&event);
                    engine = engine.take().or(told);
                    if event.is_stuck() {
                        self.gather(row, &namespace).await;
                    }
                    row.events.push(event);
                    if let Some(why) = wear.filter(|_| !is_last) {
                        say(&format!("{} is made anew: {why}", row.rival.title()));
                    }
                    is_last || wear.is_some()
                }
                Err(error) => {
                    say(&format!("{} ends early: {}", row.rival.title(), error.chain()));
                    note(row, &error);
                    if row.error.is_some() {
                        self.gather(row, &namespace).await;
                    }
                    true
                }
            };
            if is_over {
                scene = None;
                self.clean(&namespace).await;
            }
            if row.error.is_some() || row.skipped.is_some() {
                break;
            }
        }
        engine
    }

    async fn once(
        &self,
        scene: &mut Option<Scene<'a>>,
        row: &Row<Harm>,
        namespace: &str,
        number: u32,
    ) -> Result<Outcome, Error> {
        let scene = match scene {
            Some(scene) => scene,
            None => scene.insert(Scene::set(self.ground, row.rival, namespace).await?),
        };
        scene.event(row.harm, number).await
    }

    fn namespace(&self, row: &Row<Harm>, number: u32) -> String {
        format!("e2e-{}-{}-{}-{number}", self.plan.mark, row.rival.name(), row.harm.name())
    }

    /// Everything that helps to find out why it did not come back.
    async fn gather(&self, row: &Row<Harm>, namespace: &str) {
        let name = format!("{}-{}", row.harm.name(), row.rival.name());
        let directory = self.plan.out.join(name);
        let gathered = self.ground.tools.collect(&directory, namespace).await;
        said("artefacts are incomplete", gathered);
        say(&format!("artefacts: {}", directory.display()));
    }

    async fn clean(&self, namespace: &str) {
        if self.plan.keep {
            return;
        }
        said("not cleaned up", self.ground.cluster.remove_namespace(namespace).await);
        said("volumes are not free again", self.ground.tools.recycle_volumes().await);
    }
}

/// One harm in one line.
fn tell(event: &Event) {
    let (before, after) = &event.primaries;
    let open = if event.writes_back { "" } else { " and more" };
    let healthy = event.healthy_ms.map(|ms| format!("healthy after {}", seconds(ms)));
    let lost = if event.is_counted {
        format!("{} of {} writes lost", event.lost, event.acked)
    } else {
        "nobody leads: not counted".to_owned()
    };
    say(&format!(
        "{}: {before} → {after}  {}{open}  {}  {lost}, {} late{}",
        event.number + 1,
        seconds(event.write_gap_ms),
        healthy.unwrap_or_else(|| "STUCK".to_owned()),
        event.late_acks,
        event.ailments.iter().fold(String::new(), |all, ailment| all + "  × " + ailment),
    ));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_image_is_that_of_the_engine_and_no_other_container() {
        let container = |name: &str, image: &str| json!({ "name": name, "image": image });
        let set = |containers: Value| {
            let pod = json!({ "spec": { "containers": containers } });
            let set = json!({ "kind": "StatefulSet", "spec": { "template": pod } });
            json!({ "kind": "List", "items": [{ "kind": "Service" }, set] })
        };
        let both = json!([container("exporter", "x:1"), container("engine", "valkey:8.1")]);
        assert_eq!(image_in(&set(both)).as_deref(), Some("valkey:8.1"));
        assert_eq!(image_in(&set(json!([container("exporter", "x:1")]))), None);
        assert_eq!(image_in(&json!({})), None);
    }
}
