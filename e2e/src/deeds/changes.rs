//! What the operator carries through: other numbers of members, other pods, and its own return.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::error::Error;
use crate::group::Look;
use crate::operator::Operator;
use crate::stage::{Renewed, Stage};
use crate::wait::until;

use super::{Change, Done};

/// Replicas that a scaling group has at most, and at least: more and fewer than it was made with.
const MANY: usize = 4;
const FEW: usize = 1;
/// Replicas that it is made with.
const USUAL: usize = 2;
/// A wish for another primary is fulfilled or refused within seconds.
const MOVED_WITHIN: Duration = Duration::from_secs(60);
/// Three pods one after the other, each with a stop, a start and a sync.
const ROLLED_WITHIN: Duration = Duration::from_secs(300);
/// The API server is away for so long.
const AWAY: Duration = Duration::from_secs(20);
/// Then a change of a resource is seen within this time.
const NOTICED_WITHIN: Duration = Duration::from_secs(20);
/// Between two looks at the copies during a roll.
const COUNT_EVERY: Duration = Duration::from_millis(250);
/// The versions between which groups are rolled: both read what the other has written.
const VERSIONS: [&str; 2] = ["8.1", "8.0"];
/// Values of a directive that an engine takes only at its start.
const DATABASES: [&str; 2] = ["32", "16"];

/// Grows the group, makes its last member the primary, and takes that member away.
pub(super) async fn scale(stage: &mut Stage) -> Result<Done, Error> {
    scale_to(stage, MANY).await?;
    let grown = stage.healthy(&Renewed::default()).await?;
    let last = stage.group.names.member(MANY as u32);
    if grown.primary() != last {
        let namespace = stage.group.namespace.clone();
        let words = ["failover", "cart", "-n", &namespace, "--to", &last];
        stage.tools.interrex(&words).await?;
    }
    until(&format!("{last} to lead"), MOVED_WITHIN, async || {
        let primary = stage.group.look().await.primary();
        if primary == last { Ok(()) } else { Err(format!("{primary} leads")) }
    })
    .await?;
    let before = stage.healthy(&Renewed::default()).await?;
    let mut done = Done::beginning(stage, before, &last).await?;
    done.renewed.above = Some(done.before.group.epoch());
    scale_to(stage, FEW).await?;
    Ok(done)
}

/// Through the `scale` subresource, as anybody does it.
async fn scale_to(stage: &mut Stage, replicas: usize) -> Result<(), Error> {
    let namespace = stage.group.namespace.clone();
    let count = format!("--replicas={replicas}");
    stage.tools.kubectl(&["-n", &namespace, "scale", "redis/cart", &count], None).await?;
    stage.group.members = replicas + 1;
    Ok(())
}

/// Changes the resource so that every pod must be replaced, and counts the copies meanwhile.
pub(super) async fn roll(
    stage: &mut Stage,
    mut before: Look,
    what: Change,
    number: u32,
) -> Result<Done, Error> {
    if stage.group.members != USUAL + 1 {
        scale_to(stage, USUAL).await?;
        before = stage.healthy(&Renewed::default()).await?;
    }
    let turn = number as usize % 2;
    let (victim, spec) = match what {
        Change::Image => (
            format!("version {}", VERSIONS[turn]),
            json!({ "engine": { "flavor": "valkey", "version": VERSIONS[turn] } }),
        ),
        Change::Directive => (
            format!("databases {}", DATABASES[turn]),
            json!({ "config": { "databases": DATABASES[turn] } }),
        ),
    };
    let members: Vec<&str> = before.places.iter().map(|place| place.name.as_str()).collect();
    let renewed = Renewed::of(&before, &members);
    let mut copies = Copies::of(&before);
    let mut done = Done::beginning(stage, before, &victim).await?;
    done.renewed = renewed;
    let patch = json!({ "spec": spec }).to_string();
    let namespace = &stage.group.namespace;
    let words = ["-n", namespace, "patch", "redis/cart", "--type=merge", "-p", &patch];
    stage.tools.kubectl(&words, None).await?;
    let rolled = tokio::select! {
        rolled = until("every pod to be another one", ROLLED_WITHIN, async || {
            let look = stage.group.look().await;
            let missing = done.renewed.missing(&look);
            if missing.is_empty() { Ok(()) } else { Err(missing.join("; ")) }
        }) => rolled,
        never = copies.count(stage) => never,
    };
    rolled?;
    done.event.notes.push(format!("never fewer than {} complete copies", copies.fewest));
    if copies.fewest < 2 {
        done.event.violations.push(format!("only {} complete copies", copies.fewest));
    }
    Ok(done)
}

/// The members whose dataset is whole, by their own last word: a pod that goes takes its word away,
/// one that was only too busy to answer does not.
struct Copies {
    /// By member: its pod, and whether its copy is whole.
    known: BTreeMap<String, (String, bool)>,
    fewest: usize,
}

impl Copies {
    fn of(look: &Look) -> Self {
        let mut copies = Self { known: BTreeMap::new(), fewest: usize::MAX };
        copies.note(look);
        copies
    }

