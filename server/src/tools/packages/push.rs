use rmcp::schemars;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::contents::{Entries, EntryHash};
use crate::registry::Operation;
use crate::tools::context::ToolContext;
use crate::tools::error::ToolError;
use crate::tools::input::{BucketName, PackageName};
use crate::tools::page_errors::{InvalidInput, OperationError};

/// At most so many paths are named in an answer; the counts are complete.
const NAMED: usize = 100;

/// What a push has changed, by path in the package.
#[derive(Debug, Default, Serialize, JsonSchema, PartialEq)]
pub(super) struct Changes {
    /// How many files are new.
    added: i64,
    /// How many files have gone.
    removed: i64,
    /// How many files have other bytes, or lie elsewhere, or have other metadata.
    changed: i64,
    /// How many files are as they were.
    kept: i64,
    /// New files, the first 100.
    added_paths: Vec<String>,
    /// Files that have gone, the first 100.
    removed_paths: Vec<String>,
    /// Files that have changed, the first 100.
    changed_paths: Vec<String>,
}

impl Changes {
    /// From `before` to `after`.
    pub(super) fn between(before: &Entries, after: &Entries) -> Self {
        let mut changes = Self::default();
        for (path, entry) in after {
            match before.get(path) {
                None => note(path, &mut changes.added, &mut changes.added_paths),
                Some(old) if is_same(old, entry) => changes.kept += 1,
                Some(_) => note(path, &mut changes.changed, &mut changes.changed_paths),
            }
        }
        for path in before.keys().filter(|path| !after.contains_key(*path)) {
            note(path, &mut changes.removed, &mut changes.removed_paths);
        }
        changes
    }
}

/// An entry that says neither hash nor metadata is compared by its place alone:
/// the registry works out the rest.
fn is_same(old: &super::contents::Entry, new: &super::contents::Entry) -> bool {
    let said = |is_said: bool, is_equal: bool| !is_said || is_equal;
    old.physical_key == new.physical_key
        && said(new.hash.is_some(), old.hash == new.hash)
        && said(new.meta.is_some(), old.meta == new.meta)
}

fn note(path: &str, count: &mut i64, paths: &mut Vec<String>) {
    *count += 1;
    if paths.len() < NAMED {
        paths.push(path.to_owned());
    }
}

/// A revision to make.
pub(super) struct Push {
    pub(super) bucket: BucketName,
    pub(super) name: PackageName,
    pub(super) message: Option<String>,
    pub(super) metadata: Option<Map<String, Value>>,
    pub(super) workflow: Option<String>,
    pub(super) entries: Entries,
}

/// The revision that was made.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Pushed {
    pub(super) hash: String,
    pub(super) total_entries: Option<i64>,
}

pub(in crate::tools) struct PushPackage;

#[derive(Serialize)]
pub(in crate::tools) struct Variables {
    params: Params,
    src: Source,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Params {
    bucket: BucketName,
    name: PackageName,
    message: Option<String>,
    user_meta: Option<Map<String, Value>>,
    workflow: Option<String>,
}

#[derive(Serialize)]
struct Source {
    entries: Vec<SourceEntry>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SourceEntry {
    logical_key: String,
    physical_key: String,
    hash: Option<EntryHash>,
    size: Option<f64>,
    meta: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::tools) struct Data {
    package_construct: PushResult,
}

#[derive(Deserialize)]
#[serde(tag = "__typename")]
enum PushResult {
    PackagePushSuccess { revision: Pushed },
    InvalidInput(InvalidInput),
    OperationError(OperationError),
}

impl Operation for PushPackage {
    const NAME: &'static str = "PushPackage";
    const DOCUMENT: &'static str = include_str!("push.graphql");
    type Variables = Variables;
    type Data = Data;
}

impl Push {
    /// Makes the revision.
    pub(super) async fn send(self, context: &ToolContext) -> Result<Pushed, ToolError> {
        let entries = self.entries.into_iter();
        let variables = Variables {
            params: Params {
                bucket: self.bucket,
                name: self.name,
                message: self.message,
                user_meta: self.metadata,
                workflow: self.workflow,
            },
            src: Source {
                entries: entries
                    .map(|(logical_key, entry)| SourceEntry {
                        logical_key,
                        physical_key: entry.physical_key,
                        hash: entry.hash,
                        size: entry.size,
                        meta: entry.meta,
                    })
                    .collect(),
            },
        };
        match context
            .ask::<PushPackage>(&variables)
            .await?
            .package_construct
        {
            PushResult::PackagePushSuccess { revision } => Ok(revision),
            PushResult::InvalidInput(invalid) => Err(invalid.into()),
            PushResult::OperationError(failed) => Err(failed.into()),
        }
    }
}
