//! Writing a tag that is free, and knowing afterwards whether it is there.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{PublishProgress, PushError, Target, notify};
use crate::image::{Digest, Tag};
use crate::registry::client::{Failure, Manifest};

impl Target<'_> {
    /// Tags an image whose every part is in the repository; whether it was us: another publication
    /// of it may be faster.
    ///
    /// The distribution specification has no request that writes a tag only where it is free, and
    /// not every registry keeps tags where they are. So the tag is looked up directly before each
    /// attempt to write it: nobody else's image loses it, but to a writer in that same moment.
    ///
    /// A request whose answer is lost may have been carried out, and then the next one may be
    /// refused. So where there is no good answer, the tag itself is asked.
    pub(in crate::registry) async fn write_tag(
        &self,
        tag: &Tag,
        manifest: &Manifest,
        digest: &Digest,
    ) -> Result<bool, PushError> {
        let tagging = Tagging {
            target: self,
            tag,
            manifest,
            digest,
            may_be_ours: AtomicBool::new(false),
        };
        tagging.write().await
    }
}

/// One tag of one image.
struct Tagging<'a> {
    target: &'a Target<'a>,
    tag: &'a Tag,
    manifest: &'a Manifest,
    /// The manifest's digest.
    digest: &'a Digest,
    /// Whether the registry may have carried out a request of ours that it did not confirm.
    may_be_ours: AtomicBool,
}

/// What an attempt at a tag came upon.
enum Attempted {
    /// The tag named this manifest before.
    Found(Digest),
    /// The registry wrote it, and reports this digest if it reports one.
    Written(Option<Digest>),
}

impl Tagging<'_> {
    async fn write(&self) -> Result<bool, PushError> {
        let operation = format!("tagging the image {}", self.tag);
        let notify = notify(&self.target.progress, &operation);
        let retry = &self.target.access.retry;
        let ours = match retry.run(|| self.attempt(), notify).await {
            Ok(Attempted::Found(existing)) => self.found(existing)?,
            Ok(Attempted::Written(Some(reported))) if reported == *self.digest => true,
            Ok(Attempted::Written(Some(reported))) => {
                return Err(self.explain(&operation, Failure::Digest { reported }));
            }
            Ok(Attempted::Written(None)) => {
                self.may_be_ours.store(true, Ordering::Relaxed);
                let silent =
                    "the registry took the tag without saying a digest, and does not know it";
                self.settle(&operation, Failure::Protocol(silent.to_owned()))
                    .await?
            }
            Err(failure) => self.settle(&operation, failure).await?,
        };
        if ours {
            (self.target.progress)(PublishProgress::Tagged {
                tag: self.tag.clone(),
                digest: self.digest.clone(),
            });
        }
        Ok(ours)
    }

    /// Writes the tag if it is free.
    async fn attempt(&self) -> Result<Attempted, Failure> {
        let remote = &self.target.remote;
        if let Some(existing) = remote.tagged_digest(self.tag).await? {
            return Ok(Attempted::Found(existing));
        }
        let written = remote.put_manifest(self.tag.as_str(), self.manifest).await;
        if written.as_ref().is_err_and(Failure::leaves_open) {
            self.may_be_ours.store(true, Ordering::Relaxed);
        }
        written.map(Attempted::Written)
    }

    /// Whether a tag that names `existing` is our work; an error if that is another image.
    fn found(&self, existing: Digest) -> Result<bool, PushError> {
        if existing == *self.digest {
            return Ok(self.may_be_ours.load(Ordering::Relaxed));
        }
        let (access, tag) = (self.target.access, self.tag);
        Err(PushError::taken(access, tag, existing, self.digest))
    }

    /// Asks the tag what became of it after `failure`: whether it is our work.
    ///
    /// Registries name the refusal of an immutable tag differently, too: the tag says more.
    async fn settle(&self, operation: &str, failure: Failure) -> Result<bool, PushError> {
        let lookup = format!("looking up the tag {}", self.tag);
        let retry = &self.target.access.retry;
        let may_be_ours = self.may_be_ours.load(Ordering::Relaxed);
        let ask = || {
            let asked = || self.target.remote.tagged_digest(self.tag);
            retry.run(asked, notify(&self.target.progress, &lookup))
        };
        let mut tagged = ask().await;
        if matches!(tagged, Ok(None)) && may_be_ours {
            // A registry that gave no answer may be at work still.
            tokio::time::sleep(retry.longest_wait).await;
            tagged = ask().await;
        }
        match tagged {
            Ok(Some(existing)) => self.found(existing),
            Err(lookup) if may_be_ours => Err(PushError::TagUnknown {
                repository: self.target.access.repository.clone(),
                operation: operation.to_owned(),
                reason: failure.to_string(),
                lookup: lookup.to_string(),
            }),
            Ok(None) | Err(_) => Err(self.explain(operation, failure)),
        }
    }

    fn explain(&self, operation: &str, failure: Failure) -> PushError {
        PushError::explain(self.target.access, operation, failure, self.digest)
    }
}
