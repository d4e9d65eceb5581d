//! `status`: what the environment runs now.

use std::time::Duration;

use clap::Args;

use super::{Context, Exit, Failure};
use crate::report::{Output, Reporter};
use crate::status::Status;

/// Show the service, its deployments, tasks and targets, and what they run.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  quilt-mcp-deploy status --env staging\n  quilt-mcp-deploy status --output json | jq -r .release.digest\n  quilt-mcp-deploy status --env staging --watch"
)]
pub struct StatusArgs {
    /// Go on looking, and show what changed, until Ctrl-C
    ///
    /// On a terminal each look takes the place of the one before; else what changed is printed
    /// again. `--output ndjson` gives every look, as an event `snapshot`.
    #[arg(long)]
    watch: bool,
    /// Seconds between two looks
    #[arg(long, value_name = "SECONDS", requires = "watch", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    every: u64,
}

impl StatusArgs {
    /// Shows it.
    ///
    /// # Errors
    /// [`Failure`] when the service cannot be described.
    pub async fn run(self, context: &Context) -> Result<Exit, Failure> {
        if !self.watch {
            let (environment, clients) = context.connect().await?;
            let status = Status::read(&clients, &environment).await?;
            context.print(&status)?;
            return Ok(Exit::Done);
        }
        if context.output() == Output::Json {
            return Err(Failure::new(
                Exit::Usage,
                "--watch has no end, and --output json is one object",
            )
            .hint("use --output ndjson: a line for every look"));
        }
        // A signal is how watching is ended: nothing to explain.
        let _shield = context.interrupt.shield();
        tokio::select! {
            result = self.watch(context) => result,
            () = context.interrupt.requested() => {
                Ok(context.interrupt.signal().map_or(Exit::Interrupted, Exit::from))
            }
        }
    }

    /// Looks again and again. What fails once it has worked is told, and tried again, as long as
    /// the credentials are good.
    async fn watch(&self, context: &Context) -> Result<Exit, Failure> {
        let (environment, clients) = context.connect().await?;
        context.redraw(&Status::read(&clients, &environment).await?)?;
        let mut troubled = false;
        loop {
            tokio::time::sleep(Duration::from_secs(self.every)).await;
            match Status::read(&clients, &environment)
                .await
                .map_err(Failure::from)
            {
                Ok(status) => {
                    troubled = false;
                    context.redraw(&status)?;
                }
                Err(failure) if failure.exit == Exit::Credentials => return Err(failure),
                Err(failure) => {
                    if !troubled {
                        context
                            .reporter
                            .warn(format!("{}; looking again", failure.message()));
                    }
                    troubled = true;
                }
            }
        }
    }
}
