//! A scenario group's stage: one namespace, one group, one client pod that makes the load.

use std::time::Duration;

use trial::journal::At;
use trial::station::{Members, Noticed};

use crate::cluster::Cluster;
use crate::error::Error;
use crate::group::{Group, Life, Look};
use crate::rows::Setting;
use crate::station::Station;
use crate::tools::Tools;
use crate::wait::until;

/// A group is made within seconds; a busy machine needs more.
const READY_WITHIN: Duration = Duration::from_secs(180);
/// After a harm: a container's restart may be held back for minutes.
const HEALTHY_WITHIN: Duration = Duration::from_secs(300);
/// Until writes flow once the group is healthy.
const WRITES_WITHIN: Duration = Duration::from_secs(60);
/// How often leadership is moved before the tests give up to have it where they want it.
const MOVES: u32 = 8;

/// Everything that a deed needs.
pub(crate) struct Stage {
    /// The commands.
    pub(crate) tools: Tools,
    /// The API server.
    pub(crate) cluster: Cluster,
    /// The group.
    pub(crate) group: Group,
    /// The client.
    pub(crate) client: Station,
    /// One client a host, which probes the member beside it while its host is cut off.
    pub(crate) witnesses: Vec<Station>,
}

/// What must have changed before a group counts as healthy again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Renewed {
    /// The epoch must be above this one.
    pub(crate) above: Option<u64>,
    /// These members must be in another life.
    pub(crate) lives: Vec<(String, Option<Life>)>,
}

impl Renewed {
    /// All these members must be in another life than in this look.
    pub(crate) fn of(look: &Look, members: &[&str]) -> Self {
        let lives = members.iter().map(|member| ((*member).to_owned(), look.life(member)));
        Self { above: None, lives: lives.collect() }
    }

    /// What has not changed yet.
    pub(crate) fn missing(&self, look: &Look) -> Vec<String> {
        let mut missing = Vec::new();
        if let Some(above) = self.above.filter(|above| look.group.epoch() <= *above) {
            missing.push(format!("nobody leads in an epoch above {above}"));
        }
        for (member, life) in &self.lives {
            if look.life(member).is_none() || look.life(member) == *life {
                missing.push(format!("{member} has not begun a new life"));
            }
        }
        missing
    }
}

impl Stage {
    /// Makes the namespace, the group and its client, and waits until all is ready.
    pub(crate) async fn set(
        cluster: &Cluster,
        tools: &Tools,
        namespace: &str,
        setting: Setting,
    ) -> Result<Self, Error> {
        cluster.make_namespace(namespace).await?;
        let group = Group::make(cluster, tools, namespace, setting).await?;
        let look = group.ready(READY_WITHIN).await?;
        // Not beside the primary, which is what most deeds are done to.
        let primary = look.primary();
        let other = look.places.iter().find(|place| place.name != primary);
        let host = other.map(|place| place.host.clone()).unwrap_or_default();
        let client = Station::start(cluster, tools, &group.access(), "client", &host).await?;
        Ok(Self {
            tools: tools.clone(),
            cluster: cluster.clone(),
            group,
            client,
            witnesses: Vec::new(),
        })
    }

    /// One witness on each host that has a member, unless it is there.
    pub(crate) async fn call_witnesses(&mut self, look: &Look) -> Result<(), Error> {
        let access = self.group.access();
        for place in &look.places {
            if self.witnesses.iter().all(|witness| witness.host != place.host) {
                let name = format!("witness-{}", place.host);
                let (cluster, tools) = (&self.cluster, &self.tools);
                let started = Station::start(cluster, tools, &access, &name, &place.host).await?;
                self.witnesses.push(started);
            }
        }
        Ok(())
    }

    /// Waits until the group is healthy after something has changed. Pods that have got new
    /// addresses meanwhile are probed there.
    pub(crate) async fn healthy(&self, renewed: &Renewed) -> Result<Look, Error> {
        let mut aimed = Members::new();
        until("the group to be healthy", HEALTHY_WITHIN, async || {
            let look = self.group.look().await;
            let members = look.members();
            if members != aimed && self.client.aim(&members).await.is_ok() {
                aimed = members;
            }
            let mut missing = renewed.missing(&look);
            missing.extend(look.ailments(self.group.members));
            if missing.is_empty() { Ok(look) } else { Err(missing.join("; ")) }
        })
        .await
    }

    /// Begins the load of a row on a healthy group, and waits until it writes.
    pub(crate) async fn begin(&self) -> Result<Look, Error> {
        let look = self.healthy(&Renewed::default()).await?;
        let copies = look.group.primary().map_or(0, |primary| primary.copies);
        self.client.begin(copies, look.members()).await?;
        until("writes to flow", WRITES_WITHIN, async || {
            let now = self.client.now().await.map_err(|error| error.chain())?;
            if now.acked_per_s > 0 { Ok(()) } else { Err("none is acknowledged".to_owned()) }
        })
        .await?;
        Ok(look)
    }

    /// What the client noticed since `from`.
    pub(crate) async fn noticed(&self, from: At, look: &Look) -> Result<Noticed, Error> {
        self.client.noticed(from, &look.primary(), WRITES_WITHIN).await
    }

    /// Moves leadership until `fits` says yes of a healthy group: each time by deleting the
    /// primary's pod, which hands over.
    pub(crate) async fn move_until(
        &self,
        mut look: Look,
        fits: impl Fn(&Look) -> bool,
    ) -> Result<Look, Error> {
        for _ in 0..MOVES {
            if fits(&look) {
                return Ok(look);
            }
            let primary = look.primary();
            let renewed = Renewed::of(&look, &[&primary]);
            self.cluster.delete_pod(&self.group.namespace, &primary).await?;
            look = self.healthy(&renewed).await?;
        }
        let what = "leadership to be where the row needs it".to_owned();
        let missing = format!("{} leads after {MOVES} moves", look.primary());
        Err(Error::Late { what, within: HEALTHY_WITHIN, missing })
    }

    /// The primary is not on the client's host: what is done to its host is not done to the client.
    pub(crate) async fn apart(&self, look: Look) -> Result<Look, Error> {
        self.move_until(look, |look| look.host(&look.primary()) != self.client.host).await
    }
}
