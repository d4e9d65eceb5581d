//! The tags that say what a revision is: the release's record, kept in ECS.

use std::collections::BTreeMap;

use serde::Serialize;

/// Tag keys that we write or read.
pub mod key {
    /// Who wrote a revision: `terraform` for a template, [`OURS`] for a release.
    pub const MANAGED_BY: &str = "ManagedBy";
    /// The value of [`MANAGED_BY`] on a template revision.
    pub const TERRAFORM: &str = "terraform";
    /// The value of [`MANAGED_BY`] on a release revision.
    pub const OURS: &str = "quilt-mcp-deploy";
    /// The commit that the image was built from.
    pub const COMMIT: &str = "quilt-mcp:commit";
    /// The image's tag.
    pub const IMAGE_TAG: &str = "quilt-mcp:image-tag";
    /// The template revision's ARN.
    pub const TEMPLATE: &str = "quilt-mcp:template";
}

/// What a release revision's tags say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ReleaseTags {
    /// The commit that the image was built from, where known.
    pub commit: Option<String>,
    /// The image's tag, where it has one.
    pub image_tag: Option<String>,
}

impl ReleaseTags {
    /// Reads a revision's tags.
    pub fn read(tags: &BTreeMap<String, String>) -> Self {
        Self {
            commit: tags.get(key::COMMIT).cloned(),
            image_tag: tags.get(key::IMAGE_TAG).cloned(),
        }
    }

    /// The tags of a release revision: the template's and the environment's own, then ours.
    pub fn merged(
        &self,
        template: &BTreeMap<String, String>,
        environment: &BTreeMap<String, String>,
        template_arn: &str,
    ) -> BTreeMap<String, String> {
        let mut tags = template.clone();
        tags.retain(|name, _| !name.starts_with("quilt-mcp:") && !name.starts_with("aws:"));
        tags.extend(environment.clone());
        tags.insert(key::MANAGED_BY.into(), key::OURS.into());
        tags.insert(key::TEMPLATE.into(), template_arn.into());
        for (name, value) in [
            (key::COMMIT, &self.commit),
            (key::IMAGE_TAG, &self.image_tag),
        ] {
            if let Some(value) = value {
                tags.insert(name.into(), value.clone());
            }
        }
        tags
    }
}
