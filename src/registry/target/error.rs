//! Why an image is not published, and what to do.

use jiff::Timestamp;

use crate::image::check::CheckError;
use crate::image::{Digest, RepositoryName, Tag};
use crate::registry::access::Access;
use crate::registry::client::Failure;
use crate::registry::credentials::Credentials;

/// Why an image is not published.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The image breaks a rule.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// The tag names another image, and tags do not move.
    #[error(
        "{repository}:{tag} is already published with the digest {existing}, and this build has the digest {ours}: a tag never moves, so commit a change (the tag follows the commit) or roll out the published image"
    )]
    TagTaken {
        /// The repository.
        repository: RepositoryName,
        /// The tag.
        tag: Tag,
        /// What the tag names.
        existing: Digest,
        /// What it should have named.
        ours: Digest,
    },
    /// The registry does not let us in.
    #[error(
        "{repository}: the registry refused our credentials on {operation} ({reason}): {advice}"
    )]
    Unauthorised {
        /// The repository.
        repository: RepositoryName,
        /// What was tried.
        operation: String,
        /// What the registry said.
        reason: String,
        /// What to do.
        advice: String,
    },
    /// There is no such repository.
    #[error(
        "the repository {repository} does not exist: create it first (`publish --create-repository`, or Terraform's ecr module)"
    )]
    RepositoryMissing {
        /// The repository.
        repository: RepositoryName,
    },
    /// The registry holds other bytes than ours.
    #[error(
        "{repository}: after {operation} the registry reports the digest {reported}, but what was sent has the digest {ours}: do not use this image; something between here and the registry changes what is sent"
    )]
    DigestMismatch {
        /// The repository.
        repository: RepositoryName,
        /// What was tried.
        operation: String,
        /// What the registry reports.
        reported: Digest,
        /// What was sent.
        ours: Digest,
    },
    /// The trouble did not pass.
    #[error(
        "{repository}: {operation} failed {attempts} times, last with: {reason}; nothing was tagged, so run the same command again later (what was sent is not sent again)"
    )]
    GaveUp {
        /// The repository.
        repository: RepositoryName,
        /// What was tried.
        operation: String,
        /// How often.
        attempts: usize,
        /// The last failure.
        reason: String,
    },
    /// The trouble did not pass, and hides whether the tag was written.
    #[error(
        "{repository}: {operation} failed, last with: {reason}; whether the tag was written is not known, since looking it up failed too ({lookup}): run the same command again later, which settles it (what was sent is not sent again)"
    )]
    TagUnknown {
        /// The repository.
        repository: RepositoryName,
        /// What was tried.
        operation: String,
        /// The last failure.
        reason: String,
        /// Why the tag could not be looked up.
        lookup: String,
    },
    /// The registry refuses, or breaks its protocol.
    #[error("{repository}: {operation} was refused: {reason}")]
    Refused {
        /// The repository.
        repository: RepositoryName,
        /// What was tried.
        operation: String,
        /// What the registry said.
        reason: String,
    },
    /// A blob's file is gone or changed.
    #[error("the image cannot be read: {0}")]
    File(String),
}

impl PushError {
    /// The tag names `existing`, where it should name `ours`.
    pub(super) fn taken(target: &Access, tag: &Tag, existing: Digest, ours: &Digest) -> Self {
        Self::TagTaken {
            repository: target.repository.clone(),
            tag: tag.clone(),
            existing,
            ours: ours.clone(),
        }
    }

    /// What `failure` of `operation`, which sent the content `ours`, means to an operator.
    pub(super) fn explain(
        target: &Access,
        operation: &str,
        failure: Failure,
        ours: &Digest,
    ) -> Self {
        let repository = target.repository.clone();
        let operation = operation.to_owned();
        let reason = failure.to_string();
        if failure.may_pass() || failure.is_lost_upload() {
            let attempts = target.retry.attempts.max(1);
            return Self::GaveUp {
                repository,
                operation,
                attempts,
                reason,
            };
        }
        match failure {
            Failure::Status {
                status: 401 | 403, ..
            } => Self::Unauthorised {
                repository,
                operation,
                reason,
                advice: advice_on_credentials(target),
            },
            Failure::Login(reason) => Self::Unauthorised {
                repository,
                operation,
                reason: "they have ended".to_owned(),
                advice: reason,
            },
            Failure::Status { code, .. } if code == "NAME_UNKNOWN" => {
                Self::RepositoryMissing { repository }
            }
            Failure::Digest { reported } => Self::DigestMismatch {
                repository,
                operation,
                reported,
                ours: ours.clone(),
            },
            Failure::File(reason) => Self::File(reason),
            _ => Self::Refused {
                repository,
                operation,
                reason,
            },
        }
    }
}

fn advice_on_credentials(target: &Access) -> String {
    let expires_at = target.credentials.as_ref().map(Credentials::expires_at);
    match expires_at {
        None => "none were given, and it asks for some".to_owned(),
        Some(Some(time)) if target.renewal.is_none() && time <= Timestamp::now() => {
            format!("they expired at {time}; run the same command again")
        }
        Some(_) => "the caller needs the IAM actions ecr:BatchCheckLayerAvailability, ecr:InitiateLayerUpload, ecr:UploadLayerPart, ecr:CompleteLayerUpload, ecr:PutImage and ecr:BatchGetImage on the repository".to_owned(),
    }
}
