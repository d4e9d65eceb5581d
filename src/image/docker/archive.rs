//! What `docker save` writes (moby's image specification, "Combined Image JSON + Filesystem
//! Changeset Format"), turned into an OCI image whose bytes depend on its files alone.

use std::collections::HashMap;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use flate2::read::GzDecoder;
use jiff::Timestamp;
use oci_spec::image::{ImageConfiguration, RootFsBuilder};
use serde::Deserialize;
use tar::{Archive, Builder, EntryType, Header};

use super::error::DockerBuildError;
use crate::image::assemble::{Assembled, Layer, canonical_json, combine};
use crate::image::digest::Digest;
use crate::image::elf::check_static_x86_64;

/// With it Podman says which version built an image (buildah-build(1), `--identity-label`).
const BUILDAH_LABEL: &str = "io.buildah.version";
const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];

/// The archive's own list of images; ours has one.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    config: String,
    layers: Vec<String>,
}

/// Reads an exported image; its files and layers are dated 1970, the image `created`.
pub fn read(export: &[u8], created: Timestamp) -> Result<Assembled, DockerBuildError> {
    let members = Members::read(export).map_err(unusable)?;
    let listed: Vec<Listed> = parse(members.get("manifest.json")?)?;
    let [image] = listed.as_slice() else {
        return Err(unusable(format!("it lists {} images", listed.len())));
    };
    let mut config: ImageConfiguration = parse(members.get(&image.config)?)?;
    let layers = image
        .layers
        .iter()
        .map(|name| normalised(members.get(name)?, config.rootfs().diff_ids()))
        .collect::<Result<Vec<Layer>, _>>()?;
    check_program(&config, &layers)?;

    let diff_ids: Vec<String> = layers
        .iter()
        .map(|layer| layer.diff_id.to_string())
        .collect();
    let rootfs = RootFsBuilder::default()
        .typ("layers")
        .diff_ids(diff_ids)
        .build()
        .map_err(unusable)?;
    config.set_rootfs(rootfs);
    forget_the_build(&mut config);
    config.set_created(Some(created.to_string()));
    let config = canonical_json(&config).map_err(unusable)?;
    Ok(combine(config, layers)?)
}

/// Takes out what tells of this very build or of the engine's kind and version, so that equal files
/// give an equal image, whoever built it.
fn forget_the_build(config: &mut ImageConfiguration) {
    config.set_history(None);
    let Some(mut run) = config.config().clone() else {
        return;
    };
    if let Some(labels) = run.labels_mut() {
        labels.remove(BUILDAH_LABEL);
    }
    if run.volumes().as_ref().is_some_and(Vec::is_empty) {
        run.set_volumes(None);
    }
    config.set_config(Some(run));
}

fn unusable(error: impl ToString) -> DockerBuildError {
    DockerBuildError::Export(error.to_string())
}

fn parse<T: serde::de::DeserializeOwned>(content: &[u8]) -> Result<T, DockerBuildError> {
    serde_json::from_slice(content).map_err(unusable)
}

/// The files of the archive by name; equal layers are links to the first.
struct Members {
    files: HashMap<PathBuf, Vec<u8>>,
    links: HashMap<PathBuf, PathBuf>,
}

impl Members {
    fn read(export: &[u8]) -> io::Result<Self> {
        let (mut files, mut links) = (HashMap::new(), HashMap::new());
        for entry in Archive::new(export).entries()? {
            let mut entry = entry?;
            let path = entry.path()?.into_owned();
            if let Some(target) = entry.link_name()? {
                let folder = path.parent().unwrap_or(Path::new(""));
                links.insert(path.clone(), resolved(&folder.join(target)));
            } else if entry.header().entry_type().is_file() {
                let mut content = Vec::new();
                entry.read_to_end(&mut content)?;
                files.insert(path, content);
            }
        }
        Ok(Self { files, links })
    }

    fn get(&self, name: &str) -> Result<&[u8], DockerBuildError> {
        let path = Path::new(name);
        let path = self.links.get(path).map_or(path, PathBuf::as_path);
        let content = self.files.get(path).map(Vec::as_slice);
        content.ok_or_else(|| unusable(format!("it lacks the file {name}")))
    }
}

/// A path without `.` and `..`.
fn resolved(path: &Path) -> PathBuf {
    let mut resolved = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(resolved.pop()),
            Component::Normal(name) => resolved.push(name),
            _ => {}
        }
    }
    resolved
}

/// The layer with all its files dated 1970, once it is seen to be one that the configuration names.
fn normalised(content: &[u8], diff_ids: &[String]) -> Result<Layer, DockerBuildError> {
    let plain = plain(content).map_err(unusable)?;
    let diff_id = Digest::of(&plain).to_string();
    if !diff_ids.contains(&diff_id) {
        return Err(unusable(format!(
            "a layer has the digest {diff_id}, which its configuration does not name"
        )));
    }
    undated(&plain).and_then(Layer::of).map_err(unusable)
}

fn plain(content: &[u8]) -> io::Result<Vec<u8>> {
    if !content.starts_with(GZIP_MAGIC) {
        return Ok(content.to_owned());
    }
    let mut plain = Vec::new();
    GzDecoder::new(content).read_to_end(&mut plain)?;
    Ok(plain)
}

fn undated(layer: &[u8]) -> io::Result<Vec<u8>> {
    let mut builder = Builder::new(Vec::new());
    for entry in Archive::new(layer).entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let link = entry.link_name()?.map(|link| link.into_owned());
        let mut header = undated_header(entry.header())?;
        match link {
            Some(target) => builder.append_link(&mut header, &path, target)?,
            None => {
                header.set_size(entry.size());
                builder.append_data(&mut header, &path, &mut entry)?;
            }
        }
    }
    builder.into_inner()
}

fn undated_header(original: &Header) -> io::Result<Header> {
    let kind = original.entry_type();
    let mut header = Header::new_gnu();
    header.set_entry_type(if kind.is_file() {
        EntryType::Regular
    } else {
        kind
    });
    header.set_mode(original.mode()? & 0o7777);
    header.set_uid(original.uid()?);
    header.set_gid(original.gid()?);
    header.set_mtime(0);
    header.set_size(0);
    if kind.is_character_special() || kind.is_block_special() {
        header.set_device_major(original.device_major()?.unwrap_or_default())?;
        header.set_device_minor(original.device_minor()?.unwrap_or_default())?;
    }
    Ok(header)
}

/// Whether the program that the image starts would start in it.
fn check_program(config: &ImageConfiguration, layers: &[Layer]) -> Result<(), DockerBuildError> {
    let entrypoint = config
        .config()
        .as_ref()
        .and_then(|config| config.entrypoint().clone());
    // That an image has an entrypoint, and that it is there, is for the checks before publishing.
    let Some(program) = entrypoint.unwrap_or_default().into_iter().next() else {
        return Ok(());
    };
    let wanted = Path::new(program.trim_start_matches('/'));
    for layer in layers.iter().rev() {
        let mut archive = Archive::new(GzDecoder::new(&layer.compressed[..]));
        for entry in archive.entries().map_err(unusable)? {
            let mut entry = entry.map_err(unusable)?;
            if entry.path().map_err(unusable)? == wanted {
                let mut binary = Vec::new();
                entry.read_to_end(&mut binary).map_err(unusable)?;
                return check_static_x86_64(&binary)
                    .map_err(|reason| DockerBuildError::NotStatic { program, reason });
            }
        }
    }
    Ok(())
}
