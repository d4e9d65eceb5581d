use rmcp::schemars;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::bytes::Bytes;
use super::context::ToolContext;
use super::error::ToolError;
use super::input::{BucketName, LogicalPath, PackageName, RevisionName, UpTo};
use super::tool::Tool;
use crate::registry::Operation;

/// One package: a revision, what is in it, and its history.
pub(super) struct PackageInfo;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    bucket: BucketName,
    name: PackageName,
    #[serde(default = "RevisionName::latest")]
    revision: RevisionName,
    /// The folder inside the package to list; the top when absent.
    path: Option<LogicalPath>,
    /// How many files and folders to list.
    #[serde(default = "usual_entries")]
    max_entries: UpTo<1000>,
    /// How many of the newest revisions to list.
    #[serde(default = "usual_revisions")]
    max_revisions: UpTo<100>,
}

const fn usual_entries() -> UpTo<1000> {
    UpTo::new(100)
}

const fn usual_revisions() -> UpTo<100> {
    UpTo::new(10)
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Output {
    /// The bucket.
    bucket: String,
    /// namespace/name
    name: String,
    /// The revision's top hash.
    hash: String,
    /// When the revision was made.
    modified: String,
    /// The author's message.
    message: Option<String>,
    /// The author's metadata.
    metadata: Option<Map<String, Value>>,
    /// The workflow that checked the revision.
    workflow: Option<String>,
    /// How many files the whole package has.
    total_entries: Option<i64>,
    /// How large the whole package is, in bytes.
    total_bytes: Option<Bytes>,
    /// What lies in the folder that was asked for.
    folder: Folder,
    /// How many revisions the package has.
    total_revisions: i64,
    /// The newest of them.
    revisions: Vec<RevisionSummary>,
}

#[derive(Serialize, JsonSchema)]
struct Folder {
    /// The folder's path inside the package; empty for the top.
    path: String,
    /// Its files and folders.
    entries: Vec<Entry>,
    /// How many it has, listed or not.
    total: i64,
    /// Whether some are not listed; raise max_entries to see them.
    truncated: bool,
}

#[derive(Serialize, JsonSchema)]
struct Entry {
    /// The path inside the package.
    path: String,
    /// Whether it is a file or a folder.
    kind: EntryKind,
    /// Bytes; for a folder, of everything in it.
    size: Bytes,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum EntryKind {
    File,
    Folder,
}

#[derive(Deserialize, Serialize, JsonSchema)]
struct RevisionSummary {
    /// The top hash.
    hash: String,
    /// When the revision was made.
    modified: String,
    /// The author's message.
    message: Option<String>,
}

pub(super) struct PackageQuery;

#[derive(Serialize)]
pub(super) struct Variables {
    bucket: BucketName,
    name: PackageName,
    revision: RevisionName,
    path: String,
    revisions: i64,
}

#[derive(Deserialize)]
pub(super) struct Data {
    package: Option<Package>,
}

#[derive(Deserialize)]
struct Package {
    revisions: Revisions,
    revision: Option<Revision>,
}

#[derive(Deserialize)]
struct Revisions {
    total: i64,
    page: Vec<RevisionSummary>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Revision {
    hash: String,
    modified: String,
    message: Option<String>,
    user_meta: Option<Map<String, Value>>,
    workflow: Option<Workflow>,
    total_entries: Option<i64>,
    total_bytes: Option<Bytes>,
    dir: Option<Dir>,
}

#[derive(Deserialize)]
struct Workflow {
    id: Option<String>,
}

#[derive(Deserialize)]
struct Dir {
    children: Vec<Child>,
}

#[derive(Deserialize)]
#[serde(tag = "__typename")]
enum Child {
    PackageFile { path: String, size: Bytes },
    PackageDir { path: String, size: Bytes },
}

impl Operation for PackageQuery {
    const NAME: &'static str = "Package";
    const DOCUMENT: &'static str = include_str!("package_info.graphql");
    type Variables = Variables;
    type Data = Data;
}

impl Tool for PackageInfo {
    const NAME: &'static str = "package_info";
    const TITLE: &'static str = "Describe a package";
    const DESCRIPTION: &'static str = "Describes one package: message, metadata, size, the files \
and folders at a path inside it, and its newest revisions. The latest revision unless another is \
named by its top hash. Walk into a package by calling it again with the path of a folder.";
    type Input = Input;
    type Output = Output;

    async fn run(context: &ToolContext, input: Input) -> Result<Output, ToolError> {
        let path = input.path.as_ref().map_or("", LogicalPath::as_str);
        let variables = Variables {
            bucket: input.bucket,
            name: input.name,
            revision: input.revision,
            path: path.trim_end_matches('/').to_owned(),
            revisions: input.max_revisions.get(),
        };
        let package = context.ask::<PackageQuery>(&variables).await?.package;
        let package = package.ok_or_else(|| variables.no_package())?;
        let revision = package.revision.ok_or_else(|| variables.no_revision())?;
        let folder = variables.folder(revision.dir, input.max_entries)?;
        Ok(Output {
            bucket: variables.bucket.to_string(),
            name: variables.name.to_string(),
            hash: revision.hash,
            modified: revision.modified,
            message: revision.message,
            metadata: revision.user_meta,
            workflow: revision.workflow.and_then(|workflow| workflow.id),
            total_entries: revision.total_entries,
            total_bytes: revision.total_bytes,
            folder,
            total_revisions: package.revisions.total,
            revisions: package.revisions.page,
        })
    }
}

impl Variables {
    /// The folder's listing; a package without files has an empty top.
    fn folder(&self, dir: Option<Dir>, max_entries: UpTo<1000>) -> Result<Folder, ToolError> {
        let children = match dir {
            Some(dir) => dir.children,
            None if self.path.is_empty() => Vec::new(),
            None => return Err(self.no_folder()),
        };
        let total = i64::try_from(children.len()).unwrap_or(i64::MAX);
        let shown = usize::try_from(max_entries.get()).unwrap_or(usize::MAX);
        Ok(Folder {
            path: self.path.clone(),
            entries: children.into_iter().take(shown).map(Entry::from).collect(),
            total,
            truncated: total > max_entries.get(),
        })
    }

    fn no_package(&self) -> ToolError {
        ToolError::NotFound(format!(
            "there is no package {} in the bucket {}, or your role may not see it; package_list names the packages of a bucket",
            self.name, self.bucket
        ))
    }

    fn no_revision(&self) -> ToolError {
        ToolError::NotFound(format!(
            "the package {} in {} has no revision {}; leave the revision out for the latest",
            self.name, self.bucket, self.revision
        ))
    }

    fn no_folder(&self) -> ToolError {
        ToolError::NotFound(format!(
            "there is no folder {} in this revision of {}; leave the path out to list the top",
            self.path, self.name
        ))
    }
}

impl From<Child> for Entry {
    fn from(child: Child) -> Self {
        let (kind, path, size) = match child {
            Child::PackageFile { path, size } => (EntryKind::File, path, size),
            Child::PackageDir { path, size } => (EntryKind::Folder, path, size),
        };
        Self { path, kind, size }
    }
}
