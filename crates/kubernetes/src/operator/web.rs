//! What the operator says by HTTP: whether it lives, what is missing until it is ready, and
//! figures.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// One kind of write.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Write {
    verb: String,
    kind: String,
}

/// How a pass ended.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Pass {
    result: &'static str,
}

/// The operator's figures.
#[derive(Debug)]
pub struct Metrics {
    registry: Mutex<Registry>,
    writes: Family<Write, Counter>,
    passes: Family<Pass, Counter>,
    duration: Histogram,
    leads: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut whole = Registry::default();
        whole.register_collector(Box::new(Memory));
        let registry = whole.sub_registry_with_prefix("interrex_operator");
        let (writes, passes) = (Family::default(), Family::default());
        // From 2 ms, the least that a pass needs, to 16 s, more than any call may take.
        let duration = Histogram::new(exponential_buckets(0.002, 2.0, 14));
        let leads = Gauge::default();
        registry.register("writes", "Writes to the API, by verb and kind", writes.clone());
        registry.register("passes", "Passes over a group, by result", passes.clone());
        registry.register("pass_seconds", "How long a pass takes", duration.clone());
        registry.register("leads", "1 while this operator works, 0 while it waits", leads.clone());
        let registry = Mutex::new(whole);
        Self { registry, writes, passes, duration, leads }
    }
}

impl Metrics {
    /// Counts a write to the API.
    pub(super) fn wrote(&self, verb: &str, kind: &str) {
        let write = Write { verb: verb.to_owned(), kind: kind.to_owned() };
        self.writes.get_or_create(&write).inc();
    }

    /// Counts a pass.
    pub(super) fn passed(&self, took: Duration, good: bool) {
        let result = if good { "ok" } else { "error" };
        self.passes.get_or_create(&Pass { result }).inc();
        self.duration.observe(took.as_secs_f64());
    }

    /// Notes who works.
    pub(super) fn leads(&self, leads: bool) {
        self.leads.set(i64::from(leads));
    }
}

/// How much memory the process takes, by the name that everybody's dashboards know.
#[derive(Debug)]
struct Memory;

impl Collector for Memory {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return Ok(()) };
        let Some(bytes) = resident_bytes(&status) else { return Ok(()) };
        let gauge = ConstGauge::new(bytes);
        let what = "Resident memory of the process";
        let name = "process_resident_memory";
        let one = encoder.encode_descriptor(name, what, Some(&Unit::Bytes), gauge.metric_type())?;
        gauge.encode(one)
    }
}

/// `VmRSS` of a process's status, which the kernel gives in KiB.
fn resident_bytes(status: &str) -> Option<i64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<i64>().ok()? * 1024)
}

/// What is served.
#[derive(Clone, Debug)]
pub(super) struct Page {
    pub(super) metrics: Arc<Metrics>,
    /// What is missing until it is ready; `None` when nothing is.
    pub(super) missing: tokio::sync::watch::Receiver<Option<String>>,
}

/// Serves until dropped.
pub(super) async fn serve(address: SocketAddr, page: Page) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind(address).await?;
    let router = Router::new()
        .route("/live", get(|| async { "alive\n" }))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics))
        .with_state(page);
    axum::serve(listener, router).await
}

async fn ready(State(page): State<Page>) -> Response {
    match page.missing.borrow().clone() {
        None => "ready\n".into_response(),
        Some(missing) => (StatusCode::SERVICE_UNAVAILABLE, format!("{missing}\n")).into_response(),
    }
}

async fn metrics(State(page): State<Page>) -> Response {
    let mut text = String::new();
    let registry = page.metrics.registry.lock().unwrap_or_else(PoisonError::into_inner);
    match encode(&mut text, &registry) {
        Ok(()) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(axum::http::header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_have_the_names_that_dashboards_know() {
        let metrics = Metrics::default();
        metrics.wrote("patch", "Redis/status");
        let mut text = String::new();
        encode(&mut text, &metrics.registry.lock().unwrap()).unwrap();
        assert!(text.contains("interrex_operator_writes_total{verb=\"patch\""), "{text}");
        if cfg!(target_os = "linux") {
            assert!(text.contains("\nprocess_resident_memory_bytes "), "{text}");
        }
        assert_eq!(resident_bytes("VmHWM:\t 9 kB\nVmRSS:\t   1204 kB\n"), Some(1_232_896));
        assert_eq!(resident_bytes("VmRSS:\t many\n"), None);
    }
}
