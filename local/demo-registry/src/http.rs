//! The HTTP face.

use axum::Json;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::catalog::User;
use crate::{DemoRegistry, Refusal};

const BODY_LIMIT: usize = 1024 * 1024;

pub(crate) fn router(registry: DemoRegistry) -> axum::Router {
    axum::Router::new()
        .route("/graphql", post(graphql))
        .route("/config.json", get(config))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(registry)
}

/// A GraphQL request as `application/json`
/// (<https://graphql.github.io/graphql-over-http/draft/#sec-JSON-Encoding>).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GraphqlRequest {
    pub(crate) query: String,
    #[serde(default)]
    pub(crate) operation_name: Option<String>,
    #[serde(default)]
    pub(crate) variables: Map<String, Value>,
}

async fn graphql(
    State(registry): State<DemoRegistry>,
    headers: HeaderMap,
    Json(request): Json<GraphqlRequest>,
) -> Response {
    let operation = request.operation_name.clone().unwrap_or_default();
    if let Some(status) = registry.faults().admit(&operation).await {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        return (status, "fault injected").into_response();
    }
    let Ok(caller) = caller(&registry, &headers) else {
        let refusal = json!({ "message": "Token invalid." });
        return (StatusCode::UNAUTHORIZED, Json(refusal)).into_response();
    };
    tracing::debug!(operation, "graphql");
    Json(
        registry
            .engine()
            .execute(registry.catalog(), caller, &request),
    )
    .into_response()
}

/// The bearer is unknown, and the registry is told to say so with a status.
struct UnknownBearer;

/// Who calls; nobody without a token.
fn caller<'a>(
    registry: &'a DemoRegistry,
    headers: &HeaderMap,
) -> Result<Option<&'a User>, UnknownBearer> {
    let Some(authorization) = headers.get(header::AUTHORIZATION) else {
        return Ok(None);
    };
    let user = authorization
        .to_str()
        .ok()
        .and_then(|value| value.strip_prefix("Bearer "))
        .and_then(|token| registry.catalog().users.get(token));
    match (user, registry.faults().refusal()) {
        (None, Refusal::Unauthorized) => Err(UnknownBearer),
        (user, _) => Ok(user),
    }
}

/// The public configuration that a stack's catalog serves; here, as much as names the stack.
async fn config() -> Json<Value> {
    Json(json!({ "mode": "PRODUCT", "stackVersion": "local-demo" }))
}
