//! Looking at a running group from outside: its members' reports, its record, its route; and the
//! handles on its faults and links.

use std::time::Duration;

use brain::report::MemberReport;
use brain::{Record, Route};
use hyper::{Method, StatusCode};
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;

use crate::home::{Home, HomeError};
use crate::http::{Caller, HttpError};
use crate::links::control::Control;
use crate::relay::loopback;
use crate::store::fault::FaultControl;
use crate::store::{Object, Stored, Version};

/// Why something of the group cannot be seen.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    /// The token cannot be read.
    #[error("cannot ask the record store")]
    Home {
        /// What is in the way.
        #[from]
        source: HomeError,
    },
    /// Nobody answered.
    #[error("{whom} does not answer")]
    Call {
        /// Who was asked.
        whom: String,
        /// What happened to the call.
        source: HttpError,
    },
    /// The answer was a refusal.
    #[error("{whom} answers {status}")]
    Refused {
        /// Who was asked.
        whom: String,
        /// The answer.
        status: StatusCode,
    },
    /// The answer cannot be read.
    #[error("the answer of {whom} cannot be read")]
    Unreadable {
        /// Who was asked.
        whom: String,
        /// What the reader says.
        source: serde_json::Error,
    },
}

/// Asks one member how it is.
pub async fn report(
    home: &Home,
    member: &str,
    within: Duration,
) -> Result<MemberReport, ObserveError> {
    let caller = Caller::new(home.group().http_address(home.member(member)?), None);
    let whom = format!("the agent of {member}");
    let answer = caller
        .call(Method::GET, "/v1/status", None, within)
        .await
        .map_err(|source| ObserveError::Call { whom: whom.clone(), source })?;
    if answer.status != StatusCode::OK {
        return Err(ObserveError::Refused { whom, status: answer.status });
    }
    serde_json::from_slice(&answer.body).map_err(|source| ObserveError::Unreadable { whom, source })
}

/// Asks all members at the same time; in the order of their ordinals.
pub async fn reports(
    home: &Home,
    within: Duration,
) -> Vec<(String, Result<MemberReport, ObserveError>)> {
    let mut asked = JoinSet::new();
    for (index, member) in home.group().members.iter().enumerate() {
        let (home, name) = (home.clone(), member.name.clone());
        asked.spawn(async move {
            let answer = report(&home, &name, within).await;
            (index, name, answer)
        });
    }
    let mut answers = asked.join_all().await;
    answers.sort_by_key(|(index, ..)| *index);
    answers.into_iter().map(|(_, name, answer)| (name, answer)).collect()
}

/// The faults of a running group's store.
pub fn faults(home: &Home) -> Result<FaultControl, HomeError> {
    Ok(FaultControl::new(home.group().store_address(), home.token()?))
}

/// The links of a running group.
pub fn links(home: &Home) -> Result<Control, HomeError> {
    Ok(Control::new(loopback(home.group().ports.control), home.token()?))
}

/// The record as the store has it, with its version.
pub async fn record(
    home: &Home,
    within: Duration,
) -> Result<Option<(Version, Record)>, ObserveError> {
    object(home, Object::Record, within).await
}

/// The route as the store has it, with its version.
pub async fn route(
    home: &Home,
    within: Duration,
) -> Result<Option<(Version, Route)>, ObserveError> {
    object(home, Object::Route, within).await
}

async fn object<T: DeserializeOwned>(
    home: &Home,
    object: Object,
    within: Duration,
) -> Result<Option<(Version, T)>, ObserveError> {
    let caller = Caller::new(home.group().store_address(), Some(home.token()?));
    let whom = "the record store".to_owned();
    let answer = caller
        .call(Method::GET, &format!("/v1/objects/{object}"), None, within)
        .await
        .map_err(|source| ObserveError::Call { whom: whom.clone(), source })?;
    let unreadable = |source| ObserveError::Unreadable { whom: whom.clone(), source };
    match answer.status {
        StatusCode::NOT_FOUND => Ok(None),
        StatusCode::OK => {
            let stored: Stored = serde_json::from_slice(&answer.body).map_err(unreadable)?;
            let document = stored.document.unwrap_or_default();
            let document = serde_json::from_value(document).map_err(unreadable)?;
            Ok(Some((stored.version, document)))
        }
        status => Err(ObserveError::Refused { whom, status }),
    }
}
