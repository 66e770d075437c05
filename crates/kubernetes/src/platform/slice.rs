//! The route in an EndpointSlice: the primary's own address behind the write Service, with the
//! epoch beside it and the old resourceVersion as precondition (failover.md 2.13).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use brain::{Epoch, Route};
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::api::PostParams;
use kube::{Api, Client};
use platform::{Published, RouteStore, StoreError};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::Pod;
use super::calls::{found_within, within};
use super::follow::follow;
use crate::names::{self, ENGINE_PORT, EPOCH_ANNOTATION, Names, SLICE_MANAGER};

/// The newest metadata of the group's Lease: what the slice goes with.
pub(super) type LeaseMeta = Arc<Mutex<ObjectMeta>>;

/// A slice as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stands {
    version: String,
    epoch: Epoch,
    owners: Vec<String>,
}

impl Stands {
    fn of(slice: &EndpointSlice) -> Self {
        let annotations = slice.metadata.annotations.as_ref();
        let epoch = annotations.and_then(|all| all.get(EPOCH_ANNOTATION)?.parse().ok());
        let owners = slice.metadata.owner_references.iter().flatten();
        Self {
            version: slice.metadata.resource_version.clone().unwrap_or_default(),
            epoch: Epoch(epoch.unwrap_or(0)),
            owners: owners.map(|owner| owner.uid.clone()).collect(),
        }
    }

    /// The epoch that must be respected: none of a slice that somebody else made, or that an
    /// earlier group of this name has left behind.
    fn respected(&self, owner: Option<&OwnerReference>) -> Epoch {
        match owner {
            Some(owner) if !self.owners.contains(&owner.uid) => Epoch(0),
            _ => self.epoch,
        }
    }
}

/// The route behind the API server.
pub struct SliceRoute {
    api: Api<EndpointSlice>,
    name: String,
    service: String,
    pod: Pod,
    lease: LeaseMeta,
    /// What stands there, as a watch tells: spares a read before each write.
    seen: watch::Sender<Option<Stands>>,
    /// The version that this member wrote last.
    ours: Mutex<Option<String>>,
    /// Ends with this.
    watching: JoinHandle<()>,
}

impl Drop for SliceRoute {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

impl SliceRoute {
    /// The route of this group, as this pod would write it.
    pub(super) fn new(
        pod: &Pod,
        names: &Names,
        lease: LeaseMeta,
        client: Client,
        watches: Client,
    ) -> Self {
        let seen = watch::Sender::new(None);
        let name = names.primary_slice();
        let watched = {
            let seen = seen.clone();
            let api = Api::namespaced(watches, &pod.namespace);
            follow(api, name.clone(), move |slice| note(&seen, slice))
        };
        Self {
            api: Api::namespaced(client, &pod.namespace),
            name,
            service: names.group.clone(),
            pod: pod.clone(),
            lease,
            seen,
            ours: Mutex::default(),
            watching: tokio::spawn(watched),
        }
    }

    /// What the slice goes with: the resource that the Lease belongs to, else the Lease itself.
    fn owner(&self) -> Option<OwnerReference> {
        let lease = self.lease.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(owner) = lease.owner_references.iter().flatten().next() {
            return Some(owner.clone());
        }
        Some(OwnerReference {
            api_version: "coordination.k8s.io/v1".to_owned(),
            kind: "Lease".to_owned(),
            name: lease.name.clone()?,
            uid: lease.uid.clone()?,
            ..OwnerReference::default()
        })
    }

    /// Whether this is what this member wrote for this epoch.
    fn is_written(&self, stands: &Stands, epoch: Epoch) -> bool {
        let ours = self.ours.lock().unwrap_or_else(PoisonError::into_inner);
        stands.epoch == epoch && ours.as_ref() == Some(&stands.version)
    }

