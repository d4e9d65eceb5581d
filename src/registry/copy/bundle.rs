//! Everything that belongs to an image, as its source describes it.

use serde::Deserialize;

use super::{Copy, CopyError};
use crate::image::{BlobDescriptor, Digest};
use crate::registry::client::Manifest;
use crate::registry::copied::{Moved, Part, PartKind};

/// How deep indexes may refer to indexes.
const DEEPEST_INDEX: usize = 4;

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
pub(super) struct Bundle {
    /// What the image's index names, lowest first; then the image itself.
    pub(super) manifests: Vec<(Digest, Manifest)>,
    /// What refers to the image.
    pub(super) referrers: Vec<(Digest, Manifest)>,
    /// Every blob of all of them, each once.
    pub(super) blobs: Vec<BlobDescriptor>,
}

impl Bundle {
    fn add(&mut self, blobs: impl IntoIterator<Item = Descriptor>) {
        for blob in blobs {
            if !self.blobs.iter().any(|known| known.digest == blob.digest) {
                self.blobs.push(blob.into());
            }
        }
    }

    /// What becomes of each referrer where the target has the `known` ones; it takes none where it
    /// knows no referrers at all.
    pub(super) fn referrers_where(&self, known: Option<&[Digest]>) -> Vec<(Part, &Manifest)> {
        let parts = self.referrers.iter().map(|(digest, manifest)| {
            let how = match known {
                None => Moved::NotTaken,
                Some(known) if known.contains(digest) => Moved::Present,
                Some(_) => Moved::Copied,
            };
            let part = Part {
                kind: PartKind::Referrer,
                digest: digest.clone(),
                size: manifest.content.len() as u64,
                how,
            };
            (part, manifest)
        });
        parts.collect()
    }
}

impl Copy<'_> {
    /// Reads the manifests of the image and of what refers to it.
    pub(super) async fn read(&self) -> Result<Bundle, CopyError> {
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
            if depth == DEEPEST_INDEX && !content.manifests.is_empty() {
                let reason = format!("indexes name indexes more than {DEEPEST_INDEX} deep");
                return Err(self.source_error("reading the manifests", &reason));
            }
            let inner = content.manifests.into_iter();
            ahead.extend(inner.map(|inner| (inner.digest, depth + 1)));
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
}
