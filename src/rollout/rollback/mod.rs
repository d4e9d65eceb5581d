//! The story of a rollback: of a deployment under way through StopServiceDeployment, else
//! by a deployment of an earlier revision; or of the stack, where releases go through one.

mod through_stack;

use std::time::Duration;

use serde::Serialize;

pub use self::through_stack::roll_back_update;
use super::begin::StackUpdate;
use super::engine::{Engine, RolloutError, Stop, Update};
use super::observation::{Deployment, RolloutState, ServiceDeployment, ServiceDeploymentStatus};
use super::observe::Followed;
use super::preflight::Snapshot;
use super::returning::Return;
use super::{Diagnosis, Evidence, Plan, Verdict};
use crate::arn::last_part;
use crate::aws::AwsErrorKind;
use crate::interrupt::Interrupt;
use crate::release::{Described, Document, ReleaseError, describe, family_of};
use crate::report::Event;
use crate::stack::StackFailure;

/// A deployment to undo.
pub(super) struct Undo<'a> {
    /// What it was after.
    pub(super) plan: &'a Plan,
    /// The deployment.
    pub(super) deployment: &'a Deployment,
    /// Its service deployment, where ECS shows it.
    pub(super) service_deployment: Option<&'a ServiceDeployment>,
    /// Why.
    pub(super) reason: String,
}

/// How a return ended.
pub(super) struct Undone {
    /// What is true of the release now.
    pub(super) verdict: Verdict,
    /// What failed in the stack meanwhile, where releases go through one.
    pub(super) stack: Vec<StackFailure>,
}

/// Returns the service to what ran before; answers how that ended, and nothing where
/// it could not be begun or did not succeed, which is told. A stack that cannot go back is an
/// end of its own: it takes no release until somebody mends it.
///
/// A signal that was sent before does not end it; the next one ends the program.
pub(super) async fn undo(engine: &Engine<'_>, undo: &Undo<'_>) -> Option<Undone> {
    let undisturbed = Interrupt::default();
    let engine = &engine.heeding(&undisturbed);
    if let Some(update) = &undo.plan.stack {
        let good = undo.plan.previous_revision.as_deref();
        let good = good.unwrap_or("what ran before");
        engine.reporter.event(Event::RollbackStarted {
            to: good.to_owned(),
            reason: undo.reason.clone(),
        });
        let Undone { verdict, stack } = through_stack::undo(engine, undo, update).await?;
        let verdict = returned(engine, undo, good, verdict)?;
        return Some(Undone { verdict, stack });
    }
    let Some(good) = &undo.plan.previous_revision else {
        engine.warn(format!(
            "{}; no earlier deployment completed, so there is nothing to return to",
            undo.reason
        ));
        return None;
    };
    engine.reporter.event(Event::RollbackStarted {
        to: good.clone(),
        reason: undo.reason.clone(),
    });
    let verdict = match stop_with_rollback(engine, undo).await {
        Some(verdict) => verdict,
        None => deploy_again(engine, undo, good).await?,
    };
    let verdict = returned(engine, undo, good, verdict)?;
    Some(Undone {
        verdict,
        stack: Vec::new(),
    })
}

/// What the verdict of the return says of the release.
fn returned(engine: &Engine<'_>, undo: &Undo<'_>, good: &str, verdict: Verdict) -> Option<Verdict> {
    match verdict {
        Verdict::RolledBack { to, .. } => Some(Verdict::RolledBack {
            to,
            reason: undo.reason.clone(),
        }),
        Verdict::Succeeded => Some(Verdict::Succeeded),
        other => {
            engine.warn(format!(
                "the rollback to {} did not succeed: {other}",
                last_part(good)
            ));
            let stack_failed = matches!(
                other,
                Verdict::Failed {
                    evidence: Evidence::StackFailed { .. }
                }
            );
            stack_failed.then_some(other)
        }
    }
}

/// ECS's own rollback of a service deployment that is under way; `None` where it cannot be had.
async fn stop_with_rollback(engine: &Engine<'_>, undo: &Undo<'_>) -> Option<Verdict> {
    let ours = undo
        .service_deployment
        .filter(|ours| ours.status.is_under_way())?;
    if let Err(error) = engine.stop(&ours.arn, Stop::Rollback).await
        && !goes_back_already(engine, &ours.arn).await
    {
        engine.warn(format!("{error}; deploying the earlier revision instead"));
        return None;
    }
    let now = Snapshot::take(engine.clients, engine.environment)
        .await
        .inspect_err(|error| engine.warn(error.to_string()))
        .ok()?;
    let plan = Plan {
        bake: Duration::ZERO,
        fail_fast: false,
        ecs_rolls_back: true,
        ..undo.plan.clone()
    };
    let followed = Followed::Deployment(undo.deployment);
    let watched = engine.watch(&plan, followed, &now, None).await;
    watched.verdict
}

