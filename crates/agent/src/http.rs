//! What an agent says by HTTP: probes, metrics, its report, and the two requests that act.

mod metrics;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use brain::report::MemberReport;
use brain::{MemberName, Wish};
use engine::Engine;
use platform::{Platform, Roster};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};

use crate::Config;
use crate::engine_port::EngineHandle;
use crate::inbox::{self, Inbound, Inbox};
use crate::keys::PeerKeys;
use crate::peers::Identity;

/// The judgement answers within microseconds; one that does not for so long stands still.
const REPORT_DEADLINE: Duration = Duration::from_secs(2);

/// A handover ends within a lease in one way or another; a large engine saves first.
const WISH_DEADLINE: Duration = Duration::from_secs(60);

/// Nobody who may speak to us sends more; the rest is dropped.
const BODY_MAX: usize = 16 * 1024;

/// Everything that an answer is made of.
#[derive(Debug, Clone)]
pub(crate) struct Web {
    tag: Arc<str>,
    group: Arc<str>,
    address: Arc<str>,
    engine: Engine,
    handle: Arc<EngineHandle>,
    keys: watch::Receiver<PeerKeys>,
    inbox: Inbox,
}

impl Web {
    pub(crate) fn new<P: Platform>(
        config: &Config,
        handle: &Arc<EngineHandle>,
        engine: Engine,
        identity: &Identity,
        platform: &Arc<P>,
        inbox: &Inbox,
    ) -> Self {
        let me = platform.roster().me();
        Self {
            tag: config.tag.as_str().into(),
            group: identity.group.clone(),
            address: client::Endpoint::tcp(me.engine_host, me.engine_port).to_string().into(),
            engine,
            handle: Arc::clone(handle),
            keys: identity.keys.clone(),
            inbox: inbox.clone(),
        }
    }

    /// The judgement's report with what only the edge knows.
    pub(crate) async fn report(&self) -> Option<MemberReport> {
        let mut report = inbox::report(&self.inbox, REPORT_DEADLINE).await?;
        let facts = self.handle.facts();
        report.group = self.tag.to_string();
        report.address = self.address.to_string();
        report.engine_pid = self.handle.pid();
        report.agent_pid = std::process::id();
        report.engine = self.engine.to_string();
        report.drift = facts.drift.into_iter().map(|d| (d.name, d.wanted, d.actual)).collect();
        if let Some(info) = facts.info.filter(|_| report.engine_pid != 0) {
            report.keys = info.keys.unwrap_or(0);
            report.memory_bytes = info.memory.used_bytes.unwrap_or(0);
            report.memory_max_bytes = info.memory.maxmemory_bytes.unwrap_or(0);
        }
        Some(report)
    }
}

/// Serves until the agent ends.
pub(crate) async fn serve(listener: TcpListener, web: Web) {
    let acting = Router::new()
        .route("/v1/handover", post(handover))
        .route("/v1/promote", post(promote))
        .route_layer(middleware::from_fn_with_state(web.clone(), only_with_token));
    let router = Router::new()
        .route("/live", get(live))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics))
        .route("/v1/status", get(status))
        .merge(acting)
        .layer(axum::extract::DefaultBodyLimit::max(BODY_MAX))
        .with_state(web);
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "status and metrics are not served any more");
    }
}

fn unanswered() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, "the judgement does not answer\n").into_response()
}

/// Alive is an agent whose judgement answers. The engine has no part in it: a loading or syncing
/// engine is a state, not a reason to kill.
async fn live(State(web): State<Web>) -> Response {
    match inbox::report(&web.inbox, REPORT_DEADLINE).await {
        Some(_) => "alive\n".into_response(),
        None => unanswered(),
    }
}

/// Ready is a replica that is linked and fresh, and a primary while it has authority.
async fn ready(State(web): State<Web>) -> Response {
    let Some(report) = web.report().await else {
        return unanswered();
    };
    match why_not_ready(&report) {
        None => format!("{}\n", report.role).into_response(),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}

/// A replica further behind is no place to read from. 16 MiB: a quarter of the smallest backlog.
const LAG_MAX_BYTES: u64 = 16 << 20;

fn why_not_ready(report: &MemberReport) -> Option<String> {
    match report.role.as_str() {
        "primary" => {
            let held = report.authority.as_ref().is_some_and(|held| held.mode != "none");
            (!held).then(|| "a primary without authority".to_owned())
        }
        "replica" if !report.link_up => Some("the link to the primary is down".to_owned()),
        "replica" if !report.complete => Some("the data are not complete".to_owned()),
        "replica" => {
            let lag = report.lag.filter(|lag| *lag > LAG_MAX_BYTES)?;
            Some(format!("{lag} bytes behind the primary"))
        }
        other => Some(format!("neither primary nor replica: {other}")),
    }
}

async fn status(State(web): State<Web>) -> Response {
    web.report().await.map_or_else(unanswered, |report| Json(report).into_response())
}

async fn metrics(State(web): State<Web>) -> Response {
    let Some(report) = web.report().await else {
        return unanswered();
    };
    let info = web.handle.facts().info.filter(|_| report.engine_pid != 0);
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], metrics::render(&report, info.as_deref())).into_response()
}

/// What comes back from a wish.
#[derive(Debug, Serialize)]
struct Outcome {
    done: bool,
    text: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct HandoverBody {
    /// To whom; absent: the best.
    to: Option<String>,
    /// Only say what would be done.
    dry_run: bool,
}

async fn handover(State(web): State<Web>, Json(body): Json<HandoverBody>) -> Response {
    let to = body.to.map(MemberName);
    ask(&web, Wish::Handover { to, dry_run: body.dry_run }).await
}

async fn promote(State(web): State<Web>) -> Response {
    ask(&web, Wish::PromoteAcceptingLoss).await
}

async fn ask(web: &Web, wish: Wish) -> Response {
    let answer = async {
        let (reply, answer) = oneshot::channel();
        web.inbox.send(Inbound::Ask { wish, reply }).await.ok()?;
        answer.await.ok()
    };
    match tokio::time::timeout(WISH_DEADLINE, answer).await {
        Ok(Some(Ok(text))) => Json(Outcome { done: true, text }).into_response(),
        Ok(Some(Err(text))) => {
            (StatusCode::CONFLICT, Json(Outcome { done: false, text })).into_response()
        }
        Ok(None) => unanswered(),
        Err(_) => {
            let text = "it was begun, and has not ended within a minute".to_owned();
            (StatusCode::GATEWAY_TIMEOUT, Json(Outcome { done: false, text })).into_response()
        }
    }
}

/// Requests that act carry a token that only who can read the peer key can make.
async fn only_with_token(State(web): State<Web>, request: Request, next: Next) -> Response {
    if bears_token(request.headers(), &web.keys.borrow(), &web.group) {
        return next.run(request).await;
    }
    let why = "this request needs a bearer token derived from the group's peer key\n";
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")], why).into_response()
}

fn bears_token(headers: &HeaderMap, keys: &PeerKeys, group: &str) -> bool {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some(token) = given.and_then(|value| value.strip_prefix("Bearer ")) else {
        return false;
    };
    keys.all().iter().any(|key| key.is_bearer_token(group, token))
}

#[cfg(test)]
mod tests;
