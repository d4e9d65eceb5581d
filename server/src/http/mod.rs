//! The HTTP face: routes and the layers around them.

mod connections;
mod cors;
mod error_body;
mod health;
mod limits;
mod message;
mod protected_resource;
mod record;
mod request_id;
mod request_log;
mod trace_context;
mod transport;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use http::{HeaderName, HeaderValue};
use rmcp::ServerHandler;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;

pub use connections::serve_connections;
pub use error_body::ErrorBody;
pub use health::Readiness;
pub use limits::Limits;
pub use record::RequestRecord;

use crate::auth::{BearerPolicy, Validator, require_bearer};
use crate::config::{Config, StackUrl};
use crate::metrics::Metrics;
use transport::Transport;

/// The header that names the build on every answer.
pub const BUILD_HEADER: &str = "x-quilt-mcp-server";

/// Where MCP is served. The last is where the Quilt catalog looks for it.
pub const MCP_PATHS: [&str; 3] = ["/mcp", "/mcp/", "/mcp/platform/mcp"];

/// What the router needs beside the configuration. Clones share everything.
#[derive(Clone)]
pub struct Services {
    /// Who says whose a token is.
    pub validator: Validator,
    /// Whether the load balancer should send requests.
    pub readiness: Readiness,
    /// What is counted.
    pub metrics: Metrics,
}

/// Everything that the server answers, with `handler` for MCP.
///
/// From the outside in: the build header, the request log, CORS, then the
/// routes; only MCP's own routes have limits and ask for a token, so a preflight
/// passes without one and an unknown path is a 404.
pub fn router<H>(config: &Config, services: Services, handler: H) -> Router
where
    H: ServerHandler + Clone,
{
    let Services {
        validator,
        readiness,
        metrics,
    } = services;
    let limits = Limits::new(config.max_in_flight, config.max_in_flight_per_token);
    let policy = BearerPolicy::new(config, validator);
    let mcp = post(transport::answer)
        .with_state(Transport::new(config, handler))
        .route_layer(from_fn_with_state(limits.clone(), limits::limit_caller))
        .route_layer(from_fn_with_state(policy, require_bearer))
        .route_layer(from_fn_with_state(limits, limits::limit_all));
    let health = get(health::healthz).with_state((readiness, config.build.clone()));
    MCP_PATHS
        .into_iter()
        .fold(Router::new(), |router, path| {
            router.route(path, mcp.clone())
        })
        .route("/healthz", health)
        .merge(protected_resource_routes(config))
        .fallback(error_body::not_found)
        .method_not_allowed_fallback(error_body::method_not_allowed)
        .layer(CatchPanicLayer::custom(error_body::panicked))
        .layer(cors::layer(&config.allowed_origins))
        .layer(from_fn_with_state(metrics, request_log::log_requests))
        .layer(build_header(config))
}

/// Where a client finds the metadata of the resource at `url`: between host and
/// path (RFC 9728, section 3.1).
pub fn metadata_url(resource: &StackUrl) -> String {
    let path = resource.path();
    let origin = resource.origin();
    format!(
        "{origin}{}{}",
        protected_resource::WELL_KNOWN,
        path.trim_end_matches('/')
    )
}

/// The metadata at the well-known place of each MCP path, for clients that try
/// them in turn; nothing where no issuer is configured: a client would look for
/// an authorization server here and find none.
fn protected_resource_routes(config: &Config) -> Router {
    let Some(oauth) = &config.oauth else {
        return Router::new();
    };
    let well_known = protected_resource::WELL_KNOWN;
    let own = oauth.resource.path().trim_end_matches('/').to_owned();
    let paths = MCP_PATHS.map(|path| path.trim_end_matches('/').to_owned());
    let mut paths: Vec<_> = paths.into_iter().chain([own, String::new()]).collect();
    paths.sort();
    paths.dedup();
    paths
        .into_iter()
        .fold(Router::new(), |router, path| {
            router.route(
                &format!("{well_known}{path}"),
                get(protected_resource::metadata),
            )
        })
        .with_state(oauth.clone())
}

fn build_header(config: &Config) -> SetResponseHeaderLayer<HeaderValue> {
    let value = HeaderValue::try_from(config.build.to_string())
        .expect("a semantic version is a header value");
    SetResponseHeaderLayer::overriding(HeaderName::from_static(BUILD_HEADER), value)
}
