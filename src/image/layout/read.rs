//! Reading a layout, and believing nothing that its digests do not prove.

use std::fs;
use std::path::Path;

use oci_spec::image::{
    Arch, Descriptor, ImageConfiguration, ImageIndex, ImageManifest, MediaType, OciLayout, Os,
};
use serde::de::DeserializeOwned;

use super::{INDEX, LAYOUT_VERSION, LayoutError, MARKER, blob_path};
use crate::image::digest::Digest;
use crate::image::model::{BlobDescriptor, Image, Platform};

/// Largest manifest, index or configuration that is read: 4 MiB, what registries accept
/// (OCI distribution specification, "Pushing manifests").
const LARGEST_DOCUMENT: u64 = 4 * 1024 * 1024;

/// How deep indexes may refer to indexes.
const DEEPEST_INDEX: usize = 4;

const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// Reads the one `linux/amd64` image of the layout at `folder` and verifies every blob.
///
/// # Errors
/// When the folder is no image layout, holds no such image or more than one, or when a
/// blob is missing or damaged.
pub fn read(folder: &Path) -> Result<Image, LayoutError> {
    let marker_path = folder.join(MARKER);
    if !marker_path.is_file() {
        return Err(LayoutError::NotALayout(folder.to_owned()));
    }
    let marker: OciLayout = parse(&marker_path, &read_document(&marker_path)?)?;
    if marker.image_layout_version() != LAYOUT_VERSION {
        return Err(LayoutError::Version {
            folder: folder.to_owned(),
            version: marker.image_layout_version().clone(),
        });
    }
    let descriptor = the_image(folder)?;
    read_image(folder, &descriptor)
}

/// The descriptor of the layout's only image for our platform.
fn the_image(folder: &Path) -> Result<Descriptor, LayoutError> {
    let path = folder.join(INDEX);
    let index: ImageIndex = parse(&path, &read_document(&path)?)?;
    let mut images = Vec::new();
    collect_images(folder, &index, 0, &mut images)?;
    let found: Vec<String> = images.iter().map(describe).collect();
    // A descriptor without a platform is taken at its configuration's word, later.
    let (named, unnamed): (Vec<_>, Vec<_>) = images
        .into_iter()
        .partition(|image| image.platform().is_some());
    let mut fitting: Vec<_> = named.into_iter().filter(is_for_target).collect();
    if fitting.is_empty() {
        fitting = unnamed;
    }
    match <[Descriptor; 1]>::try_from(fitting) {
        Ok([image]) => Ok(image),
        Err(fitting) if fitting.is_empty() => Err(LayoutError::NoImage {
            folder: folder.to_owned(),
            found,
        }),
        Err(fitting) => Err(LayoutError::ManyImages {
            folder: folder.to_owned(),
            found: fitting.iter().map(describe).collect(),
        }),
    }
}

fn collect_images(
    folder: &Path,
    index: &ImageIndex,
    depth: usize,
    images: &mut Vec<Descriptor>,
) -> Result<(), LayoutError> {
    for descriptor in index.manifests() {
        let media_type = descriptor.media_type().to_string();
        if *descriptor.media_type() == MediaType::ImageManifest || media_type == DOCKER_MANIFEST {
            if !images
                .iter()
                .any(|known| known.digest() == descriptor.digest())
            {
                images.push(descriptor.clone());
            }
        } else if *descriptor.media_type() == MediaType::ImageIndex || media_type == DOCKER_INDEX {
            let blob = BlobDescriptor::try_from(descriptor)?;
            let path = blob_path(folder, &blob.digest);
            if depth == DEEPEST_INDEX {
                return Err(LayoutError::malformed(
                    &path,
                    "indexes refer to indexes too deeply",
                ));
            }
            let nested: ImageIndex = parse(&path, &read_verified(folder, &blob)?)?;
            collect_images(folder, &nested, depth + 1, images)?;
        }
    }
    Ok(())
}

fn is_for_target(descriptor: &Descriptor) -> bool {
    descriptor.platform().as_ref().is_some_and(|platform| {
        *platform.os() == Os::Linux && *platform.architecture() == Arch::Amd64
    })
}

