//! The record in a Lease (failover.md 2.1): replaced as a whole with its resourceVersion, and with
//! everything kept that is not ours.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use brain::{HandoverWish, Incarnation, MemberName, Record, Version};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client};
use platform::{RecordStore, StoreError};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::calls::{found_within, in_words, within};
use super::follow::follow;
use super::slice::LeaseMeta;
use crate::names::{
    HANDOVER_ANNOTATION, MEMBERS_ANNOTATION, Names, PAUSED_ANNOTATION, RECORD_ANNOTATION,
};

/// Fields of the record that have an annotation of their own: others than agents write them.
const APART: [&str; 3] = ["members", "paused", "handover"];

/// Why a Lease holds no record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// An annotation is no JSON of its kind.
    #[error("the annotation {annotation} of the Lease cannot be read")]
    Annotation {
        /// Which.
        annotation: &'static str,
        /// The cause.
        source: serde_json::Error,
    },
}

/// Reads the record of a Lease. One that no agent has written yet holds the first record
/// (failover.md 2.11): the names to wait for, and W.
pub fn decode(lease: &Lease) -> Result<Record, RecordError> {
    let annotations = lease.metadata.annotations.as_ref();
    let text = |name: &str| annotations.and_then(|all| all.get(name)).map(String::as_str);
    let members: Option<Vec<MemberName>> = parse(MEMBERS_ANNOTATION, text(MEMBERS_ANNOTATION))?;
    // A person's hand may have written it: what nobody can read is no wish, and no reason to be
    // without a record. The next write takes it away.
    let handover: Option<HandoverWish> = parse(HANDOVER_ANNOTATION, text(HANDOVER_ANNOTATION))
        .unwrap_or_else(|error| {
            tracing::warn!(error = in_words(&error), "a wish for a handover is not heeded");
            None
        });
    let mut record = match parse::<Record>(RECORD_ANNOTATION, text(RECORD_ANNOTATION))? {
        Some(record) => record,
        None => Record::first(Vec::new(), lease_ms(lease)),
    };
    record.members = members.unwrap_or_default();
    record.handover = handover;
    record.paused = text(PAUSED_ANNOTATION).is_some_and(|paused| paused == "true");
    Ok(record)
}

fn parse<T: serde::de::DeserializeOwned>(
    annotation: &'static str,
    text: Option<&str>,
) -> Result<Option<T>, RecordError> {
    let read = |text| serde_json::from_str(text);
    text.map(read).transpose().map_err(|source| RecordError::Annotation { annotation, source })
}

fn lease_ms(lease: &Lease) -> u64 {
    let seconds = lease.spec.as_ref().and_then(|spec| spec.lease_duration_seconds);
    seconds.and_then(|s| u64::try_from(s).ok()).unwrap_or_default() * 1000
}

/// The Lease that holds this record: what `base` has that is not ours stays as it is.
pub fn encode(record: &Record, mut base: ObjectMeta, now: Timestamp) -> Lease {
    let mut document = serde_json::to_value(record).expect("a record has string keys");
    let fields = document.as_object_mut().expect("a record is an object");
    let mut apart = APART.map(|field| fields.remove(field).unwrap_or(Value::Null)).into_iter();
    let annotations = base.annotations.get_or_insert_default();
    annotations.insert(RECORD_ANNOTATION.to_owned(), document.to_string());
    for name in [MEMBERS_ANNOTATION, PAUSED_ANNOTATION, HANDOVER_ANNOTATION] {
        match apart.next().unwrap_or(Value::Null) {
            Value::Null | Value::Bool(false) => annotations.remove(name),
            value => annotations.insert(name.to_owned(), value.to_string()),
        };
    }
    // The server's own: it refuses none of them, and sets them itself.
    base.managed_fields = None;
    Lease {
        metadata: base,
        spec: Some(LeaseSpec {
            holder_identity: Some(
                record.holder.as_ref().map(Incarnation::to_string).unwrap_or_default(),
            ),
            lease_duration_seconds: Some(whole_seconds(record.lease_ms)),
            lease_transitions: Some((record.epoch.0 & 0x7fff_ffff) as i32),
            renew_time: Some(MicroTime(now)),
            ..LeaseSpec::default()
        }),
    }
}

/// W as Kubernetes shows it; at least one.
pub(crate) fn whole_seconds(ms: u64) -> i32 {
    i32::try_from(ms.div_ceil(1000)).unwrap_or(i32::MAX).max(1)
}

/// What the watch has seen.
#[derive(Clone, Debug)]
enum Seen {
    /// Nothing yet.
    Nothing,
    /// The record, or that there is none.
    Record(Option<Box<(Version, Record)>>),
}

