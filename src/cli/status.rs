//! `status`: what the environment runs now.

use clap::Args;

use super::{Context, Exit, Failure};
use crate::status::Status;

/// Show the service, its deployments, tasks and targets, and what they run.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  quilt-mcp-deploy status --output json | jq -r .release.digest")]
pub struct StatusArgs {}

impl StatusArgs {
    /// Shows it.
    ///
    /// # Errors
    /// [`Failure`] when the service cannot be described.
    pub async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let (environment, clients) = context.connect().await?;
        let status = Status::read(&clients, &environment).await?;
        context.print(&status)?;
        Ok(Exit::Done)
    }
}
