//! Many groups that nothing happens to: what is written about them, and what the operator takes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::cluster::Cluster;
use crate::error::Error;
use crate::operator::Operator;
use crate::run::say;
use crate::tools::Tools;
use crate::verdict::Event;
use crate::wait::until;

/// So many groups are made at once: three pods each start on the same few processors.
const AT_A_TIME: u32 = 5;
/// Five groups from nothing, on a machine that has hundreds of pods already.
const READY_WITHIN: Duration = Duration::from_secs(300);
/// What the last start stirs up has settled: the operator's last write is this long ago.
const QUIET_FOR: Duration = Duration::from_secs(10);
/// How long they are watched: two renewals of a lease at rest.
const WATCHED: Duration = Duration::from_secs(60);
/// Between two looks at the Leases: they change every fifteen seconds.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// What a group may write into its Lease in a minute.
const LEASE_WRITES: f64 = 4.0;
/// What the operator counts its writes by.
const WRITES: &str = "interrex_operator_writes_total";
const MEMORY: &str = "process_resident_memory_bytes";

/// Makes the groups, leaves them alone, and counts.
pub(crate) async fn watch(
    cluster: &Cluster,
    tools: &Tools,
    namespace: &str,
    spec: &str,
    groups: u32,
) -> Result<Event, Error> {
    let operator = Operator::of(cluster, tools);
    let mut event =
        Event { writes_back: true, victim: format!("{groups} groups"), ..Event::default() };
    let begun = Instant::now();
    make(cluster, tools, namespace, spec, groups).await?;
    event.healthy_ms = begun.elapsed().as_secs_f64() * 1000.0;
    let mut writes = quiet(&operator).await?;
    let objects = cluster.versions(namespace).await?;
    let leases = lease_writes(cluster, namespace).await?;
    let minutes = WATCHED.as_secs_f64() / 60.0;
    let most = leases.values().map(|count| *count as f64 / minutes).fold(0.0, f64::max);
    let mean = leases.values().sum::<usize>() as f64 / minutes / f64::from(groups.max(1));
    writes = operator.figure(WRITES).await? - writes;
    let memory = operator.figure(MEMORY).await? / 1_048_576.0;
    event.notes.push(format!(
        "{writes} writes by the operator, {mean:.1} Lease writes a minute and group (most \
         {most:.1}), operator {memory:.1} MiB"
    ));
    if writes > 0.0 {
        event.violations.push(format!("the operator wrote {writes} times"));
    }
    if leases.len() != groups as usize || most > LEASE_WRITES {
        event.violations.push(format!("{} Leases, most {most:.1} writes a minute", leases.len()));
    }
    let after = cluster.versions(namespace).await?;
    let changed = objects.iter().filter(|(object, version)| after.get(*object) != Some(*version));
    event.violations.extend(changed.map(|(object, _)| format!("{object} was changed")));
    Ok(event)
}

async fn make(
    cluster: &Cluster,
    tools: &Tools,
    namespace: &str,
    spec: &str,
    groups: u32,
) -> Result<(), Error> {
    let mut made = 0;
    while made < groups {
        let next = (made + AT_A_TIME).min(groups);
        for number in made..next {
            let text = spec.replace("name: cart", &format!("name: group-{number}"));
            tools.kubectl(&["-n", namespace, "apply", "-f", "-"], Some(&text)).await?;
        }
        made = next;
        until(&format!("{made} groups to be ready"), READY_WITHIN, async || {
            let ready = cluster.ready_resources(namespace).await.map_err(|error| error.chain())?;
            if ready >= made as usize { Ok(()) } else { Err(format!("{ready} are")) }
        })
        .await?;
        say(&format!("{made} of {groups} groups are ready"));
    }
    Ok(())
}

/// Waits until the operator has nothing to write any more; gives back how often it has.
async fn quiet(operator: &Operator<'_>) -> Result<f64, Error> {
    let mut last = (operator.figure(WRITES).await?, Instant::now());
    until("the operator to have nothing to do", READY_WITHIN, async || {
        let writes = operator.figure(WRITES).await.map_err(|error| error.chain())?;
        if (writes - last.0).abs() > f64::EPSILON {
            last = (writes, Instant::now());
        }
        if last.1.elapsed() >= QUIET_FOR {
            return Ok(writes);
        }
        Err(format!("it has written {writes} times"))
    })
    .await
}

/// How often each Lease was written while they were watched.
async fn lease_writes(
    cluster: &Cluster,
    namespace: &str,
) -> Result<BTreeMap<String, usize>, Error> {
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let end = Instant::now() + WATCHED;
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while looks.tick().await < end {
        for (lease, version) in cluster.leases(namespace).await? {
            versions.entry(lease).or_default().insert(version);
        }
    }
    // The first version was there before.
    Ok(versions.into_iter().map(|(lease, seen)| (lease, seen.len() - 1)).collect())
}