/// The record behind the API server.
pub struct LeaseRecord {
    name: String,
    reads: Api<Lease>,
    writes: Api<Lease>,
    /// The newest metadata, of which what is not ours is kept.
    base: LeaseMeta,
    seen: watch::Receiver<Seen>,
    /// Ends with this.
    watching: JoinHandle<()>,
}

impl Drop for LeaseRecord {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

impl LeaseRecord {
    /// The record of this group, read, written and watched by these clients.
    pub(super) fn new(
        names: &Names,
        namespace: &str,
        reads: Client,
        writes: Client,
        watches: Client,
    ) -> Self {
        let (sender, seen) = watch::channel(Seen::Nothing);
        let name = names.group.clone();
        let api = Api::namespaced(watches, namespace);
        let watched = follow(api, name.clone(), move |lease| publish(&sender, lease));
        Self {
            base: Arc::new(Mutex::new(ObjectMeta {
                name: Some(name.clone()),
                namespace: Some(namespace.to_owned()),
                labels: Some(crate::names::labels(&names.group)),
                ..ObjectMeta::default()
            })),
            name,
            reads: Api::namespaced(reads, namespace),
            writes: Api::namespaced(writes, namespace),
            seen,
            watching: tokio::spawn(watched),
        }
    }

    /// The newest metadata of the Lease, for what goes with it.
    pub(super) fn metadata(&self) -> LeaseMeta {
        Arc::clone(&self.base)
    }

    fn base(&self) -> MutexGuard<'_, ObjectMeta> {
        // A panic elsewhere cannot leave it half written: it is replaced as a whole.
        self.base.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, lease: &Lease) -> Result<(Version, Record), StoreError> {
        self.base().clone_from(&lease.metadata);
        taken(lease)
    }
}

fn taken(lease: &Lease) -> Result<(Version, Record), StoreError> {
    let record = decode(lease).map_err(|error| StoreError::Unavailable(in_words(&error)))?;
    Ok((version(&lease.metadata), record))
}

fn version(metadata: &ObjectMeta) -> Version {
    Version(metadata.resource_version.clone().unwrap_or_default())
}

impl RecordStore for LeaseRecord {
    async fn read(&self, limit: Duration) -> Result<Option<(Version, Record)>, StoreError> {
        let found = within(limit, self.reads.get_opt(&self.name)).await?;
        found.map(|lease| self.note(&lease)).transpose()
    }

    async fn replace(
        &self,
        expected: Option<&Version>,
        record: &Record,
        limit: Duration,
    ) -> Result<Version, StoreError> {
        let mut base = self.base().clone();
        let parameters = PostParams::default();
        let written = if let Some(expected) = expected {
            base.resource_version = Some(expected.0.clone());
            let lease = encode(record, base, Timestamp::now());
            found_within(limit, self.writes.replace(&self.name, &parameters, &lease)).await?
        } else {
            // A Lease that was deleted is made anew: what was the old one's own goes.
            (base.resource_version, base.uid, base.creation_timestamp) = (None, None, None);
            let lease = encode(record, base, Timestamp::now());
            found_within(limit, self.writes.create(&parameters, &lease)).await?
        };
        // It was deleted: another version than expected stands there, so to speak.
        let written = written.ok_or(StoreError::Conflict)?;
        // It stands: what the server shows of it is not asked.
        self.base().clone_from(&written.metadata);
        Ok(version(&written.metadata))
    }

    async fn changed(
        &self,
        after: Option<&Version>,
        limit: Duration,
    ) -> Result<Option<(Version, Record)>, StoreError> {
        let mut seen = self.seen.clone();
        let is_other = |seen: &Seen| match seen {
            Seen::Nothing => false,
            Seen::Record(found) => found.as_ref().map(|found| &found.0) != after,
        };
        // Over or changed: what is known now is the answer.
        let _ = tokio::time::timeout(limit, seen.wait_for(is_other)).await;
        match &*self.seen.borrow() {
            Seen::Nothing => Err(StoreError::Unavailable("the Lease was not seen yet".to_owned())),
            Seen::Record(found) => Ok(found.as_deref().cloned()),
        }
    }
}

fn publish(sender: &watch::Sender<Seen>, lease: Option<&Lease>) {
    match lease.map(taken).transpose() {
        Ok(found) => drop(sender.send_replace(Seen::Record(found.map(Box::new)))),
        // The last one stands; a read says the same to who decides.
        Err(error) => tracing::error!(%error, "the Lease holds no record"),
    }
}

#[cfg(test)]
mod tests;
