//! Amazon ECR's API: repositories, the images in them, and credentials for the registry.

use std::collections::BTreeSet;

use aws_sdk_ecr::Client;
use aws_sdk_ecr::operation::batch_delete_image::BatchDeleteImageOutput;
use aws_sdk_ecr::types::{
    AuthorizationData, DescribeImagesFilter, ImageDetail, ImageIdentifier,
    ImageScanningConfiguration, ImageTagMutability, Tag as ResourceTag, TagStatus,
};
use aws_smithy_types::DateTime;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Serialize;

use super::access::Access;
use super::credentials::{Credentials, Renewal};
use crate::aws::AwsError;
use crate::image::{Digest, RepositoryName, Tag};

/// ECR of one account and region.
#[derive(Debug, Clone)]
pub struct Ecr {
    client: Client,
}

/// A repository as ECR describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Repository {
    /// Its name within the registry.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Registry and name, as image references start.
    pub uri: RepositoryName,
    /// Whether a tag may move to another image.
    pub tag_immutability: TagImmutability,
    /// Whether ECR scans every image that is pushed.
    pub scan_on_push: bool,
}

/// Whether tags may move (ECR's `imageTagMutability`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TagImmutability {
    /// A tag stays with its image.
    Immutable,
    /// Tags stay, but for those that a filter of the repository excludes.
    ImmutableWithExclusions,
    /// Tags may move, or ECR named a setting that we do not know.
    Mutable,
}

impl TagImmutability {
    /// What may become of a tag, and what to do about it; `None` where tags stay with their images.
    pub fn risk(self) -> Option<TagRisk> {
        match self {
            Self::Immutable => None,
            Self::ImmutableWithExclusions => Some(TagRisk {
                what: "some tags may move",
                remedy: "remove the exclusion filters: a tag must say which image it is",
            }),
            Self::Mutable => Some(TagRisk {
                what: "tags may move to other images",
                remedy: "set imageTagMutability to IMMUTABLE: what is rolled out by tag could change under it",
            }),
        }
    }
}

/// That a repository lets tags move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TagRisk {
    /// What may happen.
    pub what: &'static str,
    /// What to do about it, and why.
    pub remedy: &'static str,
}

/// An image in a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct PublishedImage {
    /// The manifest's digest.
    pub digest: Digest,
    /// Its tags, sorted.
    pub tags: Vec<String>,
    /// When it was pushed.
    pub pushed_at: Option<Timestamp>,
    /// Compressed size in bytes.
    pub size: Option<i64>,
}

/// What became of images that were to be deleted.
#[derive(Debug, Default)]
pub struct Deletion {
    /// Those that are gone.
    pub gone: BTreeSet<Digest>,
    /// Why ECR kept others, in its own words.
    pub kept: Vec<String>,
    /// The call that failed, after which none was made.
    pub ended_by: Option<AwsError>,
}

impl Deletion {
    fn note(&mut self, answer: &BatchDeleteImageOutput) {
        let gone = answer
            .image_ids()
            .iter()
            .filter_map(ImageIdentifier::image_digest);
        self.gone
            .extend(gone.filter_map(|digest| digest.parse::<Digest>().ok()));
        self.kept.extend(answer.failures().iter().map(|failure| {
            let image = failure.image_id().and_then(ImageIdentifier::image_digest);
            let reason = failure.failure_reason().unwrap_or("ECR gives no reason");
            format!("{}: {reason}", image.unwrap_or("an image"))
        }));
    }
}

impl Ecr {
    /// ECR through `client`.
    pub fn new(client: &Client) -> Self {
        Self {
            client: client.clone(),
        }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// The repository of this name, if it exists.
    ///
    /// # Errors
    /// When ECR does not answer or refuses.
    pub async fn repository(&self, name: &str) -> Result<Option<Repository>, AwsError> {
        const ACTION: &str = "ecr:DescribeRepositories";
        let answer = self
            .client
            .describe_repositories()
            .repository_names(name)
            .send()
            .await;
        match answer {
            Ok(answer) => answer
                .repositories()
                .first()
                .map(|repository| Repository::read(ACTION, name, repository))
                .transpose(),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_repository_not_found_exception()) =>
            {
                Ok(None)
            }
            Err(error) => Err(AwsError::new(ACTION, described(name), &error)),
        }
    }

