//! Asking an agent over its HTTP for a change of the primary: a handover, or a new beginning.

use std::time::Duration;

use agent::PeerKeys;
use hyper::{Method, StatusCode};
use local::home::Member;
use local::http::{Caller, HttpError};
use serde::{Deserialize, Serialize};

use crate::group::Group;

/// What is asked for.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Wish {
    /// To whom; `None`: the best.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) to: Option<String>,
    /// Only say what would be done.
    pub(crate) dry_run: bool,
}

#[derive(Deserialize)]
struct Said {
    text: String,
}

/// Why there was no handover.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandoverError {
    /// The key that allows to ask cannot be read.
    #[error("cannot read the key of the group's agents")]
    Key {
        /// What is in the way.
        #[from]
        source: agent::KeyError,
    },
    /// The agent did not answer.
    #[error("the agent of {member} does not answer")]
    Call {
        /// Who was asked.
        member: String,
        /// What happened to the call.
        source: HttpError,
    },
    /// There is no such member.
    #[error("there is nobody to ask")]
    NoMember {
        /// The cause.
        #[from]
        source: local::home::HomeError,
    },
    /// It cannot be asked for on Kubernetes.
    #[error(transparent)]
    Remote {
        /// The cause.
        #[from]
        source: kubernetes::remote::RemoteError,
    },
    /// The agent refused: nothing was changed.
    #[error("{reason}")]
    Refused {
        /// Its words.
        reason: String,
    },
    /// It was begun, and nobody knows how it ends.
    #[error("the change has not ended: {reason}")]
    Unended {
        /// The agent's words.
        reason: String,
    },
}

/// Asks the agent of `member` for a handover, and waits for the outcome in its words.
pub(crate) async fn ask(
    group: &Group,
    member: &Member,
    wish: &Wish,
    within: Duration,
) -> Result<String, HandoverError> {
    let body = serde_json::to_vec(wish).expect("a wish has string keys");
    let (status, words) = post(group, member, "/v1/handover", Some(body), within).await?;
    match status {
        status if status.is_success() => Ok(words),
        StatusCode::GATEWAY_TIMEOUT => Err(HandoverError::Unended { reason: words }),
        _ if !wish.dry_run => settled(group, member, wish, words).await,
        _ => Err(HandoverError::Refused { reason: words }),
    }
}

/// Asks the agent of `member` to lead with what it has, whatever that loses.
pub(crate) async fn promote(
    group: &Group,
    member: &Member,
    within: Duration,
) -> Result<String, HandoverError> {
    let (status, words) = post(group, member, "/v1/promote", None, within).await?;
    outcome(status, words)
}

/// What an agent's answer means.
pub(crate) fn answered(status: StatusCode, body: &[u8]) -> Result<String, HandoverError> {
    outcome(status, words(status, body))
}

fn outcome(status: StatusCode, words: String) -> Result<String, HandoverError> {
    match status {
        status if status.is_success() => Ok(words),
        StatusCode::GATEWAY_TIMEOUT => Err(HandoverError::Unended { reason: words }),
        _ => Err(HandoverError::Refused { reason: words }),
    }
}

fn words(status: StatusCode, body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body).trim().to_owned();
    let said: Option<Said> = serde_json::from_slice(body).ok();
    let words = said.map_or(text, |said| said.text);
    if words.is_empty() { status.to_string() } else { words }
}

/// The answer's status, and its words.
async fn post(
    group: &Group,
    member: &Member,
    path: &str,
    body: Option<Vec<u8>>,
    within: Duration,
) -> Result<(StatusCode, String), HandoverError> {
    let keys = PeerKeys::read(&group.home.peer_key_file())?;
    let token = keys.first().bearer_token(&group.home.group().id);
    let caller = Caller::new(group.home.group().http_address(member), Some(token));
    let answer = caller.call(Method::POST, path, body, within).await;
    let answer =
        answer.map_err(|source| HandoverError::Call { member: member.name.clone(), source })?;
    Ok((answer.status, words(answer.status, &answer.body)))
}

/// A primary that is told of its successor before its own write is answered calls itself deposed:
/// then what was asked for has happened all the same.
async fn settled(
    group: &Group,
    from: &Member,
    wish: &Wish,
    words: String,
) -> Result<String, HandoverError> {
    let judged = group.look().await.judgement;
    match judged.primary {
        Some(now) if now != from.name && wish.to.as_ref().is_none_or(|to| *to == now) => {
            Ok(format!("{now} leads epoch {}", judged.epoch))
        }
        _ => Err(HandoverError::Refused { reason: words }),
    }
}
