//! ECS's own record: service deployments and the revisions that they led to.

use std::collections::BTreeMap;

use aws_sdk_ecs::types::{
    ServiceDeployment, ServiceDeploymentRollbackMonitorsStatus, ServiceDeploymentStatus,
    ServiceRevision,
};

use super::{Found, PastVerdict, instant};
use crate::aws::service_deployments::{describe, list, revisions_of, rollback_target, sources};
use crate::aws::{AwsError, Clients};
use crate::config::Environment;
use crate::release::{family_of, number_of};

/// The newest `limit` service deployments, newest first.
pub(super) async fn read(
    clients: &Clients,
    environment: &Environment,
    limit: usize,
) -> Result<Vec<Found>, AwsError> {
    let mut listed = list(clients, environment, None).await?;
    listed.truncate(limit);
    let arns: Vec<String> = listed
        .into_iter()
        .filter_map(|brief| brief.service_deployment_arn)
        .collect();
    let deployments = describe(clients, &arns).await?;
    let mut revisions: Vec<String> = deployments
        .values()
        .flat_map(|deployment| {
            let ends = [target(deployment), rollback_target(deployment)];
            sources(deployment).chain(ends.into_iter().flatten())
        })
        .map(str::to_owned)
        .collect();
    revisions.sort();
    revisions.dedup();
    let revisions = revisions_of(clients, &revisions).await?;
    Ok(arns
        .iter()
        .filter_map(|arn| deployments.get(arn))
        .filter_map(|deployment| found(deployment, &revisions, &environment.container))
        .collect())
}

fn target(deployment: &ServiceDeployment) -> Option<&str> {
    deployment.target_service_revision()?.arn()
}

/// The newest revision that ran when the deployment of `revision` began, where that was a later one.
fn returned_from(
    deployment: &ServiceDeployment,
    revision: &str,
    revisions: &BTreeMap<String, ServiceRevision>,
) -> Option<String> {
    let ran = sources(deployment)
        .filter_map(|arn| revisions.get(arn)?.task_definition())
        .filter(|ran| family_of(ran) == family_of(revision));
    let newest = ran.max_by_key(|ran| number_of(ran))?;
    (number_of(newest) > number_of(revision)).then(|| newest.to_owned())
}

/// A deployment whose revision ECS no longer describes is no release that anybody could return to.
fn found(
    deployment: &ServiceDeployment,
    revisions: &BTreeMap<String, ServiceRevision>,
    container: &str,
) -> Option<Found> {
    let revision = revisions.get(target(deployment)?)?;
    let image = revision
        .container_images()
        .iter()
        .find(|image| image.container_name() == Some(container));
    let reason = deployment
        .status_reason()
        .or_else(|| deployment.rollback().and_then(|rollback| rollback.reason()));
    let finished = deployment.finished_at().or(deployment.stopped_at());
    let task_definition = revision.task_definition()?;
    Some(Found {
        revision: task_definition.to_owned(),
        digest: image
            .and_then(|image| image.image_digest())
            .map(str::to_owned),
        verdict: verdict(deployment),
        reason: reason.map(str::to_owned),
        rolled_back_to: rollback_target(deployment)
            .and_then(|arn| revisions.get(arn))
            .and_then(|revision| revision.task_definition())
            .map(str::to_owned),
        returned_from: returned_from(deployment, task_definition, revisions),
        started_at: deployment.created_at().and_then(instant),
        finished_at: finished.and_then(instant),
        service_deployment: deployment.service_deployment_arn().map(str::to_owned),
    })
}

/// A deployment that its circuit breaker or its alarms ended without a rollback is STOPPED too,
/// and has failed all the same.
fn verdict(deployment: &ServiceDeployment) -> PastVerdict {
    use ServiceDeploymentRollbackMonitorsStatus::Triggered;
    use ServiceDeploymentStatus as Status;
    let breaker = deployment
        .deployment_circuit_breaker()
        .and_then(|breaker| breaker.status());
    let alarms = deployment.alarms().and_then(|alarms| alarms.status());
    let tripped = breaker == Some(&Triggered) || alarms == Some(&Triggered);
    match deployment.status() {
        Some(Status::Successful) => PastVerdict::Succeeded,
        Some(Status::RollbackSuccessful) => PastVerdict::RolledBack,
        Some(Status::RollbackFailed) => PastVerdict::Failed,
        Some(Status::Stopped) if tripped => PastVerdict::Failed,
        Some(Status::Stopped) => PastVerdict::Stopped,
        Some(
            Status::Pending
            | Status::InProgress
            | Status::StopRequested
            | Status::RollbackRequested
            | Status::RollbackInProgress,
        ) => PastVerdict::InProgress,
        _ => PastVerdict::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_ecs::types::{ServiceDeploymentCircuitBreaker, ServiceRevisionSummary};

    use super::*;

    #[test]
    fn a_return_is_to_an_earlier_revision_of_the_family() {
        for (ran, target, expected) in [
            (&["mcp:7"][..], "mcp:5", Some("mcp:7")),
            (&["mcp:9", "mcp:10"], "mcp:5", Some("mcp:10")),
            (&["mcp:4"], "mcp:5", None),
            (&["mcp:5"], "mcp:5", None),
            (&["other:7"], "mcp:5", None),
            (&[], "mcp:5", None),
        ] {
            let revision = |name: &&str| {
                let described = ServiceRevision::builder().task_definition(*name).build();
                (format!("revision of {name}"), described)
            };
            let revisions = ran.iter().map(revision).collect();
            let mut deployment = ServiceDeployment::builder();
            for name in ran.iter().chain(&["gone:9"]) {
                let source = ServiceRevisionSummary::builder();
                let source = source.arn(format!("revision of {name}")).build();
                deployment = deployment.source_service_revisions(source);
            }
            let found = returned_from(&deployment.build(), target, &revisions);
            assert_eq!(found.as_deref(), expected, "{ran:?} to {target}");
        }
    }

    #[test]
    fn every_status_has_its_verdict() {
        use PastVerdict as Verdict;
        for (status, tripped, expected) in [
            ("SUCCESSFUL", false, Verdict::Succeeded),
            ("ROLLBACK_SUCCESSFUL", true, Verdict::RolledBack),
            ("ROLLBACK_FAILED", true, Verdict::Failed),
            ("STOPPED", true, Verdict::Failed),
            ("STOPPED", false, Verdict::Stopped),
            ("PENDING", false, Verdict::InProgress),
            ("IN_PROGRESS", false, Verdict::InProgress),
            ("STOP_REQUESTED", false, Verdict::InProgress),
            ("ROLLBACK_REQUESTED", true, Verdict::InProgress),
            ("ROLLBACK_IN_PROGRESS", true, Verdict::InProgress),
            ("OF_NEXT_YEAR", false, Verdict::Unknown),
        ] {
            let breaker = ServiceDeploymentCircuitBreaker::builder()
                .status(if tripped { "TRIGGERED" } else { "MONITORING" }.into())
                .build();
            let deployment = ServiceDeployment::builder()
                .status(status.into())
                .deployment_circuit_breaker(breaker)
                .build();
            assert_eq!(verdict(&deployment), expected, "{status}");
        }
        // A status that the SDK gains must get its verdict here.
        for status in ServiceDeploymentStatus::values() {
            let deployment = ServiceDeployment::builder()
                .status((*status).into())
                .build();
            assert_ne!(verdict(&deployment), Verdict::Unknown, "{status}");
        }
    }
}
