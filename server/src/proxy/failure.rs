use serde_json::{Value, json};
use thiserror::Error;

use super::answerer::Answerer;
use super::token::TokenFailure;

/// Why a message got no answer.
#[derive(Debug, Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Token(#[from] TokenFailure),
    #[error(
        "the MCP server at {host} cannot be reached ({why}); look at the URL, or try again later"
    )]
    Unreachable { host: String, why: &'static str },
    #[error("the connection to the MCP server broke before the answer came")]
    Broke,
    /// The server refuses, and says why in a form that was read.
    #[error("the MCP server answered HTTP {status}: {message}")]
    Http { status: u16, message: String },
    /// What answered does not speak MCP, as far as this answer shows.
    #[error("{0}")]
    NotMcp(Answerer),
    #[error("the MCP server's answer is longer than {} MiB", limit / (1024 * 1024))]
    TooLong { limit: usize },
}

impl Failure {
    /// A JSON-RPC error code of the range for servers.
    pub(super) fn code(&self) -> i64 {
        match (self, self.status()) {
            (Self::Token(_), _) | (_, Some(401 | 403)) => -32001,
            _ => -32000,
        }
    }

    pub(super) fn data(&self) -> Value {
        let status = self.status();
        let retryable = match status {
            Some(status) => [429, 502, 503, 504].contains(&status),
            None => matches!(self, Self::Unreachable { .. }),
        };
        match status {
            Some(status) => json!({ "status": status, "retryable": retryable }),
            None => json!({ "retryable": retryable }),
        }
    }

    fn status(&self) -> Option<u16> {
        match self {
            Self::Http { status, .. } => Some(*status),
            Self::NotMcp(answerer) => Some(answerer.status.as_u16()),
            _ => None,
        }
    }
}
