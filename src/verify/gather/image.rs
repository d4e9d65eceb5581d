//! The images: whether they are there, and for which platform.

use crate::config::Environment;
use crate::image::{Digest, ImageReference, Tag};
use crate::registry::{Ecr, Inspector, Repository};
use crate::verify::gather::unseen;
use crate::verify::{Fetched, Image, Missing, Task};

/// The image that the task definition names for the server.
pub(super) async fn running(
    ecr: &Ecr,
    environment: &Environment,
    repository: &Fetched<Option<Repository>>,
    task: &Fetched<Task>,
) -> Fetched<Image> {
    let task = task.as_ref().map_err(|_| unseen("task definition"))?;
    let repository = known(repository)?;
    let name = task
        .container(&environment.container)
        .map(|container| container.image.clone())
        .ok_or_else(|| {
            Missing::Other(format!("there is no container {}", environment.container))
        })?;
    let reference: ImageReference = name
        .parse()
        .map_err(|_| Missing::Other(format!("{name} is no image that can be looked at")))?;
    if *reference.repository() != repository.uri {
        return Err(Missing::Other(format!(
            "{name} is not in the environment's repository, as before the first release"
        )));
    }
    let found = match (reference.digest(), reference.tag()) {
        (Some(digest), _) => ecr.image_by_digest(&environment.repository, digest).await?,
        (None, Some(tag)) => ecr.image_by_tag(&environment.repository, tag).await?,
        (None, None) => None,
    };
    Ok(match found {
        Some(found) => Image {
            platform: platform(ecr, repository, &found.digest).await,
            present: true,
            name,
        },
        None => Image {
            name,
            present: false,
            platform: Err(Missing::Other("it is not there".into())),
        },
    })
}

/// The image with this tag, if it is published.
pub(super) async fn tagged(
    ecr: &Ecr,
    repository: &Fetched<Option<Repository>>,
    tag: &Tag,
) -> Fetched<Option<Image>> {
    let repository = known(repository)?;
    let Some(found) = ecr.image_by_tag(&repository.name, tag).await? else {
        return Ok(None);
    };
    Ok(Some(Image {
        name: tag.to_string(),
        present: true,
        platform: platform(ecr, repository, &found.digest).await,
    }))
}

fn known(repository: &Fetched<Option<Repository>>) -> Fetched<&Repository> {
    match repository {
        Ok(Some(repository)) => Ok(repository),
        Ok(None) => Err(Missing::Other("there is no repository".into())),
        Err(_) => Err(unseen("repository")),
    }
}

async fn platform(ecr: &Ecr, repository: &Repository, digest: &Digest) -> Fetched<String> {
    let access = ecr.access(repository.uri.clone()).await?;
    let inspector = Inspector::connect(&access).await.map_err(Missing::Other)?;
    let about = inspector.about(digest).await;
    about.map(|about| about.platform).map_err(Missing::Other)
}
