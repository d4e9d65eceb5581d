//! The operator's logins at the registries of a build's base images.
//!
//! An engine knows no logins: Docker's client reads them from its own configuration and sends them
//! with a build (`X-Registry-Config`,
//! <https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Image/operation/ImageBuild>).
//! So do we, for the registries that the Dockerfile names and no others.

mod config;
mod helper;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::auth::DockerCredentials;

use super::base_images::{BaseImage, Registry};
use super::usual;
use config::{Config, Keeper};
use helper::HelperError;

/// Why a login was not read. What is kept there is in none of them.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The configuration cannot be read.
    #[error("{} cannot be read: {reason}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// The configuration is not as Docker writes it.
    #[error("{} is not a configuration of Docker (line {line}, column {column})", file.display())]
    Malformed {
        /// The file.
        file: PathBuf,
        /// Where it is not.
        line: usize,
        /// Where it is not.
        column: usize,
    },
    /// An entry cannot be read.
    #[error("what {} has for {key} is not USER:PASSWORD in base64", file.display())]
    Entry {
        /// The file.
        file: PathBuf,
        /// The entry.
        key: String,
    },
    /// A helper gave no answer.
    #[error("{program}, which {} names, {reason}", file.display())]
    Helper {
        /// The helper.
        program: String,
        /// The file that names it.
        file: PathBuf,
        /// Why.
        reason: HelperError,
    },
}

/// What was found for a registry.
pub enum Found {
    /// A login. It is in no message.
    Login(DockerCredentials),
    /// The operator is not logged in there.
    Nothing,
    /// It is not known whether the operator is.
    Unknown(LoginError),
}

/// What was found for each registry that a build takes images from.
pub struct Logins {
    /// The configuration of Docker's client.
    pub file: PathBuf,
    found: BTreeMap<Registry, Found>,
}

impl Logins {
    /// Looks for the login at each registry of these images; a helper may take `patience`.
    pub async fn of(images: &[BaseImage], patience: Duration) -> Self {
        let file = usual::settings_folder(usual::variable).join("config.json");
        let mut found = BTreeMap::new();
        for BaseImage { registry, .. } in images {
            if !found.contains_key(registry) {
                let login = find(registry, &file, patience).await;
                found.insert(registry.clone(), login.unwrap_or_else(Found::Unknown));
            }
        }
        Self { file, found }
    }

    /// What was found for this registry.
    pub fn at(&self, registry: &Registry) -> &Found {
        self.found.get(registry).unwrap_or(&Found::Nothing)
    }

    /// The logins as an engine takes them; `None` where there are none, so that an engine that has
    /// logins of its own, as Podman does, uses them.
    pub fn credentials(&self) -> Option<HashMap<String, DockerCredentials>> {
        let login = |(registry, found): (&Registry, &Found)| match found {
            Found::Login(login) => {
                let key = registry.key().to_owned();
                let mut login = login.clone();
                login.serveraddress = Some(key.clone());
                Some((key, login))
            }
            Found::Nothing | Found::Unknown(_) => None,
        };
        let logins: HashMap<_, _> = self.found.iter().filter_map(login).collect();
        (!logins.is_empty()).then_some(logins)
    }

    /// What the operator should know of logins that were not read.
    pub fn warnings(&self) -> impl Iterator<Item = String> {
        self.found
            .iter()
            .filter_map(|(registry, found)| match found {
                Found::Unknown(error) => Some(format!(
                    "no login at {} is sent to the engine: {error}; the build goes on without",
                    registry.host()
                )),
                Found::Login(_) | Found::Nothing => None,
            })
    }
}

async fn find(registry: &Registry, file: &Path, patience: Duration) -> Result<Found, LoginError> {
    let config = Config::read(file).await?;
    let (program, key) = match config.keeper(registry, file)? {
        None => return Ok(Found::Nothing),
        Some(Keeper::File(login)) => return Ok(Found::Login(login)),
        Some(Keeper::Helper { program, key }) => (program, key),
    };
    let answer = helper::ask(&program, &key, patience).await;
    let login = answer.map_err(|reason| LoginError::Helper {
        program,
        file: file.to_owned(),
        reason,
    })?;
    Ok(login.map_or(Found::Nothing, Found::Login))
}
