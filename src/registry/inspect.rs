//! What a published image says about itself.

use oci_spec::image::ImageConfiguration;
use serde::Deserialize;

use super::access::Access;
use super::client::{Failure, RemoteRepository};
use crate::image::{BlobDescriptor, Digest, Tag};

const REVISION: &str = "org.opencontainers.image.revision";
/// Bytes of a configuration that are read at most.
const LARGEST_CONFIG: u64 = 4 * 1024 * 1024;

/// What a published image says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// The platform that it is for, as `linux/amd64`.
    pub platform: String,
    /// The commit that it was built from.
    pub commit: Option<String>,
    /// How many blobs it has: its configuration and its layers.
    pub blobs: usize,
}

#[derive(Deserialize)]
struct ManifestContent {
    config: Config,
    #[serde(default)]
    layers: Vec<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    digest: Digest,
    size: u64,
    media_type: String,
}

/// Reads images' configurations from a repository.
pub struct Inspector {
    remote: RemoteRepository,
}

impl Inspector {
    /// Connects.
    ///
    /// # Errors
    /// What is wrong with the repository's address.
    pub async fn connect(access: &Access) -> Result<Self, String> {
        let remote = RemoteRepository::connect(access).await;
        Ok(Self {
            remote: remote.map_err(|failure| failure.to_string())?,
        })
    }

    /// The digest of the image that the tag names; none where nothing has the tag.
    ///
    /// # Errors
    /// What kept us from seeing it.
    pub async fn tagged(&self, tag: &Tag) -> Result<Option<Digest>, String> {
        let digest = self.remote.tagged_digest(tag).await;
        digest.map_err(|failure| failure.to_string())
    }

    /// What an image says about itself.
    ///
    /// # Errors
    /// What kept us from reading it.
    pub async fn about(&self, digest: &Digest) -> Result<About, String> {
        let read = self.read(digest).await;
        let (config, blobs) = read.map_err(|failure| failure.to_string())?;
        let labels = config.config().as_ref();
        let labels = labels.and_then(|run| run.labels().as_ref());
        Ok(About {
            platform: format!("{}/{}", config.os(), config.architecture()),
            commit: labels.and_then(|labels| labels.get(REVISION).cloned()),
            blobs,
        })
    }

    /// The configuration, and how many blobs the image has.
    async fn read(&self, digest: &Digest) -> Result<(ImageConfiguration, usize), Failure> {
        let malformed = |error: serde_json::Error| Failure::Protocol(error.to_string());
        let manifest = self.remote.manifest_of(digest).await?;
        let manifest: ManifestContent =
            serde_json::from_slice(&manifest.content).map_err(malformed)?;
        if manifest.config.size > LARGEST_CONFIG {
            return Err(Failure::Protocol(
                "its configuration is too long".to_owned(),
            ));
        }
        let unwritable = |error: std::io::Error| Failure::File(error.to_string());
        let file = tempfile::NamedTempFile::new().map_err(unwritable)?;
        let blob = BlobDescriptor {
            digest: manifest.config.digest,
            size: manifest.config.size,
            media_type: manifest.config.media_type,
        };
        self.remote.fetch_blob(&blob, file.path()).await?;
        let content = tokio::fs::read(file.path()).await.map_err(unwritable)?;
        let config = serde_json::from_slice(&content).map_err(malformed)?;
        Ok((config, 1 + manifest.layers.len()))
    }
}
