//! The HTTP face: routes and the layers around them.

mod cors;
mod error_body;
mod health;
mod record;
mod request_id;
mod request_log;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post_service};
use http::{HeaderName, HeaderValue};
use tower_http::set_header::SetResponseHeaderLayer;

pub use error_body::ErrorBody;
pub use health::Readiness;
pub use record::RequestRecord;

use crate::auth::{Validator, require_bearer};
use crate::config::Config;
use crate::mcp;
use crate::registry::RegistryClient;

/// The header that names the build on every answer.
pub const BUILD_HEADER: &str = "x-quilt-mcp-server";

/// Where MCP is served. The last is where the Quilt catalog looks for it.
pub const MCP_PATHS: [&str; 3] = ["/mcp", "/mcp/", "/mcp/platform/mcp"];

/// Everything that the server answers.
///
/// From the outside in: the build header, the request log, CORS, then the
/// routes; only MCP's own routes ask for a token, so a preflight passes without
/// one and an unknown path is a 404.
pub fn router(config: &Config, registry: RegistryClient, readiness: Readiness) -> Router {
    let validator = Validator::new(registry.clone());
    let mcp = post_service(mcp::service(config, registry, validator.clone()))
        .route_layer(from_fn_with_state(validator, require_bearer));
    let health = get(health::healthz).with_state((readiness, config.build.clone()));
    MCP_PATHS
        .into_iter()
        .fold(Router::new(), |router, path| {
            router.route(path, mcp.clone())
        })
        .route("/healthz", health)
        .fallback(error_body::not_found)
        .method_not_allowed_fallback(error_body::method_not_allowed)
        .layer(cors::layer(&config.allowed_origins))
        .layer(from_fn(request_log::log_requests))
        .layer(build_header(config))
}

fn build_header(config: &Config) -> SetResponseHeaderLayer<HeaderValue> {
    let value = HeaderValue::try_from(config.build.to_string())
        .expect("a semantic version is a header value");
    SetResponseHeaderLayer::overriding(HeaderName::from_static(BUILD_HEADER), value)
}
