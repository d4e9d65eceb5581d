//! Which images an environment runs or ran, and whether their deployments succeeded. The truth is
//! in ECS: its service deployments of the last 90 days, and what the service runs now.
//!
//! What ECS does not tell is [`Unknown`], never "nothing": an image that is not known to run may
//! run all the same.

mod history;
mod named;
mod unknown;

use aws_sdk_ecs::types::{Deployment, DeploymentRolloutState, Service, ServiceRevision};
use serde::Serialize;

use crate::aws::{AwsError, Clients, describe_service};
use crate::config::Environment;
use crate::image::Digest;
use history::{History, history};
use named::{Reader, digest_part};
pub use unknown::Unknown;

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

/// The images of an environment, as far as they are known.
#[derive(Debug, Default)]
pub struct Census {
    /// The images that it runs or ran.
    pub deployed: Vec<Deployed>,
    /// What could not be found out: it may run or have run images that are not listed.
    pub unknown: Vec<Unknown>,
}

impl Census {
    /// Whether a deployment of `digest` is known to have succeeded.
    pub fn ever_succeeded(&self, digest: &Digest) -> bool {
        let succeeded = |deployed: &Deployed| deployed.digest == *digest && deployed.succeeded;
        self.deployed.iter().any(succeeded)
    }

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

/// Asks which images `environment` runs or ran.
///
/// A service that is missing runs something that is not known, not nothing: its name may be wrong.
pub async fn census(clients: &Clients, environment: &Environment) -> Census {
    let mut census = Census::default();
    let (service, history) =
        tokio::join!(service(clients, environment), history(clients, environment));
    let service = match service {
        Ok(service) => service,
        Err(unknown) => {
            census.unknown.push(unknown);
            return census;
        }
    };
    let reader = Reader::new(clients, environment);
    for deployment in service.deployments() {
        if let Err(unknown) =
            count_running(&mut census, &reader, deployment, &history, environment).await
        {
            census.unknown.push(unknown);
        }
    }
    for (revision, succeeded) in &history.revisions {
        if let Err(unknown) =
            count_past(&mut census, &reader, revision, *succeeded, environment).await
        {
            census.unknown.push(unknown);
        }
    }
    census.unknown.extend(history.unknown);
    census
}

/// The service, which is not one that was deleted.
async fn service(clients: &Clients, environment: &Environment) -> Result<Service, Unknown> {
    let missing = |reason: &str| Unknown::NoService {
        cluster: environment.cluster.clone(),
        service: environment.service.clone(),
        reason: reason.to_owned(),
    };
    let service = describe_service(clients, environment).await?;
    let service = service.ok_or_else(|| missing("MISSING"))?;
    match service.status() {
        Some("INACTIVE") => Err(missing("INACTIVE")),
        _ => Ok(service),
    }
}

/// Notes the image of a deployment that the service has now.
async fn count_running(
    census: &mut Census,
    reader: &Reader<'_>,
    deployment: &Deployment,
    history: &History,
    environment: &Environment,
) -> Result<(), Unknown> {
    let Some(task_definition) = deployment.task_definition() else {
        let lack = "names a deployment without its task definition";
        let resource = format!("service {}", environment.service);
        return Err(AwsError::incomplete("ecs:DescribeServices", resource, lack).into());
    };
    let completed = deployment.rollout_state() == Some(&DeploymentRolloutState::Completed);
    let named = reader.read(task_definition).await?;
    if let Some(digest) = named.digest() {
        census.note(digest, completed, true);
        return Ok(());
    }
    // A tag: ECS says which digest its tasks resolved.
    let resolved: Vec<Digest> = history
        .revisions
        .iter()
        .filter(|(revision, _)| revision.task_definition() == Some(task_definition))
        .filter_map(|(revision, _)| digest_in(revision, &environment.container))
        .collect();
    if !resolved.is_empty() {
        resolved
            .into_iter()
            .for_each(|digest| census.note(digest, completed, true));
        return Ok(());
    }
    let tasks =
        deployment.desired_count() + deployment.pending_count() + deployment.running_count();
    if let Some(digest) = reader.resolve(&named, task_definition, tasks > 0).await? {
        census.note(digest, completed, true);
    }
    Ok(())
}

/// Notes the image of a service revision of ECS's history.
async fn count_past(
    census: &mut Census,
    reader: &Reader<'_>,
    revision: &ServiceRevision,
    succeeded: bool,
    environment: &Environment,
) -> Result<(), Unknown> {
    if let Some(digest) = digest_in(revision, &environment.container) {
        census.note(digest, succeeded, false);
        return Ok(());
    }
    let Some(task_definition) = revision.task_definition() else {
        return Err(Unknown::Revision {
            arn: revision
                .service_revision_arn()
                .unwrap_or_default()
                .to_owned(),
            reason: "it names no task definition".to_owned(),
        });
    };
    let named = reader.read(task_definition).await?;
    let digest = match named.digest() {
        Some(digest) => Some(digest),
        // ECS resolves a tag when the first task starts, so none has.
        None => reader.resolve(&named, task_definition, false).await?,
    };
    if let Some(digest) = digest {
        census.note(digest, succeeded, false);
    }
    Ok(())
}

/// The digest that ECS resolved, or the one that the image's name has.
fn digest_in(revision: &ServiceRevision, container: &str) -> Option<Digest> {
    let images = revision.container_images().iter();
    let image = images
        .filter(|image| image.container_name() == Some(container))
        .find_map(|image| image.image_digest().or_else(|| digest_part(image.image()?)));
    image?.parse().ok()
}
