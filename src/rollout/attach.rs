//! Attaching to a deployment that somebody started: to watch it, or to stop it.

use std::time::Duration;

use serde::Serialize;

use super::begin::StackUpdate;
use super::engine::{Engine, RolloutError, Stop};
use super::observation::{Deployment, ServiceDeployment, Sight};
use super::observe::{Followed, Observer};
use super::preflight::Snapshot;
use super::returning::Return;
use super::rollback::digest_of;
use super::{Diagnosis, Plan, Verdict};
use crate::release::describe;
use crate::stack::{Stack, StackError};

/// How often ECS is asked for the service deployment behind a deployment.
const LOOKS: u32 = 5;

/// What became of a deployment that was watched.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct Attached {
    /// The deployment.
    pub deployment: String,
    /// Its revision.
    pub revision: String,
    /// The verdict; absent when the operator interrupted.
    pub verdict: Option<Verdict>,
    /// Why it failed, where it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diagnosis: Option<Diagnosis>,
}

/// Watches a deployment of the service: the one with this id, else the last one that somebody
/// started. Where ECS goes or went back from that, PRIMARY is the return, and the verdict is of
/// what it returns from. Changes nothing.
///
/// # Errors
/// [`RolloutError`] when there is no such deployment.
pub async fn watch(
    engine: &Engine<'_>,
    deployment: Option<&str>,
    bake: Duration,
    timeout: Duration,
) -> Result<Attached, RolloutError> {
    let before = Snapshot::take(engine.clients, engine.environment).await?;
    if deployment.is_none()
        && let Some(returning) = Return::find(engine).await?
    {
        return Ok(watch_return(engine, &before, &returning, timeout).await);
    }
    let stack = update_under_way(engine).await?;
    let deployment = find(&before, deployment)?;
    let document = describe(engine.clients, &deployment.task_definition)
        .await?
        .document;
    let plan = Plan {
        deployment: deployment.id.clone(),
        revision: deployment.task_definition.clone(),
        previous_revision: before.last_good_revision().map(str::to_owned),
        container: engine.environment.container.clone(),
        digest: digest_of(&document, &engine.environment.container),
        bake,
        timeout,
        fail_fast: !before.rolls_back,
        ecs_rolls_back: before.rolls_back,
        stack,
    };
    let _shield = engine.interrupt.shield();
    let watched = engine
        .watch(
            &plan,
            Followed::Deployment(deployment),
            &before,
            Some(&document),
        )
        .await;
    Ok(Attached {
        deployment: plan.deployment,
        revision: plan.revision,
        verdict: watched.verdict,
        diagnosis: watched.diagnosis,
    })
}

/// The update of the stack that is under way, where releases go through one: a deployment that
/// is watched meanwhile is part of it.
async fn update_under_way(engine: &Engine<'_>) -> Result<Option<StackUpdate>, RolloutError> {
    let Some(name) = engine.environment.deploy_through.stack() else {
        return Ok(None);
    };
    let region = &engine.environment.region;
    let stack = Stack::describe(engine.clients, name, region).await?;
    let update = StackUpdate {
        name: stack.name,
        stale: None,
    };
    let under_way = stack.status.is_updating() || stack.status.is_returning();
    Ok(under_way.then_some(update))
}

async fn watch_return(
    engine: &Engine<'_>,
    before: &Snapshot,
    returning: &Return,
    timeout: Duration,
) -> Attached {
    let _shield = engine.interrupt.shield();
    let watched = returning.follow(engine, before, timeout).await;
    Attached {
        deployment: returning.deployment(before),
        revision: returning.from.clone(),
        verdict: watched.verdict,
        diagnosis: watched.diagnosis,
    }
}

/// What was stopped.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct Stopped {
    /// The deployment.
    pub deployment: String,
    /// Its revision.
    pub revision: String,
    /// Its service deployment.
    pub service_deployment: String,
}

/// Stops the deployment under way and leaves the service as it is: tasks of both revisions may
/// go on running until the next deployment.
///
/// # Errors
/// [`RolloutError`] when none is under way, or ECS refuses.
pub async fn stop(engine: &Engine<'_>) -> Result<Stopped, RolloutError> {
    if let Some(name) = engine.environment.deploy_through.stack() {
        let region = &engine.environment.region;
        let stack = Stack::describe(engine.clients, name, region).await?;
        if stack.status.is_under_way() {
            return Err(StackError::NotStoppable {
                stack: stack.name,
                status: stack.status,
            }
            .into());
        }
    }
    let before = Snapshot::take(engine.clients, engine.environment).await?;
    let deployment =
        super::rollback::in_flight(&before).ok_or_else(|| RolloutError::NoDeployment {
            service: engine.environment.service.clone(),
            what: "deployment under way".into(),
        })?;
    let ours = engine.service_deployment_of(deployment).await?;
    engine
        .stop(&ours.arn, Stop::Abort)
        .await
        .map_err(RolloutError::Stop)?;
    Ok(Stopped {
        deployment: deployment.id.clone(),
        revision: deployment.task_definition.clone(),
        service_deployment: ours.arn,
    })
}

fn find<'a>(before: &'a Snapshot, wanted: Option<&str>) -> Result<&'a Deployment, RolloutError> {
    let found = match wanted {
        Some(id) => before.service.deployment(id),
        None => before.service.primary(),
    };
    found.ok_or_else(|| RolloutError::NoDeployment {
        service: before.service.name.clone(),
        what: match wanted {
            Some(id) => format!("deployment {id}"),
            None => "PRIMARY deployment".into(),
        },
    })
}

impl Engine<'_> {
    /// The service deployment behind a deployment, which can be stopped by its ARN.
    pub(super) async fn service_deployment_of(
        &self,
        deployment: &Deployment,
    ) -> Result<ServiceDeployment, RolloutError> {
        let mut observer = Observer::new(self.clients, self.environment, Vec::new())
            .following(Followed::Deployment(deployment));
        for _ in 0..LOOKS {
            let seen = observer.observe().await;
            match seen.service_deployment {
                Sight::Seen(ours) => return Ok(ours),
                Sight::Unavailable => break,
                Sight::Missed => tokio::time::sleep(Duration::from_millis(500)).await,
            }
        }
        Err(RolloutError::NoDeployment {
            service: self.environment.service.clone(),
            what: format!(
                "service deployment that this caller can see behind deployment {}",
                deployment.id
            ),
        })
    }
}
