//! An image on this machine, as all later stages see it.

use std::fmt;
use std::path::PathBuf;

use jiff::Timestamp;
use oci_spec::image::{Arch, ImageConfiguration, Os};
use serde::Serialize;

use super::digest::Digest;

/// A verified image in a folder of OCI image layout.
///
/// Serialises as a summary: the raw manifest and the configuration stay inside.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct Image {
    /// The digest of the manifest: the image's identity everywhere.
    pub digest: Digest,
    /// Operating system and architecture.
    #[schemars(with = "String")]
    pub platform: Platform,
    /// Bytes that a registry holds of it: manifest, configuration and compressed layers.
    pub size: u64,
    /// The commit it was built from (label `org.opencontainers.image.revision`), with
    /// `-dirty` when the files differed from it.
    pub commit: Option<String>,
    /// The server's version (label `org.opencontainers.image.version`).
    pub version: Option<String>,
    /// When it was created; for our own builders the commit's time.
    pub created: Option<Timestamp>,
    /// The layout's folder.
    pub layout: PathBuf,
    /// The manifest, byte for byte.
    #[serde(skip)]
    pub manifest: Vec<u8>,
    /// The manifest's media type.
    #[serde(skip)]
    pub manifest_media_type: String,
    /// The image's configuration.
    #[serde(skip)]
    pub config: ImageConfiguration,
    /// Where the configuration is.
    #[serde(skip)]
    pub config_blob: BlobDescriptor,
    /// The layers, lowest first.
    #[serde(skip)]
    pub layers: Vec<BlobDescriptor>,
}

impl Image {
    /// Every blob that the manifest names, each once: configuration and layers.
    pub fn blobs(&self) -> Vec<&BlobDescriptor> {
        let mut blobs: Vec<&BlobDescriptor> = Vec::new();
        for blob in std::iter::once(&self.config_blob).chain(&self.layers) {
            if !blobs.iter().any(|known| known.digest == blob.digest) {
                blobs.push(blob);
            }
        }
        blobs
    }

    /// The file that holds a blob.
    pub fn blob_path(&self, digest: &Digest) -> PathBuf {
        super::layout::blob_path(&self.layout, digest)
    }
}

/// A blob of an image: what the manifest says about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BlobDescriptor {
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Its media type.
    pub media_type: String,
}

/// Operating system and architecture, in Go's words as OCI wants them: `linux/amd64`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct Platform {
    /// The operating system.
    pub os: Os,
    /// The architecture.
    pub architecture: Arch,
}

impl Platform {
    /// The only platform that we build for: Fargate on x86-64.
    pub const TARGET: Self = Self {
        os: Os::Linux,
        architecture: Arch::Amd64,
    };
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)
    }
}

impl From<Platform> for String {
    fn from(platform: Platform) -> Self {
        platform.to_string()
    }
}
