use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::challenge::Challenge;
use super::token::{BearerToken, TokenError};
use super::validator::{Refusal, Validator};
use crate::config::Config;
use crate::http::{ErrorBody, RequestRecord};

/// What the layer lets pass, and how it refuses.
#[derive(Clone, Debug)]
pub struct BearerPolicy {
    validator: Validator,
    audiences: Arc<[String]>,
    challenge: Arc<Challenge>,
}

impl BearerPolicy {
    /// Tokens that `validator` accepts and that are for this server.
    pub fn new(config: &Config, validator: Validator) -> Self {
        Self {
            validator,
            audiences: config.audiences.clone().into(),
            challenge: Arc::new(Challenge::new(config.oauth.as_ref())),
        }
    }
}

/// Lets a request pass only with a token that the registry accepts.
///
/// The token leaves the headers and travels on in the [`super::Caller`]
/// extension, so that nothing behind this layer can log or forward it by accident.
pub async fn require_bearer(
    State(policy): State<BearerPolicy>,
    mut request: Request,
    next: Next,
) -> Response {
    let token = match BearerToken::from_headers(request.headers()) {
        Ok(token) => token,
        Err(error) => return refuse_token(&policy.challenge, error),
    };
    if let Some(record) = request.extensions().get::<RequestRecord>() {
        record.set_caller(token.hash());
    }
    if !token.is_for(&policy.audiences) {
        tracing::info!(caller = %token.hash(), "a token for another audience was refused; MCP_AUDIENCES names those that are taken");
        let challenge = policy
            .challenge
            .invalid_token("The token is for another audience");
        return unauthorized(challenge, "the bearer token was issued for another service");
    }
    let caller = match policy.validator.validate(token).await {
        Ok(caller) => caller,
        Err(refusal) => return refuse_caller(&policy.challenge, &refusal),
    };
    request.headers_mut().remove(header::AUTHORIZATION);
    request.extensions_mut().insert(caller);
    next.run(request).await
}

/// 401 with a challenge: bare when no token was brought.
fn refuse_token(challenge: &Challenge, error: TokenError) -> Response {
    let value = match error {
        TokenError::Missing => challenge.bare(),
        TokenError::Malformed | TokenError::TooLong => {
            challenge.invalid_token("The token is malformed")
        }
    };
    unauthorized(value, &error.to_string())
}

fn refuse_caller(challenge: &Challenge, refusal: &Refusal) -> Response {
    let description = match refusal {
        Refusal::Expired => "The token has expired",
        Refusal::Unknown => "The registry does not accept the token",
        Refusal::NoVerdict { cause, retry_after } => {
            tracing::warn!(%cause, "token validation failed");
            let seconds = retry_after.as_secs().max(1).to_string();
            let body = ErrorBody::new("registry_unavailable", &refusal.to_string(), true);
            return (
                StatusCode::SERVICE_UNAVAILABLE,
                [(header::RETRY_AFTER, seconds)],
                body,
            )
                .into_response();
        }
    };
    unauthorized(challenge.invalid_token(description), &refusal.to_string())
}

fn unauthorized(challenge: HeaderValue, message: &str) -> Response {
    let body = ErrorBody::new("unauthorized", message, false);
    (
        StatusCode::UNAUTHORIZED,
        [(header::WWW_AUTHENTICATE, challenge)],
        body,
    )
        .into_response()
}
