use rmcp::schemars;
use schemars::JsonSchema;
use serde::Deserialize;

use super::rows::{QueryOutput, output};
use crate::tools::context::ToolContext;
use crate::tools::error::ToolError;
use crate::tools::input::{ExecutionId, UpTo};
use crate::tools::tool::Tool;

/// The rows of a query that took longer.
pub(in crate::tools) struct AthenaQueryResults;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct Input {
    execution_id: ExecutionId,
    /// How many rows to answer with, at most.
    #[serde(default = "usual_rows")]
    max_rows: UpTo<5000>,
}

const fn usual_rows() -> UpTo<5000> {
    UpTo::new(100)
}

impl Tool for AthenaQueryResults {
    const NAME: &'static str = "athena_query_results";
    const TITLE: &'static str = "Fetch query results";
    const DESCRIPTION: &'static str = "Answers with the rows of an athena_query that was still running \
when it answered, or with more rows of one that has ended. The state tells whether to call again \
later.";
    type Input = Input;
    type Output = QueryOutput;

    async fn run(context: &ToolContext, input: Input) -> Result<QueryOutput, ToolError> {
        let id = input.execution_id.to_string();
        let execution = context.stack.athena.execution(context.token(), &id).await?;
        output(context, id, execution, input.max_rows.get()).await
    }
}
