//! Publishing: an image of this machine becomes a tagged image of a registry.

mod before;
mod error;
mod sbom;
mod tagging;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use futures::{TryStreamExt, stream};
use serde::Serialize;

use super::access::Access;
use super::client::{Failure, Manifest, RemoteRepository};
use super::upload::{Outcome, Upload};
use crate::image::check;
use crate::image::{BlobDescriptor, Digest, Image, ImageReference, RepositoryName, Tag};
pub use before::published_before;
pub use error::PushError;
pub use sbom::SbomState;
pub(super) use tagging::Tagging;

/// Blobs that are sent at the same time.
const PARALLEL_BLOBS: usize = 4;

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
    /// What became of the list of components; `None` when nothing was pushed.
    pub sbom: Option<SbomState>,
}

impl Published {
    /// An image of so many blobs that the tag names, and of which nothing was sent.
    fn already(target: &Access, tag: &Tag, digest: &Digest, blobs: usize) -> Self {
        Self {
            repository_uri: target.repository.clone(),
            registry: target.repository.registry().to_owned(),
            repository: target.repository.path().to_owned(),
            tag: tag.clone(),
            digest: digest.clone(),
            pushed: false,
            bytes_uploaded: 0,
            blobs_uploaded: 0,
            blobs_present: blobs,
            sbom: None,
        }
    }

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
    /// The registry does not take the image's list of components; the image is whole without it.
    NotAttached {
        /// What was tried, and what the registry answered.
        reason: String,
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
/// never points to an incomplete image. A list of components is attached before that, to the
/// manifest under its digest.
///
/// # Errors
/// When the image breaks a rule of [`check`], when the tag names another image, and when
/// the registry cannot be reached, refuses, or reports another digest.
pub async fn publish_image(
    target: &Access,
    image: &Image,
    tag: &Tag,
    progress: ProgressSink,
) -> Result<Published, PushError> {
    check::check(image)?;
    let push = Push::new(target, tag, progress).await?;
    let mut published = Published::already(target, tag, &image.digest, image.blobs().len());
    if push.tag_names(&image.digest).await? {
        return Ok(published);
    }
    let sent = push.send_blobs(image).await?;
    published.sbom = Some(push.attach_sbom(image).await?);
    published.pushed = push.tag(image).await?;
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
    target: &'a Access,
    tag: &'a Tag,
    remote: RemoteRepository,
    progress: ProgressSink,
}

impl<'a> Push<'a> {
    async fn new(
        target: &'a Access,
        tag: &'a Tag,
        progress: ProgressSink,
    ) -> Result<Self, PushError> {
        Ok(Self {
            remote: RemoteRepository::connect(target).await.map_err(|failure| {
                PushError::Refused {
                    repository: target.repository.clone(),
                    operation: "preparing the connection".to_owned(),
                    reason: failure.to_string(),
                }
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
            Some(existing) => Err(PushError::taken(self.target, self.tag, existing, ours)),
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
        self.send_file(blob, &image.blob_path(&blob.digest))
            .await
            .map_err(|failed| failed.explain(self.target))
    }

    async fn send_file(&self, blob: &BlobDescriptor, file: &Path) -> Result<Option<u64>, Failed> {
        let operation = format!("uploading {}", blob.digest);
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
        let outcome = self
            .retrying(&operation, || upload.attempt(sent.clone()))
            .await
            .map_err(|failure| Failed::new(&operation, failure, &digest))?;
        if outcome == Outcome::Sent {
            (self.progress)(PublishProgress::BlobSent { digest, size });
            Ok(Some(size))
        } else {
            (self.progress)(PublishProgress::BlobPresent { digest, size });
            Ok(None)
        }
    }

    /// Writes a manifest under its digest.
    async fn put_by_digest(&self, operation: &str, manifest: &Manifest) -> Result<(), Failed> {
        let digest = Digest::of(&manifest.content);
        let put = || self.remote.put_manifest(digest.as_str(), manifest);
        match self.retrying(operation, put).await {
            Ok(Some(reported)) if reported != digest => Err(Failure::Digest { reported }),
            result => result.map(drop),
        }
        .map_err(|failure| Failed::new(operation, failure, &digest))
    }

    /// Whether it was us who tagged the image: another publication of it may be faster.
    async fn tag(&self, image: &Image) -> Result<bool, PushError> {
        let tagging = Tagging {
            target: self.target,
            remote: &self.remote,
            tag: self.tag,
            manifest: &manifest_of(image),
            digest: &image.digest,
            progress: &self.progress,
        };
        tagging.write().await
    }

    async fn retrying<T, F>(
        &self,
        operation: &str,
        attempt: impl FnMut() -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let notify = notify(&self.progress, operation);
        self.target.retry.run(attempt, notify).await
    }
}

/// A step that failed, and the content that it was about.
struct Failed {
    operation: String,
    failure: Failure,
    content: Digest,
}

impl Failed {
    fn new(operation: &str, failure: Failure, content: &Digest) -> Self {
        Self {
            operation: operation.to_owned(),
            failure,
            content: content.clone(),
        }
    }

    fn explain(self, target: &Access) -> PushError {
        PushError::explain(target, &self.operation, self.failure, &self.content)
    }
}

fn manifest_of(image: &Image) -> Manifest {
    Manifest {
        content: image.manifest.clone(),
        media_type: image.manifest_media_type.clone(),
    }
}

/// Tells of every failed attempt at `operation`.
fn notify(progress: &ProgressSink, operation: &str) -> impl FnMut(&Failure, Duration) {
    move |failure, wait| {
        progress(PublishProgress::Retrying {
            operation: operation.to_owned(),
            reason: failure.to_string(),
            wait_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
        });
    }
}
