//! StopServiceDeployment.

use aws_sdk_ecs::types::StopServiceDeploymentStopType as StopType;

use super::Engine;
use crate::aws::AwsError;

/// How a service deployment is to be stopped (Amazon ECS API Reference, `StopServiceDeployment`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::rollout) enum Stop {
    /// Return to the service revision that ran before.
    Rollback,
    /// Leave the service as it is now.
    Abort,
}

impl Engine<'_> {
    /// Asks ECS to stop the service deployment `arn`; safe to send again.
    pub(in crate::rollout) async fn stop(&self, arn: &str, how: Stop) -> Result<(), AwsError> {
        self.clients
            .ecs
            .stop_service_deployment()
            .service_deployment_arn(arn)
            .stop_type(match how {
                Stop::Rollback => StopType::Rollback,
                Stop::Abort => StopType::Abort,
            })
            .send()
            .await
            .map(drop)
            .map_err(|error| AwsError::new("ecs:StopServiceDeployment", arn, &error))
    }
}
