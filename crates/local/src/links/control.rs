//! Cutting and healing a running group's links over HTTP, and the caller that does so.
//!
//! | request | answers |
//! |---|---|
//! | `GET /v1/cuts` | 200, the flows that are cut |
//! | `POST /v1/cut`, `POST /v1/heal` with a [`Cut`] | 200, the flows that are cut · 400 |
//! | `DELETE /v1/cuts` | 200, an empty list: everything is healed |

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use hyper::Method;
use serde_json::json;
use tokio::net::TcpListener;

use super::{Board, Cut, Flow, LinksError};
use crate::http::{Caller, HttpError};
use crate::store::server::same;

/// Turning taps takes no time: one small file.
const DEADLINE: Duration = Duration::from_secs(5);

struct Shared {
    board: Board,
    token: String,
}

/// Serves the control of the links until dropped.
pub async fn serve(board: Board, token: String, listener: TcpListener) -> io::Result<()> {
    let shared = Arc::new(Shared { board, token });
    let router = Router::new()
        .route("/v1/cuts", get(cuts).delete(heal_all))
        .route("/v1/cut", post(cut))
        .route("/v1/heal", post(heal))
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), admit))
        .with_state(shared);
    axum::serve(listener, router).await
}

async fn admit(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let given = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "))
        .unwrap_or_default();
    if same(given, shared.token.as_bytes()) {
        return next.run(request).await;
    }
    let error = json!({ "error": "the token is not the one of this group" });
    (StatusCode::UNAUTHORIZED, Json(error)).into_response()
}

async fn cuts(State(shared): State<Arc<Shared>>) -> Json<Vec<Flow>> {
    Json(shared.board.cuts())
}

async fn cut(State(shared): State<Arc<Shared>>, Json(cut): Json<Cut>) -> Response {
    tracing::info!(?cut, "cut");
    told(shared.board.turn(&cut, false))
}

async fn heal(State(shared): State<Arc<Shared>>, Json(cut): Json<Cut>) -> Response {
    tracing::info!(?cut, "healed");
    told(shared.board.turn(&cut, true))
}

async fn heal_all(State(shared): State<Arc<Shared>>) -> Response {
    tracing::info!("everything healed");
    told(shared.board.heal_all())
}

fn told(turned: Result<Vec<Flow>, LinksError>) -> Response {
    match turned {
        Ok(cuts) => Json(cuts).into_response(),
        Err(error) => {
            let status = match error {
                LinksError::NoSuchFlow { .. } => StatusCode::BAD_REQUEST,
                _ => StatusCode::INTERNAL_SERVER_ERROR,
            };
            (status, Json(json!({ "error": error.to_string() }))).into_response()
        }
    }
}

/// Why a running group's links could not be turned.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The links process did not answer.
    #[error("the links of the group do not answer")]
    Call {
        /// What happened to the call.
        #[from]
        source: HttpError,
    },
    /// The links process refused.
    #[error("the links of the group refuse: {reason}")]
    Refused {
        /// Its words.
        reason: String,
    },
}

/// Cuts and heals the links of a running group.
#[derive(Debug)]
pub struct Control {
    caller: Caller,
}

impl Control {
    /// The control of the links that listen for it on `address`.
    pub fn new(address: SocketAddr, token: String) -> Self {
        Self { caller: Caller::new(address, Some(token)) }
    }

    /// Cuts what `cut` names; gives all cuts now in force.
    pub async fn cut(&self, cut: &Cut) -> Result<Vec<Flow>, ControlError> {
        self.call(Method::POST, "/v1/cut", Some(cut)).await
    }

    /// Heals what `cut` names; gives all cuts still in force.
    pub async fn heal(&self, cut: &Cut) -> Result<Vec<Flow>, ControlError> {
        self.call(Method::POST, "/v1/heal", Some(cut)).await
    }

    /// Heals everything.
    pub async fn heal_all(&self) -> Result<Vec<Flow>, ControlError> {
        self.call(Method::DELETE, "/v1/cuts", None).await
    }

    /// The cuts in force.
    pub async fn cuts(&self) -> Result<Vec<Flow>, ControlError> {
        self.call(Method::GET, "/v1/cuts", None).await
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        cut: Option<&Cut>,
    ) -> Result<Vec<Flow>, ControlError> {
        let body = cut.map(|cut| serde_json::to_vec(cut).expect("a cut has no odd keys"));
        let answer = self.caller.call(method, path, body, DEADLINE).await?;
        let refused =
            || ControlError::Refused { reason: String::from_utf8_lossy(&answer.body).into_owned() };
        if !answer.status.is_success() {
            return Err(refused());
        }
        serde_json::from_slice(&answer.body).map_err(|_| refused())
    }
}
