use rmcp::schemars;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Filter, MoreVariables, usual_size};
use crate::registry::Operation;
use crate::tools::bytes::Bytes;
use crate::tools::context::ToolContext;
use crate::tools::error::ToolError;
use crate::tools::input::{BucketName, MOST_BUCKETS, Text, UpTo, some_buckets};
use crate::tools::page_errors::{InvalidInput, OperationError};
use crate::tools::tool::Tool;

/// Full-text search over S3 objects.
pub(in crate::tools) struct SearchObjects;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct Input {
    /// What to find in keys and indexed contents: words, or a query string such as ext:.csv (see quilt-platform://search_syntax); all objects when absent.
    query: Option<Text<1000>>,
    /// Only in these buckets; all that you may see when absent.
    #[schemars(length(max = MOST_BUCKETS))]
    buckets: Option<Vec<BucketName>>,
    /// Only objects written at or after this moment (ISO 8601, such as 2026-01-31T00:00:00Z).
    modified_after: Option<Text<64>>,
    /// Only objects written at or before this moment (ISO 8601).
    modified_before: Option<Text<64>>,
    /// In which order.
    #[serde(default)]
    order: Order,
    /// How many hits at a time.
    #[serde(default = "usual_size")]
    size: UpTo<100>,
    /// next_cursor of an earlier answer, to go on where it ended; the other arguments but size are then ignored.
    cursor: Option<Text<10_000>>,
}

/// The values of the schema's `SearchResultOrder`.
#[derive(Clone, Copy, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all(deserialize = "lowercase", serialize = "SCREAMING_SNAKE_CASE"))]
#[schemars(inline, rename_all = "lowercase")]
pub(in crate::tools) enum Order {
    /// The best match first.
    #[default]
    #[serde(rename(serialize = "BEST_MATCH"))]
    Relevance,
    /// The latest first.
    Newest,
    /// The earliest first.
    Oldest,
    /// By key.
    #[serde(rename(serialize = "LEX_ASC"))]
    Key,
}

#[derive(Serialize, JsonSchema)]
pub(in crate::tools) struct Output {
    /// How many objects match; absent when going on at a cursor.
    total: Option<i64>,
    /// The hits.
    objects: Vec<Hit>,
    /// Where to go on, when there is more.
    next_cursor: Option<String>,
}

#[derive(Deserialize, Serialize, JsonSchema)]
struct Hit {
    /// The bucket.
    bucket: String,
    /// The key.
    key: String,
    /// The version.
    version: String,
    /// Bytes.
    size: Bytes,
    /// When it was written.
    modified: String,
    /// Whether this is a deletion.
    deleted: bool,
    /// How well it matches; comparable within one search.
    score: f64,
}

pub(in crate::tools) struct SearchObjectsQuery;
pub(in crate::tools) struct SearchMoreObjectsQuery;

#[derive(Serialize)]
pub(in crate::tools) struct Variables {
    buckets: Option<Vec<BucketName>>,
    text: Option<String>,
    filter: Option<Filter>,
    size: i64,
    order: Order,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::tools) struct Data {
    search_objects: SearchResult,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::tools) struct MoreData {
    search_more_objects: MoreResult,
}

#[derive(Deserialize)]
#[serde(tag = "__typename")]
enum SearchResult {
    #[serde(rename_all = "camelCase")]
    ObjectsSearchResultSet {
        total: i64,
        first_page: Page,
    },
    EmptySearchResultSet,
    InvalidInput(InvalidInput),
    OperationError(OperationError),
}

#[derive(Deserialize)]
#[serde(tag = "__typename")]
enum MoreResult {
    ObjectsSearchResultSetPage(Page),
    InvalidInput(InvalidInput),
    OperationError(OperationError),
}

#[derive(Deserialize)]
struct Page {
    cursor: Option<String>,
    hits: Vec<Hit>,
}

impl Operation for SearchObjectsQuery {
    const NAME: &'static str = "SearchObjects";
    const DOCUMENT: &'static str = include_str!("objects.graphql");
    type Variables = Variables;
    type Data = Data;
}

impl Operation for SearchMoreObjectsQuery {
    const NAME: &'static str = "SearchMoreObjects";
    const DOCUMENT: &'static str = include_str!("more_objects.graphql");
    type Variables = MoreVariables;
    type Data = MoreData;
}

impl Tool for SearchObjects {
    const NAME: &'static str = "search_objects";
    const TITLE: &'static str = "Search objects";
    const DESCRIPTION: &'static str = "Finds S3 objects by their keys and indexed contents, in one, \
some or all buckets, whether or not a package holds them. Use search_packages for data that \
somebody has described; use this for single files. object_read shows a hit's text.";
    type Input = Input;
    type Output = Output;

    async fn run(context: &ToolContext, input: Input) -> Result<Output, ToolError> {
        if let Some(after) = input.cursor {
            let variables = MoreVariables::new(after, input.size);
            let answer = context.ask::<SearchMoreObjectsQuery>(&variables).await?;
            return match answer.search_more_objects {
                MoreResult::ObjectsSearchResultSetPage(page) => Ok(page.into_output(None)),
                MoreResult::InvalidInput(invalid) => Err(invalid.into()),
                MoreResult::OperationError(failed) => Err(failed.into()),
            };
        }
        let variables = Variables::try_from(input)?;
        let answer = context.ask::<SearchObjectsQuery>(&variables).await?;
        match answer.search_objects {
            SearchResult::ObjectsSearchResultSet { total, first_page } => {
                Ok(first_page.into_output(Some(total)))
            }
            SearchResult::EmptySearchResultSet => Ok(Output {
                total: Some(0),
                objects: Vec::new(),
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
            text: input.query.map(Text::into_string),
            filter: Filter::modified(input.modified_after, input.modified_before),
            size: input.size.get(),
            order: input.order,
        })
    }
}

impl Page {
    fn into_output(self, total: Option<i64>) -> Output {
        Output {
            total,
            objects: self.hits,
            next_cursor: self.cursor,
        }
    }
}
