//! TLS to an engine, asked for as Docker's own client is: `DOCKER_TLS_VERIFY` and
//! `DOCKER_CERT_PATH` (docs.docker.com/engine/security/protect-access).

use std::error::Error;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use bollard::{API_DEFAULT_VERSION, Docker};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::engine::USUAL_TIMEOUT;
use super::error::DockerBuildError;
use super::usual::{settings_folder, variable};
use crate::aws::root_causes;

const VERIFY: &str = "DOCKER_TLS_VERIFY";
const FOLDER: &str = "DOCKER_CERT_PATH";
/// What a server of Go says to a client that speaks HTTP where it expects TLS (`net/http`).
const HTTP_TO_HTTPS: &str = "HTTP request to an HTTPS server";

/// A folder with the files that Docker's clients take: the engine's CA, our certificate, our key.
#[derive(Debug)]
pub struct Certificates {
    ca: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
}

impl Certificates {
    /// Those that the environment names, if TLS is asked for with `host`.
    pub fn asked_for(host: &str) -> Option<Self> {
        let asked = host.starts_with("https://")
            || (host.starts_with("tcp://") && variable(VERIFY).is_some());
        asked.then(|| Self::in_folder(&folder(variable)))
    }

    fn in_folder(folder: &Path) -> Self {
        Self {
            ca: folder.join("ca.pem"),
            certificate: folder.join("cert.pem"),
            key: folder.join("key.pem"),
        }
    }

    /// A client that shows these certificates. They are read here first, since the client itself
    /// would go without those that it cannot read.
    pub fn client(&self, host: &str) -> Result<Docker, DockerBuildError> {
        self.check()
            .map_err(|(file, reason)| DockerBuildError::Certificate {
                host: host.to_owned(),
                file: file.to_owned(),
                reason,
            })?;
        Docker::connect_with_ssl(
            host,
            &self.key,
            &self.certificate,
            &self.ca,
            USUAL_TIMEOUT,
            API_DEFAULT_VERSION,
        )
        .map_err(|error| DockerBuildError::NoEngine {
            host: host.to_owned(),
            reason: super::error::reason(&error),
        })
    }

    fn check(&self) -> Result<(), (&Path, String)> {
        certificates(&self.ca)?;
        let chain = certificates(&self.certificate)?;
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|error| match error {
            pem::Error::NoItemsFound => unread(&self.key, &"it holds no private key"),
            error => unread(&self.key, &said(&error)),
        })?;
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        CertifiedKey::from_der(chain, key, &provider)
            .map(drop)
            .map_err(|error| match error {
                rustls::Error::InconsistentKeys(_) => {
                    unread(&self.key, &"it is not the key of cert.pem")
                }
                error => unread(&self.key, &error),
            })
    }

    /// Why the engine did not answer over TLS, when TLS is the reason.
    pub fn failed(&self, host: &str, error: &(dyn Error + 'static)) -> Option<DockerBuildError> {
        use rustls::Error as Tls;
        let (ca, certificate) = (self.ca.display(), self.certificate.display());
        let found = tls_error(error)?;
        let advice = match found {
            Tls::InvalidCertificate(_) => {
                format!("{ca} must hold the CA that signed the engine's certificate for this name")
            }
            Tls::AlertReceived(_) => {
                format!("{certificate} must be signed by the CA that the engine trusts")
            }
            Tls::InvalidMessage(_) => {
                format!("if no TLS is spoken there, unset {VERIFY} or name the port for TLS")
            }
            _ => format!("look into the engine's log, and at {FOLDER}"),
        };
        Some(DockerBuildError::Tls {
            host: host.to_owned(),
            reason: found.to_string(),
            advice,
        })
    }
}

/// What to do when an engine that wants TLS was spoken to without.
pub fn wanted(host: &str, error: &bollard::errors::Error) -> Option<DockerBuildError> {
    let reason = super::error::reason(error);
    reason
        .contains(HTTP_TO_HTTPS)
        .then(|| DockerBuildError::Tls {
            host: host.to_owned(),
            reason: "the engine wants TLS".to_owned(),
            advice: format!(
                "set {VERIFY}=1, and {FOLDER} to a folder with ca.pem, cert.pem and key.pem"
            ),
        })
}

/// As Docker's client finds it: its settings' folder unless another is named.
fn folder(set: impl Fn(&str) -> Option<OsString>) -> PathBuf {
    set(FOLDER).map_or_else(|| settings_folder(&set), PathBuf::from)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, (&Path, String)> {
    let read: Vec<_> = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<_, _>>)
        .map_err(|error| unread(file, &said(&error)))?;
    if read.is_empty() {
        return Err(unread(file, &"it holds no certificate"));
    }
    Ok(read)
}

fn said(error: &pem::Error) -> String {
    match error {
        pem::Error::Io(error) => error.to_string(),
        error => root_causes(error),
    }
}

fn unread<'a>(file: &'a Path, reason: &dyn ToString) -> (&'a Path, String) {
    (file, reason.to_string())
}

/// The TLS library's error among the causes. An I/O error keeps it as its content, which it does
/// not count as its cause.
fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        let content = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        next = match content {
            Some(content) => Some(content),
            None => error.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_found_as_docker_finds_it() {
        let among = |variables: &'static [(&str, &str)]| {
            folder(|name| {
                let found = variables.iter().find(|(variable, _)| *variable == name);
                found.map(|(_, value)| OsString::from(value))
            })
        };
        let both = &[("DOCKER_CERT_PATH", "/a"), ("DOCKER_CONFIG", "/b")];
        assert_eq!(among(both), Path::new("/a"));
        assert_eq!(among(&both[1..]), Path::new("/b"));
        assert!(among(&[]).ends_with(".docker"));
    }

    #[test]
    fn the_tls_library_s_error_is_found_inside_an_i_o_error() {
        let tls = rustls::Error::HandshakeNotComplete;
        let inner = io::Error::new(io::ErrorKind::InvalidData, tls.clone());
        let outer = io::Error::other(inner);
        assert_eq!(tls_error(&outer), Some(&tls));
        assert_eq!(tls_error(&io::Error::other("x")), None);
    }
}
