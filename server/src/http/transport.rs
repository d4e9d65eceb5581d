//! rmcp's Streamable HTTP, with and without an event stream.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt as _;
use rmcp::ServerHandler;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};

use super::message::{self, AnswerKind};
use crate::config::Config;

type Service<H> = StreamableHttpService<H, NeverSessionManager>;

/// Streamable HTTP without sessions: any task can answer any request.
#[derive(Clone)]
pub(super) struct Transport<H> {
    events: Service<H>,
    json: Service<H>,
}

impl<H: ServerHandler + Clone> Transport<H> {
    pub(super) fn new(config: &Config, handler: H) -> Self {
        let origins = config
            .allowed_origins
            .iter()
            .map(|origin| origin.with_port());
        let hosts = config.allowed_hosts.iter().map(ToString::to_string);
        let settings = StreamableHttpServerConfig::default()
            .with_legacy_session_mode(false)
            .with_allowed_hosts(hosts)
            .with_allowed_origins(origins)
            .enforce_origin_validation();
        Self {
            events: service(handler.clone(), settings.clone()),
            json: service(handler, settings.with_json_response(true)),
        }
    }
}

fn service<H>(handler: H, settings: StreamableHttpServerConfig) -> Service<H>
where
    H: ServerHandler + Clone,
{
    let sessions = Arc::new(NeverSessionManager::default());
    StreamableHttpService::new(move || Ok(handler.clone()), sessions, settings)
}

/// Answers one message.
pub(super) async fn answer<H>(State(transport): State<Transport<H>>, request: Request) -> Response
where
    H: ServerHandler + Clone,
{
    let (request, message, kind) = match message::read(request).await {
        Ok(read) => read,
        Err(bad) => return bad.into_response(),
    };
    let service = match kind {
        AnswerKind::Events => &transport.events,
        AnswerKind::Json => &transport.json,
    };
    let response = service.handle(request).await;
    // The media type was checked before: here it is the message that cannot be read.
    if response.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE {
        return message::unreadable(&message);
    }
    if response.status() == StatusCode::BAD_REQUEST && !is_json(response.headers()) {
        let Ok(reason) = response.into_body().collect().await;
        let reason = String::from_utf8_lossy(&reason.to_bytes()).into_owned();
        return message::bad_headers(&message, &reason);
    }
    response.into_response()
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"))
}
