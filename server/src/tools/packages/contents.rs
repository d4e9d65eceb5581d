use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{no_package, no_revision};
use crate::registry::Operation;
use crate::tools::context::ToolContext;
use crate::tools::error::ToolError;
use crate::tools::input::{BucketName, PackageName, RevisionName};

/// The largest package that is read whole, in files.
pub(super) const MOST_ENTRIES: i64 = 10_000;

/// The files of a revision, by their paths in the package.
pub(super) type Entries = BTreeMap<String, Entry>;

/// A file as the manifest has it.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry {
    /// Where the bytes are.
    pub(super) physical_key: String,
    /// Bytes.
    pub(super) size: Option<f64>,
    /// What the bytes hash to.
    pub(super) hash: Option<EntryHash>,
    /// The whole metadata, the author's in `user_meta`.
    pub(super) meta: Option<Map<String, Value>>,
}

/// A file's hash: older stacks give the value alone, which is a SHA-256.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(from = "RawHash")]
pub(super) struct EntryHash {
    #[serde(rename = "type")]
    kind: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawHash {
    Value(String),
    Typed {
        #[serde(rename = "type")]
        kind: String,
        value: String,
    },
}

impl From<RawHash> for EntryHash {
    fn from(raw: RawHash) -> Self {
        let (kind, value) = match raw {
            RawHash::Value(value) => ("SHA256".to_owned(), value),
            RawHash::Typed { kind, value } => (kind, value),
        };
        Self { kind, value }
    }
}

pub(in crate::tools) struct PackageContentsQuery;

#[derive(Serialize)]
struct Variables<'a> {
    bucket: &'a BucketName,
    name: &'a PackageName,
    revision: &'a RevisionName,
    max: i64,
}

#[derive(Deserialize)]
pub(in crate::tools) struct Data {
    package: Option<Package>,
}

#[derive(Deserialize)]
struct Package {
    revision: Option<Revision>,
}

/// A revision with its files.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Revision {
    /// The top hash.
    pub(super) hash: String,
    /// The author's metadata.
    pub(super) user_meta: Option<Map<String, Value>>,
    workflow: Option<Workflow>,
    total_entries: Option<i64>,
    contents_flat_map: Option<Entries>,
}

#[derive(Deserialize)]
struct Workflow {
    id: Option<String>,
}

impl Operation for PackageContentsQuery {
    const NAME: &'static str = "PackageContents";
    const DOCUMENT: &'static str = include_str!("contents.graphql");
    type Variables = Value;
    type Data = Data;
}

impl Revision {
    /// The workflow that checked it.
    pub(super) fn workflow(&self) -> Option<String> {
        self.workflow.as_ref()?.id.clone()
    }

    /// The files. The registry gives none of a package that has more than was
    /// asked for: that is "too many", and never "empty".
    pub(super) fn entries(&self) -> Result<&Entries, ToolError> {
        self.contents_flat_map.as_ref().ok_or_else(|| {
            let total = self.total_entries.map_or("too many".to_owned(), |n| n.to_string());
            ToolError::TooLarge(format!(
                "the revision {} has {total} files, and this tool handles at most {MOST_ENTRIES}; nothing was changed",
                self.hash
            ))
        })
    }
}

/// A revision with its files, if the package exists.
pub(super) async fn find(
    context: &ToolContext,
    bucket: &BucketName,
    name: &PackageName,
    revision: &RevisionName,
) -> Result<Option<Revision>, ToolError> {
    let variables = Variables {
        bucket,
        name,
        revision,
        max: MOST_ENTRIES,
    };
    let variables =
        serde_json::to_value(variables).map_err(|error| ToolError::Internal(error.to_string()))?;
    let answer = context.ask::<PackageContentsQuery>(&variables).await?;
    match answer.package {
        None => Ok(None),
        Some(Package { revision: found }) => {
            found.map(Some).ok_or_else(|| no_revision(name, revision))
        }
    }
}

/// A revision with its files.
pub(super) async fn get(
    context: &ToolContext,
    bucket: &BucketName,
    name: &PackageName,
    revision: &RevisionName,
) -> Result<Revision, ToolError> {
    let found = find(context, bucket, name, revision).await?;
    found.ok_or_else(|| no_package(bucket, name))
}
