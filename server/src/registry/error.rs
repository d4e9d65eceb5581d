use std::time::Duration;

use thiserror::Error;

/// Why the registry gave no answer to use.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum RegistryError {
    /// HTTP 401 or 403.
    #[error("the registry does not accept the token")]
    Unauthorized,
    /// No connection, or one that broke.
    #[error("the registry cannot be reached ({0})")]
    Unreachable(&'static str),
    /// No answer in time.
    #[error("the registry did not answer in time")]
    TimedOut,
    /// HTTP 429 or 5xx.
    #[error("the registry answered HTTP {status}")]
    Unavailable {
        /// The status.
        status: u16,
        /// Its `Retry-After`, in seconds.
        retry_after: Option<Duration>,
    },
    /// Another HTTP status that is not a success.
    #[error("the registry answered HTTP {0}, which this server did not expect")]
    UnexpectedStatus(u16),
    /// A GraphQL response with errors instead of data.
    #[error("the registry refused the query: {0}")]
    Refused(String),
    /// Something that is not the GraphQL response asked for.
    #[error("the registry's answer cannot be read ({0})")]
    Unreadable(String),
    /// More bytes than the server takes.
    #[error("the registry's answer is larger than {} MiB", .limit_bytes / (1024 * 1024))]
    TooLarge {
        /// The limit.
        limit_bytes: usize,
    },
}

impl RegistryError {
    /// Whether the same question may succeed a little later.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unreachable(_) | Self::TimedOut | Self::Unavailable { .. }
        )
    }
}

impl From<reqwest::Error> for RegistryError {
    /// Keeps the kind of the failure, and logs the whole of it: what DNS, TCP or
    /// TLS said helps an operator, and is not a caller's business.
    fn from(error: reqwest::Error) -> Self {
        let kind = if error.is_timeout() {
            Self::TimedOut
        } else if error.is_connect() {
            Self::Unreachable("no connection")
        } else if error.is_decode() {
            Self::Unreadable("broken body".to_owned())
        } else {
            Self::Unreachable("the connection broke")
        };
        tracing::warn!(%kind, detail = causes(&error.without_url()), "registry request failed");
        kind
    }
}

/// An error and what caused it, from the outside in.
fn causes(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
