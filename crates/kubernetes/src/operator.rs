//! The operator: owns the Kubernetes objects of groups and nothing else. It may be dead for a week:
//! nothing about the data waits for it.

mod apply;
mod group;
mod leader;
mod observe;
mod plan;
mod report;
mod web;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service, ServiceAccount};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::core::PartialObjectMeta;
use kube::runtime::controller::{Action, Controller};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::utils::Backoff;
use kube::runtime::watcher;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use crate::crd::Redis;
use crate::names::{GROUP_LABEL, MANAGED_BY, MANAGED_BY_LABEL};
use crate::platform::in_words;

pub use group::PassError;
pub use web::Metrics;

use group::Context;

/// After an error, the pause before a group is looked at again.
const AFTER_ERROR: Duration = Duration::from_secs(3);

/// Events of one group within this time are one pass: a failover changes several objects at once.
const DEBOUNCE: Duration = Duration::from_millis(100);

/// How many groups are worked on at a time: enough that one slow call holds up few others.
const AT_A_TIME: u16 = 8;

/// How an operator runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// Groups of this namespace only; `None` for all.
    pub watched: Option<String>,
    /// Where the operators' own Lease is.
    pub namespace: String,
    /// This operator among others: its pod's name.
    pub name: String,
    /// The image that brings the program to the members: the operator's own.
    pub image: String,
    /// Where `/live`, `/ready` and `/metrics` are served.
    pub http: SocketAddr,
}

/// Why the operator ended.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// The API cannot be reached at all.
    #[error("cannot find out how to reach the API server")]
    Client {
        /// The cause.
        source: Box<kube::Error>,
    },
    /// The port is taken.
    #[error("cannot serve status and metrics on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// The cause.
        source: std::io::Error,
    },
    /// The definition of the resource is missing, or this operator may not read it.
    #[error("cannot list the resources of kind Redis; are the definitions installed?")]
    NoDefinition {
        /// The cause.
        source: Box<kube::Error>,
    },
}

/// Runs until `stop` is ready.
pub async fn run(
    client: Client,
    options: Options,
    stop: impl Future<Output = ()>,
) -> Result<(), OperatorError> {
    let metrics = Arc::new(Metrics::default());
    let (tell, missing) = watch::channel(Some("waiting for the API server".to_owned()));
    let page = web::Page { metrics: Arc::clone(&metrics), missing };
    let http = options.http;
    let serve = web::serve(http, page);
    let mut candidate = leader::Candidate::new(client.clone(), &options.namespace, &options.name);
    let ended = tokio::select! {
        served = serve => served.map_err(|source| OperatorError::Listen { address: http, source }),
        worked = work(client, options, metrics, tell, &mut candidate) => worked,
        () = stop => Ok(()),
    };
    candidate.release().await;
    ended
}

async fn work(
    client: Client,
    options: Options,
    metrics: Arc<Metrics>,
    missing: watch::Sender<Option<String>>,
    candidate: &mut leader::Candidate,
) -> Result<(), OperatorError> {
    let redises: Api<Redis> = api(&client, options.watched.as_deref());
    let listed = redises.list(&kube::api::ListParams::default().limit(1)).await;
    listed.map_err(|source| OperatorError::NoDefinition { source: Box::new(source) })?;
    loop {
        missing.send_replace(None);
        metrics.leads(false);
        tracing::info!(name = options.name, "waiting to lead");
        candidate.lead().await;
        metrics.leads(true);
        tracing::info!(name = options.name, "leading");
        tokio::select! {
            () = candidate.keep() => tracing::warn!("another operator leads"),
            () = control(&client, &options, &metrics) => {}
        }
    }
}

fn api<K>(client: &Client, namespace: Option<&str>) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

/// Works on every group whenever something of it has changed.
async fn control(client: &Client, options: &Options, metrics: &Arc<Metrics>) {
    let context = Arc::new(Context {
        client: client.clone(),
        metrics: Arc::clone(metrics),
        image: options.image.clone(),
    });
    let watched = options.watched.as_deref();
    let settings =
        kube::runtime::controller::Config::default().debounce(DEBOUNCE).concurrency(AT_A_TIME);
    // Only what is ours, and of it only the metadata: a pod tells by its label and annotation.
    Controller::new(api::<Redis>(client, watched), lasting(watcher::Config::default()))
        .with_config(settings)
        .trigger_backoff(Patience::default())
        .owns(metadata::<StatefulSet>(client, watched), ours())
        .owns(metadata::<Service>(client, watched), ours())
        .owns(metadata::<ConfigMap>(client, watched), ours())
        .owns(metadata::<PodDisruptionBudget>(client, watched), ours())
        .owns(metadata::<ServiceAccount>(client, watched), ours())
        .owns(metadata::<Role>(client, watched), ours())
        .owns(metadata::<RoleBinding>(client, watched), ours())
        .watches(metadata::<Pod>(client, watched), ours(), |pod| {
            let labels = pod.metadata.labels.as_ref();
            let group = labels.and_then(|labels| labels.get(GROUP_LABEL)).cloned();
            group.map(|group| {
                let namespace = pod.metadata.namespace.unwrap_or_default();
                ObjectRef::<Redis>::new(&group).within(&namespace)
            })
        })
        .run(reconcile, |_, _, _| Action::requeue(AFTER_ERROR), context)
        .for_each(|outcome| async move {
            if let Err(error) = outcome {
                tracing::debug!(error = in_words(&error), "a pass failed");
            }
        })
        .await;
}

/// The pause after a watch that failed. All watches of the operator share it, one error after the
/// other: with the usual one, that doubles up to half a minute, an operator is blind for minutes
/// after an API server was away for seconds.
#[derive(Debug, Default)]
struct Patience {
    failed: u32,
}

impl Patience {
    const FIRST: Duration = Duration::from_millis(50);
    const LONGEST: Duration = Duration::from_millis(400);
}

impl Iterator for Patience {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let pause = Self::FIRST.saturating_mul(1 << self.failed.min(8));
        self.failed += 1;
        Some(pause.min(Self::LONGEST))
    }
}

impl Backoff for Patience {
    fn reset(&mut self) {
        self.failed = 0;
    }
}

fn metadata<K>(client: &Client, namespace: Option<&str>) -> Api<PartialObjectMeta<K>>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned,
{
    match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

fn ours() -> watcher::Config {
    lasting(watcher::Config::default().labels(&format!("{MANAGED_BY_LABEL}={MANAGED_BY}")))
}

/// A watch whose connection has died without a word is noticed when it should have ended.
fn lasting(config: watcher::Config) -> watcher::Config {
    config.timeout(60)
}

async fn reconcile(redis: Arc<Redis>, context: Arc<Context>) -> Result<Action, PassError> {
    let begun = Instant::now();
    let outcome = Box::pin(group::pass(&redis, &context)).await;
    context.metrics.passed(begun.elapsed(), outcome.is_ok());
    let name = redis.meta().name.clone().unwrap_or_default();
    match &outcome {
        Ok(_) => tracing::debug!(name, "passed"),
        Err(error) => tracing::warn!(name, error = in_words(error), "a pass failed"),
    }
    Ok(outcome?.map_or_else(Action::await_change, Action::requeue))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nine_watches_that_fail_in_turn_are_back_within_seconds() {
        let mut patience = Patience::default();
        // Each is refused once, and then finds what it knew too old.
        let pauses: Duration = patience.by_ref().take(18).sum();
        assert!(pauses < Duration::from_secs(8), "{pauses:?}");
        patience.reset();
        assert_eq!(patience.next(), Some(Patience::FIRST));
    }
}
