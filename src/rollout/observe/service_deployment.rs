//! Finding the service deployment behind a deployment, and looking at it.
//!
//! ECS names neither in the other. They are of one revision and of one moment: of the service
//! deployments whose target service revision runs the deployment's task definition revision,
//! ours is the one created nearest to the deployment (Amazon ECS API Reference,
//! `ServiceDeployment` and `ServiceRevision`).

use std::collections::BTreeMap;

use aws_sdk_ecs::types::{CreatedAt, ServiceDeploymentBrief};
use aws_smithy_types::DateTime;
use jiff::{SignedDuration, Timestamp};

use super::views::{service_deployment_view, timestamp};
use crate::aws::{AwsError, AwsErrorKind, Clients};
use crate::config::Environment;
use crate::rollout::observation::{Deployment, ServiceDeployment, Sight};

/// How much later than the deployment its service deployment may have been created.
const LATER_AT_MOST: SignedDuration = SignedDuration::from_secs(120);
/// How much earlier: the two times are not written at one instant.
const EARLIER_AT_MOST: SignedDuration = SignedDuration::from_secs(5);
/// After this many answers without our service deployment it is not waited for any more.
const LOOKS_IN_VAIN: u32 = 20;
/// DescribeServiceRevisions takes at most this many (Amazon ECS API Reference).
const REVISIONS_PER_CALL: usize = 20;

/// Looks for one service deployment, then at it.
#[derive(Debug)]
pub(super) struct Finder {
    revision: String,
    created_at: Option<Timestamp>,
    revisions: ServiceRevisions,
    found: Option<String>,
    in_vain: u32,
    unavailable: bool,
}

impl Finder {
    /// For the service deployment behind `deployment`.
    pub(super) fn of(deployment: &Deployment) -> Self {
        Self {
            revision: deployment.task_definition.clone(),
            created_at: deployment.created_at,
            revisions: ServiceRevisions::default(),
            found: None,
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
        if self.found.is_none() {
            self.found = self.find(clients, environment).await?;
        }
        let Some(arn) = &self.found else {
            return Ok(None);
        };
        let answer = clients
            .ecs
            .describe_service_deployments()
            .service_deployment_arns(arn)
            .send()
            .await
            .map_err(|error| AwsError::new("ecs:DescribeServiceDeployments", arn, &error))?;
        Ok(answer
            .service_deployments()
            .first()
            .map(service_deployment_view))
    }

    async fn find(
        &mut self,
        clients: &Clients,
        environment: &Environment,
    ) -> Result<Option<String>, AwsError> {
        let service = &environment.service;
        let since = self
            .created_at
            .map(|at| DateTime::from_secs((at - EARLIER_AT_MOST).as_second()));
        let answer = clients
            .ecs
            .list_service_deployments()
            .cluster(&environment.cluster)
            .service(service)
            .set_created_at(since.map(|since| CreatedAt::builder().after(since).build()))
            .send()
            .await
            .map_err(|error| AwsError::new("ecs:ListServiceDeployments", service, &error))?;
        let listed = answer.service_deployments();
        self.revisions.learn(clients, listed).await?;
        Ok(listed
            .iter()
            .filter(|brief| self.revisions.task_definition(brief) == Some(&self.revision))
            .filter_map(|brief| Some((self.distance(brief)?, brief)))
            .min_by_key(|(distance, _)| *distance)
            .and_then(|(_, brief)| brief.service_deployment_arn())
            .map(str::to_owned))
    }

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
        for arns in unknown.chunks(REVISIONS_PER_CALL) {
            let answer = clients
                .ecs
                .describe_service_revisions()
                .set_service_revision_arns(Some(arns.to_vec()))
                .send()
                .await
                .map_err(|error| {
                    AwsError::new("ecs:DescribeServiceRevisions", arns.join(", "), &error)
                })?;
            for revision in answer.service_revisions() {
                if let (Some(arn), Some(task_definition)) =
                    (revision.service_revision_arn(), revision.task_definition())
                {
                    self.0.insert(arn.to_owned(), task_definition.to_owned());
                }
            }
        }
        Ok(())
    }
}

/// Denied to this caller, or not there at all (an older endpoint, an emulator).
fn is_unavailable(error: &AwsError) -> bool {
    let unknown_operation = matches!(
        error.code.as_deref(),
        Some("UnknownOperationException" | "UnknownOperation" | "InvalidAction" | "NotImplemented")
    );
    error.kind == AwsErrorKind::AccessDenied || unknown_operation
}
