//! The story of a release: [`begin`](super::begin) it, watch it to a verdict, and return to what ran before where that is asked.

use std::time::Duration;

use serde::Serialize;

use super::begin::{Begun, by_ecs, by_stack};
use super::engine::{Engine, RolloutError, Watched};
use super::observe::Followed;
use super::rollback::{Undo, Undone, undo};
use super::{Diagnosis, Plan, Verdict};
use crate::config::DeployThrough;
use crate::release::{ReleaseTags, Revision};
use crate::report::{Event, Release};

/// What to do when a release cannot succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum OnFailure {
    /// Return the service to what ran before.
    Rollback,
    /// Leave it to ECS and to people.
    Leave,
}

/// What to do when the operator interrupts the watching.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum OnInterrupt {
    /// Leave the deployment to ECS; `watch` attaches to it again.
    #[default]
    Detach,
    /// Return the service to what ran before.
    Rollback,
}

/// The image to release.
#[derive(Debug, Clone)]
pub struct ReleaseImage {
    /// `registry/repository@digest`.
    pub reference: String,
    /// The digest.
    pub digest: String,
    /// What the revision's tags say of it.
    pub tags: ReleaseTags,
}

/// How a release is to be done.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// What to do on failure; the service's own circuit breaker decides when absent.
    pub on_failure: Option<OnFailure>,
    /// What to do on Ctrl-C and SIGTERM.
    pub on_interrupt: OnInterrupt,
    /// Whether to watch to the verdict.
    pub wait: bool,
    /// Whether to start a deployment although the service runs the release.
    pub force: bool,
    /// Whether to take the place of another deployment that is under way.
    pub supersede: bool,
    /// How long success must hold.
    pub bake: Duration,
    /// How long to wait for a verdict.
    pub timeout: Duration,
}

/// What became of a release.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct Outcome {
    /// The release revision.
    pub revision: Revision,
    /// Our deployment's id.
    pub deployment: String,
    /// Whether this run started the deployment; false when it was there already.
    pub started: bool,
    /// The stack that releases go through, where they go through one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack: Option<String>,
    /// The verdict; absent when nobody waited for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// Why it failed, where it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diagnosis: Option<Diagnosis>,
    /// Whether the operator interrupted the watching.
    pub interrupted: bool,
}

impl Outcome {
    /// Whether there was nothing to do: the service ran this release, healthy, before we came.
    pub fn is_nothing_to_do(&self) -> bool {
        !self.started && self.verdict == Some(Verdict::Succeeded)
    }

    /// What became of it, once it was taken back, or could not be.
    fn ended_in(&mut self, undone: Undone) {
        if matches!(undone.verdict, Verdict::Failed { .. }) {
            let diagnosis = self.diagnosis.get_or_insert_default();
            diagnosis.stack = undone.stack;
        }
        self.verdict = Some(undone.verdict);
    }
}

/// Releases `image`: begins it, unless the service runs it or it is being deployed, watches to the verdict, and returns to what ran before where that is asked.
///
/// # Errors
/// [`RolloutError`] when the release could not be begun; how it went is in the [`Outcome`].
pub async fn release(
    engine: &Engine<'_>,
    image: &ReleaseImage,
    options: Options,
) -> Result<Outcome, RolloutError> {
    let begun = begin(engine, image, options).await?;
    let on_failure = options.on_failure.unwrap_or(if returns_by_itself(&begun) {
        OnFailure::Rollback
    } else {
        OnFailure::Leave
    });
    let plan = plan_of(engine, image, &begun, options, on_failure);
    announce(engine, &plan, image);
    let mut outcome = Outcome {
        deployment: plan.deployment.clone(),
        started: begun.started,
        stack: engine.environment.deploy_through.stack().map(str::to_owned),
        verdict: None,
        diagnosis: None,
        interrupted: false,
        revision: begun.revision,
    };
    if !options.wait {
        outcome.interrupted = engine.interrupt.is_requested();
        return Ok(outcome);
    }
    let document = Some(&outcome.revision.document);
    let watched = engine
        .watch(
            &plan,
            Followed::Deployment(&begun.deployment),
            &begun.before,
            document,
        )
        .await;
    outcome.interrupted = watched.verdict.is_none();
    let back = reason_to_return(&watched, on_failure, options.on_interrupt);
    let Watched {
        verdict,
        diagnosis,
        service_deployment,
    } = watched;
    outcome.diagnosis = diagnosis;
    outcome.verdict = verdict;
    if let Some(reason) = back {
        let back = Undo {
            plan: &plan,
            deployment: &begun.deployment,
            service_deployment: service_deployment.as_ref(),
            reason,
        };
        if let Some(undone) = undo(engine, &back).await {
            outcome.ended_in(undone);
        }
    }
    Ok(outcome)
}

/// Whether ECS or CloudFormation goes back from a deployment that fails.
fn returns_by_itself(begun: &Begun) -> bool {
    begun.before.rolls_back || begun.stack.is_some()
}

fn plan_of(
    engine: &Engine<'_>,
    image: &ReleaseImage,
    begun: &Begun,
    options: Options,
    on_failure: OnFailure,
) -> Plan {
    Plan {
        deployment: begun.deployment.id.clone(),
        revision: begun.revision.arn.clone(),
        previous_revision: begun.before.last_good_revision().map(str::to_owned),
        container: engine.environment.container.clone(),
        digest: Some(image.digest.clone()),
        bake: if begun.started {
            options.bake
        } else {
            Duration::ZERO
        },
        timeout: options.timeout,
        fail_fast: on_failure == OnFailure::Rollback || !returns_by_itself(begun),
        ecs_rolls_back: begun.before.rolls_back,
        stack: begun.stack.clone(),
    }
}

/// Says what the following events are about.
fn announce(engine: &Engine<'_>, plan: &Plan, image: &ReleaseImage) {
    engine.reporter.event(Event::RolloutStarted(Release {
        environment: engine.environment.name.clone(),
        service: engine.environment.service.clone(),
        deployment: plan.deployment.clone(),
        revision: plan.revision.clone(),
        previous_revision: plan.previous_revision.clone(),
        image: Some(image.reference.clone()),
        commit: image.tags.commit.clone(),
    }));
}

/// Begins it in the environment's way.
async fn begin(
    engine: &Engine<'_>,
    image: &ReleaseImage,
    options: Options,
) -> Result<Begun, RolloutError> {
    match &engine.environment.deploy_through {
        DeployThrough::Ecs => by_ecs::begin(engine, image, options).await,
        DeployThrough::CloudFormation { stack } => {
            let wanted = by_stack::WantedImage {
                image: &image.reference,
                tags: &image.tags,
                force: options.force,
                supersede: options.supersede,
                on_interrupt: options.on_interrupt,
                timeout: options.timeout,
            };
            by_stack::begin(engine, stack, &wanted).await
        }
    }
}

/// Why the service should return to what ran before, if it should.
fn reason_to_return(
    watched: &Watched,
    on_failure: OnFailure,
    on_interrupt: OnInterrupt,
) -> Option<String> {
    match &watched.verdict {
        Some(Verdict::Failed { evidence })
            if on_failure == OnFailure::Rollback && evidence.can_be_undone() =>
        {
            Some(evidence.to_string())
        }
        None if on_interrupt == OnInterrupt::Rollback => {
            Some("the operator interrupted it".to_owned())
        }
        _ => None,
    }
}
