//! A running system, ours or another: its objects are made, and it is looked at as its own clients
//! and Sentinels see it.

use std::collections::BTreeMap;
use std::time::Duration;

use client::Endpoint;
use kubernetes::names::ENGINE_PORT;
use trial::rivals::find::TAG;
use trial::rivals::look::{self, SHARDS, Server};
use trial::rivals::{Contender, join};
use trial::station::Members;

use crate::cluster::{Cluster, Place};
use crate::error::Error;
use crate::group::{Group, engines};
use crate::rows::Setting;
use crate::station::Access;
use crate::tools::Tools;
use crate::wait::until;

use super::list::{RIVAL, Recipe, SELECTOR, SENTINEL_PORT, options};

/// From the first object to pods with addresses; images are there, a busy machine is slow.
const STARTED_WITHIN: Duration = Duration::from_secs(120);

/// Where systems are made.
#[derive(Clone, Copy)]
pub(super) struct Ground<'a> {
    /// The API server.
    pub(super) cluster: &'a Cluster,
    /// The commands.
    pub(super) tools: &'a Tools,
    /// The engine's image: all of them have that of our group.
    pub(super) image: &'a str,
}

/// What a system looks like at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// The pods of its engines.
    pub(super) places: Vec<Place>,
    /// Who leads; in a cluster: the shard of the load.
    pub(super) primary: Option<String>,
    /// Who calls itself a primary.
    pub(super) primaries: Vec<String>,
    /// What is missing to a healthy one.
    pub(super) ailments: Vec<String>,
    /// By member: what tells one life of its engine from the next.
    pub(super) lives: BTreeMap<String, String>,
    /// What the engines are: `valkey 8.1.1`.
    pub(super) engine: Option<String>,
    /// How many replicas a write is waited for on.
    pub(super) copies: u32,
    /// The epoch, where there is such a thing.
    pub(super) epoch: Option<u64>,
    /// Whether a gate in the engine ends a primary's time.
    pub(super) is_fenced: bool,
}

impl Seen {
    /// Who leads; empty when nobody does.
    pub(super) fn leader(&self) -> String {
        self.primary.clone().unwrap_or_default()
    }

    /// Whether somebody leads and nothing is missing.
    pub(super) fn is_healthy(&self) -> bool {
        self.primary.is_some() && self.ailments.is_empty()
    }

    /// What is missing, in words.
    pub(super) fn words(&self) -> String {
        if self.ailments.is_empty() { "nobody leads".to_owned() } else { self.ailments.join("; ") }
    }

    /// The host of this member; empty when it has none.
    pub(super) fn host(&self, member: &str) -> String {
        let place = self.places.iter().find(|place| place.name == member);
        place.map(|place| place.host.clone()).unwrap_or_default()
    }

    /// The engines' own addresses.
    pub(super) fn members(&self) -> Members {
        engines(&self.places)
    }

    /// Its pods by name, each with its UID.
    pub(super) fn pods(&self) -> BTreeMap<String, String> {
        self.places.iter().map(|place| (place.name.clone(), place.uid.clone())).collect()
    }
}

/// A running system.
pub(super) enum System {
    /// A group of ours.
    Ours(Group),
    /// What others run.
    Theirs(Theirs),
}

/// What others run.
pub(super) struct Theirs {
    cluster: Cluster,
    namespace: String,
    who: Contender,
    recipe: Recipe,
    /// The slot of the load's keys; 0 where there are no slots.
    slot: i64,
}

impl System {
    /// Makes its objects in this namespace, which is there already, and what they need to be one
    /// system; does not wait until it is healthy.
    pub(super) async fn make(
        ground: Ground<'_>,
        who: Contender,
        namespace: &str,
    ) -> Result<Self, Error> {
        let Ground { cluster, tools, image } = ground;
        let Some(recipe) = Recipe::of(who) else {
            return Ok(Self::Ours(Group::make(cluster, tools, namespace, Setting::Beside).await?));
        };
        let path = tools.tree.join("e2e/rivals").join(recipe.file);
        let text = std::fs::read_to_string(&path).map_err(|source| Error::Read { path, source })?;
        let objects = recipe.filled(&text, image);
        tools.kubectl(&["-n", namespace, "apply", "-f", "-"], Some(&objects)).await?;
        let (cluster, namespace) = (cluster.clone(), namespace.to_owned());
        let mut theirs = Theirs { cluster, namespace, who, recipe, slot: 0 };
        if theirs.is_cluster() {
            theirs.join().await?;
        }
        Ok(Self::Theirs(theirs))
    }

