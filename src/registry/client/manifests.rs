//! Manifests, tags and referrers.

use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Method, StatusCode};
use serde::Deserialize;

use super::failure::successful;
use super::{Failure, RemoteRepository, content_digest};
use crate::image::{Digest, Tag};

/// Manifests that a tag may name; without this, registries answer in an older format.
const MANIFEST_TYPES: &str = "application/vnd.oci.image.manifest.v1+json, \
     application/vnd.oci.image.index.v1+json, \
     application/vnd.docker.distribution.manifest.v2+json, \
     application/vnd.docker.distribution.manifest.list.v2+json";

/// Largest manifest that is read: what registries accept ("Pushing manifests").
const LARGEST: u64 = 4 * 1024 * 1024;

/// A manifest, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Its bytes.
    pub content: Vec<u8>,
    /// Its media type.
    pub media_type: String,
}

/// A manifest that refers to another one ("Listing Referrers").
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Referrer {
    /// Its digest.
    pub digest: Digest,
    /// What it holds.
    pub artifact_type: Option<String>,
}

#[derive(Deserialize)]
struct ReferrerList {
    #[serde(default)]
    manifests: Vec<Referrer>,
}

impl RemoteRepository {
    /// The digest of the manifest that `tag` names, if the tag exists.
    pub async fn tagged_digest(&self, tag: &Tag) -> Result<Option<Digest>, Failure> {
        let url = self.url(&format!("manifests/{tag}"))?;
        let answer = self
            .execute(Method::HEAD, url, |request| {
                request.header(ACCEPT, MANIFEST_TYPES)
            })
            .await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        if let Some(digest) = content_digest(successful(answer).await?.headers())? {
            return Ok(Some(digest));
        }
        match self.manifest(tag.as_str()).await {
            Ok(manifest) => Ok(Some(Digest::of(&manifest.content))),
            // Deleted in between.
            Err(Failure::Absent(_)) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// The manifest with this digest, which its bytes are seen to have.
    pub async fn manifest_of(&self, digest: &Digest) -> Result<Manifest, Failure> {
        let manifest = self.manifest(digest.as_str()).await?;
        let reported = Digest::of(&manifest.content);
        if reported == *digest {
            Ok(manifest)
        } else {
            Err(Failure::Digest { reported })
        }
    }

    async fn manifest(&self, reference: &str) -> Result<Manifest, Failure> {
        let url = self.url(&format!("manifests/{reference}"))?;
        let answer = self
            .execute(Method::GET, url, |request| {
                request.header(ACCEPT, MANIFEST_TYPES)
            })
            .await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Err(Failure::Absent(format!("the manifest {reference}")));
        }
        let answer = successful(answer).await?;
        if answer
            .content_length()
            .is_some_and(|length| length > LARGEST)
        {
            return Err(Failure::Protocol(format!(
                "the manifest {reference} has more than {LARGEST} bytes"
            )));
        }
        let media_type = answer.headers().get(CONTENT_TYPE);
        let media_type = media_type.and_then(|value| value.to_str().ok());
        Ok(Manifest {
            media_type: media_type.unwrap_or_default().to_owned(),
            content: answer.bytes().await.map_err(Failure::connection)?.into(),
        })
    }

    /// Puts a manifest under a tag or its digest; gives the digest that the registry reports, if
    /// it does.
    pub async fn put_manifest(
        &self,
        reference: &str,
        manifest: &Manifest,
    ) -> Result<Option<Digest>, Failure> {
        let url = self.url(&format!("manifests/{reference}"))?;
        let answer = self
            .execute(Method::PUT, url, |request| {
                request
                    .header(CONTENT_TYPE, &manifest.media_type)
                    .body(manifest.content.clone())
            })
            .await?;
        content_digest(successful(answer).await?.headers())
    }

    /// What refers to the manifest; `None` where the registry knows no referrers.
    pub async fn referrers(&self, digest: &Digest) -> Result<Option<Vec<Referrer>>, Failure> {
        let url = self.url(&format!("referrers/{digest}"))?;
        let answer = self.execute(Method::GET, url, |request| request).await?;
        // Registries without the API answer as to any unknown path.
        if matches!(answer.status().as_u16(), 400 | 404 | 405 | 501) {
            return Ok(None);
        }
        let content = successful(answer).await?.bytes().await;
        let content = content.map_err(Failure::connection)?;
        let list: ReferrerList = serde_json::from_slice(&content).map_err(|error| {
            Failure::Protocol(format!("the list of referrers is malformed: {error}"))
        })?;
        Ok(Some(list.manifests))
    }
}
