//! ECS's own return to what ran before: found, and followed to its end.
//!
//! A return is part of the service deployment that failed; the deployment that it starts is
//! PRIMARY and looks like any other. Who looks at PRIMARY only would call it a release.

use std::time::Duration;

use super::Plan;
use super::engine::{Engine, RolloutError, Watched};
use super::observation::{RolloutState, ServiceDeploymentStatus};
use super::observe::{Followed, is_unavailable};
use super::preflight::{PreflightError, Snapshot};
use crate::aws::AwsError;
use crate::aws::service_deployments::{list, revisions_of};

/// The newest service deployment, where ECS goes, or went, back from it.
#[derive(Debug, Clone)]
pub struct Return {
    /// The revision that failed or was not wanted.
    pub from: String,
    /// How far it is.
    pub status: ServiceDeploymentStatus,
    pub(super) service_deployment: String,
}

impl Return {
    /// The return that the service is in, or ended in; none where its last deployment is no
    /// return, or where this caller cannot see service deployments, which is told.
    ///
    /// # Errors
    /// [`RolloutError::Preflight`] when a call failed.
    pub async fn find(engine: &Engine<'_>) -> Result<Option<Self>, RolloutError> {
        match Self::newest(engine).await {
            Ok(found) => Ok(found),
            Err(error) if is_unavailable(&error) => {
                engine.tell_blindness();
                Ok(None)
            }
            Err(error) => Err(PreflightError::from(error).into()),
        }
    }

    async fn newest(engine: &Engine<'_>) -> Result<Option<Self>, AwsError> {
        let listed = list(engine.clients, engine.environment, None).await?;
        let Some(newest) = listed.into_iter().next() else {
            return Ok(None);
        };
        let status =
            ServiceDeploymentStatus::read(newest.status().map_or("", |status| status.as_str()));
        let (Some(service_deployment), Some(target)) = (
            newest.service_deployment_arn,
            newest.target_service_revision_arn,
        ) else {
            return Ok(None);
        };
        if !status.is_rollback() {
            return Ok(None);
        }
        let revisions = revisions_of(engine.clients, std::slice::from_ref(&target)).await?;
        let from = revisions
            .get(&target)
            .and_then(|revision| revision.task_definition())
            .unwrap_or(&target);
        Ok(Some(Self {
            from: from.to_owned(),
            status,
            service_deployment,
        }))
    }

    /// The id of the deployment that ECS goes back from, while the service shows it; else the
    /// service deployment's ARN, which is no deployment's id.
    pub(super) fn deployment(&self, before: &Snapshot) -> String {
        before
            .service
            .deployments
            .iter()
            .filter(|deployment| deployment.task_definition == self.from)
            .filter(|deployment| {
                !deployment.is_primary() || deployment.rollout == RolloutState::Failed
            })
            .max_by_key(|deployment| deployment.created_at)
            .map_or(&self.service_deployment, |deployment| &deployment.id)
            .clone()
    }

    /// Watches it to its end: [`RolledBack`](super::Verdict::RolledBack) once the service runs the earlier revision.
    pub(super) async fn follow(
        &self,
        engine: &Engine<'_>,
        before: &Snapshot,
        timeout: Duration,
    ) -> Watched {
        let plan = Plan {
            deployment: self.deployment(before),
            revision: self.from.clone(),
            previous_revision: before.last_good_revision().map(str::to_owned),
            container: engine.environment.container.clone(),
            digest: None,
            bake: Duration::ZERO,
            timeout,
            fail_fast: false,
            ecs_rolls_back: true,
            stack: None,
        };
        let followed = Followed::ServiceDeployment(&self.service_deployment);
        engine.watch(&plan, followed, before, None).await
    }
}