fn describe(descriptor: &Descriptor) -> String {
    let platform = descriptor.platform().as_ref().map_or_else(
        || "unknown platform".to_owned(),
        |platform| format!("{}/{}", platform.os(), platform.architecture()),
    );
    format!("{platform} {}", descriptor.digest())
}

fn read_image(folder: &Path, descriptor: &Descriptor) -> Result<Image, LayoutError> {
    let blob = BlobDescriptor::try_from(descriptor)?;
    let manifest_path = blob_path(folder, &blob.digest);
    let manifest_bytes = read_verified(folder, &blob)?;
    let manifest: ImageManifest = parse(&manifest_path, &manifest_bytes)?;

    let config_blob = BlobDescriptor::try_from(manifest.config())?;
    let config_path = blob_path(folder, &config_blob.digest);
    let config: ImageConfiguration = parse(&config_path, &read_verified(folder, &config_blob)?)?;
    let platform = Platform {
        os: config.os().clone(),
        architecture: config.architecture().clone(),
    };
    if platform != Platform::TARGET {
        return Err(LayoutError::NoImage {
            folder: folder.to_owned(),
            found: vec![format!("{platform} {}", blob.digest)],
        });
    }
    let layers = manifest
        .layers()
        .iter()
        .map(BlobDescriptor::try_from)
        .collect::<Result<Vec<_>, _>>()?;
    for layer in &layers {
        verify(folder, layer)?;
    }
    let label = |key: &str| {
        let labels = config.config().as_ref()?.labels().as_ref()?;
        labels
            .get(&format!("org.opencontainers.image.{key}"))
            .cloned()
    };
    let mut image = Image {
        size: 0,
        commit: label("revision"),
        version: label("version"),
        created: config
            .created()
            .as_ref()
            .and_then(|created| created.parse().ok()),
        digest: blob.digest,
        platform,
        layout: folder.to_owned(),
        manifest: manifest_bytes,
        manifest_media_type: blob.media_type,
        config,
        config_blob,
        layers,
    };
    image.size =
        image.manifest.len() as u64 + image.blobs().iter().map(|blob| blob.size).sum::<u64>();
    Ok(image)
}

fn read_verified(folder: &Path, blob: &BlobDescriptor) -> Result<Vec<u8>, LayoutError> {
    let path = blob_path(folder, &blob.digest);
    let content = read_document(&path)?;
    confirm(&path, blob, &Digest::of(&content), content.len() as u64)?;
    Ok(content)
}

fn verify(folder: &Path, blob: &BlobDescriptor) -> Result<(), LayoutError> {
    let path = blob_path(folder, &blob.digest);
    let (digest, size) = fs::File::open(&path)
        .and_then(Digest::of_reader)
        .map_err(LayoutError::io("read", &path))?;
    confirm(&path, blob, &digest, size)
}

fn confirm(
    path: &Path,
    blob: &BlobDescriptor,
    digest: &Digest,
    size: u64,
) -> Result<(), LayoutError> {
    if *digest == blob.digest && size == blob.size {
        return Ok(());
    }
    Err(LayoutError::Damaged {
        path: path.to_owned(),
        expected: format!("{} ({} bytes)", blob.digest, blob.size),
        actual: format!("{digest} ({size} bytes)"),
    })
}

fn read_document(path: &Path) -> Result<Vec<u8>, LayoutError> {
    let size = fs::metadata(path)
        .map_err(LayoutError::io("read", path))?
        .len();
    if size > LARGEST_DOCUMENT {
        return Err(LayoutError::malformed(
            path,
            format!("{size} bytes are more than the {LARGEST_DOCUMENT} that a registry takes"),
        ));
    }
    fs::read(path).map_err(LayoutError::io("read", path))
}

fn parse<T: DeserializeOwned>(path: &Path, content: &[u8]) -> Result<T, LayoutError> {
    serde_json::from_slice(content).map_err(|error| LayoutError::malformed(path, error))
}

impl TryFrom<&Descriptor> for BlobDescriptor {
    type Error = LayoutError;

    fn try_from(descriptor: &Descriptor) -> Result<Self, LayoutError> {
        let digest = descriptor.digest().to_string().parse();
        Ok(Self {
            digest: digest
                .map_err(|error| LayoutError::malformed(Path::new("descriptor"), error))?,
            size: descriptor.size(),
            media_type: descriptor.media_type().to_string(),
        })
    }
}
