//! A group on Kubernetes as the commands see it: found by what was said on the command line, looked
//! at by either way, and every refusal with its way out.

use std::time::Duration;

use kubernetes::remote::{
    Access, Addresses, Cache, Cluster, Limits, Pod, RemoteError, RemoteGroup, Sight, Way, list,
};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::args;
use crate::args::{own_pod, program};
use crate::failure::Failure;
use crate::group::Seen;
use crate::verdict::judge;

mod act;
mod failures;

use failures::{access_failed, remote_failed};

/// How long an agent may take to answer through the API server: `status` must end within 3 s.
const ANSWER_WITHIN: Duration = Duration::from_millis(1500);

/// Between two looks while something is waited for: through an API server that others need too.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How many groups of a namespace are looked at at once.
const AT_ONCE: usize = 8;

/// A group on Kubernetes.
pub(crate) struct Remote {
    group: RemoteGroup,
    limits: Limits,
    /// What goes behind a command that is to be typed.
    options: String,
}

/// Where a look at a group on Kubernetes came from.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// By which way the agents were asked.
    pub(crate) way: Way,
    /// The members' pods.
    pub(crate) pods: Vec<Pod>,
    /// The namespace.
    pub(crate) namespace: String,
    /// The context of the kubeconfig.
    pub(crate) context: Option<String>,
    /// The Secret with the clients' password.
    pub(crate) secret: Option<String>,
}

/// Where groups are looked for.
struct Where {
    cluster: Cluster,
    cache: Option<Cache>,
    limits: Limits,
    options: String,
}

impl Where {
    async fn of(args: &args::Cluster) -> Result<Self, Failure> {
        let own = own_pod().map(|(namespace, _)| namespace);
        let namespace = args.namespace.clone().or(own);
        let access = Access { context: args.context.clone(), namespace };
        let opened = Cluster::open(&access, args.request_timeout).await;
        let cluster = opened.map_err(|error| access_failed(&error))?;
        let variable = |name: &str| std::env::var_os(name);
        let cache = Cache::of(&cluster.context, &cluster.namespace, variable);
        let options = options(&cluster.namespace, args);
        Ok(Self { cache, cluster, limits: limits(args), options })
    }

    async fn group(&self, name: &str) -> Result<Remote, Failure> {
        let (cluster, cache) = (self.cluster.clone(), self.cache.clone());
        let found = RemoteGroup::find(cluster, name, cache, self.limits.find).await;
        let group = found.map_err(|error| remote_failed(&error, &self.options))?;
        Ok(Remote { group, limits: self.limits, options: self.options.clone() })
    }

    /// The groups of the namespace; while the API server is away, those of which something is
    /// kept.
    async fn groups(&self) -> Result<Vec<String>, Failure> {
        let error = match list(&self.cluster, self.limits.find).await {
            Ok(listed) => return Ok(listed.into_iter().map(|listed| listed.name).collect()),
            Err(error) => error,
        };
        let kept = self.cache.as_ref().filter(|_| error.is_away()).map(Cache::groups);
        match kept.filter(|kept| !kept.is_empty()) {
            Some(kept) => Ok(kept),
            None => Err(remote_failed(&error, &self.options)),
        }
    }
}

fn limits(args: &args::Cluster) -> Limits {
    Limits { find: args.request_timeout, answer: ANSWER_WITHIN }
}

fn options(namespace: &str, args: &args::Cluster) -> String {
    let context = args.context.as_ref().map(|context| format!(" --context {context}"));
    let agents: Vec<String> = args.agents.iter().map(|agent| format!(" --agent {agent}")).collect();
    let namespace = if namespace.is_empty() { String::new() } else { format!(" -n {namespace}") };
    format!("{namespace}{}{}", context.unwrap_or_default(), agents.concat())
}

/// The groups of a namespace, each looked at; and the namespace.
pub(crate) async fn all(args: &args::Cluster) -> Result<(Vec<Remote>, String), Failure> {
    let place = Where::of(args).await?;
    let mut groups = Vec::new();
    for name in place.groups().await? {
        groups.push(place.group(&name).await?);
    }
    Ok((groups, place.cluster.namespace))
}

/// Looks at several groups at about one moment.
pub(crate) async fn look_at(groups: &[Remote]) -> Vec<Seen> {
    let mut seen = Vec::new();
    for some in groups.chunks(AT_ONCE) {
        seen.extend(futures_util::future::join_all(some.iter().map(Remote::look)).await);
    }
    seen
}

impl Remote {
    /// The group of this name, or the only one there.
    pub(crate) async fn find(name: Option<&str>, args: &args::Cluster) -> Result<Self, Failure> {
        if !args.agents.is_empty() {
            return Self::at(name, args).await;
        }
        let place = Where::of(args).await?;
        let own = own_pod().filter(|(namespace, _)| *namespace == place.cluster.namespace);
        let name = match (name, own) {
            (Some(name), _) => name.to_owned(),
            (None, Some((_, group))) => group,
            (None, None) => only(place.groups().await?, &place.cluster.namespace)?,
        };
        place.group(&name).await
    }

