//! What Kubernetes offers an agent: the record in a Lease, the roster by a watch of the pods, the
//! route in an EndpointSlice, and notices on its own pod.
//!
//! Each of them has a connection of its own: one that is stuck holds up no other (failover.md 2.5).

mod calls;
mod ends;
mod follow;
mod labels;
mod lease;
mod notices;
mod roster;
mod slice;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use brain::spec::Routing;
use brain::{MemberName, Route};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::{Api, Client, Config};
use platform::{Platform, Published, RouteStore, StoreError};

use crate::names::{DATA_VOLUME, Names};

pub(crate) use calls::in_words;
use labels::LabelRoute;
use lease::LeaseRecord;
pub use lease::{RecordError, decode, encode};
use notices::PodNotices;
pub use notices::{Notice, Told};
use roster::PodRoster;
use slice::SliceRoute;

/// How long a connection to the API server may take to come about. Less than the shortest call's
/// deadline (failover.md 2.5).
const CONNECT: Duration = Duration::from_millis(500);

/// The pod that an agent runs in.
#[derive(Clone, Debug)]
pub struct Pod {
    /// Its name, which is the member's.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Its address.
    pub ip: IpAddr,
    /// Its namespace.
    pub namespace: String,
    /// The group.
    pub group: String,
    /// Every member that there should be.
    pub members: Vec<MemberName>,
    /// How clients are led to the primary.
    pub routing: Routing,
    /// Where the members' last addresses are kept, for a start while the API server is away.
    pub addresses: PathBuf,
}

/// Why an agent has no place on Kubernetes.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// There is no service account, or no API server's address.
    #[error("cannot find out how to reach the API server from this pod")]
    Configuration {
        /// The cause.
        source: kube::config::InClusterError,
    },
    /// The certificates cannot be used.
    #[error("cannot make a client of the API server")]
    Client {
        /// The cause.
        source: Box<kube::Error>,
    },
}

/// Where one member of a group on Kubernetes runs.
pub struct KubernetesPlatform {
    claim: Api<PersistentVolumeClaim>,
    claim_name: String,
    record: LeaseRecord,
    roster: PodRoster,
    route: PodRoute,
    notices: PodNotices,
}

impl KubernetesPlatform {
    /// The place of this pod. Waits for nothing: the API server may be down.
    pub fn of(pod: &Pod) -> Result<Self, PlaceError> {
        let config = Config::incluster().map_err(|source| PlaceError::Configuration { source })?;
        Self::with(&config, pod)
    }

    /// The same with a configuration that is known.
    pub fn with(config: &Config, pod: &Pod) -> Result<Self, PlaceError> {
        let client = || {
            let mut config = config.clone();
            config.connect_timeout = Some(CONNECT);
            // Each call has a deadline of its own, and a watch may be silent for long.
            (config.read_timeout, config.write_timeout) = (None, None);
            config.default_retry = false;
            Client::try_from(config).map_err(|source| PlaceError::Client { source: source.into() })
        };
        let names = Names::of(&pod.group);
        let record = LeaseRecord::new(&names, &pod.namespace, client()?, client()?, client()?);
        Ok(Self {
            claim: Api::namespaced(client()?, &pod.namespace),
            claim_name: format!("{DATA_VOLUME}-{}", pod.name),
            roster: PodRoster::start(pod, client()?),
            route: match pod.routing {
                Routing::Slice => {
                    let lease = record.metadata();
                    let route = SliceRoute::new(pod, &names, lease, client()?, client()?);
                    PodRoute::Slice(route)
                }
                Routing::Labels => PodRoute::Labels(LabelRoute::new(pod, client()?)),
            },
            notices: PodNotices::new(pod, client()?),
            record,
        })
    }
}

/// Where clients are sent, in one of two ways.
pub enum PodRoute {
    /// By the address in an EndpointSlice.
    Slice(SliceRoute),
    /// By the label that a Service selects.
    Labels(LabelRoute),
}

impl RouteStore for PodRoute {
    async fn publish(&self, route: &Route, within: Duration) -> Result<Published, StoreError> {
        match self {
            Self::Slice(slice) => slice.publish(route, within).await,
            Self::Labels(labels) => labels.publish(route, within).await,
        }
    }

    async fn disturbed(&self) {
        match self {
            Self::Slice(slice) => slice.disturbed().await,
            Self::Labels(labels) => labels.disturbed().await,
        }
    }
}

impl KubernetesPlatform {
    /// What tells this member's volume from any other: the claim's UID and the volume it is bound
    /// to. `None` when the API server does not say so in time.
    pub async fn volume(&self, limit: Duration) -> Option<String> {
        let claim = calls::within(limit, self.claim.get(&self.claim_name)).await.ok()?;
        let volume = claim.spec?.volume_name?;
        Some(format!("{}/{volume}", claim.metadata.uid?))
    }
}

impl Platform for KubernetesPlatform {
    type Record = LeaseRecord;
    type Roster = PodRoster;
    type Route = PodRoute;
    type Notices = PodNotices;

    fn record(&self) -> &LeaseRecord {
        &self.record
    }

    fn roster(&self) -> &PodRoster {
        &self.roster
    }

    fn route(&self) -> &PodRoute {
        &self.route
    }

    fn notices(&self) -> &PodNotices {
        &self.notices
    }
}
