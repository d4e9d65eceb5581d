use std::borrow::Cow;

use http::StatusCode;

/// An error as AWS tells it: a code that programs read, a message that people read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ApiError {
    pub code: Cow<'static, str>,
    pub message: String,
    pub status: StatusCode,
}

impl ApiError {
    pub(super) fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            status: StatusCode::BAD_REQUEST,
        }
    }

    pub(super) fn client(message: impl Into<String>) -> Self {
        Self::new("ClientException", message)
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterException", message)
    }

    pub(super) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }
}

/// What an operation answers.
pub(super) type Answer = Result<serde_json::Value, ApiError>;
