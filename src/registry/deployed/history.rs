//! The service's deployments that ECS remembers: those of the last 90 days.

use std::collections::BTreeSet;

use aws_sdk_ecs::types::{
    ServiceDeployment, ServiceDeploymentBrief, ServiceDeploymentStatus, ServiceRevision,
};

use super::Unknown;
use crate::aws::service_deployments::{self, rollback_target, sources};
use crate::aws::{AwsError, Clients};
use crate::config::Environment;

/// Service revisions that one call may ask for ("DescribeServiceRevisions").
const REVISIONS_PER_CALL: usize = 20;

/// What ECS remembers.
#[derive(Default)]
pub(super) struct History {
    /// Service revisions that ran, and whether a deployment of each succeeded.
    pub revisions: Vec<(ServiceRevision, bool)>,
    pub unknown: Vec<Unknown>,
}

/// Asks ECS for the revisions that service deployments led to, began from and returned to: what ran
/// before the oldest of them has left ECS's list, and is what an operator would return to.
pub(super) async fn history(clients: &Clients, environment: &Environment) -> History {
    let mut history = History::default();
    let listed = match service_deployments::list(clients, environment, None).await {
        Ok(listed) => listed,
        Err(error) => {
            history.unknown.push(error.into());
            return history;
        }
    };
    let deployments = describe_deployments(clients, &listed, &mut history).await;
    let targets = listed.iter().filter_map(|deployment| {
        let succeeded = deployment.status() == Some(&ServiceDeploymentStatus::Successful);
        Some((deployment.target_service_revision_arn()?, succeeded))
    });
    let others = deployments.iter().flat_map(|deployment| {
        let ran = sources(deployment).chain(rollback_target(deployment));
        ran.map(|arn| (arn, false))
    });
    for batch in outcomes(targets.chain(others)).chunks(REVISIONS_PER_CALL) {
        if let Err(error) = describe(clients, batch, &mut history).await {
            history.unknown.push(error.into());
        }
    }
    history
}

/// The listed service deployments, as far as ECS describes them.
async fn describe_deployments(
    clients: &Clients,
    listed: &[ServiceDeploymentBrief],
    history: &mut History,
) -> Vec<ServiceDeployment> {
    let arns = listed
        .iter()
        .filter_map(|deployment| deployment.service_deployment_arn());
    let arns: Vec<String> = arns.map(str::to_owned).collect();
    match service_deployments::describe(clients, &arns).await {
        Ok(described) => {
            let missing = arns.into_iter().filter(|arn| !described.contains_key(arn));
            let missing = missing.map(|arn| Unknown::Deployment { arn });
            history.unknown.extend(missing);
            described.into_values().collect()
        }
        Err(error) => {
            history.unknown.push(error.into());
            Vec::new()
        }
    }
}

/// Each revision once, and whether any of its deployments succeeded.
fn outcomes<'a>(deployments: impl IntoIterator<Item = (&'a str, bool)>) -> Vec<(String, bool)> {
    let mut outcomes: Vec<(String, bool)> = Vec::new();
    for (arn, succeeded) in deployments {
        match outcomes.iter_mut().find(|(known, _)| known == arn) {
            Some((_, once)) => *once |= succeeded,
            None => outcomes.push((arn.to_owned(), succeeded)),
        }
    }
    outcomes
}

async fn describe(
    clients: &Clients,
    batch: &[(String, bool)],
    history: &mut History,
) -> Result<(), AwsError> {
    let arns: Vec<String> = batch.iter().map(|(arn, _)| arn.clone()).collect();
    let described = clients
        .ecs
        .describe_service_revisions()
        .set_service_revision_arns(Some(arns))
        .send()
        .await
        .map_err(|error| {
            let resource = format!("{} service revisions", batch.len());
            AwsError::new("ecs:DescribeServiceRevisions", resource, &error)
        })?;
    let mut silent: BTreeSet<&str> = batch.iter().map(|(arn, _)| arn.as_str()).collect();
    for revision in described.service_revisions() {
        let arn = revision.service_revision_arn().unwrap_or_default();
        if let Some((_, succeeded)) = batch.iter().find(|(asked, _)| asked == arn) {
            silent.remove(arn);
            history.revisions.push((revision.clone(), *succeeded));
        }
    }
    for arn in silent {
        let mut failures = described.failures().iter();
        let failure = failures.find(|failure| failure.arn() == Some(arn));
        let reason = failure.and_then(|failure| failure.reason());
        history.unknown.push(Unknown::Revision {
            arn: arn.to_owned(),
            reason: reason.unwrap_or("ECS gives no reason").to_owned(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Outcomes = &'static [(&'static str, bool)];

    #[test]
    fn a_revision_that_succeeded_once_has_succeeded() {
        let cases: [(Outcomes, Outcomes); 5] = [
            (&[], &[]),
            (&[("a", true), ("a", false)], &[("a", true)]),
            (&[("a", false), ("a", true)], &[("a", true)]),
            (&[("a", false), ("a", false)], &[("a", false)]),
            (
                &[
                    ("b", false),
                    ("a", true),
                    ("b", true),
                    ("a", false),
                    ("c", false),
                ],
                &[("b", true), ("a", true), ("c", false)],
            ),
        ];
        for (deployments, expected) in cases {
            let found = outcomes(deployments.iter().copied());
            let found: Vec<_> = found
                .iter()
                .map(|(arn, once)| (arn.as_str(), *once))
                .collect();
            assert_eq!(found, expected, "{deployments:?}");
        }
    }
}
