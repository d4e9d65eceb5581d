//! ECR: repositories and images. Layers are pushed and pulled through [`crate::registry`].

mod scan;

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::error::{Answer, ApiError};
use super::input::Input;
use super::page::page;
use crate::aws::{Moment, names};
use crate::registry::auth::USER;
use crate::registry::blobs::Digest;
use crate::state::State;
use crate::state::ecr::{Manifest, Repository};
use crate::world::World;

const TOKEN_LIFE: Duration = Duration::from_secs(12 * 3600);

pub(super) fn call(world: &World, operation: &str, input: &Input) -> Option<Answer> {
    Some(match operation {
        "GetAuthorizationToken" => Ok(authorization_token(world)),
        "DescribeRepositories" => world.read(|state| describe_repositories(state, input)),
        "CreateRepository" => world.change(|state| create_repository(state, input)),
        "DescribeImages" => world.read(|state| describe_images(state, input)),
        "ListImages" => world.read(|state| list_images(state, input)),
        "GetLifecyclePolicy" => world.read(|state| lifecycle_policy(state, input)),
        "DescribeImageScanFindings" => scan::findings(world, input),
        "BatchGetImage" => batch_get_image(world, input),
        "BatchDeleteImage" => world.change(|state| batch_delete_image(state, input)),
        _ => return None,
    })
}

fn authorization_token(world: &World) -> Value {
    let token = STANDARD.encode(format!("{USER}:{}", world.registry_password));
    let endpoint = world.read(|state| format!("http://{}", state.addresses.registry_host()));
    json!({ "authorizationData": [{
        "authorizationToken": token,
        "expiresAt": Moment::now().plus(TOKEN_LIFE).to_json(),
        "proxyEndpoint": endpoint,
    }] })
}

fn not_found(name: &str) -> ApiError {
    ApiError::new(
        "RepositoryNotFoundException",
        format!(
            "The repository with name '{name}' does not exist in the registry with id '{}'",
            names::ACCOUNT
        ),
    )
}

fn repository<'a>(state: &'a State, input: &Input) -> Result<&'a Repository, ApiError> {
    let name = input.required("repositoryName")?;
    state.repository(name).ok_or_else(|| not_found(name))
}

fn show(state: &State, repository: &Repository) -> Value {
    json!({
        "repositoryArn": names::repository(&repository.name),
        "registryId": names::ACCOUNT,
        "repositoryName": repository.name,
        "repositoryUri": format!("{}/{}", state.addresses.registry_host(), repository.name),
        "createdAt": repository.created_at.to_json(),
        "imageTagMutability": if repository.immutable_tags { "IMMUTABLE" } else { "MUTABLE" },
        "imageScanningConfiguration": { "scanOnPush": repository.scan_on_push },
        "encryptionConfiguration": { "encryptionType": "AES256" },
    })
}

fn describe_repositories(state: &State, input: &Input) -> Answer {
    let wanted = input.texts("repositoryNames");
    let found: Vec<Value> = if wanted.is_empty() {
        state
            .repositories
            .iter()
            .map(|repository| show(state, repository))
            .collect()
    } else {
        wanted
            .into_iter()
            .map(|name| {
                let repository = state.repository(name).ok_or_else(|| not_found(name))?;
                Ok(show(state, repository))
            })
            .collect::<Result<_, ApiError>>()?
    };
    let (found, next) = page(found, input, "maxResults", 1000)?;
    Ok(json!({ "repositories": found, "nextToken": next }))
}

fn create_repository(state: &mut State, input: &Input) -> Answer {
    let name = input.required("repositoryName")?;
    if !is_repository_name(name) {
        return Err(ApiError::invalid(format!(
            "Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular expression '(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*''; got '{name}'"
        )));
    }
    if state.repository(name).is_some() {
        return Err(ApiError::new(
            "RepositoryAlreadyExistsException",
            format!(
                "The repository with name '{name}' already exists in the registry with id '{}'",
                names::ACCOUNT
            ),
        ));
    }
    let immutable = input.text("imageTagMutability") == Some("IMMUTABLE");
    let scan = input
        .get("imageScanningConfiguration")
        .and_then(|configuration| configuration.get("scanOnPush"))
        .and_then(Value::as_bool)
        .unwrap_or(false);
    let mut repository = Repository::new(name, immutable, scan, Moment::now());
    repository.tags = input.tags("tags")?;
    let shown = show(state, &repository);
    state.repositories.push(repository);
    Ok(json!({ "repository": shown }))
}

