//! One request to one target, and its answer back.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{StatusCode, Uri, Version};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::routing::Chosen;
use crate::aws::{Moment, names};

/// How long the load balancer waits for a target to take a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const X_AMZN_TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// Headers that concern one connection only (RFC 9110, section 7.6.1).
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

#[derive(Clone)]
pub(super) struct Forwarder {
    client: Client<HttpConnector, Body>,
}

impl Forwarder {
    pub(super) fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        // A connection per request: none is reused that its target is about to close.
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .set_host(false)
            .build(connector);
        Self { client }
    }

    pub(super) async fn forward(
        &self,
        request: Request,
        client: SocketAddr,
        chosen: Chosen,
    ) -> Response {
        let target = chosen.address;
        let request = match outgoing(request, client, &chosen) {
            Ok(request) => request,
            Err(error) => {
                tracing::warn!(%error, "a request that cannot be forwarded: 400");
                return failure(StatusCode::BAD_REQUEST);
            }
        };
        let answer = tokio::time::timeout(chosen.idle_timeout, self.client.request(request)).await;
        match answer {
            Ok(Ok(response)) => {
                let (mut parts, body) = response.into_parts();
                remove_hop_by_hop(&mut parts.headers);
                parts.version = Version::HTTP_11;
                let lease = chosen.lease;
                let body = body.map_frame(move |frame| {
                    // The request is in flight until the last frame was passed on or dropped.
                    let _ = &lease;
                    frame
                });
                Response::from_parts(parts, Body::new(body))
            }
            Ok(Err(error)) => {
                tracing::warn!(%target, error = ?error, "the target broke off: 502");
                failure(StatusCode::BAD_GATEWAY)
            }
            Err(_) => {
                tracing::warn!(%target, "the target did not answer in time: 504");
                failure(StatusCode::GATEWAY_TIMEOUT)
            }
        }
    }
}

fn outgoing(
    request: Request,
    client: SocketAddr,
    chosen: &Chosen,
) -> Result<http::Request<Body>, http::Error> {
    let (mut parts, body) = request.into_parts();
    let path = parts
        .uri
        .path_and_query()
        .map_or("/", http::uri::PathAndQuery::as_str);
    parts.uri = Uri::builder()
        .scheme("http")
        .authority(chosen.address.to_string())
        .path_and_query(path)
        .build()?;
    parts.version = Version::HTTP_11;
    remove_hop_by_hop(&mut parts.headers);
    let port = host_port(&parts.headers).unwrap_or_else(|| "80".to_owned());
    let forwarded_for = match parts.headers.get(&X_FORWARDED_FOR).map(HeaderValue::to_str) {
        Some(Ok(earlier)) => format!("{earlier}, {}", client.ip()),
        _ => client.ip().to_string(),
    };
    let trace = trace_id(parts.headers.get(&X_AMZN_TRACE_ID));
    let added = [
        (X_FORWARDED_FOR, forwarded_for),
        (X_FORWARDED_PROTO, "http".to_owned()),
        (X_FORWARDED_PORT, port),
        (X_AMZN_TRACE_ID, trace),
    ];
    for (name, value) in added {
        parts.headers.insert(name, HeaderValue::from_str(&value)?);
    }
    parts
        .headers
        .entry(header::HOST)
        .or_insert(HeaderValue::from_str(&chosen.address.to_string())?);
    Ok(http::Request::from_parts(parts, body))
}

/// The port that the client addressed.
fn host_port(headers: &HeaderMap) -> Option<String> {
    let host = headers.get(header::HOST)?.to_str().ok()?;
    let authority: http::uri::Authority = host.parse().ok()?;
    Some(authority.port_u16()?.to_string())
}

/// A client's own trace stays the root, and the load balancer adds itself before it.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-request-tracing.html>
fn trace_id(earlier: Option<&HeaderValue>) -> String {
    let seconds = Moment::now().0 / 1000;
    let id = format!("1-{seconds:08x}-{}", &names::hex32()[..24]);
    match earlier.map(HeaderValue::to_str) {
        Some(Ok(earlier)) if earlier.contains("Root=") => format!("Self={id};{earlier}"),
        Some(Ok(earlier)) if !earlier.is_empty() => format!("Root={id};{earlier}"),
        _ => format!("Root={id}"),
    }
}

fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

/// The answer of a fixed-response action.
pub(super) fn fixed(status: u16, content_type: &str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::NOT_FOUND);
    if let Ok(value) = HeaderValue::from_str(content_type) {
        response.headers_mut().insert(header::CONTENT_TYPE, value);
    }
    signed(response)
}

/// The load balancer's own error page.
pub(super) fn failure(status: StatusCode) -> Response {
    let title = match status {
        StatusCode::SERVICE_UNAVAILABLE => "503 Service Temporarily Unavailable".to_owned(),
        StatusCode::GATEWAY_TIMEOUT => "504 Gateway Time-out".to_owned(),
        _ => status.to_string(),
    };
    let page = format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n</body>\r\n</html>\r\n"
    );
    fixed(status.as_u16(), "text/html", page)
}

fn signed(mut response: Response) -> Response {
    response
        .headers_mut()
        .insert(header::SERVER, HeaderValue::from_static("awselb/2.0"));
    response
}
