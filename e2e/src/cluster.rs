//! What the tests ask of the API server: namespaces, pods, claims, events.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Event, Namespace, PersistentVolumeClaim, Pod};
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde::Serialize;
use serde_json::json;

use crate::error::Error;
use crate::wait::until;

/// A namespace is gone when all its pods have ended: their grace period is a minute.
const GONE_WITHIN: Duration = Duration::from_secs(150);

/// A way to the API server.
#[derive(Clone)]
pub(crate) struct Cluster {
    client: Client,
}

/// A pod, as the API server last saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Place {
    /// The pod's name, which is the member's.
    pub(crate) name: String,
    /// The pod's UID.
    pub(crate) uid: String,
    /// Its address; empty while it has none.
    pub(crate) address: String,
    /// Its host; empty while it has none.
    pub(crate) host: String,
    /// Whether Kubernetes calls it ready.
    pub(crate) is_ready: bool,
    /// How often its containers were started again.
    pub(crate) restarts: i32,
    /// Whether it is being deleted.
    pub(crate) is_leaving: bool,
}

impl Place {
    fn of(pod: &Pod) -> Self {
        let status = pod.status.as_ref();
        let conditions = status.and_then(|status| status.conditions.as_ref());
        let containers = status.and_then(|status| status.container_statuses.as_ref());
        let ready = |kind: &str, value: &str| kind == "Ready" && value == "True";
        Self {
            name: pod.name_any(),
            uid: pod.uid().unwrap_or_default(),
            address: status.and_then(|status| status.pod_ip.clone()).unwrap_or_default(),
            host: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).unwrap_or_default(),
            is_ready: conditions.into_iter().flatten().any(|c| ready(&c.type_, &c.status)),
            restarts: containers.into_iter().flatten().map(|c| c.restart_count).sum(),
            is_leaving: pod.metadata.deletion_timestamp.is_some(),
        }
    }
}

impl Cluster {
    /// The cluster of KUBECONFIG.
    pub(crate) async fn connect() -> Result<Self, Error> {
        let client = Client::try_default().await.map_err(Error::kube("read KUBECONFIG"))?;
        Ok(Self { client })
    }

    /// A namespace that admits only pods which are `restricted`.
    pub(crate) async fn make_namespace(&self, name: &str) -> Result<(), Error> {
        let label = "pod-security.kubernetes.io/enforce";
        let made = json!({ "metadata": { "name": name, "labels": { label: "restricted" } } });
        let made = typed::<Namespace>(made)?;
        let api: Api<Namespace> = Api::all(self.client.clone());
        let created = api.create(&PostParams::default(), &made).await;
        created.map(drop).map_err(Error::kube(format!("make the namespace {name}")))
    }

    /// Removes a namespace with everything in it, and waits until it is gone.
    pub(crate) async fn remove_namespace(&self, name: &str) -> Result<(), Error> {
        let api: Api<Namespace> = Api::all(self.client.clone());
        match api.delete(name, &DeleteParams::default()).await {
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
            Err(source) => return Err(Error::kube(format!("remove the namespace {name}"))(source)),
            Ok(_) => {}
        }
        until(&format!("the end of namespace {name}"), GONE_WITHIN, async || {
            let found = api.get_opt(name).await;
            let found = found.map_err(Error::kube(format!("look for the namespace {name}")));
            match found {
                Ok(None) => Ok(()),
                Ok(Some(_)) => Err("it is still there".to_owned()),
                Err(error) => Err(error.chain()),
            }
        })
        .await
    }

    /// The pods with this label.
    pub(crate) async fn pods(&self, namespace: &str, selector: &str) -> Result<Vec<Place>, Error> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let listed = pods.list(&ListParams::default().labels(selector)).await;
        let listed = listed.map_err(Error::kube(format!("list the pods of {namespace}")))?;
        let mut places: Vec<Place> = listed.iter().map(Place::of).collect();
        places.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(places)
    }

    /// One pod.
    pub(crate) async fn pod(&self, namespace: &str, name: &str) -> Result<Place, Error> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let pod = pods.get(name).await.map_err(Error::kube(format!("read the pod {name}")))?;
        Ok(Place::of(&pod))
    }

    /// Starts a pod.
    pub(crate) async fn start_pod(
        &self,
        namespace: &str,
        pod: serde_json::Value,
    ) -> Result<(), Error> {
        let pod = typed::<Pod>(pod)?;
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let created = pods.create(&PostParams::default(), &pod).await;
        created.map(drop).map_err(Error::kube(format!("start the pod {}", pod.name_any())))
    }

    /// Asks for a pod's end, with its grace period; does not wait for it.
    pub(crate) async fn delete_pod(&self, namespace: &str, name: &str) -> Result<(), Error> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let deleted = pods.delete(name, &DeleteParams::default()).await;
        deleted.map(drop).map_err(Error::kube(format!("delete the pod {name}")))
    }

    /// Asks for the end of all pods with this label at once.
    pub(crate) async fn delete_pods(&self, namespace: &str, selector: &str) -> Result<(), Error> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let all = ListParams::default().labels(selector);
        let deleted = pods.delete_collection(&DeleteParams::default(), &all).await;
        deleted.map(drop).map_err(Error::kube(format!("delete the pods of {namespace}")))
    }

    /// Asks for a claim's end: it ends with the pod that uses it.
    pub(crate) async fn delete_claim(&self, namespace: &str, name: &str) -> Result<(), Error> {
        let claims: Api<PersistentVolumeClaim> = Api::namespaced(self.client.clone(), namespace);
        let deleted = claims.delete(name, &DeleteParams::default()).await;
        deleted.map(drop).map_err(Error::kube(format!("delete the claim {name}")))
    }

    /// The messages of a namespace's events of type `Warning`.
    pub(crate) async fn warnings(&self, namespace: &str) -> Result<Vec<String>, Error> {
        let events: Api<Event> = Api::namespaced(self.client.clone(), namespace);
        let listed = events.list(&ListParams::default().fields("type=Warning")).await;
        let listed = listed.map_err(Error::kube(format!("list the events of {namespace}")))?;
        let words = |event: &Event| {
            let reason = event.reason.clone().unwrap_or_default();
            format!("{reason}: {}", event.message.clone().unwrap_or_default())
        };
        Ok(listed.iter().map(words).collect())
    }
}

/// An object from JSON that the tests wrote themselves.
fn typed<T: serde::de::DeserializeOwned>(object: serde_json::Value) -> Result<T, Error> {
    let who = "the tests' own object".to_owned();
    serde_json::from_value(object).map_err(|source| Error::Answer { who, source })
}
