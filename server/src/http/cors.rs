use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use super::BUILD_HEADER;
use crate::config::WebOrigin;

/// How long a browser may remember a preflight; Chromium caps it at two hours.
const PREFLIGHT_MAX_AGE: Duration = Duration::from_secs(2 * 60 * 60);

/// Lets pages of the allowed origins call, with whatever headers MCP has or will have.
///
/// Credentials in the sense of the Fetch standard (cookies) are not allowed: a
/// caller's token is a header that the page sets itself.
pub(super) fn layer(origins: &[WebOrigin]) -> CorsLayer {
    let origins = origins
        .iter()
        .filter_map(|origin| HeaderValue::try_from(origin.to_string()).ok());
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::POST, Method::GET, Method::DELETE])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([
            HeaderName::from_static("mcp-session-id"),
            header::WWW_AUTHENTICATE,
            header::RETRY_AFTER,
            HeaderName::from_static(BUILD_HEADER),
        ])
        .max_age(PREFLIGHT_MAX_AGE)
}
