//! What is told of the writing of a repository.

use std::sync::Arc;

use serde::Serialize;

use crate::image::{Digest, Tag};

/// What publishing and promoting tell while they work.
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
