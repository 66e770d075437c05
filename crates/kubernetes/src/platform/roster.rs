//! Who the members are and where: the pods of the group, watched, and remembered on the disk for a
//! start while the API server is away (failover.md 2.6).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use brain::{Ended, MemberName};
use futures_util::StreamExt;
use k8s_openapi::api::core::v1::Pod as KubePod;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client};
use platform::{Listen, PeerAddress, Roster};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::Pod;
use super::calls::in_words;
use super::ends::{self, Ends};
use crate::names::{ENGINE_PORT, GROUP_LABEL, HTTP_PORT, PEER_PORT};

/// Between two attempts at a watch that fails.
const AGAIN: Duration = Duration::from_millis(500);

type Addresses = BTreeMap<String, IpAddr>;

/// The members of a group as its pods.
pub struct PodRoster {
    me: MemberName,
    ip: IpAddr,
    members: Vec<MemberName>,
    addresses: Arc<Mutex<Addresses>>,
    ends: tokio::sync::Mutex<mpsc::UnboundedReceiver<Ended>>,
    /// Ends with this.
    watching: JoinHandle<()>,
}

impl Drop for PodRoster {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

impl PodRoster {
    /// Watches the pods of the group from now on.
    pub(super) fn start(pod: &Pod, client: Client) -> Self {
        let mut known = remembered(&pod.addresses);
        known.insert(pod.name.clone(), pod.ip);
        let addresses = Arc::new(Mutex::new(known));
        let api = Api::namespaced(client, &pod.namespace);
        let selector = format!("{GROUP_LABEL}={}", pod.group);
        let (tell, ends) = mpsc::unbounded_channel();
        let known = Arc::clone(&addresses);
        let watched = follow(api, selector, known, pod.addresses.clone(), Ends::new(tell));
        Self {
            me: MemberName(pod.name.clone()),
            ip: pod.ip,
            members: pod.members.clone(),
            addresses,
            ends: tokio::sync::Mutex::new(ends),
            watching: tokio::spawn(watched),
        }
    }
}

impl Roster for PodRoster {
    fn me(&self) -> Listen {
        let any = if self.ip.is_ipv6() { "[::]" } else { "0.0.0.0" };
        Listen {
            name: self.me.clone(),
            peer: format!("{any}:{PEER_PORT}"),
            http: format!("{any}:{HTTP_PORT}"),
            engine_host: self.ip.to_string(),
            engine_port: ENGINE_PORT,
        }
    }

    fn peer(&self, member: &MemberName) -> Option<PeerAddress> {
        let ip = *lock(&self.addresses).get(&member.0)?;
        Some(PeerAddress {
            peer: std::net::SocketAddr::new(ip, PEER_PORT).to_string(),
            engine_host: ip.to_string(),
            engine_port: ENGINE_PORT,
            announced: (ip.to_string(), ENGINE_PORT),
        })
    }

    fn members(&self) -> Vec<MemberName> {
        let mut members = self.members.clone();
        let known = lock(&self.addresses);
        members.extend(known.keys().map(|name| MemberName(name.clone())));
        members.sort();
        members.dedup();
        members
    }

    fn begins(&self, boot: &str) {
        if let Err(error) = ends::leave(Path::new(ends::FILE), boot) {
            // The end of this run will be waited out, as that of a host is.
            tracing::debug!(%error, file = ends::FILE, "no death certificate for this run");
        }
    }

    async fn ended(&self) -> Ended {
        match self.ends.lock().await.recv().await {
            Some(ended) => ended,
            // The watch is over, and this with it.
            None => std::future::pending().await,
        }
    }
}

fn lock(addresses: &Mutex<Addresses>) -> MutexGuard<'_, Addresses> {
    addresses.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps the newest address of every pod. One that is gone keeps its last: nothing is proven by an
/// address, and a member that comes back has another UID.
async fn follow(
    api: Api<KubePod>,
    selector: String,
    known: Arc<Mutex<Addresses>>,
    file: PathBuf,
    mut ends: Ends,
) {
    loop {
        let config = watcher::Config::default().labels(&selector);
        let mut events = Box::pin(watcher::watcher(api.clone(), config));
        while let Some(event) = events.next().await {
            match event {
                Ok(Event::Apply(pod) | Event::InitApply(pod)) => {
                    ends.note(&pod);
                    take(&pod, &known, &file).await;
                }
                // The last thing that its kubelet said is in it.
                Ok(Event::Delete(pod)) => ends.note(&pod),
                Ok(Event::Init | Event::InitDone) => {}
                Err(error) => {
                    tracing::debug!(error = in_words(&error), "the pods cannot be watched");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn take(pod: &KubePod, known: &Mutex<Addresses>, file: &Path) {
    let Some(name) = pod.metadata.name.clone() else { return };
    let ip = pod.status.as_ref().and_then(|status| status.pod_ip.as_deref());
    let Some(ip) = ip.and_then(|ip| ip.parse().ok()) else { return };
    let changed = {
        let mut known = lock(known);
        (known.insert(name, ip) != Some(ip)).then(|| known.clone())
    };
    let Some(changed) = changed else { return };
    let file = file.to_owned();
    let kept = tokio::task::spawn_blocking(move || keep(&file, &changed)).await;
    if let Ok(Err(error)) = kept {
        // Only a start while the API server is away would need it.
        tracing::debug!(%error, "the members' addresses are not kept");
    }
}

fn keep(file: &Path, addresses: &Addresses) -> std::io::Result<()> {
    if let Some(directory) = file.parent() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    }
    let draft = file.with_extension("new");
    std::fs::write(&draft, serde_json::to_vec(addresses)?)?;
    std::fs::rename(&draft, file)
}

/// What was kept, or nothing: then the watch tells.
fn remembered(file: &Path) -> Addresses {
    let bytes = std::fs::read(file).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_outlive_a_start_and_a_torn_file_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("addresses.json");
        assert_eq!(remembered(&file), Addresses::new());
        let known = Addresses::from([("cart-0".to_owned(), "10.0.0.7".parse().unwrap())]);
        keep(&file, &known).unwrap();
        assert_eq!(remembered(&file), known);
        std::fs::write(&file, "{\"cart-0").unwrap();
        assert_eq!(remembered(&file), Addresses::new());
    }
}
