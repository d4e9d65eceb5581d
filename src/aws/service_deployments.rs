//! The calls for ECS's record of deployments: service deployments and service revisions.

use std::collections::BTreeMap;

use aws_sdk_ecs::types::{CreatedAt, ServiceDeployment, ServiceDeploymentBrief, ServiceRevision};
use aws_smithy_types::DateTime;

use super::{AwsError, Clients};
use crate::config::Environment;

/// How many service deployments, or service revisions, one call describes
/// (Amazon ECS API Reference, `DescribeServiceDeployments`, `DescribeServiceRevisions`).
const BATCH: usize = 20;

/// The service's service deployments, newest first; those created after `after` where it is given.
///
/// # Errors
/// [`AwsError`] of `ecs:ListServiceDeployments`.
pub async fn list(
    clients: &Clients,
    environment: &Environment,
    after: Option<DateTime>,
) -> Result<Vec<ServiceDeploymentBrief>, AwsError> {
    let mut found = Vec::new();
    let mut next = None;
    let created_at = after.map(|after| CreatedAt::builder().after(after).build());
    loop {
        let page = clients
            .ecs
            .list_service_deployments()
            .cluster(&environment.cluster)
            .service(&environment.service)
            .set_created_at(created_at.clone())
            .set_next_token(next)
            .send()
            .await
            .map_err(|error| {
                AwsError::new("ecs:ListServiceDeployments", &environment.service, &error)
            })?;
        found.extend(page.service_deployments.unwrap_or_default());
        next = page.next_token;
        if next.is_none() {
            break;
        }
    }
    // ECS promises no order.
    found.sort_by_key(|brief| {
        std::cmp::Reverse(brief.created_at().and_then(|at| at.to_millis().ok()))
    });
    Ok(found)
}

/// The service deployments with these ARNs, by ARN.
///
/// # Errors
/// [`AwsError`] of `ecs:DescribeServiceDeployments`.
pub async fn describe(
    clients: &Clients,
    arns: &[String],
) -> Result<BTreeMap<String, ServiceDeployment>, AwsError> {
    let mut found = BTreeMap::new();
    for batch in arns.chunks(BATCH) {
        let answer = clients
            .ecs
            .describe_service_deployments()
            .set_service_deployment_arns(Some(batch.to_vec()))
            .send()
            .await
            .map_err(|error| {
                AwsError::new("ecs:DescribeServiceDeployments", batch.join(", "), &error)
            })?;
        for deployment in answer.service_deployments.unwrap_or_default() {
            let arn = deployment.service_deployment_arn().unwrap_or_default();
            found.insert(arn.to_owned(), deployment);
        }
    }
    Ok(found)
}

/// The service revisions with these ARNs, by ARN.
///
/// # Errors
/// [`AwsError`] of `ecs:DescribeServiceRevisions`.
pub async fn revisions_of(
    clients: &Clients,
    arns: &[String],
) -> Result<BTreeMap<String, ServiceRevision>, AwsError> {
    let mut found = BTreeMap::new();
    for batch in arns.chunks(BATCH) {
        let answer = clients
            .ecs
            .describe_service_revisions()
            .set_service_revision_arns(Some(batch.to_vec()))
            .send()
            .await
            .map_err(|error| {
                AwsError::new("ecs:DescribeServiceRevisions", batch.join(", "), &error)
            })?;
        for revision in answer.service_revisions.unwrap_or_default() {
            let arn = revision.service_revision_arn().unwrap_or_default();
            found.insert(arn.to_owned(), revision);
        }
    }
    Ok(found)
}

/// The service revisions that ran when the deployment began, by ARN.
pub fn sources(deployment: &ServiceDeployment) -> impl Iterator<Item = &str> {
    let sources = deployment.source_service_revisions().iter();
    sources.filter_map(|source| source.arn())
}

/// The ARN of the service revision that ECS returned to, where it did.
pub fn rollback_target(deployment: &ServiceDeployment) -> Option<&str> {
    deployment.rollback()?.service_revision_arn()
}
