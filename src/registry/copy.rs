//! Promotion: the very bytes of an image, from one repository to another.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use super::access::Access;
use super::client::{Failure, Manifest, RemoteRepository};
use super::push::{ProgressSink, PublishProgress, PushError, Tagging};
use super::upload::{Outcome, Upload};
use crate::image::{BlobDescriptor, Digest, RepositoryName, Tag};

/// Blobs that are copied at the same time.
const PARALLEL_BLOBS: usize = 4;
/// How deep indexes may refer to indexes.
const DEEPEST_INDEX: usize = 4;

/// What a copy moved, or would move.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Copied {
    /// Blobs that the registry took over from the other repository by itself.
    pub blobs_mounted: usize,
    /// Blobs that went through this machine.
    pub blobs_sent: usize,
    /// Blobs that were there already.
    pub blobs_present: usize,
    /// Bytes that went through this machine.
    pub bytes_sent: u64,
    /// Bytes of all blobs that were not there.
    pub bytes_missing: u64,
    /// Manifests that refer to the image (SBOMs, signatures) and went along.
    pub referrers: usize,
    /// Whether the tag was written; `false` when it named this very image already.
    pub tagged: bool,
}

/// Why an image was not copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The source does not give what it should.
    #[error("{repository}: {operation} failed: {reason}; nothing was tagged in {to}")]
    Source {
        /// The repository that is read.
        repository: RepositoryName,
        /// What was tried.
        operation: String,
        /// What went wrong.
        reason: String,
        /// The repository that is written.
        to: RepositoryName,
    },
    /// The target does not take it.
    #[error(transparent)]
    Target(#[from] PushError),
    /// This machine has no room for what passes through it.
    #[error("a folder for what is copied cannot be made: {0}")]
    Folder(#[from] std::io::Error),
}

/// What a manifest or an index refers to.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Content {
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Vec<Descriptor>,
    #[serde(default)]
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: Digest,
    size: u64,
}

impl From<Descriptor> for BlobDescriptor {
    fn from(descriptor: Descriptor) -> Self {
        Self {
            digest: descriptor.digest,
            size: descriptor.size,
            media_type: descriptor.media_type,
        }
    }
}

/// Everything that belongs to an image, as its source describes it.
struct Bundle {
    /// What the image's index names, lowest first; then the image itself.
    manifests: Vec<(Digest, Manifest)>,
    /// What refers to the image.
    referrers: Vec<(Digest, Manifest)>,
    /// Every blob of all of them, each once.
    blobs: Vec<BlobDescriptor>,
}

impl Bundle {
    fn add(&mut self, blobs: impl IntoIterator<Item = Descriptor>) {
        for blob in blobs {
            if !self.blobs.iter().any(|known| known.digest == blob.digest) {
                self.blobs.push(blob.into());
            }
        }
    }
}

/// A copy of one image between two repositories.
pub struct Copy<'a> {
    from: &'a Access,
    to: &'a Access,
    digest: &'a Digest,
    source: RemoteRepository,
    target: RemoteRepository,
    progress: ProgressSink,
}

impl<'a> Copy<'a> {
    /// Connects to both repositories.
    ///
    /// # Errors
    /// When one of them has no usable address.
    pub async fn new(
        from: &'a Access,
        to: &'a Access,
        digest: &'a Digest,
        progress: ProgressSink,
    ) -> Result<Self, CopyError> {
        let connected = |access: &Access, failure: Failure| {
            PushError::explain(access, "connecting", failure, digest)
        };
        Ok(Self {
            source: RemoteRepository::connect(from)
                .await
                .map_err(|failure| connected(from, failure))?,
            target: RemoteRepository::connect(to)
                .await
                .map_err(|failure| connected(to, failure))?,
            from,
            to,
            digest,
            progress,
        })
    }

    /// What would move; changes nothing.
    ///
    /// # Errors
    /// As [`Copy::run`].
    pub async fn plan(&self, tag: &Tag) -> Result<Copied, CopyError> {
        let mut plan = Copied {
            tagged: !self.tag_names_it(tag).await?,
            ..Copied::default()
        };
        let bundle = self.read().await?;
        for blob in &bundle.blobs {
            let has = || self.target.has_blob(&blob.digest);
            if self
                .at_target("looking for a blob", &blob.digest, has)
                .await?
            {
                plan.blobs_present += 1;
            } else {
                plan.blobs_sent += 1;
                plan.bytes_missing += blob.size;
            }
        }
        plan.referrers = self.missing_referrers(&bundle).await?.len();
        Ok(plan)
    }

