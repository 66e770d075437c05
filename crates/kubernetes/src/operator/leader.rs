//! Which of several operators works: a Lease of their own, taken and renewed by replace with its
//! resourceVersion. Two at once would only do the same work twice: everything that they write is
//! either idempotent or has a precondition.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::time::Instant;

use crate::names::OPERATOR_LEASE;

/// How long a leader that says nothing is respected.
const LEASE_S: i32 = 60;

/// How often a leader says that it is there, and others look: three writes a minute, however many
/// groups there are. Nothing about the data waits for an operator, so it may be slow to change.
const EVERY: Duration = Duration::from_secs(20);

/// How long one call may take: two of them fit into the time that a leader is respected.
const CALL: Duration = Duration::from_secs(4);

/// One operator among others.
pub(super) struct Candidate {
    api: Api<Lease>,
    me: String,
    /// What was seen last, and since when it has stood so on this clock.
    seen: Option<(String, Instant)>,
}

impl Candidate {
    /// An operator of this name, in the namespace that operators share.
    pub(super) fn new(client: Client, namespace: &str, me: &str) -> Self {
        Self { api: Api::namespaced(client, namespace), me: me.to_owned(), seen: None }
    }

    /// Waits until this one leads.
    pub(super) async fn lead(&mut self) {
        while !self.attempt().await {
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Goes on leading; returns once that is not certain any more.
    pub(super) async fn keep(&mut self) {
        let respected = Duration::from_secs(LEASE_S as u64);
        let mut until = Instant::now() + respected;
        while Instant::now() < until {
            tokio::time::sleep(EVERY).await;
            let sent = Instant::now();
            if self.attempt().await {
                until = sent + respected;
            } else if self.is_anothers().await {
                return;
            }
        }
    }

    /// Gives the lead up, so that the next one need not wait.
    pub(super) async fn release(&mut self) {
        let Ok(Some(mut lease)) = self.get().await else { return };
        if holder(&lease) == Some(self.me.as_str()) {
            lease.spec.get_or_insert_default().holder_identity = None;
            let parameters = PostParams::default();
            let replaced = self.api.replace(OPERATOR_LEASE, &parameters, &lease);
            if !matches!(tokio::time::timeout(CALL, replaced).await, Ok(Ok(_))) {
                tracing::info!("the lead is not released: the next operator waits for it");
            }
        }
    }

    async fn get(&self) -> kube::Result<Option<Lease>> {
        match tokio::time::timeout(CALL, self.api.get_opt(OPERATOR_LEASE)).await {
            Ok(found) => found,
            Err(_) => Ok(None),
        }
    }

    async fn is_anothers(&self) -> bool {
        let Ok(Some(lease)) = self.get().await else { return false };
        holder(&lease).is_some_and(|holder| holder != self.me)
    }

    /// Takes or renews the lease where that is allowed; whether this one leads.
    async fn attempt(&mut self) -> bool {
        let found = match self.get().await {
            Ok(found) => found,
            Err(error) => {
                tracing::debug!(%error, "the operators' lease cannot be read");
                return false;
            }
        };
        let mut lease = found.unwrap_or_else(|| Lease {
            metadata: ObjectMeta { name: Some(OPERATOR_LEASE.to_owned()), ..ObjectMeta::default() },
            spec: None,
        });
        let version = lease.metadata.resource_version.clone();
        let held = holder(&lease).filter(|holder| *holder != self.me);
        if held.is_some() && !self.is_silent(version.as_deref().unwrap_or_default()) {
            return false;
        }
        let changes = holder(&lease) != Some(self.me.as_str());
        let spec = lease.spec.get_or_insert_with(LeaseSpec::default);
        spec.holder_identity = Some(self.me.clone());
        spec.lease_duration_seconds = Some(LEASE_S);
        let now = MicroTime(Timestamp::now());
        if changes {
            spec.acquire_time = Some(now.clone());
            spec.lease_transitions = Some(spec.lease_transitions.unwrap_or(0).wrapping_add(1));
        }
        spec.renew_time = Some(now);
        let parameters = PostParams::default();
        let written = async {
            match version {
                Some(_) => self.api.replace(OPERATOR_LEASE, &parameters, &lease).await,
                None => self.api.create(&parameters, &lease).await,
            }
        };
        matches!(tokio::time::timeout(CALL, written).await, Ok(Ok(_)))
    }

    /// Whether the same version has stood for longer than its holder is respected, by this clock
    /// alone.
    fn is_silent(&mut self, version: &str) -> bool {
        match &self.seen {
            Some((known, since)) if known == version => {
                since.elapsed() >= Duration::from_secs(LEASE_S as u64)
            }
            _ => {
                self.seen = Some((version.to_owned(), Instant::now()));
                false
            }
        }
    }
}

fn holder(lease: &Lease) -> Option<&str> {
    let holder = lease.spec.as_ref()?.holder_identity.as_deref()?;
    (!holder.is_empty()).then_some(holder)
}
