//! One service, as DescribeServices shows it.

use aws_sdk_ecs::operation::describe_services::{DescribeServicesError, DescribeServicesOutput};
use aws_sdk_ecs::types::Service;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;

use super::{AwsError, Clients};
use crate::config::Environment;

/// The environment's service, as [`described_service`] reads it.
///
/// # Errors
/// [`AwsError`] of the service, as [`described_service`] gives it.
pub async fn describe_service(
    clients: &Clients,
    environment: &Environment,
) -> Result<Option<Service>, AwsError> {
    let answer = clients
        .ecs
        .describe_services()
        .cluster(&environment.cluster)
        .services(&environment.service)
        .send()
        .await;
    described_service(answer, &environment.service)
}

/// The service, in whatever state; none where there is none of the name, or no such cluster
/// (Amazon ECS API Reference, "DescribeServices": the one is left out of the answer, the other is
/// an exception).
///
/// # Errors
/// [`AwsError`] of `resource`, for any other reason.
pub fn described_service(
    answer: Result<DescribeServicesOutput, SdkError<DescribeServicesError, HttpResponse>>,
    resource: impl Into<String>,
) -> Result<Option<Service>, AwsError> {
    match answer {
        Ok(answer) => Ok(answer.services.unwrap_or_default().into_iter().next()),
        Err(error)
            if error
                .as_service_error()
                .is_some_and(DescribeServicesError::is_cluster_not_found_exception) =>
        {
            Ok(None)
        }
        Err(error) => Err(AwsError::new("ecs:DescribeServices", resource, &error)),
    }
}
