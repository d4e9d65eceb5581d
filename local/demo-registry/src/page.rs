//! A web page of the registry's own origin, which calls an MCP server as the catalog's pages do.

use axum::extract::State;
use axum::http::{HeaderName, header};
use axum::response::{Html, IntoResponse};

use crate::{DEMO_TOKEN, DemoRegistry};

const PAGE: &str = include_str!("page/index.html");
const SCRIPT: &str = include_str!("page/page.js");
const STYLE: &str = include_str!("page/page.css");

/// Its own script and style, calls to wherever the MCP server is, and nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; \
    connect-src http: https:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

type Headers = [(HeaderName, &'static str); 3];

const SAFE: Headers = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CACHE_CONTROL, "no-store"),
];

pub(crate) async fn page(State(registry): State<DemoRegistry>) -> impl IntoResponse {
    let endpoint = registry.mcp_endpoint().unwrap_or_default();
    let html = PAGE
        .replace("TOKEN", DEMO_TOKEN)
        .replace("ENDPOINT", &attribute(endpoint));
    (SAFE, Html(html))
}

pub(crate) async fn script() -> impl IntoResponse {
    (
        SAFE,
        [(header::CONTENT_TYPE, "text/javascript; charset=utf-8")],
        SCRIPT,
    )
}

pub(crate) async fn style() -> impl IntoResponse {
    (
        SAFE,
        [(header::CONTENT_TYPE, "text/css; charset=utf-8")],
        STYLE,
    )
}

/// A text as the value of an attribute in double quotes.
fn attribute(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;")
}
