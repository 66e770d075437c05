//! The pod that is the client: it makes the load as clients of the system do, and every time is one
//! of its clock.

use std::time::Duration;

use serde_json::{Value, json};
use trial::journal::At;
use trial::load::LoadPlan;
use trial::station::{Begin, Finished, Members, Noticed, Now, PORT, Settled};

use crate::cluster::Cluster;
use crate::error::Error;
use crate::group::host_port;
use crate::http;
use crate::tools::Tools;
use crate::wait::until;

/// A pod whose image is there starts within seconds; a busy machine needs more.
const START_WITHIN: Duration = Duration::from_secs(90);
/// An answer that needs no waiting.
const SOON: Duration = Duration::from_secs(5);
/// Opening and settling a queue waits for a frozen engine, seconds at most.
const QUEUE_WITHIN: Duration = Duration::from_secs(20);
/// Reading everything back, with its own tries.
const FINISH_WITHIN: Duration = Duration::from_secs(120);
/// Watches of kube-proxy and CoreDNS that an outage ended begin anew within this time.
const REACHED_WITHIN: Duration = Duration::from_secs(60);
/// Nothing to send.
const NOTHING: Option<&()> = None;

/// How often each of four writers writes in a second: a gap is seen to 3 ms, and the processors
/// stay free for what is measured.
const RATE: u32 = 100;
/// Keys that are written first, so that there is something to lose.
const SEEDS: u32 = 5_000;

/// How clients come to the system that they write to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Access {
    /// Its namespace, which is theirs.
    pub(crate) namespace: String,
    /// The options of `interrex load` that say where to write.
    pub(crate) words: Vec<String>,
    /// The Secret with its password; `None` where none is asked for.
    pub(crate) secret: Option<String>,
}

/// A client pod.
#[derive(Clone, Debug)]
pub(crate) struct Station {
    /// Its host.
    pub(crate) host: String,
    address: String,
}

impl Station {
    /// Starts one on this host and waits until it answers.
    pub(crate) async fn start(
        cluster: &Cluster,
        tools: &Tools,
        access: &Access,
        name: &str,
        host: &str,
    ) -> Result<Self, Error> {
        let namespace = &access.namespace;
        cluster.start_pod(namespace, pod(&tools.image, access, name, host)).await?;
        until(&format!("the client {name}"), START_WITHIN, async || {
            let place = cluster.pod(namespace, name).await;
            let place = place.map_err(|error| error.chain())?;
            if place.address.is_empty() {
                return Err("it has no address yet".to_owned());
            }
            let host = place.host.clone();
            let station = Self { host, address: host_port(&place.address, PORT) };
            station.now().await.map(|_| station).map_err(|error| error.chain())
        })
        .await
    }

    /// Its clock, and how its load is doing.
    pub(crate) async fn now(&self) -> Result<Now, Error> {
        http::ask(&self.address, "GET", "/v1/now", NOTHING, SOON).await
    }

    /// Begins a run: seeds, load, probers.
    pub(crate) async fn begin(&self, copies: u32, members: Members) -> Result<(), Error> {
        let plan = LoadPlan { rate: RATE, ..LoadPlan::default() };
        self.begin_with(Begin { plan, copies, seeds: SEEDS, members, compare: true }).await
    }

    /// Begins a run that probes these members at their own addresses and does nothing else.
    pub(crate) async fn begin_probing(&self, members: Members) -> Result<(), Error> {
        let plan = LoadPlan { writers: 0, readers: 0, ..LoadPlan::default() };
        let compare = true;
        self.begin_with(Begin { plan, copies: 0, seeds: 0, members, compare }).await
    }

    /// Begins a run like every other system's beside this one: without readers, and without a look
    /// at the members' data, which not all of them let everybody read.
    pub(crate) async fn begin_beside(&self, copies: u32, members: Members) -> Result<(), Error> {
        let plan = LoadPlan { rate: RATE, readers: 0, ..LoadPlan::default() };
        self.begin_with(Begin { plan, copies, seeds: SEEDS, members, compare: false }).await
    }

    /// The same that probes these members at their own addresses and does nothing else.
    pub(crate) async fn begin_watching(&self, members: Members) -> Result<(), Error> {
        let plan = LoadPlan { writers: 0, readers: 0, ..LoadPlan::default() };
        let compare = false;
        self.begin_with(Begin { plan, copies: 0, seeds: 0, members, compare }).await
    }