    fn wrote(&self, slice: &EndpointSlice) {
        let stands = Stands::of(slice);
        let version = Some(stands.version.clone());
        *self.ours.lock().unwrap_or_else(PoisonError::into_inner) = version;
        self.seen.send_replace(Some(stands));
    }

    /// The slice that leads to this pod.
    fn slice(
        &self,
        epoch: Epoch,
        version: Option<String>,
        owner: Option<OwnerReference>,
    ) -> EndpointSlice {
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
                owner_references: owner.map(|owner| vec![owner]),
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

impl RouteStore for SliceRoute {
    async fn publish(&self, route: &Route, limit: Duration) -> Result<Published, StoreError> {
        let end = Instant::now() + limit;
        let left = || end.saturating_duration_since(Instant::now());
        let parameters = PostParams::default();
        let mut stands = self.seen.borrow().clone();
        let mut looked = false;
        loop {
            let owner = self.owner();
            let by = stands.as_ref().map_or(Epoch(0), |s| s.respected(owner.as_ref()));
            let newer = by > route.epoch;
            if newer && looked {
                return Ok(Published::Superseded { by });
            }
            if stands.as_ref().is_some_and(|stands| self.is_written(stands, route.epoch)) {
                // Only the replicas have changed, and the slice names none.
                return Ok(Published::Done);
            }
            if left().is_zero() {
                return Err(StoreError::Unavailable("others kept changing the route".to_owned()));
            }
            if !newer {
                let version = stands.map(|stands| stands.version);
                let replaces = version.is_some();
                let slice = self.slice(route.epoch, version, owner);
                let written = if replaces {
                    found_within(left(), self.api.replace(&self.name, &parameters, &slice)).await
                } else {
                    found_within(left(), self.api.create(&parameters, &slice)).await
                };
                match written {
                    Ok(Some(slice)) => {
                        self.wrote(&slice);
                        return Ok(Published::Done);
                    }
                    // Another one stands there, or none any more: look, and judge it.
                    Ok(None) | Err(StoreError::Conflict) => {}
                    Err(error) => return Err(error),
                }
            }
            // What a watch tells may be old: nobody is refused by it without a look.
            let found = within(left(), self.api.get_opt(&self.name)).await?;
            stands = found.as_ref().map(Stands::of);
            self.seen.send_replace(stands.clone());
            looked = true;
        }
    }

    /// Somebody but a later primary has changed or deleted what this member published.
    async fn disturbed(&self) {
        let mut seen = self.seen.subscribe();
        let ours = self.ours.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(ours) = ours else { return std::future::pending().await };
        let epoch = seen.borrow().as_ref().filter(|s| s.version == ours).map(|s| s.epoch);
        let Some(epoch) = epoch else { return std::future::pending().await };
        let is_disturbed = |stands: &Option<Stands>| match stands {
            None => true,
            Some(stands) => stands.version != ours && stands.epoch <= epoch,
        };
        if seen.wait_for(is_disturbed).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// An event of a version before the one that a write has told is old news.
fn note(seen: &watch::Sender<Option<Stands>>, slice: Option<&EndpointSlice>) {
    let stands = slice.map(Stands::of);
    seen.send_if_modified(|known| {
        let old = match (&*known, &stands) {
            (Some(known), Some(stands)) => {
                known.epoch > stands.epoch && known.owners == stands.owners
            }
            _ => false,
        };
        let changes = !old && *known != stands;
        if changes {
            *known = stands;
        }
        changes
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_epoch_of_this_very_group_is_respected() {
        let stands = Stands { version: "7".into(), epoch: Epoch(9), owners: vec!["old".into()] };
        let owner = |uid: &str| OwnerReference { uid: uid.to_owned(), ..OwnerReference::default() };
        assert_eq!(stands.respected(Some(&owner("old"))), Epoch(9));
        assert_eq!(stands.respected(Some(&owner("new"))), Epoch(0));
        assert_eq!(stands.respected(None), Epoch(9), "nothing is known of the group yet");
    }
}
