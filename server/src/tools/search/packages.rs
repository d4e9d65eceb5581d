use rmcp::schemars;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Filter, MoreVariables, usual_size};
use crate::registry::Operation;
use crate::tools::bytes::Bytes;
use crate::tools::context::ToolContext;
use crate::tools::error::ToolError;
use crate::tools::input::{BucketName, MOST_BUCKETS, Text, UpTo, some_buckets};
use crate::tools::page_errors::{InvalidInput, OperationError};
use crate::tools::tool::Tool;

/// Full-text search over packages.
pub(in crate::tools) struct SearchPackages;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct Input {
    /// Words to find in names, messages, metadata and file names; all packages when absent.
    query: Option<Text<1000>>,
    /// Only in these buckets; all that you may see when absent.
    #[schemars(length(max = MOST_BUCKETS))]
    buckets: Option<Vec<BucketName>>,
    /// Only revisions made at or after this moment (ISO 8601, such as 2026-01-31T00:00:00Z).
    modified_after: Option<Text<64>>,
    /// Only revisions made at or before this moment (ISO 8601).
    modified_before: Option<Text<64>>,
    /// Only the latest revision of each package.
    #[serde(default = "yes")]
    latest_only: bool,
    /// In which order.
    #[serde(default)]
    order: Order,
    /// How many hits at a time.
    #[serde(default = "usual_size")]
    size: UpTo<100>,
    /// next_cursor of an earlier answer, to go on where it ended; the other arguments but size are then ignored.
    cursor: Option<Text<10_000>>,
}

#[derive(Clone, Copy, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::tools) enum Order {
    /// The best match first.
    #[default]
    Relevance,
    /// The latest change first.
    Newest,
    /// The earliest change first.
    Oldest,
    /// By name.
    Name,
    /// The largest first.
    Largest,
}

const fn yes() -> bool {
    true
}

#[derive(Serialize, JsonSchema)]
pub(in crate::tools) struct Output {
    /// How many packages match; absent when going on at a cursor.
    total: Option<i64>,
    /// The hits.
    packages: Vec<Hit>,
    /// Where to go on, when there is more.
    next_cursor: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Hit {
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
    metadata: Option<Value>,
    /// How many files it has.
    total_entries: i64,
    /// How large it is, in bytes.
    total_bytes: Bytes,
    /// How well it matches; comparable within one search.
    score: f64,
}

pub(in crate::tools) struct SearchPackagesQuery;
pub(in crate::tools) struct SearchMorePackagesQuery;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::tools) struct Variables {
    buckets: Option<Vec<BucketName>>,
    text: String,
    filter: Option<Filter>,
    latest_only: bool,
    size: i64,
    ordering: Option<&'static str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::tools) struct Data {
    search_packages: SearchResult,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::tools) struct MoreData {
    search_more_packages: PageResult,
}

#[derive(Deserialize)]
#[serde(tag = "__typename")]
enum SearchResult {
    #[serde(rename_all = "camelCase")]
    PackagesSearchResultSet {
        total: i64,
        first_page: PageResult,
    },
    EmptySearchResultSet,
    InvalidInput(InvalidInput),
    OperationError(OperationError),
}

#[derive(Deserialize)]
#[serde(tag = "__typename")]
enum PageResult {
    PackagesSearchResultSetPage(Page),
    InvalidInput(InvalidInput),
    OperationError(OperationError),
}

#[derive(Deserialize)]
struct Page {
    cursor: Option<String>,
    hits: Vec<RawHit>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawHit {
    bucket: String,
    name: String,
    hash: String,
    modified: String,
    size: Bytes,
    total_entries_count: i64,
    comment: Option<String>,
    meta: Option<String>,
    score: f64,
}

impl Operation for SearchPackagesQuery {
    const NAME: &'static str = "SearchPackages";
    const DOCUMENT: &'static str = include_str!("packages.graphql");
    type Variables = Variables;
    type Data = Data;
}

impl Operation for SearchMorePackagesQuery {
    const NAME: &'static str = "SearchMorePackages";
    const DOCUMENT: &'static str = include_str!("more_packages.graphql");
    type Variables = MoreVariables;
    type Data = MoreData;
}

impl Tool for SearchPackages {
    const NAME: &'static str = "search_packages";
    const TITLE: &'static str = "Search packages";
    const DESCRIPTION: &'static str = "Finds packages by what they are about: words in their \
names, messages, metadata and file names, in one, some or all buckets, and by when they changed. \
Use it when you do not know a package's name; package_info then shows what is in a hit.";
    type Input = Input;
    type Output = Output;

    async fn run(context: &ToolContext, input: Input) -> Result<Output, ToolError> {
        if let Some(after) = input.cursor {
            let variables = MoreVariables::new(after, input.size);
            let answer = context.ask::<SearchMorePackagesQuery>(&variables).await?;
            return answer.search_more_packages.into_output(None);
        }
        let variables = Variables::try_from(input)?;
        let answer = context.ask::<SearchPackagesQuery>(&variables).await?;
        match answer.search_packages {
            SearchResult::PackagesSearchResultSet { total, first_page } => {
                first_page.into_output(Some(total))
            }
            SearchResult::EmptySearchResultSet => Ok(Output {
                total: Some(0),
                packages: Vec::new(),
                next_cursor: None,
            }),
            SearchResult::InvalidInput(invalid) => Err(invalid.into()),
            SearchResult::OperationError(failed) => Err(failed.into()),
        }
    }
}

impl TryFrom<Input> for Variables {
    type Error = ToolError;

    fn try_from(input: Input) -> Result<Self, ToolError> {
        Ok(Self {
            buckets: some_buckets(input.buckets)?,
            text: input.query.map(Text::into_string).unwrap_or_default(),
            filter: Filter::modified(input.modified_after, input.modified_before),
            latest_only: input.latest_only,
            size: input.size.get(),
            ordering: input.order.expression(),
        })
    }
}

impl Order {
    /// The schema's `PackageOrdering` expression; null is by relevance.
    fn expression(self) -> Option<&'static str> {
        match self {
            Self::Relevance => None,
            Self::Newest => Some("sys:modified:desc"),
            Self::Oldest => Some("sys:modified:asc"),
            Self::Name => Some("sys:name:asc"),
            Self::Largest => Some("sys:size:desc"),
        }
    }
}

impl PageResult {
    fn into_output(self, total: Option<i64>) -> Result<Output, ToolError> {
        match self {
            Self::PackagesSearchResultSetPage(page) => Ok(Output {
                total,
                packages: page.hits.into_iter().map(Hit::from).collect(),
                next_cursor: page.cursor,
            }),
            Self::InvalidInput(invalid) => Err(invalid.into()),
            Self::OperationError(failed) => Err(failed.into()),
        }
    }
}

impl From<RawHit> for Hit {
    fn from(hit: RawHit) -> Self {
        // The index holds metadata as text; what is not JSON is passed on as the text that it is.
        let metadata = hit
            .meta
            .map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text)));
        Self {
            bucket: hit.bucket,
            name: hit.name,
            hash: hit.hash,
            modified: hit.modified,
            message: hit.comment,
            metadata,
            total_entries: hit.total_entries_count,
            total_bytes: hit.size,
            score: hit.score,
        }
    }
}
