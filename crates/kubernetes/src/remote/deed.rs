//! What is done to a member through the API server: requests that act, and faults on purpose.

use std::time::Duration;

use hyper::StatusCode;
use hyper::body::Bytes;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::Api;
use kube::api::{AttachParams, DeleteParams, Preconditions};
use tokio::io::AsyncReadExt;

use super::error::{RemoteError, within};
use super::{RemoteGroup, http};
use crate::names::{ENGINE_CONTAINER, HTTP_PORT, Names, PEER_KEY};

/// How long a Secret or a deletion may take.
const CALL: Duration = Duration::from_secs(5);

/// How much of what a command complains about is read.
const COMPLAINT_MAX: u64 = 4096;

impl RemoteGroup {
    /// The text with the peers' keys, from the group's Secret: it allows requests that act.
    pub async fn peer_keys(&self) -> Result<String, RemoteError> {
        let secrets: Api<Secret> = self.cluster()?.api();
        let name = self.secret().await.unwrap_or_else(|| Names::of(self.name()).auth());
        let secret = within(CALL, format!("get the Secret {name}"), secrets.get(&name)).await?;
        let key = secret.data.and_then(|mut data| data.remove(PEER_KEY));
        let text = key.and_then(|key| String::from_utf8(key.0).ok());
        text.ok_or(RemoteError::NoKey { secret: name, key: PEER_KEY })
    }

    /// Sends a request that acts to a member's agent, over a forwarded port: the API server's proxy
    /// would keep the token for itself.
    pub async fn post(
        &self,
        member: &str,
        path: &str,
        token: &str,
        body: Vec<u8>,
        limit: Duration,
    ) -> Result<(StatusCode, Bytes), RemoteError> {
        let pods: Api<Pod> = self.cluster()?.api();
        let what = format!("forward a port of the pod {member}");
        let mut forward = within(limit, what, pods.portforward(member, &[HTTP_PORT])).await?;
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| RemoteError::Forward {
            member: member.to_owned(),
            source,
        };
        let stream = forward.take_stream(HTTP_PORT);
        let stream = stream.ok_or_else(|| failed("the port was not forwarded".into()))?;
        let request = http::post(path, token, body).map_err(|error| failed(error.into()))?;
        let exchange = http::exchange(stream, member, request);
        let answered = tokio::time::timeout(limit, exchange).await;
        forward.abort();
        let answered = answered.map_err(|_| RemoteError::Late {
            what: format!("hear from the agent of {member}"),
            within: limit,
        })?;
        answered.map_err(|error| failed(error.into()))
    }

    /// Kills a process of the engine's container with SIGKILL.
    pub async fn kill(&self, member: &str, pid: u32, limit: Duration) -> Result<(), RemoteError> {
        let pods: Api<Pod> = self.cluster()?.api();
        let script = format!("kill -9 {pid}");
        let parameters = AttachParams::default().container(ENGINE_CONTAINER).stdout(false);
        let started = pods.exec(member, ["sh", "-c", script.as_str()], &parameters);
        let what = format!("run a command in the pod {member}");
        let mut process = within(limit, what.clone(), started).await?;
        let failed = |why: String| RemoteError::Command {
            pod: member.to_owned(),
            command: script.clone(),
            why,
        };
        let ended = async {
            let status = process.take_status();
            let mut complaint = String::new();
            if let Some(said) = process.stderr() {
                // Whatever could be read of it is told.
                let _ = said.take(COMPLAINT_MAX).read_to_string(&mut complaint).await;
            }
            let status = match status {
                Some(status) => status.await,
                None => None,
            };
            match status.and_then(|status| status.status.map(|word| (word, status.message))) {
                Some((word, _)) if word == "Success" => Ok(()),
                Some((_, message)) if complaint.is_empty() => {
                    Err(failed(message.unwrap_or_else(|| "it ended badly".to_owned())))
                }
                Some(_) => Err(failed(complaint.trim().to_owned())),
                None => Err(failed("how it ended is not known".to_owned())),
            }
        };
        tokio::time::timeout(limit, ended)
            .await
            .map_err(|_| RemoteError::Late { what, within: limit })?
    }

    /// Deletes a pod, if it still is that one. Its set makes another.
    pub async fn delete_pod(&self, member: &str, uid: &str) -> Result<(), RemoteError> {
        let pods: Api<Pod> = self.cluster()?.api();
        let exactly = DeleteParams {
            preconditions: Some(Preconditions {
                uid: Some(uid.to_owned()),
                resource_version: None,
            }),
            ..DeleteParams::default()
        };
        let deleted = pods.delete(member, &exactly);
        within(CALL, format!("delete the pod {member}"), deleted).await.map(drop)
    }
}
