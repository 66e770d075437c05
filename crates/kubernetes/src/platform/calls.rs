//! What the API server's refusals mean for a store: what changed nothing, and what may have.

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use hyper_util::client::legacy;
use platform::StoreError;

/// Awaits one call for at most so long; a call without an answer may still be carried out.
pub(super) async fn within<T>(
    limit: Duration,
    call: impl Future<Output = kube::Result<T>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(limit, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(failed(&error)),
        Err(_) => Err(StoreError::Unanswered(format!("no answer within {} ms", limit.as_millis()))),
    }
}

/// Statuses that the API server gives only when it has changed nothing are refusals; after any
/// other the write may have happened. None of them deposes anybody (failover.md 2.4).
fn failed(error: &kube::Error) -> StoreError {
    match error {
        kube::Error::Api(status) => {
            let words = format!("{} {}: {}", status.code, status.reason, status.message);
            match status.code {
                409 => StoreError::Conflict,
                400..=499 => StoreError::Unavailable(words),
                _ => StoreError::Unanswered(words),
            }
        }
        other if never_connected(other) => StoreError::Unavailable(in_words(other)),
        other => StoreError::Unanswered(in_words(other)),
    }
}

/// Whether nothing was sent, for certain.
fn never_connected(error: &kube::Error) -> bool {
    let mut cause: Option<&dyn Error> = Some(error);
    while let Some(this) = cause {
        if let Some(client) = this.downcast_ref::<legacy::Error>() {
            return client.is_connect();
        }
        cause = this.source();
    }
    false
}

/// The error with its causes, in one line.
pub(crate) fn in_words(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(this) = cause {
        let more = this.to_string();
        if !words.contains(&more) {
            words.push_str(": ");
            words.push_str(&more);
        }
        cause = this.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    fn refused(code: u16) -> StoreError {
        let status = Status { code, reason: "R".to_owned(), ..Status::default() };
        failed(&kube::Error::Api(Box::new(status)))
    }

    #[test]
    fn only_a_conflict_is_one_and_what_may_have_happened_is_told_apart() {
        assert_eq!(refused(409), StoreError::Conflict);
        for code in [400, 401, 403, 404, 422, 429] {
            assert!(matches!(refused(code), StoreError::Unavailable(_)), "{code}");
        }
        for code in [500, 502, 503, 504] {
            assert!(matches!(refused(code), StoreError::Unanswered(_)), "{code}");
        }
    }

    #[tokio::test]
    async fn a_call_without_an_answer_may_have_been_carried_out() {
        let never = std::future::pending::<kube::Result<()>>();
        let outcome = within(Duration::from_millis(1), never).await;
        assert!(matches!(outcome, Err(StoreError::Unanswered(_))), "{outcome:?}");
    }
}
