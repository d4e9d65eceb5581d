use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::token::{BearerToken, TokenError};
use super::validator::{Refusal, Validator};
use crate::http::{ErrorBody, RequestRecord};

/// Lets a request pass only with a token that the registry accepts.
///
/// The token leaves the headers and travels on in the [`super::Caller`]
/// extension, so that nothing behind this layer can log or forward it by accident.
pub async fn require_bearer(
    State(validator): State<Validator>,
    mut request: Request,
    next: Next,
) -> Response {
    let token = match BearerToken::from_headers(request.headers()) {
        Ok(token) => token,
        Err(error) => return refuse_token(error),
    };
    if let Some(record) = request.extensions().get::<RequestRecord>() {
        record.set_caller(token.hash());
    }
    let caller = match validator.validate(token).await {
        Ok(caller) => caller,
        Err(refusal) => return refuse_caller(&refusal),
    };
    request.headers_mut().remove(header::AUTHORIZATION);
    request.extensions_mut().insert(caller);
    next.run(request).await
}

/// 401 with a challenge (RFC 6750, section 3): bare when no token was brought.
fn refuse_token(error: TokenError) -> Response {
    let challenge = match error {
        TokenError::Missing => r#"Bearer realm="quilt""#,
        TokenError::Malformed | TokenError::TooLong => {
            r#"Bearer realm="quilt", error="invalid_token", error_description="The token is malformed""#
        }
    };
    unauthorized(challenge, &error.to_string())
}

fn refuse_caller(refusal: &Refusal) -> Response {
    match refusal {
        Refusal::Expired => unauthorized(
            r#"Bearer realm="quilt", error="invalid_token", error_description="The token has expired""#,
            &refusal.to_string(),
        ),
        Refusal::Unknown => unauthorized(
            r#"Bearer realm="quilt", error="invalid_token", error_description="The registry does not accept the token""#,
            &refusal.to_string(),
        ),
        Refusal::NoVerdict { cause, retry_after } => {
            tracing::warn!(%cause, "token validation failed");
            let seconds = retry_after.as_secs().max(1).to_string();
            let body = ErrorBody::new("registry_unavailable", &refusal.to_string(), true);
            (
                StatusCode::SERVICE_UNAVAILABLE,
                [(header::RETRY_AFTER, seconds)],
                body,
            )
                .into_response()
        }
    }
}

fn unauthorized(challenge: &'static str, message: &str) -> Response {
    let body = ErrorBody::new("unauthorized", message, false);
    (
        StatusCode::UNAUTHORIZED,
        [(header::WWW_AUTHENTICATE, challenge)],
        body,
    )
        .into_response()
}
