use std::any::Any;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// The JSON body of every answer that is an error of this server.
#[derive(Debug, Serialize)]
pub struct ErrorBody {
    error: ErrorDetail,
}

#[derive(Debug, Serialize)]
struct ErrorDetail {
    code: &'static str,
    message: String,
    retryable: bool,
}

impl ErrorBody {
    /// An error that programs know by `code` and people by `message`.
    pub fn new(code: &'static str, message: &str, retryable: bool) -> Self {
        Self {
            error: ErrorDetail {
                code,
                message: message.to_owned(),
                retryable,
            },
        }
    }
}

impl IntoResponse for ErrorBody {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}

/// A handler panicked: the log has where, the caller has this.
pub(super) fn panicked(_: Box<dyn Any + Send>) -> Response {
    let body = ErrorBody::new("internal", "this server failed", false);
    (StatusCode::INTERNAL_SERVER_ERROR, body).into_response()
}

pub(super) async fn not_found() -> Response {
    let message = "nothing is served here; MCP is at /mcp, health at /healthz";
    let body = ErrorBody::new("not_found", message, false);
    (StatusCode::NOT_FOUND, body).into_response()
}

pub(super) async fn method_not_allowed() -> Response {
    let message = "MCP is stateless here: every message is a POST, and there is no stream to GET or session to DELETE";
    let body = ErrorBody::new("method_not_allowed", message, false);
    (StatusCode::METHOD_NOT_ALLOWED, body).into_response()
}
