//! Death certificates (failover.md 2.4): a run leaves its boot id in the container's termination
//! message, and the kubelet reports that message once everything in the container has ended. So the
//! certificate names the very run that it is about.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;

use brain::Ended;
use k8s_openapi::api::core::v1::{ContainerState, Pod};
use tokio::sync::mpsc::UnboundedSender;

use crate::names::ENGINE_CONTAINER;

/// Where a container leaves its message, unless its pod says otherwise; ours do not.
pub(super) const FILE: &str = "/dev/termination-log";

/// Before the boot id, for people who read it with `kubectl describe`.
const PREFIX: &str = "interrex run ";

/// Leaves the boot id of this run. The file is there in every container, and is not made elsewhere.
pub(super) fn leave(file: &Path, boot: &str) -> io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).truncate(true).open(file)?;
    file.write_all(format!("{PREFIX}{boot}").as_bytes())
}

/// The ends that have been reported, each told once.
pub(super) struct Ends {
    told: BTreeSet<Ended>,
    tell: UnboundedSender<Ended>,
}

impl Ends {
    pub(super) fn new(tell: UnboundedSender<Ended>) -> Self {
        Self { told: BTreeSet::new(), tell }
    }

    /// Tells what is new of this pod.
    pub(super) fn note(&mut self, pod: &Pod) {
        let ended = of(pod);
        // Of each pod only its newest ends matter.
        self.told
            .retain(|told| pod.metadata.uid.as_ref() != Some(&told.pod) || ended.contains(told));
        for ended in ended {
            if self.told.insert(ended.clone()) {
                // Nobody hears it when the agent ends.
                let _ = self.tell.send(ended);
            }
        }
    }
}

/// The runs of this pod's engine container that its kubelet reports as ended.
fn of(pod: &Pod) -> Vec<Ended> {
    let Some(uid) = &pod.metadata.uid else { return Vec::new() };
    let statuses = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    let ours = statuses.filter(|status| status.name == ENGINE_CONTAINER);
    let states = ours.flat_map(|status| [&status.state, &status.last_state]);
    let boots = states.flatten().filter_map(boot);
    boots.map(|boot| Ended { pod: uid.clone(), boot }).collect()
}

fn boot(state: &ContainerState) -> Option<String> {
    let message = state.terminated.as_ref()?.message.as_ref()?;
    let boot = message.strip_prefix(PREFIX)?.trim();
    (!boot.is_empty()).then(|| boot.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use tokio::sync::mpsc::unbounded_channel;

    fn pod(statuses: &Value) -> Pod {
        serde_json::from_value(json!({
            "metadata": { "name": "cart-0", "uid": "u1" },
            "status": { "containerStatuses": statuses },
        }))
        .unwrap()
    }

    fn status(name: &str, state: &Value, last: &Value) -> Value {
        json!({
            "name": name, "image": "i", "imageID": "", "ready": false, "restartCount": 1,
            "state": state, "lastState": last,
        })
    }

    fn terminated(message: &str) -> Value {
        json!({ "terminated": { "exitCode": 137, "message": message } })
    }

    #[test]
    fn a_run_has_ended_when_its_own_message_is_reported_with_the_end() {
        let (tell, mut told) = unbounded_channel();
        let mut ends = Ends::new(tell);
        let running = json!({ "running": {} });
        ends.note(&pod(&json!([status("engine", &running, &json!({}))])));
        assert!(told.try_recv().is_err(), "it runs");
        let other = status("program", &terminated("interrex run b0"), &json!({}));
        ends.note(&pod(&json!([other])));
        assert!(told.try_recv().is_err(), "another container of the pod");
        ends.note(&pod(&json!([status("engine", &terminated("OOM"), &json!({}))])));
        assert!(told.try_recv().is_err(), "nobody knows which run");
        let ended = pod(&json!([status("engine", &terminated("interrex run b1"), &json!({}))]));
        ends.note(&ended);
        ends.note(&ended);
        let first = Ended { pod: "u1".into(), boot: "b1".into() };
        assert_eq!(told.try_recv(), Ok(first));
        assert!(told.try_recv().is_err(), "each is told once");
        let waits = json!({ "waiting": { "reason": "CrashLoopBackOff" } });
        ends.note(&pod(&json!([status("engine", &waits, &terminated("interrex run b2"))])));
        assert_eq!(told.try_recv().map(|ended| ended.boot), Ok("b2".to_owned()));
    }

    #[test]
    fn the_message_replaces_an_older_one_and_no_file_is_made() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("termination-log");
        assert!(leave(&file, "b1").is_err());
        assert!(!file.exists());
        std::fs::write(&file, "what an earlier run has said, at length").unwrap();
        leave(&file, "b1").unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "interrex run b1");
    }
}
