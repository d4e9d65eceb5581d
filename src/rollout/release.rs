//! The story of a release: register the revision, update the service once, watch it to a
//! verdict, and return to what ran before where that is asked.

use std::time::Duration;

use serde::Serialize;

use super::engine::{Engine, RolloutError, Update, Watched};
use super::observation::{Deployment, RolloutState};
use super::observe::Followed;
use super::preflight::Snapshot;
use super::{Diagnosis, Plan, Verdict};
use crate::release::{ReleaseTags, Revision, Wanted, newest_template, take_or_register};
use crate::report::Event;

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
}

/// Releases `image`: registers the revision if it differs, updates the service if it
/// differs, watches to the verdict, and returns to what ran before where that is asked.
///
/// # Errors
/// [`RolloutError`] when the release could not be begun; how it went is in the [`Outcome`].
pub async fn release(
    engine: &Engine<'_>,
    image: &ReleaseImage,
    options: Options,
) -> Result<Outcome, RolloutError> {
    let first_look = Snapshot::take(engine.clients, engine.environment).await?;
    let revision = release_revision(engine, image, &first_look, options).await?;
    // From here on a signal is ours to answer: ECS may have been told of a deployment.
    let _shield = engine.interrupt.shield();
    let before = Snapshot::take(engine.clients, engine.environment).await?;
    refuse_in_flight(engine, &before, &revision.arn, options)?;
    let (deployment, started) = match running_deployment(&before, &revision.arn) {
        Some(deployment) if !options.force => (deployment, false),
        _ => {
            let first_release = before.service.desired == 0;
            let update = Update {
                revision: &revision.arn,
                desired_count: first_release.then_some(engine.environment.desired_count),
            };
            (engine.update(update, &before).await?, true)
        }
    };
    let on_failure = options.on_failure.unwrap_or(if before.rolls_back {
        OnFailure::Rollback
    } else {
        OnFailure::Leave
    });
    let plan = Plan {
        deployment: deployment.id.clone(),
        revision: revision.arn.clone(),
        previous_revision: before.last_good_revision().map(str::to_owned),
        container: engine.environment.container.clone(),
        digest: Some(image.digest.clone()),
        bake: if started {
            options.bake
        } else {
            Duration::ZERO
        },
        timeout: options.timeout,
        fail_fast: on_failure == OnFailure::Rollback || !before.rolls_back,
        ecs_rolls_back: before.rolls_back,
    };
    announce(engine, &plan, image);
    let mut outcome = Outcome {
        deployment: deployment.id.clone(),
        started,
        verdict: None,
        diagnosis: None,
        interrupted: false,
        revision,
    };
    if !options.wait {
        outcome.interrupted = engine.interrupt.is_requested();
        return Ok(outcome);
    }
    let document = Some(&outcome.revision.document);
    let watched = engine
        .watch(&plan, Followed::Deployment(&deployment), &before, document)
        .await;
    outcome.interrupted = watched.verdict.is_none();
    let back = reason_to_return(&watched, on_failure, options.on_interrupt);
    let Watched {
        verdict,
        diagnosis,
        service_deployment,
    } = watched;
    outcome.diagnosis = diagnosis;
    outcome.verdict = match back {
        Some(reason) => {
            let back = super::rollback::Undo {
                plan: &plan,
                deployment: &deployment,
                service_deployment: service_deployment.as_ref(),
                reason,
            };
            super::rollback::undo(engine, &back).await.or(verdict)
        }
        None => verdict,
    };
    Ok(outcome)
}

/// Says what the following events are about.
fn announce(engine: &Engine<'_>, plan: &Plan, image: &ReleaseImage) {
    engine.reporter.event(Event::RolloutStarted {
        environment: engine.environment.name.clone(),
        service: engine.environment.service.clone(),
        deployment: plan.deployment.clone(),
        revision: plan.revision.clone(),
        previous_revision: plan.previous_revision.clone(),
        image: Some(image.reference.clone()),
        commit: image.tags.commit.clone(),
    });
}

/// The revision to release; nothing is registered while another deployment is under way.
async fn release_revision(
    engine: &Engine<'_>,
    image: &ReleaseImage,
    before: &Snapshot,
    options: Options,
) -> Result<Revision, RolloutError> {
    let template = newest_template(engine.clients, &before.task_definition).await?;
    if !template.tagged {
        engine.warn(format!(
            "no revision of the family is tagged ManagedBy=terraform; the release is based on {}, which the service runs",
            template.described.document.arn()
        ));
    }
    let wanted = Wanted::new(
        &template,
        &engine.environment.container,
        &image.reference,
        &image.tags,
        &engine.environment.tags,
    )?;
    let found = wanted.find(engine.clients, &template).await?;
    let ours = found.as_ref().map(|found| found.document.arn());
    refuse_in_flight(engine, before, ours.unwrap_or_default(), options)?;
    Ok(take_or_register(engine.clients, &template, &wanted, found).await?)
}

fn refuse_in_flight(
    engine: &Engine<'_>,
    before: &Snapshot,
    ours: &str,
    options: Options,
) -> Result<(), RolloutError> {
    match before.refuse_in_flight(ours) {
        Err(other) if options.supersede => {
            engine.warn(format!("{other}; taking its place"));
            Ok(())
        }
        answer => Ok(answer?),
    }
}

/// The PRIMARY deployment, when it runs `revision` and has not failed.
fn running_deployment(before: &Snapshot, revision: &str) -> Option<Deployment> {
    let primary = before.service.primary()?;
    (primary.task_definition == revision
        && primary.rollout != RolloutState::Failed
        && before.service.desired > 0)
        .then(|| primary.clone())
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
