use rmcp::model::ToolAnnotations;
use rmcp::schemars;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Changed, SetResult};
use crate::registry::Operation;
use crate::tools::context::ToolContext;
use crate::tools::error::ToolError;
use crate::tools::input::{BucketName, TableName, Text};
use crate::tools::tool::{Tool, changes};

/// Makes, changes or removes a Tabulator table.
pub(in crate::tools) struct TabulatorTableSet;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct Input {
    bucket: BucketName,
    table: TableName,
    /// The configuration as YAML, with schema, source and parser; null removes the table.
    config: Option<Text<100_000>>,
}

pub(in crate::tools) struct SetTabulatorTable;

#[derive(Serialize)]
pub(in crate::tools) struct Variables {
    bucket: BucketName,
    table: TableName,
    config: Option<Text<100_000>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::tools) struct Data {
    bucket_set_tabulator_table: SetResult,
}

impl Operation for SetTabulatorTable {
    const NAME: &'static str = "SetTabulatorTable";
    const DOCUMENT: &'static str = include_str!("set.graphql");
    type Variables = Variables;
    type Data = Data;
}

impl Tool for TabulatorTableSet {
    const NAME: &'static str = "tabulator_table_set";
    const TITLE: &'static str = "Set a Tabulator table";
    const DESCRIPTION: &'static str = "Makes a Tabulator table, replaces its configuration, or, with \
config null, removes it; the files themselves are not touched. Show the configuration to the user \
before you set it, and take one of tabulator_table_list as the model for a new one.";
    type Input = Input;
    type Output = Changed;

    fn annotations() -> ToolAnnotations {
        changes(Self::TITLE, true, true)
    }

    async fn run(context: &ToolContext, input: Input) -> Result<Changed, ToolError> {
        let variables = Variables {
            bucket: input.bucket,
            table: input.table,
            config: input.config,
        };
        let answer = context.ask::<SetTabulatorTable>(&variables).await?;
        let bucket = variables.bucket.to_string();
        answer.bucket_set_tabulator_table.into_output(bucket)
    }
}