    /// Makes a repository with immutable tags that scans every push.
    ///
    /// # Errors
    /// When ECR does not answer or refuses, for example because the repository exists.
    pub async fn create_repository(
        &self,
        name: &str,
        tags: &[(String, String)],
    ) -> Result<Repository, AwsError> {
        const ACTION: &str = "ecr:CreateRepository";
        let mut request = self
            .client
            .create_repository()
            .repository_name(name)
            .image_tag_mutability(ImageTagMutability::Immutable)
            .image_scanning_configuration(
                ImageScanningConfiguration::builder()
                    .scan_on_push(true)
                    .build(),
            );
        for (key, value) in tags {
            let tag = ResourceTag::builder().key(key).value(value).build();
            request = request.tags(tag.map_err(|error| {
                AwsError::incomplete(ACTION, described(name), &error.to_string())
            })?);
        }
        let answer = request
            .send()
            .await
            .map_err(|error| AwsError::new(ACTION, described(name), &error))?;
        let repository = answer
            .repository()
            .ok_or_else(|| AwsError::incomplete(ACTION, described(name), "names no repository"))?;
        Repository::read(ACTION, name, repository)
    }

    /// Credentials for the account's registry, good for pushing and pulling.
    ///
    /// # Errors
    /// When ECR does not answer, refuses, or gives a token that is not `user:password`.
    pub async fn authorisation(&self) -> Result<Credentials, AwsError> {
        const ACTION: &str = "ecr:GetAuthorizationToken";
        const RESOURCE: &str = "the account's registry";
        let answer = self
            .client
            .get_authorization_token()
            .send()
            .await
            .map_err(|error| AwsError::new(ACTION, RESOURCE, &error))?;
        answer
            .authorization_data()
            .first()
            .and_then(decode_token)
            .ok_or_else(|| AwsError::incomplete(ACTION, RESOURCE, "holds no usable token"))
    }

    /// Registry and name of a repository that does not exist yet.
    ///
    /// # Errors
    /// When ECR does not answer, refuses, or names no usable registry.
    pub async fn future_uri(&self, name: &str) -> Result<RepositoryName, AwsError> {
        const ACTION: &str = "ecr:GetAuthorizationToken";
        const RESOURCE: &str = "the account's registry";
        let asked = self.client.get_authorization_token().send().await;
        let answer = asked.map_err(|error| AwsError::new(ACTION, RESOURCE, &error))?;
        let endpoint = answer.authorization_data().first();
        let endpoint = endpoint.and_then(|data| data.proxy_endpoint());
        let host = endpoint.and_then(|endpoint| endpoint.split_once("://"));
        host.and_then(|(_, host)| {
            format!("{}/{name}", host.trim_end_matches('/'))
                .parse()
                .ok()
        })
        .ok_or_else(|| AwsError::incomplete(ACTION, RESOURCE, "names no usable registry"))
    }

    /// Access to a repository of this registry, which asks for a new token when the old one ends.
    ///
    /// # Errors
    /// As [`Ecr::authorisation`].
    pub async fn access(&self, repository: RepositoryName) -> Result<Access, AwsError> {
        let credentials = self.authorisation().await?;
        Ok(self.access_with(repository, credentials))
    }

    /// The same, with credentials that [`Ecr::authorisation`] gave before.
    pub fn access_with(&self, repository: RepositoryName, credentials: Credentials) -> Access {
        let ecr = self.clone();
        let renewal = Renewal::new(move || {
            let ecr = ecr.clone();
            async move { ecr.authorisation().await.map_err(|error| error.to_string()) }
        });
        Access {
            renewal: Some(renewal),
            ..Access::new(repository, Some(credentials))
        }
    }

    /// The image that carries `tag`, if there is one.
    ///
    /// # Errors
    /// When ECR does not answer or refuses, also because the repository does not exist.
    pub async fn image_by_tag(
        &self,
        repository: &str,
        tag: &Tag,
    ) -> Result<Option<PublishedImage>, AwsError> {
        let id = ImageIdentifier::builder().image_tag(tag.as_str()).build();
        self.image(repository, id).await
    }

    /// The image with this digest, if it is there.
    ///
    /// # Errors
    /// When ECR does not answer or refuses, also because the repository does not exist.
    pub async fn image_by_digest(
        &self,
        repository: &str,
        digest: &Digest,
    ) -> Result<Option<PublishedImage>, AwsError> {
        let id = ImageIdentifier::builder()
            .image_digest(digest.as_str())
            .build();
        self.image(repository, id).await
    }

    /// Deletes images by digest, with all their tags, up to the first call that fails.
    pub async fn delete_images(&self, repository: &str, digests: &[Digest]) -> Deletion {
        /// Images that one call may name.
        const AT_ONCE: usize = 100;
        let mut deletion = Deletion::default();
        for batch in digests.chunks(AT_ONCE) {
            let ids = batch.iter().map(|digest| {
                let id = ImageIdentifier::builder().image_digest(digest.as_str());
                id.build()
            });
            let call = self.client.batch_delete_image();
            let call = call
                .repository_name(repository)
                .set_image_ids(Some(ids.collect()));
            match call.send().await {
                Ok(answer) => deletion.note(&answer),
                Err(error) => {
                    let resource = described(repository);
                    let error = AwsError::new("ecr:BatchDeleteImage", resource, &error);
                    deletion.ended_by = Some(error);
                    break;
                }
            }
        }
        deletion
    }

