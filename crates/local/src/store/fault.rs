//! Faults that tests and chaos put into a running store, and the caller that does so.

use std::net::SocketAddr;
use std::time::Duration;

use hyper::{Method, StatusCode};
use serde::{Deserialize, Serialize};

use super::{Object, Stored};
use crate::http::{Answer, Caller, HttpError};

/// Faults do not reach the control itself: it answers at once.
const DEADLINE: Duration = Duration::from_secs(5);

/// What is wrong with the store now; all off in a healthy one, and after a restart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Every request is answered 503 at once, waiting ones too.
    pub down: bool,
    /// No request is answered until this is off again; what waited then is carried out.
    pub hang: bool,
    /// Every request waits this long first, in milliseconds.
    pub delay_ms: u64,
    /// Writes are carried out, but their answers never come.
    pub ambiguous: bool,
    /// Writes are answered 403.
    pub read_only: bool,
    /// Every request is answered 403.
    pub forbidden: bool,
}

/// Why the faults of a store could not be set.
#[derive(Debug, thiserror::Error)]
pub enum FaultError {
    /// The store's process did not answer.
    #[error("the control of the record store does not answer")]
    Call {
        /// What happened to the call.
        #[from]
        source: HttpError,
    },
    /// The store's process refused.
    #[error("the control of the record store answers {status}")]
    Refused {
        /// Its answer.
        status: StatusCode,
    },
}

/// Sets the faults of a running store.
#[derive(Debug)]
pub struct FaultControl {
    caller: Caller,
}

impl FaultControl {
    /// The control of the store that listens on `address`.
    pub fn new(address: SocketAddr, token: String) -> Self {
        Self { caller: Caller::new(address, Some(token)) }
    }

    /// Replaces all faults by these; the default heals the store.
    pub async fn set(&self, faults: Faults) -> Result<(), FaultError> {
        let body = serde_json::to_vec(&faults).expect("faults have string keys");
        let answer = self.caller.call(Method::PUT, "/control", Some(body), DEADLINE).await?;
        is_done(&answer, &[StatusCode::OK])
    }

    /// Takes an object away, as somebody with too many rights does; no matter if it is not there.
    pub async fn delete(&self, object: Object) -> Result<(), FaultError> {
        let path = format!("/v1/objects/{object}");
        let answer = self.caller.call(Method::DELETE, &path, None, DEADLINE).await?;
        is_done(&answer, &[StatusCode::OK, StatusCode::NOT_FOUND])
    }
}

/// How often others may write between the look and the write of a rollback.
const TRIES: u32 = 50;

impl FaultControl {
    /// Makes an object what it was `age` ago, as a store that was restored from a copy: its content
    /// goes back, its version goes on. Takes as long as it goes back.
    pub async fn roll_back(&self, object: Object, age: Duration) -> Result<(), FaultError> {
        let old = self.read(object).await?;
        // The age of the copy, not a wait for anything.
        tokio::time::sleep(age).await;
        let document = old.document.as_ref().map(serde_json::to_vec).transpose();
        let document = document.expect("it was JSON before");
        for _ in 0..TRIES {
            let now = self.read(object).await?;
            let path = format!("/v1/objects/{object}?expect={}", now.version);
            let answer = self.caller.call(Method::PUT, &path, document.clone(), DEADLINE).await?;
            if answer.status != StatusCode::CONFLICT {
                return is_done(&answer, &[StatusCode::OK]);
            }
        }
        Err(FaultError::Refused { status: StatusCode::CONFLICT })
    }

    async fn read(&self, object: Object) -> Result<Stored, FaultError> {
        let path = format!("/v1/objects/{object}");
        let answer = self.caller.call(Method::GET, &path, None, DEADLINE).await?;
        is_done(&answer, &[StatusCode::OK])?;
        serde_json::from_slice(&answer.body)
            .map_err(|_| FaultError::Refused { status: answer.status })
    }
}

fn is_done(answer: &Answer, wanted: &[StatusCode]) -> Result<(), FaultError> {
    if wanted.contains(&answer.status) {
        return Ok(());
    }
    Err(FaultError::Refused { status: answer.status })
}
