//! Which image a task definition names.

use aws_sdk_ecs::types::VersionConsistency;
use tokio::sync::OnceCell;

use super::Unknown;
use crate::aws::{AwsError, Clients};
use crate::config::Environment;
use crate::image::{Digest, ImageReference};
use crate::registry::{Ecr, Repository, TagImmutability};

/// Reads images out of task definitions.
pub(super) struct Reader<'a> {
    clients: &'a Clients,
    environment: &'a Environment,
    repository: OnceCell<Option<Repository>>,
}

/// The image of the server's container.
pub(super) struct Named {
    image: String,
    /// Whether ECS holds the tasks to the digest that the first of them resolved.
    consistent: bool,
}

impl Named {
    /// The digest that it is named by.
    pub fn digest(&self) -> Option<Digest> {
        digest_part(&self.image)?.parse().ok()
    }
}

impl<'a> Reader<'a> {
    pub fn new(clients: &'a Clients, environment: &'a Environment) -> Self {
        Self {
            clients,
            environment,
            repository: OnceCell::new(),
        }
    }

    /// The image in a task definition.
    pub async fn read(&self, task_definition: &str) -> Result<Named, Unknown> {
        let described = self
            .clients
            .ecs
            .describe_task_definition()
            .task_definition(task_definition)
            .send()
            .await
            .map_err(|error| {
                AwsError::new("ecs:DescribeTaskDefinition", task_definition, &error)
            })?;
        let definition = described.task_definition();
        let containers = definition.map_or(&[][..], |found| found.container_definitions());
        let container = containers
            .iter()
            .find(|container| container.name() == Some(self.environment.container.as_str()));
        let image = container.and_then(|container| container.image());
        let consistency = container.and_then(|container| container.version_consistency());
        Ok(Named {
            image: image
                .ok_or_else(|| Unknown::NoContainer {
                    container: self.environment.container.clone(),
                    task_definition: task_definition.to_owned(),
                })?
                .to_owned(),
            consistent: consistency != Some(&VersionConsistency::Disabled),
        })
    }

    /// The digest that a tag stands for, as the repository has it now; none where it names nothing
    /// and no task can have come from it.
    ///
    /// With `started`, tasks of it may run that ECS gives no digest for: then only a tag that
    /// cannot move tells.
    pub async fn resolve(
        &self,
        named: &Named,
        task_definition: &str,
        started: bool,
    ) -> Result<Option<Digest>, Unknown> {
        let unknown = |why| Unknown::Tag {
            image: named.image.clone(),
            task_definition: task_definition.to_owned(),
            why,
        };
        let must_know = started || !named.consistent;
        let (found, why) = match self.look_up(&named.image).await? {
            Tagged::Fixed(digest) => return Ok(Some(digest)),
            Tagged::Movable(digest) => (Some(digest), "tags of its repository may move"),
            Tagged::Nothing => (None, "its repository holds no such tag"),
            Tagged::Elsewhere => (None, "it is not in the environment's repository"),
        };
        match must_know {
            true => Err(unknown(why)),
            false => Ok(found),
        }
    }

    async fn look_up(&self, image: &str) -> Result<Tagged, AwsError> {
        let name = &self.environment.repository;
        let ecr = Ecr::new(&self.clients.ecr);
        let repository = self
            .repository
            .get_or_try_init(|| ecr.repository(name))
            .await?;
        let image: Option<ImageReference> = image.parse().ok();
        let (Some(repository), Some(image)) = (repository, image) else {
            return Ok(Tagged::Elsewhere);
        };
        let tag = image.tag().cloned().or_else(|| "latest".parse().ok());
        let (true, Some(tag)) = (repository.uri == *image.repository(), tag) else {
            return Ok(Tagged::Elsewhere);
        };
        let found = ecr.image_by_tag(name, &tag).await?;
        Ok(match (found, repository.tag_immutability) {
            (None, _) => Tagged::Nothing,
            (Some(image), TagImmutability::Immutable) => Tagged::Fixed(image.digest),
            (Some(image), _) => Tagged::Movable(image.digest),
        })
    }
}

/// What a tag stands for.
enum Tagged {
    /// This image, always.
    Fixed(Digest),
    /// This image now.
    Movable(Digest),
    /// Nothing in the repository.
    Nothing,
    /// An image of another repository.
    Elsewhere,
}

pub(super) fn digest_part(image: &str) -> Option<&str> {
    image.split_once('@').map(|(_, digest)| digest)
}
