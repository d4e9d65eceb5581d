//! What goes into an image, whoever compiled the server: files, configuration, manifest.
//!
//! The same binary and the same [`ImageSpec`] give the same bytes on every machine: nothing
//! here asks for the time, the user, the folder or the umask.

mod base;
mod tarball;

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use oci_spec::OciSpecError;
use oci_spec::image::{
    Config, ConfigBuilder, Descriptor, DescriptorBuilder, HistoryBuilder,
    ImageConfigurationBuilder, ImageManifestBuilder, MediaType, RootFsBuilder, SCHEMA_VERSION,
    Sha256Digest,
};
use serde::Serialize;
use serde_json::Value;

use super::digest::Digest;
use super::model::Platform;
use super::source::Checkout;
pub use tarball::{Entry, Layer, pack};

/// The binary's path in the image, and the image's entrypoint.
pub const ENTRYPOINT: &str = "/quilt-mcp-server";
/// The port that the server listens on.
pub const PORT: u16 = 8000;
/// User and group id that the server runs with.
pub const USER_ID: u32 = 65532;

const TITLE: &str = "Quilt MCP server";

/// What an image says about itself.
#[derive(Debug, Clone)]
pub struct ImageSpec {
    /// The commit, with `-dirty` when the files differ from it.
    pub revision: String,
    /// The server's version.
    pub version: String,
    /// Where the source is published.
    pub source: Option<String>,
    /// The commit's time; never the time of the build.
    pub created: Timestamp,
}

impl From<&Checkout> for ImageSpec {
    fn from(checkout: &Checkout) -> Self {
        Self {
            revision: checkout.revision(),
            version: checkout.version.clone(),
            source: checkout.repository.clone(),
            created: checkout.committed_at,
        }
    }
}

/// A complete image in memory.
#[derive(Debug, Clone)]
pub struct Assembled {
    /// The manifest's bytes; their digest is the image's.
    pub manifest: Vec<u8>,
    /// Configuration and layers, by digest.
    pub blobs: BTreeMap<Digest, Vec<u8>>,
}

impl Assembled {
    /// The image's digest.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.manifest)
    }
}

/// Puts an image together around the server's `binary`.
///
/// The CA roots and the user database are a layer of their own below the binary's, so that
/// releases share it.
///
/// # Errors
/// When the result would break the OCI image specification.
pub fn assemble(spec: &ImageSpec, binary: Vec<u8>) -> Result<Assembled, AssembleError> {
    let base = pack(base::entries())?;
    let server = pack(vec![Entry::file(
        ENTRYPOINT.trim_start_matches('/'),
        0o555,
        binary,
    )])?;
    let config = canonical_json(&configuration(spec, &base, &server)?)?;
    combine(config, vec![base, server])
}

/// The image with this configuration and these layers, lowest first.
///
/// # Errors
/// When the result would break the OCI image specification.
pub fn combine(config: Vec<u8>, layers: Vec<Layer>) -> Result<Assembled, AssembleError> {
    let described = layers
        .iter()
        .map(|layer| descriptor(MediaType::ImageLayerGzip, &layer.compressed))
        .collect::<Result<Vec<_>, _>>()?;
    let manifest = canonical_json(
        &ImageManifestBuilder::default()
            .schema_version(SCHEMA_VERSION)
            .media_type(MediaType::ImageManifest)
            .config(descriptor(MediaType::ImageConfig, &config)?)
            .layers(described)
            .build()?,
    )?;
    let blobs = std::iter::once(config)
        .chain(layers.into_iter().map(|layer| layer.compressed))
        .map(|blob| (Digest::of(&blob), blob))
        .collect();
    Ok(Assembled { manifest, blobs })
}