fn is_repository_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (2..=256).contains(&name.len())
        && name.split('/').all(|part| {
            part.starts_with(plain)
                && part.ends_with(plain)
                && part.chars().all(|c| plain(c) || ".-_".contains(c))
                && !part
                    .as_bytes()
                    .windows(2)
                    .any(|pair| pair.iter().all(|c| b".-_".contains(c)))
        })
}

fn lifecycle_policy(state: &State, input: &Input) -> Answer {
    let repository = repository(state, input)?;
    let policy = repository.lifecycle_policy.as_ref().ok_or_else(|| {
        ApiError::new(
            "LifecyclePolicyNotFoundException",
            format!(
                "Lifecycle policy does not exist for the repository with name '{}' in the registry with id '{}'",
                repository.name,
                names::ACCOUNT
            ),
        )
    })?;
    Ok(json!({
        "registryId": names::ACCOUNT,
        "repositoryName": repository.name,
        "lifecyclePolicyText": policy,
    }))
}

/// An image id of a request.
struct ImageId<'a> {
    digest: Option<&'a str>,
    tag: Option<&'a str>,
}

impl<'a> ImageId<'a> {
    fn all(input: &'a Input) -> Vec<Self> {
        input.list("imageIds").into_iter().map(Self::of).collect()
    }

    fn of(id: &'a Value) -> Self {
        Self {
            digest: id.get("imageDigest").and_then(Value::as_str),
            tag: id.get("imageTag").and_then(Value::as_str),
        }
    }

    fn resolve(&self, repository: &Repository) -> Option<String> {
        let digest = repository.resolve(self.digest.or(self.tag)?)?;
        let agrees = self
            .tag
            .is_none_or(|tag| repository.tagged.get(tag) == Some(&digest));
        agrees.then_some(digest)
    }

    fn show(&self) -> Value {
        json!({ "imageDigest": self.digest, "imageTag": self.tag })
    }

    fn failure(&self) -> Value {
        json!({
            "imageId": self.show(),
            "failureCode": "ImageNotFound",
            "failureReason": "Requested image not found",
        })
    }
}

fn describe_images(state: &State, input: &Input) -> Answer {
    let repository = repository(state, input)?;
    let ids = ImageId::all(input);
    let digests: Vec<String> = if ids.is_empty() {
        repository.manifests.keys().cloned().collect()
    } else {
        ids.iter()
            .map(|id| {
                id.resolve(repository)
                    .ok_or_else(|| image_not_found(id, repository))
            })
            .collect::<Result<_, ApiError>>()?
    };
    let status = tag_status(input);
    let details = digests
        .iter()
        .filter_map(|digest| Some((digest, repository.manifests.get(digest)?)))
        .map(|(digest, manifest)| (digest, manifest, repository.tags_of(digest)))
        .filter(|(_, _, tags)| status.is_none_or(|tagged| tags.is_empty() != tagged))
        .map(|(digest, manifest, tags)| detail(repository, digest, manifest, tags))
        .collect();
    let (details, next): (Vec<Value>, _) = page(details, input, "maxResults", 1000)?;
    Ok(json!({ "imageDetails": details, "nextToken": next }))
}

fn image_not_found(id: &ImageId<'_>, repository: &Repository) -> ApiError {
    let shown = |value: Option<&str>| value.map_or("null".to_owned(), |value| format!("'{value}'"));
    ApiError::new(
        "ImageNotFoundException",
        format!(
            "The image with imageId {{imageDigest:{}, imageTag:{}}} does not exist within the repository with name '{}' in the registry with id '{}'",
            shown(id.digest),
            shown(id.tag),
            repository.name,
            names::ACCOUNT
        ),
    )
}

