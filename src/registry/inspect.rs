//! What a published image says about itself.

use oci_spec::image::ImageConfiguration;
use serde::Deserialize;

use super::access::Access;
use super::client::{Failure, RemoteRepository};
use crate::image::{BlobDescriptor, Digest};

const REVISION: &str = "org.opencontainers.image.revision";
/// Bytes of a configuration that are read at most.
const LARGEST_CONFIG: u64 = 4 * 1024 * 1024;

#[derive(Deserialize)]
struct ManifestContent {
    config: Config,
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

    /// The commit that an image says it was built from.
    ///
    /// # Errors
    /// What kept us from reading it.
    pub async fn commit(&self, digest: &Digest) -> Result<Option<String>, String> {
        let labels = self.labels(digest).await;
        labels.map_err(|failure| failure.to_string())
    }

    /// The platform that an image says it is for, as `linux/amd64`.
    ///
    /// # Errors
    /// What kept us from reading it.
    pub async fn platform(&self, digest: &Digest) -> Result<String, String> {
        let config = self.config(digest).await;
        let config = config.map_err(|failure| failure.to_string())?;
        Ok(format!("{}/{}", config.os(), config.architecture()))
    }

    async fn labels(&self, digest: &Digest) -> Result<Option<String>, Failure> {
        let config = self.config(digest).await?;
        let run = config.config().as_ref();
        let labels = run.and_then(|run| run.labels().as_ref());
        Ok(labels.and_then(|labels| labels.get(REVISION).cloned()))
    }

    async fn config(&self, digest: &Digest) -> Result<ImageConfiguration, Failure> {
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
        serde_json::from_slice(&content).map_err(malformed)
    }
}
