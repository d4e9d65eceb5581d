//! A repository that is written: each step of a push or a copy, through trouble that may pass.

mod error;
mod progress;
mod tagging;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub use self::error::PushError;
pub use self::progress::{ProgressSink, PublishProgress};
use super::access::Access;
use super::client::{Failure, Manifest, RemoteRepository};
use super::upload::{Outcome, Upload};
use crate::image::{BlobDescriptor, Digest, Tag};

/// A repository that is written, and who is told of it.
pub(super) struct Target<'a> {
    pub access: &'a Access,
    pub remote: RemoteRepository,
    pub progress: ProgressSink,
}

/// A step that failed, and the content that it was about.
pub(super) struct Failed<'a> {
    access: &'a Access,
    pub operation: String,
    pub failure: Failure,
    content: Digest,
}

impl From<Failed<'_>> for PushError {
    fn from(failed: Failed<'_>) -> Self {
        Self::explain(
            failed.access,
            &failed.operation,
            failed.failure,
            &failed.content,
        )
    }
}

impl<'a> Target<'a> {
    /// Connects to the repository, for an image with the digest `ours`.
    pub(super) async fn connect(
        access: &'a Access,
        ours: &Digest,
        progress: ProgressSink,
    ) -> Result<Self, PushError> {
        let remote = RemoteRepository::connect(access)
            .await
            .map_err(|failure| PushError::explain(access, "connecting", failure, ours))?;
        Ok(Self {
            access,
            remote,
            progress,
        })
    }

    /// Whether the tag names `ours` already; an error if it names another image.
    pub(super) async fn tag_names(&self, tag: &Tag, ours: &Digest) -> Result<bool, PushError> {
        let operation = format!("looking up the tag {tag}");
        let lookup = || self.remote.tagged_digest(tag);
        match self.attempt(&operation, ours, lookup).await? {
            None => Ok(false),
            Some(existing) if existing == *ours => Ok(true),
            Some(existing) => Err(PushError::taken(self.access, tag, existing, ours)),
        }
    }

    /// Whether the repository has a blob.
    pub(super) async fn has(&self, digest: &Digest) -> Result<bool, Failed<'a>> {
        let has = || self.remote.has_blob(digest);
        self.attempt("looking for a blob", digest, has).await
    }

    /// Sends a blob that is not there.
    pub(super) async fn send(
        &self,
        blob: &BlobDescriptor,
        file: &Path,
    ) -> Result<Outcome, Failed<'a>> {
        let upload = Upload {
            repository: &self.remote,
            blob: blob.clone(),
            file: file.to_owned(),
            broken: Default::default(),
        };
        let (digest, size) = (blob.digest.clone(), blob.size);
        let (progress, sending) = (self.progress.clone(), digest.clone());
        let sent = Arc::new(move |sent| {
            let digest = sending.clone();
            progress(PublishProgress::BlobSending { digest, sent, size });
        });
        let operation = format!("uploading {digest}");
        let attempt = || upload.attempt(sent.clone());
        let outcome = self.attempt(&operation, &digest, attempt).await?;
        (self.progress)(match outcome {
            Outcome::Sent => PublishProgress::BlobSent { digest, size },
            Outcome::Present => PublishProgress::BlobPresent { digest, size },
        });
        Ok(outcome)
    }

    /// Writes a manifest under its digest.
    pub(super) async fn put(&self, operation: &str, manifest: &Manifest) -> Result<(), Failed<'a>> {
        let digest = Digest::of(&manifest.content);
        let put = || self.remote.put_manifest(digest.as_str(), manifest);
        match self.attempt(operation, &digest, put).await? {
            Some(reported) if reported == digest => Ok(()),
            Some(reported) => Err(self.failed(operation, Failure::Digest { reported }, &digest)),
            // No digest in the answer: read what was written.
            None => {
                let read = || self.remote.manifest_of(&digest);
                self.attempt(operation, &digest, read).await.map(drop)
            }
        }
    }

    /// The manifests that refer to `digest`; `None` where the registry knows no referrers.
    pub(super) async fn referrers(
        &self,
        digest: &Digest,
    ) -> Result<Option<Vec<Digest>>, Failed<'a>> {
        let list = || self.remote.referrers(digest);
        let operation = "listing what refers to the image";
        let known = self.attempt(operation, digest, list).await?;
        Ok(known.map(|known| known.into_iter().map(|referrer| referrer.digest).collect()))
    }

    /// Tries `attempt` again while its trouble may pass. `content` is what it is about.
    pub(super) async fn attempt<T, F>(
        &self,
        operation: &str,
        content: &Digest,
        attempt: impl FnMut() -> F,
    ) -> Result<T, Failed<'a>>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let notify = notify(&self.progress, operation);
        let result = self.access.retry.run(attempt, notify).await;
        result.map_err(|failure| self.failed(operation, failure, content))
    }

    pub(super) fn failed(&self, operation: &str, failure: Failure, content: &Digest) -> Failed<'a> {
        Failed {
            access: self.access,
            operation: operation.to_owned(),
            failure,
            content: content.clone(),
        }
    }
}

/// Tells of every failed attempt at `operation`.
pub(super) fn notify(progress: &ProgressSink, operation: &str) -> impl FnMut(&Failure, Duration) {
    move |failure, wait| {
        progress(PublishProgress::Retrying {
            operation: operation.to_owned(),
            reason: failure.to_string(),
            wait_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
        });
    }
}
