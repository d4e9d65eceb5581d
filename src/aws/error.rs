//! What a failed AWS call says.

use std::fmt;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// What kind of trouble an AWS call met, as far as it changes what to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AwsErrorKind {
    /// No credentials could be found.
    CredentialsMissing,
    /// The credentials are expired or not valid.
    CredentialsRefused,
    /// The caller may not do this.
    AccessDenied,
    /// AWS asked to slow down, also after our retries.
    Throttled,
    /// The call may not have reached AWS, or its answer was lost.
    Unreachable,
    /// AWS failed (5xx).
    Server,
    /// AWS refused the request.
    Refused,
    /// AWS's answer lacks what its documentation promises.
    Incomplete,
}

/// A failed AWS call: which, on what, and what AWS said.
#[derive(Debug, Clone)]
pub struct AwsError {
    /// The IAM action, for example `ecs:DescribeServices`.
    pub action: &'static str,
    /// What it was about.
    pub resource: String,
    /// What kind of trouble it is.
    pub kind: AwsErrorKind,
    /// AWS's error code, when AWS answered.
    pub code: Option<String>,
    /// AWS's message, or what went wrong on the way.
    pub message: String,
    /// AWS's request id, when AWS answered.
    pub request_id: Option<String>,
}

impl AwsError {
    /// Reads an SDK error; `action` is the IAM action's name.
    pub fn new<E>(
        action: &'static str,
        resource: impl Into<String>,
        error: &SdkError<E, HttpResponse>,
    ) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let code = error.code().map(str::to_owned);
        let request_id = error
            .raw_response()
            .and_then(|response| response.headers().get("x-amzn-requestid"))
            .map(str::to_owned);
        let no_credentials = credentials_error(error);
        let message = match (error.message(), &code) {
            (Some(message), _) => message.to_owned(),
            (None, Some(code)) => code.clone(),
            (None, None) => root_causes(no_credentials.unwrap_or(error)),
        };
        Self {
            action,
            resource: resource.into(),
            kind: if no_credentials.is_some() {
                AwsErrorKind::CredentialsMissing
            } else {
                kind_of(error, code.as_deref())
            },
            code,
            message,
            request_id,
        }
    }

    /// An answer that lacks something: "names no repository".
    pub fn incomplete(action: &'static str, resource: impl Into<String>, lack: &str) -> Self {
        Self {
            action,
            resource: resource.into(),
            kind: AwsErrorKind::Incomplete,
            code: None,
            message: format!("the answer {lack}"),
            request_id: None,
        }
    }

    /// What the operator can do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        let hint = match self.kind {
            AwsErrorKind::CredentialsMissing => {
                "set AWS_PROFILE or the environment's profile key, or sign in with `aws sso login`; `aws sts get-caller-identity` shows whether it worked".to_owned()
            }
            AwsErrorKind::CredentialsRefused => {
                "sign in again (`aws sso login`, or renew the session's keys), then run the same command".to_owned()
            }
            AwsErrorKind::AccessDenied => {
                format!("the caller needs the IAM action {} on this resource", self.action)
            }
            AwsErrorKind::Throttled => "AWS throttles this account's calls: wait a minute and run the same command".to_owned(),
            AwsErrorKind::Unreachable => {
                "check the network, the proxy settings and the region or endpoint, then run the same command".to_owned()
            }
            AwsErrorKind::Server | AwsErrorKind::Refused | AwsErrorKind::Incomplete => return None,
        };
        Some(hint)
    }

    /// Whether the trouble is with the credentials themselves.
    pub fn is_credentials(&self) -> bool {
        matches!(
            self.kind,
            AwsErrorKind::CredentialsMissing | AwsErrorKind::CredentialsRefused
        )
    }

    /// Whether AWS may have carried out the call although we have no good answer.
    pub fn is_ambiguous(&self) -> bool {
        matches!(self.kind, AwsErrorKind::Unreachable | AwsErrorKind::Server)
    }
}

impl fmt::Display for AwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {} failed: ", self.action, self.resource)?;
        if let Some(code) = &self.code
            && *code != self.message
        {
            write!(f, "{code}: ")?;
        }
        f.write_str(&self.message)?;
        match &self.request_id {
            Some(id) => write!(f, " (request {id})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for AwsError {}

fn kind_of<E>(error: &SdkError<E, HttpResponse>, code: Option<&str>) -> AwsErrorKind {
    code.and_then(kind_of_code).unwrap_or(match error {
        SdkError::ServiceError(service) if service.raw().status().as_u16() >= 500 => {
            AwsErrorKind::Server
        }
        SdkError::ServiceError(_) | SdkError::ConstructionFailure(_) => AwsErrorKind::Refused,
        _ => AwsErrorKind::Unreachable,
    })
}

/// What AWS's error code says by itself.
pub(super) fn kind_of_code(code: &str) -> Option<AwsErrorKind> {
    match code.trim_end_matches("Exception") {
        "ExpiredToken"
        | "InvalidClientTokenId"
        | "UnrecognizedClient"
        | "InvalidSignature"
        | "SignatureDoesNotMatch"
        | "IncompleteSignature"
        | "MissingAuthenticationToken"
        | "RequestExpired"
        | "AuthFailure" => Some(AwsErrorKind::CredentialsRefused),
        "AccessDenied" | "UnauthorizedOperation" | "UnauthorizedAccess" => {
            Some(AwsErrorKind::AccessDenied)
        }
        "Throttling" | "Throttled" | "TooManyRequests" | "RequestLimitExceeded" | "SlowDown" => {
            Some(AwsErrorKind::Throttled)
        }
        _ => None,
    }
}

/// The reason why no provider could give or refresh credentials, if that is what happened:
/// the SDK hides it among the causes of a failed dispatch.
pub(super) fn credentials_error<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> Option<&'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
        .find(|error| error.is::<CredentialsError>())
}

/// An error and its causes in one line, each said once.
pub fn root_causes(error: &dyn std::error::Error) -> String {
    let mut said: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if !said.iter().any(|earlier| earlier.contains(&text)) {
            said.push(text);
        }
        next = error.source();
    }
    said.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: AwsErrorKind) -> AwsError {
        AwsError {
            action: "ecs:UpdateService",
            resource: "service a".into(),
            kind,
            code: Some("AccessDeniedException".into()),
            message: "not authorised".into(),
            request_id: Some("1-2".into()),
        }
    }

    #[test]
    fn says_action_resource_code_message_and_request() {
        assert_eq!(
            error(AwsErrorKind::AccessDenied).to_string(),
            "ecs:UpdateService on service a failed: AccessDeniedException: not authorised (request 1-2)"
        );
    }

    #[test]
    fn names_the_missing_action() {
        let hint = error(AwsErrorKind::AccessDenied).hint().unwrap();
        assert!(hint.contains("ecs:UpdateService"), "{hint}");
    }

    #[test]
    fn only_lost_answers_are_ambiguous() {
        for (kind, ambiguous) in [
            (AwsErrorKind::Unreachable, true),
            (AwsErrorKind::Server, true),
            (AwsErrorKind::Throttled, false),
            (AwsErrorKind::Refused, false),
            (AwsErrorKind::AccessDenied, false),
        ] {
            assert_eq!(error(kind).is_ambiguous(), ambiguous, "{kind:?}");
        }
    }
}
