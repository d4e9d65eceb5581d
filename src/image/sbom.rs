//! What the server is made of: a software bill of materials in CycloneDX 1.5
//! (<https://cyclonedx.org/docs/1.5/json/>), from Cargo.lock.
//!
//! A lock file does not tell what is compiled from what only tests use, so the list may name more
//! crates than the binary holds, and never fewer.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::{Builder, Uuid};

use super::assemble::canonical_json;
use super::layout::LayoutError;
use super::model::Image;
use super::source::{Checkout, SERVER_PACKAGE};

/// The media type of the document.
pub const MEDIA_TYPE: &str = "application/vnd.cyclonedx+json";
/// Where it lies in an image's layout, beside what the layout's specification names.
pub const FILE: &str = "sbom.cdx.json";

const LOCK_FILE: &str = "Cargo.lock";

#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    checksum: Option<String>,
    #[serde(default)]
    dependencies: Vec<String>,
}

impl Package {
    fn reference(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }

    fn component(&self, kind: &str) -> Value {
        let hashes = self
            .checksum
            .iter()
            .map(|checksum| json!({"alg": "SHA-256", "content": checksum}));
        let mut component = json!({
            "type": kind,
            "bom-ref": self.reference(),
            "name": self.name,
            "version": self.version,
            "hashes": hashes.collect::<Vec<_>>(),
        });
        // Our own packages are in no registry.
        if self.checksum.is_some() {
            component["purl"] = format!("pkg:cargo/{}@{}", self.name, self.version).into();
        }
        component
    }
}

/// Writes the list of what `checkout`'s server is made of beside `image`.
///
/// # Errors
/// When Cargo.lock cannot be read, and when the disk fails.
pub fn write(checkout: &Checkout, image: &Image) -> Result<(), LayoutError> {
    let path = checkout.root.join(LOCK_FILE);
    let text = std::fs::read_to_string(&path).map_err(LayoutError::io("read", &path))?;
    let document = document(&text, &checkout.committed_at.to_string())
        .map_err(|reason| LayoutError::malformed(&path, reason))?;
    let file = image.layout.join(FILE);
    std::fs::write(&file, document).map_err(LayoutError::io("write", &file))
}

/// The document beside `image`, if there is one.
///
/// # Errors
/// When it is there and cannot be read.
pub fn read(image: &Image) -> Result<Option<Vec<u8>>, LayoutError> {
    let file = image.layout.join(FILE);
    match std::fs::read(&file) {
        Ok(document) => Ok(Some(document)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(LayoutError::io("read", &file)(error)),
    }
}

/// The same lock file and time give the same bytes.
fn document(lock: &str, timestamp: &str) -> Result<Vec<u8>, String> {
    let lock: Lock = toml::from_str(lock).map_err(|error| error.message().to_owned())?;
    let needed = needed(&lock)?;
    let (server, libraries): (Vec<_>, Vec<_>) = needed
        .values()
        .partition(|(package, _)| package.name == SERVER_PACKAGE);
    let component =
        |kind: &'static str| move |(package, _): &&(&Package, _)| package.component(kind);
    let mut document = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": timestamp,
            "component": server.iter().map(component("application")).next(),
        },
        "components": libraries.iter().map(component("library")).collect::<Vec<_>>(),
        "dependencies": needed.iter().map(|(reference, (_, dependencies))| json!({
            "ref": reference,
            "dependsOn": dependencies,
        })).collect::<Vec<_>>(),
    });
    let written = |document: &Value| canonical_json(document).map_err(|error| error.to_string());
    document["serialNumber"] = serial_number(&written(&document)?).urn().to_string().into();
    written(&document)
}

/// A serial number that follows from the content (a UUID of version 8, RFC 9562 section 5.8):
/// CycloneDX asks for one, and who attests a document wants it.
fn serial_number(content: &[u8]) -> Uuid {
    let hash: [u8; 32] = Sha256::digest(content).into();
    let mut first = [0; 16];
    first.copy_from_slice(&hash[..16]);
    Builder::from_custom_bytes(first).into_uuid()
}

type Needed<'a> = BTreeMap<String, (&'a Package, BTreeSet<String>)>;

