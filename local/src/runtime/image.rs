//! Images of the environment's registry: from a reference to a verified manifest, configuration and
//! layers.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use oci_spec::distribution::Reference;
use oci_spec::image::{ImageConfiguration, ImageIndex, ImageManifest};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{LaunchError, unpack};
use crate::registry::blobs::{Digest, verify};
use crate::world::World;

/// A pulled image.
#[derive(Debug)]
pub(crate) struct Image {
    /// Digest of the manifest that the reference names; of an index, if it names one.
    pub digest: String,
    pub configuration: ImageConfiguration,
    pub layers: Vec<Layer>,
}

/// One layer of a pulled image.
#[derive(Debug, Clone)]
pub(crate) struct Layer {
    pub digest: Digest,
    pub media_type: String,
    /// Digest of the uncompressed layer.
    pub diff_id: String,
    pub path: PathBuf,
}

/// Where a reference points within this environment's registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    pub repository: String,
    /// A digest where there is one, else a tag.
    pub reference: String,
}

/// Finds what the reference names.
pub(crate) fn locate(world: &World, image: &str) -> Result<Source, LaunchError> {
    let refused = |why: &str| {
        LaunchError::CannotPull(format!(
            "pull image manifest has been retried 1 time(s): failed to resolve ref {image}: {why}"
        ))
    };
    if world.faults.refuses_pull(image) {
        return Err(refused(
            "unexpected status from HEAD request: 403 Forbidden",
        ));
    }
    let reference: Reference =
        image
            .parse()
            .map_err(|error: oci_spec::distribution::ParseError| {
                LaunchError::CannotPull(format!("invalid reference format: {error}"))
            })?;
    let host = reference.registry();
    if !world.read(|state| state.addresses.is_our_registry(host)) {
        return Err(refused(&format!(
            "failed to do request: the local environment reaches only its own registry, not {host}"
        )));
    }
    let wanted = reference
        .digest()
        .or(reference.tag())
        .unwrap_or("latest")
        .to_owned();
    let found = world.read(|state| {
        state
            .repository(reference.repository())
            .is_some_and(|repository| repository.resolve(&wanted).is_some())
    });
    if !found {
        return Err(refused(&format!("{image}: not found")));
    }
    Ok(Source {
        repository: reference.repository().to_owned(),
        reference: wanted,
    })
}

/// Reads and verifies the image. Every byte is checked against its digest.
pub(crate) async fn pull(world: &World, image: &str) -> Result<Image, LaunchError> {
    let source = locate(world, image)?;
    let broken = |why: String| LaunchError::CannotPull(format!("failed to copy {image}: {why}"));
    let digest = world
        .read(|state| {
            state
                .repository(&source.repository)?
                .resolve(&source.reference)
        })
        .ok_or_else(|| broken("the manifest is gone".to_owned()))?;
    let manifest = manifest(world, &digest).await.map_err(broken)?;
    let config = content(world, manifest.config().digest().as_ref())
        .await
        .map_err(broken)?;
    let configuration: ImageConfiguration =
        serde_json::from_slice(&config).map_err(|error| broken(error.to_string()))?;
    let diff_ids = configuration.rootfs().diff_ids();
    if diff_ids.len() != manifest.layers().len() {
        return Err(broken(format!(
            "the configuration names {} layers and the manifest {}",
            diff_ids.len(),
            manifest.layers().len()
        )));
    }
    let mut layers = Vec::new();
    for (layer, diff_id) in manifest.layers().iter().zip(diff_ids) {
        let digest: Digest = layer.digest().as_ref().parse().map_err(broken)?;
        layers.push(Layer {
            path: world.blobs.path(&digest),
            digest,
            media_type: layer.media_type().to_string(),
            diff_id: diff_id.clone(),
        });
    }
    Ok(Image {
        digest,
        configuration,
        layers,
    })
}

/// Follows an index to the one image for this platform.
async fn manifest(world: &World, digest: &str) -> Result<ImageManifest, String> {
    let text = content(world, digest).await?;
    let value: Value = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    if value.get("manifests").is_none() {
        return serde_json::from_value(value).map_err(|error| error.to_string());
    }
    let index: ImageIndex = serde_json::from_value(value).map_err(|error| error.to_string())?;
    let child = index
        .manifests()
        .iter()
        .find(|child| {
            child.platform().as_ref().is_some_and(|platform| {
                platform.os().to_string() == "linux"
                    && platform.architecture().to_string() == "amd64"
            })
        })
        .ok_or("no match for platform linux/amd64 in manifest: not found")?;
    let text = content(world, child.digest().as_ref()).await?;
    serde_json::from_slice(&text).map_err(|error| error.to_string())
}

async fn content(world: &World, digest: &str) -> Result<Vec<u8>, String> {
    let digest: Digest = digest.parse()?;
    let bytes = world
        .blobs
        .read(&digest)
        .await
        .map_err(|error| format!("{digest}: {error}"))?;
    if Digest::of(&bytes) == digest {
        Ok(bytes)
    } else {
        Err(format!("{digest}: the content has another digest"))
    }
}

/// Unpacks the image's layers once; tasks of the same image share the folder.
pub(crate) async fn root_filesystem(world: &World, image: &Image) -> Result<PathBuf, LaunchError> {
    let broken = |why: String| LaunchError::CannotPull(format!("failed to register layer: {why}"));
    let mut chain = Sha256::new();
    for layer in &image.layers {
        chain.update(layer.digest.as_str());
    }
    let key = hex::encode(chain.finalize());
    let folder = root_filesystems(&world.state_dir);
    let done = folder.join(&key);
    if done.exists() {
        return Ok(done);
    }
    for layer in &image.layers {
        let intact = verify(&layer.path, &layer.digest)
            .await
            .map_err(|error| broken(format!("{}: {error}", layer.digest)))?;
        if !intact {
            return Err(broken(format!(
                "{}: the content has another digest",
                layer.digest
            )));
        }
    }
    let layers = Arc::new(image.layers.clone());
    let target = done.clone();
    tokio::task::spawn_blocking(move || unpack_atomically(&folder, &target, &layers))
        .await
        .map_err(|error| broken(error.to_string()))?
        .map_err(broken)?;
    Ok(done)
}

/// Where the unpacked images are. A new life starts without any.
pub(crate) fn root_filesystems(state_dir: &Path) -> PathBuf {
    state_dir.join("rootfs")
}

fn unpack_atomically(folder: &Path, target: &Path, layers: &[Layer]) -> Result<(), String> {
    let work = tempfile::Builder::new()
        .prefix("unpacking-")
        .tempdir_in(folder)
        .map_err(|error| error.to_string())?;
    let root = work.path().join("root");
    std::fs::create_dir(&root).map_err(|error| error.to_string())?;
    for layer in layers {
        unpack::layer(&root, layer).map_err(|error| format!("{}: {error}", layer.digest))?;
    }
    match std::fs::rename(&root, target) {
        // Another task of the same image was quicker.
        Err(_) if target.exists() => Ok(()),
        other => other.map_err(|error| error.to_string()),
    }
}