    /// Copies blobs, manifests and referrers, and tags the image last, so that the tag never
    /// names an incomplete image.
    ///
    /// # Errors
    /// When the tag names another image, when the source lacks a part or gives other bytes, and
    /// when the target refuses or cannot be reached.
    pub async fn run(&self, tag: &Tag) -> Result<Copied, CopyError> {
        let already = self.tag_names_it(tag).await?;
        let bundle = self.read().await?;
        let mut copied = self.copy_blobs(&bundle.blobs).await?;
        for (digest, manifest) in &bundle.manifests {
            self.put(digest.as_str(), digest, manifest).await?;
        }
        for (digest, manifest) in self.missing_referrers(&bundle).await? {
            self.put(digest.as_str(), digest, manifest).await?;
            copied.referrers += 1;
        }
        if !already && let Some((digest, manifest)) = bundle.manifests.last() {
            let tagging = Tagging {
                target: self.to,
                remote: &self.target,
                tag,
                manifest,
                digest,
                progress: &self.progress,
            };
            copied.tagged = tagging.write().await?;
        }
        Ok(copied)
    }

    async fn tag_names_it(&self, tag: &Tag) -> Result<bool, CopyError> {
        let lookup = || self.target.tagged_digest(tag);
        match self
            .at_target("looking up the tag", self.digest, lookup)
            .await?
        {
            None => Ok(false),
            Some(existing) if existing == *self.digest => Ok(true),
            Some(existing) => Err(PushError::TagTaken {
                repository: self.to.repository.clone(),
                tag: tag.clone(),
                existing,
                ours: self.digest.clone(),
            }
            .into()),
        }
    }

    async fn read(&self) -> Result<Bundle, CopyError> {
        let mut bundle = Bundle {
            manifests: Vec::new(),
            referrers: Vec::new(),
            blobs: Vec::new(),
        };
        let mut ahead = vec![(self.digest.clone(), 0)];
        while let Some((digest, depth)) = ahead.pop() {
            let (manifest, content) = self.manifest(&digest).await?;
            bundle.add(content.config.into_iter().chain(content.layers));
            bundle.manifests.insert(0, (digest, manifest));
            if depth < DEEPEST_INDEX {
                let inner = content.manifests.into_iter();
                ahead.extend(inner.map(|inner| (inner.digest, depth + 1)));
            }
        }
        let list = || self.source.referrers(self.digest);
        let referrers = self
            .at_source("listing what refers to the image", list)
            .await?;
        for referrer in referrers.unwrap_or_default() {
            let (manifest, content) = self.manifest(&referrer.digest).await?;
            bundle.add(content.config.into_iter().chain(content.layers));
            bundle.referrers.push((referrer.digest, manifest));
        }
        Ok(bundle)
    }

    async fn manifest(&self, digest: &Digest) -> Result<(Manifest, Content), CopyError> {
        let operation = format!("reading the manifest {digest}");
        let read = || self.source.manifest_of(digest);
        let manifest = self.at_source(&operation, read).await?;
        let content = serde_json::from_slice(&manifest.content)
            .map_err(|error| self.source_error(&operation, &error.to_string()))?;
        Ok((manifest, content))
    }

