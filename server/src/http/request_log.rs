use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use super::record::{Facts, RequestRecord};
use super::request_id::request_id;
use super::trace_context::trace_id;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::metrics::{Call, Metrics};

/// A longer path is cut in the log, in bytes.
const PATH_LIMIT: usize = 512;

/// Writes one line per request, when its answer has been sent or given up.
///
/// A tool's answer is a stream that opens at once: only its end tells how long
/// the call took and whether the client stayed for it.
pub(super) async fn log_requests(
    State(metrics): State<Metrics>,
    mut request: Request,
    next: Next,
) -> Response {
    metrics.request_begins();
    let record = RequestRecord::default();
    request.extensions_mut().insert(record.clone());
    let mut line = Line {
        method: request.method().clone(),
        path: clip(request.uri().path()),
        request_id: request_id(request.headers()),
        trace_id: trace_id(request.headers()),
        metrics,
        record,
        started: Instant::now(),
        status: None,
        complete: false,
    };
    let response = next.run(request).await;
    line.status = Some(response.status());
    response.map(|body| {
        line.complete = http_body::Body::is_end_stream(&body);
        Body::new(LoggedBody { body, line })
    })
}

/// The path as sent is ASCII: a URI admits nothing else.
fn clip(path: &str) -> String {
    path.chars().take(PATH_LIMIT).collect()
}

/// A line in the making; dropping it writes it.
struct Line {
    method: Method,
    path: String,
    request_id: String,
    trace_id: Option<String>,
    metrics: Metrics,
    record: RequestRecord,
    started: Instant,
    status: Option<StatusCode>,
    complete: bool,
}

impl Line {
    fn call(&self, facts: &Facts) -> Option<Call> {
        let outcome = match facts.tool_error {
            Some(code) => code,
            None if self.complete => "ok",
            None => "cancelled",
        };
        facts.tool.map(|tool| Call { tool, outcome })
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let facts = self.record.snapshot();
        let method = self.method.as_str();
        let path = self.path.as_str();
        let status = self.status.map(|status| status.as_u16());
        let took = self.started.elapsed();
        let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let request_id = self.request_id.as_str();
        let trace_id = self.trace_id.as_deref();
        let caller = facts.caller.map(|caller| caller.to_string());
        let (tool, tool_error) = (facts.tool, facts.tool_error);
        let complete = self.complete;
        self.metrics.request_ends(status, self.call(&facts), took);
        macro_rules! write_line {
            ($level:ident) => {
                tracing::$level!(
                    method,
                    path,
                    status,
                    duration_ms,
                    request_id,
                    trace_id,
                    caller,
                    tool,
                    tool_error,
                    complete,
                    "request"
                )
            };
        }
        // Health checks come every few seconds and say nothing new.
        if path == "/healthz" {
            write_line!(debug);
        } else {
            write_line!(info);
        }
    }
}

struct LoggedBody {
    body: Body,
    line: Line,
}

impl http_body::Body for LoggedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        match &polled {
            Poll::Ready(None) => self.line.complete = true,
            Poll::Ready(Some(Ok(_))) => self.line.complete = self.body.is_end_stream(),
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
