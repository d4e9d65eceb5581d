//! Small images.

use std::path::Path;

use quilt_mcp_deploy::image::assemble::{ImageSpec, assemble};
use quilt_mcp_deploy::image::{Digest, Image, layout};
use serde_json::{Value, json};

pub const COMMIT: &str = "3f2a9c1b7d5e4f60718293a4b5c6d7e8f9012345";

pub fn spec() -> ImageSpec {
    ImageSpec {
        revision: COMMIT.to_owned(),
        version: "1.4.0".to_owned(),
        source: Some("https://example.com/source".to_owned()),
        created: "2026-03-04T05:06:07Z".parse().unwrap(),
    }
}

/// An image whose program is `binary` behind the header of an executable, in a layout below
/// `folder`.
pub fn image(folder: &Path, binary: &[u8]) -> Image {
    layout::write(folder, &assemble(&spec(), program(binary)).unwrap()).unwrap()
}

/// Puts an image of other contents into the layout of `image`: what `change` makes of the
/// configuration and the manifest.
pub fn rewrite(image: &Image, change: impl FnOnce(&mut Value, &mut Value)) {
    let put = |document: &Value| {
        let content = document.to_string();
        let digest = Digest::of(content.as_bytes());
        std::fs::write(image.blob_path(&digest), &content).unwrap();
        (digest.to_string(), content.len())
    };
    let config = std::fs::read(image.blob_path(&image.config_blob.digest)).unwrap();
    let mut config: Value = serde_json::from_slice(&config).unwrap();
    let mut manifest: Value = serde_json::from_slice(&image.manifest).unwrap();
    change(&mut config, &mut manifest);
    let (digest, size) = put(&config);
    manifest["config"]["digest"] = digest.into();
    manifest["config"]["size"] = size.into();
    let (digest, size) = put(&manifest);
    let platform = json!({"os": config["os"], "architecture": config["architecture"]});
    let media_type = &image.manifest_media_type;
    let index = json!({
        "schemaVersion": 2,
        "manifests": [{"mediaType": media_type, "digest": digest, "size": size, "platform": platform}],
    });
    std::fs::write(image.layout.join("index.json"), index.to_string()).unwrap();
}

/// `content` behind the header of a static executable for x86-64 without any segment (ELF-64
/// object file format, "File header").
pub fn program(content: &[u8]) -> Vec<u8> {
    let mut program = vec![0; 64];
    program[..7].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1, 1]);
    for (offset, value) in [(16, 2), (18, 62), (20, 1), (52, 64), (54, 56), (58, 64)] {
        program[offset] = value;
    }
    program.extend_from_slice(content);
    program
}

/// Bytes that do not compress, so that a layer is about as long as they are.
pub fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        // Marsaglia's xorshift64.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}
