//! The pod that is the client: it makes the load through the Service, and every time is one of its
//! clock.

use std::time::Duration;

use serde_json::{Value, json};
use trial::journal::At;
use trial::load::LoadPlan;
use trial::station::{Begin, Finished, Members, Noticed, Now, PORT, Settled};

use crate::cluster::Cluster;
use crate::error::Error;
use crate::group::{Group, host_port};
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
/// Nothing to send.
const NOTHING: Option<&()> = None;

/// How often each of four writers writes in a second: a gap is seen to 3 ms, and the processors
/// stay free for what is measured.
const RATE: u32 = 100;
/// Keys that are written first, so that there is something to lose.
const SEEDS: u32 = 5_000;

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
        group: &Group,
        name: &str,
        host: &str,
    ) -> Result<Self, Error> {
        cluster.start_pod(&group.namespace, pod(tools, group, name, host)).await?;
        until(&format!("the client {name}"), START_WITHIN, async || {
            let place = cluster.pod(&group.namespace, name).await;
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
        self.begin_with(Begin { plan, copies, seeds: SEEDS, members }).await
    }

    /// Begins a run that probes these members at their own addresses and does nothing else.
    pub(crate) async fn begin_probing(&self, members: Members) -> Result<(), Error> {
        let plan = LoadPlan { writers: 0, readers: 0, ..LoadPlan::default() };
        self.begin_with(Begin { plan, copies: 0, seeds: 0, members }).await
    }

    async fn begin_with(&self, begin: Begin) -> Result<(), Error> {
        let begun: Result<Now, Error> =
            http::ask(&self.address, "POST", "/v1/begin", Some(&begin), FINISH_WITHIN).await;
        begun.map(drop)
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
fn pod(tools: &Tools, group: &Group, name: &str, host: &str) -> Value {
    let (write, read) = (&group.names.group, group.names.replicas());
    let words = [
        "load".to_owned(),
        format!("--write={write}:6379"),
        format!("--read={read}:6379"),
        "--password-file=/etc/auth/password".to_owned(),
    ];
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
                "image": tools.image,
                "imagePullPolicy": "IfNotPresent",
                "args": words,
                "ports": [{ "containerPort": PORT }],
                "securityContext": {
                    "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
                    "capabilities": { "drop": ["ALL"] }
                },
                "volumeMounts": [{ "name": "auth", "mountPath": "/etc/auth", "readOnly": true }]
            }],
            "volumes": [{ "name": "auth", "secret": {
                "secretName": group.names.auth(), "defaultMode": 0o440,
                "items": [{ "key": "password", "path": "password" }]
            } }]
        }
    })
}
