//! Counts for Prometheus, on a listener of their own.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::build_info::BuildInfo;

/// Upper ends of the buckets of a tool call's duration, in seconds.
const SECONDS: [f64; 12] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 60.0,
];
/// The content type of the text format
/// (<https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md>).
const TEXT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What is counted. Clones count together.
///
/// Labels have few values, all of them ours: no token, name or path of a caller.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    requests: Family<RequestLabels, Counter>,
    in_flight: Gauge,
    calls: Family<CallLabels, Counter>,
    call_seconds: Family<ToolLabels, Histogram>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    status: Status,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CallLabels {
    tool: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ToolLabels {
    tool: &'static str,
}

/// An HTTP status; none when the client left before there was one.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
struct Status(Option<u16>);

impl EncodeLabelValue for Status {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        match self.0 {
            Some(status) => write!(encoder, "{status}"),
            None => encoder.write_str("none"),
        }
    }
}

/// How a tool call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// The tool's name.
    pub tool: &'static str,
    /// `ok`, the code of the tool's error, or `cancelled`.
    pub outcome: &'static str,
}

impl Metrics {
    /// Counts that begin with zero.
    pub fn new(build: &BuildInfo) -> Self {
        let requests = Family::default();
        let in_flight = Gauge::default();
        let calls = Family::default();
        let call_seconds: Family<ToolLabels, Histogram> =
            Family::new_with_constructor(|| Histogram::new(SECONDS));
        let mut registry = Registry::with_prefix("quilt_mcp");
        registry.register(
            "requests",
            "HTTP requests answered, by status",
            requests.clone(),
        );
        registry.register(
            "requests_in_flight",
            "HTTP requests whose answer is not finished",
            in_flight.clone(),
        );
        registry.register(
            "tool_calls",
            "Tool calls, by tool and outcome",
            calls.clone(),
        );
        registry.register_with_unit(
            "tool_call_duration",
            "From the request to the end of the answer",
            Unit::Seconds,
            call_seconds.clone(),
        );
        let commit = build.commit.clone().unwrap_or_default();
        let labels = vec![("version", build.version.to_owned()), ("commit", commit)];
        registry.register("build", "Which build this is", Info::new(labels));
        Self {
            registry: Arc::new(registry),
            requests,
            in_flight,
            calls,
            call_seconds,
        }
    }

    pub(crate) fn request_begins(&self) {
        self.in_flight.inc();
    }

    pub(crate) fn request_ends(&self, status: Option<u16>, call: Option<Call>, took: Duration) {
        self.in_flight.dec();
        let status = Status(status);
        self.requests.get_or_create(&RequestLabels { status }).inc();
        if let Some(Call { tool, outcome }) = call {
            self.calls
                .get_or_create(&CallLabels { tool, outcome })
                .inc();
            let seconds = self.call_seconds.get_or_create(&ToolLabels { tool });
            seconds.observe(took.as_secs_f64());
        }
    }
}

/// What the metrics listener answers.
pub fn router(metrics: Metrics) -> Router {
    Router::new()
        .route("/metrics", get(show))
        .with_state(metrics)
}

async fn show(State(metrics): State<Metrics>) -> Response {
    let mut text = String::new();
    encode(&mut text, &metrics.registry).expect("a String takes any text");
    ([(header::CONTENT_TYPE, TEXT)], text).into_response()
}
