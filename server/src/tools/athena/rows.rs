use rmcp::schemars;
use schemars::JsonSchema;
use serde::Serialize;

use crate::aws::{Execution, ExecutionState};
use crate::tools::context::ToolContext;
use crate::tools::error::ToolError;

/// The most rows that Athena gives at a time.
const PAGE: i64 = 1000;

/// What a query has come to so far.
#[derive(Serialize, JsonSchema)]
pub(in crate::tools) struct QueryOutput {
    /// The execution's id, for athena_query_results.
    execution_id: String,
    /// SUCCEEDED with rows; QUEUED or RUNNING when athena_query_results should be called later.
    state: String,
    /// The columns of the result.
    columns: Vec<Column>,
    /// The rows: texts, or null.
    rows: Vec<Vec<Option<String>>>,
    /// Whether there are more rows than max_rows; add a LIMIT or an aggregate, or raise max_rows.
    truncated: bool,
    /// How many bytes the query has read, which is what AWS bills.
    bytes_scanned: Option<i64>,
    /// How long it took, in milliseconds.
    milliseconds: Option<i64>,
}

#[derive(Serialize, JsonSchema)]
struct Column {
    /// The column's name.
    name: String,
    /// Its SQL type.
    kind: String,
}

/// The rows of an execution that has succeeded, or how far it is.
pub(super) async fn output(
    context: &ToolContext,
    execution_id: String,
    execution: Execution,
    max_rows: i64,
) -> Result<QueryOutput, ToolError> {
    let mut output = QueryOutput {
        execution_id,
        state: String::new(),
        columns: Vec::new(),
        rows: Vec::new(),
        truncated: false,
        bytes_scanned: execution.statistics.data_scanned_in_bytes,
        milliseconds: execution.statistics.total_execution_time_in_millis,
    };
    let reason = execution.status.state_change_reason;
    let reason = reason.unwrap_or_else(|| "no reason is given".to_owned());
    output.state = match execution.status.state {
        ExecutionState::Queued => "QUEUED",
        ExecutionState::Running => "RUNNING",
        ExecutionState::Succeeded => "SUCCEEDED",
        ExecutionState::Failed => {
            return Err(ToolError::AwsFailed(format!("the query failed: {reason}")));
        }
        ExecutionState::Cancelled => {
            return Err(ToolError::AwsFailed(format!(
                "the query was stopped: {reason}"
            )));
        }
    }
    .to_owned();
    if execution.status.state == ExecutionState::Succeeded {
        output.fetch(context, max_rows).await?;
    }
    Ok(output)
}

impl QueryOutput {
    /// One row more than asked for shows whether there are more.
    async fn fetch(&mut self, context: &ToolContext, max_rows: i64) -> Result<(), ToolError> {
        let wanted = usize::try_from(max_rows).unwrap_or(usize::MAX);
        let mut next_token = None;
        loop {
            let page = context
                .stack
                .athena
                .results(
                    context.token(),
                    &self.execution_id,
                    PAGE.min(max_rows + 2),
                    next_token.as_deref(),
                )
                .await?;
            let is_first = self.columns.is_empty();
            let mut rows = page.rows.into_iter().peekable();
            if is_first {
                self.columns = page
                    .columns
                    .into_iter()
                    .map(|(name, kind)| Column { name, kind })
                    .collect();
                // Queries repeat the column names as their first row; SHOW and DESCRIBE do not.
                let names = self.columns.iter().map(|column| Some(&column.name));
                if rows
                    .peek()
                    .is_some_and(|row| row.iter().map(Option::as_ref).eq(names))
                {
                    rows.next();
                }
            }
            self.rows.extend(rows);
            next_token = page.next_token;
            if self.rows.len() > wanted || next_token.is_none() {
                break;
            }
        }
        self.truncated = self.rows.len() > wanted || next_token.is_some();
        self.rows.truncate(wanted);
        Ok(())
    }
}
