use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::config::OAuth;

/// Where the metadata of a resource is (RFC 9728, section 3).
pub(super) const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// Protected resource metadata (RFC 9728, section 2): who issues the tokens.
pub(super) async fn metadata(State(oauth): State<OAuth>) -> Response {
    let issuers: Vec<_> = oauth.issuers.iter().map(ToString::to_string).collect();
    let mut metadata = json!({
        "resource": oauth.resource.to_string(),
        "authorization_servers": issuers,
        "bearer_methods_supported": ["header"],
        "resource_name": "Quilt",
    });
    if !oauth.scopes.is_empty() {
        metadata["scopes_supported"] = json!(oauth.scopes);
    }
    Json(metadata).into_response()
}
