//! Which published image a release is of.

use clap::Args;
use jiff::Timestamp;

use super::build::checkout;
use super::{Context, Exit, Failure};
use crate::aws::{AwsError, Clients};
use crate::config::Environment;
use crate::image::{Digest, ImageReference, Tag};
use crate::registry::{Ecr, Inspector, PublishedImage, Repository};
use crate::release::{Provenance, ReleaseTags};
use crate::report::Reporter;
use crate::rollout::ReleaseImage;

/// Names a published image; without any, the one that this checkout published.
#[derive(Debug, Clone, Args)]
pub struct ImageChoice {
    /// The digest of a published image
    #[arg(long, value_name = "SHA256", conflicts_with_all = ["tag", "image"])]
    digest: Option<Digest>,
    /// The tag of a published image
    #[arg(long, value_name = "TAG", conflicts_with = "image")]
    tag: Option<Tag>,
    /// A published image in full, by its digest
    #[arg(long, value_name = "REPOSITORY@DIGEST")]
    image: Option<ImageReference>,
}

/// What is looked for in the repository.
enum Wanted {
    Digest(Digest),
    Tag(Tag),
}

impl ImageChoice {
    /// The published image that is meant; it must be there before anything is changed.
    ///
    /// # Errors
    /// [`Failure`] when the repository or the image is not there, or ECR does not answer.
    pub async fn find(
        &self,
        context: &Context,
        environment: &Environment,
        clients: &Clients,
    ) -> Result<ReleaseImage, Failure> {
        let ecr = Ecr::new(&clients.ecr);
        let name = &environment.repository;
        let refused = |error: AwsError| Failure::aws(Exit::Preflight, &error);
        let repository = ecr.repository(name).await.map_err(refused)?;
        let repository = repository.ok_or_else(|| {
            Failure::new(Exit::Preflight, format!("there is no repository {name}"))
                .hint("publish an image first")
        })?;
        let (wanted, commit) = self.wanted(&repository).await?;
        let found = match &wanted {
            Wanted::Digest(digest) => ecr.image_by_digest(name, digest).await,
            Wanted::Tag(tag) => ecr.image_by_tag(name, tag).await,
        };
        let Some(found) = found.map_err(refused)? else {
            let newest = ecr.newest_images(name, 5).await.map_err(refused)?;
            let wanted = match wanted {
                Wanted::Digest(digest) => digest.to_string(),
                Wanted::Tag(tag) => tag.to_string(),
            };
            return Err(Failure::new(
                Exit::Preflight,
                format!("there is no image {wanted} in repository {name}"),
            )
            .hint(format!("publish it first; {}", published_images(&newest))));
        };
        let commit = match commit {
            Some(commit) => Some(commit),
            None => commit_of(context, &ecr, &repository, &found.digest).await,
        };
        let image_tag = self.tag.as_ref().map(ToString::to_string);
        Ok(ReleaseImage {
            reference: repository.uri.with_digest(&found.digest).to_string(),
            digest: found.digest.to_string(),
            tags: ReleaseTags {
                commit,
                image_tag: image_tag.or_else(|| found.tags.first().cloned()),
                released: Some(released_by(clients)),
            },
        })
    }

    /// What to look for, and the commit that it was built from, where that is known.
    async fn wanted(&self, repository: &Repository) -> Result<(Wanted, Option<String>), Failure> {
        if let Some(digest) = &self.digest {
            return Ok((Wanted::Digest(digest.clone()), None));
        }
        if let Some(tag) = &self.tag {
            return Ok((Wanted::Tag(tag.clone()), None));
        }
        if let Some(image) = &self.image {
            return Ok((Wanted::Digest(digest_in(image, repository)?), None));
        }
        let checkout = checkout().await?;
        let tag = checkout.clean_tag().ok_or_else(|| {
            Failure::new(
                Exit::Preflight,
                format!(
                    "this checkout differs from its commit ({}), so no published image is known to be its own",
                    checkout.shown_changes()
                ),
            )
            .hint("commit and publish, use `deploy`, or name an image with --tag or --digest")
        })?;
        Ok((Wanted::Tag(tag), Some(checkout.commit)))
    }
}

/// The commit that a published image says it was built from. A release can do without: what keeps us
/// from reading it is a warning.
async fn commit_of(
    context: &Context,
    ecr: &Ecr,
    repository: &Repository,
    digest: &Digest,
) -> Option<String> {
    let about = async {
        let access = ecr.access(repository.uri.clone()).await;
        let access = access.map_err(|error| error.to_string())?;
        Inspector::connect(&access).await?.about(digest).await
    };
    match about.await {
        Ok(about) => about.commit,
        Err(why) => {
            context.reporter.warn(format!(
                "the commit of {digest} is not known, so it is not recorded and the smoke test does not ask for it: {why}"
            ));
            None
        }
    }
}

/// The digest of an image that is named in full; tags move, and other repositories are not ours to look into.
fn digest_in(image: &ImageReference, repository: &Repository) -> Result<Digest, Failure> {
    if *image.repository() != repository.uri {
        return Err(Failure::new(
            Exit::Usage,
            format!(
                "{image} is not in the environment's repository {}",
                repository.uri
            ),
        )
        .hint("publish or promote it to the environment's repository first"));
    }
    image.digest().cloned().ok_or_else(|| {
        Failure::new(Exit::Usage, format!("{image} names no digest"))
            .hint("name it as REPOSITORY@sha256:…, or use --tag")
    })
}

fn published_images(newest: &[PublishedImage]) -> String {
    let tags: Vec<&str> = newest
        .iter()
        .flat_map(|image| &image.tags)
        .map(String::as_str)
        .collect();
    match tags.as_slice() {
        [] => "the repository holds no tagged image".into(),
        tags => format!("the newest published images are {}", tags.join(", ")),
    }
}

/// Who releases, from this process's environment and the credentials.
pub fn released_by(clients: &Clients) -> Provenance {
    Provenance::from_environment(
        |name| std::env::var(name).ok(),
        clients.caller().map(|caller| caller.arn.as_str()),
        Timestamp::now(),
    )
}
