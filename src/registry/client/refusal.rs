//! Why a registry does not let a request in: to renew what lets us in is worth a try, or not.

use reqwest::{Response, StatusCode};

use super::Failure;
use super::failure::error_of;

/// A refusal that better credentials may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The registry wants to see other credentials (401).
    Challenged,
    /// The registry says that what let us in has ended. ECR does so with 403.
    Ended,
    /// The registry does not say why (403): an answer to HEAD has no body.
    Silent,
}

impl Refusal {
    /// What an answer refuses, and the answer, as whole as it came.
    pub async fn of(answer: Response) -> Result<(Option<Self>, Response), Failure> {
        match answer.status() {
            StatusCode::UNAUTHORIZED => Ok((Some(Self::Challenged), answer)),
            StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST => Self::read(answer).await,
            _ => Ok((None, answer)),
        }
    }

    async fn read(answer: Response) -> Result<(Option<Self>, Response), Failure> {
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer.bytes().await.map_err(Failure::connection)?;
        let refusal = if says_ended(&error_of(&body).1) {
            Some(Self::Ended)
        } else if body.is_empty() && status == StatusCode::FORBIDDEN {
            Some(Self::Silent)
        } else {
            None
        };
        let mut answer = http::Response::new(body);
        *answer.status_mut() = status;
        *answer.headers_mut() = headers;
        Ok((refusal, answer.into()))
    }
}

/// ECR: "Your authorization token has expired. Reauthenticate and try again."
fn says_ended(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    message.contains("expired")
        && ["token", "authorization", "credential"]
            .iter()
            .any(|what| message.contains(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, message: &str) -> Response {
        let body = if message.is_empty() {
            String::new()
        } else {
            format!(r#"{{"errors":[{{"code":"DENIED","message":"{message}"}}]}}"#)
        };
        let answer = http::Response::builder().status(status).header("x", "y");
        answer.body(body).unwrap().into()
    }

    #[tokio::test]
    async fn an_end_is_told_from_a_lack_of_permission() {
        let ended = "Your authorization token has expired. Reauthenticate and try again.";
        let lacking = "User: arn:aws:iam::111122223333:user/x is not authorized to perform: \
                       ecr:InitiateLayerUpload on resource: y";
        for (status, message, expected) in [
            (401, lacking, Some(Refusal::Challenged)),
            (403, ended, Some(Refusal::Ended)),
            (400, ended, Some(Refusal::Ended)),
            (403, lacking, None),
            (403, "the lifecycle policy has expired", None),
            (403, "", Some(Refusal::Silent)),
            (400, "", None),
            (404, "", None),
            (200, "", None),
        ] {
            let (refusal, whole) = Refusal::of(answer(status, message)).await.unwrap();
            assert_eq!(refusal, expected, "{status} {message}");
            assert_eq!(whole.status(), status);
            assert_eq!(whole.headers()["x"], "y");
            assert!(whole.text().await.unwrap().contains(message));
        }
    }
}