    /// How clients come to it.
    pub(super) fn access(&self) -> Access {
        match self {
            Self::Ours(group) => group.access(),
            Self::Theirs(theirs) => Access {
                namespace: theirs.namespace.clone(),
                words: options(theirs.who, theirs.recipe.pods),
                secret: None,
            },
        }
    }

    /// What it looks like now.
    pub(super) async fn look(&self) -> Seen {
        match self {
            Self::Ours(group) => of_ours(group).await,
            Self::Theirs(theirs) => theirs.look().await,
        }
    }

    /// Why it is not as it was made, if it is not: then what is measured next would be of this, and
    /// not of the harm.
    pub(super) fn wear(&self, before: &Seen, after: &Seen) -> Option<&'static str> {
        const HELD_BACK: &str = "the kubelet would hold its container's next start back";
        match self {
            Self::Ours(_) => {
                after.places.iter().any(|place| place.restarts > 0).then_some(HELD_BACK)
            }
            Self::Theirs(theirs) => {
                if started_again(before, after) {
                    return Some(HELD_BACK);
                }
                let crowded = theirs.is_cluster() && is_crowded(after);
                crowded.then_some("two of its primaries share a host")
            }
        }
    }
}

async fn of_ours(group: &Group) -> Seen {
    let look = group.look().await;
    let primary = look.group.primary();
    let leads = look.group.members.iter().filter(|member| member.role == "primary");
    let lives = look.places.iter().filter_map(|place| {
        let (pod, restarts, process) = look.life(&place.name)?;
        Some((place.name.clone(), format!("{pod} {restarts} {process}")))
    });
    Seen {
        primary: primary.map(|primary| primary.name.clone()),
        primaries: leads.map(|member| member.name.clone()).collect(),
        ailments: look.ailments(group.members),
        lives: lives.collect(),
        engine: primary.map(|primary| primary.engine.clone()),
        copies: primary.map_or(0, |primary| primary.copies),
        epoch: Some(look.group.epoch()),
        is_fenced: primary.is_some_and(|primary| primary.fence == "gate"),
        places: look.places.clone(),
    }
}

/// Whether an engine of the same pod is another process.
fn started_again(before: &Seen, after: &Seen) -> bool {
    let (old, new) = (before.pods(), after.pods());
    let is_same_pod = |name: &str| old.get(name).is_some_and(|uid| new.get(name) == Some(uid));
    let mut lives = after.lives.iter();
    lives.any(|(name, life)| is_same_pod(name) && before.lives.get(name) != Some(life))
}

/// Whether a host has more than one primary: who loses it loses the majority that decides.
fn is_crowded(seen: &Seen) -> bool {
    let mut hosts: Vec<String> = seen.primaries.iter().map(|name| seen.host(name)).collect();
    hosts.sort_unstable();
    hosts.windows(2).any(|pair| pair[0] == pair[1])
}

impl Theirs {
    fn is_cluster(&self) -> bool {
        matches!(self.who, Contender::Cluster5 | Contender::Cluster15)
    }

    /// Makes one cluster of empty engines.
    async fn join(&mut self) -> Result<(), Error> {
        let what = format!("the engines of {} to have addresses", self.namespace);
        let places = until(&what, STARTED_WITHIN, async || {
            let places = self.cluster.pods(&self.namespace, SELECTOR).await;
            let places = places.map_err(|error| error.chain())?;
            let there = places.iter().filter(|place| !place.address.is_empty()).count();
            let wanted = self.recipe.pods;
            if there == wanted { Ok(places) } else { Err(format!("{there} of {wanted} have one")) }
        })
        .await?;
        let nodes = self.servers(&arranged(places));
        join(&nodes).await.map_err(Error::rival("make a cluster of the engines"))?;
        if let Some(first) = nodes.first() {
            let slot = look::slot(&first.at, TAG).await;
            self.slot = slot.map_err(Error::rival("ask where the load's keys belong"))?;
        }
        Ok(())
    }

    /// The engines of these pods that have an address.
    fn servers(&self, places: &[Place]) -> Vec<Server> {
        let with_address = places.iter().filter(|place| !place.address.is_empty());
        with_address
            .map(|place| {
                let at = Endpoint::tcp(place.address.clone(), ENGINE_PORT);
                let known_as = if self.who.is_sentinel() {
                    Endpoint::tcp(name_of(&place.name, &self.namespace), ENGINE_PORT)
                } else {
                    at.clone()
                };
                Server { name: place.name.clone(), at, known_as }
            })
            .collect()
    }