fn tag_status(input: &Input) -> Option<bool> {
    match input.get("filter")?.get("tagStatus")?.as_str()? {
        "TAGGED" => Some(true),
        "UNTAGGED" => Some(false),
        _ => None,
    }
}

fn detail(repository: &Repository, digest: &str, manifest: &Manifest, tags: Vec<String>) -> Value {
    json!({
        "registryId": names::ACCOUNT,
        "repositoryName": repository.name,
        "imageDigest": digest,
        "imageTags": (!tags.is_empty()).then_some(tags),
        "imageSizeInBytes": manifest.image_size,
        "imagePushedAt": manifest.pushed_at.to_json(),
        "imageManifestMediaType": manifest.media_type,
        "artifactMediaType": manifest.config_media_type,
        "subjectManifestDigest": manifest.subject,
        "imageStatus": "ACTIVE",
    })
}

fn list_images(state: &State, input: &Input) -> Answer {
    let repository = repository(state, input)?;
    let status = tag_status(input);
    let mut ids = Vec::new();
    for digest in repository.manifests.keys() {
        let tags = repository.tags_of(digest);
        if status.is_some_and(|tagged| tags.is_empty() == tagged) {
            continue;
        }
        if tags.is_empty() {
            ids.push(json!({ "imageDigest": digest }));
        }
        for tag in tags {
            ids.push(json!({ "imageDigest": digest, "imageTag": tag }));
        }
    }
    let (ids, next) = page(ids, input, "maxResults", 1000)?;
    Ok(json!({ "imageIds": ids, "nextToken": next }))
}

fn batch_get_image(world: &World, input: &Input) -> Answer {
    let (mut images, mut failures) = (Vec::new(), Vec::new());
    let found = world.read(|state| {
        let repository = repository(state, input)?;
        let ids = ImageId::all(input);
        let found = ids.into_iter().map(|id| {
            let digest = id.resolve(repository);
            let manifest = digest
                .as_ref()
                .and_then(|digest| repository.manifests.get(digest))
                .cloned();
            (id, digest.zip(manifest))
        });
        Ok::<_, ApiError>(found.collect::<Vec<_>>())
    })?;
    for (id, image) in found {
        let content = image.and_then(|(digest, manifest)| {
            let parsed: Digest = digest.parse().ok()?;
            // A manifest is small: this does not block for long.
            let text = std::fs::read_to_string(world.blobs.path(&parsed)).ok()?;
            Some((digest, manifest, text))
        });
        match content {
            None => failures.push(id.failure()),
            Some((digest, manifest, text)) => images.push(json!({
                "registryId": names::ACCOUNT,
                "repositoryName": input.text("repositoryName"),
                "imageId": { "imageDigest": digest, "imageTag": id.tag },
                "imageManifest": text,
                "imageManifestMediaType": manifest.media_type,
            })),
        }
    }
    Ok(json!({ "images": images, "failures": failures }))
}

/// A tag removes the tag, and the image with its last one; a digest removes the image.
fn batch_delete_image(state: &mut State, input: &Input) -> Answer {
    let name = repository(state, input)?.name.clone();
    let (mut deleted, mut failures) = (Vec::new(), Vec::new());
    let repository = state
        .repository_mut(&name)
        .ok_or_else(|| not_found(&name))?;
    for id in ImageId::all(input) {
        let Some(digest) = id.resolve(repository) else {
            failures.push(id.failure());
            continue;
        };
        match id.tag {
            Some(tag) => {
                repository.tagged.remove(tag);
                if repository.tags_of(&digest).is_empty() {
                    repository.manifests.remove(&digest);
                }
            }
            None => {
                repository.manifests.remove(&digest);
                repository.tagged.retain(|_, tagged| *tagged != digest);
            }
        }
        deleted.push(json!({ "imageDigest": digest, "imageTag": id.tag }));
    }
    Ok(json!({ "imageIds": deleted, "failures": failures }))
}
