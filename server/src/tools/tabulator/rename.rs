use rmcp::model::ToolAnnotations;
use rmcp::schemars;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Changed, SetResult};
use crate::registry::Operation;
use crate::tools::context::ToolContext;
use crate::tools::error::ToolError;
use crate::tools::input::{BucketName, TableName};
use crate::tools::tool::{Tool, changes};

/// Gives a Tabulator table another name.
pub(in crate::tools) struct TabulatorTableRename;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct Input {
    bucket: BucketName,
    table: TableName,
    new_name: TableName,
}

pub(in crate::tools) struct RenameTabulatorTable;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::tools) struct Variables {
    bucket: BucketName,
    table: TableName,
    new_name: TableName,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::tools) struct Data {
    bucket_rename_tabulator_table: SetResult,
}

impl Operation for RenameTabulatorTable {
    const NAME: &'static str = "RenameTabulatorTable";
    const DOCUMENT: &'static str = include_str!("rename.graphql");
    type Variables = Variables;
    type Data = Data;
}

impl Tool for TabulatorTableRename {
    const NAME: &'static str = "tabulator_table_rename";
    const TITLE: &'static str = "Rename a Tabulator table";
    const DESCRIPTION: &'static str = "Gives a Tabulator table another name. Queries that use the old \
name stop working, so ask the user first. The new name must be free.";
    type Input = Input;
    type Output = Changed;

    fn annotations() -> ToolAnnotations {
        changes(Self::TITLE, true, false)
    }

    async fn run(context: &ToolContext, input: Input) -> Result<Changed, ToolError> {
        let variables = Variables {
            bucket: input.bucket,
            table: input.table,
            new_name: input.new_name,
        };
        let answer = context.ask::<RenameTabulatorTable>(&variables).await?;
        let bucket = variables.bucket.to_string();
        answer.bucket_rename_tabulator_table.into_output(bucket)
    }
}
