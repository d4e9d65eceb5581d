//! Writing a tag, and knowing afterwards whether it is there.

use std::time::Duration;

use super::{PublishProgress, PushError, Target, notify};
use crate::image::{Digest, Tag};
use crate::registry::client::{Failure, Manifest};

impl Target<'_> {
    /// Tags an image whose every part is in the repository; whether it was us: another publication
    /// of it may be faster.
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
}

impl Tagging<'_> {
    async fn write(&self) -> Result<bool, PushError> {
        let operation = format!("tagging the image {}", self.tag);
        let mut may_be_ours = false;
        let mut notify = notify(&self.target.progress, &operation);
        let remote = &self.target.remote;
        let attempt = || remote.put_manifest(self.tag.as_str(), self.manifest);
        let result = self
            .target
            .access
            .retry
            .run(attempt, |failure: &Failure, wait: Duration| {
                may_be_ours |= failure.leaves_open();
                notify(failure, wait);
            })
            .await;
        let ours = match result {
            Ok(Some(reported)) if reported == *self.digest => true,
            Ok(Some(reported)) => {
                return Err(self.explain(&operation, Failure::Digest { reported }));
            }
            Ok(None) => {
                let silent =
                    "the registry took the tag without saying a digest, and does not know it";
                self.settle(&operation, Failure::Protocol(silent.to_owned()), true)
                    .await?
            }
            Err(failure) => {
                may_be_ours |= failure.leaves_open();
                self.settle(&operation, failure, may_be_ours).await?
            }
        };
        if ours {
            (self.target.progress)(PublishProgress::Tagged {
                tag: self.tag.clone(),
                digest: self.digest.clone(),
            });
        }
        Ok(ours)
    }

    /// Asks the tag what became of it after `failure`: `may_be_ours` if it names our image.
    ///
    /// Registries name the refusal of an immutable tag differently, too: the tag says more.
    async fn settle(
        &self,
        operation: &str,
        failure: Failure,
        may_be_ours: bool,
    ) -> Result<bool, PushError> {
        let lookup = format!("looking up the tag {}", self.tag);
        let retry = &self.target.access.retry;
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
            Ok(Some(existing)) if existing == *self.digest => Ok(may_be_ours),
            Ok(Some(existing)) => Err(PushError::taken(
                self.target.access,
                self.tag,
                existing,
                self.digest,
            )),
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
