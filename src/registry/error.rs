//! What ECR's API says when it refuses.

use std::error::Error;
use std::fmt;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// A failed call of ECR's API.
#[derive(Debug, Clone)]
pub struct EcrError {
    /// The IAM action, for example `ecr:DescribeImages`.
    pub action: &'static str,
    /// What it was about.
    pub resource: String,
    /// AWS's error code, when AWS answered.
    pub code: Option<String>,
    /// AWS's message, or what went wrong on the way.
    pub message: String,
    /// AWS's request id, when AWS answered.
    pub request_id: Option<String>,
}

impl EcrError {
    /// Reads an SDK error.
    pub(super) fn new<E>(
        action: &'static str,
        resource: &str,
        error: &SdkError<E, HttpResponse>,
    ) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let request_id = error
            .raw_response()
            .and_then(|response| response.headers().get("x-amzn-requestid"));
        Self {
            action,
            resource: resource.to_owned(),
            code: error.code().map(str::to_owned),
            message: error
                .message()
                .map_or_else(|| with_causes(error), str::to_owned),
            request_id: request_id.map(str::to_owned),
        }
    }

    /// An answer that lacks what AWS's documentation promises.
    pub(super) fn incomplete(action: &'static str, resource: &str, lack: &str) -> Self {
        Self {
            action,
            resource: resource.to_owned(),
            code: None,
            message: format!("the answer {lack}"),
            request_id: None,
        }
    }

    /// Whether the caller lacks the permission.
    pub fn is_access_denied(&self) -> bool {
        let denied = [
            "AccessDeniedException",
            "AccessDenied",
            "UnauthorizedOperation",
        ];
        self.code
            .as_deref()
            .is_some_and(|code| denied.contains(&code))
    }

    /// What the operator can do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        self.is_access_denied().then(|| {
            format!(
                "the caller needs the IAM action {} on {}",
                self.action, self.resource
            )
        })
    }
}

impl fmt::Display for EcrError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {} failed: ", self.action, self.resource)?;
        if let Some(code) = &self.code {
            write!(f, "{code}: ")?;
        }
        f.write_str(&self.message)?;
        if let Some(id) = &self.request_id {
            write!(f, " (request {id})")?;
        }
        match self.hint() {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl Error for EcrError {}

/// An error and its causes in one line, each said once.
pub(super) fn with_causes(error: &dyn Error) -> String {
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
