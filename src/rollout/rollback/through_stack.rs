//! Going back where releases go through a stack: an update under way is cancelled, and
//! CloudFormation itself returns; else the stack is given the earlier image.

use std::time::Duration;

use super::{Back, RollbackOptions, RollbackOutcome, Undo, Undone, announce};
use crate::release::{Described, ReleaseTags, describe};
use crate::rollout::begin::{StackUpdate, by_stack};
use crate::rollout::decide::{Plan, Verdict};
use crate::rollout::engine::{Engine, RolloutError, Watched};
use crate::rollout::observation::Deployment;
use crate::rollout::observe::Followed;
use crate::rollout::preflight::Snapshot;
use crate::rollout::release::OnInterrupt;
use crate::rollout::stack_release::StackRelease;
use crate::stack::{Stack, StackError};

/// Takes back the update that the deployment is part of; answers how that ended, and nothing
/// where it could not be begun, which is told.
pub(super) async fn undo(
    engine: &Engine<'_>,
    undo: &Undo<'_>,
    update: &StackUpdate,
) -> Option<Undone> {
    let Some(refused) = cancel(engine, &update.name).await else {
        let plan = Plan {
            bake: Duration::ZERO,
            fail_fast: false,
            ..undo.plan.clone()
        };
        return undone(follow(engine, &plan, undo.deployment).await?);
    };
    engine.warn(format!(
        "{refused}; giving the stack the earlier image instead"
    ));
    let good = undo.plan.previous_revision.as_deref()?;
    let given = async {
        let good = describe(engine.clients, good).await?;
        give_earlier_image(engine, &update.name, &good, undo.plan.timeout).await
    };
    match given.await {
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
            let mut undone = undone(follow(engine, &plan, &back.deployment).await?)?;
            if undone.verdict == Verdict::Succeeded {
                undone.verdict = Verdict::RolledBack {
                    to: back.to,
                    reason: undo.reason.clone(),
                };
            }
            Some(undone)
        }
        Err(error) => {
            engine.warn(format!("the rollback could not be started: {error}"));
            None
        }
    }
}

fn undone(watched: Watched) -> Option<Undone> {
    Some(Undone {
        verdict: watched.verdict?,
        stack: watched.diagnosis.unwrap_or_default().stack,
    })
}

/// Cancels the update under way. Gives CloudFormation's refusal, unless it takes the update back
/// already, or failed to.
async fn cancel(engine: &Engine<'_>, name: &str) -> Option<StackError> {
    let refused = Stack::cancel_update(engine.clients, name).await.err()?;
    let now = Stack::describe(engine.clients, name, &engine.environment.region).await;
    match now {
        Ok(Stack { status, .. })
            if status.is_returning() || status.has_returned() || status.has_failed() =>
        {
            None
        }
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
    earlier: &Described,
    timeout: Duration,
) -> Result<Back, RolloutError> {
    let image = earlier.document.image(&engine.environment.container);
    let image = image
        .filter(|image| image.contains("@sha256:"))
        .ok_or_else(|| StackError::NoDigest {
            stack: name.to_owned(),
            revision: earlier.document.arn().to_owned(),
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
        image_of: Some(earlier.document.arn().to_owned()),
        document: begun.revision.document,
        deployment: begun.deployment,
        stack: begun.stack,
    })
}

/// Takes back the release that is an update of the stack `name` under way, or waits for
/// CloudFormation to have done so, or tells that it has; `None` where the last update was carried
/// out, or was no release.
///
/// # Errors
/// [`RolloutError::Stack`] where the stack is busy with something else, or cannot be described.
pub async fn roll_back_update(
    engine: &Engine<'_>,
    name: &str,
    before: &Snapshot,
    options: &RollbackOptions,
) -> Result<Option<RollbackOutcome>, RolloutError> {
    let Some(release) = StackRelease::find(engine, name).await? else {
        let region = &engine.environment.region;
        let stack = Stack::describe(engine.clients, name, region).await?;
        return match stack.can_be_updated() {
            Err(busy @ StackError::InProgress { .. }) => Err(busy.into()),
            _ => Ok(None),
        };
    };
    let status = &release.stack.status;
    let mut outcome = RollbackOutcome {
        from: release
            .revision()
            .unwrap_or(&before.task_definition)
            .to_owned(),
        to: None,
        image_of: None,
        deployment: release
            .deployment(before)
            .or(before.service.primary())
            .map(|deployment| deployment.id.clone())
            .unwrap_or_default(),
        done: false,
        verdict: release.taken_back(before),
        diagnosis: None,
    };
    let _shield = engine.interrupt.shield();
    if status.is_returning() {
        announce(engine, before, "CloudFormation goes back by itself");
    } else if status.is_updating() {
        announce(engine, before, "the operator asked for it");
        if let Some(refused) = cancel(engine, name).await {
            return Err(refused.into());
        }
    } else if status.is_under_way() {
        release.stack.can_be_updated()?;
    } else if outcome.verdict.is_none() {
        return Ok(None);
    }
    if status.is_under_way() && options.wait {
        let watched = release.follow_back(engine, before, options.timeout).await?;
        outcome.diagnosis = watched.diagnosis;
        outcome.verdict = watched.verdict;
    }
    if let Some(Verdict::RolledBack { to, .. }) = &outcome.verdict {
        outcome.to = Some(to.clone());
        outcome.done = true;
        outcome.diagnosis = None;
    }
    Ok(Some(outcome))
}
