//! Debian's docker-registry, a registry that we did not write.

use std::path::Path;
use std::process::Stdio;

use quilt_mcp_deploy::image::{Digest, RepositoryName};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

use super::tool;

pub const USER: &str = "AWS";
/// What encodes it in base64 has both a `+` and a `/`, wherever it begins.
pub const PASSWORD: &str = "s3cret???~~~";
/// `PASSWORD` in bcrypt, the only form that this registry takes.
const HTPASSWD: &str = "AWS:$2b$04$X3mLmWr0RlKtKRfUP1LBhu1QwOOFCC8xptMr8GcF2r5d1t7rmRsCS\n";

/// How it is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setup {
    /// Whether it wants [`USER`] and [`PASSWORD`].
    pub password: bool,
    /// Whether it speaks TLS, with a certificate of its own making.
    pub tls: bool,
}

/// A running docker-registry; ends when dropped.
pub struct DockerRegistry {
    pub host: String,
    folder: std::path::PathBuf,
    _process: Child,
}

impl DockerRegistry {
    /// Starts it with its data in `folder`, where it is installed.
    pub async fn start(folder: &Path, setup: Setup) -> Option<Self> {
        let program = tool("docker-registry")?;
        let mut config = format!(
            "version: 0.1\nstorage: {{filesystem: {{rootdirectory: {}/storage}}}}\n",
            folder.display()
        );
        let mut http = "addr: '127.0.0.1:0', secret: test".to_owned();
        if setup.tls {
            make_certificate(folder)?;
            http += &format!(
                ", tls: {{certificate: {0}/certificate.pem, key: {0}/key.pem}}",
                folder.display()
            );
        }
        config += &format!("http: {{{http}}}\n");
        if setup.password {
            std::fs::write(folder.join("htpasswd"), HTPASSWD).unwrap();
            config += &format!(
                "auth: {{htpasswd: {{realm: test, path: {}/htpasswd}}}}\n",
                folder.display()
            );
        }
        let config_file = folder.join("config.yml");
        std::fs::write(&config_file, config).unwrap();
        let mut process = tokio::process::Command::new(program)
            .arg("serve")
            .arg(&config_file)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
        let mut said = Vec::new();
        let host = loop {
            let line = log.next_line().await.unwrap();
            let line = line.unwrap_or_else(|| panic!("docker-registry ended: {said:?}"));
            if let Some((_, rest)) = line.split_once("listening on ") {
                break rest.split(['"', ',']).next().unwrap().to_owned();
            }
            said.push(line);
        };
        // Keep reading, or the registry blocks on a full pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
        Some(Self {
            host,
            folder: folder.to_owned(),
            _process: process,
        })
    }

    pub fn repository(&self, path: &str) -> RepositoryName {
        format!("{}/{path}", self.host).parse().unwrap()
    }

    /// Whether `tag` of repository `path` names a manifest all of whose blobs are on its disk and
    /// sound; `None` if there is no such tag.
    pub fn is_complete(&self, path: &str, tag: &str) -> Option<bool> {
        let storage = self.folder.join("storage/docker/registry/v2");
        let link = storage.join(format!(
            "repositories/{path}/_manifests/tags/{tag}/current/link"
        ));
        let digest: Digest = std::fs::read_to_string(link).ok()?.parse().unwrap();
        let blob = |digest: &Digest| {
            let (start, hex) = (&digest.hex()[..2], digest.hex());
            let content = std::fs::read(storage.join(format!("blobs/sha256/{start}/{hex}/data")));
            content
                .ok()
                .filter(|content| Digest::of(content) == *digest)
        };
        let Some(manifest) = blob(&digest) else {
            return Some(false);
        };
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
        let layers = manifest["layers"].as_array().unwrap().iter();
        let mut blobs = layers.chain([&manifest["config"]]);
        Some(blobs.all(|described| {
            let digest = described["digest"].as_str().unwrap().parse().unwrap();
            let link = format!(
                "repositories/{path}/_layers/sha256/{}/link",
                Digest::hex(&digest)
            );
            blob(&digest).is_some() && storage.join(link).is_file()
        }))
    }
}

fn make_certificate(folder: &Path) -> Option<()> {
    let made = std::process::Command::new(tool("openssl")?)
        .args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
        ])
        .args([
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
        ])
        .arg("-keyout")
        .arg(folder.join("key.pem"))
        .arg("-out")
        .arg(folder.join("certificate.pem"))
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(made.success());
    Some(())
}
