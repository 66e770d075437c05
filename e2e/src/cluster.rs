//! What the tests ask of the API server: namespaces, pods, claims, events.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{
    ConfigMap, Event, Namespace, Node, PersistentVolumeClaim, Pod, Secret, Service, ServiceAccount,
};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta};
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::{Api, Client, Resource as _, ResourceExt};
use kubernetes::crd::{READY, Redis};
use kubernetes::names::GROUP_LABEL;
use serde::Serialize;
use serde::de::DeserializeOwned;
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
    #[cfg(test)]
    pub(crate) fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            uid: format!("uid-of-{name}"),
            address: String::new(),
            host: String::new(),
            is_ready: true,
            restarts: 0,
            is_leaving: false,
        }
    }

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

    /// The names of all hosts, in their order.
    pub(crate) async fn hosts(&self) -> Result<Vec<String>, Error> {
        let nodes: Api<Node> = Api::all(self.client.clone());
        let listed = nodes.list_metadata(&ListParams::default()).await;
        let listed = listed.map_err(Error::kube("list the hosts"))?;
        let mut hosts: Vec<String> = listed.iter().map(ResourceExt::name_any).collect();
        hosts.sort_unstable();
        Ok(hosts)
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

    /// Whether there is such a Deployment.
    pub(crate) async fn has_deployment(&self, namespace: &str, name: &str) -> Result<bool, Error> {
        let deployments: Api<Deployment> = Api::namespaced(self.client.clone(), namespace);
        let found = deployments.get_opt(name).await;
        found.map(|found| found.is_some()).map_err(Error::kube(format!("look for {name}")))
    }

    /// A group's resource.
    pub(crate) async fn resource(&self, namespace: &str, name: &str) -> Result<Redis, Error> {
        let resources: Api<Redis> = Api::namespaced(self.client.clone(), namespace);
        resources.get(name).await.map_err(Error::kube(format!("read the resource {name}")))
    }

    /// How many resources of a namespace are ready, and tell so of their newest spec.
    pub(crate) async fn ready_resources(&self, namespace: &str) -> Result<usize, Error> {
        let resources: Api<Redis> = Api::namespaced(self.client.clone(), namespace);
        let listed = resources.list(&ListParams::default()).await;
        let listed = listed.map_err(Error::kube(format!("list the resources of {namespace}")))?;
        Ok(listed.iter().filter(|resource| is_ready(resource)).count())
    }

    /// The version of every group's Lease.
    pub(crate) async fn leases(&self, namespace: &str) -> Result<Vec<(String, String)>, Error> {
        let listed = self.metadata::<Lease>(namespace).await?;
        let version = |meta: ObjectMeta| meta.resource_version.unwrap_or_default();
        Ok(listed
            .into_iter()
            .map(|meta| (meta.name.clone().unwrap_or_default(), version(meta)))
            .collect())
    }

    /// What an operator may have written of the groups of a namespace, and the version of each:
    /// the number of its changes where the object counts them, since others write into its status.
    pub(crate) async fn versions(
        &self,
        namespace: &str,
    ) -> Result<BTreeMap<String, String>, Error> {
        let mut versions = BTreeMap::new();
        let mut add = |kind: &str, metas: Vec<ObjectMeta>| {
            for meta in metas {
                let counted = meta.generation.map(|generation| generation.to_string());
                let version = counted.or(meta.resource_version).unwrap_or_default();
                versions.insert(format!("{kind}/{}", meta.name.unwrap_or_default()), version);
            }
        };
        add("StatefulSet", self.metadata::<StatefulSet>(namespace).await?);
        add("Service", self.metadata::<Service>(namespace).await?);
        add("ConfigMap", self.metadata::<ConfigMap>(namespace).await?);
        add("Secret", self.metadata::<Secret>(namespace).await?);
        add("ServiceAccount", self.metadata::<ServiceAccount>(namespace).await?);
        add("Role", self.metadata::<Role>(namespace).await?);
        add("RoleBinding", self.metadata::<RoleBinding>(namespace).await?);
        add("PodDisruptionBudget", self.metadata::<PodDisruptionBudget>(namespace).await?);
        Ok(versions)
    }

    /// The metadata of all objects of this kind that belong to groups.
    async fn metadata<K>(&self, namespace: &str) -> Result<Vec<ObjectMeta>, Error>
    where
        K: kube::Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + DeserializeOwned
            + std::fmt::Debug,
    {
        let objects: Api<K> = Api::namespaced(self.client.clone(), namespace);
        let listed = objects.list_metadata(&ListParams::default().labels(GROUP_LABEL)).await;
        let what = format!("list what there is of {} in {namespace}", K::kind(&()));
        let listed = listed.map_err(Error::kube(what))?;
        Ok(listed.items.into_iter().map(|object| object.metadata).collect())
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

/// Whether a resource is ready, as `kubectl wait` sees it.
pub(crate) fn is_ready(resource: &Redis) -> bool {
    let status = resource.status.clone().unwrap_or_default();
    let ready = |condition: &Condition| condition.type_ == READY && condition.status == "True";
    status.observed_generation == resource.meta().generation && status.conditions.iter().any(ready)
}

/// An object from JSON that the tests wrote themselves.
fn typed<T: serde::de::DeserializeOwned>(object: serde_json::Value) -> Result<T, Error> {
    let who = "the tests' own object".to_owned();
    serde_json::from_value(object).map_err(|source| Error::Answer { who, source })
}
