use std::time::Duration;

use serde_json::{Value, json};
use thiserror::Error;

use crate::aws::AwsError;
use crate::registry::RegistryError;

/// Why a tool has no result, in words that a model can act on.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ToolError {
    /// The arguments do not fit the schema, or the registry refuses them.
    #[error("invalid input: {0}")]
    InvalidInput(String),
    /// Something named in the arguments is not there, or not the caller's to see.
    #[error("{0}")]
    NotFound(String),
    /// The registry no longer accepts the token.
    #[error("the registry does not accept the token any more: sign in to Quilt again")]
    Unauthorized,
    /// The registry is down, overloaded or slow.
    #[error("the Quilt registry is not available: {0}")]
    RegistryUnavailable(RegistryError),
    /// The registry answered, and the answer is no result.
    #[error("the Quilt registry could not do this: {0}")]
    RegistryFailed(String),
    /// What was to be made is there already, or has changed meanwhile.
    #[error("{0}")]
    Conflict(String),
    /// More than a tool can take in at once; nothing was changed.
    #[error("{0}")]
    TooLarge(String),
    /// The caller's role may not do this.
    #[error("{0}")]
    Forbidden(String),
    /// AWS is down, overloaded or slow, or the credentials have just ended.
    #[error("{0}")]
    AwsUnavailable(AwsError),
    /// AWS answered, and the answer is no result.
    #[error("{0}")]
    AwsFailed(String),
    /// The deadline passed.
    #[error("no result within {} s; ask for less at a time", .deadline.as_secs())]
    DeadlineExceeded {
        /// The deadline.
        deadline: Duration,
    },
    /// The result would not fit into an answer.
    #[error(
        "the result has {bytes} bytes, more than the {limit} that an answer holds; ask for less at a time"
    )]
    ResultTooLarge {
        /// The result's size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// A fault of this server.
    #[error("this server failed: {0}")]
    Internal(String),
}

impl ToolError {
    /// The name by which programs know the error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidInput(_) => "invalid_input",
            Self::NotFound(_) => "not_found",
            Self::Unauthorized => "unauthorized",
            Self::RegistryUnavailable(_) => "registry_unavailable",
            Self::RegistryFailed(_) => "registry_failed",
            Self::Conflict(_) => "conflict",
            Self::TooLarge(_) => "too_large",
            Self::Forbidden(_) => "forbidden",
            Self::AwsUnavailable(_) => "aws_unavailable",
            Self::AwsFailed(_) => "aws_failed",
            Self::DeadlineExceeded { .. } => "deadline_exceeded",
            Self::ResultTooLarge { .. } => "result_too_large",
            Self::Internal(_) => "internal",
        }
    }

    /// Whether the same call may succeed a little later.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::RegistryUnavailable(_) | Self::AwsUnavailable(_) | Self::DeadlineExceeded { .. }
        )
    }

    /// The `structuredContent` of a failed call.
    pub fn to_json(&self) -> Value {
        json!({ "error": {
            "code": self.code(),
            "message": self.to_string(),
            "retryable": self.is_retryable(),
        } })
    }
}

impl From<RegistryError> for ToolError {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::Unauthorized => Self::Unauthorized,
            error if error.is_transient() => Self::RegistryUnavailable(error),
            error => Self::RegistryFailed(error.to_string()),
        }
    }
}

impl From<AwsError> for ToolError {
    fn from(error: AwsError) -> Self {
        match error {
            AwsError::NoCredentials(cause) => cause.into(),
            AwsError::Denied { .. } => Self::Forbidden(error.to_string()),
            AwsError::NotFound { .. } => Self::NotFound(error.to_string()),
            AwsError::CredentialsEnded | AwsError::Unavailable { .. } => {
                Self::AwsUnavailable(error)
            }
            AwsError::Refused { .. } => Self::AwsFailed(error.to_string()),
            AwsError::Unreadable { .. } => Self::AwsFailed(error.to_string()),
            AwsError::Unsignable { .. } => Self::Internal(error.to_string()),
        }
    }
}
