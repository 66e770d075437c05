//! The store over HTTP: get, compare-and-swap, long-poll, and on its own path the faults of tests.
//!
//! | request | answers |
//! |---|---|
//! | `GET /v1/objects/NAME` | 200 `Stored` · 404 `{version}` |
//! | the same with `?after=V&timeout_ms=T` | the same once it is not V · 304 after T |
//! | `PUT /v1/objects/NAME?expect=V` | 200 `{version}` · 409 `Stored` · 404 |
//! | `PUT /v1/objects/NAME`: only makes it | 200 `{version}` · 409 `Stored` |
//! | `DELETE /v1/objects/NAME` | 200 `{version}` · 404 |
//! | `GET`, `PUT /control` | the [`Faults`] |
//!
//! Every request carries `authorization: Bearer TOKEN`: other users of the machine have no part.
//! 503, 507, 401 and 403 mean that nothing was changed; 500 that nobody knows.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use axum::serve::ListenerExt;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::fault::Faults;
use super::{FileStore, Object, StoreError, Stored, Version, Written};

/// The longest a long-poll may wait, in milliseconds.
const LONGEST_POLL_MS: u64 = 60_000;

struct Shared {
    store: FileStore,
    token: String,
    faults: watch::Sender<Faults>,
    /// Counts the writes tried by this process: wakes the long-polls.
    changes: watch::Sender<u64>,
}

/// Serves the store on `listener` until the future is dropped. May be killed at any moment.
pub async fn serve(store: FileStore, token: String, listener: TcpListener) -> io::Result<()> {
    let shared = Arc::new(Shared {
        store,
        token,
        faults: watch::Sender::new(Faults::default()),
        changes: watch::Sender::new(0),
    });
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection to the store keeps Nagle's delay");
        }
    });
    axum::serve(listener, router(shared)).await
}

fn router(shared: Arc<Shared>) -> Router {
    let objects = Router::new()
        .route("/v1/objects/{name}", get(read).put(write).delete(remove))
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), suffer));
    Router::new()
        .route("/control", get(faults).put(set_faults))
        .merge(objects)
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), admit))
        .with_state(shared)
}

fn answer(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({ "error": error }))).into_response()
}

async fn admit(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let given = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "))
        .unwrap_or_default();
    if !same(given, shared.token.as_bytes()) {
        return answer(StatusCode::UNAUTHORIZED, "the token is not the one of this group");
    }
    next.run(request).await
}

/// Compares without telling by its duration where the first difference is.
pub(crate) fn same(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len()
        && left.iter().zip(right).fold(0, |differs, (one, other)| differs | (one ^ other)) == 0
}

async fn suffer(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let mut faults = shared.faults.subscribe();
    let now = *faults.borrow_and_update();
    if now.delay_ms > 0 {
        tokio::time::sleep(Duration::from_millis(now.delay_ms)).await;
    }
    let awake = faults.wait_for(|faults| !faults.hang || faults.down).await.map(|now| *now);
    let Ok(now) = awake else { return down() };
    let writes = request.method() != axum::http::Method::GET;
    if now.down {
        return down();
    }
    if now.forbidden {
        return answer(StatusCode::FORBIDDEN, "nobody may use the store");
    }
    if now.read_only && writes {
        return answer(StatusCode::FORBIDDEN, "the store is read-only");
    }
    let response = tokio::select! {
        response = next.run(request) => response,
        // A write that has begun is finished: only reads and long-polls end early.
        _ = faults.wait_for(|faults| faults.down), if !writes => return down(),
    };
    if writes && faults.borrow().ambiguous {
        // Without an answer until the caller gives up and closes.
        std::future::pending::<()>().await;
    }
    if faults.wait_for(|faults| !faults.hang || faults.down).await.is_err() {
        return down();
    }
    response
}

fn down() -> Response {
    answer(StatusCode::SERVICE_UNAVAILABLE, "the store is down")
}

async fn faults(State(shared): State<Arc<Shared>>) -> Json<Faults> {
    Json(*shared.faults.borrow())
}

async fn set_faults(State(shared): State<Arc<Shared>>, Json(faults): Json<Faults>) -> Json<Faults> {
    tracing::info!(?faults, "faults of the store set");
    shared.faults.send_replace(faults);
    Json(faults)
}

#[derive(Deserialize)]
struct Poll {
    after: Option<Version>,
    timeout_ms: Option<u64>,
}

