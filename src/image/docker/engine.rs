//! Finding an engine that answers.

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use bollard::models::SystemVersion;
use bollard::{API_DEFAULT_VERSION, BollardRequest, Docker};
use http::HeaderValue;

use super::error::{DockerBuildError, reason};
use super::tls::{self, Certificates};
use super::usual;

/// Docker 20.10, the oldest that is still in a supported distribution (Debian 12).
const OLDEST_API: (usize, usize) = (1, 41);
const OLDEST_API_TEXT: &str = "1.41";
/// Seconds; what a client begins with.
pub(super) const USUAL_TIMEOUT: u64 = 120;
/// The header with the operator's logins (`ImageBuild` of the engine's API).
const LOGINS: &str = "x-registry-config";
const DOCKER_HOST: &str = "DOCKER_HOST";
/// What hyper says where a connection ended before it took the request.
const UNSENT: &str = "operation was canceled";
/// How often an engine is greeted that ends the connection before that.
const HELLOS: usize = 5;

/// How long an engine may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Until it answers that it is there.
    pub hello: Duration,
    /// Between two signs of life during a build or an export. Linking takes minutes without a word.
    pub silence: Duration,
    /// Until a helper of Docker's client answers; it may have to ask a service or its user.
    pub helper: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            hello: Duration::from_secs(10),
            silence: Duration::from_secs(20 * 60),
            helper: Duration::from_secs(30),
        }
    }
}

/// An engine that answered.
#[derive(Debug, Clone)]
pub struct Engine {
    pub(super) docker: Docker,
    /// Its address, for messages.
    pub host: String,
    pub(super) patience: Patience,
}

impl Engine {
    /// The engine at `host`, else the one that `DOCKER_HOST` names (with TLS where
    /// `DOCKER_TLS_VERIFY` and `DOCKER_CERT_PATH` say so), else the first that answers at a usual
    /// socket of Docker or Podman.
    ///
    /// # Errors
    /// [`DockerBuildError::NoEngine`] when none answers in time, [`DockerBuildError::Certificate`]
    /// and [`DockerBuildError::Tls`] when TLS is the reason, and [`DockerBuildError::TooOld`].
    pub async fn find(host: Option<&str>, patience: Patience) -> Result<Self, DockerBuildError> {
        let named = host.map(str::to_owned).or_else(|| {
            std::env::var(DOCKER_HOST)
                .ok()
                .filter(|host| !host.is_empty())
        });
        match named {
            Some(host) => Self::at(host, patience).await,
            None => Self::first_of(&usual::sockets(), patience).await,
        }
    }

    /// The first engine that answers at one of these sockets.
    async fn first_of(sockets: &[PathBuf], patience: Patience) -> Result<Self, DockerBuildError> {
        let mut absent: Option<(String, String)> = None;
        for socket in sockets.iter().filter(|socket| socket.exists()) {
            match Self::at(format!("unix://{}", socket.display()), patience).await {
                Err(DockerBuildError::NoEngine { host, reason }) => match &mut absent {
                    None => absent = Some((host, reason)),
                    Some((_, reasons)) => *reasons += &format!("; {host}: {reason}"),
                },
                settled => return settled,
            }
        }
        let (host, reason) = absent.unwrap_or_else(|| {
            let looked: Vec<_> = sockets
                .iter()
                .map(|path| path.display().to_string())
                .collect();
            let reason = format!("there is no {}", looked.join(", no "));
            ("a usual socket".to_owned(), reason)
        });
        Err(DockerBuildError::NoEngine { host, reason })
    }

    async fn at(host: String, patience: Patience) -> Result<Self, DockerBuildError> {
        let absent = |reason: String| DockerBuildError::NoEngine {
            host: host.clone(),
            reason,
        };
        let certificates = Certificates::asked_for(&host);
        let docker = match &certificates {
            Some(certificates) => certificates.client(&host)?,
            None => plain(&host).map_err(|error| absent(reason(&error)))?,
        };
        // The client's own limit comes after ours, which says more.
        let docker = docker
            .with_timeout(patience.silence + Duration::from_mins(1))
            .with_request_modifier(url_safe_logins);
        let version = tokio::time::timeout(patience.hello, version(&docker))
            .await
            .map_err(|_| absent(format!("no answer within {} s", patience.hello.as_secs())))?
            .map_err(|error| {
                certificates
                    .as_ref()
                    .map_or_else(
                        || tls::wanted(&host, &error),
                        |certificates| certificates.failed(&host, &error),
                    )
                    .unwrap_or_else(|| absent(reason(&error)))
            })?;
        let api = version.api_version.unwrap_or_default();
        if api_version(&api).is_some_and(|version| version < OLDEST_API) {
            return Err(DockerBuildError::TooOld {
                host,
                found: api,
                oldest: OLDEST_API_TEXT,
            });
        }
        Ok(Self {
            docker,
            host,
            patience,
        })
    }

    /// The answer to one request.
    pub(super) async fn ask<T>(
        &self,
        operation: &'static str,
        request: impl Future<Output = Result<T, bollard::errors::Error>>,
    ) -> Result<T, DockerBuildError> {
        match tokio::time::timeout(self.patience.silence, request).await {
            Ok(answer) => answer.map_err(|error| self.failed(operation, &error)),
            Err(_) => Err(self.silent(operation)),
        }
    }

    pub(super) fn failed(
        &self,
        operation: &'static str,
        error: &bollard::errors::Error,
    ) -> DockerBuildError {
        DockerBuildError::Engine {
            host: self.host.clone(),
            operation,
            reason: reason(error),
        }
    }

    pub(super) fn silent(&self, operation: impl Into<String>) -> DockerBuildError {
        DockerBuildError::Silent {
            host: self.host.clone(),
            operation: operation.into(),
            silence: self.patience.silence,
        }
    }
}

/// Asks for the engine's version: the first request.
///
/// With TLS 1.3 an engine refuses our certificate once the handshake is over for us (RFC 8446, section
/// 2). Where its alert comes before the request is sent, the client says only that it sent nothing; the
/// next attempt hears why.
async fn version(docker: &Docker) -> Result<SystemVersion, bollard::errors::Error> {
    for _ in 1..HELLOS {
        match docker.version().await {
            Err(error) if reason(&error).contains(UNSENT) => {}
            answer => return answer,
        }
    }
    docker.version().await
}

/// Writes the header of logins in the alphabet that engines read: base64url (RFC 4648, section 5), as the
/// engine's API has it. bollard 0.21 writes plain base64, and an engine silently drops a header with a
/// `+` or `/` in it, which a `?` or `~` in a password is enough for.
fn url_safe_logins(mut request: BollardRequest) -> BollardRequest {
    let Some(logins) = request.headers_mut().get_mut(LOGINS) else {
        return request;
    };
    let url_safe = |letter: &u8| match letter {
        b'+' => b'-',
        b'/' => b'_',
        letter => *letter,
    };
    let written: Vec<u8> = logins.as_bytes().iter().map(url_safe).collect();
    if let Ok(written) = HeaderValue::from_bytes(&written) {
        *logins = written;
    }
    logins.set_sensitive(true);
    request
}

/// A client without TLS.
fn plain(host: &str) -> Result<Docker, bollard::errors::Error> {
    if host.starts_with("tcp://") {
        Docker::connect_with_http(host, USUAL_TIMEOUT, API_DEFAULT_VERSION)
    } else {
        Docker::connect_with_host(host)
    }
}

fn api_version(text: &str) -> Option<(usize, usize)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
