//! Publishing: an image of this machine becomes a tagged image of a registry.

mod error;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use backon::Retryable;
use futures::{TryStreamExt, stream};
use serde::Serialize;

use super::credentials::Credentials;
use super::protocol::{Failure, RemoteRepository};
use super::retry::RetryPolicy;
use super::upload::{self, Outcome};
use crate::image::check;
use crate::image::{BlobDescriptor, Digest, Image, ImageReference, RepositoryName, Tag};
pub use error::PushError;

/// Blobs that are sent at the same time.
const PARALLEL_BLOBS: usize = 4;

/// Where to publish, and as whom.
#[derive(Debug, Clone)]
pub struct PushTarget {
    /// The repository.
    pub repository: RepositoryName,
    /// Credentials for its registry; `None` for one that asks for none.
    pub credentials: Option<Credentials>,
    /// What to do about trouble that may pass.
    pub retry: RetryPolicy,
}

impl PushTarget {
    /// `repository`, with the usual patience.
    pub fn new(repository: RepositoryName, credentials: Option<Credentials>) -> Self {
        Self {
            repository,
            credentials,
            retry: RetryPolicy::default(),
        }
    }
}

/// An image in a registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Published {
    /// Registry and repository, as image references start.
    pub repository_uri: RepositoryName,
    /// Host and port of the registry.
    pub registry: String,
    /// The repository's name within the registry.
    pub repository: String,
    /// The tag.
    pub tag: Tag,
    /// The digest, as the registry confirmed it.
    pub digest: Digest,
    /// Whether anything was pushed; `false` when the tag named this very image already.
    pub pushed: bool,
    /// Bytes of the blobs that were sent.
    pub bytes_uploaded: u64,
    /// Blobs that were sent.
    pub blobs_uploaded: usize,
    /// Blobs that the repository had already.
    pub blobs_present: usize,
}

impl Published {
    /// The image's name, by digest: what a task definition should say.
    pub fn reference(&self) -> ImageReference {
        self.repository_uri.with_digest(&self.digest)
    }
}

/// What publishing tells while it works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum PublishProgress {
    /// The repository has this blob already.
    BlobPresent {
        /// The blob.
        digest: Digest,
        /// Its size in bytes.
        size: u64,
    },
    /// Part of a blob is on its way; starts again from the beginning after a retry.
    BlobSending {
        /// The blob.
        digest: Digest,
        /// Bytes sent so far.
        sent: u64,
        /// Its size in bytes.
        size: u64,
    },
    /// A blob is in the repository.
    BlobSent {
        /// The blob.
        digest: Digest,
        /// Its size in bytes.
        size: u64,
    },
    /// A request met trouble that may pass.
    Retrying {
        /// What was tried.
        operation: String,
        /// What went wrong.
        reason: String,
        /// Wait before the next attempt, in milliseconds.
        wait_ms: u64,
    },
    /// The tag names the image.
    Tagged {
        /// The tag.
        tag: Tag,
        /// The image's digest.
        digest: Digest,
    },
}

/// Receives [`PublishProgress`]; shared with the uploads that run side by side.
pub type ProgressSink = Arc<dyn Fn(PublishProgress) + Send + Sync>;

/// Pushes `image` to `target` under `tag`, and verifies that the registry holds these very bytes.
///
/// A tag that names this image already is left alone (`pushed: false`); one that names
/// another image is never moved. The tag is written after all blobs are confirmed, so it
/// never points to an incomplete image.
///
/// # Errors
/// When the image breaks a rule of [`check`], when the tag names another image, and when
/// the registry cannot be reached, refuses, or reports another digest.
pub async fn publish_image(
    target: &PushTarget,
    image: &Image,
    tag: &Tag,
    progress: ProgressSink,
) -> Result<Published, PushError> {
    check::check(image)?;
    let push = Push::new(target, tag, progress)?;
    let mut published = Published {
        repository_uri: target.repository.clone(),
        registry: target.repository.registry().to_owned(),
        repository: target.repository.path().to_owned(),
        tag: tag.clone(),
        digest: image.digest.clone(),
        pushed: false,
        bytes_uploaded: 0,
        blobs_uploaded: 0,
        blobs_present: image.blobs().len(),
    };
    if push.tag_names(&image.digest).await? {
        return Ok(published);
    }
    let sent = push.send_blobs(image).await?;
    published.pushed = push.put_manifest(image).await?;
    published.bytes_uploaded = sent.bytes.into_inner();
    published.blobs_uploaded = sent.blobs.into_inner();
    published.blobs_present -= published.blobs_uploaded;
    Ok(published)
}

#[derive(Default)]
struct Sent {
    bytes: AtomicU64,
    blobs: AtomicUsize,
}

/// One publication under way.
struct Push<'a> {
    target: &'a PushTarget,
    tag: &'a Tag,
    remote: RemoteRepository,
    progress: ProgressSink,
}

