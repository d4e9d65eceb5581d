//! Why a request failed, and whether the same one may succeed later.

use std::time::Duration;

use reqwest::Response;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde::Deserialize;

use crate::aws::root_causes;
use crate::image::Digest;

/// Why one request did not give what it was for.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Failure {
    /// There was no whole answer.
    #[error("{0}")]
    Connection(String),
    /// The registry answered with an error.
    #[error("{}", shown(*.status, .code, .message))]
    Status {
        /// The HTTP status.
        status: u16,
        /// The registry's error code, for example `TAG_INVALID`.
        code: String,
        /// The registry's message.
        message: String,
        /// How long the registry asks to wait.
        retry_after: Option<Duration>,
    },
    /// The registry stored something else.
    #[error("the registry reports the digest {reported}")]
    Digest {
        /// The digest that it reports.
        reported: Digest,
    },
    /// The answer breaks the specification.
    #[error("{0}")]
    Protocol(String),
    /// What let us in had ended and was renewed; the request itself could not be sent again.
    #[error("the registry's authorisation ended and was renewed")]
    Reauthorised,
    /// The registry does not let us in, and the one that could renew our credentials says why.
    #[error("{0}")]
    Login(String),
    /// The registry lacks what was asked for.
    #[error("the registry does not hold {0}")]
    Absent(String),
    /// The file to upload cannot be read, or changed since it was verified.
    #[error("{0}")]
    File(String),
}

impl Failure {
    pub fn connection(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let reason = root_causes(&error);
        Self::Connection(if error.is_timeout() {
            format!("no answer in time: {reason}")
        } else {
            reason
        })
    }

    /// Whether the same request may succeed later.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Connection(_) | Self::Reauthorised => true,
            Self::Status { status, .. } => matches!(status, 408 | 425 | 429 | 500..=599),
            Self::Digest { .. }
            | Self::Protocol(_)
            | Self::Login(_)
            | Self::Absent(_)
            | Self::File(_) => false,
        }
    }

    /// Whether the registry may have carried out the request all the same: its answer was lost, or
    /// says nothing of it.
    pub fn leaves_open(&self) -> bool {
        match self {
            Self::Connection(_) => true,
            Self::Status { status, .. } => matches!(status, 408 | 500..=599),
            _ => false,
        }
    }

    /// Whether the registry understood the request and will not carry it out, now or later.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Status {
                status: 400..=499,
                ..
            }
        ) && !self.may_pass()
            && !self.is_lost_upload()
    }

    /// Whether the registry no longer knows the upload session.
    pub fn is_lost_upload(&self) -> bool {
        matches!(self, Self::Status { status, code, .. }
            if code == "BLOB_UPLOAD_UNKNOWN" || code == "BLOB_UPLOAD_INVALID" || *status == 416)
    }

    /// Whether what was uploaded is not what it should be.
    pub fn is_wrong_content(&self) -> bool {
        matches!(self, Self::Status { code, .. } if code == "DIGEST_INVALID")
    }

    /// How long the registry asks to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

fn shown(status: u16, code: &str, message: &str) -> String {
    let parts = [
        format!("HTTP {status}"),
        code.to_owned(),
        message.to_owned(),
    ];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join(": ")
}

/// The error body of the distribution specification ("Error codes"). Registries invent
/// codes of their own, so they stay text.
#[derive(Debug, Default, Deserialize)]
struct ErrorBody {
    errors: Vec<ErrorEntry>,
}

#[derive(Debug, Default, Deserialize)]
struct ErrorEntry {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

pub async fn successful(answer: Response) -> Result<Response, Failure> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let retry_after = retry_after(answer.headers());
    let (code, message) = error_of(&answer.bytes().await.unwrap_or_default());
    Err(Failure::Status {
        status: status.as_u16(),
        code,
        message: if message.is_empty() {
            status.canonical_reason().unwrap_or_default().to_owned()
        } else {
            message
        },
        retry_after,
    })
}

/// The first error's code and message in the body of an answer; empty where there are none.
pub fn error_of(body: &[u8]) -> (String, String) {
    let body: ErrorBody = serde_json::from_slice(body).unwrap_or_default();
    let error = body.errors.into_iter().next().unwrap_or_default();
    (error.code, error.message)
}

/// `Retry-After` in seconds; its other form, a date, is not used by registries.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers
        .get(RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_told_by_its_status() {
        let status = |status| Failure::Status {
            status,
            code: String::new(),
            message: String::new(),
            retry_after: None,
        };
        for (code, expected) in [
            (429, true),
            (500, true),
            (503, true),
            (408, true),
            (400, false),
            (401, false),
            (403, false),
            (404, false),
        ] {
            assert_eq!(status(code).may_pass(), expected, "{code}");
        }
        for (code, expected) in [
            (400, false),
            (401, false),
            (408, true),
            (429, false),
            (500, true),
            (504, true),
        ] {
            assert_eq!(status(code).leaves_open(), expected, "{code}");
        }
        for (code, expected) in [
            (400, true),
            (403, true),
            (413, true),
            (429, false),
            (500, false),
        ] {
            assert_eq!(status(code).is_refusal(), expected, "{code}");
        }
        assert!(Failure::Connection("cut".into()).may_pass());
        assert!(Failure::Connection("cut".into()).leaves_open());
        assert!(!Failure::File("gone".into()).may_pass());
    }
}
