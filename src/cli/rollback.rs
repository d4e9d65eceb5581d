//! `rollback`: returning to what ran before.

use std::fmt;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::verdict::{exit_of, tell};
use super::{Context, Exit, Failure};
use crate::arn::last_part;
use crate::history::{PastRelease, PastVerdict, releases};
use crate::report::Reporter;
use crate::rollout::Engine;
use crate::rollout::observation::ServiceDeploymentStatus;
use crate::rollout::preflight::Snapshot;
use crate::rollout::returning::Return;
use crate::rollout::rollback::{
    RollbackOptions, RollbackOutcome, in_flight, join_return, named_revision, roll_back_in_flight,
    roll_back_to, roll_back_update,
};

/// Return the service to what ran before, at once if a deployment is under way.
///
/// A deployment under way is stopped, and ECS itself returns to the service revision before
/// it. Where ECS goes back by itself, that is waited for; where it did, there is nothing left to
/// do, and --to goes further back. Else the last revision whose deployment succeeded, before the one that runs, is
/// deployed again: not simply the number before. So a second rollback goes forth again to the release that
/// the first one left, if that had succeeded. No revision is registered or deregistered.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 the service runs the earlier revision, 7 it does not, 9 superseded, 10 not known.\n\nExamples:\n  quilt-mcp-deploy rollback --env staging\n  quilt-mcp-deploy rollback --env staging --to acme-mcp:41"
)]
pub struct RollbackArgs {
    /// The revision to return to, as NUMBER, FAMILY:NUMBER or ARN; else the last one that succeeded
    #[arg(long, value_name = "REVISION")]
    to: Option<String>,
    /// Begin and end without a verdict
    #[arg(long)]
    no_wait: bool,
    /// How long to wait for a verdict, in seconds; else the environment's timeout_seconds
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    timeout: Option<u64>,
    /// How long success must hold, in seconds; else the environment's bake_seconds
    #[arg(long, value_name = "SECONDS")]
    bake: Option<u64>,
}

#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct RollbackResult {
    version: u32,
    environment: String,
    #[serde(flatten)]
    outcome: RollbackOutcome,
    exit_code: u8,
    #[serde(skip)]
    waited: bool,
}

impl RollbackArgs {
    /// Returns.
    ///
    /// # Errors
    /// [`Failure`] when it could not be begun.
    pub async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let _lock = context.state.lock(&context.environment_name())?;
        let (environment, clients) = context.connect().await?;
        let engine = context.engine(&environment, &clients);
        let options = RollbackOptions {
            wait: !self.no_wait,
            bake: Duration::from_secs(self.bake.unwrap_or(environment.bake_seconds)),
            timeout: Duration::from_secs(self.timeout.unwrap_or(environment.timeout_seconds)),
        };
        let before = Snapshot::take(&clients, &environment)
            .await
            .map_err(Failure::from)?;
        let outcome = match &self.to {
            Some(to) => {
                let to = named_revision(&engine, &before, to).await?;
                roll_back_to(&engine, &before, to, &options).await?
            }
            None => roll_back(&engine, &before, &options).await?,
        };
        let interrupted = options.wait && outcome.verdict.is_none();
        let exit = match exit_of(context, outcome.verdict.as_ref(), interrupted) {
            Exit::RolledBack if outcome.done => Exit::Done,
            // ECS may have returned from the return: what was asked for does not run.
            Exit::RolledBack => Exit::RolloutFailed,
            exit => exit,
        };
        let result = RollbackResult {
            version: 1,
            environment: environment.name.clone(),
            outcome,
            exit_code: exit as u8,
            waited: options.wait,
        };
        tell(
            context,
            result.outcome.verdict.as_ref(),
            result.outcome.diagnosis.as_ref(),
            exit,
            &result.headline(),
        );
        context.print(&result)?;
        if let Some(note) = result.way_forward() {
            context.reporter.note(note);
        }
        Ok(exit)
    }
}

