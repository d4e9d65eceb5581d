//! Promotion: the very bytes of an image, from one repository to another.

mod bundle;

use std::path::Path;

use futures::{StreamExt, TryStreamExt, stream};

use self::bundle::referrer_where;
use super::access::Access;
use super::client::{Failure, Manifest, RemoteRepository};
use super::copied::{Copied, Moved, Part};
use super::target::{Failed, ProgressSink, PushError, Target, notify};
use super::upload::Outcome;
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

impl From<Failed<'_>> for CopyError {
    fn from(failed: Failed<'_>) -> Self {
        Self::Target(failed.into())
    }
}

/// A copy of one image between two repositories.
pub struct Copy<'a> {
    from: &'a Access,
    source: RemoteRepository,
    target: Target<'a>,
    digest: &'a Digest,
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
        let source =
            RemoteRepository::connect(from)
                .await
                .map_err(|failure| CopyError::Source {
                    repository: from.repository.clone(),
                    operation: "connecting".to_owned(),
                    reason: failure.to_string(),
                    to: to.repository.clone(),
                })?;
        Ok(Self {
            from,
            source,
            target: Target::connect(to, digest, progress).await?,
            digest,
        })
    }

    /// What would move; changes nothing. Without `target_exists` the target is made first, so
    /// that everything moves.
    ///
    /// # Errors
    /// As [`Copy::run`].
    pub async fn plan(&self, tag: &Tag, target_exists: bool) -> Result<Copied, CopyError> {
        let tagged = !target_exists || !self.target.tag_names(tag, self.digest).await?;
        let bundle = self.read().await?;
        let mut plan = Copied {
            tagged,
            ..Copied::default()
        };
        for blob in &bundle.blobs {
            let present = target_exists && self.target.has(&blob.digest).await?;
            let how = match (present, self.is_one_registry()) {
                (true, _) => Moved::Present,
                (false, true) => Moved::Mountable,
                (false, false) => Moved::Copied,
            };
            plan.add(Part::blob(blob, how));
        }
        for referrers in &bundle.referrers {
            let known = match target_exists {
                true => self.known(&referrers.subject, &plan.parts).await?,
                false => Some(Vec::new()),
            };
            for (digest, manifest) in &referrers.manifests {
                plan.add(referrer_where(known.as_deref(), digest, manifest));
            }
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
        let already = self.target.tag_names(tag, self.digest).await?;
        let bundle = self.read().await?;
        let mut copied = Copied::default();
        for part in self.copy_blobs(&bundle.blobs).await? {
            copied.add(part);
        }
        for (digest, manifest) in &bundle.manifests {
            self.target.put(&writing(digest), manifest).await?;
        }
        for referrers in &bundle.referrers {
            let known = self.known(&referrers.subject, &copied.parts).await?;
            for (digest, manifest) in &referrers.manifests {
                let mut part = referrer_where(known.as_deref(), digest, manifest);
                if part.how == Moved::Copied && !self.copy_referrer(digest, manifest).await? {
                    part.how = Moved::NotTaken;
                }
                copied.add(part);
            }
        }
        if !already && let Some((digest, manifest)) = bundle.manifests.last() {
            copied.tagged = self.target.write_tag(tag, manifest, digest).await?;
        }
        Ok(copied)
    }

    fn is_one_registry(&self) -> bool {
        self.from.repository.registry() == self.target.access.repository.registry()
    }

    /// What refers to `subject` in the target already, after the `parts` before; `None` where the
    /// target takes no referrers of it.
    async fn known(
        &self,
        subject: &Digest,
        parts: &[Part],
    ) -> Result<Option<Vec<Digest>>, CopyError> {
        let part = parts.iter().find(|part| part.digest == *subject);
        match part.map(|part| part.how) {
            // A signature of what is not there is of no use.
            Some(Moved::NotTaken) => Ok(None),
            Some(Moved::Copied) => Ok(Some(Vec::new())),
            _ => Ok(self.target.referrers(subject).await?),
        }
    }

    /// Whether the target took what refers to the image. The image is whole without it: as in a
    /// push, a refusal ends nothing.
    async fn copy_referrer(&self, digest: &Digest, manifest: &Manifest) -> Result<bool, CopyError> {
        match self.target.put(&writing(digest), manifest).await {
            Ok(()) => Ok(true),
            Err(Failed { failure, .. }) if failure.is_refusal() => {
                tracing::debug!(%failure, %digest, "not taken");
                Ok(false)
            }
            Err(failed) => Err(failed.into()),
        }
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
        if self.target.has(digest).await? {
            return Ok(Part::blob(blob, Moved::Present));
        }
        if self.is_one_registry() && self.mount(digest).await? {
            return Ok(Part::blob(blob, Moved::Mounted));
        }
        let file = folder.join(digest.hex());
        let fetch = || self.source.fetch_blob(blob, &file);
        self.at_source(&format!("fetching {digest}"), fetch).await?;
        let outcome = self.target.send(blob, &file).await?;
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
        let source = self.from.repository.path();
        let mount = || self.target.remote.mount_blob(digest, source);
        match self.target.attempt("mounting a blob", digest, mount).await {
            Err(Failed { failure, .. }) if failure.is_refusal() => {
                tracing::debug!(%failure, %digest, "not mounted");
                Ok(false)
            }
            mounted => Ok(mounted?),
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
        let notify = notify(&self.target.progress, operation);
        let result = self.from.retry.run(attempt, notify).await;
        result.map_err(|failure| self.source_error(operation, &failure.to_string()))
    }

    fn source_error(&self, operation: &str, reason: &str) -> CopyError {
        CopyError::Source {
            repository: self.from.repository.clone(),
            operation: operation.to_owned(),
            reason: reason.to_owned(),
            to: self.target.access.repository.clone(),
        }
    }
}

fn writing(digest: &Digest) -> String {
    format!("writing the manifest {digest}")
}
