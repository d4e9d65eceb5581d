//! Promotion: the very bytes of an image, from one repository to another.

mod bundle;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};

use self::bundle::Bundle;
use super::access::Access;
use super::client::{Failure, Manifest, RemoteRepository};
use super::copied::{Copied, Moved, Part};
use super::push::{ProgressSink, PublishProgress, PushError, Tagging};
use super::upload::{Outcome, Upload};
use crate::image::{BlobDescriptor, Digest, RepositoryName, Tag};

/// Blobs that are copied at the same time.
const PARALLEL_BLOBS: usize = 4;

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

    /// What would move; changes nothing. Without `target_exists` the target is made first, so
    /// that everything moves.
    ///
    /// # Errors
    /// As [`Copy::run`].
    pub async fn plan(&self, tag: &Tag, target_exists: bool) -> Result<Copied, CopyError> {
        let tagged = !target_exists || !self.tag_names_it(tag).await?;
        let bundle = self.read().await?;
        let mut plan = Copied {
            tagged,
            ..Copied::default()
        };
        for blob in &bundle.blobs {
            let has = || self.target.has_blob(&blob.digest);
            let operation = "looking for a blob";
            let present = target_exists && self.at_target(operation, &blob.digest, has).await?;
            let how = match (present, self.is_one_registry()) {
                (true, _) => Moved::Present,
                (false, true) => Moved::Mounted,
                (false, false) => Moved::Copied,
            };
            plan.add(Part::blob(blob, how));
        }
        let known = match target_exists {
            true => self.known_referrers(&bundle).await?,
            false => Some(Vec::new()),
        };
        for (part, _) in bundle.referrers_where(known.as_deref()) {
            plan.add(part);
        }
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
        let mut copied = Copied::default();
        for part in self.copy_blobs(&bundle.blobs).await? {
            copied.add(part);
        }
        for (digest, manifest) in &bundle.manifests {
            self.put(digest, manifest).await?;
        }
        let known = self.known_referrers(&bundle).await?;
        for (mut part, manifest) in bundle.referrers_where(known.as_deref()) {
            // An image is whole without what refers to it: as in a push, a refusal ends nothing.
            if part.how == Moved::Copied
                && let Some(refusal) = self.offer(&part.digest, manifest).await?
            {
                tracing::debug!(%refusal, digest = %part.digest, "not taken");
                part.how = Moved::NotTaken;
            }
            copied.add(part);
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

    fn is_one_registry(&self) -> bool {
        self.from.repository.registry() == self.to.repository.registry()
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

    /// The digests of the referrers that the target has; none where it knows no referrers.
    async fn known_referrers(&self, bundle: &Bundle) -> Result<Option<Vec<Digest>>, CopyError> {
        if bundle.referrers.is_empty() {
            return Ok(None);
        }
        let list = || self.target.referrers(self.digest);
        let operation = "listing what refers to the image";
        let known = self.at_target(operation, self.digest, list).await?;
        Ok(known.map(|known| known.into_iter().map(|referrer| referrer.digest).collect()))
    }

    async fn copy_blobs(&self, blobs: &[BlobDescriptor]) -> Result<Vec<Part>, CopyError> {
        let folder = tempfile::tempdir()?;
        stream::iter(blobs)
            .map(|blob| self.copy_blob(blob, folder.path()))
            .buffered(PARALLEL_BLOBS)
            .try_collect()
            .await
    }

    async fn copy_blob(&self, blob: &BlobDescriptor, folder: &Path) -> Result<Part, CopyError> {
        let digest = &blob.digest;
        let has = || self.target.has_blob(digest);
        if self.at_target("looking for a blob", digest, has).await? {
            return Ok(Part::blob(blob, Moved::Present));
        }
        if self.is_one_registry() && self.mount(digest).await? {
            return Ok(Part::blob(blob, Moved::Mounted));
        }
        let file = folder.join(digest.hex());
        let fetch = || self.source.fetch_blob(blob, &file);
        self.at_source(&format!("fetching {digest}"), fetch).await?;
        let outcome = self.upload(blob, &file).await?;
        // The folder goes in the end; a file that is needed no more need not wait for that.
        drop(tokio::fs::remove_file(&file).await);
        let how = match outcome {
            Outcome::Present => Moved::Present,
            Outcome::Sent => Moved::Copied,
        };
        Ok(Part::blob(blob, how))
    }

    /// Whether the registry took the blob over from its other repository. One that refuses gets
    /// the bytes instead.
    async fn mount(&self, digest: &Digest) -> Result<bool, CopyError> {
        let operation = "mounting a blob";
        let mount = || self.target.mount_blob(digest, self.from.repository.path());
        let mounted = self.to.retry.run(mount, self.notify(operation)).await;
        match mounted {
            Err(failure) if failure.is_refusal() => {
                tracing::debug!(%failure, %digest, "not mounted");
                Ok(false)
            }
            mounted => mounted
                .map_err(|failure| PushError::explain(self.to, operation, failure, digest).into()),
        }
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

    /// Puts a manifest under its digest.
    async fn put(&self, digest: &Digest, manifest: &Manifest) -> Result<(), CopyError> {
        match self.offer(digest, manifest).await? {
            None => Ok(()),
            Some(refusal) => {
                let operation = format!("writing the manifest {digest}");
                Err(PushError::explain(self.to, &operation, refusal, digest).into())
            }
        }
    }

    /// The same; gives the registry's refusal, where that is what became of it.
    async fn offer(
        &self,
        digest: &Digest,
        manifest: &Manifest,
    ) -> Result<Option<Failure>, CopyError> {
        let operation = format!("writing the manifest {digest}");
        let put = || self.target.put_manifest(digest.as_str(), manifest);
        match self.to.retry.run(put, self.notify(&operation)).await {
            Ok(Some(reported)) => match self.mismatch(&operation, digest, reported) {
                Some(error) => Err(error.into()),
                None => Ok(None),
            },
            // No digest in the answer: read what was written.
            Ok(None) => {
                let read = || self.target.manifest_of(digest);
                self.at_target(&operation, digest, read).await?;
                Ok(None)
            }
            Err(refusal) if refusal.is_refusal() => Ok(Some(refusal)),
            Err(failure) => Err(PushError::explain(self.to, &operation, failure, digest).into()),
        }
    }

    /// What is wrong where the registry reports another digest than ours.
    fn mismatch(&self, operation: &str, ours: &Digest, reported: Digest) -> Option<PushError> {
        if reported == *ours {
            return None;
        }
        let failure = Failure::Digest { reported };
        Some(PushError::explain(self.to, operation, failure, ours))
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
