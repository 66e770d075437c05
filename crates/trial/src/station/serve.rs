//! The requests of a station. Whoever asks is the one who does the harm; there is no secret here,
//! and nothing that a request can do but end or begin a load.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::Mutex;

use super::session::Session;
use super::{Begin, Members, Now};
use crate::journal::{At, Clock};
use crate::load::Way;

/// A process that makes load on one group. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Station {
    way: Way,
    clock: Clock,
    session: Arc<Mutex<Option<Session>>>,
}

impl Station {
    /// A station that makes no load yet. The way's `copies` are what a run says.
    pub fn new(way: Way) -> Self {
        Self { way, clock: Clock::start(), session: Arc::default() }
    }

    async fn now(&self) -> Now {
        let at = self.clock.now();
        let session = self.session.lock().await;
        let run = session.as_ref().map(|session| session.load.run().to_owned());
        let journal = session.as_ref().map(|session| session.load.journal());
        let second = at.minus(Duration::from_secs(1));
        let acked = journal.map_or(0, |journal| journal.acks_since(second).len());
        Now { at, run, acked_per_s: acked as u64 }
    }
}

/// Serves until the process ends.
pub async fn serve(listener: TcpListener, station: Station) -> std::io::Result<()> {
    let router = Router::new()
        .route("/v1/now", get(now))
        .route("/v1/begin", post(begin))
        .route("/v1/members", put(members))
        .route("/v1/noticed", get(noticed))
        .route("/v1/queue/open", post(queue_open))
        .route("/v1/queue/fill", post(queue_fill))
        .route("/v1/queue/settle", post(queue_settle))
        .route("/v1/finish", post(finish))
        .with_state(station);
    axum::serve(listener, router).await
}

async fn now(State(station): State<Station>) -> Response {
    Json(station.now().await).into_response()
}

async fn begin(State(station): State<Station>, Json(begin): Json<Begin>) -> Response {
    {
        let mut session = station.session.lock().await;
        if let Some(session) = &*session {
            return refuse(&format!("run {} is under way", session.load.run()));
        }
        match Session::begin(station.way.clone(), station.clock, begin).await {
            Ok(begun) => *session = Some(begun),
            Err(error) => return failed(&error),
        }
    }
    Json(station.now().await).into_response()
}

async fn members(State(station): State<Station>, Json(members): Json<Members>) -> Response {
    if let Some(session) = &mut *station.session.lock().await {
        session.aim(members);
    }
    Json(station.now().await).into_response()
}

#[derive(Debug, Deserialize)]
struct NoticedQuery {
    from: u64,
    patience_ms: u64,
    leader: Option<String>,
}

async fn noticed(State(station): State<Station>, Query(query): Query<NoticedQuery>) -> Response {
    // Not held while it waits: addresses change meanwhile.
    let journal = match &*station.session.lock().await {
        Some(session) => session.load.journal().clone(),
        None => return no_run(),
    };
    let asked = station.clock.now();
    let patience = Duration::from_millis(query.patience_ms);
    // The watch ends with an acknowledgement, so that its end is not taken for a gap.
    let until = journal.ack_after(asked, patience).await;
    let until = until.unwrap_or_else(|| station.clock.now());
    let leader = query.leader.as_deref();
    match &*station.session.lock().await {
        Some(session) => Json(session.noticed(At(query.from), until, leader)).into_response(),
        None => no_run(),
    }
}

#[derive(Debug, Deserialize)]
struct QueueQuery {
    member: String,
}

async fn queue_open(State(station): State<Station>, Query(query): Query<QueueQuery>) -> Response {
    let mut session = station.session.lock().await;
    let Some(session) = &mut *session else { return no_run() };
    if session.open_queue(&query.member).await {
        Json(()).into_response()
    } else {
        refuse(&format!("no address of {} is known", query.member))
    }
}

async fn queue_fill(State(station): State<Station>) -> Response {
    match &mut *station.session.lock().await {
        Some(session) => Json(session.fill_queue().await).into_response(),
        None => no_run(),
    }
}

async fn queue_settle(State(station): State<Station>) -> Response {
    match &mut *station.session.lock().await {
        Some(session) => Json(session.settle_queue().await).into_response(),
        None => no_run(),
    }
}

async fn finish(State(station): State<Station>) -> Response {
    let Some(session) = station.session.lock().await.take() else { return no_run() };
    match session.finish().await {
        Ok(finished) => Json(finished).into_response(),
        Err(error) => failed(&error),
    }
}

fn no_run() -> Response {
    refuse("no run is under way: POST /v1/begin first")
}

fn refuse(why: &str) -> Response {
    (StatusCode::CONFLICT, format!("{why}\n")).into_response()
}

/// With all causes: whoever asks sees nothing else of this process.
fn failed(error: &dyn std::error::Error) -> Response {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    let text = causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
    (StatusCode::BAD_GATEWAY, format!("{text}\n")).into_response()
}
