use rmcp::schemars;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::context::ToolContext;
use super::error::ToolError;
use super::input::Text;
use super::tool::Tool;
use crate::auth::NoVariables;
use crate::registry::Operation;

/// The buckets of the stack.
pub(super) struct BucketList;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    /// Only buckets whose name, title or tags contain this, in any case.
    contains: Option<Text<100>>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Output {
    /// How many buckets are listed.
    total: i64,
    /// The buckets, the most relevant first.
    buckets: Vec<Bucket>,
}

#[derive(Deserialize, Serialize, JsonSchema)]
pub(super) struct Bucket {
    /// The S3 bucket's name, which other tools take.
    name: String,
    /// The title that people know it by.
    title: String,
    /// What it is for.
    description: Option<String>,
    /// Free labels.
    tags: Option<Vec<String>>,
    /// How high the stack's administrators rank it; higher is more relevant.
    #[serde(rename(deserialize = "relevanceScore"))]
    relevance: i64,
    /// Whether its files can be browsed in the catalog.
    browsable: bool,
}

pub(super) struct BucketsQuery;

#[derive(Deserialize)]
pub(super) struct Data {
    buckets: Vec<Bucket>,
}

impl Operation for BucketsQuery {
    const NAME: &'static str = "Buckets";
    const DOCUMENT: &'static str = include_str!("bucket_list.graphql");
    type Variables = NoVariables;
    type Data = Data;
}

impl Tool for BucketList {
    const NAME: &'static str = "bucket_list";
    const TITLE: &'static str = "List buckets";
    const DESCRIPTION: &'static str = "Lists the S3 buckets of the Quilt stack that you may see, \
with titles and descriptions. Use it first, to learn which bucket to look in; then package_list \
for what a bucket holds, or search_packages with its name.";
    type Input = Input;
    type Output = Output;

    async fn run(context: &ToolContext, input: Input) -> Result<Output, ToolError> {
        let mut buckets = context.ask::<BucketsQuery>(&NoVariables {}).await?.buckets;
        if let Some(contains) = input.contains {
            let contains = contains.into_string().to_lowercase();
            buckets.retain(|bucket| bucket.mentions(&contains));
        }
        buckets.sort_by(|a, b| {
            b.relevance
                .cmp(&a.relevance)
                .then_with(|| a.name.cmp(&b.name))
        });
        Ok(Output {
            total: i64::try_from(buckets.len()).unwrap_or(i64::MAX),
            buckets,
        })
    }
}

impl Bucket {
    fn mentions(&self, lowercase: &str) -> bool {
        let contains = |text: &String| text.to_lowercase().contains(lowercase);
        contains(&self.name) || contains(&self.title) || self.tags.iter().flatten().any(contains)
    }
}
