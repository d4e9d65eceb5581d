//! Everything that belongs to an image, as its source describes it.

use std::collections::{HashSet, VecDeque};

use serde::Deserialize;

use super::{Copy, CopyError};
use crate::image::{BlobDescriptor, Digest};
use crate::registry::client::Manifest;
use crate::registry::copied::{Moved, Part, PartKind};

/// How deep indexes may refer to indexes.
const DEEPEST_INDEX: usize = 4;
/// How deep referrers may have referrers: a list of components, its signature, what attests that.
const DEEPEST_REFERRER: usize = 8;

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
    /// What refers to the image, and to what refers to it; all after what they refer to.
    pub(super) referrers: Vec<Referrers>,
    /// Every blob of all of them, each once.
    pub(super) blobs: Vec<BlobDescriptor>,
}

/// What refers to one manifest.
pub(super) struct Referrers {
    pub(super) subject: Digest,
    pub(super) manifests: Vec<(Digest, Manifest)>,
}

/// What becomes of a referrer where the target has the `known` ones; it takes none where it knows
/// no referrers at all.
pub(super) fn referrer_where(
    known: Option<&[Digest]>,
    digest: &Digest,
    manifest: &Manifest,
) -> Part {
    Part {
        kind: PartKind::Referrer,
        digest: digest.clone(),
        size: manifest.content.len() as u64,
        how: match known {
            None => Moved::NotTaken,
            Some(known) if known.contains(digest) => Moved::Present,
            Some(_) => Moved::Copied,
        },
    }
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
        self.read_referrers(&mut bundle).await?;
        Ok(bundle)
    }

    /// Reads what refers to the bundle's manifests, and then what refers to that; each once.
    async fn read_referrers(&self, bundle: &mut Bundle) -> Result<(), CopyError> {
        let image = bundle.manifests.iter();
        let mut ahead: VecDeque<(Digest, usize)> =
            image.map(|(digest, _)| (digest.clone(), 0)).collect();
        let mut known: HashSet<Digest> = ahead.iter().map(|(digest, _)| digest.clone()).collect();
        while let Some((subject, depth)) = ahead.pop_front() {
            let mut manifests = Vec::new();
            for digest in self.referrers_of(&subject).await? {
                if !known.insert(digest.clone()) {
                    continue;
                }
                let (manifest, content) = self.manifest(&digest).await?;
                bundle.add(content.config.into_iter().chain(content.layers));
                ahead.push_back((digest.clone(), depth + 1));
                manifests.push((digest, manifest));
            }
            if manifests.is_empty() {
                continue;
            }
            if depth == DEEPEST_REFERRER {
                let reason = format!("referrers have referrers more than {depth} deep");
                return Err(self.source_error("reading what refers to the image", &reason));
            }
            bundle.referrers.push(Referrers { subject, manifests });
        }
        Ok(())
    }

    /// What refers to a manifest of the source; nothing where the source knows no referrers.
    async fn referrers_of(&self, subject: &Digest) -> Result<Vec<Digest>, CopyError> {
        let list = || self.source.referrers(subject);
        let operation = format!("listing what refers to {subject}");
        let listed = self.at_source(&operation, list).await?;
        let listed = listed.unwrap_or_default().into_iter();
        Ok(listed.map(|referrer| referrer.digest).collect())
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