    fn note(&mut self, look: &Look) {
        self.known.retain(|member, (pod, _)| {
            look.place(member).is_some_and(|place| place.uid == *pod && !place.is_leaving)
        });
        for report in &look.group.members {
            let place = look.place(&report.name);
            if place.is_some_and(|place| place.uid == report.pod && !place.is_leaving) {
                self.known.insert(report.name.clone(), (report.pod.clone(), report.complete));
            }
        }
        let whole = self.known.values().filter(|(_, complete)| *complete).count();
        self.fewest = self.fewest.min(whole);
    }

    /// Counts until dropped.
    async fn count(&mut self, stage: &Stage) -> Result<(), Error> {
        let mut looks = interval(COUNT_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            self.note(&stage.group.look().await);
        }
    }
}

/// Stops the API server for as long as its watches take to give up, and asks for something once it
/// is back.
pub(super) async fn api_returns(stage: &Stage, before: Look) -> Result<Done, Error> {
    let mut done = Done::beginning(stage, before, "API server").await?;
    // The length of the harm, not a wait for anything.
    stage.tools.without_api(sleep_until(done.begun + AWAY)).await?;
    let back = Instant::now();
    let policy = json!({ "spec": { "config": { "maxmemory-policy": "allkeys-lru" } } });
    let namespace = &stage.group.namespace;
    let policy = policy.to_string();
    let words = ["-n", namespace, "patch", "redis/cart", "--type=merge", "-p", &policy];
    stage.tools.kubectl(&words, None).await?;
    until("the operator to see a change", NOTICED_WITHIN, async || {
        let resource = stage.cluster.resource(namespace, "cart").await;
        let resource = resource.map_err(|error| error.chain())?;
        let told = resource.status.as_ref().and_then(|status| status.observed_generation);
        let newest = resource.metadata.generation;
        if told == newest { Ok(()) } else { Err(format!("it tells of {told:?}, not {newest:?}")) }
    })
    .await?;
    done.event.notes.push(format!("the operator saw it after {} ms", back.elapsed().as_millis()));
    Ok(done)
}

/// Starts the operator beside a group that has moved on without it. It may write what it sees into
/// the status, and nothing else.
pub(super) async fn operator_back(stage: &Stage, before: Look) -> Result<Done, Error> {
    let operator = Operator::of(&stage.cluster, &stage.tools);
    operator.stop().await?;
    // Something that it has not seen: its status is old until it has made its pass.
    let primary = before.primary();
    let renewed = Renewed::of(&before, &[&primary]);
    stage.cluster.delete_pod(&stage.group.namespace, &primary).await?;
    let before = stage.healthy(&renewed).await?;
    let namespace = &stage.group.namespace;
    let objects = stage.cluster.versions(namespace).await?;
    let pods: Vec<_> = before.places.iter().map(|place| place.uid.clone()).collect();
    let epoch = before.group.epoch();
    let mut done = Done::beginning(stage, before, "operator").await?;
    operator.start().await?;
    let caught_up = until("the operator to see what happened", MOVED_WITHIN, async || {
        let resource = stage.cluster.resource(namespace, "cart").await;
        let status = resource.map_err(|error| error.chain())?.status.unwrap_or_default();
        let told = status.epoch.unwrap_or(0);
        if told == epoch { Ok(()) } else { Err(format!("it tells epoch {told}, not {epoch}")) }
    });
    caught_up.await?;
    let after = stage.cluster.versions(namespace).await?;
    for (object, version) in &objects {
        if after.get(object) != Some(version) {
            done.event.violations.push(format!("{object} was changed"));
        }
    }
    let now = stage.group.look().await;
    let same: Vec<_> = now.places.iter().map(|place| place.uid.clone()).collect();
    if same != pods {
        done.event.violations.push("its return replaced pods".to_owned());
    }
    done.event.notes.push(format!("{} objects as they were", objects.len()));
    Ok(done)
}

#[cfg(test)]
mod tests {
    use brain::report::MemberReport;

    use super::*;
    use crate::cluster::Place;

    fn look(members: &[(&str, Option<bool>, bool)]) -> Look {
        let mut look = Look::default();
        for (name, complete, leaving) in members {
            let place = Place { is_leaving: *leaving, ..Place::named(name) };
            if let Some(complete) = *complete {
                let pod = place.uid.clone();
                let name = (*name).to_owned();
                look.group.members.push(MemberReport { name, pod, complete, ..Default::default() });
            }
            look.places.push(place);
        }
        look
    }

    #[test]
    fn a_copy_goes_with_its_pod_and_not_with_one_unanswered_question() {
        let whole = Some(true);
        let mut copies = Copies::of(&look(&[("a", whole, false), ("b", whole, false)]));
        copies.note(&look(&[("a", whole, false), ("b", None, false)]));
        assert_eq!(copies.fewest, 2, "b is only slow");
        copies.note(&look(&[("a", whole, false), ("b", whole, true)]));
        assert_eq!(copies.fewest, 1, "b is about to go");
        copies.note(&look(&[("a", Some(false), false)]));
        assert_eq!(copies.fewest, 0);
    }
}
