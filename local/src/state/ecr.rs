//! ECR: repositories, their manifests, tags and layers. The bytes are in [`crate::registry::blobs`].

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Tag;
use crate::aws::Moment;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Repository {
    pub name: String,
    pub created_at: Moment,
    pub immutable_tags: bool,
    pub scan_on_push: bool,
    /// Kept and shown, not carried out.
    pub lifecycle_policy: Option<String>,
    /// By digest.
    pub manifests: BTreeMap<String, Manifest>,
    /// Tag to digest.
    pub tagged: BTreeMap<String, String>,
    /// Digests of the blobs that a client of this repository may read.
    pub blobs: BTreeSet<String>,
    pub tags: Vec<Tag>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub media_type: String,
    /// Length of the manifest itself, in bytes.
    pub length: u64,
    /// What DescribeImages tells: the sum of the layers and the configuration, in bytes.
    pub image_size: u64,
    pub artifact_type: Option<String>,
    pub config_media_type: Option<String>,
    /// The manifest that this one refers to (OCI referrers).
    pub subject: Option<String>,
    pub annotations: BTreeMap<String, String>,
    pub pushed_at: Moment,
}

impl Repository {
    pub(crate) fn new(name: &str, immutable_tags: bool, scan_on_push: bool, now: Moment) -> Self {
        Self {
            name: name.to_owned(),
            created_at: now,
            immutable_tags,
            scan_on_push,
            lifecycle_policy: None,
            manifests: BTreeMap::new(),
            tagged: BTreeMap::new(),
            blobs: BTreeSet::new(),
            tags: Vec::new(),
        }
    }

    /// The digest that a tag or a digest names.
    pub(crate) fn resolve(&self, reference: &str) -> Option<String> {
        let digest = self.tagged.get(reference).map_or(reference, String::as_str);
        self.manifests
            .contains_key(digest)
            .then(|| digest.to_owned())
    }

    /// The tags of a manifest.
    pub(crate) fn tags_of(&self, digest: &str) -> Vec<String> {
        self.tagged
            .iter()
            .filter(|(_, tagged)| *tagged == digest)
            .map(|(tag, _)| tag.clone())
            .collect()
    }
}
