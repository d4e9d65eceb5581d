//! Manifests, tags and referrers.

use std::collections::HashSet;

use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Method, Response, StatusCode, Url};
use serde::Deserialize;

use super::failure::successful;
use super::link::next_page;
use super::{Failure, RemoteRepository, content_digest};
use crate::image::{Digest, Tag};

/// Manifests that a tag may name; without this, registries answer in an older format.
const MANIFEST_TYPES: &str = "application/vnd.oci.image.manifest.v1+json, \
     application/vnd.oci.image.index.v1+json, \
     application/vnd.docker.distribution.manifest.v2+json, \
     application/vnd.docker.distribution.manifest.list.v2+json";

/// Largest manifest that is read: what registries accept ("Pushing manifests").
const LARGEST: u64 = 4 * 1024 * 1024;

/// Pages of a list of referrers that are read at most.
const MOST_PAGES: usize = 100;

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

    /// What refers to the manifest, over all pages of the list ("Listing Referrers"); `None` where
    /// the registry knows no referrers.
    pub async fn referrers(&self, digest: &Digest) -> Result<Option<Vec<Referrer>>, Failure> {
        let mut next = Some(self.url(&format!("referrers/{digest}"))?);
        let (mut pages, mut referrers) = (HashSet::new(), Vec::new());
        while let Some(url) = next {
            let answer = self
                .execute(Method::GET, url.clone(), |request| request)
                .await?;
            // Registries without the API answer as to any unknown path.
            if pages.is_empty() && matches!(answer.status().as_u16(), 400 | 404 | 405 | 501) {
                return Ok(None);
            }
            pages.insert(url);
            let answer = successful(answer).await?;
            next = self.page_after(&answer, &pages)?;
            let content = answer.bytes().await.map_err(Failure::connection)?;
            let list: ReferrerList = serde_json::from_slice(&content).map_err(|error| {
                Failure::Protocol(format!("the list of referrers is malformed: {error}"))
            })?;
            referrers.extend(list.manifests);
        }
        Ok(Some(referrers))
    }

    /// Where the list goes on: at this registry, at no page that was read, and not for ever.
    fn page_after(&self, answer: &Response, read: &HashSet<Url>) -> Result<Option<Url>, Failure> {
        let Some(target) = next_page(answer.headers()) else {
            return Ok(None);
        };
        let refused = |why: String| {
            Err(Failure::Protocol(format!(
                "the list of referrers {why}; the registry, or a proxy before it, must mend its Link header"
            )))
        };
        match answer.url().join(target) {
            Err(error) => refused(format!("goes on at no address ({error})")),
            // The address itself may hold a secret.
            Ok(next) if !self.is_registry(&next) => refused(format!(
                "goes on at {}, which is not this registry",
                next.origin().ascii_serialization()
            )),
            Ok(next) if read.contains(&next) => {
                refused("goes on at a page that was read before".to_owned())
            }
            Ok(_) if read.len() == MOST_PAGES => {
                refused(format!("has more than {MOST_PAGES} pages"))
            }
            Ok(next) => Ok(Some(next)),
        }
    }
}
