//! The HTTP face.

use axum::Json;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::catalog::User;
use crate::page;
use crate::{DemoRegistry, LENT_SECRET, LENT_SESSION, Refusal};

const BODY_LIMIT: usize = 4 * 1024 * 1024;

pub(crate) fn router(registry: DemoRegistry) -> axum::Router {
    axum::Router::new()
        .route("/graphql", post(graphql))
        .route("/api/auth/get_credentials", get(credentials))
        .route("/config.json", get(config))
        .route("/", get(page::page))
        .route("/page.js", get(page::script))
        .route("/page.css", get(page::style))
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
        return refuse();
    };
    tracing::debug!(operation, "graphql");
    let response = registry
        .engine()
        .execute(&registry, caller.as_ref(), &request);
    Json(response).into_response()
}

/// Lends AWS credentials, as a stack's registry does: good for its own rehearsal only.
async fn credentials(State(registry): State<DemoRegistry>, headers: HeaderMap) -> Response {
    if let Some(status) = registry.faults().admit("get_credentials").await {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        return (status, "fault injected").into_response();
    }
    let Ok(Some(caller)) = caller(&registry, &headers) else {
        return refuse();
    };
    let ends = Timestamp::now() + registry.faults().credentials_last();
    Json(json!({
        "AccessKeyId": "ASIADEMOREGISTRY0001",
        "SecretAccessKey": LENT_SECRET,
        "SessionToken": format!("{LENT_SESSION}-{}", caller.name),
        "Expiration": ends.to_string(),
    }))
    .into_response()
}

fn refuse() -> Response {
    let refusal = json!({ "message": "Token invalid." });
    (StatusCode::UNAUTHORIZED, Json(refusal)).into_response()
}

/// The bearer is unknown, and the registry is told to say so with a status.
struct UnknownBearer;

/// Who calls; nobody without a token.
fn caller(registry: &DemoRegistry, headers: &HeaderMap) -> Result<Option<User>, UnknownBearer> {
    let Some(authorization) = headers.get(header::AUTHORIZATION) else {
        return Ok(None);
    };
    let user = authorization
        .to_str()
        .ok()
        .and_then(|value| value.strip_prefix("Bearer "))
        .and_then(|token| registry.catalog().users.get(token).cloned());
    match (user, registry.faults().refusal()) {
        (None, Refusal::Unauthorized) => Err(UnknownBearer),
        (user, _) => Ok(user),
    }
}

/// The public configuration that a stack's catalog serves; here, as much as names the stack.
async fn config() -> Json<Value> {
    Json(json!({ "mode": "PRODUCT", "stackVersion": "local-demo" }))
}
