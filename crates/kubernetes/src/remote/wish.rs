//! A person's wish for a handover, written into the record: the Lease's annotation, with the
//! version that was read as the precondition (failover.md 2.1).

use std::time::Duration;

use brain::{HandoverWish, MemberName, Record};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::RemoteGroup;
use super::error::{CallError, RemoteError, within};
use crate::names::HANDOVER_ANNOTATION;
use crate::platform::{RecordError, decode};

/// Agents write at most twice a renewal: more conflicts in a row are no coincidence.
const ATTEMPTS: u32 = 5;

impl RemoteGroup {
    /// Writes the wish that `from` hands over, to `to` or to whom it chooses, if `from` still holds
    /// the Lease. Gives the wish's id. Whether it is fulfilled the agents' reports say.
    pub async fn wish_handover(
        &self,
        from: &str,
        to: Option<&str>,
        limit: Duration,
    ) -> Result<String, RemoteError> {
        let leases: Api<Lease> = self.cluster()?.api();
        let name = self.name();
        let id = new_id();
        for _ in 0..ATTEMPTS {
            let lease = within(limit, format!("get the Lease {name}"), leases.get(name)).await?;
            let record = decode(&lease).map_err(|source| self.unreadable(source))?;
            held_by(&record, from)?;
            let patch = Patch::Merge(patch(lease.metadata.resource_version.as_deref(), &id, to));
            let parameters = PatchParams::default();
            let written = leases.patch(name, &parameters, &patch);
            match within(limit, format!("patch the Lease {name}"), written).await {
                Ok(_) => return Ok(id),
                Err(error) if is_conflict(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Err(RemoteError::Contended { group: name.to_owned(), attempts: ATTEMPTS })
    }

    /// Takes the wish with this id back; false if it stands there no more.
    pub async fn withdraw_handover(&self, id: &str, limit: Duration) -> Result<bool, RemoteError> {
        let leases: Api<Lease> = self.cluster()?.api();
        let name = self.name();
        for _ in 0..ATTEMPTS {
            let lease = within(limit, format!("get the Lease {name}"), leases.get(name)).await?;
            let record = decode(&lease).map_err(|source| self.unreadable(source))?;
            if record.handover.is_none_or(|wish| wish.id != id) {
                return Ok(false);
            }
            let patch = Patch::Merge(json!({ "metadata": {
                "resourceVersion": lease.metadata.resource_version,
                "annotations": { HANDOVER_ANNOTATION: null },
            }}));
            let parameters = PatchParams::default();
            let written = leases.patch(name, &parameters, &patch);
            match within(limit, format!("patch the Lease {name}"), written).await {
                Ok(_) => return Ok(true),
                Err(error) if is_conflict(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Err(RemoteError::Contended { group: name.to_owned(), attempts: ATTEMPTS })
    }

    fn unreadable(&self, source: RecordError) -> RemoteError {
        RemoteError::Record { group: self.name().to_owned(), source }
    }
}

fn held_by(record: &Record, from: &str) -> Result<(), RemoteError> {
    let holder = record.holder.as_ref().map(|holder| holder.id.name.0.clone());
    if holder.as_deref() == Some(from) {
        return Ok(());
    }
    Err(RemoteError::Moved { expected: from.to_owned(), holder })
}

fn patch(version: Option<&str>, id: &str, to: Option<&str>) -> Value {
    let wish = HandoverWish { id: id.to_owned(), to: to.map(MemberName::from) };
    let text = serde_json::to_string(&wish).expect("a wish has text keys");
    json!({ "metadata": {
        "resourceVersion": version,
        "annotations": { HANDOVER_ANNOTATION: text },
    }})
}

fn is_conflict(error: &RemoteError) -> bool {
    let RemoteError::Call { source: CallError::Refused(status), .. } = error else { return false };
    status.code == 409
}

/// Tells one wish from the next.
fn new_id() -> String {
    let mut bytes = [0; 8];
    // Without randomness a wish of the same moment may be taken for the one before it.
    if getrandom::fill(&mut bytes).is_err() {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        bytes = (now.unwrap_or_default().as_micros() as u64).to_be_bytes();
    }
    format!("person-{:016x}", u64::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use brain::{Incarnation, MemberId};

    use super::*;

    #[test]
    fn a_wish_names_the_version_that_was_read() {
        let patch = patch(Some("17"), "person-1", Some("cart-2"));
        assert_eq!(patch["metadata"]["resourceVersion"], "17");
        let text = patch["metadata"]["annotations"][HANDOVER_ANNOTATION].as_str().expect("a text");
        let wish: HandoverWish = serde_json::from_str(text).expect("a wish");
        assert_eq!(wish.to, Some(MemberName::from("cart-2")));
        assert_eq!(wish.id, "person-1");
    }

    #[test]
    fn a_wish_is_meant_for_one_holder() {
        let name = MemberName::from("cart-0");
        let id = MemberId { name, pod: "u0".into(), state: "s0".into() };
        let holder = Some(Incarnation { id, boot: "b0".into() });
        let record = Record { holder, ..Record::default() };
        assert!(held_by(&record, "cart-0").is_ok());
        let moved = held_by(&record, "cart-1").expect_err("another leads").to_string();
        assert_eq!(moved, "cart-1 does not hold the Lease any more: cart-0 does");
        assert!(held_by(&Record::default(), "cart-0").is_err());
    }

    #[test]
    fn wishes_differ() {
        assert_ne!(new_id(), new_id());
    }
}
