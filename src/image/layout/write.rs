//! Writing a layout.

use std::fs;
use std::path::{Path, PathBuf};

use oci_spec::OciSpecError;
use oci_spec::image::{
    Descriptor, ImageIndexBuilder, MediaType, OciLayoutBuilder, PlatformBuilder, SCHEMA_VERSION,
    Sha256Digest,
};

use super::{INDEX, LAYOUT_VERSION, LayoutError, MARKER, blob_path, read};
use crate::image::assemble::{Assembled, canonical_json};
use crate::image::model::{Image, Platform};

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
    if fs::rename(&folder, &destination).is_ok() {
        return read(&destination);
    }
    // Something is in the way: the result of another build of the same commit that was
    // faster, or a damaged layout.
    if let Ok(image) = read(&destination) {
        return Ok(image);
    }
    fs::remove_dir_all(&destination)
        .and_then(|()| fs::rename(&folder, &destination))
        .map_err(LayoutError::io("replace", &destination))?;
    read(&destination)
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
    build().map_err(|error: OciSpecError| LayoutError::malformed(Path::new(INDEX), error))
}
