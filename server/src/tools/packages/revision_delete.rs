use rmcp::model::ToolAnnotations;
use rmcp::schemars;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::registry::Operation;
use crate::tools::context::ToolContext;
use crate::tools::error::ToolError;
use crate::tools::input::{BucketName, PackageName, TopHash};
use crate::tools::page_errors::OperationError;
use crate::tools::tool::{Tool, changes};

/// Removes one revision of a package.
pub(in crate::tools) struct PackageRevisionDelete;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct Input {
    bucket: BucketName,
    name: PackageName,
    hash: TopHash,
}

#[derive(Serialize, JsonSchema)]
pub(in crate::tools) struct Output {
    /// The bucket.
    bucket: String,
    /// namespace/name
    name: String,
    /// The revision that has gone.
    deleted: String,
}

pub(in crate::tools) struct DeletePackageRevision;

#[derive(Serialize)]
pub(in crate::tools) struct Variables {
    bucket: BucketName,
    name: PackageName,
    hash: TopHash,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::tools) struct Data {
    package_revision_delete: DeleteResult,
}

#[derive(Deserialize)]
#[serde(tag = "__typename")]
enum DeleteResult {
    PackageRevisionDeleteSuccess,
    OperationError(OperationError),
}

impl Operation for DeletePackageRevision {
    const NAME: &'static str = "DeletePackageRevision";
    const DOCUMENT: &'static str = include_str!("revision_delete.graphql");
    type Variables = Variables;
    type Data = Data;
}

impl Tool for PackageRevisionDelete {
    const NAME: &'static str = "package_revision_delete";
    const TITLE: &'static str = "Delete a revision";
    const DESCRIPTION: &'static str = "Removes one revision of a package, named by its full top hash, \
from the registry; the files in S3 stay. It cannot be undone here: ask the user, naming the package \
and the hash, and call it only when they have said yes.";
    type Input = Input;
    type Output = Output;

    fn annotations() -> ToolAnnotations {
        changes(Self::TITLE, true, true)
    }

    async fn run(context: &ToolContext, input: Input) -> Result<Output, ToolError> {
        let variables = Variables {
            bucket: input.bucket,
            name: input.name,
            hash: input.hash,
        };
        let answer = context.ask::<DeletePackageRevision>(&variables).await?;
        match answer.package_revision_delete {
            DeleteResult::PackageRevisionDeleteSuccess => Ok(Output {
                bucket: variables.bucket.to_string(),
                name: variables.name.to_string(),
                deleted: variables.hash.to_string(),
            }),
            DeleteResult::OperationError(failed) => Err(failed.into()),
        }
    }
}
