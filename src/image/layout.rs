//! Folders in the OCI image layout (OCI image specification, "Image Layout").

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use oci_spec::image::{
    Arch, Descriptor, ImageConfiguration, ImageIndex, ImageIndexBuilder, ImageManifest, MediaType,
    OciLayout, OciLayoutBuilder, Os, PlatformBuilder, SCHEMA_VERSION, Sha256Digest,
};
use serde::de::DeserializeOwned;

use super::assemble::{Assembled, canonical_json};
use super::digest::Digest;
use super::model::{BlobDescriptor, Image, Platform};

const MARKER: &str = "oci-layout";
const INDEX: &str = "index.json";
const LAYOUT_VERSION: &str = "1.0.0";

/// Largest manifest, index or configuration that is read: 4 MiB, what registries accept
/// (OCI distribution specification, "Pushing manifests").
const LARGEST_DOCUMENT: u64 = 4 * 1024 * 1024;

/// How deep indexes may refer to indexes.
const DEEPEST_INDEX: usize = 4;

const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// The file of a blob in the layout at `layout`.
pub fn blob_path(layout: &Path, digest: &Digest) -> PathBuf {
    layout.join("blobs").join("sha256").join(digest.hex())
}

/// Writes `assembled` into the folder `images`, as a folder named after its digest, and
/// reads it back. The folder appears complete or not at all; one that is there already and
/// is sound is kept.
///
/// # Errors
/// When a file cannot be written, or what was written does not read back.
pub fn write(images: &Path, assembled: &Assembled) -> Result<Image, LayoutError> {
    let destination = images.join(assembled.digest().hex());
    if let Ok(image) = read(&destination) {
        return Ok(image);
    }
    fs::create_dir_all(images).map_err(LayoutError::io("create", images))?;
    let unfinished = tempfile::Builder::new()
        .prefix(".unfinished-")
        .tempdir_in(images)
        .map_err(LayoutError::io("create a folder in", images))?;
    // A folder within the temporary one, because that is closed to other users.
    let folder = unfinished.path().join("layout");
    write_files(&folder, assembled)?;
    if let Err(error) = replace(&folder, &destination) {
        // Another build of the same commit may have been faster.
        return read(&destination).map_err(|_| LayoutError::io("write", &destination)(error));
    }
    read(&destination)
}

/// Moves `folder` to `destination`, where a damaged layout may be in the way.
fn replace(folder: &Path, destination: &Path) -> io::Result<()> {
    match fs::remove_dir_all(destination) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::rename(folder, destination)
}

fn write_files(folder: &Path, assembled: &Assembled) -> Result<(), LayoutError> {
    let blobs = folder.join("blobs").join("sha256");
    fs::create_dir_all(&blobs).map_err(LayoutError::io("create", &blobs))?;
    let put = |path: PathBuf, content: &[u8]| {
        fs::write(&path, content).map_err(LayoutError::io("write", &path))
    };
    for (digest, content) in &assembled.blobs {
        put(blob_path(folder, digest), content)?;
    }
    put(blob_path(folder, &assembled.digest()), &assembled.manifest)?;
    put(folder.join(INDEX), &index(assembled)?)?;
    let marker = OciLayoutBuilder::default()
        .image_layout_version(LAYOUT_VERSION)
        .build()
        .and_then(|marker| Ok(canonical_json(&marker)?));
    put(
        folder.join(MARKER),
        &marker.map_err(|error| LayoutError::malformed(&folder.join(MARKER), error))?,
    )
}

fn index(assembled: &Assembled) -> Result<Vec<u8>, LayoutError> {
    let build = || {
        let digest: Sha256Digest = assembled.digest().hex().parse()?;
        let mut manifest = Descriptor::new(
            MediaType::ImageManifest,
            assembled.manifest.len() as u64,
            digest,
        );
        let platform = PlatformBuilder::default()
            .os(Platform::TARGET.os)
            .architecture(Platform::TARGET.architecture)
            .build()?;
        manifest.set_platform(Some(platform));
        let index = ImageIndexBuilder::default()
            .schema_version(SCHEMA_VERSION)
            .media_type(MediaType::ImageIndex)
            .manifests([manifest])
            .build()?;
        Ok(canonical_json(&index)?)
    };
    build().map_err(|error: oci_spec::OciSpecError| LayoutError::malformed(Path::new(INDEX), error))
}

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

/// Why a folder does not hold an image that we can use, or could not be written.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// There is no `oci-layout` file.
    #[error("{0} is not a folder in the OCI image layout: it has no file `oci-layout`")]
    NotALayout(PathBuf),
    /// A version of the layout that we do not know.
    #[error("{folder} has version {version} of the OCI image layout; only 1.0.0 is known")]
    Version {
        /// The layout's folder.
        folder: PathBuf,
        /// The version that it names.
        version: String,
    },
    /// No image for `linux/amd64`.
    #[error("{folder} holds no linux/amd64 image; found: {}", list(found))]
    NoImage {
        /// The layout's folder.
        folder: PathBuf,
        /// Platform and digest of the images that it holds.
        found: Vec<String>,
    },
    /// More than one candidate, so nobody can say which one is meant.
    #[error(
        "{folder} holds more than one linux/amd64 image: {}; keep one",
        list(found)
    )]
    ManyImages {
        /// The layout's folder.
        folder: PathBuf,
        /// Platform and digest of the candidates.
        found: Vec<String>,
    },
    /// A blob is not what its name says.
    #[error("{path} is damaged: expected {expected}, found {actual}; build the image again")]
    Damaged {
        /// The blob's file.
        path: PathBuf,
        /// Digest and size that the image names.
        expected: String,
        /// Digest and size of the file.
        actual: String,
    },
    /// A document is not what the specification says.
    #[error("{path} is malformed: {reason}")]
    Malformed {
        /// The document.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The disk did not do its part.
    #[error("could not {action} {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl LayoutError {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }

    fn malformed(path: &Path, reason: impl ToString) -> Self {
        Self::Malformed {
            path: path.to_owned(),
            reason: reason.to_string(),
        }
    }
}

fn list(found: &[String]) -> String {
    if found.is_empty() {
        "no image at all".to_owned()
    } else {
        found.join(", ")
    }
}
