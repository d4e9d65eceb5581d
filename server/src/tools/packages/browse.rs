use rmcp::schemars;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{no_package, no_revision};
use crate::registry::Operation;
use crate::tools::bytes::Bytes;
use crate::tools::context::ToolContext;
use crate::tools::error::ToolError;
use crate::tools::input::{BucketName, LogicalPath, Offset, PackageName, RevisionName, UpTo};
use crate::tools::tool::Tool;

/// The files and folders at a path in a package, page by page.
pub(in crate::tools) struct PackageBrowse;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct Input {
    bucket: BucketName,
    name: PackageName,
    #[serde(default = "RevisionName::latest")]
    revision: RevisionName,
    /// The folder inside the package; the top when absent.
    path: Option<LogicalPath>,
    /// How many to pass over; next_offset of an earlier answer.
    #[serde(default)]
    offset: Offset,
    /// How many files and folders to list.
    #[serde(default = "usual_entries")]
    max_entries: UpTo<1000>,
}

const fn usual_entries() -> UpTo<1000> {
    UpTo::new(100)
}

#[derive(Serialize, JsonSchema)]
pub(in crate::tools) struct Output {
    /// The revision's top hash.
    hash: String,
    /// The folder; empty for the top.
    path: String,
    /// Bytes of everything in it.
    size: Bytes,
    /// How many files and folders it has.
    total: i64,
    /// Folders directly in it.
    folders: Vec<Folder>,
    /// Files directly in it.
    files: Vec<File>,
    /// Where to go on, when there is more.
    next_offset: Option<i64>,
}

#[derive(Serialize, JsonSchema)]
struct Folder {
    /// The path inside the package.
    path: String,
    /// Bytes of everything in it.
    size: Bytes,
}

#[derive(Serialize, JsonSchema)]
struct File {
    /// The path inside the package.
    path: String,
    /// Bytes.
    size: Bytes,
    /// Where the bytes are, for object_read.
    uri: String,
    /// The author's metadata of the file.
    metadata: Option<Map<String, Value>>,
}

pub(in crate::tools) struct BrowsePackageQuery;

#[derive(Serialize)]
pub(in crate::tools) struct Variables {
    bucket: BucketName,
    name: PackageName,
    revision: RevisionName,
    path: String,
}

#[derive(Deserialize)]
pub(in crate::tools) struct Data {
    package: Option<Package>,
}

#[derive(Deserialize)]
struct Package {
    revision: Option<Revision>,
}

#[derive(Deserialize)]
struct Revision {
    hash: String,
    dir: Option<Dir>,
}

#[derive(Deserialize)]
struct Dir {
    size: Bytes,
    children: Vec<Child>,
}

#[derive(Deserialize)]
#[serde(tag = "__typename")]
enum Child {
    #[serde(rename_all = "camelCase")]
    PackageFile {
        path: String,
        size: Bytes,
        physical_key: String,
        metadata: Option<Map<String, Value>>,
    },
    PackageDir {
        path: String,
        size: Bytes,
    },
}

impl Operation for BrowsePackageQuery {
    const NAME: &'static str = "BrowsePackage";
    const DOCUMENT: &'static str = include_str!("browse.graphql");
    type Variables = Variables;
    type Data = Data;
}

impl Tool for PackageBrowse {
    const NAME: &'static str = "package_browse";
    const TITLE: &'static str = "Browse a package";
    const DESCRIPTION: &'static str = "Lists the files and folders at a path inside a package, with \
sizes, metadata and the address of each file's bytes, page by page. Walk down by calling it again \
with a folder's path; object_read reads a file.";
    type Input = Input;
    type Output = Output;

    async fn run(context: &ToolContext, input: Input) -> Result<Output, ToolError> {
        let path = input.path.as_ref().map_or("", LogicalPath::as_str);
        let variables = Variables {
            bucket: input.bucket,
            name: input.name,
            revision: input.revision,
            path: path.trim_end_matches('/').to_owned(),
        };
        let package = context.ask::<BrowsePackageQuery>(&variables).await?.package;
        let Variables {
            bucket,
            name,
            revision,
            path,
        } = variables;
        let package = package.ok_or_else(|| no_package(&bucket, &name))?;
        let found = package
            .revision
            .ok_or_else(|| no_revision(&name, &revision))?;
        let dir = found.dir.ok_or_else(|| {
            ToolError::NotFound(format!(
                "there is no folder {path} in this revision of {name}; leave the path out to list the top"
            ))
        })?;
        let mut output = Output {
            hash: found.hash,
            path,
            size: dir.size,
            total: i64::try_from(dir.children.len()).unwrap_or(i64::MAX),
            folders: Vec::new(),
            files: Vec::new(),
            next_offset: None,
        };
        let end = i64::from(input.offset.get()).saturating_add(input.max_entries.get());
        output.next_offset = (end < output.total).then_some(end);
        let shown = usize::try_from(input.max_entries.get()).unwrap_or(usize::MAX);
        let passed = usize::try_from(input.offset.get()).unwrap_or(usize::MAX);
        for child in dir.children.into_iter().skip(passed).take(shown) {
            match child {
                Child::PackageDir { path, size } => output.folders.push(Folder { path, size }),
                Child::PackageFile {
                    path,
                    size,
                    physical_key,
                    metadata,
                } => {
                    output.files.push(File {
                        path,
                        size,
                        uri: physical_key,
                        metadata,
                    });
                }
            }
        }
        Ok(output)
    }
}
