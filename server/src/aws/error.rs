use thiserror::Error;

use crate::registry::RegistryError;

/// Why AWS gave no result. No variant holds a URL: it could be a signed one.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum AwsError {
    /// The registry lent no credentials, so AWS was not asked.
    #[error("the registry lends no AWS credentials: {0}")]
    NoCredentials(RegistryError),
    /// The caller's role may not do this.
    #[error("AWS denies {operation} on {resource}: {message}")]
    Denied {
        /// The API's operation.
        operation: &'static str,
        /// What it was about.
        resource: String,
        /// AWS's words.
        message: String,
    },
    /// There is no such thing.
    #[error("there is no {resource}")]
    NotFound {
        /// What was named.
        resource: String,
    },
    /// The lent credentials have ended early.
    #[error("the AWS credentials have ended; the next call gets new ones")]
    CredentialsEnded,
    /// Throttled, down, or unreachable.
    #[error("AWS is not available for {operation}: {reason}")]
    Unavailable {
        /// The API's operation.
        operation: &'static str,
        /// What happened.
        reason: String,
    },
    /// AWS refuses the request.
    #[error("AWS refuses {operation}: {message} ({code})")]
    Refused {
        /// The API's operation.
        operation: &'static str,
        /// The error's code.
        code: String,
        /// AWS's words.
        message: String,
    },
    /// An answer that is not what the API describes.
    #[error("AWS's answer to {operation} cannot be read")]
    Unreadable {
        /// The API's operation.
        operation: &'static str,
    },
    /// The request could not be signed: a fault of this server.
    #[error("the request for {operation} could not be made")]
    Unsignable {
        /// The API's operation.
        operation: &'static str,
    },
}
