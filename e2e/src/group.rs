//! A group in a namespace of its own, known as its operator knows it: by its pods, and by what the
//! agents in them say.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use brain::report::MemberReport;
use client::Endpoint;
use kubernetes::names::{ENGINE_PORT, GROUP_LABEL, HTTP_PORT, Names};
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::timeout;
use trial::station::Members;
use trial::status;
use trial::target::Seat;

use crate::cluster::{Cluster, Place};
use crate::error::Error;
use crate::rows::{Maker, Setting};
use crate::station::Access;
use crate::tools::Tools;
use crate::wait::until;

/// A stopped API server must not hold up who looks at the agents.
const LIST_WITHIN: Duration = Duration::from_secs(1);

/// A group that was made from a spec.
#[derive(Clone)]
pub(crate) struct Group {
    cluster: Cluster,
    /// Its namespace.
    pub(crate) namespace: String,
    /// The names of its objects.
    pub(crate) names: Names,
    /// How many members it has.
    pub(crate) members: usize,
    /// As they were last seen: the API server may be down.
    places: Arc<Mutex<Vec<Place>>>,
}

/// What a group looks like at one moment.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Look {
    /// Its pods.
    pub(crate) places: Vec<Place>,
    /// What the agents say.
    pub(crate) group: status::Group,
}

/// What tells one life of a member from the next: pod, container starts, engine process.
pub(crate) type Life = (String, i32, u32);

impl Look {
    /// The pod of this member.
    pub(crate) fn place(&self, member: &str) -> Option<&Place> {
        self.places.iter().find(|place| place.name == member)
    }

    /// Who leads; empty when nobody does.
    pub(crate) fn primary(&self) -> String {
        self.group.primary().map(|primary| primary.name.clone()).unwrap_or_default()
    }

    /// The host of this member; empty when it has none.
    pub(crate) fn host(&self, member: &str) -> String {
        self.place(member).map(|place| place.host.clone()).unwrap_or_default()
    }

    /// The life that this member is in, when both its pod and its agent are known.
    pub(crate) fn life(&self, member: &str) -> Option<Life> {
        let place = self.place(member)?;
        let report = self.group.member(member).filter(|report| report.pod == place.uid)?;
        Some((place.uid.clone(), place.restarts, report.engine_pid))
    }

    /// What is missing to a healthy group; empty when it is healthy.
    pub(crate) fn ailments(&self, members: usize) -> Vec<String> {
        let mut ailments = self.group.ailments(members);
        if self.places.len() != members {
            ailments.push(format!("{} pods are there, not {members}", self.places.len()));
        }
        for member in &self.group.members {
            ailments.extend(self.ailment(member));
        }
        ailments
    }

    fn ailment(&self, member: &MemberReport) -> Option<String> {
        let name = &member.name;
        if self.place(name).is_none_or(|place| place.uid != member.pod) {
            return Some(format!("{name} speaks for another pod"));
        }
        let held = member.authority.as_ref().is_some_and(|held| held.mode != "none");
        match member.role.as_str() {
            "primary" if !held => Some(format!("{name} leads without authority")),
            "replica" if !member.electable => {
                let why = member.why_not.as_deref().unwrap_or("it does not say why");
                Some(format!("{name} could not succeed: {why}"))
            }
            _ => None,
        }
    }

    /// The engines' own addresses.
    pub(crate) fn members(&self) -> Members {
        engines(&self.places)
    }
}

/// Where the engines of these pods are reached, those of pods without an address left out.
pub(crate) fn engines(places: &[Place]) -> Members {
    let with_address = places.iter().filter(|place| !place.address.is_empty());
    with_address.map(|place| (place.name.clone(), host_port(&place.address, ENGINE_PORT))).collect()
}

impl Group {
    /// Gives the API server what makes this group, and does not wait for anything: its objects, or
    /// a resource for the operator.
    pub(crate) async fn make(
        cluster: &Cluster,
        tools: &Tools,
        namespace: &str,
        setting: Setting,
    ) -> Result<Self, Error> {
        let file = tools.tree.join(setting.place().1);
        match setting.maker() {
            Maker::Render => {
                let objects = tools.render(&file, namespace, false).await?;
                let secret = tools.render(&file, namespace, true).await?;
                tools.kubectl(&["apply", "-f", "-"], Some(&objects)).await?;
                tools.kubectl(&["create", "-f", "-"], Some(&secret)).await?;
            }
            Maker::Operator => {
                let file = file.to_string_lossy();
                tools.kubectl(&["-n", namespace, "apply", "-f", &file], None).await?;
            }
        }
        Ok(Self {
            cluster: cluster.clone(),
            namespace: namespace.to_owned(),
            names: Names::of("cart"),
            members: 3,
            places: Arc::default(),
        })
    }

    /// How clients come to it: by its two Services.
    pub(crate) fn access(&self) -> Access {
        let (write, read) = (&self.names.group, self.names.replicas());
        Access {
            namespace: self.namespace.clone(),
            words: vec![format!("--write={write}:6379"), format!("--read={read}:6379")],
            secret: Some(self.names.auth()),
        }
    }

    /// The label that selects its pods.
    pub(crate) fn selector(&self) -> String {
        format!("{GROUP_LABEL}={}", self.names.group)
    }

    /// What it looks like now. While the API server does not answer, its pods are taken to be where
    /// they were.
    pub(crate) async fn look(&self) -> Look {
        let selector = self.selector();
        let listed = self.cluster.pods(&self.namespace, &selector);
        let listed = timeout(LIST_WITHIN, listed).await;
        let places = {
            let mut known = self.places.lock().unwrap_or_else(PoisonError::into_inner);
            if let Ok(Ok(places)) = listed {
                *known = places;
            }
            known.clone()
        };
        let mut asked = JoinSet::new();
        for place in places.iter().filter(|place| !place.address.is_empty()) {
            let seat = seat(place);
            asked.spawn(async move { (seat.name.clone(), status::ask(&seat).await) });
        }
        let mut group = status::Group::default();
        while let Some(Ok((member, answer))) = asked.join_next().await {
            match answer {
                Ok(report) => group.members.push(report),
                Err(error) => group.silent.push((member, error.to_string())),
            }
        }
        group.members.sort_by(|a, b| a.name.cmp(&b.name));
        Look { places, group }
    }

    /// Waits until it is healthy, and every pod ready in the eyes of Kubernetes.
    pub(crate) async fn ready(&self, within: Duration) -> Result<Look, Error> {
        until(&format!("{} to be ready", self.namespace), within, async || {
            let look = self.look().await;
            let mut ailments = look.ailments(self.members);
            let waiting = look.places.iter().filter(|place| !place.is_ready);
            ailments.extend(waiting.map(|place| format!("the pod {} is not ready", place.name)));
            if ailments.is_empty() { Ok(look) } else { Err(ailments.join("; ")) }
        })
        .await
    }
}

/// What every agent says of itself, for whoever looks for the cause of a failure.
pub(crate) async fn statuses(group: &Group) -> BTreeMap<String, MemberReport> {
    let look = group.look().await;
    look.group.members.into_iter().map(|report| (report.name.clone(), report)).collect()
}

fn seat(place: &Place) -> Seat {
    Seat {
        name: place.name.clone(),
        engine: Endpoint::tcp(place.address.clone(), ENGINE_PORT),
        http: host_port(&place.address, HTTP_PORT),
        directory: PathBuf::new(),
        data: PathBuf::new(),
    }
}

/// `host:port`, with brackets where the host needs them.
pub(crate) fn host_port(host: &str, port: u16) -> String {
    Endpoint::tcp(host, port).to_string()
}
