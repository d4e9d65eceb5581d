//! Layers onto a folder: whiteouts are obeyed, and nothing outside of the folder is touched.
//! <https://github.com/opencontainers/image-spec/blob/v1.1.0/layer.md>

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Component, Path, PathBuf};

use flate2::read::MultiGzDecoder;
use sha2::{Digest as _, Sha256};
use tar::{Archive, Entry, EntryType};

use super::image::Layer;

const WHITEOUT: &str = ".wh.";
const OPAQUE: &str = ".wh..wh..opq";

#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("layers of the type {0} are not supported")]
    MediaType(String),
    #[error("the uncompressed layer has the digest {actual}, not {expected}")]
    DiffId { actual: String, expected: String },
    #[error("the entry {} leads out of the image", .0.display())]
    Escape(PathBuf),
}

/// Applies one layer.
pub(super) fn layer(root: &Path, layer: &Layer) -> Result<(), Error> {
    let file = BufReader::new(File::open(&layer.path)?);
    let media_type = layer.media_type.as_str();
    let content: Box<dyn Read> = if media_type.ends_with("+gzip") || media_type.ends_with(".gzip") {
        Box::new(MultiGzDecoder::new(file))
    } else if media_type.ends_with(".tar") {
        Box::new(file)
    } else {
        return Err(Error::MediaType(media_type.to_owned()));
    };
    let mut content = Hashing {
        inner: content,
        hash: Sha256::new(),
    };
    apply(root, &mut content)?;
    // What follows the archive's end belongs to the digest too.
    io::copy(&mut content, &mut io::sink())?;
    let actual = format!("sha256:{}", hex::encode(content.hash.finalize()));
    if actual == layer.diff_id {
        Ok(())
    } else {
        Err(Error::DiffId {
            actual,
            expected: layer.diff_id.clone(),
        })
    }
}

struct Hashing<R> {
    inner: R,
    hash: Sha256,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.hash.update(&buffer[..length]);
        Ok(length)
    }
}

fn apply(root: &Path, content: &mut impl Read) -> Result<(), Error> {
    let mut archive = Archive::new(content);
    archive.set_preserve_mtime(false);
    for entry in archive.entries()? {
        apply_entry(root, &mut entry?)?;
    }
    Ok(())
}

fn apply_entry(root: &Path, entry: &mut Entry<'_, impl Read>) -> Result<(), Error> {
    let path = entry.path()?.into_owned();
    let Some(relative) = inside(&path)? else {
        return Ok(());
    };
    let parent = relative.parent().unwrap_or(Path::new(""));
    refuse_links(root, parent, &path)?;
    let name = relative
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    if name == OPAQUE {
        return clear(&root.join(parent));
    }
    if let Some(hidden) = name.strip_prefix(WHITEOUT) {
        return remove(&root.join(parent).join(hidden));
    }
    let kind = entry.header().entry_type();
    if matches!(kind, EntryType::Block | EntryType::Char | EntryType::Fifo) {
        tracing::debug!(path = %path.display(), "a device in an image: left out");
        return Ok(());
    }
    if kind == EntryType::Link
        && let Some(target) = entry.link_name()?
        && let Some(target_inside) = inside(&target)?
    {
        refuse_links(root, &target_inside, &target)?;
    }
    let place = root.join(&relative);
    if let Ok(existing) = fs::symlink_metadata(&place)
        && !(existing.is_dir() && kind == EntryType::Directory)
    {
        remove(&place)?;
    }
    if entry.unpack_in(root)? {
        Ok(())
    } else {
        Err(Error::Escape(path))
    }
}

/// The path below the root; `None` for the root itself.
fn inside(path: &Path) -> Result<Option<PathBuf>, Error> {
    let mut relative = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => relative.push(part),
            Component::CurDir | Component::RootDir => {}
            Component::ParentDir | Component::Prefix(_) => {
                return Err(Error::Escape(path.to_owned()));
            }
        }
    }
    Ok((!relative.as_os_str().is_empty()).then_some(relative))
}

/// A folder that is a link could lead anywhere.
fn refuse_links(root: &Path, folder: &Path, entry: &Path) -> Result<(), Error> {
    let mut place = root.to_owned();
    for part in folder.components() {
        place.push(part);
        if fs::symlink_metadata(&place).is_ok_and(|found| found.is_symlink()) {
            return Err(Error::Escape(entry.to_owned()));
        }
    }
    Ok(())
}

