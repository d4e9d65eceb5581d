//! `history`: the releases of the service.

use std::fmt;

use clap::Args;
use serde::Serialize;

use super::{Context, Exit, Failure};
use crate::history::{Releases, releases};
use crate::report::Reporter;

/// Show the releases of the service, newest first: what, who, when, and what became of it.
///
/// ECS remembers deployments for 90 days. Times are in UTC; `*` marks what the service runs.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  quilt-mcp-deploy history --limit 5 --output json | jq '.releases[0].verdict'"
)]
pub struct HistoryArgs {
    /// How many releases to show
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    limit: u16,
}

#[derive(Serialize, schemars::JsonSchema)]
pub(super) struct HistoryResult {
    version: u32,
    environment: String,
    service: String,
    #[serde(flatten)]
    history: Releases,
}

impl HistoryArgs {
    /// Shows them.
    ///
    /// # Errors
    /// [`Failure`] when neither ECS's record of deployments nor the service can be read.
    pub async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let (environment, clients) = context.connect().await?;
        let history = releases(&clients, &environment, usize::from(self.limit)).await?;
        if let Some(why) = &history.degraded {
            context.reporter.warn(format!(
                "verdicts are known only of deployments that the service still shows: {why}"
            ));
        }
        context.print(&HistoryResult {
            version: 1,
            environment: environment.name,
            service: environment.service,
            history,
        })?;
        Ok(Exit::Done)
    }
}

impl fmt::Display for HistoryResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.history.fmt(f)
    }
}
