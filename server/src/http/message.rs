//! The JSON-RPC message in a request, read before the transport sees it: its
//! limits, and answers that clients can read when it is wrong.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::{Value, json};
use thiserror::Error;

use super::error_body::ErrorBody;

/// The largest message, in bytes.
const BODY_LIMIT: usize = 4 * 1024 * 1024;
/// How long a client may take to send it.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// What the transport wants to see in `Accept`.
const BOTH_KINDS: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");

/// How an answer is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AnswerKind {
    /// `text/event-stream`, with comments that keep it alive.
    Events,
    /// One `application/json`, for clients that take nothing else.
    Json,
}

/// Reads the message whole, and says how it wants to be answered.
///
/// The specification has clients accept both kinds of answer; those that say
/// nothing, `*/*` or only one kind get what they can read.
pub(crate) async fn read(request: Request) -> Result<(Request, Bytes, AnswerKind), BadMessage> {
    let (mut parts, body) = request.into_parts();
    let kind = answer_kind(&parts.headers).ok_or(BadMessage::NotAcceptable)?;
    check_content(&parts.headers)?;
    let bytes = read_body(&parts.headers, body).await?;
    parts.headers.insert(header::ACCEPT, BOTH_KINDS);
    let request = Request::from_parts(parts, Body::from(bytes.clone()));
    Ok((request, bytes, kind))
}

/// The answer to a message that the transport could not read: a JSON-RPC error,
/// where the transport's is a plain text.
pub(crate) fn unreadable(message: &[u8]) -> Response {
    let (code, id, reason) = match serde_json::from_slice::<Value>(message) {
        Err(error) => (
            -32700,
            Value::Null,
            format!("the body is not JSON: {error}"),
        ),
        Ok(Value::Array(_)) => {
            let reason = "batches are not supported: send one message per request";
            (-32600, Value::Null, reason.to_owned())
        }
        Ok(message) => {
            let reason = "the body is not a JSON-RPC 2.0 message of MCP".to_owned();
            (-32600, id_of(&message), reason)
        }
    };
    bad_request(code, &id, &reason)
}

/// The answer to a message whose headers the transport refuses with a plain text: the same
/// text as a JSON-RPC error.
pub(crate) fn bad_headers(message: &[u8], reason: &str) -> Response {
    let message = serde_json::from_slice(message).unwrap_or_default();
    let reason = reason.strip_prefix("Bad Request: ").unwrap_or(reason);
    bad_request(-32600, &id_of(&message), reason)
}

fn id_of(message: &Value) -> Value {
    let id = message.get("id").filter(|id| id.is_string() || id.is_i64());
    id.cloned().unwrap_or_default()
}

fn bad_request(code: i64, id: &Value, reason: &str) -> Response {
    let error = json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": reason } });
    (StatusCode::BAD_REQUEST, Json(error)).into_response()
}

fn answer_kind(headers: &HeaderMap) -> Option<AnswerKind> {
    let mut ranges = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter(|range| !is_refused(range))
        .map(|range| {
            range
                .split(';')
                .next()
                .unwrap_or(range)
                .trim()
                .to_ascii_lowercase()
        })
        .filter(|range| !range.is_empty())
        .peekable();
    if ranges.peek().is_none() && !headers.contains_key(header::ACCEPT) {
        return Some(AnswerKind::Events);
    }
    ranges.fold(None, |kind, range| match (kind, range.as_str()) {
        (_, "*/*" | "text/*" | "text/event-stream") => Some(AnswerKind::Events),
        (None, "application/*" | "application/json") => Some(AnswerKind::Json),
        (kind, _) => kind,
    })
}

/// `q=0` means "not acceptable" (RFC 9110, section 12.4.2).
fn is_refused(range: &str) -> bool {
    range.split(';').skip(1).any(|parameter| {
        parameter
            .trim()
            .strip_prefix("q=")
            .and_then(|weight| weight.parse::<f32>().ok())
            .is_some_and(|weight| weight == 0.0)
    })
}

