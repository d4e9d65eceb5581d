//! Going back where releases go through a stack: an update under way is cancelled, and
//! CloudFormation itself returns; else the stack is given the earlier image.

use std::time::Duration;

use super::{Back, RollbackOptions, RollbackOutcome, Undo, announce, in_flight};
use crate::release::{ReleaseTags, describe};
use crate::rollout::begin::{StackUpdate, by_stack};
use crate::rollout::decide::{Plan, Verdict};
use crate::rollout::engine::{Engine, RolloutError, Watched};
use crate::rollout::observation::Deployment;
use crate::rollout::observe::Followed;
use crate::rollout::preflight::Snapshot;
use crate::rollout::release::OnInterrupt;
use crate::stack::{Stack, StackError};

/// Takes back the update that the deployment is part of; answers how that ended, and nothing
/// where it could not be begun, which is told.
pub(super) async fn undo(
    engine: &Engine<'_>,
    undo: &Undo<'_>,
    update: &StackUpdate,
) -> Option<Verdict> {
    let Some(refused) = cancel(engine, &update.name).await else {
        let plan = Plan {
            bake: Duration::ZERO,
            fail_fast: false,
            ..undo.plan.clone()
        };
        return follow(engine, &plan, undo.deployment).await?.verdict;
    };
    engine.warn(format!(
        "{refused}; giving the stack the earlier image instead"
    ));
    let good = undo.plan.previous_revision.as_deref()?;
    match give_earlier_image(engine, &update.name, good, undo.plan.timeout).await {
        Ok(back) => {
            let plan = Plan {
                deployment: back.deployment.id.clone(),
                revision: back.to.clone(),
                previous_revision: None,
                digest: None,
                bake: Duration::ZERO,
                stack: back.stack,
                ..undo.plan.clone()
            };
            let watched = follow(engine, &plan, &back.deployment).await?;
            Some(match watched.verdict? {
                Verdict::Succeeded => Verdict::RolledBack {
                    to: back.to,
                    reason: undo.reason.clone(),
                },
                other => other,
            })
        }
        Err(error) => {
            engine.warn(format!("the rollback could not be started: {error}"));
            None
        }
    }
}

/// Cancels the update under way. Gives CloudFormation's refusal, unless it takes the update back already.
async fn cancel(engine: &Engine<'_>, name: &str) -> Option<StackError> {
    let refused = Stack::cancel_update(engine.clients, name).await.err()?;
    let now = Stack::describe(engine.clients, name, &engine.environment.region).await;
    match now {
        Ok(stack) if stack.status.is_returning() || stack.status.has_returned() => None,
        // Carried out, and tidying up: it cannot be taken back any more.
        _ => Some(refused.into()),
    }
}

async fn follow(engine: &Engine<'_>, plan: &Plan, deployment: &Deployment) -> Option<Watched> {
    let now = Snapshot::take(engine.clients, engine.environment)
        .await
        .inspect_err(|error| engine.warn(error.to_string()))
        .ok()?;
    let followed = Followed::Deployment(deployment);
    Some(engine.watch(plan, followed, &now, None).await)
}

/// Updates the stack to the image of an earlier revision.
pub(super) async fn give_earlier_image(
    engine: &Engine<'_>,
    name: &str,
    revision: &str,
    timeout: Duration,
) -> Result<Back, RolloutError> {
    let earlier = describe(engine.clients, revision).await?;
    let image = earlier.document.image(&engine.environment.container);
    let image = image
        .filter(|image| image.contains("@sha256:"))
        .ok_or_else(|| StackError::NoDigest {
            stack: name.to_owned(),
            revision: revision.to_owned(),
        })?;
    let mut tags = ReleaseTags::read(&earlier.tags);
    let mut released = tags.released.unwrap_or_default();
    released.caller = engine.clients.caller().map(|caller| caller.arn.clone());
    tags.released = Some(released);
    let wanted = by_stack::WantedImage {
        image,
        tags: &tags,
        force: false,
        supersede: false,
        on_interrupt: OnInterrupt::Detach,
        timeout,
    };
    let begun = by_stack::begin(engine, name, &wanted).await?;
    Ok(Back {
        to: begun.revision.arn,
        document: begun.revision.document,
        deployment: begun.deployment,
        stack: begun.stack,
    })
}

/// Takes back the update of the stack `name` that is under way, or waits for CloudFormation to have
/// done so, or tells that it has; `None` where the stack's last update was carried out.
///
/// # Errors
/// [`RolloutError::Stack`] where the stack is busy with something else, or cannot be described.
pub async fn roll_back_update(
    engine: &Engine<'_>,
    name: &str,
    before: &Snapshot,
    options: &RollbackOptions,
) -> Result<Option<RollbackOutcome>, RolloutError> {
    let region = &engine.environment.region;
    let stack = Stack::describe(engine.clients, name, region).await?;
    let _shield = engine.interrupt.shield();
    if stack.status.has_returned() {
        return Ok(Some(has_returned(before, &stack)));
    }
    if stack.status.is_returning() {
        announce(engine, before, "CloudFormation goes back by itself");
    } else if stack.status.is_updating() {
        announce(engine, before, "the operator asked for it");
        if let Some(refused) = cancel(engine, name).await {
            return Err(refused.into());
        }
    } else if stack.status.is_under_way() {
        stack.can_be_updated()?;
    } else {
        return Ok(None);
    }
    Ok(Some(to_its_end(engine, name, before, options).await))
}

fn has_returned(before: &Snapshot, stack: &Stack) -> RollbackOutcome {
    let to = before.task_definition.clone();
    let primary = before.service.primary();
    RollbackOutcome {
        from: to.clone(),
        to: Some(to.clone()),
        deployment: primary
            .map(|primary| primary.id.clone())
            .unwrap_or_default(),
        done: true,
        verdict: Some(Verdict::RolledBack {
            to,
            reason: format!("stack {} is {} already", stack.name, stack.status),
        }),
        diagnosis: None,
    }
}

async fn to_its_end(
    engine: &Engine<'_>,
    name: &str,
    before: &Snapshot,
    options: &RollbackOptions,
) -> RollbackOutcome {
    // CloudFormation may not have moved the service yet: then there is no deployment to go back from.
    let ours = in_flight(before);
    let plan = Plan {
        deployment: ours.map(|ours| ours.id.clone()).unwrap_or_default(),
        revision: ours
            .map(|ours| ours.task_definition.clone())
            .unwrap_or_default(),
        previous_revision: before.last_good_revision().map(str::to_owned),
        container: engine.environment.container.clone(),
        digest: None,
        bake: Duration::ZERO,
        timeout: options.timeout,
        fail_fast: false,
        ecs_rolls_back: true,
        stack: Some(StackUpdate {
            name: name.to_owned(),
            stale: None,
        }),
    };
    let mut outcome = RollbackOutcome {
        from: before.task_definition.clone(),
        to: None,
        deployment: plan.deployment.clone(),
        done: false,
        verdict: None,
        diagnosis: None,
    };
    let followed = ours.or(before.service.primary());
    if let Some(followed) = followed.filter(|_| options.wait) {
        let watched = engine
            .watch(&plan, Followed::Deployment(followed), before, None)
            .await;
        if let Some(Verdict::RolledBack { to, .. }) = &watched.verdict {
            outcome.to = Some(to.clone());
            outcome.done = true;
        }
        outcome.diagnosis = watched.diagnosis.filter(|_| !outcome.done);
        outcome.verdict = watched.verdict;
    }
    outcome
}
