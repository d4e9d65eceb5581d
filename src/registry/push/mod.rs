//! Publishing: an image of this machine becomes a tagged image of a registry.

mod before;
mod sbom;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use futures::{TryStreamExt, stream};
use serde::Serialize;

use super::access::Access;
use super::client::Manifest;
use super::target::{ProgressSink, PushError, Target};
use super::upload::Outcome;
use crate::image::check;
use crate::image::{BlobDescriptor, Digest, Image, ImageReference, RepositoryName, Tag};
pub use before::published_before;
pub use sbom::SbomState;

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
    let mut published = Published::already(target, tag, &image.digest, image.blobs().len());
    let target = Target::connect(target, &image.digest, progress).await?;
    let push = Push { target };
    if push.target.tag_names(tag, &image.digest).await? {
        return Ok(published);
    }
    let sent = push.send_blobs(image).await?;
    published.sbom = Some(push.attach_sbom(image).await?);
    let manifest = manifest_of(image);
    // Another publication of the image may have been faster.
    published.pushed = push.target.write_tag(tag, &manifest, &image.digest).await?;
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
    target: Target<'a>,
}

impl Push<'_> {
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
        let file = image.blob_path(&blob.digest);
        let outcome = self.target.send(blob, &file).await?;
        Ok((outcome == Outcome::Sent).then_some(blob.size))
    }
}

fn manifest_of(image: &Image) -> Manifest {
    Manifest {
        content: image.manifest.clone(),
        media_type: image.manifest_media_type.clone(),
    }
}
