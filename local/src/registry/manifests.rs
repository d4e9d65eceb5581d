//! Manifests, tags and referrers.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::{self, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::blobs::Digest;
use super::error::Error;
use super::{DOCKER_CONTENT_DIGEST, Query};
use crate::aws::Moment;
use crate::state::ecr::{Manifest, Repository};
use crate::world::World;

/// The largest manifest that registries commonly take.
const LARGEST: usize = 4 * 1024 * 1024;
const OCI_SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// What a manifest or an index refers to.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Content {
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Vec<Descriptor>,
    #[serde(default)]
    manifests: Vec<Descriptor>,
    subject: Option<Descriptor>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: String,
    size: u64,
}

pub(super) async fn get(
    world: &Arc<World>,
    method: &Method,
    name: &str,
    reference: &str,
) -> Result<Response, Error> {
    let (digest, manifest) = world
        .read(|state| {
            let repository = state.repository(name)?;
            let digest = repository.resolve(reference)?;
            let manifest = repository.manifests.get(&digest)?.clone();
            Some((digest, manifest))
        })
        .ok_or(Error::ManifestUnknown)?;
    let parsed: Digest = digest.parse().map_err(Error::DigestInvalid)?;
    let body = if method == Method::HEAD {
        Body::empty()
    } else {
        Body::from(world.blobs.read(&parsed).await?)
    };
    let headers = [
        (header::CONTENT_TYPE, manifest.media_type),
        (header::CONTENT_LENGTH, manifest.length.to_string()),
        (DOCKER_CONTENT_DIGEST, digest),
    ];
    Ok((headers, body).into_response())
}

pub(super) async fn put(
    world: &Arc<World>,
    name: &str,
    reference: &str,
    request: Request,
) -> Result<Response, Error> {
    let declared = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .map(ToOwned::to_owned);
    let body = axum::body::to_bytes(request.into_body(), LARGEST)
        .await
        .map_err(|error| Error::ManifestInvalid(error.to_string()))?;
    let content: Content = serde_json::from_slice(&body)
        .map_err(|error| Error::ManifestInvalid(format!("the manifest is not valid: {error}")))?;
    let digest = Digest::of(&body);
    let tag = match reference.parse::<Digest>() {
        Ok(named) if named == digest => None,
        Ok(named) => {
            return Err(Error::DigestInvalid(format!(
                "the manifest has the digest {digest}, not {named}"
            )));
        }
        Err(_) => Some(reference),
    };
    let subject = content
        .subject
        .as_ref()
        .map(|subject| subject.digest.clone());
    store(world, name, tag, declared, &content, &body).await?;
    let mut response = (
        StatusCode::CREATED,
        [
            (header::LOCATION, format!("/v2/{name}/manifests/{digest}")),
            (DOCKER_CONTENT_DIGEST, digest.to_string()),
        ],
    )
        .into_response();
    if let Some(Ok(value)) = subject.map(|subject| HeaderValue::from_str(&subject)) {
        response.headers_mut().insert(OCI_SUBJECT, value);
    }
    Ok(response)
}

async fn store(
    world: &Arc<World>,
    name: &str,
    tag: Option<&str>,
    declared: Option<String>,
    content: &Content,
    body: &Bytes,
) -> Result<(), Error> {
    let digest = Digest::of(body);
    let check = |repository: &Repository| check(repository, tag, &digest, content);
    world.read(|state| check(repository(state, name)?))?;
    world.blobs.put(body).await?;
    let manifest = record(declared, content, body);
    world.change(|state| {
        // Somebody else may have taken the tag while the manifest was written.
        check(repository(state, name)?)?;
        let repository = state
            .repository_mut(name)
            .ok_or_else(|| Error::NameUnknown(name.to_owned()))?;
        repository
            .manifests
            .entry(digest.to_string())
            .or_insert(manifest);
        if let Some(tag) = tag {
            repository.tagged.insert(tag.to_owned(), digest.to_string());
        }
        Ok::<_, Error>(())
    })?;
    // The client may rely on what it was told, even if this process crashes.
    let world = Arc::clone(world);
    tokio::task::spawn_blocking(move || world.save())
        .await
        .map_err(std::io::Error::other)??;
    Ok(())
}

fn repository<'a>(state: &'a crate::state::State, name: &str) -> Result<&'a Repository, Error> {
    state
        .repository(name)
        .ok_or_else(|| Error::NameUnknown(name.to_owned()))
}

