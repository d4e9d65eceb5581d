//! `rollout`: the service on a published image, watched to a verdict.

use std::fmt;
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;

use super::release_image::ImageChoice;
use super::verdict::{exit_of, tell};
use super::{Context, Exit, Failure};
use crate::arn::last_part;
use crate::aws::Clients;
use crate::config::Environment;
use crate::report::table::width_of;
use crate::report::{Event, Reporter, Stage};
use crate::rollout::{OnFailure, OnInterrupt, Options, Outcome, ReleaseImage, Verdict, release};

/// Move the service to a published image and watch it to a verdict.
///
/// Without --digest, --tag or --image, the image is the one that this checkout published.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 live, 7 failed, 8 rolled back, 9 superseded, 10 not known, 11 another \
deployment in flight, 12 smoke test failed.\n\nExample:\n  quilt-mcp-deploy rollout --env staging --on-failure leave"
)]
pub struct RolloutArgs {
    #[command(flatten)]
    image: ImageChoice,
    #[command(flatten)]
    how: How,
}

/// How a rollout is to be done.
#[derive(Debug, Clone, Args)]
pub struct How {
    /// Update the service and end without a verdict
    #[arg(long)]
    pub no_wait: bool,
    /// What to do when the release cannot succeed; else what the service's circuit breaker says
    #[arg(long, value_enum, value_name = "WHAT")]
    pub on_failure: Option<OnFailure>,
    /// What to do on Ctrl-C and SIGTERM: leave the deployment to ECS, or return to what ran before
    #[arg(long, value_enum, value_name = "WHAT", default_value = "detach")]
    pub on_interrupt: OnInterrupt,
    /// Start a deployment although the service runs this very release
    #[arg(long)]
    pub force: bool,
    /// Take the place of another deployment that is under way
    #[arg(long)]
    pub supersede: bool,
    /// How long to wait for a verdict, in seconds; else the environment's timeout_seconds
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub timeout: Option<u64>,
    /// How long success must hold, in seconds; else the environment's bake_seconds
    #[arg(long, value_name = "SECONDS")]
    pub bake: Option<u64>,
}

/// The result of a rollout.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct RolloutResult {
    version: u32,
    environment: String,
    image: String,
    commit: Option<String>,
    #[serde(flatten)]
    outcome: Outcome,
    nothing_to_do: bool,
    exit_code: u8,
    #[serde(skip)]
    exit: Exit,
}

impl RolloutArgs {
    /// Rolls out.
    ///
    /// # Errors
    /// [`Failure`] when it could not begin, or when the smoke test failed.
    pub async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let _lock = context.state.lock(&context.environment_name())?;
        let (environment, clients) = context.connect().await?;
        let image = self.image.find(context, &environment, &clients).await?;
        let (result, _) = rollout(context, &environment, &clients, &image, &self.how).await?;
        context.print(&result)?;
        if result.exit() == Exit::Done && result.outcome.verdict.is_some() {
            super::smoke::smoke_stage(context, &environment, result.commit()).await?;
        }
        Ok(result.exit())
    }
}

/// Rolls `image` out, showing how it goes.
pub async fn rollout(
    context: &Context,
    environment: &Environment,
    clients: &Clients,
    image: &ReleaseImage,
    how: &How,
) -> Result<(RolloutResult, Duration), Failure> {
    let began = Instant::now();
    context.reporter.event(Event::StageStarted {
        stage: Stage::Rollout,
    });
    let options = Options {
        on_failure: how.on_failure,
        on_interrupt: how.on_interrupt,
        wait: !how.no_wait,
        force: how.force,
        supersede: how.supersede,
        bake: Duration::from_secs(how.bake.unwrap_or(environment.bake_seconds)),
        timeout: Duration::from_secs(how.timeout.unwrap_or(environment.timeout_seconds)),
    };
    let outcome = release(&context.engine(environment, clients), image, options).await?;
    let elapsed = began.elapsed();
    let exit = exit_of(context, outcome.verdict.as_ref(), outcome.interrupted);
    let result = RolloutResult {
        version: 1,
        environment: environment.name.clone(),
        image: image.reference.clone(),
        commit: image.tags.commit.clone(),
        nothing_to_do: outcome.is_nothing_to_do(),
        exit,
        exit_code: exit as u8,
        outcome,
    };
    tell(
        context,
        result.outcome.verdict.as_ref(),
        result.outcome.diagnosis.as_ref(),
        exit,
        &result.headline(),
    );
    if result.exit() == Exit::Done {
        let message = result.headline();
        context.reporter.event(Event::StageFinished {
            stage: Stage::Rollout,
            elapsed,
            outcome: message,
        });
    }
    Ok((result, elapsed))
}

impl RolloutResult {
    /// The commit that the image was built from, where known.
    pub fn commit(&self) -> Option<&str> {
        self.commit.as_deref()
    }

    /// The exit code.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    fn headline(&self) -> String {
        let revision = last_part(&self.outcome.revision.arn);
        match &self.outcome.verdict {
            None if self.outcome.interrupted => format!(
                "{revision} was not waited for: ECS goes on with deployment {}; `quilt-mcp-deploy watch --env {env}` attaches to it, `quilt-mcp-deploy rollback --env {env}` undoes it",
                self.outcome.deployment,
                env = self.environment
            ),
            None if !self.outcome.started => format!(
                "{revision} is what deployment {} runs already; nobody waited for a verdict",
                self.outcome.deployment
            ),
            None => format!(
                "{revision} started as deployment {}; nobody waited for a verdict",
                self.outcome.deployment
            ),
            Some(Verdict::Succeeded) if self.nothing_to_do => {
                format!("nothing to do: {revision} is live")
            }
            Some(Verdict::Succeeded) => format!("{revision} is live"),
            Some(verdict) => format!("{revision} {verdict}"),
        }
    }
}

impl fmt::Display for RolloutResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.headline())?;
        match &self.outcome.diagnosis {
            Some(diagnosis) => {
                write!(f, "\n{diagnosis:width$}", width = usize::from(width_of(f)))
            }
            None => Ok(()),
        }
    }
}