/// Whether ECS has begun to go back by itself, and so refuses to be told.
async fn goes_back_already(engine: &Engine<'_>, service_deployment: &str) -> bool {
    let found = Return::find(engine).await;
    matches!(found, Ok(Some(found)) if found.service_deployment == service_deployment)
}

/// A deployment of the earlier revision, as any other.
async fn deploy_again(engine: &Engine<'_>, undo: &Undo<'_>, good: &str) -> Option<Verdict> {
    let tell = |error: &dyn std::error::Error| {
        engine.warn(format!("the rollback could not be started: {error}"));
    };
    let now = Snapshot::take(engine.clients, engine.environment)
        .await
        .inspect_err(|error| tell(error))
        .ok()?;
    let already = now
        .service
        .primary()
        .filter(|primary| {
            primary.task_definition == good
                && primary.id != undo.plan.deployment
                && primary.rollout != RolloutState::Failed
        })
        .cloned();
    let deployment = match already {
        Some(deployment) => deployment,
        None => {
            let update = Update {
                revision: good,
                desired_count: None,
            };
            engine
                .update(update, &now)
                .await
                .inspect_err(|error| tell(error))
                .ok()?
        }
    };
    let plan = Plan {
        deployment: deployment.id.clone(),
        revision: good.to_owned(),
        previous_revision: None,
        digest: None,
        bake: Duration::ZERO,
        ..undo.plan.clone()
    };
    let watched = engine
        .watch(&plan, Followed::Deployment(&deployment), &now, None)
        .await;
    Some(match watched.verdict? {
        Verdict::Succeeded => Verdict::RolledBack {
            to: good.to_owned(),
            reason: undo.reason.clone(),
        },
        other => other,
    })
}

/// What became of a rollback.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct RollbackOutcome {
    /// The revision that the service was on.
    pub from: String,
    /// The revision that it was to return to; absent when ECS chose it and has not said yet.
    pub to: Option<String>,
    /// The earlier revision whose image that one has, where CloudFormation registered it anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_of: Option<String>,
    /// The deployment that was watched.
    pub deployment: String,
    /// Whether the service was seen to run the earlier revision again.
    pub done: bool,
    /// How it ended; absent when the operator interrupted.
    pub verdict: Option<Verdict>,
    /// Why it failed, where it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diagnosis: Option<Diagnosis>,
}

/// How a rollback is to be done.
#[derive(Debug, Clone)]
pub struct RollbackOptions {
    /// Whether to wait for the verdict.
    pub wait: bool,
    /// How long success must hold.
    pub bake: Duration,
    /// How long to wait for a verdict.
    pub timeout: Duration,
}

/// The deployment under way, if the service's PRIMARY is not complete.
pub fn in_flight(before: &Snapshot) -> Option<&Deployment> {
    before
        .service
        .primary()
        .filter(|primary| primary.rollout == RolloutState::InProgress)
}

/// Stops the deployment under way and lets ECS return to the service revision before it.
///
/// # Errors
/// [`RolloutError::Stop`] when ECS refuses, [`RolloutError::NoDeployment`] when it shows no
/// service deployment to stop.
pub async fn roll_back_in_flight(
    engine: &Engine<'_>,
    before: &Snapshot,
    deployment: &Deployment,
    options: &RollbackOptions,
) -> Result<RollbackOutcome, RolloutError> {
    let _shield = engine.interrupt.shield();
    let ours = engine.service_deployment_of(deployment).await?;
    announce(engine, before, "the operator asked for it");
    if let Err(refused) = engine.stop(&ours.arn, Stop::Rollback).await
        && !goes_back_already(engine, &ours.arn).await
    {
        return Err(RolloutError::Stop(refused));
    }
    let returning = Return {
        from: deployment.task_definition.clone(),
        status: ServiceDeploymentStatus::RollbackRequested,
        service_deployment: ours.arn,
    };
    Ok(to_its_end(engine, before, &returning, options).await)
}

/// Waits for a return that ECS has begun by itself, or tells how it ended; nothing is changed.
pub async fn join_return(
    engine: &Engine<'_>,
    before: &Snapshot,
    returning: &Return,
    options: &RollbackOptions,
) -> RollbackOutcome {
    let _shield = engine.interrupt.shield();
    announce(engine, before, "ECS goes back by itself");
    to_its_end(engine, before, returning, options).await
}

fn announce(engine: &Engine<'_>, before: &Snapshot, reason: &str) {
    engine.reporter.event(Event::RollbackStarted {
        to: before
            .last_good_revision()
            .unwrap_or("what ran before")
            .to_owned(),
        reason: reason.into(),
    });
}

async fn to_its_end(
    engine: &Engine<'_>,
    before: &Snapshot,
    returning: &Return,
    options: &RollbackOptions,
) -> RollbackOutcome {
    let mut outcome = RollbackOutcome {
        from: returning.from.clone(),
        to: None,
        image_of: None,
        deployment: returning.deployment(before),
        done: false,
        verdict: None,
        diagnosis: None,
    };
    if options.wait {
        let watched = returning.follow(engine, before, options.timeout).await;
        if let Some(Verdict::RolledBack { to, .. }) = &watched.verdict {
            outcome.to = Some(to.clone());
            outcome.done = true;
        }
        outcome.diagnosis = watched.diagnosis.filter(|_| !outcome.done);
        outcome.verdict = watched.verdict;
    }
    outcome
}

