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
        Ok(answer) => answer.map_err(|error| failed(&error)),
        Err(_) => Err(StoreError::Unanswered(format!("no answer within {} ms", limit.as_millis()))),
    }
}

/// The same for a call on one object: `None` when there is no such object.
pub(super) async fn found_within<T>(
    limit: Duration,
    call: impl Future<Output = kube::Result<T>>,
) -> Result<Option<T>, StoreError> {
    let found = async {
        match call.await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
            other => other.map(Some),
        }
    };
    within(limit, found).await
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

    fn refused_by(code: u16) -> kube::Error {
        let status = Status { code, reason: "R".to_owned(), ..Status::default() };
        kube::Error::Api(Box::new(status))
    }

    fn refused(code: u16) -> StoreError {
        failed(&refused_by(code))
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
    async fn an_object_that_is_not_there_is_an_answer_and_no_other_refusal_is() {
        let limit = Duration::from_secs(1);
        let refusal = |code| std::future::ready(Err::<(), _>(refused_by(code)));
        assert_eq!(found_within(limit, std::future::ready(Ok(7))).await, Ok(Some(7)));
        assert_eq!(found_within(limit, refusal(404)).await, Ok(None));
        assert_eq!(found_within(limit, refusal(409)).await, Err(StoreError::Conflict));
        let denied = found_within(limit, refusal(403)).await;
        assert!(matches!(denied, Err(StoreError::Unavailable(_))), "{denied:?}");
    }

    #[tokio::test]
    async fn a_call_without_an_answer_may_have_been_carried_out() {
        let never = std::future::pending::<kube::Result<()>>();
        let outcome = within(Duration::from_millis(1), never).await;
        assert!(matches!(outcome, Err(StoreError::Unanswered(_))), "{outcome:?}");
    }
}