/// The server and all that it depends on, by reference, each with what it depends on itself.
fn needed(lock: &Lock) -> Result<Needed<'_>, String> {
    let mut needed = BTreeMap::new();
    let mut ahead = vec![find(lock, SERVER_PACKAGE)?];
    while let Some(package) = ahead.pop() {
        let reference = package.reference();
        if needed.contains_key(&reference) {
            continue;
        }
        let dependencies = package
            .dependencies
            .iter()
            .map(|dependency| find(lock, dependency))
            .collect::<Result<Vec<_>, _>>()?;
        let references = dependencies.iter().map(|package| package.reference());
        needed.insert(reference, (package, references.collect()));
        ahead.extend(dependencies);
    }
    Ok(needed)
}

/// A dependency is `name`, and where that is not enough `name version` or `name version (source)`.
fn find<'a>(lock: &'a Lock, dependency: &str) -> Result<&'a Package, String> {
    let mut words = dependency.split(' ');
    let (name, version) = (words.next().unwrap_or_default(), words.next());
    lock.package
        .iter()
        .find(|package| {
            package.name == name && version.is_none_or(|version| package.version == version)
        })
        .ok_or_else(|| format!("it has no package {dependency}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = r#"
version = 4
[[package]]
name = "quilt-mcp-server"
version = "1.4.0"
dependencies = ["a", "b 2.0.0"]
[[package]]
name = "a"
version = "1.0.0"
source = "registry+https://github.com/rust-lang/crates.io-index"
checksum = "aa"
dependencies = ["b 1.0.0"]
[[package]]
name = "b"
version = "1.0.0"
checksum = "b1"
[[package]]
name = "b"
version = "2.0.0"
checksum = "b2"
[[package]]
name = "somebody-else"
version = "0.1.0"
"#;

    #[test]
    fn names_the_server_and_what_it_needs() {
        let document = document(LOCK, "2026-03-04T05:06:07Z").unwrap();
        assert_eq!(
            document,
            super::document(LOCK, "2026-03-04T05:06:07Z").unwrap()
        );
        let document: Value = serde_json::from_slice(&document).unwrap();
        assert_eq!(
            document["metadata"]["component"]["bom-ref"],
            "quilt-mcp-server@1.4.0"
        );
        // What GitHub's attestations take for CycloneDX (actions/attest, `sbom-path`).
        for field in ["bomFormat", "serialNumber", "specVersion"] {
            assert!(document[field].is_string(), "{field}");
        }
        let names: Vec<&str> = document["components"]
            .as_array()
            .unwrap()
            .iter()
            .map(|component| component["bom-ref"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["a@1.0.0", "b@1.0.0", "b@2.0.0"]);
        assert_eq!(document["components"][0]["purl"], "pkg:cargo/a@1.0.0");
        assert_eq!(document["components"][1]["hashes"][0]["content"], "b1");
        assert_eq!(
            document["dependencies"][0],
            json!({"ref": "a@1.0.0", "dependsOn": ["b@1.0.0"]})
        );
    }

    #[test]
    fn a_serial_number_is_of_one_content() {
        let serial_of = |lock: &str, timestamp: &str| {
            let document: Value =
                serde_json::from_slice(&document(lock, timestamp).unwrap()).unwrap();
            document["serialNumber"].as_str().unwrap().to_owned()
        };
        let first = serial_of(LOCK, "2026-03-04T05:06:07Z");
        let number = first.strip_prefix("urn:uuid:").unwrap();
        let number: Uuid = number.parse().unwrap();
        assert_eq!(number.get_version_num(), 8);
        assert_eq!(first, serial_of(LOCK, "2026-03-04T05:06:07Z"));
        assert_ne!(first, serial_of(LOCK, "2026-03-04T05:06:08Z"));
        let newer = LOCK.replace("1.4.0", "1.4.1");
        assert_ne!(first, serial_of(&newer, "2026-03-04T05:06:07Z"));
    }

    #[test]
    fn a_lock_file_that_does_not_fit_is_told() {
        for (lock, sign) in [
            ("version = 4", "quilt-mcp-server"),
            (
                "[[package]]\nname = \"quilt-mcp-server\"\nversion = \"1\"\ndependencies = [\"gone\"]",
                "gone",
            ),
            ("package = 7", "sequence"),
        ] {
            let error = document(lock, "").unwrap_err();
            assert!(error.contains(sign), "{error}");
        }
    }

    #[test]
    fn our_own_lock_file_fits() {
        let document = document(include_str!("../../Cargo.lock"), "").unwrap();
        let document: Value = serde_json::from_slice(&document).unwrap();
        let has = |name: &str| {
            let components = document["components"].as_array().unwrap();
            components.iter().any(|component| component["name"] == name)
        };
        assert!(has("axum") && has("rustls") && !has("quilt-mcp-deploy"));
    }
}
