//! Layers: tar archives whose bytes depend on their entries alone.

use std::io;

use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};

use crate::image::digest::Digest;

/// Gzip's "unknown" operating system (RFC 1952, section 2.3.1).
const GZIP_UNKNOWN_SYSTEM: u8 = 255;

/// A file or folder of a layer; owned by root, dated 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Path without a leading slash.
    path: String,
    /// Permission bits.
    mode: u32,
    /// A file's content; `None` for a folder.
    content: Option<Vec<u8>>,
}

impl Entry {
    /// A regular file.
    pub fn file(path: &str, mode: u32, content: Vec<u8>) -> Self {
        Self {
            path: path.to_owned(),
            mode,
            content: Some(content),
        }
    }

    /// A folder.
    pub fn directory(path: &str, mode: u32) -> Self {
        Self {
            path: format!("{path}/"),
            mode,
            content: None,
        }
    }
}

/// A packed layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Digest of the uncompressed archive, for the configuration's `rootfs`.
    pub diff_id: Digest,
    /// The archive, compressed with gzip.
    pub compressed: Vec<u8>,
}

impl Layer {
    /// The layer with this uncompressed archive.
    ///
    /// # Errors
    /// Compressing in memory has none; the trait it goes through does.
    pub fn of(archive: Vec<u8>) -> io::Result<Self> {
        let mut compressed = GzBuilder::new()
            .mtime(0)
            .operating_system(GZIP_UNKNOWN_SYSTEM)
            .write(Vec::new(), Compression::default());
        io::Write::write_all(&mut compressed, &archive)?;
        Ok(Self {
            diff_id: Digest::of(&archive),
            compressed: compressed.finish()?,
        })
    }
}

/// Packs `entries` in the order of their paths, so folders come before what they hold.
///
/// # Errors
/// When a path does not fit into a tar header.
pub fn pack(mut entries: Vec<Entry>) -> io::Result<Layer> {
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    let mut archive = Builder::new(Vec::new());
    for entry in &entries {
        archive.append(
            &header(entry)?,
            entry.content.as_deref().unwrap_or_default(),
        )?;
    }
    Layer::of(archive.into_inner()?)
}

fn header(entry: &Entry) -> io::Result<Header> {
    let content = entry.content.as_deref();
    let mut header = Header::new_ustar();
    header.set_path(&entry.path)?;
    header.set_entry_type(match content {
        Some(_) => EntryType::Regular,
        None => EntryType::Directory,
    });
    header.set_size(content.map_or(0, |content| content.len() as u64));
    header.set_mode(entry.mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_cksum();
    Ok(header)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use proptest::prelude::*;

    use super::*;

    /// Distinct paths with content (or none, for folders).
    fn entries() -> impl Strategy<Value = Vec<Entry>> {
        let content = proptest::option::of(proptest::collection::vec(any::<u8>(), 0..2000));
        proptest::collection::btree_map(
            "[a-z]{1,8}(/[a-z]{1,8}){0,3}",
            (content, 0u32..0o1000),
            0..8,
        )
        .prop_map(|entries| {
            entries
                .into_iter()
                .map(|(path, (content, mode))| match content {
                    Some(content) => Entry::file(&path, mode, content),
                    None => Entry::directory(&path, mode),
                })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn the_order_of_entries_does_not_matter(entries in entries(), turn in 0usize..8) {
            let mut turned = entries.clone();
            if !turned.is_empty() {
                let turn = turn % turned.len();
                turned.rotate_left(turn);
            }
            prop_assert_eq!(pack(entries).unwrap(), pack(turned).unwrap());
        }

        #[test]
        fn what_was_packed_comes_out_again(entries in entries()) {
            let layer = pack(entries.clone()).unwrap();
            let mut plain = Vec::new();
            flate2::read::GzDecoder::new(&layer.compressed[..]).read_to_end(&mut plain).unwrap();
            prop_assert_eq!(&Digest::of(&plain), &layer.diff_id);

            let mut archive = tar::Archive::new(&plain[..]);
            let mut unpacked = Vec::new();
            for entry in archive.entries().unwrap() {
                let mut entry = entry.unwrap();
                let header = entry.header().clone();
                prop_assert_eq!(header.mtime().unwrap(), 0);
                prop_assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0));
                let path = entry.path().unwrap().to_str().unwrap().trim_end_matches('/').to_owned();
                let mode = header.mode().unwrap();
                unpacked.push(if header.entry_type().is_dir() {
                    Entry::directory(&path, mode)
                } else {
                    let mut content = Vec::new();
                    entry.read_to_end(&mut content).unwrap();
                    Entry::file(&path, mode, content)
                });
            }
            let mut expected = entries;
            expected.sort_by(|a, b| a.path.cmp(&b.path));
            prop_assert_eq!(unpacked, expected);
        }
    }

    #[test]
    fn a_folder_comes_before_what_it_holds() {
        let entries = vec![
            Entry::file("etc/a", 0o444, vec![]),
            Entry::directory("etc", 0o755),
        ];
        let layer = pack(entries).unwrap();
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&layer.compressed[..]));
        let paths: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| entry.unwrap().path().unwrap().into_owned())
            .collect();
        assert_eq!(paths, [std::path::PathBuf::from("etc/"), "etc/a".into()]);
    }

    #[test]
    fn a_path_that_does_not_fit_is_an_error() {
        assert!(pack(vec![Entry::file(&"x".repeat(300), 0o444, vec![])]).is_err());
    }
}
