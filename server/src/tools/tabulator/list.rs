use rmcp::schemars;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Table, Tables};
use crate::registry::Operation;
use crate::tools::context::ToolContext;
use crate::tools::error::ToolError;
use crate::tools::input::BucketName;
use crate::tools::tool::Tool;

/// The Tabulator tables of a bucket.
pub(in crate::tools) struct TabulatorTableList;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct Input {
    bucket: BucketName,
}

#[derive(Serialize, JsonSchema)]
pub(in crate::tools) struct Output {
    /// The bucket.
    bucket: String,
    /// Its tables.
    tables: Vec<Table>,
}

pub(in crate::tools) struct TabulatorTablesQuery;

#[derive(Serialize)]
pub(in crate::tools) struct Variables {
    bucket: BucketName,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::tools) struct Data {
    bucket_config: Option<Tables>,
}

impl Operation for TabulatorTablesQuery {
    const NAME: &'static str = "TabulatorTables";
    const DOCUMENT: &'static str = include_str!("list.graphql");
    type Variables = Variables;
    type Data = Data;
}

impl Tool for TabulatorTableList {
    const NAME: &'static str = "tabulator_table_list";
    const TITLE: &'static str = "List Tabulator tables";
    const DESCRIPTION: &'static str = "Lists the Tabulator tables of one bucket with their YAML \
configurations. Tabulator makes the files of many packages one table; athena_query reads it in the \
catalog that quilt-platform://athena names.";
    type Input = Input;
    type Output = Output;

    async fn run(context: &ToolContext, input: Input) -> Result<Output, ToolError> {
        let variables = Variables {
            bucket: input.bucket,
        };
        let answer = context.ask::<TabulatorTablesQuery>(&variables).await?;
        let bucket = variables.bucket.to_string();
        match answer.bucket_config {
            Some(Tables { tabulator_tables }) => Ok(Output {
                bucket,
                tables: tabulator_tables,
            }),
            None => Err(ToolError::NotFound(format!(
                "there is no bucket {bucket} in this stack; bucket_list names those that you may see"
            ))),
        }
    }
}
