//! UpdateService: sent once, and looked for when its answer was lost.

use std::time::Duration;

use aws_config::retry::RetryConfig;

use super::pace::Pace;
use super::{Engine, RolloutError};
use crate::arn::last_part;
use crate::aws::{AwsError, AwsErrorKind};
use crate::rollout::observation::{Deployment, Service};
use crate::rollout::observe::service_view;
use crate::rollout::preflight::Snapshot;

const ACTION: &str = "ecs:UpdateService";
/// How often the service is looked at for a deployment whose start was not confirmed.
const LOOKS: u32 = 5;
/// How often a throttled call is sent again: ECS has said that it did not take it.
const THROTTLED_AT_MOST: u32 = 6;

/// What UpdateService is to change.
#[derive(Debug, Clone, Copy)]
pub(in crate::rollout) struct Update<'a> {
    /// The revision to move to: its full ARN.
    pub(in crate::rollout) revision: &'a str,
    /// How many tasks to run; as many as now when absent.
    pub(in crate::rollout) desired_count: Option<i32>,
}

impl Engine<'_> {
    /// Sends UpdateService; answers the deployment that it started.
    ///
    /// UpdateService has no client token: a second one could start a second deployment. So it
    /// is never sent again unless ECS said that it did not take it, and an answer that was
    /// lost, or that does not name our deployment, is made up for by looking at the service.
    pub(in crate::rollout) async fn update(
        &self,
        update: Update<'_>,
        before: &Snapshot,
    ) -> Result<Deployment, RolloutError> {
        let mut pace = Pace::of(self.environment);
        let mut throttled = 0;
        loop {
            let error = match self.send(update, before).await {
                Ok(Some(deployment)) => return Ok(deployment),
                Ok(None) => AwsError::incomplete(
                    ACTION,
                    &self.environment.service,
                    "names no PRIMARY deployment of the revision",
                ),
                Err(error) => error,
            };
            match error.kind {
                AwsErrorKind::Throttled if throttled < THROTTLED_AT_MOST => {
                    throttled += 1;
                    tokio::time::sleep(pace.next() * throttled).await;
                }
                AwsErrorKind::Incomplete => return self.reconcile(update, before, &error).await,
                _ if error.is_ambiguous() => return self.reconcile(update, before, &error).await,
                _ => return Err(RolloutError::Update(error)),
            }
        }
    }

    async fn send(
        &self,
        update: Update<'_>,
        before: &Snapshot,
    ) -> Result<Option<Deployment>, AwsError> {
        let again = before.task_definition == update.revision;
        let answer = self
            .clients
            .ecs
            .update_service()
            .cluster(&self.environment.cluster)
            .service(&self.environment.service)
            .task_definition(update.revision)
            .set_desired_count(update.desired_count)
            .set_force_new_deployment(again.then_some(true))
            .customize()
            .config_override(
                aws_sdk_ecs::config::Builder::default().retry_config(RetryConfig::disabled()),
            )
            .send()
            .await
            .map_err(|error| AwsError::new(ACTION, &self.environment.service, &error))?;
        let service = answer.service().map(service_view);
        let primary = service.as_ref().and_then(Service::primary);
        Ok(primary
            .filter(|primary| is_new(primary, update, before))
            .cloned())
    }

    /// The service itself shows whether UpdateService was heard.
    async fn reconcile(
        &self,
        update: Update<'_>,
        before: &Snapshot,
        lost: &AwsError,
    ) -> Result<Deployment, RolloutError> {
        self.warn(format!(
            "{lost}; looking at the service instead of sending it again"
        ));
        let mut pace = Pace::of(self.environment);
        for look in 1..=LOOKS {
            tokio::time::sleep(pace.next().max(Duration::from_millis(100)) * look).await;
            let Ok(now) = Snapshot::take(self.clients, self.environment).await else {
                continue;
            };
            let mut deployments = now.service.deployments.into_iter();
            if let Some(ours) = deployments.find(|known| is_new(known, update, before)) {
                return Ok(ours);
            }
        }
        Err(RolloutError::UpdateUnknown {
            reason: lost.to_string(),
            revision: last_part(update.revision).to_owned(),
        })
    }
}

/// Whether it runs the revision and was not there before.
fn is_new(deployment: &Deployment, update: Update<'_>, before: &Snapshot) -> bool {
    deployment.task_definition == update.revision
        && before.service.deployment(&deployment.id).is_none()
}