/// Why an image could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum AssembleError {
    /// A layer could not be written.
    #[error("a layer of the image could not be packed: {0}")]
    Layer(#[from] std::io::Error),
    /// Configuration or manifest would be malformed.
    #[error("the image would break the OCI image specification: {0}")]
    Specification(#[from] OciSpecError),
    /// Configuration or manifest cannot be written as JSON.
    #[error("the image's description cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

fn configuration(
    spec: &ImageSpec,
    base: &Layer,
    server: &Layer,
) -> Result<oci_spec::image::ImageConfiguration, OciSpecError> {
    let created = spec.created.to_string();
    let step = |what: &str| {
        HistoryBuilder::default()
            .created(created.clone())
            .created_by(what)
            .build()
    };
    ImageConfigurationBuilder::default()
        .created(created.clone())
        .os(Platform::TARGET.os)
        .architecture(Platform::TARGET.architecture)
        .config(run_configuration(spec)?)
        .rootfs(
            RootFsBuilder::default()
                .typ("layers")
                .diff_ids([base.diff_id.to_string(), server.diff_id.to_string()])
                .build()?,
        )
        .history([
            step("quilt-mcp-deploy: CA roots, user nonroot")?,
            step("quilt-mcp-deploy: quilt-mcp-server")?,
        ])
        .build()
}

fn run_configuration(spec: &ImageSpec) -> Result<Config, OciSpecError> {
    ConfigBuilder::default()
        .user(format!("{USER_ID}:{USER_ID}"))
        .working_dir("/")
        .entrypoint([ENTRYPOINT.to_owned()])
        .cmd(["serve".to_owned()])
        .env([
            format!("SSL_CERT_FILE=/{}", base::CA_BUNDLE),
            format!("MCP_BUILD_COMMIT={}", spec.revision),
        ])
        .exposed_ports([format!("{PORT}/tcp")])
        .labels(labels(spec))
        .build()
}

/// The OCI specification's pre-defined annotation keys ("Annotations"), as labels.
fn labels(spec: &ImageSpec) -> HashMap<String, String> {
    let mut labels = vec![
        ("title", TITLE.to_owned()),
        ("revision", spec.revision.clone()),
        ("version", spec.version.clone()),
        ("created", spec.created.to_string()),
    ];
    labels.extend(spec.source.clone().map(|source| ("source", source)));
    labels
        .into_iter()
        .map(|(key, value)| (format!("org.opencontainers.image.{key}"), value))
        .collect()
}

fn descriptor(media_type: MediaType, content: &[u8]) -> Result<Descriptor, OciSpecError> {
    let digest: Sha256Digest = Digest::of(content).hex().parse()?;
    DescriptorBuilder::default()
        .media_type(media_type)
        .digest(digest)
        .size(content.len() as u64)
        .build()
}

/// JSON with every object's keys in order, because maps of labels and ports have none.
pub(in crate::image) fn canonical_json(
    value: &impl Serialize,
) -> Result<Vec<u8>, serde_json::Error> {
    let mut value: Value = serde_json::to_value(value)?;
    value.sort_all_objects();
    serde_json::to_vec(&value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> ImageSpec {
        ImageSpec {
            revision: "3f2a9c1b7d5e4f60718293a4b5c6d7e8f9012345".into(),
            version: "1.4.0".into(),
            source: Some("https://example.com/source".into()),
            created: "2026-03-04T05:06:07Z".parse().unwrap(),
        }
    }

    #[test]
    fn the_same_input_gives_the_same_digest() {
        let first = assemble(&spec(), b"binary".to_vec()).unwrap();
        for _ in 0..20 {
            assert_eq!(
                assemble(&spec(), b"binary".to_vec()).unwrap().digest(),
                first.digest()
            );
        }
    }

    #[test]
    fn everything_that_identifies_the_build_changes_the_digest() {
        let first = assemble(&spec(), b"binary".to_vec()).unwrap().digest();
        let others = [
            assemble(&spec(), b"other".to_vec()),
            assemble(
                &ImageSpec {
                    revision: "other".into(),
                    ..spec()
                },
                b"binary".to_vec(),
            ),
            assemble(
                &ImageSpec {
                    version: "1.4.1".into(),
                    ..spec()
                },
                b"binary".to_vec(),
            ),
            assemble(
                &ImageSpec {
                    source: None,
                    ..spec()
                },
                b"binary".to_vec(),
            ),
            assemble(
                &ImageSpec {
                    created: Timestamp::UNIX_EPOCH,
                    ..spec()
                },
                b"binary".to_vec(),
            ),
        ];
        for other in others {
            assert_ne!(other.unwrap().digest(), first);
        }
    }

    #[test]
    fn releases_share_the_base_layer_and_an_unchanged_binary() {
        let first = assemble(&spec(), b"binary".to_vec()).unwrap();
        let next = ImageSpec {
            revision: "next".into(),
            created: Timestamp::UNIX_EPOCH,
            ..spec()
        };
        let second = assemble(&next, b"binary".to_vec()).unwrap();
        let shared = first
            .blobs
            .keys()
            .filter(|digest| second.blobs.contains_key(digest));
        assert_eq!(shared.count(), 2);
    }

    #[test]
    fn the_configuration_is_as_the_documentation_says() {
        let image = assemble(&spec(), b"binary".to_vec()).unwrap();
        let manifest: Value = serde_json::from_slice(&image.manifest).unwrap();
        let config_digest: Digest = manifest["config"]["digest"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap();
        let config: Value = serde_json::from_slice(&image.blobs[&config_digest]).unwrap();
        assert_eq!(manifest["layers"].as_array().unwrap().len(), 2);
        assert_eq!(config["os"], "linux");
        assert_eq!(config["architecture"], "amd64");
        assert_eq!(config["created"], "2026-03-04T05:06:07Z");
        let expected = serde_json::json!({
            "User": "65532:65532",
            "WorkingDir": "/",
            "Entrypoint": ["/quilt-mcp-server"],
            "Cmd": ["serve"],
            "Env": [
                "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt",
                "MCP_BUILD_COMMIT=3f2a9c1b7d5e4f60718293a4b5c6d7e8f9012345",
            ],
            "ExposedPorts": {"8000/tcp": {}},
            "Labels": {
                "org.opencontainers.image.title": "Quilt MCP server",
                "org.opencontainers.image.revision": "3f2a9c1b7d5e4f60718293a4b5c6d7e8f9012345",
                "org.opencontainers.image.version": "1.4.0",
                "org.opencontainers.image.created": "2026-03-04T05:06:07Z",
                "org.opencontainers.image.source": "https://example.com/source",
            },
        });
        assert_eq!(config["config"], expected);
    }
}