    async fn look(&self) -> Seen {
        let places = match self.cluster.pods(&self.namespace, SELECTOR).await {
            Ok(places) => places,
            Err(error) => return Seen { ailments: vec![error.chain()], ..Seen::default() },
        };
        let servers = self.servers(&places);
        let look = if self.who.is_sentinel() {
            let of = |server: &Server| match &server.at {
                Endpoint::Tcp(host, _) => Endpoint::tcp(host.clone(), SENTINEL_PORT),
                other @ Endpoint::Unix(_) => other.clone(),
            };
            let sentinels: Vec<Endpoint> = servers.iter().map(of).collect();
            look::of_sentinels(&servers, &sentinels, RIVAL).await
        } else if self.is_cluster() {
            look::of_cluster(&servers, self.slot).await
        } else if let Some(server) = servers.first() {
            look::of_one(server).await
        } else {
            look::Look::default()
        };
        let mut ailments = look.ailments;
        if servers.len() != self.recipe.pods {
            ailments.push(format!("{} of {} pods are there", servers.len(), self.recipe.pods));
        }
        Seen {
            places,
            primary: look.primary,
            primaries: look.primaries,
            ailments,
            lives: look.lives,
            engine: look.engine,
            copies: self.recipe.copies,
            epoch: None,
            is_fenced: false,
        }
    }
}

/// What a pod of a rival announces itself as.
fn name_of(pod: &str, namespace: &str) -> String {
    format!("{pod}.{RIVAL}.{namespace}.svc.cluster.local")
}

/// Those that are to lead first, each on a host of its own as far as hosts reach; then a replica
/// for each in the same order, beside another primary than its own where that can be.
fn arranged(mut left: Vec<Place>) -> Vec<Place> {
    let mut chosen: Vec<Place> = Vec::new();
    while chosen.len() < SHARDS && !left.is_empty() {
        let is_free = |place: &Place| chosen.iter().all(|other| other.host != place.host);
        let at = left.iter().position(is_free).unwrap_or(0);
        chosen.push(left.remove(at));
    }
    let hosts: Vec<String> = chosen.iter().map(|place| place.host.clone()).collect();
    for (shard, own) in hosts.iter().enumerate() {
        let next = &hosts[(shard + 1) % hosts.len()];
        let at = left.iter().position(|place| place.host == *next && next != own);
        let at = at.or_else(|| left.iter().position(|place| place.host != *own)).unwrap_or(0);
        if at < left.len() {
            chosen.push(left.remove(at));
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(hosts: &[&str]) -> Vec<Place> {
        let of = |(number, host): (usize, &&str)| Place {
            host: (*host).to_owned(),
            ..Place::named(&format!("rival-{number}"))
        };
        hosts.iter().enumerate().map(of).collect()
    }

    #[test]
    fn a_replica_is_on_another_host_than_its_primary() {
        for hosts in [
            ["n1", "n2", "n3", "n1", "n2", "n3"],
            ["n1", "n1", "n2", "n2", "n3", "n3"],
            ["n3", "n1", "n1", "n2", "n3", "n2"],
            ["n1", "n2", "n1", "n2", "n1", "n2"],
        ] {
            let all = arranged(places(&hosts));
            assert_eq!(all.len(), 6, "{hosts:?}");
            let (primaries, replicas) = all.split_at(SHARDS);
            let apart = primaries.iter().zip(replicas).filter(|(p, r)| p.host != r.host).count();
            assert!(apart >= 2, "{hosts:?}: {all:?}");
            if hosts.contains(&"n3") {
                assert_eq!(apart, 3, "{hosts:?}: {all:?}");
                let mut own: Vec<&str> = primaries.iter().map(|p| p.host.as_str()).collect();
                own.sort_unstable();
                assert_eq!(own, ["n1", "n2", "n3"], "{hosts:?}");
            }
        }
        assert_eq!(arranged(places(&["n1"; 6])).len(), 6, "one host is better than none");
    }

    #[test]
    fn a_system_is_worn_by_a_start_of_the_same_pod_and_by_primaries_on_one_host() {
        let lives = |life: &str| BTreeMap::from([("rival-0".to_owned(), life.to_owned())]);
        let before = Seen { places: places(&["n1", "n2"]), lives: lives("a"), ..Seen::default() };
        let same = Seen { lives: lives("a"), ..before.clone() };
        assert!(!started_again(&before, &same));
        let mut again = Seen { lives: lives("b"), ..before.clone() };
        assert!(started_again(&before, &again));
        again.places[0].uid = "another".to_owned();
        assert!(!started_again(&before, &again), "another pod begins anew");
        let leads = |names: [&str; 2]| names.map(str::to_owned).to_vec();
        assert!(!is_crowded(&Seen { primaries: leads(["rival-0", "rival-1"]), ..before.clone() }));
        let crowded = Seen { primaries: leads(["rival-0", "rival-1"]), ..before };
        let crowded = Seen { places: places(&["n1", "n1"]), ..crowded };
        assert!(is_crowded(&crowded));
    }
}
