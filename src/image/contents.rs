//! What an image's layers hold, file by file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use tar::{Archive, EntryType};

use super::model::Image;

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
pub fn items(image: &Image, wanted: Option<&Path>) -> io::Result<BTreeMap<PathBuf, Item>> {
    let mut items = BTreeMap::new();
    for layer in &image.layers {
        let file = File::open(image.blob_path(&layer.digest))?;
        let plain: Box<dyn Read> = if layer.media_type.ends_with("gzip") {
            Box::new(GzDecoder::new(file))
        } else {
            Box::new(file)
        };
        for entry in Archive::new(plain).entries()? {
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
    }
    Ok(items)
}

fn is_root(path: &Path) -> bool {
    path.as_os_str().is_empty() || path == Path::new(".")
}