async fn read(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    Query(poll): Query<Poll>,
) -> Response {
    let object: Object = match name.parse() {
        Ok(object) => object,
        Err(error) => return unknown(&error),
    };
    let Some(after) = poll.after else {
        return match stored(&shared, object).await {
            Ok(stored) => found(stored),
            Err(response) => response,
        };
    };
    let limit = poll.timeout_ms.unwrap_or(LONGEST_POLL_MS).min(LONGEST_POLL_MS);
    match tokio::time::timeout(Duration::from_millis(limit), newer(&shared, object, after)).await {
        Ok(Ok(stored)) => found(stored),
        Ok(Err(response)) => response,
        Err(_) => StatusCode::NOT_MODIFIED.into_response(),
    }
}

/// Waits until the object's version differs from the one the caller has: `!=` and not `>`, because
/// a store that was taken away and made anew counts from the start.
async fn newer(shared: &Arc<Shared>, object: Object, after: Version) -> Result<Stored, Response> {
    let mut changes = shared.changes.subscribe();
    loop {
        changes.borrow_and_update();
        let stored = stored(shared, object).await?;
        if stored.version != after {
            return Ok(stored);
        }
        if changes.changed().await.is_err() {
            return Err(down());
        }
    }
}

async fn stored(shared: &Arc<Shared>, object: Object) -> Result<Stored, Response> {
    in_background(shared, move |store| store.get(object)).await
}

fn found(stored: Stored) -> Response {
    if stored.document.is_none() {
        return missing(stored.version);
    }
    Json(stored).into_response()
}

fn missing(version: Version) -> Response {
    (StatusCode::NOT_FOUND, Json(json!({ "version": version }))).into_response()
}

fn unknown(error: &super::UnknownObject) -> Response {
    answer(StatusCode::BAD_REQUEST, &error.to_string())
}

#[derive(Deserialize)]
struct Expect {
    expect: Option<Version>,
}

async fn write(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    Query(Expect { expect }): Query<Expect>,
    Json(document): Json<Value>,
) -> Response {
    let object: Object = match name.parse() {
        Ok(object) => object,
        Err(error) => return unknown(&error),
    };
    match change(&shared, move |store| store.put(object, expect, document)).await {
        Ok(Written::Done(version)) => changed(version),
        Ok(Written::Conflict(stored)) => (StatusCode::CONFLICT, Json(stored)).into_response(),
        Ok(Written::Missing(version)) => missing(version),
        Err(response) => response,
    }
}

async fn remove(State(shared): State<Arc<Shared>>, Path(name): Path<String>) -> Response {
    let object: Object = match name.parse() {
        Ok(object) => object,
        Err(error) => return unknown(&error),
    };
    match change(&shared, move |store| store.delete(object)).await {
        Ok(Some(version)) => changed(version),
        Ok(None) => missing(Version(0)),
        Err(response) => response,
    }
}

fn changed(version: Version) -> Response {
    Json(json!({ "version": version })).into_response()
}

/// A write, and the waking of the long-polls right after it: also when its caller is gone by then.
async fn change<T: Send + 'static>(
    shared: &Arc<Shared>,
    operation: impl FnOnce(&FileStore) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Response> {
    let awake = Arc::clone(shared);
    in_background(shared, move |store| {
        let done = operation(store);
        awake.changes.send_modify(|changes| *changes = changes.wrapping_add(1));
        done
    })
    .await
}

/// Runs one operation of the store where it may wait for the disk. A caller that goes away does not
/// end it halfway.
async fn in_background<T: Send + 'static>(
    shared: &Arc<Shared>,
    operation: impl FnOnce(&FileStore) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Response> {
    let store = shared.store.clone();
    match tokio::task::spawn_blocking(move || operation(&store)).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the store failed");
            let status = match &error {
                StoreError::Uncertain { .. } => StatusCode::INTERNAL_SERVER_ERROR,
                StoreError::File { source, .. } if source.is_full() => {
                    StatusCode::INSUFFICIENT_STORAGE
                }
                _ => StatusCode::SERVICE_UNAVAILABLE,
            };
            Err(answer(status, &error.to_string()))
        }
        Err(error) => {
            tracing::error!(%error, "an operation of the store broke");
            Err(answer(StatusCode::INTERNAL_SERVER_ERROR, "an operation of the store broke"))
        }
    }
}
