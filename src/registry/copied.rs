//! What a promotion moves: each part of an image, and how.

use serde::Serialize;

use crate::image::{BlobDescriptor, Digest};

/// What a copy moved, or would move.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Copied {
    /// Blobs that the registry took over from the other repository by itself. Only it knows which
    /// it will: none in a plan.
    pub blobs_mounted: usize,
    /// Blobs that went through this machine; in a plan, those that at most will.
    pub blobs_sent: usize,
    /// Blobs that were there already.
    pub blobs_present: usize,
    /// Bytes that went through this machine; in a plan, those that at most will.
    pub bytes_sent: u64,
    /// Bytes of all blobs that were not there.
    pub bytes_missing: u64,
    /// Manifests that refer to the image (SBOMs, signatures), or to one that does, and went along.
    pub referrers: usize,
    /// Whether the tag was written; `false` when it named this very image already.
    pub tagged: bool,
    /// Every blob and referrer, and how it moved or would move.
    pub parts: Vec<Part>,
}

/// A blob of the image, or a manifest that refers to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Part {
    /// What it is.
    pub kind: PartKind,
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// How it moved or would move.
    pub how: Moved,
}

/// What a part of an image is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PartKind {
    /// A layer or a configuration.
    Blob,
    /// A manifest that refers to the image, such as its list of components, or to one that does.
    Referrer,
}

/// How a part moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Moved {
    /// The registry took it over from its other repository.
    Mounted,
    /// In a plan: the registry is asked to mount it, and where it does not, it is copied.
    Mountable,
    /// It goes through this machine.
    Copied,
    /// It is there already.
    Present,
    /// The target knows no referrers, or refuses this one, so it stays behind.
    NotTaken,
}

impl Copied {
    /// Whether nothing had to be done.
    pub fn is_nothing(&self) -> bool {
        !self.tagged && self.bytes_missing == 0 && self.referrers == 0
    }

    pub(super) fn add(&mut self, part: Part) {
        if part.kind == PartKind::Referrer {
            self.referrers += usize::from(part.how == Moved::Copied);
        } else {
            match part.how {
                Moved::Mounted => self.blobs_mounted += 1,
                Moved::Copied | Moved::Mountable => {
                    self.blobs_sent += 1;
                    self.bytes_sent += part.size;
                }
                Moved::Present => self.blobs_present += 1,
                Moved::NotTaken => {}
            }
            if part.how != Moved::Present {
                self.bytes_missing += part.size;
            }
        }
        self.parts.push(part);
    }
}

impl Part {
    pub(super) fn blob(blob: &BlobDescriptor, how: Moved) -> Self {
        Self {
            kind: PartKind::Blob,
            digest: blob.digest.clone(),
            size: blob.size,
            how,
        }
    }
}
