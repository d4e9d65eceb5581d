use rmcp::schemars;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::context::ToolContext;
use super::error::ToolError;
use super::input::{BucketName, Text, UpTo};
use super::tool::Tool;
use crate::registry::Operation;

/// The packages of a bucket, page by page.
pub(super) struct PackageList;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    bucket: BucketName,
    /// Only packages whose name contains this.
    filter: Option<Text<256>>,
    /// Which page, beginning with 1.
    #[serde(default = "first_page")]
    page: UpTo<1_000_000>,
    /// How many packages a page has.
    #[serde(default = "usual_page")]
    per_page: UpTo<100>,
    /// In which order.
    #[serde(default)]
    order: Order,
}

#[derive(Clone, Copy, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum Order {
    /// By name.
    #[default]
    Name,
    /// The most recently changed first.
    Modified,
}

impl Order {
    /// The value of the schema's `PackageListOrder`.
    fn graphql(self) -> &'static str {
        match self {
            Self::Name => "NAME",
            Self::Modified => "MODIFIED",
        }
    }
}

const fn first_page() -> UpTo<1_000_000> {
    UpTo::new(1)
}

const fn usual_page() -> UpTo<100> {
    UpTo::new(30)
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Output {
    /// The bucket.
    bucket: String,
    /// How many packages there are on all pages.
    total: i64,
    /// This page's packages.
    packages: Vec<Package>,
    /// The next page's number, when there is one.
    next_page: Option<i64>,
}

#[derive(Deserialize, Serialize, JsonSchema)]
pub(super) struct Package {
    /// namespace/name
    name: String,
    /// When it last changed.
    modified: String,
}

pub(super) struct PackagesQuery;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Variables {
    bucket: BucketName,
    filter: Option<Text<256>>,
    number: i64,
    per_page: i64,
    order: &'static str,
}

#[derive(Deserialize)]
pub(super) struct Data {
    packages: Option<List>,
}

#[derive(Deserialize)]
struct List {
    total: i64,
    page: Vec<Package>,
}

impl Operation for PackagesQuery {
    const NAME: &'static str = "Packages";
    const DOCUMENT: &'static str = include_str!("package_list.graphql");
    type Variables = Variables;
    type Data = Data;
}

impl Tool for PackageList {
    const NAME: &'static str = "package_list";
    const TITLE: &'static str = "List packages";
    const DESCRIPTION: &'static str = "Lists the packages of one bucket by name or by last change, \
page by page. Use search_packages to find packages by what they are about, and package_info for \
one package's files and metadata.";
    type Input = Input;
    type Output = Output;

    async fn run(context: &ToolContext, input: Input) -> Result<Output, ToolError> {
        let (page, per_page) = (input.page.get(), input.per_page.get());
        let variables = Variables {
            bucket: input.bucket,
            filter: input.filter,
            number: page,
            per_page,
            order: input.order.graphql(),
        };
        let answer = context.ask::<PackagesQuery>(&variables).await?;
        let list = answer.packages.ok_or_else(|| {
            ToolError::NotFound(format!(
                "there is no bucket {} in this stack, or your role may not see it; bucket_list names those that you may see",
                variables.bucket
            ))
        })?;
        let has_more = page.saturating_mul(per_page) < list.total;
        Ok(Output {
            bucket: variables.bucket.to_string(),
            total: list.total,
            packages: list.page,
            next_page: has_more.then_some(page + 1),
        })
    }
}
