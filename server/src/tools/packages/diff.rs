use rmcp::schemars;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::contents;
use super::push::Changes;
use crate::tools::context::ToolContext;
use crate::tools::error::ToolError;
use crate::tools::input::{BucketName, PackageName, RevisionName};
use crate::tools::tool::Tool;

/// What differs between two revisions.
pub(in crate::tools) struct PackageDiff;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct Input {
    bucket: BucketName,
    name: PackageName,
    /// The earlier revision.
    from: RevisionName,
    /// The later revision; the latest when absent.
    #[serde(default = "RevisionName::latest")]
    to: RevisionName,
    /// The bucket of the later revision's package; the same when absent.
    to_bucket: Option<BucketName>,
    /// The later revision's package; the same when absent.
    to_name: Option<PackageName>,
}

#[derive(Serialize, JsonSchema)]
pub(in crate::tools) struct Output {
    /// The earlier revision's top hash.
    from: String,
    /// The later revision's top hash.
    to: String,
    /// How the files differ.
    changes: Changes,
    /// Whether the author's metadata of the package differ.
    metadata_changed: bool,
}

impl Tool for PackageDiff {
    const NAME: &'static str = "package_diff";
    const TITLE: &'static str = "Compare revisions";
    const DESCRIPTION: &'static str = "Compares two revisions of a package, or of two packages: which \
files were added, removed or changed, and whether the metadata differ. package_revisions names the \
hashes. Packages of more than 10,000 files are refused.";
    type Input = Input;
    type Output = Output;

    async fn run(context: &ToolContext, input: Input) -> Result<Output, ToolError> {
        let to_bucket = input.to_bucket.as_ref().unwrap_or(&input.bucket);
        let to_name = input.to_name.as_ref().unwrap_or(&input.name);
        let (from, to) = tokio::try_join!(
            contents::get(context, &input.bucket, &input.name, &input.from),
            contents::get(context, to_bucket, to_name, &input.to),
        )?;
        Ok(Output {
            changes: Changes::between(from.entries()?, to.entries()?),
            metadata_changed: from.user_meta != to.user_meta,
            from: from.hash,
            to: to.hash,
        })
    }
}