impl<'a> Push<'a> {
    fn new(
        target: &'a PushTarget,
        tag: &'a Tag,
        progress: ProgressSink,
    ) -> Result<Self, PushError> {
        let remote = RemoteRepository::new(&target.repository, target.credentials.clone());
        Ok(Self {
            remote: remote.map_err(|failure| PushError::Refused {
                repository: target.repository.clone(),
                operation: "preparing the connection".to_owned(),
                reason: failure.to_string(),
            })?,
            target,
            tag,
            progress,
        })
    }

    /// Whether the tag names `ours` already; an error if it names another image.
    async fn tag_names(&self, ours: &Digest) -> Result<bool, PushError> {
        let operation = format!("looking up the tag {}", self.tag);
        let existing = self
            .retrying(&operation, || self.remote.tagged_digest(self.tag))
            .await
            .map_err(|failure| PushError::explain(self.target, &operation, failure, ours))?;
        match existing {
            None => Ok(false),
            Some(existing) if existing == *ours => Ok(true),
            Some(existing) => Err(PushError::TagTaken {
                repository: self.target.repository.clone(),
                tag: self.tag.clone(),
                existing,
                ours: ours.clone(),
            }),
        }
    }

    async fn send_blobs(&self, image: &Image) -> Result<Sent, PushError> {
        let sent = Sent::default();
        stream::iter(image.blobs().into_iter().map(Ok::<_, PushError>))
            .map_ok(|blob| self.send_blob(image, blob))
            .try_buffer_unordered(PARALLEL_BLOBS)
            .try_for_each(|bytes| {
                if let Some(bytes) = bytes {
                    sent.bytes.fetch_add(bytes, Ordering::Relaxed);
                    sent.blobs.fetch_add(1, Ordering::Relaxed);
                }
                std::future::ready(Ok(()))
            })
            .await?;
        Ok(sent)
    }

    /// Bytes sent; `None` when the repository had the blob.
    async fn send_blob(
        &self,
        image: &Image,
        blob: &BlobDescriptor,
    ) -> Result<Option<u64>, PushError> {
        let operation = format!("uploading {}", blob.digest);
        let file = image.blob_path(&blob.digest);
        let attempt = || {
            let (progress, digest, size) = (self.progress.clone(), blob.digest.clone(), blob.size);
            upload::ensure_blob(&self.remote, blob, &file, move |sent| {
                let digest = digest.clone();
                progress(PublishProgress::BlobSending { digest, sent, size });
            })
        };
        let outcome = self
            .retrying(&operation, attempt)
            .await
            .map_err(|failure| {
                PushError::explain(self.target, &operation, failure, &blob.digest)
            })?;
        let (digest, size) = (blob.digest.clone(), blob.size);
        match outcome {
            Outcome::Present => {
                (self.progress)(PublishProgress::BlobPresent { digest, size });
                Ok(None)
            }
            Outcome::Sent => {
                (self.progress)(PublishProgress::BlobSent { digest, size });
                Ok(Some(size))
            }
        }
    }

    /// Whether it was us who tagged the image: another publication of it may be faster.
    async fn put_manifest(&self, image: &Image) -> Result<bool, PushError> {
        let operation = format!("tagging the image {}", self.tag);
        let attempt = || {
            self.remote
                .put_manifest(self.tag, &image.manifest_media_type, image.manifest.clone())
        };
        let reported = match self.retrying(&operation, attempt).await {
            Ok(Some(reported)) => reported,
            // No digest in the answer: ask for it.
            Ok(None) => match self.tag_names(&image.digest).await? {
                true => image.digest.clone(),
                false => {
                    let nothing = Failure::Protocol(
                        "the registry took the tag but does not know it".to_owned(),
                    );
                    return Err(PushError::explain(
                        self.target,
                        &operation,
                        nothing,
                        &image.digest,
                    ));
                }
            },
            // Registries name an immutable tag's refusal differently: the tag itself says more.
            Err(failure) => {
                let refused = failure
                    .status()
                    .is_some_and(|status| matches!(status, 400 | 403 | 405 | 409 | 412));
                if refused && self.tag_names(&image.digest).await? {
                    return Ok(false);
                }
                return Err(PushError::explain(
                    self.target,
                    &operation,
                    failure,
                    &image.digest,
                ));
            }
        };
        if reported != image.digest {
            return Err(PushError::explain(
                self.target,
                &operation,
                Failure::Digest { reported },
                &image.digest,
            ));
        }
        (self.progress)(PublishProgress::Tagged {
            tag: self.tag.clone(),
            digest: reported,
        });
        Ok(true)
    }

    async fn retrying<T, F>(
        &self,
        operation: &str,
        attempt: impl FnMut() -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        attempt
            .retry(self.target.retry.backoff())
            .when(|failure: &Failure| failure.may_pass() || failure.is_lost_upload())
            .adjust(|failure, wait| Some(RetryPolicy::wait(wait?, failure.retry_after())))
            .notify(|failure, wait: Duration| {
                (self.progress)(PublishProgress::Retrying {
                    operation: operation.to_owned(),
                    reason: failure.to_string(),
                    wait_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
                });
            })
            .await
    }
}