/// The revision that an operator names: by its ARN, as FAMILY:NUMBER, or by its number alone in the
/// family that the service runs.
///
/// # Errors
/// [`RolloutError::NoRevision`] when ECS has none of this name, [`RolloutError::Template`] when it is
/// one that releases are made from, whose image need not exist.
pub async fn named_revision(
    engine: &Engine<'_>,
    before: &Snapshot,
    name: &str,
) -> Result<Described, RolloutError> {
    let is_number = name.bytes().all(|byte| byte.is_ascii_digit());
    let name = match is_number {
        true => format!("{}:{name}", family_of(&before.task_definition)),
        false => name.to_owned(),
    };
    let described = match describe(engine.clients, &name).await {
        Err(ReleaseError::Aws(reason)) if reason.kind == AwsErrorKind::Refused => {
            let reason = Box::new(reason);
            return Err(RolloutError::NoRevision { name, reason });
        }
        described => described?,
    };
    if described.is_template() {
        return Err(RolloutError::Template { name });
    }
    Ok(described)
}

/// Deploys the earlier revision `to`; none is registered or deregistered. Through a stack its
/// image is given to the stack, and CloudFormation registers a revision of it. Where the service
/// runs it already, nothing is done.
///
/// # Errors
/// [`RolloutError`] when it could not be begun.
pub async fn roll_back_to(
    engine: &Engine<'_>,
    before: &Snapshot,
    to: Described,
    options: &RollbackOptions,
) -> Result<RollbackOutcome, RolloutError> {
    if let Some(deployment) = running_already(before, to.document.arn()) {
        return Ok(RollbackOutcome {
            from: before.task_definition.clone(),
            to: Some(before.task_definition.clone()),
            image_of: None,
            deployment: deployment.id.clone(),
            done: true,
            verdict: Some(Verdict::Succeeded),
            diagnosis: None,
        });
    }
    let _shield = engine.interrupt.shield();
    engine.reporter.event(Event::RollbackStarted {
        to: to.document.arn().to_owned(),
        reason: "the operator asked for it".into(),
    });
    let back = match engine.environment.deploy_through.stack() {
        None => deploy_earlier(engine, before, to.document).await?,
        Some(stack) => {
            through_stack::give_earlier_image(engine, stack, &to, options.timeout).await?
        }
    };
    let (to, document) = (back.to, back.document);
    let plan = Plan {
        deployment: back.deployment.id.clone(),
        revision: to.clone(),
        previous_revision: before.last_good_revision().map(str::to_owned),
        container: engine.environment.container.clone(),
        digest: digest_of(&document, &engine.environment.container),
        bake: options.bake,
        timeout: options.timeout,
        fail_fast: true,
        ecs_rolls_back: before.rolls_back,
        stack: back.stack,
    };
    let mut outcome = RollbackOutcome {
        from: before.task_definition.clone(),
        to: Some(to),
        image_of: back.image_of,
        deployment: back.deployment.id.clone(),
        done: false,
        verdict: None,
        diagnosis: None,
    };
    if options.wait {
        let watched = engine
            .watch(
                &plan,
                Followed::Deployment(&back.deployment),
                before,
                Some(&document),
            )
            .await;
        outcome.done = watched.verdict == Some(Verdict::Succeeded);
        outcome.verdict = watched.verdict;
        outcome.diagnosis = watched.diagnosis;
    }
    Ok(outcome)
}

/// A deployment that goes back.
struct Back {
    /// The revision that it is of.
    to: String,
    /// The earlier revision whose image that has, where it is a new one.
    image_of: Option<String>,
    document: Document,
    deployment: Deployment,
    stack: Option<StackUpdate>,
}

/// The deployment of this revision, where it is complete and nothing else is under way.
fn running_already<'a>(before: &'a Snapshot, revision: &str) -> Option<&'a Deployment> {
    before.service.primary().filter(|primary| {
        primary.task_definition == revision && primary.rollout == RolloutState::Completed
    })
}

/// UpdateService with the revision.
async fn deploy_earlier(
    engine: &Engine<'_>,
    before: &Snapshot,
    document: Document,
) -> Result<Back, RolloutError> {
    let update = Update {
        revision: document.arn(),
        desired_count: None,
    };
    let deployment = engine.update(update, before).await?;
    Ok(Back {
        to: document.arn().to_owned(),
        image_of: None,
        document,
        deployment,
        stack: None,
    })
}

/// The digest that the revision names for the container, where it names one.
pub(super) fn digest_of(document: &Document, container: &str) -> Option<String> {
    let (_, digest) = document.image(container)?.split_once('@')?;
    Some(digest.to_owned())
}