/// Immutable tags stay, and what a manifest refers to must be there.
fn check(
    repository: &Repository,
    tag: Option<&str>,
    digest: &Digest,
    content: &Content,
) -> Result<(), Error> {
    if let Some(tag) = tag {
        if !is_tag(tag) {
            return Err(Error::ManifestInvalid(format!("'{tag}' is not a tag")));
        }
        let other = repository
            .tagged
            .get(tag)
            .is_some_and(|old| old != digest.as_str());
        if other && repository.immutable_tags {
            return Err(Error::TagImmutable {
                tag: tag.to_owned(),
                repository: repository.name.clone(),
            });
        }
    }
    for blob in content.config.iter().chain(&content.layers) {
        if !repository.blobs.contains(&blob.digest) {
            return Err(Error::ManifestBlobUnknown(blob.digest.clone()));
        }
    }
    for child in &content.manifests {
        if !repository.manifests.contains_key(&child.digest) {
            return Err(Error::ManifestBlobUnknown(child.digest.clone()));
        }
    }
    Ok(())
}

/// `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`
fn is_tag(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.len() <= 128
        && text.chars().next().is_some_and(word)
        && text.chars().all(|c| word(c) || c == '.' || c == '-')
}

fn record(declared: Option<String>, content: &Content, body: &Bytes) -> Manifest {
    let parts = content
        .config
        .iter()
        .chain(&content.layers)
        .chain(&content.manifests);
    Manifest {
        media_type: declared
            .or_else(|| content.media_type.clone())
            .unwrap_or_else(|| "application/vnd.oci.image.manifest.v1+json".to_owned()),
        length: body.len() as u64,
        image_size: parts.map(|part| part.size).sum(),
        artifact_type: content.artifact_type.clone(),
        config_media_type: content
            .config
            .as_ref()
            .map(|config| config.media_type.clone()),
        subject: content
            .subject
            .as_ref()
            .map(|subject| subject.digest.clone()),
        annotations: content.annotations.clone(),
        pushed_at: Moment::now(),
    }
}

pub(super) fn tags(world: &Arc<World>, name: &str, query: &Query) -> Response {
    let all: Vec<String> = world.read(|state| {
        state
            .repository(name)
            .map(|repository| repository.tagged.keys().cloned().collect())
            .unwrap_or_default()
    });
    let after = query.get("last").unwrap_or_default();
    let mut page: Vec<String> = all
        .into_iter()
        .filter(|tag| after.is_empty() || tag.as_str() > after)
        .collect();
    let limit = query.get("n").and_then(|n| n.parse::<usize>().ok());
    let mut next = None;
    if let Some(limit) = limit
        && page.len() > limit
    {
        page.truncate(limit);
        next = page
            .last()
            .map(|last| format!("</v2/{name}/tags/list?n={limit}&last={last}>; rel=\"next\""));
    }
    let mut response = axum::Json(json!({ "name": name, "tags": page })).into_response();
    if let Some(Ok(value)) = next.map(|next| HeaderValue::from_str(&next)) {
        response.headers_mut().insert(header::LINK, value);
    }
    response
}

pub(super) fn referrers(world: &Arc<World>, name: &str, digest: &str, query: &Query) -> Response {
    let wanted = query.get("artifactType");
    let manifests: Vec<serde_json::Value> = world.read(|state| {
        let Some(repository) = state.repository(name) else {
            return Vec::new();
        };
        repository
            .manifests
            .iter()
            .filter(|(_, manifest)| manifest.subject.as_deref() == Some(digest))
            .map(|(digest, manifest)| (digest, manifest, artifact_type(manifest)))
            .filter(|(_, _, kind)| wanted.is_none_or(|wanted| wanted == kind))
            .map(|(digest, manifest, kind)| {
                json!({
                    "mediaType": manifest.media_type,
                    "digest": digest,
                    "size": manifest.length,
                    "artifactType": kind,
                    "annotations": manifest.annotations,
                })
            })
            .collect()
    });
    let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests });
    let mut response = ([(header::CONTENT_TYPE, OCI_INDEX)], index.to_string()).into_response();
    if wanted.is_some() {
        response.headers_mut().insert(
            HeaderName::from_static("oci-filters-applied"),
            HeaderValue::from_static("artifactType"),
        );
    }
    response
}

fn artifact_type(manifest: &Manifest) -> String {
    manifest
        .artifact_type
        .clone()
        .or_else(|| manifest.config_media_type.clone())
        .unwrap_or_default()
}