fn check_content(headers: &HeaderMap) -> Result<(), BadMessage> {
    let essence = |value: &HeaderValue| {
        let value = value.to_str().unwrap_or_default();
        let essence = value.split(';').next().unwrap_or_default();
        essence.trim().to_ascii_lowercase()
    };
    let mut types = headers.get_all(header::CONTENT_TYPE).iter().map(essence);
    if types.next().as_deref() != Some("application/json") || types.next().is_some() {
        return Err(BadMessage::MediaType);
    }
    let plain = |encoding: String| encoding.is_empty() || encoding == "identity";
    let mut encodings = headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .map(essence);
    if encodings.all(plain) {
        Ok(())
    } else {
        Err(BadMessage::Encoded)
    }
}

async fn read_body(headers: &HeaderMap, body: Body) -> Result<Bytes, BadMessage> {
    let declared = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > BODY_LIMIT as u64) {
        return Err(BadMessage::TooLarge);
    }
    let reading = Limited::new(body, BODY_LIMIT).collect();
    match tokio::time::timeout(BODY_TIMEOUT, reading).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(BadMessage::TooLarge),
        Ok(Err(_)) => Err(BadMessage::Incomplete),
        Err(_) => Err(BadMessage::Slow),
    }
}

/// Why a request holds no message to read.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(crate) enum BadMessage {
    /// The client takes no answer that there is (RFC 9110, section 15.5.7).
    #[error("answers are text/event-stream or application/json; accept one of them")]
    NotAcceptable,
    /// Not JSON, or not said to be.
    #[error("send the message as Content-Type: application/json")]
    MediaType,
    /// Compressed: nothing is unpacked here, so that nothing can burst.
    #[error("send the message without a Content-Encoding")]
    Encoded,
    /// Over the limit.
    #[error("a message has at most {} MiB", BODY_LIMIT / (1024 * 1024))]
    TooLarge,
    /// The connection or its framing broke.
    #[error("the body ended before its end")]
    Incomplete,
    /// The time for it is over.
    #[error("the body did not arrive within {} s", BODY_TIMEOUT.as_secs())]
    Slow,
}

impl IntoResponse for BadMessage {
    fn into_response(self) -> Response {
        let (status, code) = match self {
            Self::NotAcceptable => (StatusCode::NOT_ACCEPTABLE, "not_acceptable"),
            Self::MediaType | Self::Encoded => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type")
            }
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
            Self::Incomplete => (StatusCode::BAD_REQUEST, "incomplete_body"),
            Self::Slow => (StatusCode::REQUEST_TIMEOUT, "slow_body"),
        };
        (status, ErrorBody::new(code, &self.to_string(), false)).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepting(values: &[&str]) -> Option<AnswerKind> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::ACCEPT, value.parse().unwrap());
        }
        answer_kind(&headers)
    }

    #[test]
    fn every_client_gets_an_answer_that_it_can_read() {
        for (accept, kind) in [
            (&[][..], Some(AnswerKind::Events)),
            (
                &["application/json, text/event-stream"][..],
                Some(AnswerKind::Events),
            ),
            (
                &["application/json", "text/event-stream"][..],
                Some(AnswerKind::Events),
            ),
            (&["*/*"][..], Some(AnswerKind::Events)),
            (&["text/event-stream"][..], Some(AnswerKind::Events)),
            (&["Application/JSON"][..], Some(AnswerKind::Json)),
            (
                &["application/json; charset=utf-8; q=0.5"][..],
                Some(AnswerKind::Json),
            ),
            (
                &["application/json, text/event-stream;q=0"][..],
                Some(AnswerKind::Json),
            ),
            (&["text/html"][..], None),
            (&["application/json;q=0"][..], None),
            (&[""][..], None),
        ] {
            assert_eq!(accepting(accept), kind, "{accept:?}");
        }
    }
}
