//! The route in an EndpointSlice: the primary's own address behind the write Service, with the
//! epoch beside it and the old resourceVersion as precondition (failover.md 2.13).

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use brain::{Epoch, Route};
use futures_util::StreamExt;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{PostParams, WatchEvent, WatchParams};
use kube::{Api, Client};
use platform::{Published, RouteStore, StoreError};
use tokio::time::Instant;

use super::Pod;
use super::calls::within;
use crate::names::{self, ENGINE_PORT, EPOCH_ANNOTATION, Names, SLICE_MANAGER};

/// How long one watch for disturbances lasts, in seconds.
const WATCH_S: u32 = 300;

/// How long a look at the slice may take.
const LOOK: Duration = Duration::from_secs(5);

/// Pause after a watch that could not be opened.
const AGAIN: Duration = Duration::from_secs(5);

/// What stood there at the last look: spares a read before each write.
#[derive(Clone, Debug, Default)]
struct Known {
    version: Option<String>,
    epoch: Epoch,
    /// Whether it is what this member published.
    ours: bool,
}

/// The route behind the API server.
pub struct SliceRoute {
    api: Api<EndpointSlice>,
    name: String,
    service: String,
    pod: Pod,
    known: Mutex<Known>,
}

impl SliceRoute {
    /// The route of this group, as this pod would write it.
    pub(super) fn new(pod: &Pod, names: &Names, client: Client) -> Self {
        Self {
            api: Api::namespaced(client, &pod.namespace),
            name: names.primary_slice(),
            service: names.group.clone(),
            pod: pod.clone(),
            known: Mutex::default(),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, slice: Option<&EndpointSlice>) {
        *self.known() = slice.map(known_of).unwrap_or_default();
    }

    /// The slice that leads to this pod.
    fn slice(&self, epoch: Epoch, version: Option<String>) -> EndpointSlice {
        let mut labels = names::labels(&self.service);
        labels.insert("kubernetes.io/service-name".to_owned(), self.service.clone());
        labels.insert("endpointslice.kubernetes.io/managed-by".to_owned(), SLICE_MANAGER.into());
        let yes = Some(true);
        EndpointSlice {
            metadata: ObjectMeta {
                name: Some(self.name.clone()),
                namespace: Some(self.pod.namespace.clone()),
                labels: Some(labels),
                annotations: Some([(EPOCH_ANNOTATION.to_owned(), epoch.0.to_string())].into()),
                resource_version: version,
                ..ObjectMeta::default()
            },
            address_type: if self.pod.ip.is_ipv6() { "IPv6" } else { "IPv4" }.to_owned(),
            endpoints: vec![Endpoint {
                addresses: vec![self.pod.ip.to_string()],
                conditions: Some(EndpointConditions {
                    ready: yes,
                    serving: yes,
                    terminating: None,
                }),
                target_ref: Some(ObjectReference {
                    kind: Some("Pod".to_owned()),
                    name: Some(self.pod.name.clone()),
                    namespace: Some(self.pod.namespace.clone()),
                    uid: Some(self.pod.uid.clone()),
                    ..ObjectReference::default()
                }),
                ..Endpoint::default()
            }],
            ports: Some(vec![EndpointPort {
                name: Some(names::ENGINE_PORT_NAME.to_owned()),
                port: Some(i32::from(ENGINE_PORT)),
                protocol: Some("TCP".to_owned()),
                ..EndpointPort::default()
            }]),
        }
    }
}

/// A slice that somebody else made has no epoch that could be respected: it may be replaced.
fn known_of(slice: &EndpointSlice) -> Known {
    let annotations = slice.metadata.annotations.as_ref();
    let epoch = annotations.and_then(|all| all.get(EPOCH_ANNOTATION)?.parse().ok());
    let version = slice.metadata.resource_version.clone();
    Known { version, epoch: Epoch(epoch.unwrap_or(0)), ours: false }
}

impl RouteStore for SliceRoute {
    async fn publish(&self, route: &Route, limit: Duration) -> Result<Published, StoreError> {
        let end = Instant::now() + limit;
        let parameters = PostParams::default();
        loop {
            let known = self.known().clone();
            if known.epoch > route.epoch {
                return Ok(Published::Superseded);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(StoreError::Unavailable("others kept changing the route".to_owned()));
            }
            let slice = self.slice(route.epoch, known.version.clone());
            let written = match known.version {
                Some(_) => within(left, self.api.replace(&self.name, &parameters, &slice)).await,
                None => within(left, self.api.create(&parameters, &slice)).await,
            };
            match written {
                Ok(slice) => {
                    *self.known() = Known { ours: true, ..known_of(&slice) };
                    return Ok(Published::Done);
                }
                // Another one stands there, or none any more: look, and judge it.
                Err(StoreError::Conflict) => {}
                Err(StoreError::Unavailable(words)) if words.starts_with("404 ") => {}
                Err(error) => return Err(error),
            }
            let left = end.saturating_duration_since(Instant::now());
            let found = within(left, self.api.get_opt(&self.name)).await?;
            self.note(found.as_ref());
        }
    }

    async fn disturbed(&self) {
        loop {
            let known = self.known().clone();
            let (Some(version), true) = (known.version, known.ours) else {
                // Only what this member published can be disturbed.
                return std::future::pending().await;
            };
            if self.is_disturbed(&version, known.epoch).await {
                return;
            }
        }
    }
}

impl SliceRoute {
    /// Watches for one round; whether the published slice was changed or deleted by anybody but a
    /// later primary.
    async fn is_disturbed(&self, version: &str, epoch: Epoch) -> bool {
        let only = format!("metadata.name={}", self.name);
        let only = WatchParams::default().fields(&only).timeout(WATCH_S);
        let events = match self.api.watch(&only, version).await {
            Ok(events) => events,
            Err(error) => {
                tracing::debug!(%error, "the route cannot be watched");
                tokio::time::sleep(AGAIN).await;
                return false;
            }
        };
        let mut events = Box::pin(events);
        while let Some(Ok(event)) = events.next().await {
            match event {
                WatchEvent::Deleted(_) => {
                    self.note(None);
                    return true;
                }
                WatchEvent::Added(slice) | WatchEvent::Modified(slice) => {
                    let found = known_of(&slice);
                    if found.version.as_deref() == Some(version) {
                        continue;
                    }
                    self.note(Some(&slice));
                    return found.epoch <= epoch;
                }
                WatchEvent::Bookmark(_) => {}
                WatchEvent::Error(_) => break,
            }
        }
        // What became of it meanwhile is asked, so that no change between two watches is missed.
        let look = within(LOOK, self.api.get_opt(&self.name)).await;
        let Ok(found) = look else {
            tokio::time::sleep(AGAIN).await;
            return false;
        };
        let stands = found.as_ref().map(known_of).unwrap_or_default();
        if stands.version.as_deref() == Some(version) {
            return false;
        }
        self.note(found.as_ref());
        stands.epoch <= epoch
    }
}
