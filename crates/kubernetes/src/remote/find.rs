//! Finding groups: the Lease says who there should be, the pods say where they are.

use std::net::IpAddr;
use std::time::Duration;

use brain::MemberName;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Namespace, Pod as KubePod};
use kube::Api;
use kube::api::ListParams;
use serde::{Deserialize, Serialize};

use super::access::Cluster;
use super::error::{RemoteError, within};
use crate::names::{
    AUTH_VOLUME, ENGINE_CONTAINER, GROUP_LABEL, MANAGED_BY, MANAGED_BY_LABEL, PROGRAM_CONTAINER,
};
use crate::platform::decode;

/// Where a group's members are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Found {
    /// Every member, in order of its ordinal.
    pub pods: Vec<Pod>,
    /// The Secret with the clients' password.
    pub secret: Option<String>,
}

/// The pod of a member.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pod {
    /// Its name, which is the member's.
    pub name: String,
    /// Its UID; `None` where there is no pod.
    pub uid: Option<String>,
    /// Its address.
    pub address: Option<IpAddr>,
    /// Its host.
    pub host: Option<String>,
    /// Why its agent cannot answer, if that is known before it is asked.
    pub why_silent: Option<String>,
}

/// A group as the list of a namespace has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
}

/// The groups of the namespace, by name.
pub async fn list(cluster: &Cluster, limit: Duration) -> Result<Vec<Listed>, RemoteError> {
    let leases: Api<Lease> = cluster.api();
    let ours = format!("{MANAGED_BY_LABEL}={MANAGED_BY},{GROUP_LABEL}");
    let ours = ListParams::default().labels(&ours);
    let namespace = &cluster.namespace;
    let what = format!("list Leases in the namespace {namespace}");
    let found = within(limit, what, leases.list(&ours)).await?;
    let mut listed: Vec<Listed> = found
        .items
        .into_iter()
        .filter_map(|lease| lease.metadata.name)
        .map(|name| Listed { name })
        .collect();
    listed.sort_by(|one, other| one.name.cmp(&other.name));
    if listed.is_empty() {
        namespace_exists(cluster, limit).await?;
    }
    Ok(listed)
}

/// One group's members.
pub(super) async fn group(
    cluster: &Cluster,
    name: &str,
    limit: Duration,
) -> Result<Found, RemoteError> {
    let (leases, pods): (Api<Lease>, Api<KubePod>) = (cluster.api(), cluster.api());
    let ours = ListParams::default().labels(&format!("{GROUP_LABEL}={name}"));
    let lease = within(limit, format!("get the Lease {name}"), leases.get_opt(name));
    let pods = within(limit, format!("list the pods of {name}"), pods.list(&ours));
    let (lease, pods) = tokio::try_join!(lease, pods)?;
    let Some(lease) = lease else {
        return Err(unknown(cluster, name, limit).await);
    };
    let labels = lease.metadata.labels.as_ref();
    let is_ours = labels.and_then(|all| all.get(GROUP_LABEL)).is_some_and(|group| group == name);
    if !is_ours {
        let (group, namespace) = (name.to_owned(), cluster.namespace.clone());
        return Err(RemoteError::NotOurs { group, namespace });
    }
    let record =
        decode(&lease).map_err(|source| RemoteError::Record { group: name.to_owned(), source })?;
    Ok(gathered(&record.members, &pods.items))
}

/// Says which groups there are instead.
async fn unknown(cluster: &Cluster, name: &str, limit: Duration) -> RemoteError {
    let known = match list(cluster, limit).await {
        Ok(listed) => listed.into_iter().map(|listed| listed.name).collect(),
        Err(error @ RemoteError::NoNamespace { .. }) => return error,
        // Only the names of others are missed.
        Err(_) => Vec::new(),
    };
    RemoteError::NoGroup { group: name.to_owned(), namespace: cluster.namespace.clone(), known }
}

async fn namespace_exists(cluster: &Cluster, limit: Duration) -> Result<(), RemoteError> {
    let namespaces: Api<Namespace> = Api::all(cluster.client.clone());
    let namespace = &cluster.namespace;
    let what = format!("get the namespace {namespace}");
    match within(limit, what, namespaces.get_opt(namespace)).await {
        Ok(None) => Err(RemoteError::NoNamespace { namespace: namespace.clone() }),
        // Whoever may not look at namespaces is not told.
        _ => Ok(()),
    }
}

