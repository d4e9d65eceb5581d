//! Pushing blobs: in one request, in chunks, or by mounting from another repository.

use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{self, HeaderName, HeaderValue};

use super::blobs::{Digest, Upload, received};
use super::error::Error;
use super::{DOCKER_CONTENT_DIGEST, Query};
use crate::world::World;

const DOCKER_UPLOAD_UUID: HeaderName = HeaderName::from_static("docker-upload-uuid");

pub(super) async fn start(
    world: &Arc<World>,
    name: &str,
    query: &Query,
    body: Body,
) -> Result<Response, Error> {
    // Without a mount, an upload begins ("Mounting a blob from another repository").
    if let Some(digest) = query.get("mount")
        && !world.faults.refuses_mount(name)
        && mount(world, name, digest, query.get("from"))?
    {
        return Ok(created(name, digest));
    }
    let id = world.blobs.start().await?;
    if let Some(digest) = query.get("digest") {
        let digest: Digest = digest.parse().map_err(Error::DigestInvalid)?;
        let upload = world.blobs.upload(&id)?;
        receive(world, name, &mut *upload.lock().await, body).await?;
        return complete(world, name, &id, &digest).await;
    }
    Ok(accepted(name, &id, 0))
}

/// Lets this repository read a blob of another one (or of any, if none is named).
fn mount(world: &World, name: &str, digest: &str, from: Option<&str>) -> Result<bool, Error> {
    let digest: Digest = digest.parse().map_err(Error::DigestInvalid)?;
    Ok(world.change(|state| {
        let found = state.repositories.iter().any(|repository| {
            from.is_none_or(|from| repository.name == from)
                && repository.blobs.contains(digest.as_str())
        });
        if found && let Some(repository) = state.repository_mut(name) {
            repository.blobs.insert(digest.as_str().to_owned());
        }
        found
    }))
}

pub(super) async fn status(world: &Arc<World>, name: &str, id: &str) -> Result<Response, Error> {
    let upload = world.blobs.upload(id)?;
    let size = upload.lock().await.size;
    let mut response = accepted(name, id, size);
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

pub(super) async fn append(
    world: &Arc<World>,
    name: &str,
    id: &str,
    range: Option<&HeaderValue>,
    body: Body,
) -> Result<Response, Error> {
    let upload = world.blobs.upload(id)?;
    let mut upload = upload.lock().await;
    check_start(name, id, range, upload.size)?;
    receive(world, name, &mut upload, body).await?;
    Ok(accepted(name, id, upload.size))
}

pub(super) async fn finish(
    world: &Arc<World>,
    name: &str,
    id: &str,
    range: Option<&HeaderValue>,
    query: &Query,
    body: Body,
) -> Result<Response, Error> {
    let digest: Digest = query
        .get("digest")
        .ok_or_else(|| Error::DigestInvalid("the digest is missing".to_owned()))?
        .parse()
        .map_err(Error::DigestInvalid)?;
    {
        let upload = world.blobs.upload(id)?;
        let mut upload = upload.lock().await;
        check_start(name, id, range, upload.size)?;
        receive(world, name, &mut upload, body).await?;
    }
    complete(world, name, id, &digest).await
}

/// Takes a request's body, as far as a fault lets it come.
async fn receive(world: &World, name: &str, upload: &mut Upload, body: Body) -> Result<(), Error> {
    let received = upload.receive(body, world.faults.upload_limit(name)).await;
    if matches!(received, Err(Error::CutOff)) {
        world.faults.upload_broke(name);
    }
    received
}

pub(super) async fn cancel(world: &Arc<World>, id: &str) -> Result<Response, Error> {
    world.blobs.cancel(id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn complete(
    world: &Arc<World>,
    name: &str,
    id: &str,
    digest: &Digest,
) -> Result<Response, Error> {
    world.blobs.finish(id, digest).await?;
    world.touch(|state| {
        if let Some(repository) = state.repository_mut(name) {
            repository.blobs.insert(digest.as_str().to_owned());
        }
    });
    Ok(created(name, digest.as_str()))
}

/// A chunk that names its range must continue where the upload ends.
fn check_start(name: &str, id: &str, range: Option<&HeaderValue>, size: u64) -> Result<(), Error> {
    let Some(range) = range else {
        return Ok(());
    };
    let text = range.to_str().unwrap_or_default();
    let text = text.strip_prefix("bytes ").unwrap_or(text);
    let start = text
        .split('-')
        .next()
        .and_then(|start| start.parse::<u64>().ok())
        .ok_or_else(|| Error::UploadInvalid(format!("{text} is not a Content-Range")))?;
    if start == size {
        return Ok(());
    }
    Err(Error::RangeInvalid {
        location: location(name, id),
        size,
    })
}

fn location(name: &str, id: &str) -> String {
    format!("/v2/{name}/blobs/uploads/{id}")
}

fn accepted(name: &str, id: &str, size: u64) -> Response {
    let headers = [
        (header::LOCATION, location(name, id)),
        (header::RANGE, received(size)),
        (DOCKER_UPLOAD_UUID, id.to_owned()),
    ];
    (StatusCode::ACCEPTED, headers).into_response()
}

fn created(name: &str, digest: &str) -> Response {
    let headers = [
        (header::LOCATION, format!("/v2/{name}/blobs/{digest}")),
        (DOCKER_CONTENT_DIGEST, digest.to_owned()),
    ];
    (StatusCode::CREATED, headers).into_response()
}
