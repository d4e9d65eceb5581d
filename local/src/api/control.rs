//! The control requests under `/_local/`, for the command line and for tests. A web page must not be
//! able to send them: a request with an `Origin`, or for another host, is refused.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use http::{StatusCode, header};
use serde_json::{Value, json};

use crate::faults::Fault;
use crate::state::ecs::TaskStatus;
use crate::world::World;

pub(super) fn routes(world: Arc<World>) -> Router<Arc<World>> {
    Router::new()
        .route("/status", get(status))
        .route("/stop", post(stop))
        .route(
            "/faults",
            get(list_faults).put(set_fault).delete(clear_faults),
        )
        .route("/faults/{name}", delete(clear_fault))
        .route("/calls", get(calls).delete(forget_calls))
        .layer(middleware::from_fn(only_local_programs))
        .with_state(world)
}

async fn only_local_programs(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .and_then(|host| host.parse::<http::uri::Authority>().ok());
    let is_local = host.is_some_and(|host| matches!(host.host(), "127.0.0.1" | "localhost"));
    if !is_local || headers.contains_key(header::ORIGIN) {
        return refusal(
            StatusCode::FORBIDDEN,
            "control requests are for programs on this machine, not for web pages",
        );
    }
    next.run(request).await
}

fn refusal(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "error": message }))).into_response()
}

async fn status(State(world): State<Arc<World>>) -> Json<Value> {
    Json(world.read(|state| {
        let services: Vec<Value> = state
            .services
            .iter()
            .map(|service| {
                let running = state
                    .tasks
                    .iter()
                    .filter(|task| {
                        task.service == service.name && task.status == TaskStatus::Running
                    })
                    .count();
                json!({
                    "name": service.name,
                    "desired": service.desired,
                    "running": running,
                    "steady": service.steady,
                })
            })
            .collect();
        json!({
            "pid": std::process::id(),
            "version": env!("CARGO_PKG_VERSION"),
            "runtime": world.runtime,
            "load_balancer_url": state.addresses.load_balancer_url(),
            "services": services,
            "faults": world.faults.list(),
        })
    }))
}

async fn stop(State(world): State<Arc<World>>) -> StatusCode {
    world.shutdown.cancel();
    StatusCode::ACCEPTED
}

async fn list_faults(State(world): State<Arc<World>>) -> Json<Vec<Fault>> {
    Json(world.faults.list())
}

async fn set_fault(State(world): State<Arc<World>>, body: String) -> Response {
    match serde_json::from_str::<Fault>(&body) {
        Ok(fault) => {
            tracing::info!(?fault, "switched on");
            match world.faults.set(fault) {
                Ok(()) => {
                    world.changed.notify_one();
                    Json(world.faults.list()).into_response()
                }
                Err(invalid) => refusal(StatusCode::BAD_REQUEST, &invalid.to_string()),
            }
        }
        Err(error) => refusal(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

async fn clear_faults(State(world): State<Arc<World>>) -> StatusCode {
    world.faults.clear(None);
    StatusCode::NO_CONTENT
}

async fn clear_fault(State(world): State<Arc<World>>, Path(name): Path<String>) -> Response {
    if world.faults.clear(Some(&name)) {
        StatusCode::NO_CONTENT.into_response()
    } else {
        refusal(
            StatusCode::NOT_FOUND,
            &format!("the fault {name} is not on"),
        )
    }
}

async fn calls(State(world): State<Arc<World>>) -> Response {
    Json(world.calls.show()).into_response()
}

async fn forget_calls(State(world): State<Arc<World>>) -> StatusCode {
    world.calls.reset();
    StatusCode::NO_CONTENT
}