    /// The referrers that the target lacks; none where it knows no referrers.
    async fn missing_referrers<'b>(
        &self,
        bundle: &'b Bundle,
    ) -> Result<Vec<&'b (Digest, Manifest)>, CopyError> {
        if bundle.referrers.is_empty() {
            return Ok(Vec::new());
        }
        let list = || self.target.referrers(self.digest);
        let operation = "listing what refers to the image";
        let Some(known) = self.at_target(operation, self.digest, list).await? else {
            return Ok(Vec::new());
        };
        let is_known = |digest: &Digest| known.iter().any(|referrer| referrer.digest == *digest);
        let missing = bundle
            .referrers
            .iter()
            .filter(|(digest, _)| !is_known(digest));
        Ok(missing.collect())
    }

    async fn copy_blobs(&self, blobs: &[BlobDescriptor]) -> Result<Copied, CopyError> {
        let folder = tempfile::tempdir()?;
        stream::iter(blobs)
            .map(|blob| self.copy_blob(blob, folder.path()))
            .buffer_unordered(PARALLEL_BLOBS)
            .try_fold(Copied::default(), |mut sum, one| async move {
                sum.blobs_mounted += one.blobs_mounted;
                sum.blobs_sent += one.blobs_sent;
                sum.blobs_present += one.blobs_present;
                sum.bytes_sent += one.bytes_sent;
                sum.bytes_missing += one.bytes_missing;
                Ok(sum)
            })
            .await
    }

    async fn copy_blob(&self, blob: &BlobDescriptor, folder: &Path) -> Result<Copied, CopyError> {
        let digest = &blob.digest;
        let mut copied = Copied::default();
        let has = || self.target.has_blob(digest);
        if self.at_target("looking for a blob", digest, has).await? {
            copied.blobs_present = 1;
            return Ok(copied);
        }
        copied.bytes_missing = blob.size;
        if self.from.repository.registry() == self.to.repository.registry() {
            let mount = || self.target.mount_blob(digest, self.from.repository.path());
            if self.at_target("mounting a blob", digest, mount).await? {
                copied.blobs_mounted = 1;
                return Ok(copied);
            }
        }
        let file = folder.join(digest.hex());
        let fetch = || self.source.fetch_blob(blob, &file);
        self.at_source(&format!("fetching {digest}"), fetch).await?;
        let outcome = self.upload(blob, &file).await?;
        // The folder goes in the end; a file that is needed no more need not wait for that.
        drop(tokio::fs::remove_file(&file).await);
        match outcome {
            Outcome::Present => copied.blobs_present = 1,
            Outcome::Sent => {
                copied.blobs_sent = 1;
                copied.bytes_sent = blob.size;
            }
        }
        Ok(copied)
    }

    async fn upload(&self, blob: &BlobDescriptor, file: &Path) -> Result<Outcome, CopyError> {
        let upload = Upload {
            repository: &self.target,
            blob: blob.clone(),
            file: file.to_owned(),
            broken: Default::default(),
        };
        let (progress, digest, size) = (self.progress.clone(), blob.digest.clone(), blob.size);
        let sent = Arc::new(move |sent| {
            let digest = digest.clone();
            progress(PublishProgress::BlobSending { digest, sent, size });
        });
        let operation = format!("uploading {}", blob.digest);
        self.at_target(&operation, &blob.digest, || upload.attempt(sent.clone()))
            .await
    }

    async fn put(
        &self,
        reference: &str,
        digest: &Digest,
        manifest: &Manifest,
    ) -> Result<(), CopyError> {
        let operation = format!("writing the manifest {reference}");
        let put = || self.target.put_manifest(reference, manifest);
        match self.at_target(&operation, digest, put).await? {
            Some(reported) if reported != *digest => {
                let failure = Failure::Digest { reported };
                Err(PushError::explain(self.to, &operation, failure, digest).into())
            }
            _ => Ok(()),
        }
    }

    async fn at_source<T, F>(
        &self,
        operation: &str,
        attempt: impl FnMut() -> F,
    ) -> Result<T, CopyError>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let result = self.from.retry.run(attempt, self.notify(operation)).await;
        result.map_err(|failure| self.source_error(operation, &failure.to_string()))
    }

    fn source_error(&self, operation: &str, reason: &str) -> CopyError {
        CopyError::Source {
            repository: self.from.repository.clone(),
            operation: operation.to_owned(),
            reason: reason.to_owned(),
            to: self.to.repository.clone(),
        }
    }

    async fn at_target<T, F>(
        &self,
        operation: &str,
        content: &Digest,
        attempt: impl FnMut() -> F,
    ) -> Result<T, CopyError>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let result = self.to.retry.run(attempt, self.notify(operation)).await;
        result.map_err(|failure| PushError::explain(self.to, operation, failure, content).into())
    }

    fn notify(&self, operation: &str) -> impl FnMut(&Failure, Duration) {
        let operation = operation.to_owned();
        move |failure, wait| {
            (self.progress)(PublishProgress::Retrying {
                operation: operation.clone(),
                reason: failure.to_string(),
                wait_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
            });
        }
    }
}
