//! The smoke test: using the endpoint as an MCP client does, through the load balancer.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use rmcp::ServiceExt;
use rmcp::service::{ClientInitializeError, ServiceError};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use serde::Serialize;
use url::Url;

/// Longest time for the whole handshake.
const DEADLINE: Duration = Duration::from_secs(30);

/// A bearer token for the smoke test; never shown.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// Wraps a token.
    pub fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

/// What an MCP client saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(tag = "handshake", rename_all = "snake_case")]
pub enum Smoke {
    /// `initialize` and `tools/list` were answered.
    Complete {
        /// The server's name.
        server: String,
        /// The server's version, with the commit where it says so.
        version: String,
        /// The protocol version agreed on.
        protocol: String,
        /// The tools' names.
        tools: Vec<String>,
    },
    /// Without a token the server asked for one, as it must; nothing more was tried.
    Unauthenticated,
}

/// Why the smoke test failed.
#[derive(Debug, thiserror::Error)]
pub enum SmokeError {
    /// The endpoint was not reached.
    #[error("{url} could not be reached: {reason}")]
    Unreachable {
        /// The endpoint.
        url: Url,
        /// Why.
        reason: String,
    },
    /// Without a token the server did not answer 401.
    #[error("{url} answered {status} to a request without a token; 401 was expected")]
    NotGuarded {
        /// The endpoint.
        url: Url,
        /// The status it answered.
        status: u16,
    },
    /// `initialize` failed.
    #[error("MCP initialize at {url} failed: {reason}")]
    Initialize {
        /// The endpoint.
        url: Url,
        /// Why.
        reason: String,
    },
    /// `tools/list` failed.
    #[error("MCP tools/list at {url} failed: {reason}")]
    ListTools {
        /// The endpoint.
        url: Url,
        /// Why.
        reason: String,
    },
    /// The server has no tools.
    #[error("the server at {url} lists no tools")]
    NoTools {
        /// The endpoint.
        url: Url,
    },
    /// It took too long.
    #[error("the MCP handshake with {url} did not end within {} s", DEADLINE.as_secs())]
    TimedOut {
        /// The endpoint.
        url: Url,
    },
}

/// Does a handshake with the endpoint; without a token, checks that one is asked for.
///
/// # Errors
/// [`SmokeError`]; none carries the token.
pub async fn smoke(url: &Url, token: Option<&Token>) -> Result<(Smoke, Duration), SmokeError> {
    let began = Instant::now();
    let test = async {
        check_guarded(url).await?;
        match token {
            None => Ok(Smoke::Unauthenticated),
            Some(token) => handshake(url, token).await,
        }
    };
    let smoke = tokio::time::timeout(DEADLINE, test)
        .await
        .map_err(|_| SmokeError::TimedOut { url: url.clone() })??;
    Ok((smoke, began.elapsed()))
}

/// A server that lets everybody in is not the one we mean to release.
async fn check_guarded(url: &Url) -> Result<(), SmokeError> {
    let answer = reqwest::Client::new()
        .post(url.clone())
        .header("accept", "application/json, text/event-stream")
        .json(&serde_json::json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}))
        .send()
        .await
        .map_err(|error| SmokeError::Unreachable {
            url: url.clone(),
            reason: crate::aws::root_causes(&error),
        })?;
    match answer.status() {
        StatusCode::UNAUTHORIZED => Ok(()),
        status => Err(SmokeError::NotGuarded {
            url: url.clone(),
            status: status.as_u16(),
        }),
    }
}

async fn handshake(url: &Url, token: &Token) -> Result<Smoke, SmokeError> {
    let config = StreamableHttpClientTransportConfig::with_uri(url.as_str()).auth_header(&token.0);
    let client = ()
        .serve(StreamableHttpClientTransport::from_config(config))
        .await
        .map_err(|error: ClientInitializeError| SmokeError::Initialize {
            url: url.clone(),
            reason: crate::aws::root_causes(&error),
        })?;
    let info = client.peer_info();
    let protocol = info
        .as_ref()
        .map(|info| info.protocol_version.to_string())
        .unwrap_or_default();
    let (server, version) = info
        .as_ref()
        .and_then(|info| info.server_info.as_ref())
        .map(|server| (server.name.clone(), server.version.clone()))
        .unwrap_or_default();
    let tools = client
        .list_all_tools()
        .await
        .map_err(|error: ServiceError| SmokeError::ListTools {
            url: url.clone(),
            reason: error.to_string(),
        })?;
    // Ending the session is a courtesy; a stateless server has nothing to end.
    let _ = client.cancel().await;
    if tools.is_empty() {
        return Err(SmokeError::NoTools { url: url.clone() });
    }
    Ok(Smoke::Complete {
        server,
        version,
        protocol,
        tools: tools
            .into_iter()
            .map(|tool| tool.name.into_owned())
            .collect(),
    })
}
