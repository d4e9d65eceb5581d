//! Attaching an image's list of components as an OCI referrer (OCI image specification,
//! "Guidelines for Artifact Usage").

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::{Push, PushError, manifest_of};
use crate::image::{BlobDescriptor, Digest, Image, sbom};
use crate::registry::client::{Failure, Manifest};
use crate::registry::target::{Failed, PublishProgress};

/// The configuration of an artifact that has none.
const EMPTY: &[u8] = b"{}";
const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";
const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";

/// What became of the list of components.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SbomState {
    /// The image has none beside it.
    None,
    /// It is attached to the image now.
    Attached,
    /// It was attached before.
    Present,
    /// The registry knows no referrers, or does not take this one.
    NotTaken,
}

impl Push<'_> {
    /// Attaches what lies beside the image, before the image is tagged. The image's manifest goes
    /// first, under its digest: what is referred to is there before what refers to it.
    ///
    /// A registry that does not take the list is told of, and is no reason not to publish.
    pub(super) async fn attach_sbom(&self, image: &Image) -> Result<SbomState, PushError> {
        let document = sbom::read(image).map_err(|error| PushError::File(error.to_string()))?;
        let Some(document) = document else {
            return Ok(SbomState::None);
        };
        self.target
            .put("writing the image's manifest", &manifest_of(image))
            .await?;
        match self.attach(image, &document).await {
            Ok(state) => Ok(state),
            Err(Failed {
                operation, failure, ..
            }) if failure.is_refusal() => {
                (self.target.progress)(PublishProgress::NotAttached {
                    reason: format!("{operation}: {failure}"),
                });
                Ok(SbomState::NotTaken)
            }
            Err(failed) => Err(failed.into()),
        }
    }

    async fn attach(&self, image: &Image, document: &[u8]) -> Result<SbomState, Failed<'_>> {
        let Some(referrers) = self.target.referrers(&image.digest).await? else {
            return Ok(SbomState::NotTaken);
        };
        let manifest = manifest(image, document);
        let digest = Digest::of(&manifest.content);
        if referrers.contains(&digest) {
            return Ok(SbomState::Present);
        }
        self.send_content(document).await?;
        self.send_content(EMPTY).await?;
        self.target
            .put("attaching the list of components", &manifest)
            .await?;
        Ok(SbomState::Attached)
    }

    async fn send_content(&self, content: &[u8]) -> Result<(), Failed<'_>> {
        let blob = BlobDescriptor {
            digest: Digest::of(content),
            size: content.len() as u64,
            media_type: String::new(),
        };
        let unwritable = |error: std::io::Error| {
            let failure = Failure::File(format!("a temporary file cannot be written: {error}"));
            self.target
                .failed("attaching the list of components", failure, &blob.digest)
        };
        let mut file = tempfile::NamedTempFile::new().map_err(unwritable)?;
        std::io::Write::write_all(&mut file, content).map_err(unwritable)?;
        self.target.send(&blob, file.path()).await.map(drop)
    }
}

/// The same image and document give the same manifest.
fn manifest(image: &Image, document: &[u8]) -> Manifest {
    let describe = |media_type: &str, content: &[u8]| {
        json!({
            "mediaType": media_type,
            "digest": Digest::of(content),
            "size": content.len(),
        })
    };
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "artifactType": sbom::MEDIA_TYPE,
        "config": describe(EMPTY_TYPE, EMPTY),
        "layers": [describe(sbom::MEDIA_TYPE, document)],
        "subject": {
            "mediaType": image.manifest_media_type,
            "digest": image.digest,
            "size": image.manifest.len(),
        },
    });
    Manifest {
        content: manifest.to_string().into_bytes(),
        media_type: MANIFEST_TYPE.to_owned(),
    }
}
