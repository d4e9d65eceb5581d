use rmcp::model::ToolAnnotations;
use rmcp::schemars;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::contents;
use super::entries::{self, Given};
use super::push::{Changes, Push};
use crate::tools::context::ToolContext;
use crate::tools::error::ToolError;
use crate::tools::input::{BucketName, PackageName, RevisionName, Text};
use crate::tools::tool::{Tool, changes};

/// Makes a package.
pub(in crate::tools) struct PackageCreate;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct Input {
    bucket: BucketName,
    name: PackageName,
    /// The files by their paths in the package: {"type": "uri", "uri": "s3://bucket/key"} or {"type": "inline", "content": "text"}; at most 1000.
    entries: Given,
    /// What this revision is, for people.
    message: Option<Text<2000>>,
    /// The author's metadata of the package.
    meta: Option<Map<String, Value>>,
    /// The id of the workflow that checks the revision; the bucket's default when absent.
    workflow: Option<Text<256>>,
    /// Whether a package of this name may get a revision with these files alone.
    #[serde(default)]
    overwrite: bool,
}

#[derive(Serialize, JsonSchema)]
pub(in crate::tools) struct Output {
    /// The bucket.
    bucket: String,
    /// namespace/name
    name: String,
    /// The new revision's top hash.
    hash: String,
    /// How many files it has.
    total_entries: Option<i64>,
    /// The revision that was the latest before, when there was one.
    replaced: Option<String>,
    /// How the files differ from those of the replaced revision.
    changes: Option<Changes>,
}

impl Tool for PackageCreate {
    const NAME: &'static str = "package_create";
    const TITLE: &'static str = "Create a package";
    const DESCRIPTION: &'static str = "Makes a new package from S3 objects and short texts. It refuses \
a name that exists: use package_patch to add, change or remove single files of a package, and \
overwrite only when the user wants the package to have exactly these files from now on; earlier \
revisions stay. Show the user what you are about to make.";
    type Input = Input;
    type Output = Output;

    fn annotations() -> ToolAnnotations {
        changes(Self::TITLE, true, false)
    }

    async fn run(context: &ToolContext, input: Input) -> Result<Output, ToolError> {
        if input.entries.is_empty() {
            let complaint = "entries: a package has at least one file";
            return Err(ToolError::InvalidInput(complaint.to_owned()));
        }
        let checked = entries::check(input.entries)?;
        let (bucket, name) = (input.bucket, input.name);
        let latest = RevisionName::latest();
        let before = contents::find(context, &bucket, &name, &latest).await?;
        if let (Some(revision), false) = (&before, input.overwrite) {
            return Err(ToolError::Conflict(format!(
                "the package {name} exists in {bucket} (latest revision {}); nothing was changed. package_patch changes it; overwrite replaces all its files",
                revision.hash
            )));
        }
        let old_entries = before
            .as_ref()
            .map(contents::Revision::entries)
            .transpose()?;
        let entries = entries::store(context, &bucket, &name, checked).await?;
        let changes = old_entries.map(|old| Changes::between(old, &entries));
        let output = (bucket.to_string(), name.to_string());
        let push = Push {
            bucket,
            name,
            message: input.message.map(Text::into_string),
            metadata: input.meta,
            workflow: input.workflow.map(Text::into_string),
            entries,
        };
        let pushed = push.send(context).await?;
        Ok(Output {
            bucket: output.0,
            name: output.1,
            hash: pushed.hash,
            total_entries: pushed.total_entries,
            changes,
            replaced: before.map(|revision| revision.hash),
        })
    }
}
