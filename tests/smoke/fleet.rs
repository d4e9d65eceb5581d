//! An MCP server of several tasks behind something that takes turns, on real sockets.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use url::Url;

pub const TOKEN: &str = "qk_secret_of_the_smoke_test";
pub const ORIGIN: &str = "https://catalog.example.com";

/// How the tasks behave.
#[derive(Debug, Clone, Default)]
pub struct Behaviour {
    /// A task for each: the version that it says it is.
    pub versions: Vec<&'static str>,
    /// Whether each task keeps the sessions that it opened to itself.
    pub sessions_in_memory: bool,
    /// The origin that pages may come from.
    pub origin: Option<&'static str>,
    /// Whether preflights are asked for a token, as other requests are.
    pub guards_preflight: bool,
    /// Whether answers are events.
    pub events: bool,
    /// Whether the harmless tool fails.
    pub tool_fails: bool,
}

pub struct Fleet {
    pub url: Url,
    seen: Arc<Seen>,
}

struct Seen {
    behaviour: Behaviour,
    turn: AtomicUsize,
    requests: AtomicUsize,
    connections: Mutex<HashSet<SocketAddr>>,
    /// The sessions that each task knows.
    sessions: Mutex<Vec<HashSet<String>>>,
}

impl Fleet {
    pub async fn start(behaviour: Behaviour) -> Self {
        let seen = Arc::new(Seen {
            sessions: Mutex::new(vec![HashSet::new(); behaviour.versions.len()]),
            behaviour,
            turn: AtomicUsize::new(0),
            requests: AtomicUsize::new(0),
            connections: Mutex::default(),
        });
        let app = Router::new().fallback(answer).with_state(seen.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = app.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await.unwrap() });
        Self {
            url: format!("http://{address}/mcp/").parse().unwrap(),
            seen,
        }
    }

    /// How many requests came, and over how many connections.
    pub fn traffic(&self) -> (usize, usize) {
        (
            self.seen.requests.load(Ordering::SeqCst),
            self.seen.connections.lock().unwrap().len(),
        )
    }
}

/// A server that answers everything as `respond` does.
pub async fn server_of(respond: fn() -> Response) -> Url {
    let app = Router::new().fallback(move || async move { respond() });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    format!("http://{address}/mcp/").parse().unwrap()
}

async fn answer(
    State(seen): State<Arc<Seen>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    seen.requests.fetch_add(1, Ordering::SeqCst);
    seen.connections.lock().unwrap().insert(peer);
    let mut response = seen.respond(&method, &headers, &body);
    if let Some(origin) = seen.behaviour.origin
        && headers.get("origin").is_some_and(|sent| sent == origin)
    {
        let ours = response.headers_mut();
        ours.insert("access-control-allow-origin", origin.parse().unwrap());
        ours.insert(
            "access-control-expose-headers",
            "mcp-session-id, www-authenticate".parse().unwrap(),
        );
        if let Some(asked) = headers.get("access-control-request-headers") {
            ours.insert("access-control-allow-headers", asked.clone());
        }
    }
    response
}

impl Seen {
    fn respond(&self, method: &Method, headers: &HeaderMap, body: &[u8]) -> Response {
        if method == Method::OPTIONS && !self.behaviour.guards_preflight {
            return StatusCode::NO_CONTENT.into_response();
        }
        let authorised = headers
            .get("authorization")
            .is_some_and(|value| *value == format!("Bearer {TOKEN}"));
        if !authorised {
            return (StatusCode::UNAUTHORIZED, [("www-authenticate", "Bearer")]).into_response();
        }
        let message: Value = serde_json::from_slice(body).unwrap_or_default();
        let task = self.turn.fetch_add(1, Ordering::SeqCst) % self.behaviour.versions.len();
        let mut sessions = self.sessions.lock().unwrap();
        if message["method"] == "initialize" {
            let answered = self.result(&message, task);
            if !self.behaviour.sessions_in_memory {
                return answered;
            }
            let id = format!("session-{}", self.turn.load(Ordering::SeqCst));
            sessions[task].insert(id.clone());
            return ([("mcp-session-id", id)], answered).into_response();
        }
        if self.behaviour.sessions_in_memory {
            let session = headers.get("mcp-session-id").map(|id| id.to_str().unwrap());
            if !session.is_some_and(|id| sessions[task].contains(id)) {
                return StatusCode::NOT_FOUND.into_response();
            }
        }
        if message.get("id").is_none() {
            return StatusCode::ACCEPTED.into_response();
        }
        self.result(&message, task)
    }

    fn result(&self, message: &Value, task: usize) -> Response {
        let result = match message["method"].as_str().unwrap() {
            "initialize" => json!({
                "protocolVersion": "2025-06-18",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "fake", "version": self.behaviour.versions[task]},
            }),
            "tools/list" => json!({"tools": [
                {"name": "write", "inputSchema": {"type": "object"}},
                {"name": "read", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": true}},
            ]}),
            "tools/call" => {
                assert_eq!(message["params"]["name"], "read");
                json!({
                    "content": [{"type": "text", "text": format!("no bucket for {TOKEN}")}],
                    "isError": self.behaviour.tool_fails,
                })
            }
            "ping" => json!({}),
            other => panic!("{other} was not expected"),
        };
        let message = json!({"jsonrpc": "2.0", "id": message["id"], "result": result});
        if self.behaviour.events {
            // A priming event and a notification may come first.
            let note = json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {}});
            let events = format!("id: 0\ndata:\n\ndata: {note}\n\n: alive\n\ndata: {message}\n\n");
            ([("content-type", "text/event-stream")], events).into_response()
        } else {
            axum::Json(message).into_response()
        }
    }
}
