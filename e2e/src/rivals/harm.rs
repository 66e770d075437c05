//! The harms: each to the primary, its pod or its host. Whatever was broken is mended again, also
//! when something went wrong in between.

use std::time::Duration;

use kubernetes::names::ENGINE_CONTAINER;
use serde_json::json;
use tokio::time::{Instant, sleep_until};
use trial::journal::At;

use crate::error::Error;
use crate::station::Station;
use crate::wait::until;

use super::list::{Harm, RIVAL};
use super::scene::Scene;
use super::system::{Seen, System};

/// How long a freeze lasts.
const FREEZE: Duration = Duration::from_secs(30);
/// A cut lasts at least this long,
const CUT_LEAST: Duration = Duration::from_secs(20);
/// and until this long after the others' clients write again,
const CUT_AFTER: Duration = Duration::from_secs(3);
/// and at most this long.
const CUT_MOST: Duration = Duration::from_secs(60);
/// A client tells how many writes were acknowledged in so long: what was before is over then.
const SECOND: Duration = Duration::from_secs(1);
/// Six pods one after the other, each with a stop, a start, and 20 s until it is called ready.
const ROLLED_WITHIN: Duration = Duration::from_secs(300);
/// Values of a directive that an engine takes only at its start.
const DATABASES: [&str; 2] = ["32", "16"];

/// A harm that was done.
pub(super) struct Done {
    /// Just before it, by the client's clock.
    pub(super) from: At,
    /// Just before it, by ours.
    pub(super) begun: Instant,
    /// When it was over, by ours.
    pub(super) over: Instant,
    /// The members whose engines must be others before the system counts as healthy again.
    pub(super) expects: Vec<String>,
    /// How many of the writes that waited on a frozen engine it acknowledged after its thaw.
    pub(super) queued_acked: u64,
    /// The client on the side of who was cut off.
    pub(super) witness: Option<Witness>,
}

/// A client on a host that is cut off.
pub(super) struct Witness {
    /// Its pod.
    pub(super) name: String,
    /// The client.
    pub(super) station: Station,
    /// Just before the cut, by its clock.
    pub(super) from: At,
}

impl Done {
    /// The moment before a harm.
    async fn beginning(client: &Station) -> Result<Self, Error> {
        let from = client.now().await?.at;
        let begun = Instant::now();
        Ok(Self { from, begun, over: begun, expects: Vec::new(), queued_acked: 0, witness: None })
    }

    fn over(self) -> Self {
        Self { over: Instant::now(), ..self }
    }
}

/// Does it.
pub(super) async fn commit(
    scene: &mut Scene<'_>,
    client: &Station,
    harm: Harm,
    number: u32,
    before: &Seen,
) -> Result<Done, Error> {
    let primary = before.leader();
    match harm {
        Harm::EngineKill => {
            let mut done = Done::beginning(client).await?;
            done.expects = vec![primary.clone()];
            let words = ["kill-engine", &scene.namespace, &primary, ENGINE_CONTAINER];
            scene.ground.tools.fault(&words).await?;
            Ok(done.over())
        }
        Harm::PodDelete => {
            let mut done = Done::beginning(client).await?;
            done.expects = vec![primary.clone()];
            scene.ground.cluster.delete_pod(&scene.namespace, &primary).await?;
            Ok(done.over())
        }
        Harm::HostFreeze => freeze(scene, client, before).await,
        Harm::HostCut => cut(scene, client, before).await,
        Harm::Planned => roll(scene, client, number, before).await,
    }
}

async fn freeze(scene: &Scene<'_>, client: &Station, before: &Seen) -> Result<Done, Error> {
    let tools = scene.ground.tools;
    let primary = before.leader();
    let host = before.host(&primary);
    client.open_queue(&primary).await?;
    let done = Done::beginning(client).await?;
    let frozen = tools.fault(&["freeze", &host]).await;
    let filled = match frozen {
        Ok(_) => {
            let filled = client.fill_queue().await;
            // The length of the harm, not a wait for anything.
            sleep_until(done.begun + FREEZE).await;
            filled
        }
        Err(error) => Err(error),
    };
    tools.fault(&["thaw", &host]).await?;
    filled?;
    let done = done.over();
    let settled = client.settle_queue().await?;
    Ok(Done { queued_acked: settled.acked, ..done })
}

async fn cut(scene: &mut Scene<'_>, client: &Station, before: &Seen) -> Result<Done, Error> {
    let tools = scene.ground.tools;
    let primary = before.leader();
    let host = before.host(&primary);
    let (name, station) = scene.start("witness", &host).await?;
    let mut beside = before.members();
    beside.retain(|member, _| *member == primary);
    station.begin_watching(beside).await?;
    let from = station.now().await?.at;
    let mut done = Done::beginning(client).await?;
    done.witness = Some(Witness { name, station, from });
    let cut = tools.fault(&["cut", &host]).await;
    if cut.is_ok() {
        cut_for(client, done.begun).await;
    }
    tools.fault(&["heal", &host]).await?;
    cut?;
    Ok(done.over())
}

/// Waits for as long as the cut is to last.
async fn cut_for(client: &Station, begun: Instant) {
    let since = Instant::now();
    let others = until("the others to write again", CUT_MOST, async || {
        let now = client.now().await.map_err(|error| error.chain())?;
        let is_theirs = since.elapsed() > SECOND && now.acked_per_s > 0;
        if is_theirs { Ok(()) } else { Err("nobody does".to_owned()) }
    });
    // Where nobody takes over nobody writes: the cut is as long as it may be then.
    let end = match others.await {
        Ok(()) => Instant::now() + CUT_AFTER,
        Err(_) => begun + CUT_MOST,
    };
    // The length of the harm, not a wait for anything.
    sleep_until(end.clamp(begun + CUT_LEAST, begun + CUT_MOST)).await;
}

/// Has every pod made anew, as each system is rolled. A roll that hangs is over when it has had its
/// time: what comes of it is watched like what comes of every other harm.
async fn roll(
    scene: &Scene<'_>,
    client: &Station,
    number: u32,
    before: &Seen,
) -> Result<Done, Error> {
    let namespace = scene.namespace.as_str();
    let mut done = Done::beginning(client).await?;
    done.expects = before.places.iter().map(|place| place.name.clone()).collect();
    match &scene.system {
        System::Ours(_) => {
            let databases = DATABASES[number as usize % DATABASES.len()];
            let patch = json!({ "spec": { "config": { "databases": databases } } }).to_string();
            let words = ["-n", namespace, "patch", "redis/cart", "--type=merge", "-p", &patch];
            scene.ground.tools.kubectl(&words, None).await?;
        }
        System::Theirs(_) => {
            let set = format!("statefulset/{RIVAL}");
            let words = ["-n", namespace, "rollout", "restart", &set];
            scene.ground.tools.kubectl(&words, None).await?;
        }
    }
    let old = before.pods();
    let rolled = until("every pod to be another one", ROLLED_WITHIN, async || {
        let new = scene.system.look().await.pods();
        let left = old.iter().filter(|(name, uid)| new.get(*name).is_none_or(|new| new == *uid));
        let left: Vec<&str> = left.map(|(name, _)| name.as_str()).collect();
        if left.is_empty() { Ok(()) } else { Err(left.join(", ")) }
    });
    match rolled.await {
        Ok(()) | Err(Error::Late { .. }) => Ok(done.over()),
        Err(error) => Err(error),
    }
}