async fn roll_back(
    engine: &Engine<'_>,
    before: &Snapshot,
    options: &RollbackOptions,
) -> Result<RollbackOutcome, Failure> {
    let stack = engine.environment.deploy_through.stack();
    if let Some(stack) = stack
        && let Some(outcome) = roll_back_update(engine, stack, before, options).await?
    {
        return Ok(outcome);
    }
    if let Some(returning) = Return::find(engine).await?
        && returning.status != ServiceDeploymentStatus::RollbackFailed
    {
        return Ok(join_return(engine, before, &returning, options).await);
    }
    if let Some(deployment) = in_flight(before) {
        return Ok(roll_back_in_flight(engine, before, deployment, options).await?);
    }
    let to = last_succeeded(engine, before).await?;
    let to = named_revision(engine, before, &to).await?;
    Ok(roll_back_to(engine, before, to, options).await?)
}

/// The last revision whose deployment succeeded, other than the one that the service names.
/// A template is none: its deployment was of no tasks. Nor is, through a stack, a revision of the
/// image that runs: CloudFormation registers one for each change of the stack.
async fn last_succeeded(engine: &Engine<'_>, before: &Snapshot) -> Result<String, Failure> {
    const DEPLOYMENTS: usize = 100;
    let environment = engine.environment;
    let history = releases(engine.clients, environment, DEPLOYMENTS).await?;
    let degraded = history.degraded;
    let through_stack = environment.deploy_through.stack().is_some();
    let current = history.releases.iter().find(|release| release.current);
    let running = current.and_then(|release| release.digest.clone());
    let is_other = |release: &PastRelease| match through_stack {
        true => release.digest.is_some() && release.digest != running,
        false => true,
    };
    history
        .releases
        .into_iter()
        .find(|release| {
            release.verdict == PastVerdict::Succeeded
                && !release.template
                && release.revision != before.task_definition
                && is_other(release)
        })
        .map(|release| release.revision)
        .ok_or_else(|| {
            let why = degraded.map_or_else(String::new, |why| format!(" ({why})"));
            Failure::new(
                Exit::Preflight,
                format!(
                    "no earlier revision of service {} is known whose deployment succeeded{why}",
                    environment.service
                ),
            )
            .hint("name one with --to; `quilt-mcp-deploy history` lists the releases")
        })
}

impl RollbackResult {
    fn is_nothing_to_do(&self) -> bool {
        self.outcome.done && self.outcome.to.as_ref() == Some(&self.outcome.from)
    }

    /// What a second rollback would do, which is not what everybody expects.
    fn way_forward(&self) -> Option<String> {
        let returned = self.outcome.done && !self.is_nothing_to_do();
        returned.then(|| {
            format!(
                "`rollback` again would not go further back, but forth to {} if that had succeeded; --to goes to any revision",
                last_part(&self.outcome.from)
            )
        })
    }

    fn headline(&self) -> String {
        let from = last_part(&self.outcome.from);
        let to = self
            .outcome
            .to
            .as_deref()
            .map_or("what ran before", last_part);
        match &self.outcome.verdict {
            _ if self.outcome.done && self.outcome.image_of.is_some() => {
                let earlier = self.outcome.image_of.as_deref().map_or("", last_part);
                format!("the service runs the image of {earlier} again, as {to}, instead of {from}")
            }
            _ if self.is_nothing_to_do() => {
                format!("nothing to do: the service runs {to} already")
            }
            _ if self.outcome.done => format!("the service runs {to} again, instead of {from}"),
            Some(verdict) => format!("the return from {from} to {to} {verdict}"),
            None if self.waited => format!(
                "the return from {from} to {to} was not waited for: ECS goes on with it; `quilt-mcp-deploy watch --env {}` attaches to it",
                self.environment
            ),
            None => {
                format!("the return from {from} to {to} was started; nobody waited for a verdict")
            }
        }
    }
}

impl fmt::Display for RollbackResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.headline())?;
        match &self.outcome.diagnosis {
            Some(diagnosis) => write!(f, "\n{diagnosis}"),
            None => Ok(()),
        }
    }
}
