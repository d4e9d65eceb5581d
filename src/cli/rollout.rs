//! `rollout`: the service on a published image, watched to a verdict.

use std::fmt;
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;

use super::release_image::ImageChoice;
use super::{Context, Exit, Failure};
use crate::arn::last_part;
use crate::aws::Clients;
use crate::config::Environment;
use crate::report::{Event, Reporter, Stage};
use crate::rollout::{Diagnosis, OnFailure, Options, Outcome, ReleaseImage, Rollout, Verdict};

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
    /// How long to wait for a verdict, in seconds; else the environment's timeout_seconds
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub timeout: Option<u64>,
    /// How long success must hold, in seconds; else the environment's bake_seconds
    #[arg(long, value_name = "SECONDS")]
    pub bake: Option<u64>,
}

/// The result of a rollout.
#[derive(Debug, Serialize)]
pub struct RolloutResult {
    version: u32,
    environment: String,
    image: String,
    commit: Option<String>,
    #[serde(flatten)]
    outcome: Outcome,
    nothing_to_do: bool,
    exit_code: u8,
}

impl RolloutArgs {
    /// Rolls out.
    ///
    /// # Errors
    /// [`Failure`] when it could not begin, or when the smoke test failed.
    pub async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let _lock = context.state.lock(&context.environment_name())?;
        let (environment, clients) = context.connect().await?;
        let image = self.image.find(&environment, &clients).await?;
        let (result, _) = rollout(context, &environment, &clients, &image, &self.how).await?;
        context.print(&result)?;
        if result.exit() == Exit::Done && result.outcome.verdict.is_some() {
            super::smoke::smoke_stage(context, &environment).await?;
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
    let rollout = Rollout {
        clients,
        environment,
        reporter: &context.reporter,
        options: Options {
            on_failure: how.on_failure,
            wait: !how.no_wait,
            bake: Duration::from_secs(how.bake.unwrap_or(environment.bake_seconds)),
            timeout: Duration::from_secs(how.timeout.unwrap_or(environment.timeout_seconds)),
        },
    };
    let outcome = rollout.run(image).await?;
    let elapsed = began.elapsed();
    let result = RolloutResult {
        version: 1,
        environment: environment.name.clone(),
        image: image.reference.clone(),
        commit: image.tags.commit.clone(),
        nothing_to_do: outcome.is_nothing_to_do(),
        exit_code: exit_of(&outcome) as u8,
        outcome,
    };
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

fn exit_of(outcome: &Outcome) -> Exit {
    match &outcome.verdict {
        None | Some(Verdict::Succeeded) => Exit::Done,
        Some(Verdict::Failed { .. }) => Exit::RolloutFailed,
        Some(Verdict::RolledBack { .. }) => Exit::RolledBack,
        Some(Verdict::Superseded { .. }) => Exit::Superseded,
        Some(Verdict::Unknown { .. }) => Exit::Unknown,
    }
}

impl RolloutResult {
    /// The commit that the image was built from, where known.
    pub fn commit(&self) -> Option<&str> {
        self.commit.as_deref()
    }

    /// The exit code.
    pub fn exit(&self) -> Exit {
        exit_of(&self.outcome)
    }

    fn headline(&self) -> String {
        let revision = last_part(&self.outcome.revision.arn);
        match &self.outcome.verdict {
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
            Some(diagnosis) => write!(f, "\n{diagnosis}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for group in &self.stopped {
            writeln!(f, "{} task(s) stopped: {}", group.count, group.stop_code)?;
            writeln!(f, "  reason     {}", group.reason)?;
            if let Some(reason) = &group.container_reason {
                writeln!(f, "  container  {reason}")?;
            }
            if let Some(code) = group.exit_code {
                writeln!(f, "  exit code  {code}")?;
            }
            if let Some(hint) = &group.hint {
                writeln!(f, "  hint       {hint}")?;
            }
            for (index, line) in group.log.iter().enumerate() {
                writeln!(
                    f,
                    "  {:<10} {line}",
                    if index == 0 { "last log" } else { "" }
                )?;
            }
        }
        for target in &self.targets {
            writeln!(f, "target {target}")?;
        }
        if !self.events.is_empty() {
            writeln!(f, "events of the service")?;
        }
        for event in &self.events {
            writeln!(f, "  {event}")?;
        }
        Ok(())
    }
}
