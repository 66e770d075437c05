//! Why something on Kubernetes could not be done, told by object and cause.

use std::error::Error;
use std::time::Duration;

use kube::core::Status;

use crate::platform::in_words;

/// Why a group cannot be looked at or acted upon.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// The API server refuses.
    #[error("not allowed to {what}")]
    Forbidden {
        /// The verb and the object: `get the Lease cart`.
        what: String,
        /// The API server's words, which name the right that lacks.
        source: CallError,
    },
    /// The API server does not know who asks.
    #[error("the API server does not accept the credentials of the kubeconfig")]
    Unauthorized {
        /// Its words.
        source: CallError,
    },
    /// There is no such namespace.
    #[error("there is no namespace {namespace}")]
    NoNamespace {
        /// Which.
        namespace: String,
    },
    /// There is no such group.
    #[error("there is no group {group} in the namespace {namespace}")]
    NoGroup {
        /// Which.
        group: String,
        /// Where it was looked for.
        namespace: String,
        /// The groups that there are.
        known: Vec<String>,
    },
    /// There is a Lease of the name, and it is somebody else's.
    #[error("the Lease {group} in the namespace {namespace} is not the record of a group")]
    NotOurs {
        /// Its name.
        group: String,
        /// Its namespace.
        namespace: String,
    },
    /// The Lease holds no record.
    #[error("the Lease {group} cannot be read as a record")]
    Record {
        /// Which.
        group: String,
        /// The cause.
        source: crate::platform::RecordError,
    },
    /// The call failed.
    #[error("cannot {what}")]
    Call {
        /// What was to be done: `list the pods of cart`.
        what: String,
        /// The cause.
        source: CallError,
    },
    /// The API server did not answer in time.
    #[error("cannot {what}: no answer within {:.1} s", within.as_secs_f32())]
    Late {
        /// What was to be done.
        what: String,
        /// The deadline.
        within: Duration,
    },
    /// The API server is away, and nothing is known of an earlier time.
    #[error(
        "the API server {server} (context {context}) cannot be asked, and where the agents of \
         {group} are is not known"
    )]
    Unreachable {
        /// The group.
        group: String,
        /// Its URL.
        server: String,
        /// The context of the kubeconfig.
        context: String,
        /// Why it cannot be asked.
        source: Box<RemoteError>,
    },
    /// This needs the API server, and only agents were named.
    #[error("this goes through the API server, and only agents were named")]
    OnlyAgents,
    /// The record changed again and again while a wish was to be written.
    #[error("the Lease {group} changed under each of {attempts} attempts to write into it")]
    Contended {
        /// Which.
        group: String,
        /// How many.
        attempts: u32,
    },
    /// Somebody else leads than a wish was meant for.
    #[error("{expected} does not hold the Lease any more: {} does", holder.as_deref().unwrap_or("nobody"))]
    Moved {
        /// Who was to lead.
        expected: String,
        /// Who does.
        holder: Option<String>,
    },
    /// The Secret has no such key.
    #[error("the Secret {secret} has no key {key}")]
    NoKey {
        /// Which.
        secret: String,
        /// Which.
        key: &'static str,
    },
    /// The agent cannot be spoken to through the API server.
    #[error("cannot speak to the agent of {member} through the API server")]
    Forward {
        /// Which.
        member: String,
        /// The cause.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A command in a pod failed.
    #[error("{command:?} failed in the pod {pod}: {why}")]
    Command {
        /// The pod.
        pod: String,
        /// What was run.
        command: String,
        /// What it said.
        why: String,
    },
}

/// Why a call failed, in few words: a client's layers mean nothing to a person.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The API server's answer is a refusal.
    #[error("{} ({})", .0.message, .0.code)]
    Refused(Box<Status>),
    /// There is no answer.
    #[error("{0}")]
    Unanswered(String),
}

impl RemoteError {
    /// What a call's failure means.
    pub(super) fn of(what: impl Into<String>, error: kube::Error) -> Self {
        let what = what.into();
        match error {
            kube::Error::Api(status) => {
                let (code, source) = (status.code, CallError::Refused(status));
                match code {
                    403 => Self::Forbidden { what, source },
                    401 => Self::Unauthorized { source },
                    _ => Self::Call { what, source },
                }
            }
            other => {
                let words = innermost(&other).unwrap_or_else(|| other.to_string());
                Self::Call { what, source: CallError::Unanswered(words) }
            }
        }
    }

    /// Whether the API server gave no answer of its own: then the agents are worth a try.
    pub fn is_away(&self) -> bool {
        match self {
            Self::Call { source: CallError::Refused(status), .. } => {
                status.code == 429 || status.code >= 500
            }
            Self::Late { .. } | Self::Call { source: CallError::Unanswered(_), .. } => true,
            _ => false,
        }
    }

    /// The error with its innermost cause, in one line.
    pub(super) fn in_words(&self) -> String {
        let innermost = innermost(self);
        match innermost {
            Some(cause) => format!("{self}: {cause}"),
            None => self.to_string(),
        }
    }
}

/// The last cause, in few words.
fn innermost(error: &(dyn Error + 'static)) -> Option<String> {
    let mut last = error.source()?;
    while let Some(source) = last.source() {
        last = source;
    }
    Some(plain(last))
}

/// An error in few words: the operating system's numbers mean nothing to most.
pub(super) fn plain(error: &(dyn Error + 'static)) -> String {
    use std::io::ErrorKind;
    match error.downcast_ref::<std::io::Error>().map(std::io::Error::kind) {
        Some(ErrorKind::ConnectionRefused) => "connection refused".to_owned(),
        Some(ErrorKind::TimedOut) => "no connection in time".to_owned(),
        _ => in_words(error),
    }
}

/// Awaits one call for at most so long.
pub(super) async fn within<T>(
    limit: Duration,
    what: impl Into<String>,
    call: impl Future<Output = kube::Result<T>>,
) -> Result<T, RemoteError> {
    let what = what.into();
    match tokio::time::timeout(limit, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(RemoteError::of(what, error)),
        Err(_) => Err(RemoteError::Late { what, within: limit }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: u16) -> RemoteError {
        let status = Status { code, ..Status::default() };
        RemoteError::of("get the Lease cart", kube::Error::Api(Box::new(status)))
    }

    #[test]
    fn only_a_silent_api_server_sends_us_to_the_agents() {
        for code in [429, 500, 503, 504] {
            assert!(refused(code).is_away(), "{code}");
        }
        for code in [400, 401, 403, 404, 409] {
            assert!(!refused(code).is_away(), "{code}");
        }
        let late = RemoteError::Late { what: String::new(), within: Duration::from_secs(1) };
        assert!(late.is_away());
    }

    #[test]
    fn a_refusal_names_the_verb_and_the_object() {
        assert_eq!(refused(403).to_string(), "not allowed to get the Lease cart");
    }
}
