//! Finding the service deployment behind a deployment, and looking at it.
//!
//! ECS names neither in the other. They are of one revision and of one moment: of the service
//! deployments whose target service revision runs the deployment's task definition revision,
//! ours is the one created nearest to the deployment (Amazon ECS API Reference,
//! `ServiceDeployment` and `ServiceRevision`).

use std::collections::BTreeMap;

use aws_sdk_ecs::types::{self as ecs, ServiceDeploymentBrief};
use aws_smithy_types::DateTime;
use jiff::{SignedDuration, Timestamp};

use super::Followed;
use super::views::{service_deployment_view, timestamp};
use crate::aws::service_deployments::{describe, list, revisions_of};
use crate::aws::{AwsError, AwsErrorKind, Clients};
use crate::config::Environment;
use crate::rollout::observation::{ServiceDeployment, Sight};

/// How much later than the deployment its service deployment may have been created.
const LATER_AT_MOST: SignedDuration = SignedDuration::from_secs(120);
/// How much earlier: the two times are not written at one instant.
const EARLIER_AT_MOST: SignedDuration = SignedDuration::from_secs(5);
/// After this many answers without our service deployment it is not waited for any more.
const LOOKS_IN_VAIN: u32 = 20;

/// Looks for one service deployment, then at it.
#[derive(Debug)]
pub(super) struct Finder {
    wanted: Wanted,
    revisions: ServiceRevisions,
    in_vain: u32,
    unavailable: bool,
}

/// Which service deployment is looked for.
#[derive(Debug)]
enum Wanted {
    Behind(Behind),
    Known(String),
}

/// What is known of a deployment whose service deployment is looked for.
#[derive(Debug)]
struct Behind {
    revision: String,
    created_at: Option<Timestamp>,
}

impl Finder {
    /// For what is followed.
    pub(super) fn of(followed: Followed<'_>) -> Self {
        Self {
            wanted: match followed {
                Followed::Deployment(deployment) => Wanted::Behind(Behind {
                    revision: deployment.task_definition.clone(),
                    created_at: deployment.created_at,
                }),
                Followed::ServiceDeployment(arn) => Wanted::Known(arn.to_owned()),
            },
            revisions: ServiceRevisions::default(),
            in_vain: 0,
            unavailable: false,
        }
    }

    /// One look. An API that is denied or unknown is unavailable from then on.
    pub(super) async fn look(
        &mut self,
        clients: &Clients,
        environment: &Environment,
    ) -> Result<Sight<ServiceDeployment>, AwsError> {
        if self.unavailable {
            return Ok(Sight::Unavailable);
        }
        match self.find_and_describe(clients, environment).await {
            Ok(Some(seen)) => Ok(Sight::Seen(seen)),
            Ok(None) => {
                self.in_vain += 1;
                self.unavailable = self.in_vain >= LOOKS_IN_VAIN;
                Ok(Sight::Missed)
            }
            Err(error) if is_unavailable(&error) => {
                self.unavailable = true;
                Ok(Sight::Unavailable)
            }
            Err(error) => Err(error),
        }
    }

    async fn find_and_describe(
        &mut self,
        clients: &Clients,
        environment: &Environment,
    ) -> Result<Option<ServiceDeployment>, AwsError> {
        let Some(arn) = self.find(clients, environment).await? else {
            return Ok(None);
        };
        let described = describe(clients, std::slice::from_ref(&arn)).await?;
        let Some(described) = described.get(&arn) else {
            return Ok(None);
        };
        let Wanted::Behind(deployment) = &self.wanted else {
            return Ok(Some(service_deployment_view(described)));
        };
        if deployment.is_return_of(described) {
            return Ok(None);
        }
        self.wanted = Wanted::Known(arn);
        Ok(Some(service_deployment_view(described)))
    }

    async fn find(
        &mut self,
        clients: &Clients,
        environment: &Environment,
    ) -> Result<Option<String>, AwsError> {
        let deployment = match &self.wanted {
            Wanted::Known(arn) => return Ok(Some(arn.clone())),
            Wanted::Behind(deployment) => deployment,
        };
        let since = deployment
            .created_at
            .map(|at| DateTime::from_secs((at - EARLIER_AT_MOST).as_second()));
        let listed = list(clients, environment, since).await?;
        self.revisions.learn(clients, &listed).await?;
        Ok(listed
            .iter()
            .filter(|brief| self.revisions.task_definition(brief) == Some(&deployment.revision))
            .filter_map(|brief| Some((deployment.distance(brief)?, brief)))
            .min_by_key(|(distance, _)| *distance)
            .and_then(|(_, brief)| brief.service_deployment_arn())
            .map(str::to_owned))
    }
}

impl Behind {
    /// How far from the deployment a service deployment was created; `None` when it cannot be its own.
    fn distance(&self, brief: &ServiceDeploymentBrief) -> Option<SignedDuration> {
        let Some(ours) = self.created_at else {
            return Some(SignedDuration::ZERO);
        };
        let ended_before = brief
            .finished_at()
            .and_then(timestamp)
            .is_some_and(|finished| finished < ours);
        let later = brief.created_at().and_then(timestamp)?.duration_since(ours);
        let near = -EARLIER_AT_MOST <= later && later <= LATER_AT_MOST;
        (near && !ended_before).then(|| later.abs())
    }

    /// Whether ECS started the deployment to go back from `other`: the return belongs to the
    /// service deployment that failed, and has none of its own.
    fn is_return_of(&self, other: &ecs::ServiceDeployment) -> bool {
        let began = other
            .rollback()
            .and_then(|rollback| rollback.started_at())
            .and_then(timestamp);
        matches!((began, self.created_at), (Some(began), Some(ours)) if began <= ours)
    }
}

/// The task definition revision of each service revision that was asked for.
#[derive(Debug, Default)]
struct ServiceRevisions(BTreeMap<String, String>);

impl ServiceRevisions {
    fn task_definition(&self, brief: &ServiceDeploymentBrief) -> Option<&str> {
        let target = brief.target_service_revision_arn()?;
        self.0.get(target).map(String::as_str)
    }

    async fn learn(
        &mut self,
        clients: &Clients,
        listed: &[ServiceDeploymentBrief],
    ) -> Result<(), AwsError> {
        let mut unknown: Vec<String> = listed
            .iter()
            .filter_map(|brief| brief.target_service_revision_arn())
            .filter(|arn| !self.0.contains_key(*arn))
            .map(str::to_owned)
            .collect();
        unknown.dedup();
        let described = revisions_of(clients, &unknown).await?;
        let known = described
            .into_iter()
            .filter_map(|(arn, revision)| Some((arn, revision.task_definition?)));
        self.0.extend(known);
        Ok(())
    }
}

/// Denied to this caller, or not there at all (an older endpoint, an emulator).
pub fn is_unavailable(error: &AwsError) -> bool {
    let unknown_operation = matches!(
        error.code.as_deref(),
        Some("UnknownOperationException" | "UnknownOperation" | "InvalidAction" | "NotImplemented")
    );
    error.kind == AwsErrorKind::AccessDenied || unknown_operation
}
