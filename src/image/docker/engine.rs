//! Finding an engine that answers.

use std::future::Future;
use std::time::Duration;

use bollard::Docker;

use super::error::{DockerBuildError, reason};

/// Docker 20.10, the oldest that is still in a supported distribution (Debian 12).
const OLDEST_API: (usize, usize) = (1, 41);
const OLDEST_API_TEXT: &str = "1.41";
const DOCKER_HOST: &str = "DOCKER_HOST";
const USUAL_HOST: &str = "unix:///var/run/docker.sock";

/// How long an engine may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Until it answers that it is there.
    pub hello: Duration,
    /// Between two signs of life during a build or an export. Linking takes minutes without a word.
    pub silence: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            hello: Duration::from_secs(10),
            silence: Duration::from_secs(20 * 60),
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
    /// `DOCKER_TLS_VERIFY` and `DOCKER_CERT_PATH` say so), else Docker's usual socket, else
    /// Podman's.
    ///
    /// # Errors
    /// [`DockerBuildError::NoEngine`] when none answers in time, and
    /// [`DockerBuildError::TooOld`].
    pub async fn find(host: Option<&str>, patience: Patience) -> Result<Self, DockerBuildError> {
        let named = host.map(str::to_owned).or_else(|| {
            std::env::var(DOCKER_HOST)
                .ok()
                .filter(|host| !host.is_empty())
        });
        match named {
            Some(host) => Self::connect(Docker::connect_with_host(&host), host, patience).await,
            None => Self::usual(patience).await,
        }
    }

    async fn usual(patience: Patience) -> Result<Self, DockerBuildError> {
        let docker = Docker::connect_with_host(USUAL_HOST);
        let missing = match Self::connect(docker, USUAL_HOST.to_owned(), patience).await {
            Err(error @ DockerBuildError::NoEngine { .. }) => error,
            settled => return settled,
        };
        let podman = Docker::connect_with_podman_defaults();
        Self::connect(podman, "Podman's socket".to_owned(), patience)
            .await
            .map_err(|_| missing)
    }

    async fn connect(
        docker: Result<Docker, bollard::errors::Error>,
        host: String,
        patience: Patience,
    ) -> Result<Self, DockerBuildError> {
        let absent = |reason: String| DockerBuildError::NoEngine {
            host: host.clone(),
            reason,
        };
        let docker = docker.map_err(|error| absent(reason(&error)))?;
        let version = tokio::time::timeout(patience.hello, docker.version())
            .await
            .map_err(|_| absent(format!("no answer within {} s", patience.hello.as_secs())))?
            .map_err(|error| absent(reason(&error)))?;
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

fn api_version(text: &str) -> Option<(usize, usize)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
