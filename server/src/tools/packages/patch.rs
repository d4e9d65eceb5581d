use rmcp::model::ToolAnnotations;
use rmcp::schemars;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::contents::{self, MOST_ENTRIES};
use super::entries::{self, Given};
use super::push::{Changes, Push};
use crate::tools::context::ToolContext;
use crate::tools::error::ToolError;
use crate::tools::input::{BucketName, PackageName, RevisionName, Text};
use crate::tools::tool::{Tool, changes};

/// Changes some files of a package and leaves the others as they are.
pub(in crate::tools) struct PackagePatch;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct Input {
    bucket: BucketName,
    name: PackageName,
    /// Files to add or replace, by their paths: {"type": "uri", "uri": "s3://bucket/key"} or {"type": "inline", "content": "text"}; at most 1000.
    #[serde(default)]
    set: Given,
    /// Paths of files to remove; each must be there.
    #[serde(default)]
    #[schemars(length(max = 1000))]
    delete: Vec<Text<1024>>,
    /// What this revision is, for people.
    message: Option<Text<2000>>,
    /// The author's metadata of the package; as it was when absent.
    meta: Option<Map<String, Value>>,
    /// The id of the workflow that checks the revision; as it was when absent.
    workflow: Option<Text<256>>,
    #[serde(default = "RevisionName::latest")]
    revision: RevisionName,
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
    /// The revision that was patched.
    base: String,
    /// How the files differ from those of the base.
    changes: Changes,
}

impl Tool for PackagePatch {
    const NAME: &'static str = "package_patch";
    const TITLE: &'static str = "Change files of a package";
    const DESCRIPTION: &'static str = "Makes a new revision of a package from an earlier one: adds, \
replaces and removes the files that you name, and keeps all others with their hashes, sizes and \
metadata. Packages of more than 10,000 files are refused. Show the user what you are about to \
change.";
    type Input = Input;
    type Output = Output;

    fn annotations() -> ToolAnnotations {
        changes(Self::TITLE, true, false)
    }

    async fn run(context: &ToolContext, input: Input) -> Result<Output, ToolError> {
        let is_idle = input.set.is_empty() && input.delete.is_empty() && input.meta.is_none();
        if is_idle {
            let complaint = "nothing to change: give set, delete or meta";
            return Err(ToolError::InvalidInput(complaint.to_owned()));
        }
        let checked = entries::check(input.set)?;
        let (bucket, name) = (input.bucket, input.name);
        let base = contents::get(context, &bucket, &name, &input.revision).await?;
        let before = base.entries()?;
        let mut after = before.clone();
        for path in input.delete.into_iter().map(Text::into_string) {
            if after.remove(&path).is_none() {
                return Err(ToolError::NotFound(format!(
                    "the revision {} has no file {path} to remove; nothing was changed",
                    base.hash
                )));
            }
        }
        after.extend(entries::store(context, &bucket, &name, checked).await?);
        check_size(after.len())?;
        let changes = Changes::between(before, &after);
        let output = (bucket.to_string(), name.to_string());
        let push = Push {
            bucket,
            name,
            message: input.message.map(Text::into_string),
            workflow: input
                .workflow
                .map(Text::into_string)
                .or_else(|| base.workflow()),
            metadata: input.meta.or_else(|| base.user_meta.clone()),
            entries: after,
        };
        let pushed = push.send(context).await?;
        Ok(Output {
            bucket: output.0,
            name: output.1,
            hash: pushed.hash,
            total_entries: pushed.total_entries,
            base: base.hash,
            changes,
        })
    }
}

fn check_size(files: usize) -> Result<(), ToolError> {
    let most = usize::try_from(MOST_ENTRIES).unwrap_or(usize::MAX);
    if files == 0 {
        let complaint = "delete: nothing would be left; a package has at least one file";
        return Err(ToolError::InvalidInput(complaint.to_owned()));
    }
    if files > most {
        return Err(ToolError::TooLarge(format!(
            "the package would have {files} files, and this tool handles at most {most}; no revision was made"
        )));
    }
    Ok(())
}
