//! A group on Kubernetes as a tool of a person sees it, from anywhere: found by its Lease and its
//! pods, asked through the API server's proxy, and while the API server is away at the agents' own
//! addresses, as the last call that succeeded left them in a file.

use std::collections::BTreeMap;
use std::time::Duration;

use brain::report::MemberReport;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;

mod access;
mod ask;
mod cache;
mod deed;
mod error;
mod find;
mod http;
mod wish;

pub use access::{Access, AccessError, Cluster};
pub use cache::{Cache, CacheError};
pub use error::{CallError, RemoteError};
pub use find::{Found, Listed, Pod, list};

use ask::{Proxied, direct, proxied};

/// How long what was found of a group is taken for true while it is looked at again and again.
const FRESH: Duration = Duration::from_secs(2);

/// How long an agent may take to answer at its own address. With [`Limits::find`] it is less than
/// the 3 s in which `status` must have ended.
const DIRECT: Duration = Duration::from_millis(900);

/// How the agents were asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// Through the API server.
    ApiServer,
    /// At their own addresses.
    Agents {
        /// Whence the addresses come.
        addresses: Addresses,
        /// Why not through the API server.
        why: String,
    },
}

/// Whence the agents' addresses come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// A person named them.
    Given,
    /// From the API server, just now.
    Found,
    /// From a file that an earlier call left, then: milliseconds since 1970.
    Kept(u64),
}

/// What every agent said, or why it did not.
pub type Answers = BTreeMap<String, Result<MemberReport, String>>;

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// To find a group.
    pub find: Duration,
    /// For an agent's answer through the API server.
    pub answer: Duration,
}

/// One look at a group.
#[derive(Clone, Debug)]
pub struct Sight {
    /// What was said, by member.
    pub answers: Answers,
    /// How they were asked.
    pub way: Way,
    /// What is known of every member's pod; empty where agents were named by a person.
    pub pods: Vec<Pod>,
}

/// A group on Kubernetes.
pub struct RemoteGroup {
    name: String,
    namespace: String,
    context: Option<String>,
    cluster: Option<Cluster>,
    given: Vec<String>,
    cache: Option<Cache>,
    known: Mutex<Known>,
}

/// What is known of the group between two looks.
#[derive(Default)]
struct Known {
    found: Found,
    /// When the file was written from which it comes; `None`: it comes from the API server.
    kept_ms: Option<u64>,
    tried: Option<Instant>,
    /// Why the API server cannot be asked, as of the last attempt.
    away: Option<String>,
    /// Why its proxy cannot be used.
    barred: Option<String>,
}

impl RemoteGroup {
    /// Finds the group: by the API server, else by what an earlier call left. A group that the
    /// API server does not know, and a question that it refuses, is an error.
    pub async fn find(
        cluster: Cluster,
        name: &str,
        cache: Option<Cache>,
        limit: Duration,
    ) -> Result<Self, RemoteError> {
        let (namespace, context) = (cluster.namespace.clone(), Some(cluster.context.clone()));
        let group = Self {
            name: name.to_owned(),
            namespace,
            context,
            cluster: Some(cluster),
            given: Vec::new(),
            cache,
            known: Mutex::default(),
        };
        let mut known = group.known.lock().await;
        match group.refresh(&mut known, limit).await {
            Err(error) if error.is_away() => {
                let kept = group.cache.as_ref().and_then(|cache| cache.read(name));
                let Some((found, at_ms)) = kept else {
                    let (name, cluster) = (name.to_owned(), group.cluster()?);
                    return Err(cluster.unreachable(name, error));
                };
                (known.found, known.kept_ms) = (found, Some(at_ms));
            }
            other => other?,
        }
        drop(known);
        Ok(group)
    }

    /// The group whose agents listen there, host:port: the API server is not asked at all.
    pub fn at(agents: Vec<String>, name: &str, namespace: &str, context: Option<String>) -> Self {
        Self {
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            context,
            cluster: None,
            given: agents,
            cache: None,
            known: Mutex::default(),
        }
    }

    /// The group's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The context of the kubeconfig; `None` where only agents are asked.
    pub fn context(&self) -> Option<&str> {
        self.context.as_deref()
    }

    /// The Secret that holds the clients' password, as the pods name it.
    pub async fn secret(&self) -> Option<String> {
        self.known.lock().await.found.secret.clone()
    }

    /// The connection to the API server, for what only it can do.
    fn cluster(&self) -> Result<&Cluster, RemoteError> {
        self.cluster.as_ref().ok_or(RemoteError::OnlyAgents)
    }

    /// Asks every agent how it is.
    pub async fn look(&self, limits: Limits) -> Sight {
        if self.cluster.is_none() {
            return self.look_at_given().await;
        }
        let mut known = self.known.lock().await;
        if known.tried.is_none_or(|at| at.elapsed() >= FRESH) {
            // What went wrong is noted: it makes the way.
            drop(self.refresh(&mut known, limits.find).await);
        }
        if let (None, None, Some(cluster)) = (&known.away, &known.barred, &self.cluster) {
            match proxied(cluster, &self.name, &known.found, limits.answer).await {
                Proxied::Answers(answers) => {
                    let pods = known.found.pods.clone();
                    return Sight { answers, way: Way::ApiServer, pods };
                }
                Proxied::Barred(why) => known.barred = Some(why),
                Proxied::Away(why) => known.away = Some(why),
            }
        }
        self.look_at_agents(known).await
    }

    /// The newest pods of the group, asked for now.
    pub async fn look_afresh(&self, limits: Limits) -> Sight {
        self.known.lock().await.tried = None;
        self.look(limits).await
    }

    async fn look_at_agents(&self, known: MutexGuard<'_, Known>) -> Sight {
        let addresses = match known.kept_ms {
            Some(at_ms) => Addresses::Kept(at_ms),
            None => Addresses::Found,
        };
        let why = known.away.clone().or_else(|| known.barred.clone()).unwrap_or_default();
        let answers = direct::members(&self.name, &known.found, DIRECT).await;
        let way = Way::Agents { addresses, why };
        Sight { answers, way, pods: known.found.pods.clone() }
    }

    async fn look_at_given(&self) -> Sight {
        let (answers, silent) = direct::given(&self.name, &self.given, DIRECT).await;
        let silent: Vec<String> =
            silent.into_iter().map(|(agent, why)| format!("{agent}: {why}")).collect();
        let why = silent.join("; ");
        let way = Way::Agents { addresses: Addresses::Given, why };
        Sight { answers, way, pods: Vec::new() }
    }

    /// Looks for the Lease and the pods, and keeps where the agents are for worse times.
    async fn refresh(&self, known: &mut Known, limit: Duration) -> Result<(), RemoteError> {
        let cluster = self.cluster()?;
        let looked = find::group(cluster, &self.name, limit).await;
        known.tried = Some(Instant::now());
        match looked {
            Ok(found) => {
                let is_news = known.kept_ms.is_some() || known.found != found;
                if let Some(cache) = self.cache.as_ref().filter(|_| is_news)
                    && let Err(error) = cache.write(&self.name, &found)
                {
                    // Only a day without an API server would miss it.
                    tracing::warn!(%error, "the agents' addresses cannot be kept");
                }
                *known = Known { found, tried: known.tried, ..Known::default() };
                Ok(())
            }
            Err(error) => {
                known.away = Some(error.in_words());
                Err(error)
            }
        }
    }
}
