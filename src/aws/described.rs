//! What DescribeServices answers about one service.

use aws_sdk_ecs::operation::describe_services::{DescribeServicesError, DescribeServicesOutput};
use aws_sdk_ecs::types::Service;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;

use super::AwsError;

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
