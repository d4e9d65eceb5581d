use rmcp::schemars;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::no_package;
use crate::registry::Operation;
use crate::tools::bytes::Bytes;
use crate::tools::context::ToolContext;
use crate::tools::error::ToolError;
use crate::tools::input::{BucketName, PackageName, UpTo};
use crate::tools::tool::Tool;

/// The history of a package, page by page.
pub(in crate::tools) struct PackageRevisions;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct Input {
    bucket: BucketName,
    name: PackageName,
    /// Which page, beginning with 1.
    #[serde(default = "first_page")]
    page: UpTo<1_000_000>,
    /// How many revisions a page has.
    #[serde(default = "usual_page")]
    per_page: UpTo<100>,
}

const fn first_page() -> UpTo<1_000_000> {
    UpTo::new(1)
}

const fn usual_page() -> UpTo<100> {
    UpTo::new(10)
}

#[derive(Serialize, JsonSchema)]
pub(in crate::tools) struct Output {
    /// The bucket.
    bucket: String,
    /// namespace/name
    name: String,
    /// How many revisions there are on all pages.
    total: i64,
    /// This page's revisions, the newest first.
    revisions: Vec<Revision>,
    /// The next page's number, when there is one.
    next_page: Option<i64>,
}

#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(rename_all(deserialize = "camelCase"))]
struct Revision {
    /// The top hash.
    hash: String,
    /// When the revision was made.
    modified: String,
    /// The author's message.
    message: Option<String>,
    /// How many files it has.
    total_entries: Option<i64>,
    /// How large it is, in bytes.
    total_bytes: Option<Bytes>,
}

pub(in crate::tools) struct PackageRevisionsQuery;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::tools) struct Variables {
    bucket: BucketName,
    name: PackageName,
    number: i64,
    per_page: i64,
}

#[derive(Deserialize)]
pub(in crate::tools) struct Data {
    package: Option<Package>,
}

#[derive(Deserialize)]
struct Package {
    revisions: List,
}

#[derive(Deserialize)]
struct List {
    total: i64,
    page: Vec<Revision>,
}

impl Operation for PackageRevisionsQuery {
    const NAME: &'static str = "PackageRevisions";
    const DOCUMENT: &'static str = include_str!("revisions.graphql");
    type Variables = Variables;
    type Data = Data;
}

impl Tool for PackageRevisions {
    const NAME: &'static str = "package_revisions";
    const TITLE: &'static str = "List revisions";
    const DESCRIPTION: &'static str = "Lists the history of one package, the newest revision first: \
top hashes, times, messages and sizes, page by page. package_diff compares two of them, and \
package_info shows one.";
    type Input = Input;
    type Output = Output;

    async fn run(context: &ToolContext, input: Input) -> Result<Output, ToolError> {
        let variables = Variables {
            bucket: input.bucket,
            name: input.name,
            number: input.page.get(),
            per_page: input.per_page.get(),
        };
        let answer = context.ask::<PackageRevisionsQuery>(&variables).await?;
        let Variables {
            bucket,
            name,
            number,
            per_page,
        } = variables;
        let package = answer.package.ok_or_else(|| no_package(&bucket, &name))?;
        let List { total, page } = package.revisions;
        let has_more = number.saturating_mul(per_page) < total;
        Ok(Output {
            bucket: bucket.to_string(),
            name: name.to_string(),
            total,
            revisions: page,
            next_page: has_more.then_some(number + 1),
        })
    }
}