    /// Names and routes of a host that was cut off, or of a cluster whose API server was away, come
    /// back with what watches them.
    async fn begin_with(&self, begin: Begin) -> Result<(), Error> {
        until("the client to reach the group", REACHED_WITHIN, async || {
            let begun: Result<Now, Error> =
                http::ask(&self.address, "POST", "/v1/begin", Some(&begin), FINISH_WITHIN).await;
            begun.map(drop).map_err(|error| error.chain())
        })
        .await
    }

    /// Members have these addresses from now on.
    pub(crate) async fn aim(&self, members: &Members) -> Result<(), Error> {
        let aimed: Result<Now, Error> =
            http::ask(&self.address, "PUT", "/v1/members", Some(members), SOON).await;
        aimed.map(drop)
    }

    /// What clients noticed since `from`, once a write is acknowledged.
    pub(crate) async fn noticed(
        &self,
        from: At,
        leader: &str,
        patience: Duration,
    ) -> Result<Noticed, Error> {
        let patience_ms = patience.as_millis();
        let path = format!("/v1/noticed?from={}&patience_ms={patience_ms}&leader={leader}", from.0);
        http::ask(&self.address, "GET", &path, NOTHING, patience + SOON).await
    }

    /// Opens connections to this member, for writes that are to wait there.
    pub(crate) async fn open_queue(&self, member: &str) -> Result<(), Error> {
        let path = format!("/v1/queue/open?member={member}");
        http::ask(&self.address, "POST", &path, NOTHING, QUEUE_WITHIN).await
    }

    /// Sends those writes.
    pub(crate) async fn fill_queue(&self) -> Result<u64, Error> {
        http::ask(&self.address, "POST", "/v1/queue/fill", NOTHING, QUEUE_WITHIN).await
    }

    /// Waits for their answers.
    pub(crate) async fn settle_queue(&self) -> Result<Settled, Error> {
        http::ask(&self.address, "POST", "/v1/queue/settle", NOTHING, QUEUE_WITHIN).await
    }

    /// Ends the run and counts.
    pub(crate) async fn finish(&self) -> Result<Finished, Error> {
        http::ask(&self.address, "POST", "/v1/finish", NOTHING, FINISH_WITHIN).await
    }
}

/// The pod: `restricted`, on one host whatever is drained there.
fn pod(image: &str, access: &Access, name: &str, host: &str) -> Value {
    let mut words = vec!["load".to_owned()];
    words.extend(access.words.iter().cloned());
    let (mut mounts, mut volumes) = (Vec::new(), Vec::new());
    if let Some(secret) = &access.secret {
        words.push("--password-file=/etc/auth/password".to_owned());
        mounts.push(json!({ "name": "auth", "mountPath": "/etc/auth", "readOnly": true }));
        volumes.push(json!({ "name": "auth", "secret": {
            "secretName": secret, "defaultMode": 0o440,
            "items": [{ "key": "password", "path": "password" }]
        } }));
    }
    json!({
        "metadata": { "name": name, "labels": { "app.kubernetes.io/name": "client" } },
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
            "automountServiceAccountToken": false,
            "nodeSelector": { "kubernetes.io/hostname": host },
            "tolerations": [{ "operator": "Exists" }],
            "securityContext": {
                "runAsNonRoot": true, "runAsUser": 65532, "runAsGroup": 65532, "fsGroup": 65532,
                "seccompProfile": { "type": "RuntimeDefault" }
            },
            "containers": [{
                "name": "client",
                "image": image,
                "imagePullPolicy": "IfNotPresent",
                "args": words,
                "ports": [{ "containerPort": PORT }],
                "securityContext": {
                    "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
                    "capabilities": { "drop": ["ALL"] }
                },
                "volumeMounts": mounts
            }],
            "volumes": volumes
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_brings_a_password_only_where_one_is_asked_for() {
        let mut access = Access {
            namespace: "e2e".to_owned(),
            words: vec!["--write=cart:6379".to_owned()],
            secret: Some("cart-auth".to_owned()),
        };
        let with = pod("image", &access, "client", "node1");
        let container = &with["spec"]["containers"][0];
        let words = json!(["load", "--write=cart:6379", "--password-file=/etc/auth/password"]);
        assert_eq!(container["args"], words);
        assert_eq!(with["spec"]["volumes"][0]["secret"]["secretName"], "cart-auth");
        access.secret = None;
        let without = pod("image", &access, "client", "node1");
        let container = &without["spec"]["containers"][0];
        assert_eq!(container["args"], json!(["load", "--write=cart:6379"]));
        assert_eq!(container["volumeMounts"], json!([]));
    }
}
