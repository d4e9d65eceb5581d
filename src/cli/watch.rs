//! `watch`: attaching to a deployment.

use std::fmt;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::verdict::{exit_of, tell};
use super::{Context, Exit, Failure};
use crate::arn::last_part;
use crate::rollout::Verdict;
use crate::rollout::attach::{Attached, watch};

/// Attach to a deployment and watch it to its verdict; nothing is changed.
///
/// Also for deployments that somebody else started, and for ECS's blue/green, linear and
/// canary deployments, whose life-cycle stage is shown.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: as of `rollout`.\n\nExample:\n  quilt-mcp-deploy rollout --env staging --no-wait &&\n    quilt-mcp-deploy watch --env staging"
)]
pub struct WatchArgs {
    /// The deployment's id, as `status` shows it; else the PRIMARY one
    #[arg(long, value_name = "ID")]
    deployment: Option<String>,
    /// How long to wait for a verdict, in seconds; else the environment's timeout_seconds
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    timeout: Option<u64>,
    /// How long success must hold, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    bake: u64,
}

#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct WatchResult {
    version: u32,
    environment: String,
    #[serde(flatten)]
    attached: Attached,
    exit_code: u8,
}

impl WatchArgs {
    /// Watches.
    ///
    /// # Errors
    /// [`Failure`] when there is no such deployment.
    pub async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let (environment, clients) = context.connect().await?;
        let attached = watch(
            &context.engine(&environment, &clients),
            self.deployment.as_deref(),
            Duration::from_secs(self.bake),
            Duration::from_secs(self.timeout.unwrap_or(environment.timeout_seconds)),
        )
        .await?;
        let exit = exit_of(
            context,
            attached.verdict.as_ref(),
            attached.verdict.is_none(),
        );
        let result = WatchResult {
            version: 1,
            environment: environment.name.clone(),
            attached,
            exit_code: exit as u8,
        };
        tell(
            context,
            result.attached.verdict.as_ref(),
            result.attached.diagnosis.as_ref(),
            exit,
            &result.headline(),
        );
        context.print(&result)?;
        Ok(exit)
    }
}

impl WatchResult {
    fn headline(&self) -> String {
        let revision = last_part(&self.attached.revision);
        match &self.attached.verdict {
            None => format!(
                "{revision} was not waited for: ECS goes on with deployment {}",
                self.attached.deployment
            ),
            Some(Verdict::Succeeded) => format!("{revision} is live"),
            Some(verdict) => format!("{revision} {verdict}"),
        }
    }
}

impl fmt::Display for WatchResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.headline())?;
        match &self.attached.diagnosis {
            Some(diagnosis) => write!(f, "\n{diagnosis}"),
            None => Ok(()),
        }
    }
}
