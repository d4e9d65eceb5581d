//! Without ECS's record of deployments: our revisions' tags, and the deployments that the
//! service still shows.

use super::{Found, PastVerdict};
use crate::aws::Clients;
use crate::release::{Described, ReleaseError, ReleaseTags, describe, key, revisions};
use crate::rollout::observation::{Deployment, RolloutState};
use crate::rollout::preflight::Snapshot;

/// The most revisions that are described in search of releases.
const MOST_LOOKED_AT: usize = 100;

/// At most `limit` releases by this tool, newest first.
pub(super) async fn read(
    clients: &Clients,
    snapshot: &Snapshot,
    limit: usize,
) -> Result<Vec<Found>, ReleaseError> {
    let mut pages = revisions(clients, &snapshot.task_definition);
    let mut found = Vec::new();
    let mut looked_at = 0;
    while let Some(page) = pages.next().await {
        for arn in page? {
            if found.len() == limit || looked_at == MOST_LOOKED_AT {
                return Ok(found);
            }
            looked_at += 1;
            let described = describe(clients, &arn).await?;
            let ours = described.tags.get(key::MANAGED_BY).map(String::as_str) == Some(key::OURS);
            if ours || arn == snapshot.task_definition {
                found.push(release(arn, &described, &snapshot.service.deployments));
            }
        }
    }
    Ok(found)
}

fn release(arn: String, described: &Described, deployments: &[Deployment]) -> Found {
    let deployment = deployments
        .iter()
        .filter(|deployment| deployment.task_definition == arn)
        .max_by_key(|deployment| deployment.created_at);
    let registered = ReleaseTags::read(&described.tags)
        .released
        .and_then(|released| released.at?.parse().ok());
    Found {
        verdict: deployment.map_or(PastVerdict::Unknown, verdict),
        reason: deployment
            .filter(|deployment| deployment.rollout == RolloutState::Failed)
            .map(|deployment| deployment.reason.clone()),
        started_at: deployment
            .and_then(|deployment| deployment.created_at)
            .or(registered),
        finished_at: None,
        digest: None,
        rolled_back_to: None,
        returned_from: None,
        service_deployment: None,
        revision: arn,
    }
}

fn verdict(deployment: &Deployment) -> PastVerdict {
    match deployment.rollout {
        RolloutState::Completed => PastVerdict::Succeeded,
        RolloutState::Failed => PastVerdict::Failed,
        RolloutState::InProgress if deployment.is_primary() => PastVerdict::InProgress,
        _ => PastVerdict::Unknown,
    }
}