    /// The group whose agents were named.
    async fn at(name: Option<&str>, args: &args::Cluster) -> Result<Self, Failure> {
        let namespace = args.namespace.clone().unwrap_or_default();
        let context = args.context.clone();
        let options = options(&namespace, args);
        let named = |name: &str| {
            let context = context.clone();
            RemoteGroup::at(args.agents.clone(), name, &namespace, context)
        };
        if let Some(name) = name {
            return Ok(Self { group: named(name), limits: limits(args), options });
        }
        let sight = named("").look(limits(args)).await;
        let own = sight.answers.values().filter_map(|answer| answer.as_ref().ok());
        let mut names: Vec<String> = own.map(|report| report.group.clone()).collect();
        names.sort();
        names.dedup();
        let group = match &names[..] {
            [] => return Err(silent(&sight)),
            [one] => named(one),
            _ => {
                let what = format!("they are of several groups: {}", names.join(", "));
                return Err(Failure::usage(what).hint("say which is meant"));
            }
        };
        Ok(Self { group, limits: limits(args), options })
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        self.group.name()
    }

    /// A command line about this group.
    pub(crate) fn command(&self, verb: &str) -> String {
        format!("{} {verb} {}{}", program(), self.name(), self.options)
    }

    /// Where what was said by its agents is kept.
    pub(crate) fn logs(&self) -> String {
        let namespace = self.group.namespace();
        format!("kubectl logs -n {namespace} {}-0 -c engine", self.name())
    }

    /// The namespace.
    pub(crate) fn namespace(&self) -> &str {
        self.group.namespace()
    }

    /// What the API server refused, with the way out.
    pub(crate) fn failed(&self, error: &RemoteError) -> Failure {
        remote_failed(error, &self.options)
    }

    /// Asks every agent how it is.
    pub(crate) async fn look(&self) -> Seen {
        let sight = self.group.look(self.limits).await;
        let judgement = judge(&sight.answers);
        let secret = self.group.secret().await;
        let place = Place {
            way: sight.way,
            pods: sight.pods,
            namespace: self.group.namespace().to_owned(),
            context: self.group.context().map(str::to_owned),
            secret,
        };
        Seen { answers: sight.answers, judgement, place: Some(Box::new(place)) }
    }

    /// Looks until what is seen is as wanted, or the time is over.
    pub(crate) async fn look_until(
        &self,
        within: Duration,
        wanted: impl Fn(&Seen) -> bool,
    ) -> Seen {
        let deadline = Instant::now() + within;
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let seen = self.look().await;
            if wanted(&seen) || Instant::now() >= deadline {
                return seen;
            }
        }
    }
}

/// The name of the only one.
fn only(mut groups: Vec<String>, namespace: &str) -> Result<String, Failure> {
    match (groups.pop(), groups.is_empty()) {
        (Some(one), true) => Ok(one),
        (None, _) => Err(Failure::new(format!("there is no group in the namespace {namespace}"))
            .hint(format!("another namespace: {} status -n NAMESPACE", program()))),
        (Some(last), false) => {
            groups.push(last);
            let what = format!("there are several groups in the namespace {namespace}");
            Err(Failure::usage(what).hint(format!("say which: {}", groups.join(", "))))
        }
    }
}

fn silent(sight: &Sight) -> Failure {
    let why = sight
        .answers
        .iter()
        .filter_map(|(agent, answer)| answer.as_ref().err().map(|why| format!("{agent}: {why}")));
    let why: Vec<String> = why.collect();
    Failure::new("none of the agents that were named answers").caused_by(why).hint(
        "an agent listens at port 8379 of its pod; pods are reached from inside the cluster, or \
         over a VPN, or from one of its hosts",
    )
}

/// Where a member's engine listens, as it says or as its pod is known.
pub(crate) fn address(member: &str, seen: &Seen) -> Option<String> {
    if let Some(report) = seen.report(member).filter(|report| !report.address.is_empty()) {
        return Some(report.address.clone());
    }
    let pod = seen.place.as_ref()?.pods.iter().find(|pod| pod.name == member)?;
    let ip = pod.address?;
    Some(std::net::SocketAddr::from((ip, kubernetes::names::ENGINE_PORT)).to_string())
}

impl Place {
    /// One word for the way: `api-server`, `agents`.
    pub(crate) fn via(&self) -> &'static str {
        match self.way {
            Way::ApiServer => "api-server",
            Way::Agents { .. } => "agents",
        }
    }

    /// Why the agents themselves were asked, and where.
    pub(crate) fn via_why(&self) -> Option<String> {
        let Way::Agents { addresses, why } = &self.way else { return None };
        Some(match addresses {
            Addresses::Given if why.is_empty() => "at the addresses that were given".to_owned(),
            Addresses::Given => format!("at the addresses that were given, of which {why}"),
            Addresses::Found => why.clone(),
            Addresses::Kept(at_ms) => {
                let ago = crate::ui::style::ago(*at_ms);
                format!("at their addresses of {ago} ago: {why}")
            }
        })
    }
}