fn clear(folder: &Path) -> Result<(), Error> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        remove(&entry?.path())?;
    }
    Ok(())
}

fn remove(path: &Path) -> Result<(), Error> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    };
    Ok(removed?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tar::{Builder, Header};

    fn archive(entries: &[(&str, EntryType, &str)]) -> Vec<u8> {
        let mut builder = Builder::new(Vec::new());
        for (path, kind, content) in entries {
            let mut header = Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_mode(0o755);
            let bytes: &[u8] = match kind {
                EntryType::Regular => content.as_bytes(),
                EntryType::Symlink | EntryType::Link => {
                    header.set_link_name(content).unwrap();
                    &[]
                }
                _ => &[],
            };
            header.set_size(bytes.len() as u64);
            // Builder refuses what an attacker would write.
            let name = &mut header.as_old_mut().name;
            name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_cksum();
            builder.append(&header, bytes).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn unpack(root: &Path, entries: &[(&str, EntryType, &str)]) -> Result<(), Error> {
        apply(root, &mut archive(entries).as_slice())
    }

    #[test]
    fn files_folders_and_links() {
        let root = tempfile::tempdir().unwrap();
        unpack(
            root.path(),
            &[
                ("etc/", EntryType::Directory, ""),
                ("etc/a", EntryType::Regular, "one"),
                ("/etc/b", EntryType::Regular, "two"),
                ("./etc/c", EntryType::Symlink, "/etc/a"),
                ("etc/d", EntryType::Link, "etc/a"),
            ],
        )
        .unwrap();
        let read = |path: &str| fs::read_to_string(root.path().join(path)).unwrap();
        assert_eq!(read("etc/a"), "one");
        assert_eq!(read("etc/b"), "two");
        assert_eq!(read("etc/d"), "one");
        assert_eq!(
            fs::read_link(root.path().join("etc/c")).unwrap(),
            Path::new("/etc/a")
        );
    }

    #[test]
    fn whiteouts() {
        let root = tempfile::tempdir().unwrap();
        unpack(
            root.path(),
            &[
                ("a/x", EntryType::Regular, ""),
                ("a/y", EntryType::Regular, ""),
                ("b/x", EntryType::Regular, ""),
                ("c", EntryType::Regular, ""),
            ],
        )
        .unwrap();
        unpack(
            root.path(),
            &[
                ("a/.wh.x", EntryType::Regular, ""),
                ("b/.wh..wh..opq", EntryType::Regular, ""),
                ("b/z", EntryType::Regular, ""),
                ("c/d", EntryType::Regular, ""),
            ],
        )
        .expect_err("a file is no folder");
        unpack(root.path(), &[("c/", EntryType::Directory, "")]).unwrap();
        unpack(root.path(), &[("c/d", EntryType::Regular, "")]).unwrap();
        let exists = |path: &str| root.path().join(path).exists();
        assert!(!exists("a/x") && exists("a/y"));
        assert!(!exists("b/x") && exists("b/z") && exists("c/d"));
    }

    #[test]
    fn nothing_outside_is_touched() {
        let outside = tempfile::tempdir().unwrap();
        let secret = outside.path().join("secret");
        fs::write(&secret, "kept").unwrap();
        let elsewhere = outside.path().to_str().unwrap();
        let attacks: [&[(&str, EntryType, &str)]; 5] = [
            &[("../secret", EntryType::Regular, "gone")],
            &[("a/../../secret", EntryType::Regular, "gone")],
            &[
                ("l", EntryType::Symlink, elsewhere),
                ("l/secret", EntryType::Regular, "gone"),
            ],
            &[
                ("l", EntryType::Symlink, elsewhere),
                ("l/.wh.secret", EntryType::Regular, ""),
            ],
            &[
                ("l", EntryType::Symlink, elsewhere),
                ("h", EntryType::Link, "l/secret"),
            ],
        ];
        for attack in attacks {
            let root = tempfile::tempdir_in(outside.path()).unwrap();
            assert!(
                matches!(unpack(root.path(), attack), Err(Error::Escape(_))),
                "{attack:?}"
            );
            assert_eq!(fs::read_to_string(&secret).unwrap(), "kept");
        }
    }
}
