use std::time::Duration;

use rmcp::schemars;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::Instant;

use super::rows::{QueryOutput, output};
use super::{guard, work_group};
use crate::auth::BearerToken;
use crate::aws::{Athena, ExecutionState, QueryContext};
use crate::tools::context::ToolContext;
use crate::tools::error::ToolError;
use crate::tools::input::{AthenaName, Text, UpTo};
use crate::tools::tool::Tool;

/// How long a query is waited for; then its id is the answer.
const PATIENCE: Duration = Duration::from_secs(90);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// One SQL statement that reads.
pub(in crate::tools) struct AthenaQuery;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct Input {
    /// One statement of Athena's SQL: SELECT, WITH, VALUES, SHOW, DESCRIBE or EXPLAIN.
    sql: Text<100_000>,
    /// The database that unqualified names are in.
    database: Option<AthenaName>,
    /// The data catalog; AwsDataCatalog when absent. For Tabulator tables, the one that quilt-platform://athena names.
    catalog: Option<AthenaName>,
    /// The work group; the stack's when absent.
    work_group: Option<AthenaName>,
    /// How many rows to answer with, at most.
    #[serde(default = "usual_rows")]
    max_rows: UpTo<5000>,
}

const fn usual_rows() -> UpTo<5000> {
    UpTo::new(100)
}

impl Tool for AthenaQuery {
    const NAME: &'static str = "athena_query";
    const TITLE: &'static str = "Query with SQL";
    const DESCRIPTION: &'static str = "Runs one SQL statement that reads on Amazon Athena, as your \
role may, and answers with its rows. Read quilt-platform://athena first: it names databases and \
catalogs. Queries are billed by the bytes they read: select columns, filter by partition, and use \
LIMIT. A query that takes longer than 90 s answers with its execution_id; call \
athena_query_results with it later.";
    const DEADLINE: Duration = Duration::from_secs(110);
    type Input = Input;
    type Output = QueryOutput;

    async fn run(context: &ToolContext, input: Input) -> Result<QueryOutput, ToolError> {
        let sql = input.sql.into_string();
        guard::check(&sql).map_err(|why| ToolError::InvalidInput(format!("sql: {why}")))?;
        let group = match input.work_group {
            Some(named) => named.to_string(),
            None => work_group(context).await?,
        };
        let place = QueryContext {
            catalog: input.catalog.map(|name| name.to_string()),
            database: input.database.map(|name| name.to_string()),
        };
        let athena = &context.stack.athena;
        let id = athena.start(context.token(), &sql, &group, &place).await?;
        let running = Running {
            athena: athena.clone(),
            token: context.token().clone(),
            id: Some(id.clone()),
        };
        let give_up = Instant::now() + PATIENCE;
        let mut pause = FIRST_PAUSE;
        let execution = loop {
            let execution = athena.execution(context.token(), &id).await?;
            let is_over = !matches!(
                execution.status.state,
                ExecutionState::Queued | ExecutionState::Running
            );
            if is_over || Instant::now() + pause > give_up {
                break execution;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        };
        running.leave();
        output(context, id, execution, input.max_rows.get()).await
    }
}

/// A query that nobody waits for any more is stopped: it costs money.
struct Running {
    athena: Athena,
    token: BearerToken,
    id: Option<String>,
}

impl Running {
    /// Lets it go on.
    fn leave(mut self) {
        self.id = None;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(id) = self.id.take() else { return };
        let (athena, token) = (self.athena.clone(), self.token.clone());
        tokio::spawn(async move {
            if let Err(error) = athena.stop(&token, &id).await {
                tracing::warn!(%error, execution = id, "a query could not be stopped");
            }
        });
    }
}
