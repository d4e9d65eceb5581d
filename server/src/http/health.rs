use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::build_info::BuildInfo;

/// Whether the load balancer should send requests here. Clones share the answer.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    draining: Arc<AtomicBool>,
}

impl Readiness {
    /// Asks to be left alone from now on.
    pub fn start_draining(&self) {
        self.draining.store(true, Ordering::Release);
    }

    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }
}

/// Says whether this process serves. It does not ask the registry: a registry
/// that is down is no reason to replace every task of the service.
pub(super) async fn healthz(State((readiness, build)): State<(Readiness, BuildInfo)>) -> Response {
    let (code, status) = if readiness.is_draining() {
        (StatusCode::SERVICE_UNAVAILABLE, "draining")
    } else {
        (StatusCode::OK, "ok")
    };
    let body = json!({
        "status": status,
        "version": build.version,
        "commit": build.commit,
    });
    (code, Json(body)).into_response()
}