    async fn image(
        &self,
        repository: &str,
        id: ImageIdentifier,
    ) -> Result<Option<PublishedImage>, AwsError> {
        const ACTION: &str = "ecr:DescribeImages";
        let request = self.client.describe_images().repository_name(repository);
        match request.image_ids(id).send().await {
            Ok(answer) => Ok(answer
                .image_details()
                .first()
                .and_then(PublishedImage::read)),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_image_not_found_exception()) =>
            {
                Ok(None)
            }
            Err(error) => Err(AwsError::new(ACTION, described(repository), &error)),
        }
    }

    /// The `count` tagged images that were pushed last, newest first.
    ///
    /// # Errors
    /// When ECR does not answer or refuses, also because the repository does not exist.
    pub async fn newest_images(
        &self,
        repository: &str,
        count: usize,
    ) -> Result<Vec<PublishedImage>, AwsError> {
        let tagged = DescribeImagesFilter::builder()
            .tag_status(TagStatus::Tagged)
            .build();
        // ECR sorts by nothing that it documents, so all pages are needed to find the newest.
        let mut details = self
            .client
            .describe_images()
            .repository_name(repository)
            .filter(tagged)
            .into_paginator()
            .items()
            .send();
        let mut images = Vec::new();
        while let Some(detail) = details.next().await {
            let detail = detail.map_err(|error| {
                AwsError::new("ecr:DescribeImages", described(repository), &error)
            })?;
            images.extend(PublishedImage::read(&detail));
        }
        images.sort_by(|a, b| {
            b.pushed_at
                .cmp(&a.pushed_at)
                .then_with(|| a.tags.cmp(&b.tags))
        });
        images.truncate(count);
        Ok(images)
    }
}

impl Repository {
    fn read(
        action: &'static str,
        name: &str,
        repository: &aws_sdk_ecr::types::Repository,
    ) -> Result<Self, AwsError> {
        let uri = repository.repository_uri().unwrap_or_default();
        Ok(Self {
            name: repository.repository_name().unwrap_or(name).to_owned(),
            arn: repository.repository_arn().unwrap_or_default().to_owned(),
            uri: uri.parse().map_err(|error| {
                AwsError::incomplete(
                    action,
                    described(name),
                    &format!("has an unusable repository URI: {error}"),
                )
            })?,
            tag_immutability: match repository.image_tag_mutability() {
                Some(ImageTagMutability::Immutable) => TagImmutability::Immutable,
                Some(ImageTagMutability::ImmutableWithExclusion) => {
                    TagImmutability::ImmutableWithExclusions
                }
                _ => TagImmutability::Mutable,
            },
            scan_on_push: repository
                .image_scanning_configuration()
                .is_some_and(ImageScanningConfiguration::scan_on_push),
        })
    }
}

impl PublishedImage {
    fn read(detail: &ImageDetail) -> Option<Self> {
        let mut tags = detail.image_tags().to_vec();
        tags.sort();
        Some(Self {
            digest: detail.image_digest()?.parse().ok()?,
            tags,
            pushed_at: detail.image_pushed_at().and_then(timestamp),
            size: detail.image_size_in_bytes(),
        })
    }
}

/// ECR's token is `user:password` in base64; the user is always `AWS`.
fn decode_token(data: &AuthorizationData) -> Option<Credentials> {
    let decoded = STANDARD.decode(data.authorization_token()?).ok()?;
    let decoded = String::from_utf8(decoded).ok()?;
    let (user, password) = decoded.split_once(':')?;
    if user.is_empty() || password.is_empty() {
        return None;
    }
    Some(Credentials::new(
        user,
        password,
        data.expires_at().and_then(timestamp),
    ))
}

fn timestamp(time: &DateTime) -> Option<Timestamp> {
    Timestamp::new(time.secs(), time.subsec_nanos().try_into().ok()?).ok()
}

fn described(repository: &str) -> String {
    format!("repository {repository}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(token: Option<&str>) -> AuthorizationData {
        AuthorizationData::builder()
            .set_authorization_token(token.map(|token| STANDARD.encode(token)))
            .expires_at(DateTime::from_secs(1_700_000_000))
            .build()
    }

    #[test]
    fn decodes_the_token() {
        let credentials = decode_token(&data(Some("AWS:pass:word"))).unwrap();
        assert_eq!(credentials.user(), "AWS");
        assert_eq!(credentials.password(), "pass:word");
        assert_eq!(credentials.expires_at().unwrap().as_second(), 1_700_000_000);
    }

    #[test]
    fn a_malformed_token_is_no_credentials() {
        for token in [None, Some(""), Some("AWS"), Some("AWS:"), Some(":x")] {
            assert!(decode_token(&data(token)).is_none(), "{token:?}");
        }
        let not_base64 = AuthorizationData::builder()
            .authorization_token("%%%")
            .build();
        assert!(decode_token(&not_base64).is_none());
    }
}
