//! What an image's layers hold, file by file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use tar::{Archive, EntryType};

use super::digest::Digest;
use super::model::{BlobDescriptor, Image};

/// Why it is not known what an image's layers hold.
#[derive(Debug, thiserror::Error)]
pub enum ContentsError {
    /// A layer in a form that we do not read.
    #[error(
        "its layer {layer} has the media type {media_type}, and only tar archives, plain or compressed with gzip, are looked into: build the image with layers compressed with gzip (`docker buildx build --output type=oci,compression=gzip,force-compression=true`)"
    )]
    MediaType {
        /// The layer.
        layer: Digest,
        /// What the manifest says that it is.
        media_type: String,
    },
    /// A layer that is not what its media type says.
    #[error("its layer {layer} cannot be read as {media_type} ({source}): build the image again")]
    Unreadable {
        /// The layer.
        layer: Digest,
        /// What the manifest says that it is.
        media_type: String,
        /// What went wrong.
        source: io::Error,
    },
}

/// A file or folder of an image, as a container sees it.
#[derive(Debug, Clone)]
pub struct Item {
    /// What it is.
    pub kind: EntryType,
    /// Permission bits, with those for set-user-id and set-group-id.
    pub mode: u32,
    /// Bytes.
    pub size: u64,
    /// The content, of the file that was asked for.
    pub content: Option<Vec<u8>>,
}

/// Everything in the image by its path without the leading slash; the content of `wanted` as well.
///
/// # Errors
/// When a layer cannot be read.
pub fn items(
    image: &Image,
    wanted: Option<&Path>,
) -> Result<BTreeMap<PathBuf, Item>, ContentsError> {
    let mut items = BTreeMap::new();
    for layer in &image.layers {
        let unreadable = |source| ContentsError::Unreadable {
            layer: layer.digest.clone(),
            media_type: layer.media_type.clone(),
            source,
        };
        let file = File::open(image.blob_path(&layer.digest)).map_err(unreadable)?;
        add(&mut items, plain(layer, file)?, wanted).map_err(unreadable)?;
    }
    Ok(items)
}

/// A layer's tar archive, by its media type (OCI image specification, "Layer", and Docker's image
/// manifest version 2, schema 2, which writes `.tar.gzip`).
fn plain(layer: &BlobDescriptor, file: File) -> Result<Box<dyn Read>, ContentsError> {
    match layer.media_type.as_str() {
        gzip if gzip.ends_with(".tar+gzip") || gzip.ends_with(".tar.gzip") => {
            Ok(Box::new(GzDecoder::new(file)))
        }
        tar if tar.ends_with(".tar") => Ok(Box::new(file)),
        other => Err(ContentsError::MediaType {
            layer: layer.digest.clone(),
            media_type: other.to_owned(),
        }),
    }
}

/// Adds what an archive holds; a file of a layer below gives way.
fn add(
    items: &mut BTreeMap<PathBuf, Item>,
    archive: Box<dyn Read>,
    wanted: Option<&Path>,
) -> io::Result<()> {
    for entry in Archive::new(archive).entries()? {
        let mut entry = entry?;
        let path: PathBuf = entry.path()?.components().collect();
        let path = path.strip_prefix("/").unwrap_or(&path).to_owned();
        if is_root(&path) {
            continue;
        }
        let mut item = Item {
            kind: entry.header().entry_type(),
            mode: entry.header().mode()?,
            size: entry.size(),
            content: None,
        };
        if Some(path.as_path()) == wanted {
            let mut content = Vec::new();
            entry.read_to_end(&mut content)?;
            item.content = Some(content);
        }
        items.insert(path, item);
    }
    Ok(())
}

fn is_root(path: &Path) -> bool {
    path.as_os_str().is_empty() || path == Path::new(".")
}
