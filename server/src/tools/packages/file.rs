//! One file of a package: which bytes it is.

use serde::{Deserialize, Serialize};

use super::{no_package, no_revision};
use crate::aws::S3Address;
use crate::registry::Operation;
use crate::tools::bytes::Bytes;
use crate::tools::context::ToolContext;
use crate::tools::error::ToolError;
use crate::tools::input::{BucketName, LogicalPath, PackageName, RevisionName};
use crate::tools::uri;

/// A file of a revision.
pub(in crate::tools) struct Located {
    /// The revision's top hash.
    pub(in crate::tools) hash: String,
    /// Bytes.
    pub(in crate::tools) size: Bytes,
    physical_key: String,
}

impl Located {
    /// The object that the file is.
    pub(in crate::tools) fn object(&self) -> Result<S3Address, ToolError> {
        uri::object(&self.physical_key).map_err(|why| {
            ToolError::RegistryFailed(format!("the file's place in S3 cannot be used: {why}"))
        })
    }
}

pub(in crate::tools) struct PackageFileQuery;

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
    file: Option<File>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    size: Bytes,
    physical_key: String,
}

impl Operation for PackageFileQuery {
    const NAME: &'static str = "PackageFile";
    const DOCUMENT: &'static str = include_str!("file.graphql");
    type Variables = Variables;
    type Data = Data;
}

/// Finds a file in a package.
pub(in crate::tools) async fn locate(
    context: &ToolContext,
    bucket: BucketName,
    name: PackageName,
    revision: RevisionName,
    path: &LogicalPath,
) -> Result<Located, ToolError> {
    let variables = Variables {
        bucket,
        name,
        revision,
        path: path.to_string(),
    };
    let package = context.ask::<PackageFileQuery>(&variables).await?.package;
    let Variables {
        bucket,
        name,
        revision,
        ..
    } = variables;
    let package = package.ok_or_else(|| no_package(&bucket, &name))?;
    let found = package
        .revision
        .ok_or_else(|| no_revision(&name, &revision))?;
    let file = found.file.ok_or_else(|| {
        ToolError::NotFound(format!(
            "there is no file {path} in this revision of {name}; package_browse lists its files"
        ))
    })?;
    Ok(Located {
        hash: found.hash,
        size: file.size,
        physical_key: file.physical_key,
    })
}
