//! Asking an agent for a handover over its HTTP.

use std::time::Duration;

use hyper::{Method, StatusCode};
use local::http::{Caller, HttpError};
use serde::{Deserialize, Serialize};

/// What is asked for.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Wish {
    /// To whom; `None`: the best.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) to: Option<String>,
    /// Only say what would be done.
    pub(crate) dry_run: bool,
}

#[derive(Deserialize)]
struct Said {
    result: Option<String>,
    error: Option<String>,
}

/// Why there was no handover.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandoverError {
    /// The agent did not answer.
    #[error("the agent of the primary does not answer")]
    Call {
        /// What happened to the call.
        #[from]
        source: HttpError,
    },
    /// The agent refused.
    #[error("the handover was refused: {reason}")]
    Refused {
        /// Its words.
        reason: String,
    },
}

/// Asks, and waits for the outcome in the agent's words.
pub(crate) async fn ask(
    caller: &Caller,
    wish: &Wish,
    within: Duration,
) -> Result<String, HandoverError> {
    let body = serde_json::to_vec(wish).expect("a wish has string keys");
    let answer = caller.call(Method::POST, "/v1/failover", Some(body), within).await?;
    let text = String::from_utf8_lossy(&answer.body).trim().to_owned();
    let said: Option<Said> = serde_json::from_slice(&answer.body).ok();
    let words = said.and_then(|said| said.result.or(said.error)).unwrap_or(text);
    if answer.status.is_success() {
        return Ok(words);
    }
    let reason = match answer.status {
        StatusCode::NOT_FOUND if words.is_empty() => "the agent knows no handover".to_owned(),
        status if words.is_empty() => status.to_string(),
        _ => words,
    };
    Err(HandoverError::Refused { reason })
}