/// Those that the record names, and those that have a pod all the same.
fn gathered(members: &[MemberName], pods: &[KubePod]) -> Found {
    let mut all: Vec<Pod> = pods.iter().map(Pod::of).collect();
    for member in members {
        if !all.iter().any(|pod| pod.name == member.0) {
            let why_silent = Some("it has no pod".to_owned());
            all.push(Pod { name: member.0.clone(), why_silent, ..Pod::default() });
        }
    }
    all.sort_by_key(|pod| (MemberName::from(pod.name.as_str()).ordinal(), pod.name.clone()));
    Found { pods: all, secret: pods.iter().find_map(secret) }
}

fn secret(pod: &KubePod) -> Option<String> {
    let volumes = pod.spec.as_ref()?.volumes.as_ref()?;
    let auth = volumes.iter().find(|volume| volume.name == AUTH_VOLUME)?;
    if let Some(secret) = &auth.secret {
        return secret.secret_name.clone();
    }
    let sources = auth.projected.as_ref()?.sources.as_ref()?;
    sources.iter().find_map(|source| source.secret.as_ref()).map(|secret| secret.name.clone())
}

impl Pod {
    fn of(pod: &KubePod) -> Self {
        let status = pod.status.as_ref();
        let address =
            status.and_then(|status| status.pod_ip.as_ref()).and_then(|ip| ip.parse().ok());
        let phase = status.and_then(|status| status.phase.as_deref()).unwrap_or("Unknown");
        let why_silent = match (phase, waiting(pod), address) {
            ("Running", None, Some(_)) => None,
            (_, Some(waits), _) => Some(format!("its pod waits: {waits}")),
            (phase, None, _) => Some(format!("its pod is {phase}")),
        };
        Self {
            name: pod.metadata.name.clone().unwrap_or_default(),
            uid: pod.metadata.uid.clone(),
            address,
            host: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
            why_silent,
        }
    }
}

/// What its containers wait for: `ErrImagePull`, `CrashLoopBackOff`.
fn waiting(pod: &KubePod) -> Option<String> {
    let status = pod.status.as_ref()?;
    let init = status.init_container_statuses.iter().flatten();
    let all = init.chain(status.container_statuses.iter().flatten());
    let ours = |name: &str| name == ENGINE_CONTAINER || name == PROGRAM_CONTAINER;
    let mut reasons = all
        .filter(|container| ours(&container.name))
        .filter_map(|container| container.state.as_ref()?.waiting.as_ref()?.reason.clone());
    reasons.find(|reason| reason != "PodInitializing")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(name: &str, status: &serde_json::Value) -> KubePod {
        serde_json::from_value(json!({
            "metadata": { "name": name, "uid": format!("u-{name}") },
            "spec": { "nodeName": "node1", "containers": [], "volumes": [
                { "name": "auth", "projected": { "sources": [{ "secret": { "name": "s" } }] } },
            ] },
            "status": status,
        }))
        .expect("a pod")
    }

    #[test]
    fn members_come_from_the_record_and_from_pods_by_ordinal() {
        let members = [MemberName::from("cart-0"), MemberName::from("cart-2")];
        let pods = [
            pod("cart-10", &json!({ "phase": "Running", "podIP": "10.0.0.10" })),
            pod("cart-2", &json!({ "phase": "Pending" })),
        ];
        let found = gathered(&members, &pods);
        let names: Vec<&str> = found.pods.iter().map(|pod| pod.name.as_str()).collect();
        assert_eq!(names, ["cart-0", "cart-2", "cart-10"]);
        assert_eq!(found.pods[0].why_silent.as_deref(), Some("it has no pod"));
        assert_eq!(found.pods[1].why_silent.as_deref(), Some("its pod is Pending"));
        assert_eq!(found.pods[2].why_silent, None);
        assert_eq!(found.pods[2].address, Some(IpAddr::from([10, 0, 0, 10])));
        assert_eq!(found.pods[2].host.as_deref(), Some("node1"));
        assert_eq!(found.secret.as_deref(), Some("s"));
    }

    #[test]
    fn a_container_that_waits_says_why() {
        let status = json!({ "phase": "Running", "podIP": "10.0.0.1", "containerStatuses": [{
            "name": "engine", "image": "", "imageID": "", "ready": false, "restartCount": 3,
            "state": { "waiting": { "reason": "CrashLoopBackOff" } },
        }] });
        let seen = Pod::of(&pod("cart-0", &status));
        assert_eq!(seen.why_silent.as_deref(), Some("its pod waits: CrashLoopBackOff"));
    }
}
