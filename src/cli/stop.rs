//! `stop`: stopping the deployment under way.

use std::fmt;

use clap::Args;
use serde::Serialize;

use super::{Context, Exit, Failure};
use crate::arn::last_part;
use crate::rollout::attach::{Stopped, stop};

/// Stop the deployment under way and leave the service as it is.
///
/// Tasks of both revisions may go on running until the next deployment. `rollback` stops the
/// deployment too, and returns the service to what ran before.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  quilt-mcp-deploy stop --env staging")]
pub struct StopArgs {}

#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct StopResult {
    version: u32,
    environment: String,
    #[serde(flatten)]
    stopped: Stopped,
}

impl StopArgs {
    /// Stops it.
    ///
    /// # Errors
    /// [`Failure`] when none is under way, or ECS refuses.
    pub async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let (environment, clients) = context.connect().await?;
        let stopped = stop(&context.engine(&environment, &clients)).await?;
        context.print(&StopResult {
            version: 1,
            environment: environment.name,
            stopped,
        })?;
        Ok(Exit::Done)
    }
}

impl fmt::Display for StopResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "deployment {} of {} is being stopped; `quilt-mcp-deploy status --env {}` shows what runs",
            self.stopped.deployment,
            last_part(&self.stopped.revision),
            self.environment
        )
    }
}
