//! Which images an environment runs or ran, and whether their deployments succeeded. The truth is
//! in ECS: its service deployments of the last 90 days, and what the service runs now.

use std::collections::BTreeMap;

use aws_sdk_ecs::types::{DeploymentRolloutState, ServiceDeploymentStatus, ServiceRevision};
use serde::Serialize;

use crate::aws::{AwsError, AwsErrorKind, Clients};
use crate::config::Environment;
use crate::image::Digest;

/// Service revisions that one call may ask for ("DescribeServiceRevisions").
const REVISIONS_PER_CALL: usize = 20;

/// An image that an environment runs or ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deployed {
    /// Its digest.
    pub digest: Digest,
    /// Whether a deployment of it succeeded.
    pub succeeded: bool,
    /// Whether the service has it in a deployment now.
    pub running: bool,
}

/// The images that `environment` runs or ran, the running ones first.
///
/// An environment without a service, as before its first release, has none.
///
/// # Errors
/// When ECS does not answer or refuses.
pub async fn deployed(
    clients: &Clients,
    environment: &Environment,
) -> Result<Vec<Deployed>, AwsError> {
    let mut record = Record::default();
    for (task_definition, completed) in deployments(clients, environment).await? {
        if let Some(digest) = digest_of(clients, environment, &task_definition).await? {
            record.note(digest, completed, true);
        }
    }
    let history = match history(clients, environment).await {
        Ok(history) => history,
        // An endpoint without this newer API still tells what runs.
        Err(error) if error.kind == AwsErrorKind::Refused => {
            tracing::debug!(%error, "no service deployments");
            Vec::new()
        }
        Err(error) => return Err(error),
    };
    for (revision, succeeded) in history {
        if let Some(digest) = digest_in(&revision, &environment.container) {
            record.note(digest, succeeded, false);
        } else if let Some(task_definition) = revision.task_definition()
            && let Some(digest) = digest_of(clients, environment, task_definition).await?
        {
            record.note(digest, succeeded, false);
        }
    }
    Ok(record.deployed)
}

/// Whether a deployment of `digest` ever succeeded in `environment`, as far back as ECS remembers.
///
/// # Errors
/// As [`deployed`].
pub async fn ever_succeeded(
    clients: &Clients,
    environment: &Environment,
    digest: &Digest,
) -> Result<bool, AwsError> {
    let deployed = deployed(clients, environment).await?;
    let succeeded = |deployed: &Deployed| deployed.digest == *digest && deployed.succeeded;
    Ok(deployed.iter().any(succeeded))
}

#[derive(Default)]
struct Record {
    deployed: Vec<Deployed>,
}

impl Record {
    fn note(&mut self, digest: Digest, succeeded: bool, running: bool) {
        match self
            .deployed
            .iter_mut()
            .find(|known| known.digest == digest)
        {
            Some(known) => {
                known.succeeded |= succeeded;
                known.running |= running;
            }
            None => self.deployed.push(Deployed {
                digest,
                succeeded,
                running,
            }),
        }
    }
}

/// The service's own deployments: task definition, and whether it completed.
async fn deployments(
    clients: &Clients,
    environment: &Environment,
) -> Result<Vec<(String, bool)>, AwsError> {
    let described = clients
        .ecs
        .describe_services()
        .cluster(&environment.cluster)
        .services(&environment.service)
        .send()
        .await
        .map_err(|error| AwsError::new("ecs:DescribeServices", service(environment), &error))?;
    let deployments = described
        .services()
        .iter()
        .flat_map(|service| service.deployments());
    let read = |deployment: &aws_sdk_ecs::types::Deployment| {
        let completed = deployment.rollout_state() == Some(&DeploymentRolloutState::Completed);
        Some((deployment.task_definition()?.to_owned(), completed))
    };
    Ok(deployments.filter_map(read).collect())
}

/// The revisions that service deployments led to, and whether those succeeded; newest first.
async fn history(
    clients: &Clients,
    environment: &Environment,
) -> Result<Vec<(ServiceRevision, bool)>, AwsError> {
    let mut targets: Vec<(String, bool)> = Vec::new();
    let mut token = None;
    loop {
        let page = clients
            .ecs
            .list_service_deployments()
            .cluster(&environment.cluster)
            .service(&environment.service)
            .set_next_token(token.take())
            .send()
            .await
            .map_err(|error| {
                AwsError::new("ecs:ListServiceDeployments", service(environment), &error)
            })?;
        for deployment in page.service_deployments() {
            let succeeded = deployment.status() == Some(&ServiceDeploymentStatus::Successful);
            let target = deployment.target_service_revision_arn();
            targets.extend(target.map(|arn| (arn.to_owned(), succeeded)));
        }
        token = page.next_token().map(str::to_owned);
        if token.is_none() {
            break;
        }
    }
    let mut revisions = Vec::new();
    for batch in targets.chunks(REVISIONS_PER_CALL) {
        let outcome: BTreeMap<&str, bool> = batch
            .iter()
            .map(|(arn, succeeded)| (arn.as_str(), *succeeded))
            .collect();
        let described = clients
            .ecs
            .describe_service_revisions()
            .set_service_revision_arns(Some(outcome.keys().map(|arn| (*arn).to_owned()).collect()))
            .send()
            .await
            .map_err(|error| {
                AwsError::new("ecs:DescribeServiceRevisions", service(environment), &error)
            })?;
        for revision in described.service_revisions.unwrap_or_default() {
            let arn = revision.service_revision_arn().unwrap_or_default();
            let succeeded = outcome.get(arn).copied().unwrap_or(false);
            revisions.push((revision, succeeded));
        }
    }
    Ok(revisions)
}

/// The digest that ECS resolved, or the one that the image's name has.
fn digest_in(revision: &ServiceRevision, container: &str) -> Option<Digest> {
    let images = revision.container_images().iter();
    let image = images
        .filter(|image| image.container_name() == Some(container))
        .find_map(|image| image.image_digest().or(digest_part(image.image()?)));
    image?.parse().ok()
}

/// The digest that a task definition names; none where it names a tag.
async fn digest_of(
    clients: &Clients,
    environment: &Environment,
    task_definition: &str,
) -> Result<Option<Digest>, AwsError> {
    let described = clients
        .ecs
        .describe_task_definition()
        .task_definition(task_definition)
        .send()
        .await
        .map_err(|error| AwsError::new("ecs:DescribeTaskDefinition", task_definition, &error))?;
    let definition = described.task_definition();
    let containers = definition.map_or(&[][..], |definition| definition.container_definitions());
    let image = containers
        .iter()
        .find(|container| container.name() == Some(environment.container.as_str()))
        .and_then(|container| container.image());
    Ok(image
        .and_then(digest_part)
        .and_then(|digest| digest.parse().ok()))
}

fn digest_part(image: &str) -> Option<&str> {
    image.split_once('@').map(|(_, digest)| digest)
}

fn service(environment: &Environment) -> String {
    format!("service {}", environment.service)
}
