use rmcp::schemars;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::file::locate;
use crate::registry::Operation;
use crate::tools::bytes::Bytes;
use crate::tools::context::ToolContext;
use crate::tools::error::ToolError;
use crate::tools::input::{BucketName, LogicalPath, PackageName, RevisionName};
use crate::tools::page_errors::{InvalidInput, OperationError};
use crate::tools::tool::Tool;

/// How long a browsing session lasts that nobody refreshes, in seconds: the
/// registry's own default.
const TTL: i64 = 180;

/// A link that opens a package's file for a while.
pub(in crate::tools) struct PackageFileUrl;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct Input {
    bucket: BucketName,
    name: PackageName,
    #[serde(default = "RevisionName::latest")]
    revision: RevisionName,
    /// The file's path in the package.
    path: LogicalPath,
}

#[derive(Serialize, JsonSchema)]
pub(in crate::tools) struct Output {
    /// The link. Whoever has it can read the package's files until it expires: show it to the user only.
    url: String,
    /// When it expires.
    expires: String,
    /// The revision's top hash.
    hash: String,
    /// Bytes.
    size: Bytes,
}

pub(in crate::tools) struct CreateBrowsingSession;

#[derive(Serialize)]
pub(in crate::tools) struct Variables {
    scope: String,
    ttl: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::tools) struct Data {
    browsing_session_create: SessionResult,
}

#[derive(Deserialize)]
#[serde(tag = "__typename")]
enum SessionResult {
    BrowsingSession { id: String, expires: String },
    InvalidInput(InvalidInput),
    OperationError(OperationError),
}

impl Operation for CreateBrowsingSession {
    const NAME: &'static str = "CreateBrowsingSession";
    const DOCUMENT: &'static str = include_str!("file_url.graphql");
    type Variables = Variables;
    type Data = Data;
}

impl Tool for PackageFileUrl {
    const NAME: &'static str = "package_file_url";
    const TITLE: &'static str = "Link to a package's file";
    const DESCRIPTION: &'static str = "Makes a link that opens one file of a package through the \
catalog for three minutes, without signing in: a report, an image, a download. Use catalog_url for \
a link that lasts, and object_read for a file's text.";
    type Input = Input;
    type Output = Output;

    async fn run(context: &ToolContext, input: Input) -> Result<Output, ToolError> {
        let (bucket, name) = (input.bucket.clone(), input.name.clone());
        let file = locate(context, bucket, name, input.revision, &input.path).await?;
        let scope = format!(
            "s3://{}#package={}&hash={}",
            input.bucket, input.name, file.hash
        );
        let variables = Variables { scope, ttl: TTL };
        let answer = context.ask::<CreateBrowsingSession>(&variables).await?;
        let (id, expires) = match answer.browsing_session_create {
            SessionResult::BrowsingSession { id, expires } => (id, expires),
            SessionResult::InvalidInput(invalid) => return Err(invalid.into()),
            SessionResult::OperationError(failed) => return Err(failed.into()),
        };
        let path = input.path.as_str().split('/');
        let url = context
            .stack
            .catalog
            .join(["browse", id.as_str()].into_iter().chain(path));
        Ok(Output {
            url: url.into(),
            expires,
            hash: file.hash,
            size: file.size,
        })
    }
}
