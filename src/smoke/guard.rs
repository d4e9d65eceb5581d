//! A request without a token: a server that lets everybody in is not the one we mean to release.

use reqwest::StatusCode;
use reqwest::header::WWW_AUTHENTICATE;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::exchange::Endpoint;
use super::{Problem, SmokeError, Step};

/// How a request without a token was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Guard {
    /// Always 401; anything else is a failure.
    pub status: u16,
    /// The challenge (RFC 9110 section 11.6.1), which tells clients how to sign in.
    pub www_authenticate: Option<String>,
}

impl Guard {
    pub(super) fn warnings(&self) -> Option<String> {
        match &self.www_authenticate {
            None => Some(
                "the 401 carries no WWW-Authenticate, which RFC 9110 requires: some clients cannot tell that they should sign in".into(),
            ),
            Some(challenge) if !challenge.to_ascii_lowercase().contains("bearer") => Some(format!(
                "the 401 asks for `{challenge}`, not for a bearer token"
            )),
            Some(_) => None,
        }
    }
}

/// Sends a request that needs a token without one.
pub(super) async fn check(endpoint: &mut Endpoint) -> Result<Guard, SmokeError> {
    let step = Step::NoToken;
    let request = endpoint.message(&json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}));
    let answer = endpoint.send(&step, request).await?;
    if answer.status() != StatusCode::UNAUTHORIZED {
        let problem = endpoint.refusal(answer).await;
        return Err(endpoint.failed(&step, problem));
    }
    let www_authenticate = answer
        .headers()
        .get(WWW_AUTHENTICATE)
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    Ok(Guard {
        status: answer.status().as_u16(),
        www_authenticate,
    })
}

impl Endpoint {
    /// What it means that 401 was not answered: nobody guards, or somebody else is there.
    async fn refusal(&self, answer: reqwest::Response) -> Problem {
        let status = answer.status();
        if status.is_success() {
            return Problem::NotGuarded(status.as_u16());
        }
        Problem::Status {
            status: status.as_u16(),
            html: super::exchange::content_type(&answer).contains("html"),
            body: self.excerpt(answer).await,
        }
    }
}
