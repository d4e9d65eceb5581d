//! Attaching to a deployment that somebody started: to watch it, or to stop it.

use std::time::Duration;

use serde::Serialize;

use super::engine::{Engine, RolloutError, Stop};
use super::observation::{Deployment, ServiceDeployment, Sight};
use super::observe::{Followed, Observer};
use super::preflight::Snapshot;
use super::returning::Return;
use super::rollback::digest_of;
use super::stack_release::StackRelease;
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
    let release = stack_release(engine).await?;
    if deployment.is_none() {
        if let Some(release) = &release
            && let Some(attached) = watch_stack(engine, &before, release, timeout).await?
        {
            return Ok(attached);
        }
        let moves = release
            .as_ref()
            .is_some_and(|release| release.stack.status.is_updating());
        if !moves && let Some(returning) = Return::find(engine).await? {
            return Ok(watch_return(engine, &before, &returning, timeout).await);
        }
    }
    let stack = release
        .as_ref()
        .filter(|release| release.stack.status.is_under_way());
    let of_stack = stack.and_then(|release| release.deployment(&before));
    let deployment = match (deployment, of_stack) {
        (None, Some(ours)) => ours,
        (wanted, _) => find(&before, wanted)?,
    };
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
        stack: stack.map(StackRelease::update),
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

/// The release that the stack's last update is or was, where releases go through one.
async fn stack_release(engine: &Engine<'_>) -> Result<Option<StackRelease>, RolloutError> {
    match engine.environment.deploy_through.stack() {
        Some(name) => Ok(StackRelease::find(engine, name).await?),
        None => Ok(None),
    }
}

/// A release that CloudFormation takes back, or has taken back.
async fn watch_stack(
    engine: &Engine<'_>,
    before: &Snapshot,
    release: &StackRelease,
    timeout: Duration,
) -> Result<Option<Attached>, RolloutError> {
    let attached = |verdict, diagnosis| Attached {
        deployment: release
            .deployment(before)
            .map(|deployment| deployment.id.clone())
            .unwrap_or_default(),
        revision: release.revision().unwrap_or_default().to_owned(),
        verdict,
        diagnosis,
    };
    if release.stack.status.is_returning() {
        let _shield = engine.interrupt.shield();
        let watched = release.follow_back(engine, before, timeout).await?;
        return Ok(Some(attached(watched.verdict, watched.diagnosis)));
    }
    // A deployment since then is none of the stack's.
    let in_flight = super::rollback::in_flight(before).is_some();
    let taken_back = release.taken_back(before).filter(|_| !in_flight);
    Ok(taken_back.map(|verdict| attached(Some(verdict), None)))
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
